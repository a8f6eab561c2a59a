#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct http_text *t, size_t more)
{
    size_t size = t->size > 0 ? t->size : 256;
    char *data;

    if (t->failed)
        return 0;
    while (size - t->len < more)
        size *= 2;
    if (size == t->size)
        return 1;
    data = realloc(t->data, size);
    if (data == NULL) {
        t->failed = 1;
        return 0;
    }
    t->data = data;
    t->size = size;
    return 1;
}

void http_text_add(struct http_text *t, const char *bytes, size_t n)
{
    if (n == 0 || !reserve(t, n))
        return;
    memcpy(t->data + t->len, bytes, n);
    t->len += n;
}

void http_text_puts(struct http_text *t, const char *s)
{
    http_text_add(t, s, strlen(s));
}

void http_text_printf(struct http_text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(t, (size_t)n + 1)) {
        t->failed = 1;
        return;
    }
    va_start(args, format);
    vsnprintf(t->data + t->len, (size_t)n + 1, format, args);
    va_end(args);
    t->len += (size_t)n;
}

/* The length of the UTF-8 sequence at bytes, 0 if it is none: overlong forms,
 * surrogates and what lies beyond U+10FFFF are none. */
static size_t sequence(const unsigned char *b, size_t n)
{
    size_t len = b[0] < 0x80   ? 1
                 : b[0] < 0xc2 ? 0
                 : b[0] < 0xe0 ? 2
                 : b[0] < 0xf0 ? 3
                 : b[0] < 0xf5 ? 4
                               : 0;

    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
        return 0;
    return len;
}

static const char *html_escape(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (unsigned char)c < ' ' || c == 0x7f ? "\xef\xbf\xbd" : NULL;
    }
}

void http_text_html(struct http_text *t, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = sequence((const unsigned char *)bytes + i, n - i);
        const char *escape = len == 0 ? "\xef\xbf\xbd" : html_escape(bytes[i]);

        if (escape)
            http_text_puts(t, escape);
        else
            http_text_add(t, bytes + i, len);
        i += len > 0 ? len : 1;
    }
}

void http_text_json(struct http_text *t, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = sequence((const unsigned char *)bytes + i, n - i);
        unsigned char c = (unsigned char)bytes[i];

        if (len == 0)
            http_text_puts(t, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            http_text_printf(t, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            http_text_printf(t, "\\u%04x", c);
        else
            http_text_add(t, bytes + i, len);
        i += len > 0 ? len : 1;
    }
}

static int is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~/", c) != NULL);
}

void http_text_url(struct http_text *t, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_plain(bytes[i]))
            http_text_add(t, bytes + i, 1);
        else
            http_text_printf(t, "%%%02X", (unsigned char)bytes[i]);
    }
}

void http_text_free(struct http_text *t)
{
    free(t->data);
    *t = (struct http_text){0};
}
