/* A server in the program's own event loop, beside another descriptor: here
 * the standard input, whose end ends the program.  Build it with the project,
 * run it, and try it in another terminal:
 *   build/bin/own_loop
 *   nc 127.0.0.1 7777 */
#include <sockserver.h>

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static int greet(sks_request *request)
{
    return sks_wfile_printf(sks_request_wfile(request), "hello, %s\n",
                            sks_request_client_address(request));
}

//! [loop]
static int serve_until_end_of_input(sks_server *server)
{
    struct pollfd fds[] = {{.fd = sks_server_fileno(server), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    char input[512];

    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents && read(STDIN_FILENO, input, sizeof input) <= 0)
            return 0;
        if (fds[0].revents) {
            int rc = sks_server_handle_request(server);

            if (rc < 0)
                return rc;
        }
    }
}
//! [loop]

int main(void)
{
    const sks_handler handler = {.size = sizeof handler, .handle = greet};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 7777, &handler);
    int rc;

    /* The client that woke poll may be gone again: do not wait for one. */
    sks_server_set_timeout_ms(server, 0);
    rc = sks_server_bind(server);
    if (rc == 0)
        rc = serve_until_end_of_input(server);
    if (rc < 0)
        fprintf(stderr, "own_loop: %s\n", sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
