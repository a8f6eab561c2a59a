/* Packets that one worker of a pool took at once and runs one after the other.
 *
 * A handler may block, and the worker with it, while packets wait behind and
 * replies are held back.  So whoever watches over the workers can take both
 * away.  The worker pays for that with one atomic addition a packet. */
#ifndef SKS__STRATEGY_THREAD_POOL_BATCH_H
#define SKS__STRATEGY_THREAD_POOL_BATCH_H

#include <sockserver/strategy.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

/* The most packets in a batch: what belongs to more would not stay in the
 * processor's first cache. */
enum { SKS__BATCH_MAX = 32 };

/* The worker's. */
struct sks__batch {
    sks_request *requests[SKS__BATCH_MAX]; /* filled by the worker */
    atomic_uint place;    /* how far it is: see strategy_thread_pool_batch.c */
    pthread_mutex_t lock; /* held by who takes something away */
    unsigned seen;        /* the place when it was watched last */
};

/* What a batch is doing.  One that is stuck is so once: at rest afterwards. */
enum sks__batch_state {
    SKS__BATCH_AT_REST,
    SKS__BATCH_UNDER_WAY,
    SKS__BATCH_STUCK
};

/* What is taken away from a worker that does not come on. */
struct sks__batch_rest {
    sks_request *waiting[SKS__BATCH_MAX], *handled[SKS__BATCH_MAX];
    size_t waiting_count, handled_count;
};

void sks__batch_init(struct sks__batch *b);
void sks__batch_destroy(struct sks__batch *b);

/* Runs the first n requests, and sends their replies together at the end. */
void sks__batch_run(struct sks__batch *b, size_t n);

/* By another thread, now and then.  A batch whose handler has not come to an
 * end since the last time is stuck, and gives away what waits; *rest is empty
 * otherwise. */
enum sks__batch_state sks__batch_watch(struct sks__batch *b,
                                       struct sks__batch_rest *rest);

#endif /* SKS__STRATEGY_THREAD_POOL_BATCH_H */
