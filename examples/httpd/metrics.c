#include "metrics.h"

#include "reply.h"
#include "text.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* A child that is killed does not come back to count its connection out, so
 * the number of open ones is an estimate under strategies that fork. */
enum { STATUS_MAX = 600, BUCKETS = 8 };

/* Upper bounds in microseconds; the last bucket has none. */
static const int64_t bounds[BUCKETS - 1] = {100,   500,    1000,   5000,
                                            25000, 250000, 2500000};

struct http_metrics {
    _Atomic int64_t connections;
    _Atomic int64_t open;
    _Atomic int64_t bytes;
    _Atomic int64_t took_us;
    _Atomic int64_t buckets[BUCKETS];
    _Atomic int64_t statuses[STATUS_MAX];
};

struct http_metrics *http_metrics_new(void)
{
    void *memory =
        mmap(NULL, sizeof(struct http_metrics), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void http_metrics_free(struct http_metrics *m)
{
    if (m != NULL)
        munmap(m, sizeof *m);
}

static void add(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static int64_t value(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void http_metrics_connected(struct http_metrics *m, int by)
{
    add(&m->open, by);
    if (by > 0)
        add(&m->connections, by);
}

int64_t http_metrics_open(const struct http_metrics *m)
{
    return value(&m->open);
}

void http_metrics_add(struct http_metrics *m, int status, int64_t bytes,
                      int64_t took_us)
{
    int i = 0;

    while (i < BUCKETS - 1 && took_us > bounds[i])
        i++;
    add(&m->buckets[i], 1);
    add(&m->took_us, took_us);
    add(&m->bytes, bytes);
    if (status >= 0 && status < STATUS_MAX)
        add(&m->statuses[status], 1);
}

static void describe(struct http_text *t, const char *name, const char *type,
                     const char *help)
{
    http_text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_requests(struct http_text *t, const struct http_metrics *m)
{
    describe(t, "http_requests_total", "counter", "Requests answered.");
    for (int i = 0; i < STATUS_MAX; i++)
        if (value(&m->statuses[i]) > 0)
            http_text_printf(t, "http_requests_total{status=\"%d\"} %lld\n", i,
                             (long long)value(&m->statuses[i]));
}

static void write_histogram(struct http_text *t, const struct http_metrics *m)
{
    static const char name[] = "http_request_duration_seconds";
    long long count = 0;

    describe(t, name, "histogram", "From the whole head to the response.");
    for (int i = 0; i < BUCKETS; i++) {
        count += value(&m->buckets[i]);
        if (i < BUCKETS - 1)
            http_text_printf(t, "%s_bucket{le=\"%g\"} %lld\n", name,
                             (double)bounds[i] / 1e6, count);
        else
            http_text_printf(t, "%s_bucket{le=\"+Inf\"} %lld\n", name, count);
    }
    http_text_printf(t, "%s_sum %.6f\n%s_count %lld\n", name,
                     (double)value(&m->took_us) / 1e6, name, count);
}

static void write_number(struct http_text *t, const char *name,
                         const char *type, const char *help, int64_t number)
{
    describe(t, name, type, help);
    http_text_printf(t, "%s %lld\n", name, (long long)number);
}

int http_metrics_serve(struct http_exchange *x, void *data)
{
    const struct http_metrics *m = data;
    struct http_text t = {0};
    int rc;

    write_requests(&t, m);
    write_number(&t, "http_response_bytes_total", "counter",
                 "Bytes of content sent.", value(&m->bytes));
    write_number(&t, "http_connections_total", "counter",
                 "Connections accepted.", value(&m->connections));
    write_number(&t, "http_connections_open", "gauge", "Connections open.",
                 value(&m->open));
    write_histogram(&t, m);
    rc =
        http_reply_text(x, 200, "text/plain; version=0.0.4; charset=utf-8", &t);
    http_text_free(&t);
    return rc;
}
