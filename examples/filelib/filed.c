/* sockserver-filed: a folder of files that clients list, download from and
 * upload to.  Build it with the project, run it, and try it in another
 * terminal:
 *   build/bin/sockserver-filed --root /tmp
 *   build/bin/sockserver-file 127.0.0.1 8888 list
 * docs/file-protocol.md is what they say to each other. */
#include "access.h"
#include "filed_options.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DRAIN_MS = 30 * 1000, RBUFSIZE = 16 * 1024, WBUFSIZE = 8 * 1024 };

static sks_server *new_server(const struct filed_options *options,
                              struct service *service)
{
    sks_server *server =
        options->path
            ? sks_unix_stream_server_new(options->path, &session_handler)
            : sks_tcp_server_new(options->host, options->port,
                                 &session_handler);

    sks_server_set_strategy(server, options->strategy, NULL);
    if (options->max_workers)
        sks_server_set_max_workers(server, options->max_workers);
    sks_server_set_drain_timeout_ms(server, DRAIN_MS);
    sks_server_set_rbufsize(server, RBUFSIZE);
    sks_server_set_wbufsize(server, WBUFSIZE);
    sks_server_set_data(server, service);
    return server;
}

/* Flushed, for whoever waits for it in a pipe, and so that no child prints it
 * again. */
static void announce(const struct filed_options *options,
                     const sks_server *server)
{
    const char *address;

    printf("sockserver-filed: serving %s on %s ", options->library.root,
           options->path ? "unix" : "tcp");
    for (size_t i = 0; (address = sks_server_address(server, i)); i++)
        printf("%s%s", i ? ", " : "", options->path ? options->path : address);
    printf(" (%s)", sks_strategy_name(options->strategy));
    if (!options->path && !options->token_file)
        printf(options->has_host
                   ? ", to everybody who reaches it: no token file"
                   : ", to this machine only: no token file");
    printf("\n");
    fflush(stdout);
}

static int serve(const struct filed_options *options, struct service *service)
{
    sks_server *server = new_server(options, service);
    int rc = sks_server_bind(server);

    if (rc == 0)
        rc = sks_server_shutdown_on_signals(server);
    if (rc == 0) {
        announce(options, server);
        rc = sks_server_serve_forever(server);
    }
    if (rc < 0)
        fprintf(stderr, "sockserver-filed: %s\n", sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}

/* Says what is wrong with the folder or the token file, if anything is. */
static int check(const struct filed_options *options, struct service *service)
{
    const char *wrong =
        options->token_file ? access_check_file(options->token_file) : NULL;
    int rc;

    if (wrong) {
        fprintf(stderr, "sockserver-filed: %s: %s\n", options->token_file,
                wrong);
        return -1;
    }
    rc = library_open(&service->library, &options->library);
    if (rc < 0)
        fprintf(stderr, "sockserver-filed: %s: %s\n", options->library.root,
                strerror(-rc));
    return rc;
}

int main(int argc, char **argv)
{
    struct filed_options options;
    struct service service = {0};
    int status = 1;

    filed_read_options(&options, argc, argv);
    service.token_file = options.token_file;
    service.idle_ms = options.idle_s * 1000;
    service.log_fd = options.quiet ? -1 : STDERR_FILENO;
    if (check(&options, &service) < 0)
        return 1;
    service.listings = listing_cache_new(&service.library);
    if (service.listings)
        status = serve(&options, &service);
    else
        fprintf(stderr, "sockserver-filed: out of memory\n");
    listing_cache_free(service.listings);
    library_close(&service.library);
    return status;
}
