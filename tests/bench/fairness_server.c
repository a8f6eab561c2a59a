/* The server of fairness.py: processes that each say who they are.
 *
 * Over TCP on a port of the system's choice, which it prints.  Each line of a
 * client is a number of microseconds for which the handler blocks, as a disk
 * or a computation would have it; the answer is the process's number. */
#include <sockserver.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void block(long us)
{
    struct timespec t = {.tv_sec = us / 1000000,
                         .tv_nsec = us % 1000000 * 1000};

    if (us > 0)
        nanosleep(&t, NULL);
}

static int answer(sks_request *request)
{
    char line[32];
    ssize_t n;

    sks_request_set_linger_ms(request, 0);
    while ((n = sks_rfile_readline(sks_request_rfile(request), line,
                                   sizeof line)) > 0) {
        int rc;

        block(strtol(line, NULL, 10));
        rc = sks_wfile_printf(sks_request_wfile(request), "%ld\n",
                              (long)getpid());
        if (rc < 0)
            return rc;
    }
    return (int)n;
}

int main(int argc, char **argv)
{
    const sks_handler handler = {.size = sizeof handler, .handle = answer};
    sks_prefork_config config = {.size = sizeof config};
    sks_server *server;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: %s STRATEGY PROCESSES shared|own\n", argv[0]);
        return 2;
    }
    config.own_sockets = strcmp(argv[3], "own") == 0;
    server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_set_strategy(server, sks_strategy_find(argv[1]), &config);
    sks_server_set_max_workers(server, (unsigned)strtoul(argv[2], NULL, 10));
    rc = sks_server_bind(server);
    if (rc == 0)
        rc = sks_server_shutdown_on_signals(server);
    if (rc == 0) {
        printf("%d\n", sks_server_port(server));
        fflush(stdout);
        rc = sks_server_serve_forever(server);
    }
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", argv[0], sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
