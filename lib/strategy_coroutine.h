/* What the files of the coroutine strategy share: strategy_coroutine.c has the
 * strategy, strategy_coroutine_workers.c its loops and their threads,
 * strategy_coroutine_requests.c what those do with requests, and
 * strategy_coroutine_offload.c calls that block. */
#ifndef SKS__STRATEGY_COROUTINE_H
#define SKS__STRATEGY_COROUTINE_H

#include "helpers.h"
#include "loop.h"
#include "optimism.h"
#include "wakeup.h"

#include <sockserver/strategy.h>

#include <pthread.h>

/* A server has no more listeners; and how many requests are taken in one go, so
 * that running ones get their turn. */
enum { SKS__COLISTENERS_MAX = 64, SKS__COBATCH = 32 };

struct sks__coworker;

/* lock guards what follows it; the rest is set by start. */
struct sks__coroutines {
    sks_server *server;
    struct sks__helpers *helpers;   /* for off-load calls */
    struct sks__coworker **workers; /* each frees itself */
    pthread_t *threads;             /* of the first of them */
    size_t count, hired;            /* workers; threads, maybe one less */
    size_t stack_size;
    unsigned max_packets; /* of one worker, at once */
    int no_io_uring;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t listening; /* workers that have the listeners */
    int serving;      /* workers should have them */
    int stopping;     /* workers end with their last request */
    size_t next;      /* to get a request that came another way */
};

struct sks__colistener {
    struct sks__source source;
    struct sks__coworker *worker;
    struct sks__task task; /* to look at it without a wait */
    struct sks__optimism optimism;
    int away;          /* not in the poller just now */
    unsigned alone;    /* so many connections more are taken one by one */
    unsigned patience; /* and how many were after the last look in vain */
};

/* What the thread that serves has to do beside turning a loop: calls are of the
 * server. */
enum { SKS__COCALLS = 2 };

struct sks__cocall {
    struct sks__source source;
    struct sks__coduty *duty;
};

struct sks__coduty {
    struct sks__coworker *worker;
    struct sks__cocall calls[SKS__COCALLS];
    size_t watched; /* of these */
    struct sks__alarm due;
    int rc; /* why serving ends */
};

/* The thread's alone that turns it, but for inbox, returned and taken_over,
 * which the strategy's lock guards. */
struct sks__coworker {
    struct sks__coroutines *all;
    struct sks__loop loop;
    struct sks__wakeup wakeup;
    struct sks__source called;       /* the wakeup was raised */
    struct sks__list inbox;          /* requests that another thread got */
    struct sks__list returned;       /* off-load calls that are over */
    int taken_over;                  /* by a thread of its own */
    struct sks__stack *signal_stack; /* of the loop's */
    struct sks__alarm rested;
    struct sks__coduty duty; /* here, as events may come late */
    struct sks__colistener listeners[SKS__COLISTENERS_MAX];
    size_t listener_count; /* that it looks at */
    int listening;         /* counted among those */
    int stopping;
    unsigned packets; /* taken, and not handled */
    int running_batch;
    sks_request *batch[SKS__COBATCH]; /* of packets */
    size_t batch_count, batch_next;   /* those that wait begin there */
    size_t handled_count;             /* their replies wait */
    sks_request *handled[SKS__COBATCH];
};

/* What a request holds. */
struct sks__coslot {
    struct sks__list node; /* in an inbox */
    sks_request *request;
    struct sks__coworker *worker;
};

/* Makes n workers, of which all but the last have threads.  0 or an error,
 * which leaves them for sks__coroutines_dismiss(). */
int sks__coroutines_make(struct sks__coroutines *all, size_t n);

/* Gives the next worker a thread: 0 or an error.  By the thread that serves. */
int sks__coroutines_hire(struct sks__coroutines *all);

/* As the strategy's serve. */
int sks__coroutines_serve(struct sks__coroutines *all);

/* Ends the workers, and joins their threads if block, which is said only when
 * no request is under way; else they end with their last request. */
void sks__coroutines_dismiss(struct sks__coroutines *all, int block);

/* Takes the listeners up, as serving began, or gives them up. */
void sks__coworker_set_listening(struct sks__coworker *w, int listening);

/* The rest of listeners that the system lacked something for is over. */
void sks__coworker_rested(struct sks__alarm *alarm);

/* Runs a request in a coroutine. */
void sks__coworker_begin(struct sks__coworker *w, sks_request *request);

/* As the strategy's member. */
int sks__coroutines_offload(void *self, int (*fn)(void *), void *arg);

/* Goes on with those whose off-load calls are over.  By the worker, with the
 * strategy's lock, which is left meanwhile. */
void sks__coroutines_return(struct sks__coworker *w);

#endif /* SKS__STRATEGY_COROUTINE_H */
