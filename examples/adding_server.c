/* Adds up the numbers that a client sends, one a line, and answers each with
 * the sum so far.  Build it with the project, run it, try it:
 *   build/bin/adding_server
 *   printf '1\n2\n3.5\n' | nc -N 127.0.0.1 7777 */
#include <sockserver.h>

#include <stdio.h>
#include <stdlib.h>

//! [self]
/* What a request remembers: zeroed before setup, freed after finish. */
struct adder {
    double sum;
    unsigned numbers;
};
//! [self]

//! [setup]
static int setup(sks_request *request)
{
    sks_request_set_timeout_ms(request, 30 * 1000);
    sks_request_set_deadline_ms(request, 600 * 1000);
    return 0;
}
//! [setup]

//! [handle]
static int handle(sks_request *request)
{
    struct adder *self = sks_request_self(request);
    sks_rfile *in = sks_request_rfile(request);
    sks_wfile *out = sks_request_wfile(request);
    char line[128];
    ssize_t n;

    while ((n = sks_rfile_readline(in, line, sizeof line)) > 0) {
        self->sum += strtod(line, NULL);
        self->numbers++;
        sks_wfile_printf(out, "%g\n", self->sum);
    }
    if (n == SKS_ETOOLONG)
        return sks_wfile_puts(out, "no number is that long\n");
    return (int)n;
}
//! [handle]

//! [finish]
static void finish(sks_request *request)
{
    const struct adder *self = sks_request_self(request);

    printf("%s sent %u numbers\n", sks_request_client_address(request),
           self->numbers);
}
//! [finish]

//! [main]
int main(void)
{
    const sks_handler handler = {.size = sizeof handler,
                                 .self_size = sizeof(struct adder),
                                 .setup = setup,
                                 .handle = handle,
                                 .finish = finish};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 7777, &handler);
    int rc;

    sks_server_set_strategy(server, sks_threading(), NULL);
    sks_server_shutdown_on_signals(server);
    rc = sks_server_serve_forever(server);
    if (rc < 0)
        fprintf(stderr, "adding_server: %s\n", sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
//! [main]
