/* Answers each host name that a client sends, one a line, with an address.
 * Build it with the project, run it, try it:
 *   build/bin/lookup_server
 *   printf 'localhost\nno.such.host.invalid\n' | nc -N 127.0.0.1 7777 */
#include <sockserver.h>

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

//! [lookup]
struct lookup {
    char name[256];
    char address[64]; /* "" if there is none */
};

/* May take seconds, and knows no way to wait but to block. */
static int look_up(void *arg)
{
    struct lookup *l = arg;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    l->address[0] = '\0';
    if (getaddrinfo(l->name, NULL, &hints, &found) != 0)
        return -1;
    getnameinfo(found->ai_addr, found->ai_addrlen, l->address,
                sizeof l->address, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    return 0;
}
//! [lookup]

//! [handle]
static int handle(sks_request *request)
{
    sks_rfile *in = sks_request_rfile(request);
    sks_wfile *out = sks_request_wfile(request);
    struct lookup l;
    ssize_t n;

    while ((n = sks_rfile_readline(in, l.name, sizeof l.name)) > 0) {
        l.name[strcspn(l.name, "\r\n")] = '\0';
        if (sks_request_offload(request, look_up, &l) < 0)
            sks_wfile_printf(out, "%s is unknown\n", l.name);
        else
            sks_wfile_printf(out, "%s is %s\n", l.name, l.address);
    }
    return (int)n;
}
//! [handle]

int main(void)
{
    const sks_handler handler = {.size = sizeof handler, .handle = handle};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 7777, &handler);
    int rc;

    sks_server_set_strategy(server, sks_coroutine(), NULL);
    sks_server_shutdown_on_signals(server);
    rc = sks_server_serve_forever(server);
    if (rc < 0)
        fprintf(stderr, "lookup_server: %s\n", sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
