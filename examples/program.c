/* Serves as the options that the programs share say.  A fault at start is told
 * in one line on standard error. */
#include "program.h"

#include <stdio.h>

sks_server *program_new_server(const struct program_options *options,
                               const sks_handler *handler)
{
    sks_server *server = NULL;

    switch (options->kind) {
    case PROGRAM_TCP:
        server = sks_tcp_server_new(options->host, options->port, handler);
        break;
    case PROGRAM_UDP:
        server = sks_udp_server_new(options->host, options->port, handler);
        break;
    case PROGRAM_UNIX:
        server = sks_unix_stream_server_new(options->path, handler);
        break;
    case PROGRAM_UNIX_DGRAM:
        server = sks_unix_datagram_server_new(options->path, handler);
        break;
    }
    sks_server_set_strategy(server, options->strategy, NULL);
    if (options->max_workers)
        sks_server_set_max_workers(server, options->max_workers);
    return server;
}

static void print_address(const struct program_options *options,
                          const char *scheme, const char *address)
{
    if (scheme)
        printf("%s://%s/", scheme, address);
    else
        fputs(options->path ? options->path : address, stdout);
}

/* "sockserver-echod: echo on tcp 127.0.0.1:7777 (threading)".  Flushed, for
 * whoever waits for it in a pipe, and so that no child prints it again. */
static void announce(const struct program *program,
                     const struct program_options *options,
                     const sks_server *server, const struct program_line *line)
{
    static const char *const kinds[] = {"tcp ", "udp ", "unix ", "unix-dgram "};
    const char *address;

    printf("%s: %s %s", program->name, line->doing,
           line->scheme ? "" : kinds[options->kind]);
    for (size_t i = 0; (address = sks_server_address(server, i)); i++) {
        fputs(i ? ", " : "", stdout);
        print_address(options, line->scheme, address);
    }
    printf(" (%s)%s\n", sks_strategy_name(options->strategy),
           line->remark ? line->remark : "");
    fflush(stdout);
}

int program_serve(const struct program *program,
                  const struct program_options *options, sks_server *server,
                  const struct program_line *line)
{
    int rc;

    if ((rc = sks_server_bind(server)) == 0 &&
        (rc = sks_server_shutdown_on_signals(server)) == 0) {
        announce(program, options, server, line);
        rc = sks_server_serve_forever(server);
    }
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", program->name, sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
