#include "accesslog.h"

#include "date.h"

#include <string.h>
#include <unistd.h>

/* Bytes of a request line or a field that are worth a line. */
enum { SHOWN_MAX = 1024 };

/* The request line.  Of a head that was refused, what came of it. */
static struct http_bytes first_line(const struct http_exchange *x)
{
    const struct http_head *h = &x->head;
    struct http_bytes line = http_head_bytes(h, h->line);

    if (line.len == 0 && h->bytes != NULL) {
        line.len = h->at > h->scanned ? h->at : h->scanned;
        if (line.len > SHOWN_MAX)
            line.len = SHOWN_MAX;
        for (size_t i = 0; i < line.len; i++)
            if (line.data[i] == '\r' || line.data[i] == '\n')
                line.len = i;
    }
    return line;
}

/* Between double quotes: those, backslashes and all that is not visible ASCII
 * are escaped. */
static void add_quoted(struct http_text *t, struct http_bytes bytes)
{
    size_t n = bytes.len < SHOWN_MAX ? bytes.len : SHOWN_MAX;

    http_text_puts(t, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        if (c < ' ' || c >= 0x7f)
            http_text_printf(t, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            http_text_printf(t, "\\%c", c);
        else
            http_text_add(t, bytes.data + i, 1);
    }
    http_text_puts(t, n == 0 ? "-\"" : "\"");
}

/* "127.0.0.1" of "127.0.0.1:51234", "::1" of "[::1]:51234". */
static struct http_bytes host_of(const char *client)
{
    const char *colon = strrchr(client, ':');
    struct http_bytes host = {client, colon ? (size_t)(colon - client)
                                            : strlen(client)};

    if (host.len >= 2 && host.data[0] == '[') {
        host.data++;
        host.len -= 2;
    }
    return host;
}

static void add_common(struct http_text *t, const struct http_exchange *x,
                       const char *client, time_t when)
{
    char date[HTTP_LOG_DATE_LEN];
    struct http_bytes host = host_of(client);

    http_date_log(when, date);
    http_text_add(t, host.data, host.len);
    http_text_puts(t, " - - [");
    http_text_add(t, date, sizeof date);
    http_text_puts(t, "] ");
    add_quoted(t, first_line(x));
    http_text_printf(t, " %d %lld", x->status, (long long)x->sent);
}

static void add_json_field(struct http_text *t, const char *name,
                           struct http_bytes value)
{
    size_t n = value.len < SHOWN_MAX ? value.len : SHOWN_MAX;

    http_text_printf(t, "\"%s\": \"", name);
    if (n > 0)
        http_text_json(t, value.data, n);
    http_text_puts(t, "\", ");
}

static void add_json(struct http_text *t, const struct http_exchange *x,
                     const char *client, time_t when, int64_t took_us)
{
    http_text_printf(t, "{\"time\": %lld, ", (long long)when);
    add_json_field(t, "client", host_of(client));
    add_json_field(t, "request", first_line(x));
    add_json_field(t, "referer", http_head_value(&x->head, HTTP_REFERER));
    add_json_field(t, "user_agent", http_head_value(&x->head, HTTP_USER_AGENT));
    http_text_printf(t, "\"status\": %d, \"bytes\": %lld, \"took_us\": %lld}",
                     x->status, (long long)x->sent, (long long)took_us);
}

void http_log_line(struct http_text *t, enum http_log_format format,
                   const struct http_exchange *x, const char *client,
                   time_t when, int64_t took_us)
{
    if (format == HTTP_LOG_JSON)
        add_json(t, x, client, when, took_us);
    else
        add_common(t, x, client, when);
    if (format == HTTP_LOG_COMBINED) {
        http_text_puts(t, " ");
        add_quoted(t, http_head_value(&x->head, HTTP_REFERER));
        http_text_puts(t, " ");
        add_quoted(t, http_head_value(&x->head, HTTP_USER_AGENT));
    }
    http_text_puts(t, "\n");
}

void http_log_write(const struct http_log *log, const struct http_exchange *x,
                    int64_t took_us)
{
    struct http_text line = {0};

    http_log_line(&line, log->format, x, sks_request_client_address(x->request),
                  time(NULL), took_us);
    /* One write of a descriptor that appends keeps lines whole.  A log that
     * cannot be written is no reason to stop serving. */
    if (!line.failed && write(log->fd, line.data, line.len) < 0)
        http_text_free(&line);
    http_text_free(&line);
}
