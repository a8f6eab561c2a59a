/* A call that blocks is made by a helper thread, while the coroutine waits and
 * its loop runs others.  Without a helper the loop makes it itself: better late
 * than never. */
#include "strategy_coroutine.h"

/* Lies on the coroutine's stack. */
struct call {
    struct sks__job job;
    struct sks__list node; /* in worker.returned */
    struct sks__fiber *fiber;
    struct sks__coworker *worker;
    int (*fn)(void *);
    void *arg;
    int result;
};

/* By a helper.  The server is held for it: the last request may end, and the
 * worker with it, as soon as the lock is free. */
static void make(struct sks__job *job)
{
    struct call *call = SKS__LIST_ENTRY(job, struct call, job);
    struct sks__coworker *w = call->worker;
    struct sks__coroutines *all = w->all;
    sks_server *server = all->server;

    call->result = call->fn(call->arg);
    pthread_mutex_lock(&all->lock);
    sks__list_append(&w->returned, &call->node);
    sks__wakeup_raise(&w->wakeup);
    pthread_mutex_unlock(&all->lock);
    sks_server_release(server);
}

int sks__coroutines_offload(void *self, int (*fn)(void *), void *arg)
{
    struct sks__coroutines *all = self;
    struct call call = {.job.run = make, .fn = fn, .arg = arg};
    const struct sks__coslot *slot;

    if (!sks__loop_is_inside())
        return fn(arg);
    call.fiber = sks__loop_current();
    slot = sks_request_slot(sks__loop_arg(call.fiber));
    call.worker = slot->worker;
    sks_server_hold(all->server);
    if (sks__helpers_do(all->helpers, &call.job) < 0) {
        sks_server_release(all->server);
        return fn(arg);
    }
    sks__loop_park();
    return call.result;
}

void sks__coroutines_return(struct sks__coworker *w)
{
    struct sks__coroutines *all = w->all;

    while (!sks__list_is_empty(&w->returned)) {
        struct sks__list *n = w->returned.next;

        sks__list_remove(n);
        pthread_mutex_unlock(&all->lock);
        sks__loop_unpark(SKS__LIST_ENTRY(n, struct call, node)->fiber);
        pthread_mutex_lock(&all->lock);
    }
}
