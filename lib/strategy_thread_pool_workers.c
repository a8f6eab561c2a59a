/* The workers of a pool: hired and dismissed, waiting, parked, at work. */
#include "strategy_thread_pool.h"

#include "fd.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* How long a worker rests when no requests can be had. */
enum { REST_MS = 100 };

/* How long handling a batch of packets may take, and from how many on the
 * handlers are seen as quick. */
enum { BATCH_US = 200, MANY = 16 };

/* --- hiring --- */

static size_t count_listeners(const sks_server *server)
{
    size_t n = 0;

    while (sks_server_listener_fileno(server, n) >= 0)
        n++;
    return n;
}

static int watch_listeners(struct sks__crew_worker *w, size_t n)
{
    int rc =
        sks__poller_add(&w->poller, &w->bell, w->pool->bell.read_fd, POLLIN);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = sks__poller_add_shared(&w->poller, &w->listeners[i].node,
                                    sks_server_listener_fileno(w->pool->server,
                                                               i));
    }
    return rc;
}

static void free_worker(struct sks__crew_worker *w)
{
    sks__poller_close(&w->poller);
    sks__batch_destroy(&w->batch);
    free(w);
}

/* A worker without a thread: 0 or an error. */
static int make_worker(struct sks__crew *p, struct sks__crew_worker **out)
{
    size_t n = count_listeners(p->server);
    struct sks__crew_worker *w =
        calloc(1, sizeof *w + n * sizeof w->listeners[0]);
    int rc;

    if (w == NULL)
        return -ENOMEM;
    w->pool = p;
    for (size_t i = 0; i < n; i++)
        w->listeners[i].most = 1;
    rc = sks__poller_open(&w->poller);
    if (rc < 0) {
        free(w);
        return rc;
    }
    sks__batch_init(&w->batch);
    rc = watch_listeners(w, n);
    if (rc < 0)
        free_worker(w);
    else
        *out = w;
    return rc;
}

/* Counts one worker more, unless that would be too many. */
static int enrol(struct sks__crew *p)
{
    int may;

    pthread_mutex_lock(&p->lock);
    may = p->count < p->max && !p->stopping;
    p->count += may ? 1 : 0;
    pthread_mutex_unlock(&p->lock);
    return may;
}

/* The worker's thread, or one that never was, is gone. */
static void strike_off(struct sks__crew *p)
{
    pthread_mutex_lock(&p->lock);
    p->count--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg);

static void list(struct sks__crew_worker *w)
{
    pthread_mutex_lock(&w->pool->lock);
    sks__list_append(&w->pool->workers, &w->node);
    pthread_mutex_unlock(&w->pool->lock);
}

static void unlist(struct sks__crew_worker *w)
{
    pthread_mutex_lock(&w->pool->lock);
    sks__list_remove(&w->node);
    pthread_mutex_unlock(&w->pool->lock);
}

static int start_worker(struct sks__crew *p)
{
    struct sks__crew_worker *w;
    pthread_t thread;
    int rc = make_worker(p, &w);

    if (rc < 0)
        return rc;
    list(w);
    sks_server_hold(p->server);
    sks_server_add_count(p->server, SKS_COUNT_WORKERS, 1);
    rc = pthread_create(&thread, NULL, work, w);
    if (rc == 0)
        return 0;
    sks_server_add_count(p->server, SKS_COUNT_WORKERS, -1);
    sks_server_release(p->server);
    unlist(w);
    free_worker(w);
    return -rc;
}

int sks__crew_hire(struct sks__crew *p)
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

/* True if a parked worker was called. */
static int call_parked(struct sks__crew *p)
{
    int parked;

    pthread_mutex_lock(&p->lock);
    parked = p->parked > 0;
    if (parked)
        pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    return parked;
}

/* The last one that waited for requests has something to do.  Without another
 * worker, clients wait until one of these is free. */
void sks__crew_grow(struct sks__crew *p)
{
    int rc;

    if (call_parked(p) || atomic_load(&p->count) >= p->max)
        return;
    rc = sks__crew_hire(p);
    if (rc == 0)
        atomic_store(&p->told, 0);
    else if (!atomic_exchange(&p->told, 1))
        sks_server_log(p->server, SKS_WARNING,
                       "requests must share %u threads: %s",
                       atomic_load(&p->count), sks_strerror(rc));
}

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

/* With the lock: the worker ends.  Its thread must still join the one before,
 * or is nobody's to join. */
static void resign(struct sks__crew_worker *w)
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
        resign(w);
    pthread_mutex_unlock(&p->lock);
    return spare;
}

/* How long a worker waits before it looks whether it is one too many. */
static int patience_ms(const struct sks__crew *p)
{
    return atomic_load(&p->count) > p->min ? p->keep_ms : -1;
}

/* The system lacks something, or serving is about to end. */
static void rest(const struct sks__crew *p)
{
    sks__fd_wait(p->bell.read_fd, POLLIN, REST_MS);
}

/* Waits for the listeners: 1 with one that may have a request, or with NULL; 0
 * if the time is over, or an error. */
static int await_listeners(struct sks__crew_worker *w,
                           struct sks__crew_listener **out)
{
    struct sks__poller_event event;
    int rc = sks__poller_wait(&w->poller, &event, 1, patience_ms(w->pool));

    *out = NULL;
    if (rc == 1 && event.node == &w->bell)
        sks__poller_rearm(&w->poller, &w->bell, POLLIN);
    else if (rc == 1)
        *out = SKS__LIST_ENTRY(event.node, struct sks__crew_listener, node);
    return rc;
}

/* Takes what the listener has into the batch: how many requests. */
static size_t take_from(struct sks__crew_worker *w,
                        struct sks__crew_listener *l)
{
    struct sks__crew *p = w->pool;
    int rc = sks_server_get_requests(p->server, (size_t)(l - w->listeners),
                                     w->batch.requests, l->most);

    if (rc < 0 && rc != SKS_ETIMEDOUT)
        rest(p);
    w->source = l;
    return rc > 0 ? (size_t)rc : 0;
}

/* Requests for an idle worker, which it then is no more, or 0 to look around
 * again; *leaves: to end. */
static size_t accept_some(struct sks__crew_worker *w, int *leaves)
{
    struct sks__crew *p = w->pool;
    struct sks__crew_listener *l;
    size_t n = 0;
    int rc = await_listeners(w, &l);

    if (rc == 0)
        *leaves = is_spare(w);
    if (rc < 0)
        rest(p);
    if (l != NULL && atomic_load(&p->serving))
        n = take_from(w, l);
    if (n > 0 && stand_down(p) && atomic_load(&p->serving) &&
        !sks__crew_is_calm(p))
        sks__crew_grow(p);
    return n;
}

/* --- parking --- */

void sks__crew_put(struct sks__crew *p, sks_request *request)
{
    struct sks__errand *errand = sks_request_slot(request);

    errand->request = request;
    sks__list_append(&p->inbox, &errand->node);
    p->waiting++;
}

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

/* With the lock.  Whoever takes the last one stops the bell, unless that tells
 * of something else. */
static sks_request *take_errand(struct sks__crew *p)
{
    struct sks__list *n = p->inbox.next;

    if (sks__list_is_empty(&p->inbox))
        return NULL;
    sks__list_remove(n);
    if (--p->waiting == 0 && p->serving)
        sks__wakeup_clear(&p->bell);
    return SKS__LIST_ENTRY(n, struct sks__errand, node)->request;
}

/* With the lock: waits until something changes; ETIMEDOUT if nothing does. */
static int await_work(struct sks__crew *p)
{
    int ms = patience_ms(p);
    struct timespec until;

    if (ms < 0)
        return pthread_cond_wait(&p->work, &p->lock);
    until = moment_after(ms);
    return pthread_cond_timedwait(&p->work, &p->lock, &until);
}

/* With the lock: true if a worker has no reason to park. */
static int is_wanted(const struct sks__crew *p)
{
    return p->serving && atomic_load(&p->idle) < atomic_load(&p->readers);
}

/* Waits for an errand, by a worker that is not idle, or until readers are
 * wanted, when it is idle again: NULL. */
static sks_request *park(struct sks__crew_worker *w, int *leaves)
{
    struct sks__crew *p = w->pool;
    sks_request *request;
    int rc = 0;

    pthread_mutex_lock(&p->lock);
    p->parked++;
    while (p->waiting == 0 && !is_wanted(p) && !p->stopping && rc != ETIMEDOUT)
        rc = await_work(p);
    p->parked--;
    request = take_errand(p);
    *leaves = request == NULL && !is_wanted(p) &&
              (p->stopping || (rc == ETIMEDOUT && p->count > p->min));
    if (*leaves)
        resign(w);
    else if (request == NULL)
        atomic_fetch_add(&p->idle, 1);
    pthread_mutex_unlock(&p->lock);
    return request;
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
    struct sks__crew_listener *l = w->source;
    struct sks__crew *p = w->pool;

    if (us > BATCH_US)
        l->most = n * BATCH_US / (size_t)us;
    else if (n == l->most)
        l->most *= 2;
    if (l->most < 1)
        l->most = 1;
    if (l->most > SKS__BATCH_MAX)
        l->most = SKS__BATCH_MAX;
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
        request = park(w, &leaves);
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

static void *work(void *arg)
{
    struct sks__crew_worker *w = arg;
    sks_server *server = w->pool->server;

    while (take_and_run(w))
        continue;
    if (w->has_previous)
        pthread_join(w->previous, NULL);
    free_worker(w);
    sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
    sks_server_release(server);
    return NULL;
}
