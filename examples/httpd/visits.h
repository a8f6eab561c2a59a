/* A page that shows what sessions are for: it counts each visitor's own
 * visits, and takes a name. */
#ifndef HTTP_VISITS_H
#define HTTP_VISITS_H

#include "exchange.h"

/** Route for GET: counts and shows; data is a struct http_sessions. */
int http_visits_show(struct http_exchange *x, void *data);

/** Route for POST: the form's "name" logs in, its "logout" out; then goes back
 * to the page. */
int http_visits_log_in_or_out(struct http_exchange *x, void *data);

#endif /* HTTP_VISITS_H */
