/* sockserver-filed: a folder of files that clients list, download from and
 * upload to.  Build it with the project, run it, and try it in another
 * terminal:
 *   build/bin/sockserver-filed --root /tmp
 *   build/bin/sockserver-file 127.0.0.1 8888 list
 * docs/file-protocol.md is what they say to each other. */
#include "access.h"
#include "filed_options.h"
#include "session.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DRAIN_MS = 30 * 1000, RBUFSIZE = 16 * 1024, WBUFSIZE = 8 * 1024 };

static sks_server *new_server(const struct filed_options *options,
                              struct service *service)
{
    sks_server *server = program_new_server(&options->shared, &session_handler);

    sks_server_set_drain_timeout_ms(server, DRAIN_MS);
    sks_server_set_rbufsize(server, RBUFSIZE);
    sks_server_set_wbufsize(server, WBUFSIZE);
    sks_server_set_data(server, service);
    return server;
}

/* Who is served, if that is not for tokens or a path's mode to say. */
static const char *remark(const struct filed_options *options)
{
    if (options->shared.path || options->token_file)
        return NULL;
    return options->shared.has_host
               ? ", to everybody who reaches it: no token file"
               : ", to this machine only: no token file";
}

static int serve(const struct filed_options *options, struct service *service)
{
    char doing[PATH_MAX + sizeof "serving  on"];
    const struct program_line line = {.doing = doing,
                                      .remark = remark(options)};

    snprintf(doing, sizeof doing, "serving %s on", options->library.root);
    return program_serve(&filed_program, &options->shared,
                         new_server(options, service), &line);
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
    service.min_rate = options.min_rate;
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
