#include "unit_prefork.h"

#include "unit.h"
#include "support/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct prefork_test prefork_test;

/* --- the server --- */

int prefork_handle(sks_request *request)
{
    sks_wfile *wfile = sks_request_wfile(request);
    char line[16] = "";

    sks_rfile_readline(sks_request_rfile(request), line, sizeof line);
    if (strcmp(line, "crash\n") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(line, "fail\n") == 0)
        return -EIO;
    if (strcmp(line, "wait\n") == 0) {
        trace_put(&serving.trace, "%ld", (long)getpid());
        trace_wait(&serving.trace);
    }
    if (strcmp(line, "twice\n") == 0) {
        sks_wfile_puts(wfile, "once\n");
        if (sks_rfile_readline(sks_request_rfile(request), line, sizeof line) <=
            0)
            return -EIO;
    }
    return sks_wfile_printf(wfile, "%ld\n", (long)getpid());
}

static void tell_error(void *arg, const sks_request *request, int error)
{
    (void)arg;
    trace_put(&serving.trace, "%s:%d",
              strchr(sks_request_client_address(request), '.') ? "known"
                                                               : "unknown",
              error);
}

static void say_nothing(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

static int refuse_all(void *arg, const sks_request *request)
{
    (void)arg, (void)request;
    return 0;
}

void prefork_make_over(const sks_strategy *strategy, unsigned workers)
{
    sks_handler handler = {.size = sizeof handler, .handle = prefork_handle};
    sks_server *server;

    server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_set_strategy(server, strategy, &prefork_test.config);
    sks_server_set_max_workers(server, workers);
    sks_server_set_log(server, say_nothing, NULL);
    sks_server_set_handle_error(server, tell_error, NULL);
    if (prefork_test.refuses)
        sks_server_set_verify_request(server, refuse_all, NULL);
    serving_bind(server);
}

void prefork_serve(unsigned workers)
{
    prefork_make_over(sks_prefork(), workers);
    serving_start();
}

int prefork_begin(void **state)
{
    memset(&prefork_test, 0, sizeof prefork_test);
    prefork_test.config.size = sizeof prefork_test.config;
    return serving_begin(state);
}

/* --- clients --- */

int prefork_say(const char *line)
{
    int fd = serving_client(SOCK_STREAM);

    client_say(fd, line);
    return fd;
}

long prefork_answer(int fd)
{
    char text[32] = "";
    long n = client_receive_some(fd, text, sizeof text - 1);

    client_close(fd);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

long prefork_ask(void)
{
    return prefork_answer(prefork_say("who\n"));
}

long prefork_hold_up(int *fd)
{
    char word[32];

    *fd = prefork_say("wait\n");
    trace_next(&serving.trace, word, sizeof word);
    return strtol(word, NULL, 10);
}

unsigned long prefork_count(int what)
{
    return sks_server_count(serving.server, what);
}

void prefork_expect_count(int what, unsigned long n)
{
    long long start = deadline_now_ms();

    while (prefork_count(what) != n)
        if (!deadline_nap(start))
            fail_msg("count %d is %lu instead of %lu", what,
                     prefork_count(what), n);
}
