/* A service of one's own, from the parts of sockserver-httpd: greets by name,
 * counts down in chunks, and tells how long what it is sent is.  Build it with
 * the project, run it, and try it:
 *   build/bin/greeting_service
 *   curl http://127.0.0.1:8001/hello/Ada?loud=1
 *   curl http://127.0.0.1:8001/countdown
 *   curl -T /etc/services http://127.0.0.1:8001/length */
#include "body.h"
#include "form.h"
#include "reply.h"
#include "routes.h"
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>

//! [parameters]
static int greet(struct http_exchange *x, void *data)
{
    struct http_bytes name = x->parameters[0];
    struct http_text text = {0};
    char loud[8] = "";
    int rc;

    if (x->query.data != NULL)
        http_form_value(x->query, "loud", loud, sizeof loud);
    http_text_puts(&text, data);
    http_text_add(&text, name.data, name.len);
    http_text_puts(&text, *loud ? "!\n" : "\n");
    rc = http_reply_text(x, 200, "text/plain; charset=utf-8", &text);
    http_text_free(&text);
    return rc;
}
//! [parameters]

//! [stream]
static int count_down(struct http_exchange *x, void *data)
{
    char line[16];

    (void)data;
    http_reply_begin(x, 200);
    http_reply_field(x, "Content-Type", "text/plain");
    http_reply_stream(x);
    for (int i = 10; i >= 0; i--)
        http_reply_write(x, line,
                         (size_t)snprintf(line, sizeof line, "%d\n", i));
    return http_reply_end(x);
}
//! [stream]

//! [body]
static int tell_length(struct http_exchange *x, void *data)
{
    struct http_text text = {0};
    long long length = 0;
    char buf[8192];
    ssize_t n;
    int rc;

    (void)data;
    while ((n = http_body_read(x, buf, sizeof buf)) > 0)
        length += n;
    if (n < 0)
        return http_body_status(n);
    http_text_printf(&text, "%lld bytes\n", length);
    rc = http_reply_text(x, 200, "text/plain", &text);
    http_text_free(&text);
    return rc;
}
//! [body]

//! [main]
int main(int argc, char **argv)
{
    static char hello[] = "Hello, ";
    static const struct http_route routes[] = {
        {HTTP_GET, "/hello/:name", greet, hello},
        {HTTP_GET, "/countdown", count_down, NULL},
        {HTTP_PUT | HTTP_POST, "/length", tell_length, NULL}};
    struct http_service service = {.routes = routes,
                                   .route_count = 3,
                                   .limits = http_default_limits,
                                   .fields = ""};
    int port = argc > 1 ? atoi(argv[1]) : 8001;
    sks_server *server = sks_tcp_server_new("127.0.0.1", port, &http_handler);
    int rc;

    sks_server_set_strategy(server, sks_threading(), NULL);
    http_prepare_server(server, &service);
    sks_server_shutdown_on_signals(server);
    rc = sks_server_bind(server);
    if (rc == 0) {
        printf("greeting_service: on http://%s/\n",
               sks_server_address(server, 0));
        fflush(stdout);
        rc = sks_server_serve_forever(server);
    }
    if (rc < 0)
        fprintf(stderr, "greeting_service: %s\n", sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
//! [main]
