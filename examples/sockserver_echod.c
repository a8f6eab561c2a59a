/* sockserver-echod: sends back what each client sends, over any kind of
 * server.  Build it with the project, then run it and try it:
 *   build/bin/sockserver-echod              nc 127.0.0.1 7777
 *   build/bin/sockserver-echod --udp        nc -u 127.0.0.1 7777
 *   build/bin/sockserver-echod --unix sock  nc -U sock */
#include "program.h"

#include <stddef.h>
#include <string.h>

/* What the command line says. */
struct echod_options {
    struct program_options shared;
    int spin_us;
    int defer_ms;
    int own_sockets;
    int no_io_uring;
    size_t stack_size; /* 0: the library's default */
};

/* Writes from rfile's own buffer: nothing is copied in between. */
static int echo(sks_request *request)
{
    sks_rfile *in = sks_request_rfile(request);
    sks_wfile *out = sks_request_wfile(request);
    const void *data;
    ssize_t n;

    while ((n = sks_rfile_peek(in, 1, &data)) > 0) {
        int rc = sks_wfile_write(out, data, (size_t)n);

        if (rc < 0)
            return rc;
        sks_rfile_skip(in, n);
    }
    return (int)n;
}

/* --- options --- */

enum {
    SPIN_MAX_US = 1000000,
    DEFER_MAX_MS = 60 * 60 * 1000,
    STACK_MIN = 16 * 1024,
    STACK_MAX = 1024 * 1024 * 1024
};

static void read_spin(const struct program_option *option, void *field,
                      char *value)
{
    *(int *)field = (int)program_number(option, value, 0, SPIN_MAX_US);
}

static void read_defer(const struct program_option *option, void *field,
                       char *value)
{
    *(int *)field = (int)program_number(option, value, 0, DEFER_MAX_MS);
}

static void read_stack_size(const struct program_option *option, void *field,
                            char *value)
{
    *(size_t *)field = program_number(option, value, STACK_MIN, STACK_MAX);
}

static const struct program_option more[] = {
    {"spin-us", "N",
     "poll for N microseconds before a wait for a client's next input sleeps",
     read_spin, offsetof(struct echod_options, spin_us), 0},
    {"defer-accept", "MS",
     "leave TCP clients that say nothing to the system for so long", read_defer,
     offsetof(struct echod_options, defer_ms), 0},
    {"stack-size", "BYTES",
     "of each coroutine (65536), or of each thread under threading (524288)",
     read_stack_size, offsetof(struct echod_options, stack_size), 0},
    {"own-sockets", NULL, "give each process of a prefork sockets of its own",
     program_set_flag, offsetof(struct echod_options, own_sockets), 0},
    {"no-io-uring", NULL, "have coroutines receive by epoll alone",
     program_set_flag, offsetof(struct echod_options, no_io_uring), 0},
    {0}};

/* Tells the strategy what is for it alone.  The configs are static because the
 * server keeps them. */
static void configure(sks_server *server, const struct echod_options *o)
{
    static sks_coroutine_config coroutine = {.size = sizeof coroutine};
    static sks_threading_config threading = {.size = sizeof threading};
    static sks_prefork_config prefork = {.size = sizeof prefork};
    const sks_strategy *strategy = o->shared.strategy;
    const char *name = sks_strategy_name(strategy);
    int forks = strncmp(name, "prefork", strlen("prefork")) == 0;
    int switches = strstr(name, "coroutine") != NULL;
    int threads = strstr(name, "threading") != NULL;
    void *config = switches ? (void *)&coroutine : threads ? &threading : NULL;

    if (o->stack_size != 0 && config == NULL)
        program_wrong_usage(
            "--stack-size is for coroutine and threading, not for %s", name);
    if (o->own_sockets && !forks)
        program_wrong_usage("--own-sockets is for prefork, not for %s", name);
    if (o->no_io_uring && !switches)
        program_wrong_usage("--no-io-uring is for coroutines, not for %s",
                            name);
    coroutine.stack_size = threading.stack_size = o->stack_size;
    coroutine.no_io_uring = o->no_io_uring;
    prefork.own_sockets = o->own_sockets;
    prefork.inner_config = config;
    sks_server_set_strategy(server, strategy, forks ? &prefork : config);
    sks_server_set_spin_us(server, o->spin_us);
    sks_server_set_defer_accept_ms(server, o->defer_ms);
}

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = "sockserver-echod",
        .about = "Sends back what each client sends.",
        .kinds = PROGRAM_ALL_KINDS,
        .more = more};
    const sks_handler handler = {.size = sizeof handler, .handle = echo};
    struct echod_options o = {.shared = {.host = "127.0.0.1",
                                         .port = 7777,
                                         .strategy = sks_threading()}};
    const struct program_line line = {.doing = "echo on"};
    sks_server *server;

    program_read_options(&program, &o.shared, &o, argc, argv);
    server = program_new_server(&o.shared, &handler);
    configure(server, &o);
    return program_serve(&program, &o.shared, server, &line);
}
