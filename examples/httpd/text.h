/* Text that grows while it is put together: for pages and log lines. */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include <stddef.h>

#if defined(__GNUC__)
#define HTTP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define HTTP_PRINTF(text, first)
#endif

/** Starts as {0}.  When memory ran out, .failed is set and what is added
 * later is lost: check once, at the end. */
struct http_text {
    char *data;
    size_t len;
    size_t size;
    int failed;
};

/** Appends n bytes. */
void http_text_add(struct http_text *text, const char *bytes, size_t n);
/** Appends a string. */
void http_text_puts(struct http_text *text, const char *s);
/** Appends formatted text. */
void http_text_printf(struct http_text *text, const char *format, ...)
    HTTP_PRINTF(2, 3);
/** Appends bytes as HTML shows them, in text and in attributes.  What is not
 * UTF-8 becomes U+FFFD. */
void http_text_html(struct http_text *text, const char *bytes, size_t n);
/** Appends bytes as the inside of a JSON string; what is not UTF-8 becomes
 * U+FFFD. */
void http_text_json(struct http_text *text, const char *bytes, size_t n);
/** Appends bytes as a path of a URL: all but unreserved characters and '/'
 * as %XX. */
void http_text_url(struct http_text *text, const char *bytes, size_t n);
/** Frees it; it is empty again. */
void http_text_free(struct http_text *text);

#endif /* HTTP_TEXT_H */
