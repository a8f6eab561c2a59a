/* Writing responses.  The order is http_reply_begin(), any number of
 * http_reply_field(), then one of the ends: http_reply_body(),
 * http_reply_file(), http_reply_empty(), or http_reply_stream() with its
 * writes.  All of it goes through wfile, which holds head and content back
 * until they can leave together; errors stick there, and only the ends return
 * them. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "exchange.h"
#include "text.h"

/** The words of a status code, never NULL. */
const char *http_status_text(int status);

/** Writes the status line and the fields that all responses have. */
void http_reply_begin(struct http_exchange *x, int status);

/** Writes a field.  One with control characters, which could end the line, is
 * left out. */
void http_reply_field(struct http_exchange *x, const char *name,
                      const char *value);

/** Writes whole lines of fields, each with its "\r\n", as they are. */
void http_reply_lines(struct http_exchange *x, const char *lines, size_t n);

/** The same, and ends the head: they tell the content's length and end with an
 * empty line.  The caller writes the content as after http_reply_sized(). */
int http_reply_lines_end(struct http_exchange *x, const char *lines, size_t n);

/** Ends it with n bytes of content; to HEAD it sends none. */
int http_reply_body(struct http_exchange *x, const void *content, size_t n);

/** Ends it with a part of a file; to HEAD it sends none. */
int http_reply_file(struct http_exchange *x, int fd, off_t offset, off_t n);

/** Ends it without any content: 204, 304. */
int http_reply_empty(struct http_exchange *x);

/** Ends the head with a content length; the caller writes the content with
 * http_reply_write() and http_reply_write_file(). */
int http_reply_sized(struct http_exchange *x, int64_t n);

/** Ends the head of a response whose length is not known: chunked, or until
 * the connection ends for HTTP/1.0. */
int http_reply_stream(struct http_exchange *x);

/** Writes a piece of content. */
int http_reply_write(struct http_exchange *x, const void *content, size_t n);

/** The same, from a file; not for http_reply_stream(). */
int http_reply_write_file(struct http_exchange *x, int fd, off_t offset,
                          off_t n);

/** Ends what http_reply_stream() began. */
int http_reply_end(struct http_exchange *x);

/** A whole response: a type and its content. */
int http_reply_text(struct http_exchange *x, int status, const char *type,
                    const struct http_text *text);

/** A whole response: a small page about an error, in JSON if the client wants
 * that, with the fields given. */
int http_reply_error(struct http_exchange *x, int status, const char *lines);

/** A whole response: go there. */
int http_reply_redirect(struct http_exchange *x, int status,
                        const char *location);

#endif /* HTTP_REPLY_H */
