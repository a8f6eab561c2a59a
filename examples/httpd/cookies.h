/* Cookies (RFC 6265). */
#ifndef HTTP_COOKIES_H
#define HTTP_COOKIES_H

#include "exchange.h"

/** A cookie to set.  Its name must be a token. */
struct http_cookie {
    const char *name;
    const char *value;
    const char *path;      /**< NULL: the directory of the request */
    long max_age;          /**< seconds; 0 removes it; -1: as long as the
                                browser runs */
    int http_only;         /**< scripts do not see it */
    int secure;            /**< for https only */
    const char *same_site; /**< "Strict", "Lax", "None"; NULL: not said */
};

/** The value of the first cookie of that name that the client sent, without
 * its quotes; .data is NULL if there is none. */
struct http_bytes http_cookie_find(const struct http_head *head,
                                   const char *name);

/** Writes a Set-Cookie field, after http_reply_begin().
 * @return 0 and writes nothing if the value has bytes that no cookie may
 *         have */
int http_cookie_set(struct http_exchange *x, const struct http_cookie *cookie);

#endif /* HTTP_COOKIES_H */
