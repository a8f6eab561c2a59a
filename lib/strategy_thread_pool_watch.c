/* The watch over batches of packets, by the thread that serves.
 *
 * A worker that runs a batch cannot know that its handler will block.  So long
 * as there are batches, the watch looks at them every few milliseconds: what a
 * handler holds up that has not ended since is given to others, and its
 * replies leave.  An idle server is not watched. */
#include "strategy_thread_pool.h"

#include "clock.h"

/* How often batches are watched, and after how many looks in vain no more. */
enum { WATCH_MS = 5, LOOKS_IN_VAIN = 20 };

/* How long the watch waits to send a reply. */
enum { SEND_MS = 100 };

int sks__crew_is_calm(const struct sks__crew *p)
{
    return atomic_load(&p->readers) < p->max;
}

void sks__crew_call_watch(struct sks__crew *p)
{
    if (!atomic_load(&p->watched) && !atomic_exchange(&p->watched, 1))
        sks__wakeup_raise(&p->watch);
}

/* With the lock: puts what a worker gave away where others find it, and what
 * only waits for its reply to be sent into the list. */
static void spread(struct sks__crew *p, const struct sks__batch_rest *rest,
                   struct sks__list *handled)
{
    for (size_t i = 0; i < rest->waiting_count; i++)
        sks__crew_put(p, rest->waiting[i]);
    for (size_t i = 0; i < rest->handled_count; i++) {
        struct sks__crew_slot *slot = sks_request_slot(rest->handled[i]);

        slot->request = rest->handled[i];
        sks__list_append(handled, &slot->node);
    }
}

/* Sends replies that were held up, as maybe no worker can.  The watch cannot
 * wait as long as a worker would. */
static void send_replies(struct sks__list *handled)
{
    while (!sks__list_is_empty(handled)) {
        struct sks__list *n = handled->next;
        sks_request *request =
            SKS__LIST_ENTRY(n, struct sks__crew_slot, node)->request;

        sks__list_remove(n);
        sks_request_set_timeout_ms(request, SEND_MS);
        sks_requests_finish(&request, 1);
    }
}

/* Handlers block: all workers are to look at the listeners. */
static void excite(struct sks__crew *p)
{
    atomic_store(&p->readers, p->max);
    pthread_cond_broadcast(&p->work);
    if (p->waiting > 0 && p->serving)
        sks__wakeup_raise(&p->bell);
}

/* Looks at all batches: true if any is under way. */
static int look_at_batches(struct sks__crew *p)
{
    struct sks__batch_rest rest;
    struct sks__list handled;
    int active = 0, stuck = 0;

    sks__list_init(&handled);
    pthread_mutex_lock(&p->lock);
    for (struct sks__list *n = p->workers.next; n != &p->workers; n = n->next) {
        struct sks__crew_worker *w =
            SKS__LIST_ENTRY(n, struct sks__crew_worker, node);

        enum sks__batch_state state = sks__batch_watch(&w->batch, &rest);

        active |= state != SKS__BATCH_AT_REST;
        stuck |= state == SKS__BATCH_STUCK;
        spread(p, &rest, &handled);
    }
    if (stuck)
        excite(p);
    pthread_mutex_unlock(&p->lock);
    send_replies(&handled);
    if (stuck && atomic_load(&p->idle) == 0)
        sks__crew_grow(p);
    return active;
}

/* As many readers as have something to do: one more if for two looks none was
 * idle, unless the processors are as busy as they can be; one less if two
 * are. */
static void set_readers(struct sks__crew *p)
{
    unsigned idle = atomic_load(&p->idle), readers = atomic_load(&p->readers);

    p->looks_at_none = idle == 0 ? p->looks_at_none + 1 : 0;
    if (!sks__crew_is_calm(p))
        return;
    if (p->looks_at_none >= 2 && readers < p->cpus) {
        pthread_mutex_lock(&p->lock);
        atomic_store(&p->readers, readers + 1);
        pthread_cond_signal(&p->work);
        pthread_mutex_unlock(&p->lock);
    } else if (idle > 1 && readers > 1) {
        atomic_store(&p->readers, readers - 1);
    }
}

/* Nothing happens: who is woken by what comes next matters little. */
static void end_watch(struct sks__crew *p)
{
    p->looks_in_vain = 0;
    pthread_mutex_lock(&p->lock);
    excite(p);
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->watched, 0);
    /* A batch that began before that has called nobody. */
    if (look_at_batches(p))
        sks__crew_call_watch(p);
}

void sks__crew_watch(void *self, sks_server *server)
{
    struct sks__crew *p = self;
    int64_t now;

    (void)server;
    if (!atomic_load(&p->watched))
        return;
    sks__wakeup_clear(&p->watch);
    now = sks__clock_ms();
    if (now < p->next_look)
        return;
    p->next_look = now + WATCH_MS;
    p->looks_in_vain = look_at_batches(p) ? 0 : p->looks_in_vain + 1;
    set_readers(p);
    if (p->looks_in_vain > LOOKS_IN_VAIN)
        end_watch(p);
}

int sks__crew_watch_ms(void *self)
{
    const struct sks__crew *p = self;

    return atomic_load(&p->watched) ? WATCH_MS : -1;
}
