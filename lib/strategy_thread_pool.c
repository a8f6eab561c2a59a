/* Threads that each accept for themselves.
 *
 * A worker waits for the listeners in a poller of its own, of which the system
 * wakes one for each connection.  Whoever takes a request while nobody else
 * waits for one starts another worker, up to the maximum; whoever waits in vain
 * for long ends, down to the minimum.  With all of them busy nobody looks at
 * the listeners, and clients wait in the system's queue.
 *
 * Outside of serve, requests come through process_request, from a thread that
 * calls sks_server_handle_request(): workers park, and find them in the inbox.
 *
 * Threads end by returning; each joins the one that ended before it. */
#include "cpu.h"
#include "fd.h"
#include "list.h"
#include "poller.h"
#include "wakeup.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* The defaults. */
enum { WORKERS_PER_CPU = 4, KEEP_MS = 10000 };

/* How long a worker rests when no requests can be had. */
enum { REST_MS = 100 };

/* The server's self.  The last worker to leave closes the bell if the others
 * were let go, else stop does. */
struct pool {
    sks_server *server;
    unsigned min, max;
    int keep_ms;
    struct sks__wakeup bell; /* raised: who waits for requests looks around */
    atomic_int serving;
    atomic_uint idle;  /* workers that wait for requests, or are about to */
    atomic_uint count; /* of workers; changed with the lock */
    atomic_int told;   /* that the system lacks something, in the log */

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t work;    /* for parked workers */
    pthread_cond_t changed; /* idle or count became 0 */
    struct sks__list inbox; /* of errand.node */
    atomic_uint waiting;    /* in the inbox */
    unsigned parked;
    int stopping; /* workers leave */
    int let_go;   /* and nobody joins them */
    int has_left; /* `left` is to be joined */
    pthread_t left;
};

/* What a request holds. */
struct errand {
    struct sks__list node;
    sks_request *request;
};

/* Made by who starts its thread, freed by that thread. */
struct worker {
    struct pool *pool;
    struct sks__poller poller;
    struct sks__poller_node bell;
    int has_previous; /* to be joined: the thread that ended before */
    pthread_t previous;
    struct sks__poller_node listeners[];
};

/* --- hiring --- */

static size_t count_listeners(const sks_server *server)
{
    size_t n = 0;

    while (sks_server_listener_fileno(server, n) >= 0)
        n++;
    return n;
}

static int watch_listeners(struct worker *w, size_t n)
{
    int rc =
        sks__poller_add(&w->poller, &w->bell, w->pool->bell.read_fd, POLLIN);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = sks__poller_add_shared(&w->poller, &w->listeners[i],
                                    sks_server_listener_fileno(w->pool->server,
                                                               i));
    }
    return rc;
}

static void free_worker(struct worker *w)
{
    sks__poller_close(&w->poller);
    free(w);
}

/* A worker without a thread: 0 or an error. */
static int make_worker(struct pool *p, struct worker **out)
{
    size_t n = count_listeners(p->server);
    struct worker *w = calloc(1, sizeof *w + n * sizeof w->listeners[0]);
    int rc;

    if (w == NULL)
        return -ENOMEM;
    w->pool = p;
    rc = sks__poller_open(&w->poller);
    if (rc < 0) {
        free(w);
        return rc;
    }
    rc = watch_listeners(w, n);
    if (rc < 0)
        free_worker(w);
    else
        *out = w;
    return rc;
}

/* Counts one worker more, unless that would be too many. */
static int enrol(struct pool *p)
{
    int may;

    pthread_mutex_lock(&p->lock);
    may = p->count < p->max && !p->stopping;
    p->count += may ? 1 : 0;
    pthread_mutex_unlock(&p->lock);
    return may;
}

/* The worker's thread, or one that never was, is gone. */
static void strike_off(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->count--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg);

static int start_worker(struct pool *p)
{
    struct worker *w;
    pthread_t thread;
    int rc = make_worker(p, &w);

    if (rc < 0)
        return rc;
    sks_server_hold(p->server);
    rc = pthread_create(&thread, NULL, work, w);
    if (rc == 0)
        return 0;
    sks_server_release(p->server);
    free_worker(w);
    return -rc;
}

/* One worker more, unless there are enough: 0 or an error. */
static int hire(struct pool *p)
{
    int rc;

    if (!enrol(p))
        return 0;
    atomic_fetch_add(&p->idle, 1);
    rc = start_worker(p);
    if (rc < 0) {
        atomic_fetch_sub(&p->idle, 1);
        strike_off(p);
    }
    return rc;
}

/* The last one that waited for requests has something to do.  Without another
 * worker, clients wait until one of these is free. */
static void grow(struct pool *p)
{
    int rc;

    if (atomic_load(&p->count) >= p->max)
        return;
    rc = hire(p);
    if (rc == 0)
        atomic_store(&p->told, 0);
    else if (!atomic_exchange(&p->told, 1))
        sks_server_log(p->server, SKS_WARNING,
                       "requests must share %u threads: %s",
                       atomic_load(&p->count), sks_strerror(rc));
}

/* --- waiting for requests --- */

/* The worker waits for requests no more.  1 if it was the last that did. */
static int stand_down(struct pool *p)
{
    int last = atomic_fetch_sub(&p->idle, 1) == 1;

    if (last && !atomic_load(&p->serving)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
    }
    return last;
}

/* With the lock: the worker ends.  Its thread must still join the one before,
 * or is nobody's to join. */
static void resign(struct worker *w)
{
    struct pool *p = w->pool;

    p->count--;
    if (p->let_go) {
        pthread_detach(pthread_self());
        if (p->count == 0)
            sks__wakeup_close(&p->bell);
    } else {
        w->has_previous = p->has_left;
        w->previous = p->left;
        p->left = pthread_self();
        p->has_left = 1;
    }
    pthread_cond_broadcast(&p->changed);
}

/* After a wait in vain: true if the worker resigned.  One always stays to look
 * at the listeners. */
static int is_spare(struct worker *w)
{
    struct pool *p = w->pool;
    int spare;

    pthread_mutex_lock(&p->lock);
    spare = p->count > p->min;
    if (spare && atomic_fetch_sub(&p->idle, 1) == 1) {
        atomic_fetch_add(&p->idle, 1);
        spare = 0;
    }
    if (spare)
        resign(w);
    pthread_mutex_unlock(&p->lock);
    return spare;
}

/* How long a worker waits before it looks whether it is one too many. */
static int patience_ms(const struct pool *p)
{
    return atomic_load(&p->count) > p->min ? p->keep_ms : -1;
}

/* The system lacks something, or serving is about to end. */
static void rest(const struct pool *p)
{
    sks__fd_wait(p->bell.read_fd, POLLIN, REST_MS);
}

/* Waits for the listeners: 1 with one that may have a request, or with NULL; 0
 * if the time is over, or an error. */
static int await_listeners(struct worker *w, struct sks__poller_node **out)
{
    struct sks__poller_event event;
    int rc = sks__poller_wait(&w->poller, &event, 1, patience_ms(w->pool));

    *out = rc == 1 && event.node != &w->bell ? event.node : NULL;
    if (rc == 1 && event.node == &w->bell)
        sks__poller_rearm(&w->poller, &w->bell, POLLIN);
    return rc;
}

/* What the listener has: a request, or NULL. */
static sks_request *take_from(struct worker *w,
                              const struct sks__poller_node *l)
{
    struct pool *p = w->pool;
    sks_request *request;
    int rc = sks_server_get_requests(p->server, (size_t)(l - w->listeners),
                                     &request, 1);

    if (rc < 0 && rc != SKS_ETIMEDOUT)
        rest(p);
    return rc > 0 ? request : NULL;
}

/* A request for an idle worker, which it then is no more, or NULL to look
 * around again; *leaves: to end. */
static sks_request *accept_one(struct worker *w, int *leaves)
{
    struct pool *p = w->pool;
    struct sks__poller_node *l;
    sks_request *request = NULL;
    int rc = await_listeners(w, &l);

    if (rc == 0)
        *leaves = is_spare(w);
    if (rc < 0)
        rest(p);
    if (l != NULL && atomic_load(&p->serving))
        request = take_from(w, l);
    if (request != NULL && stand_down(p) && atomic_load(&p->serving))
        grow(p);
    return request;
}

/* --- parking --- */

static struct timespec moment_after(int ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000L;
    }
    return t;
}

static sks_request *take_errand(struct pool *p)
{
    struct sks__list *n = p->inbox.next;

    if (sks__list_is_empty(&p->inbox))
        return NULL;
    sks__list_remove(n);
    p->waiting--;
    return SKS__LIST_ENTRY(n, struct errand, node)->request;
}

/* With the lock: waits until something changes; ETIMEDOUT if nothing does. */
static int await_work(struct pool *p)
{
    int ms = patience_ms(p);
    struct timespec until;

    if (ms < 0)
        return pthread_cond_wait(&p->work, &p->lock);
    until = moment_after(ms);
    return pthread_cond_timedwait(&p->work, &p->lock, &until);
}

/* Waits for a request of the inbox, or until serving begins: as accept_one(),
 * by a worker that is not idle. */
static sks_request *park(struct worker *w, int *leaves)
{
    struct pool *p = w->pool;
    sks_request *request;
    int rc = 0;

    pthread_mutex_lock(&p->lock);
    p->parked++;
    while (p->waiting == 0 && !p->serving && !p->stopping && rc != ETIMEDOUT)
        rc = await_work(p);
    p->parked--;
    request = take_errand(p);
    *leaves = request == NULL && !p->serving &&
              (p->stopping || (rc == ETIMEDOUT && p->count > p->min));
    if (*leaves)
        resign(w);
    pthread_mutex_unlock(&p->lock);
    return request;
}

/* --- workers --- */

static int is_called(struct pool *p)
{
    return !atomic_load(&p->serving) || atomic_load(&p->waiting) > 0;
}

/* The next request for an idle worker, which it then is no more; NULL: end. */
static sks_request *next_request(struct worker *w)
{
    struct pool *p = w->pool;
    sks_request *request = NULL;
    int leaves = 0;

    while (request == NULL && !leaves) {
        if (!is_called(p)) {
            request = accept_one(w, &leaves);
            continue;
        }
        stand_down(p);
        request = park(w, &leaves);
        if (request == NULL && !leaves)
            atomic_fetch_add(&p->idle, 1);
    }
    return request;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    sks_server *server = p->server;
    sks_request *request;

    while ((request = next_request(w)) != NULL) {
        sks_request_run(request);
        atomic_fetch_add(&p->idle, 1);
    }
    if (w->has_previous)
        pthread_join(w->previous, NULL);
    free_worker(w);
    sks_server_release(server);
    return NULL;
}

/* --- the strategy --- */

static int configure(struct pool *p, const sks_thread_pool_config *config)
{
    unsigned cpus = sks__cpu_count();
    unsigned max = sks_server_max_workers(p->server);

    p->min = cpus;
    p->keep_ms = KEEP_MS;
    if (config != NULL && config->size < sizeof *config)
        return SKS_EVTABLE;
    if (config != NULL && config->keep_ms != 0)
        p->keep_ms = config->keep_ms;
    if (config != NULL && config->min_workers != 0)
        p->min = config->min_workers;
    else if (max != 0 && p->min > max)
        p->min = max;
    p->max = max != 0 ? max : cpus * WORKERS_PER_CPU;
    if (max == 0 && p->max < p->min)
        p->max = p->min;
    return p->min > p->max || p->keep_ms < -1 ? -EINVAL : 0;
}

static int open_locks(struct pool *p)
{
    pthread_condattr_t monotonic;
    int rc = pthread_condattr_init(&monotonic);

    if (rc != 0)
        return -rc;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    rc = pthread_cond_init(&p->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (rc != 0)
        return -rc;
    pthread_cond_init(&p->changed, NULL);
    pthread_mutex_init(&p->lock, NULL);
    return 0;
}

static void close_locks(struct pool *p)
{
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->changed);
}

/* Ends all workers; waits for them if `block`. */
static void dismiss(struct pool *p, int block)
{
    int gone;

    pthread_mutex_lock(&p->lock);
    p->stopping = 1;
    p->let_go = !block;
    pthread_cond_broadcast(&p->work);
    while (block && p->count > 0)
        pthread_cond_wait(&p->changed, &p->lock);
    gone = p->count == 0;
    pthread_mutex_unlock(&p->lock);
    if (p->has_left)
        pthread_join(p->left, NULL);
    p->has_left = 0;
    if (gone)
        sks__wakeup_close(&p->bell);
}

static int start(void *self, sks_server *server, void *config)
{
    struct pool *p = self;
    int rc;

    *p = (struct pool){.server = server};
    sks__list_init(&p->inbox);
    rc = configure(p, config);
    if (rc == 0)
        rc = sks__wakeup_open(&p->bell);
    if (rc < 0)
        return rc;
    rc = open_locks(p);
    if (rc < 0) {
        sks__wakeup_close(&p->bell);
        return rc;
    }
    while (rc == 0 && p->count < p->min)
        rc = hire(p);
    if (rc < 0) {
        dismiss(p, 1);
        close_locks(p);
    }
    return rc;
}

/* How many workers will look into the inbox soon. */
static unsigned on_call(const struct pool *p)
{
    return p->parked + atomic_load(&p->idle);
}

/* Takes an errand back that nobody will come for: 1 if so. */
static int retract(struct pool *p, struct errand *errand)
{
    int alone;

    pthread_mutex_lock(&p->lock);
    alone = p->count == 0;
    if (alone) {
        sks__list_remove(&errand->node);
        p->waiting--;
    }
    pthread_mutex_unlock(&p->lock);
    return alone;
}

static int process_request(void *self, sks_request *request)
{
    struct pool *p = self;
    struct errand *errand = sks_request_slot(request);
    int rc = 0, short_of;

    errand->request = request;
    pthread_mutex_lock(&p->lock);
    sks__list_append(&p->inbox, &errand->node);
    short_of = ++p->waiting > on_call(p);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    if (short_of)
        rc = hire(p);
    /* A worker that ends a request will come for it. */
    return rc < 0 && retract(p, errand) ? rc : 0;
}

static int serve(void *self, sks_server *server)
{
    struct pool *p = self;
    int rc;

    pthread_mutex_lock(&p->lock);
    p->serving = 1;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    rc = sks_server_supervise(server);
    pthread_mutex_lock(&p->lock);
    p->serving = 0;
    sks__wakeup_raise(&p->bell);
    while (p->idle > 0)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    sks__wakeup_clear(&p->bell);
    return rc;
}

static void stop(void *self, sks_server *server, int block)
{
    struct pool *p = self;

    (void)server;
    dismiss(p, block);
    if (block)
        close_locks(p); /* those let go still use them */
}

static const sks_strategy thread_pool = {
    .size = sizeof thread_pool,
    .name = "thread-pool",
    .flags = SKS_SHARES_MEMORY | SKS_PARALLEL,
    .self_size = sizeof(struct pool),
    .request_size = sizeof(struct errand),
    .start = start,
    .process_request = process_request,
    .serve = serve,
    .stop = stop,
};

const sks_strategy *sks_thread_pool(void)
{
    return &thread_pool;
}
