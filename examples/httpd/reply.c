#include "reply.h"

#include "body.h"
#include "date.h"

#include <stdio.h>
#include <string.h>

#define SERVER "Server: sockserver-httpd\r\n"

/* Writes a number's decimal digits, and returns where they end. */
static char *put_decimal(char *out, int64_t number)
{
    char digits[20];
    int n = 0;

    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (n > 0)
        *out++ = digits[--n];
    return out;
}

static char *put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

/* The status line and the fields that all responses have. */
struct opening {
    time_t when;
    int status;
    size_t len;
    char text[160];
};

static void make_opening(struct opening *o, int status, time_t when)
{
    const char *words = http_status_text(status);
    char *end = put(o->text, "HTTP/1.1 ", 9);

    end = put_decimal(end, status);
    *end++ = ' ';
    end = put(end, words, strlen(words));
    end = put(end, "\r\n" SERVER "Date: ", sizeof "\r\n" SERVER "Date: " - 1);
    http_date_format(when, end);
    end = put(end + HTTP_DATE_LEN, "\r\n", 2);
    o->when = when;
    o->status = status;
    o->len = (size_t)(end - o->text);
}

void http_reply_begin(struct http_exchange *x, int status)
{
    static _Thread_local struct opening last;
    time_t now = http_date_second();
    char text[sizeof last.text];

    if (last.status != status || last.when != now)
        make_opening(&last, status, now);
    /* While a write waits for the client, others may run in this thread. */
    memcpy(text, last.text, last.len);
    x->status = status;
    x->replied = 1;
    sks_wfile_write(x->out, text, last.len);
    if (*x->service->fields != '\0')
        sks_wfile_puts(x->out, x->service->fields);
}

static int has_controls(const char *s)
{
    for (; *s != '\0'; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return 1;
    return 0;
}

void http_reply_field(struct http_exchange *x, const char *name,
                      const char *value)
{
    if (has_controls(value))
        return;
    sks_wfile_puts(x->out, name);
    sks_wfile_write(x->out, ": ", 2);
    sks_wfile_puts(x->out, value);
    sks_wfile_write(x->out, "\r\n", 2);
}

void http_reply_lines(struct http_exchange *x, const char *lines, size_t n)
{
    sks_wfile_write(x->out, lines, n);
}

/* What the last lines say of the connection. */
static struct http_bytes ending_of(struct http_exchange *x)
{
    static const char close[] = "Connection: close\r\n\r\n";
    static const char keep_alive[] = "Connection: keep-alive\r\n\r\n";

    if (sks_request_stopping(x->request) || http_body_is_hopeless(x))
        x->keep_alive = 0;
    if (!x->keep_alive)
        return (struct http_bytes){close, sizeof close - 1};
    if (x->head.minor == 0)
        return (struct http_bytes){keep_alive, sizeof keep_alive - 1};
    return (struct http_bytes){"\r\n", 2};
}

/* The last lines of a head. */
static int end_head(struct http_exchange *x, const char *framing, size_t n)
{
    struct http_bytes ending = ending_of(x);
    char lines[128], *end = put(lines, framing, n);

    end = put(end, ending.data, ending.len);
    return sks_wfile_write(x->out, lines, (size_t)(end - lines));
}

int http_reply_lines_end(struct http_exchange *x, const char *lines, size_t n)
{
    struct http_bytes ending = ending_of(x);

    if (ending.len == 2)
        return sks_wfile_write(x->out, lines, n);
    sks_wfile_write(x->out, lines, n - 2);
    return sks_wfile_write(x->out, ending.data, ending.len);
}

int http_reply_sized(struct http_exchange *x, int64_t n)
{
    char line[64], *end = put(line, "Content-Length: ", 16);

    end = put(put_decimal(end, n), "\r\n", 2);
    return end_head(x, line, (size_t)(end - line));
}

int http_reply_empty(struct http_exchange *x)
{
    return end_head(x, "", 0);
}

int http_reply_stream(struct http_exchange *x)
{
    static const char chunked[] = "Transfer-Encoding: chunked\r\n";

    x->streaming = 1;
    if (x->head.minor > 0)
        return end_head(x, chunked, sizeof chunked - 1);
    x->keep_alive = 0;
    return end_head(x, "", 0);
}

int http_reply_write(struct http_exchange *x, const void *content, size_t n)
{
    char size[24];

    if (n == 0 || x->method == HTTP_HEAD)
        return 0;
    x->sent += (int64_t)n;
    if (!x->streaming || x->head.minor == 0)
        return sks_wfile_write(x->out, content, n);
    sks_wfile_write(x->out, size,
                    (size_t)snprintf(size, sizeof size, "%zx\r\n", n));
    sks_wfile_write(x->out, content, n);
    return sks_wfile_write(x->out, "\r\n", 2);
}

int http_reply_write_file(struct http_exchange *x, int fd, off_t offset,
                          off_t n)
{
    if (x->method == HTTP_HEAD)
        return 0;
    x->sent += n;
    return sks_wfile_sendfile(x->out, fd, offset, n);
}

int http_reply_end(struct http_exchange *x)
{
    if (x->head.minor == 0 || x->method == HTTP_HEAD)
        return 0;
    return sks_wfile_write(x->out, "0\r\n\r\n", 5);
}

int http_reply_body(struct http_exchange *x, const void *content, size_t n)
{
    http_reply_sized(x, (int64_t)n);
    return http_reply_write(x, content, n);
}

int http_reply_file(struct http_exchange *x, int fd, off_t offset, off_t n)
{
    http_reply_sized(x, n);
    return http_reply_write_file(x, fd, offset, n);
}

int http_reply_text(struct http_exchange *x, int status, const char *type,
                    const struct http_text *text)
{
    if (text->failed)
        return http_reply_error(x, 503, "");
    http_reply_begin(x, status);
    http_reply_field(x, "Content-Type", type);
    return http_reply_body(x, text->data, text->len);
}
