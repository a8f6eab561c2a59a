/* Reading a request's body, whatever its framing, within the service's limits.
 * What nobody reads is drained afterwards if it is little. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "exchange.h"
#include "text.h"

/** True if the request has a body, be it an empty one in chunks. */
int http_body_exists(const struct http_exchange *x);

/** Reads up to n bytes, at least one unless it is the end.  Sends 100 Continue
 * first to a client that waits for it.  What http_head_value() gave before
 * the first call is gone afterwards: ask again.
 * @return a count; 0 at the end; a status negated to refuse it with (400, 408,
 *         413); or rfile's error */
ssize_t http_body_read(struct http_exchange *x, void *buf, size_t n);

/** What a handler returns after http_body_read() failed: the status to send,
 * or the error of a connection that is gone. */
int http_body_status(ssize_t error);

/** Reads all of it, up to max bytes, appending it to text.
 * @return 0, or a status to refuse it with, or rfile's error */
int http_body_read_all(struct http_exchange *x, size_t max,
                       struct http_text *text);

/** True if what is left of the body is surely more than http_body_drain()
 * would read, or if nobody knows whether it will come. */
int http_body_is_hopeless(const struct http_exchange *x);

/** After the response: leaves rfile behind the request if that takes little,
 * or else clears keep_alive. */
void http_body_drain(struct http_exchange *x);

#endif /* HTTP_BODY_H */
