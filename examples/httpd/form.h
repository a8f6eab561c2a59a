/* Queries and forms: "name=value&name=value", %XX and '+'
 * (application/x-www-form-urlencoded). */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include "exchange.h"

#include <sys/types.h>

enum { HTTP_FORM_MAX = 64 * 1024 /**< bytes of a form in a body */ };

/** The next pair, still encoded.
 * @param form shrinks to what follows
 * @return 0 past the last */
int http_form_next(struct http_bytes *form, struct http_bytes *name,
                   struct http_bytes *value);

/** Decodes bytes of a form into out and adds a NUL.  A '%' that no two digits
 * follow stands for itself.
 * @return the length; -1 if it does not fit, or has a NUL */
ssize_t http_form_decode(struct http_bytes encoded, char *out, size_t size);

/** Finds the first value of the name, decoded.
 * @return its length; -1 if it is not there, or as http_form_decode() */
ssize_t http_form_value(struct http_bytes form, const char *name, char *out,
                        size_t size);

/** True if the request's body is said to be such a form. */
int http_form_is_body(const struct http_head *head);

#endif /* HTTP_FORM_H */
