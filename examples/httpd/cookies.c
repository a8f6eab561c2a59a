#include "cookies.h"

#include "fields.h"
#include "reply.h"

#include <string.h>

static struct http_bytes unquoted(struct http_bytes value)
{
    if (value.len >= 2 && value.data[0] == '"' &&
        value.data[value.len - 1] == '"')
        return (struct http_bytes){value.data + 1, value.len - 2};
    return value;
}

/* Looks for the name in one Cookie field. */
static struct http_bytes find_in(struct http_bytes field, const char *name)
{
    const char *at = field.data, *end = field.data + field.len;

    while (at < end) {
        const char *stop = memchr(at, ';', (size_t)(end - at));
        const char *equals;
        struct http_bytes key;

        stop = stop ? stop : end;
        equals = memchr(at, '=', (size_t)(stop - at));
        if (equals != NULL) {
            key = http_trimmed(at, (size_t)(equals - at));
            if (key.len == strlen(name) && memcmp(key.data, name, key.len) == 0)
                return unquoted(
                    http_trimmed(equals + 1, (size_t)(stop - equals) - 1));
        }
        at = stop + 1;
    }
    return (struct http_bytes){NULL, 0};
}

struct http_bytes http_cookie_find(const struct http_head *head,
                                   const char *name)
{
    struct http_bytes field, value = {NULL, 0};
    size_t i = 0;

    while (value.data == NULL &&
           (field = http_head_next(head, HTTP_COOKIE, &i)).data)
        value = find_in(field, name);
    return value;
}

/* cookie-octet of RFC 6265, 4.1.1. */
static int is_clean(const char *value)
{
    for (; *value != '\0'; value++)
        if (*value <= ' ' || *value > '~' || strchr("\",;\\", *value))
            return 0;
    return 1;
}

int http_cookie_set(struct http_exchange *x, const struct http_cookie *c)
{
    struct http_text t = {0};
    int done;

    if (!is_clean(c->value))
        return 0;
    http_text_printf(&t, "%s=%s", c->name, c->value);
    if (c->path != NULL)
        http_text_printf(&t, "; Path=%s", c->path);
    if (c->max_age >= 0)
        http_text_printf(&t, "; Max-Age=%ld", c->max_age);
    if (c->same_site != NULL)
        http_text_printf(&t, "; SameSite=%s", c->same_site);
    http_text_puts(&t, c->http_only ? "; HttpOnly" : "");
    http_text_puts(&t, c->secure ? "; Secure" : "");
    http_text_add(&t, "", 1);
    done = !t.failed;
    if (done)
        http_reply_field(x, "Set-Cookie", t.data);
    http_text_free(&t);
    return done;
}
