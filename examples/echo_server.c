/* Sends back what each client sends.  Build and run, then nc 127.0.0.1 7777:
 *   cc echo_server.c -lsockserver -o echo_server && ./echo_server */
#include <sockserver.h>
#include <stdio.h>

static int echo(sks_request *request)
{
    char buf[4096];
    ssize_t n;

    while ((n = sks_rfile_read1(sks_request_rfile(request), buf, 4096)) > 0)
        sks_wfile_write(sks_request_wfile(request), buf, (size_t)n);
    return (int)n;
}

int main(void)
{
    sks_handler handler = {.size = sizeof handler, .handle = echo};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 7777, &handler);

    sks_server_serve_forever(server);
    fprintf(stderr, "echo_server: %s\n", sks_server_error(server));
    sks_server_free(server);
    return 1;
}
