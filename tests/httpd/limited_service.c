/* A service with very short time limits, for the tests: prints its port.  Its
 * argument is a strategy.  "/length" reads a body, and "/large"
 * answers with more than sockets hold. */
#include "body.h"
#include "metrics.h"
#include "reply.h"
#include "routes.h"
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 65536 };

static int tell_length(struct http_exchange *x, void *data)
{
    struct http_text text = {0};
    int rc = http_body_read_all(x, 64 * 1024, &text);

    (void)data;
    if (rc == 0) {
        size_t n = text.len;

        text.len = 0;
        http_text_printf(&text, "%zu", n);
        rc = http_reply_text(x, 200, "text/plain", &text);
    }
    http_text_free(&text);
    return rc;
}

static int send_much(struct http_exchange *x, void *data)
{
    int rc = 0;

    http_reply_begin(x, 200);
    http_reply_stream(x);
    for (int i = 0; i < 200 && rc == 0; i++)
        rc = http_reply_write(x, data, PIECE);
    return rc < 0 ? rc : http_reply_end(x);
}

int main(int argc, char **argv)
{
    /* Not on the stack of a request, which is small under some strategies. */
    static char piece[PIECE];
    static const struct http_route routes[] = {{HTTP_POST, "/length",
                                                tell_length, NULL},
                                               {HTTP_GET, "/large", send_much,
                                                piece}};
    struct http_service service = {.routes = routes,
                                   .route_count = 2,
                                   .limits = {.first_byte_ms = 200,
                                              .head_ms = 200,
                                              .body_ms = 200,
                                              .idle_ms = 200,

                                              .busy_first_byte_ms = 200,
                                              .busy_idle_ms = 200,
                                              .write_ms = 200,
                                              .body_max = 1024 * 1024},
                                   .metrics = http_metrics_new(),
                                   .fields = ""};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, &http_handler);
    int rc;

    if (argc != 2)
        return 2;
    memset(piece, 'x', sizeof piece);
    sks_server_set_strategy(server, sks_strategy_find(argv[1]), NULL);
    http_prepare_server(server, &service);
    sks_server_shutdown_on_signals(server);
    rc = sks_server_bind(server);
    if (rc == 0) {
        printf("on http://127.0.0.1:%d/\n", sks_server_port(server));
        fflush(stdout);
        rc = sks_server_serve_forever(server);
    }
    sks_server_free(server);
    http_metrics_free(service.metrics);
    return rc < 0;
}
