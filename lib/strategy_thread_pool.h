/* What the files of the thread-pool strategy share: the crew of workers, who
 * are hired (strategy_thread_pool_hiring.c), each take requests for themselves
 * (strategy_thread_pool_workers.c) or park until others have some for them
 * (strategy_thread_pool_inbox.c), and the watch over those who run batches of
 * packets (strategy_thread_pool_watch.c). */
#ifndef SKS__STRATEGY_THREAD_POOL_H
#define SKS__STRATEGY_THREAD_POOL_H

#include "list.h"
#include "lookout.h"
#include "strategy_thread_pool_batch.h"
#include "wakeup.h"

#include <sockserver/strategy.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* The server's self.  The last worker to leave closes the bell if the others
 * were let go, else stop does. */
struct sks__crew {
    sks_server *server;
    unsigned min, max, cpus;
    int keep_ms;
    struct sks__wakeup bell; /* raised: who waits for requests looks around */
    atomic_int serving;
    atomic_uint idle;    /* workers that wait for requests, or are about to */
    atomic_uint count;   /* of workers; changed with the lock */
    atomic_int told;     /* that the system lacks something, in the log */
    int packets_only;    /* no listener takes connections */
    atomic_uint readers; /* how many may be idle; others park */

    struct sks__wakeup watch; /* raised: batches are to be watched */
    atomic_int watched;
    int64_t next_look; /* of the thread that serves, as what follows */
    unsigned looks_in_vain;
    unsigned looks_at_none; /* in a row, when no worker was idle */

    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t work;      /* for parked workers */
    pthread_cond_t changed;   /* idle or count became 0 */
    struct sks__list workers; /* of worker.node */
    struct sks__list inbox;   /* of slot.node */
    atomic_uint waiting;      /* in the inbox */
    atomic_uint parked;
    int stopping; /* workers leave */
    int let_go;   /* and nobody joins them */
    int has_left; /* `left` is to be joined */
    pthread_t left;
};

/* What a request holds. */
struct sks__crew_slot {
    struct sks__list node;
    sks_request *request;
};

/* Made by who starts its thread, freed by that thread. */
struct sks__crew_worker {
    struct sks__list node;
    struct sks__crew *pool;
    struct sks__batch batch;
    struct sks__lookout lookout;
    int source;       /* the listener that the batch came from */
    int has_previous; /* to be joined: the thread that ended before */
    pthread_t previous;
    size_t most[]; /* requests to take at once from each listener: 1, but for
                      packets */
};

/* True while a few workers look at the listeners, and the watch sees when they
 * are not enough. */
int sks__crew_is_calm(const struct sks__crew *crew);

/* One worker more, unless there are enough: 0 or an error. */
int sks__crew_hire(struct sks__crew *crew);

/* The same where clients can do without: the log tells of an error, once. */
void sks__crew_grow(struct sks__crew *crew);

/* With the lock: puts a request where the next worker that looks finds it. */
void sks__crew_put(struct sks__crew *crew, sks_request *request);

/* A worker's thread. */
void *sks__crew_work(void *worker);
void sks__crew_free_worker(struct sks__crew_worker *w);

/* With the lock: the worker ends.  Its thread must still join the one before,
 * or is nobody's to join. */
void sks__crew_resign(struct sks__crew_worker *w);

/* How long a worker waits before it looks whether it is one too many. */
int sks__crew_patience_ms(const struct sks__crew *crew);

/* Waits for a request in the inbox, by a worker that is not idle, or until
 * readers are wanted, when it is idle again: NULL.  *leaves: it resigned. */
sks_request *sks__crew_park(struct sks__crew_worker *w, int *leaves);

void sks__crew_close_wakeups(struct sks__crew *crew);

/* Has batches watched, until there is nothing more to see.  Any worker. */
void sks__crew_call_watch(struct sks__crew *crew);

/* The strategy's service_actions and turn_ms: a look at all batches. */
void sks__crew_watch(void *self, sks_server *server);
int sks__crew_watch_ms(void *self);

#endif /* SKS__STRATEGY_THREAD_POOL_H */
