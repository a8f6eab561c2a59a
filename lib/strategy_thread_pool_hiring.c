/* Hiring workers of a pool, and calling those that park. */
#include "strategy_thread_pool.h"

#include <errno.h>
#include <stdlib.h>

/* More than any server has. */
enum { LISTENERS_MAX = 64 };

static size_t list_listeners(const sks_server *server, int *fds)
{
    size_t n = 0;

    while (n < LISTENERS_MAX &&
           (fds[n] = sks_server_listener_fileno(server, n)) >= 0)
        n++;
    return n;
}

void sks__crew_free_worker(struct sks__crew_worker *w)
{
    sks__lookout_close(&w->lookout);
    sks__batch_destroy(&w->batch);
    free(w);
}

/* A worker without a thread: 0 or an error. */
static int make_worker(struct sks__crew *p, struct sks__crew_worker **out)
{
    int fds[LISTENERS_MAX], rc;
    size_t n = list_listeners(p->server, fds);
    struct sks__crew_worker *w = calloc(1, sizeof *w + n * sizeof w->most[0]);

    if (w == NULL)
        return -ENOMEM;
    rc = sks__lookout_open(&w->lookout, p->bell.read_fd, fds, n);
    if (rc < 0) {
        free(w);
        return rc;
    }
    w->pool = p;
    for (size_t i = 0; i < n; i++)
        w->most[i] = 1;
    sks__batch_init(&w->batch);
    *out = w;
    return 0;
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
    rc = pthread_create(&thread, NULL, sks__crew_work, w);
    if (rc == 0)
        return 0;
    sks_server_add_count(p->server, SKS_COUNT_WORKERS, -1);
    sks_server_release(p->server);
    unlist(w);
    sks__crew_free_worker(w);
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

/* True if a parked worker was called.  Most of the time none is, and this is
 * asked for each connection while all workers are busy: no lock for that.  One
 * that parks just now looks itself whether it is wanted. */
static int call_parked(struct sks__crew *p)
{
    int parked;

    if (p->parked == 0)
        return 0;
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
