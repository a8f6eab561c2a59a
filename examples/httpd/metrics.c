#include "metrics.h"

#include "reply.h"
#include "text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* A child that is killed does not come back to count its connection out, so
 * the number of open ones is an estimate under strategies that fork. */
enum { STATUS_MAX = 600, BUCKETS = 8, CELLS = 64, CACHE_LINE = 64 };

/* Upper bounds in microseconds; the last bucket has none. */
static const int64_t bounds[BUCKETS - 1] = {100,   500,    1000,   5000,
                                            25000, 250000, 2500000};

/* What a thread counts of requests. */
struct cell {
    _Alignas(CACHE_LINE) _Atomic int64_t bytes;
    _Atomic int64_t took_us;
    _Atomic int64_t buckets[BUCKETS];
    _Atomic int64_t statuses[STATUS_MAX];
};

/* The first CELLS - 1 threads that count, of all processes, have a cell each,
 * into which they write without locked instructions.  The first cell is for
 * those that come later, be it when others have ended. */
struct http_metrics {
    uint64_t id;
    _Atomic int64_t connections;
    _Atomic int64_t open;
    _Atomic int claimed;
    struct cell cells[CELLS];
};

/* The calling thread's cell, of the metrics with that id. */
static _Thread_local struct {
    uint64_t of;
    struct cell *cell;
} mine;

static _Atomic uint64_t last_id;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In a child, whose parent may go on counting. */
static void give_up_cell(void)
{
    mine.of = 0;
}

static void prepare_forks(void)
{
    pthread_atfork(NULL, NULL, give_up_cell);
}

struct http_metrics *http_metrics_new(void)
{
    struct http_metrics *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (m == MAP_FAILED)
        return NULL;
    pthread_once(&once, prepare_forks);
    m->id = atomic_fetch_add(&last_id, 1) + 1;
    m->claimed = 1;
    return m;
}

void http_metrics_free(struct http_metrics *m)
{
    if (m != NULL)
        munmap(m, sizeof *m);
}

static int64_t value(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
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

static int claimed(const struct http_metrics *m)
{
    int n = atomic_load_explicit(&m->claimed, memory_order_relaxed);

    return n < CELLS ? n : CELLS;
}

static struct cell *claim(struct http_metrics *m)
{
    int i = claimed(m) < CELLS ? atomic_fetch_add(&m->claimed, 1) : CELLS;

    mine.of = m->id;
    mine.cell = &m->cells[i < CELLS ? i : 0];
    return mine.cell;
}

/* One of a cell's counters. */
static void count(_Atomic int64_t *counter, int64_t by, int is_shared)
{
    if (is_shared)
        add(counter, by);
    else
        atomic_store_explicit(counter, value(counter) + by,
                              memory_order_relaxed);
}

void http_metrics_add(struct http_metrics *m, int status, int64_t bytes,
                      int64_t took_us)
{
    struct cell *cell = mine.of == m->id ? mine.cell : claim(m);
    int is_shared = cell == m->cells, i = 0;

    while (i < BUCKETS - 1 && took_us > bounds[i])
        i++;
    count(&cell->buckets[i], 1, is_shared);
    count(&cell->took_us, took_us, is_shared);
    count(&cell->bytes, bytes, is_shared);
    if (status >= 0 && status < STATUS_MAX)
        count(&cell->statuses[status], 1, is_shared);
}

/* The sum of all cells' counters that lie where the first cell's does. */
static long long sum(const struct http_metrics *m,
                     const _Atomic int64_t *counter)
{
    size_t at = (size_t)((const char *)counter - (const char *)m->cells);
    long long all = 0;

    for (int i = 0; i < claimed(m); i++)
        all += value((const void *)((const char *)&m->cells[i] + at));
    return all;
}

static void describe(struct http_text *t, const char *name, const char *type,
                     const char *help)
{
    http_text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_requests(struct http_text *t, const struct http_metrics *m)
{
    describe(t, "http_requests_total", "counter", "Requests answered.");
    for (int i = 0; i < STATUS_MAX; i++) {
        long long n = sum(m, &m->cells->statuses[i]);

        if (n > 0)
            http_text_printf(t, "http_requests_total{status=\"%d\"} %lld\n", i,
                             n);
    }
}

static void write_histogram(struct http_text *t, const struct http_metrics *m)
{
    static const char name[] = "http_request_duration_seconds";
    long long count = 0;

    describe(t, name, "histogram", "From the whole head to the response.");
    for (int i = 0; i < BUCKETS; i++) {
        count += sum(m, &m->cells->buckets[i]);
        if (i < BUCKETS - 1)
            http_text_printf(t, "%s_bucket{le=\"%g\"} %lld\n", name,
                             (double)bounds[i] / 1e6, count);
        else
            http_text_printf(t, "%s_bucket{le=\"+Inf\"} %lld\n", name, count);
    }
    http_text_printf(t, "%s_sum %.6f\n%s_count %lld\n", name,
                     (double)sum(m, &m->cells->took_us) / 1e6, name, count);
}

static void write_number(struct http_text *t, const char *name,
                         const char *type, const char *help, int64_t number)
{
    describe(t, name, type, help);
    http_text_printf(t, "%s %lld\n", name, (long long)number);
}

void http_metrics_write(const struct http_metrics *m, struct http_text *t)
{
    write_requests(t, m);
    write_number(t, "http_response_bytes_total", "counter",
                 "Bytes of content sent.", sum(m, &m->cells->bytes));
    write_number(t, "http_connections_total", "counter",
                 "Connections accepted.", value(&m->connections));
    write_number(t, "http_connections_open", "gauge", "Connections open.",
                 value(&m->open));
    write_histogram(t, m);
}

int http_metrics_serve(struct http_exchange *x, void *data)
{
    struct http_text t = {0};
    int rc;

    http_metrics_write(data, &t);
    rc =
        http_reply_text(x, 200, "text/plain; version=0.0.4; charset=utf-8", &t);
    http_text_free(&t);
    return rc;
}
