/* Routes that answer with a few words. */
#ifndef HTTP_PAGES_H
#define HTTP_PAGES_H

#include "exchange.h"

/** The time as ctime(3) writes it, or in JSON; data is not used. */
int http_pages_time(struct http_exchange *x, void *data);

/** "ok"; data is not used. */
int http_pages_health(struct http_exchange *x, void *data);

/** data is a string, and is sent. */
int http_pages_text(struct http_exchange *x, void *data);

#endif /* HTTP_PAGES_H */
