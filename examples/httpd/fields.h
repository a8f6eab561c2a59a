/* The grammar that field values share (RFC 9110, 5.6 and 12.4): lists, tokens,
 * parameters and quality values. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "parser.h"

/** True for what a value has as white space: SP and HTAB. */
int http_is_space(char c);

/** Without white space at either end. */
struct http_bytes http_trimmed(const char *text, size_t n);

/** Compares without regard to the case of ASCII letters; token is in lower
 * case. */
int http_same_token(const char *text, size_t n, const char *token);

/** The next item of a list, commas apart, those in quoted strings aside; empty
 * items are passed over.
 * @param list shrinks to what follows
 * @return 0 past the last */
int http_list_next(struct http_bytes *list, struct http_bytes *item);

/** How much a client wants a media type, in thousandths: by the most specific
 * range of its Accept fields that covers it.  1000 if it has none. */
int http_accept_quality(const struct http_head *head, const char *type,
                        const char *subtype);

/** How much a client wants a content coding, in thousandths.  Without an
 * Accept-Encoding it wants "identity" only. */
int http_coding_quality(const struct http_head *head, const char *coding);

/** True if a client wants JSON more than HTML. */
int http_prefers_json(const struct http_head *head);

#endif /* HTTP_FIELDS_H */
