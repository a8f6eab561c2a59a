/* Requests of a pool that no worker took from a listener, and the workers that
 * park until there is one: without serve, or while few readers do. */
#include "strategy_thread_pool.h"

#include <errno.h>
#include <time.h>

void sks__crew_put(struct sks__crew *p, sks_request *request)
{
    struct sks__crew_slot *slot = sks_request_slot(request);

    slot->request = request;
    sks__list_append(&p->inbox, &slot->node);
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
static sks_request *take_request(struct sks__crew *p)
{
    struct sks__list *n = p->inbox.next;

    if (sks__list_is_empty(&p->inbox))
        return NULL;
    sks__list_remove(n);
    if (--p->waiting == 0 && p->serving)
        sks__wakeup_clear(&p->bell);
    return SKS__LIST_ENTRY(n, struct sks__crew_slot, node)->request;
}

/* With the lock: waits until something changes; ETIMEDOUT if nothing does. */
static int await_work(struct sks__crew *p)
{
    int ms = sks__crew_patience_ms(p);
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

sks_request *sks__crew_park(struct sks__crew_worker *w, int *leaves)
{
    struct sks__crew *p = w->pool;
    sks_request *request;
    int rc = 0;

    pthread_mutex_lock(&p->lock);
    p->parked++;
    while (p->waiting == 0 && !is_wanted(p) && !p->stopping && rc != ETIMEDOUT)
        rc = await_work(p);
    p->parked--;
    request = take_request(p);
    *leaves = request == NULL && !is_wanted(p) &&
              (p->stopping || (rc == ETIMEDOUT && p->count > p->min));
    if (*leaves)
        sks__crew_resign(w);
    else if (request == NULL)
        atomic_fetch_add(&p->idle, 1);
    pthread_mutex_unlock(&p->lock);
    return request;
}
