/* sockserver-echod: sends back what each client sends, over any kind of
 * server.  Build it with the project, then run it and try it:
 *   build/bin/sockserver-echod              nc 127.0.0.1 7777
 *   build/bin/sockserver-echod --udp        nc -u 127.0.0.1 7777
 *   build/bin/sockserver-echod --unix sock  nc -U sock */
#include "program.h"

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

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = "sockserver-echod",
        .about = "Sends back what each client sends.",
        .kinds = PROGRAM_ALL_KINDS};
    const sks_handler handler = {.size = sizeof handler, .handle = echo};
    struct program_options options = {.host = "127.0.0.1",
                                      .port = 7777,
                                      .strategy = sks_threading()};
    const struct program_line line = {.doing = "echo on"};

    program_read_options(&program, &options, NULL, argc, argv);
    return program_serve(&program, &options,
                         program_new_server(&options, &handler), &line);
}
