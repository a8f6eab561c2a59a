/* The workers of a pool: waiting for requests, and at work. */
#include "strategy_thread_pool.h"

#include "buffer.h"
#include "fd.h"

#include <time.h>

/* How long a worker rests when no requests can be had. */
enum { REST_MS = 100 };

/* How long handling a batch of packets may take, and from how many on the
 * handlers are seen as quick. */
enum { BATCH_US = 200, MANY = 16 };

/* How many buffers a worker keeps: one for each packet of a batch, and one for
 * each reply; or one for the next connection's input. */
enum { PACKET_BUFFERS = 2 * SKS__BATCH_MAX, STREAM_BUFFERS = 1 };

/* --- waiting for requests --- */

/* The worker waits for requests no more.  1 if it was the last that did. */
static int stand_down(struct sks__crew *p)
{
    int last = atomic_fetch_sub(&p->idle, 1) == 1;

    if (last && !atomic_load(&p->serving)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
    }
    return last;
}

void sks__crew_resign(struct sks__crew_worker *w)
{
    struct sks__crew *p = w->pool;

    p->count--;
    sks__list_remove(&w->node);
    if (p->let_go) {
        pthread_detach(pthread_self());
        if (p->count == 0)
            sks__crew_close_wakeups(p);
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
static int is_spare(struct sks__crew_worker *w)
{
    struct sks__crew *p = w->pool;
    int spare;

    pthread_mutex_lock(&p->lock);
    spare = p->count > p->min;
    if (spare && atomic_fetch_sub(&p->idle, 1) == 1) {
        atomic_fetch_add(&p->idle, 1);
        spare = 0;
    }
    if (spare)
        sks__crew_resign(w);
    pthread_mutex_unlock(&p->lock);
    return spare;
}

int sks__crew_patience_ms(const struct sks__crew *p)
{
    return atomic_load(&p->count) > p->min ? p->keep_ms : -1;
}

/* The system lacks something, or serving is about to end. */
static void rest(const struct sks__crew *p)
{
    sks__fd_wait(p->bell.read_fd, POLLIN, REST_MS);
}

/* Takes what the listener has into the batch: how many requests. */
static size_t take_from(struct sks__crew_worker *w, int listener)
{
    struct sks__crew *p = w->pool;
    int rc = 0;

    if (atomic_load(&p->serving))
        rc = sks_server_get_requests(p->server, (size_t)listener,
                                     w->batch.requests, w->most[listener]);
    if (rc < 0 && rc != SKS_ETIMEDOUT)
        rest(p);
    sks__lookout_note(&w->lookout, rc > 0);
    w->source = listener;
    return rc > 0 ? (size_t)rc : 0;
}

/* Requests for an idle worker, which it then is no more, or 0 to look around
 * again; *leaves: to end. */
static size_t accept_some(struct sks__crew_worker *w, int *leaves)
{
    struct sks__crew *p = w->pool;
    int listener, rc;
    size_t n = 0;

    rc = sks__lookout_wait(&w->lookout, &listener, sks__crew_patience_ms(p));
    if (rc < 0)
        rest(p);
    else if (listener >= 0)
        n = take_from(w, listener);
    else if (listener == SKS__LOOKOUT_NONE)
        *leaves = is_spare(w);
    if (n > 0 && stand_down(p) && atomic_load(&p->serving) &&
        !sks__crew_is_calm(p))
        sks__crew_grow(p);
    return n;
}

/* --- workers --- */

static int is_called(const struct sks__crew *p)
{
    return !atomic_load(&p->serving) || atomic_load(&p->waiting) > 0 ||
           atomic_load(&p->idle) > atomic_load(&p->readers);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* After n packets took so long: how many to take the next time. */
static void learn(struct sks__crew_worker *w, size_t n, int64_t us)
{
    size_t *most = &w->most[w->source];
    struct sks__crew *p = w->pool;

    if (us > BATCH_US)
        *most = n * BATCH_US / (size_t)us;
    else if (n == *most)
        *most *= 2;
    if (*most < 1)
        *most = 1;
    if (*most > SKS__BATCH_MAX)
        *most = SKS__BATCH_MAX;
    if (us <= BATCH_US && n >= MANY && p->packets_only && !sks__crew_is_calm(p))
        atomic_store(&p->readers, 1);
}

/* Runs what was taken from a listener. */
static void run_batch(struct sks__crew_worker *w, size_t n)
{
    sks_request *first = w->batch.requests[0];
    int64_t begun;

    if (sks_request_packet(first, NULL) == NULL) {
        sks_request_run(first);
        return;
    }
    if (n > 1 || sks__crew_is_calm(w->pool))
        sks__crew_call_watch(w->pool);
    begun = now_us();
    sks__batch_run(&w->batch, n);
    learn(w, n, now_us() - begun);
}

/* One round of an idle worker, which it is again afterwards.  0: it ends. */
static int take_and_run(struct sks__crew_worker *w)
{
    struct sks__crew *p = w->pool;
    sks_request *request;
    int leaves = 0;
    size_t n;

    if (!is_called(p)) {
        n = accept_some(w, &leaves);
        if (n == 0)
            return !leaves;
        run_batch(w, n);
    } else {
        stand_down(p);
        sks__lookout_leave(&w->lookout);
        request = sks__crew_park(w, &leaves);
        if (request == NULL)
            return !leaves;
        /* Nobody watches whether this one blocks. */
        if (atomic_load(&p->idle) == 0 && atomic_load(&p->serving))
            sks__crew_grow(p);
        sks_request_run(request);
    }
    atomic_fetch_add(&p->idle, 1);
    return 1;
}

void *sks__crew_work(void *arg)
{
    struct sks__crew_worker *w = arg;
    sks_server *server = w->pool->server;

    sks__buffer_keep(w->pool->packets_only ? PACKET_BUFFERS : STREAM_BUFFERS);
    while (take_and_run(w))
        continue;
    sks__buffer_keep(0);
    if (w->has_previous)
        pthread_join(w->previous, NULL);
    sks__crew_free_worker(w);
    sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
    sks_server_release(server);
    return NULL;
}
