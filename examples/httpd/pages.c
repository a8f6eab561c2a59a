#include "pages.h"

#include "date.h"
#include "fields.h"
#include "reply.h"

#include <string.h>

static int reply(struct http_exchange *x, const char *type, const char *vary,
                 const struct http_text *t)
{
    if (t->failed)
        return 503;
    http_reply_begin(x, 200);
    http_reply_field(x, "Content-Type", type);
    http_reply_lines(x, vary, strlen(vary));
    return http_reply_body(x, t->data, t->len);
}

int http_pages_time(struct http_exchange *x, void *data)
{
    time_t now = time(NULL);
    int json = http_prefers_json(&x->head), rc;
    char text[HTTP_CTIME_LEN];
    struct http_text t = {0};

    (void)data;
    http_date_ctime(now, text);
    http_text_printf(&t,
                     json ? "{\"time\": \"%.*s\", \"unix\": %lld}\n" : "%.*s\n",
                     HTTP_CTIME_LEN, text, (long long)now);
    rc = reply(x, json ? "application/json" : "text/plain; charset=utf-8",
               "Vary: Accept\r\nCache-Control: no-store\r\n", &t);
    http_text_free(&t);
    return rc;
}

static int reply_string(struct http_exchange *x, const char *s)
{
    http_reply_begin(x, 200);
    http_reply_field(x, "Content-Type", "text/plain; charset=utf-8");
    return http_reply_body(x, s, strlen(s));
}

int http_pages_health(struct http_exchange *x, void *data)
{
    (void)data;
    return reply_string(x, "ok\n");
}

int http_pages_text(struct http_exchange *x, void *data)
{
    return reply_string(x, data);
}
