/* Counters in memory that all threads and processes of a server share, and
 * their text for Prometheus. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include "exchange.h"
#include "text.h"

/** Makes counters.  Before the server serves: processes that it forks then
 * count into the same ones.
 * @return NULL when out of memory */
struct http_metrics *http_metrics_new(void);

/** Frees this process's view of them. */
void http_metrics_free(struct http_metrics *metrics);

/** A connection came (1) or ended (-1). */
void http_metrics_connected(struct http_metrics *metrics, int by);

/** How many connections are open. */
int64_t http_metrics_open(const struct http_metrics *metrics);

/** A request was answered.  Any thread. */
void http_metrics_add(struct http_metrics *metrics, int status, int64_t bytes,
                      int64_t took_us);

/** Appends the counters in Prometheus's text format. */
void http_metrics_write(const struct http_metrics *metrics,
                        struct http_text *text);

/** Route: the counters in Prometheus's text format; data is the metrics. */
int http_metrics_serve(struct http_exchange *x, void *data);

#endif /* HTTP_METRICS_H */
