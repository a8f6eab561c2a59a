/* An event loop of coroutines, for one thread: functions that are left where
 * they must wait for a descriptor or for time, and gone on with when it comes.
 *
 * Readiness of the descriptor that a coroutine is about is remembered: edges
 * are reported once, and a wait that they satisfy costs no system call.
 *
 * A coroutine's struct, its fiber, is never freed before the loop, only used
 * again: an event or a deadline that comes late finds memory, and at worst a
 * wait ends for nothing, after which a read says -EAGAIN. */
#ifndef SKS__LOOP_H
#define SKS__LOOP_H

#include "far_timer.h"
#include "list.h"
#include "poller.h"
#include "ring.h"
#include "stack.h"
#include "timers.h"

struct sks__fiber;

/* Something to be called for when its descriptor is ready: embedded in what
 * the caller keeps. */
struct sks__source {
    struct sks__poller_node node;
    void (*ready)(struct sks__source *source, short events);
};

/* Something to be called for at a time; zeroed but for ring it is not set.
 * Embedded as a source is; cleared before the memory goes away. */
struct sks__alarm {
    struct sks__timer timer;
    void (*ring)(struct sks__alarm *alarm);
};

/* Something to be called for in the next turn; zeroed but for run.  Embedded as
 * a source is. */
struct sks__task {
    struct sks__task *next;
    int set;
    void (*run)(struct sks__task *task);
};

/* The owner opens and closes it. */
struct sks__loop {
    struct sks__poller poller;
    struct sks__ring *ring; /* NULL: everything waits in the poller */
    struct sks__timers timers;
    struct sks__far_timer far_timer; /* of the first of them, if it is far */
    struct sks__source gone_off;     /* the same, which ends the turn's wait */
    struct sks__stack_cache *stacks;
    struct sks__fiber *idle;    /* to be used again */
    struct sks__fiber *resting; /* the same, after this turn */
    struct sks__fiber *timed;   /* began to wait in this turn, not for ever */
    int64_t now;                /* when it began */
    unsigned turn;              /* counts them */
    struct sks__task *tasks;    /* of the next turn */
    struct sks__fiber **chunks; /* arrays of fibers, to be freed */
    size_t chunk_count;
    size_t running; /* coroutines that have not ended, or have receptions */
    int spin_us;    /* for how long a turn polls before it sleeps */
};

/* stack_size in bytes; of ended coroutines' stacks, keep are kept.  0 or an
 * error, which leaves it closed. */
int sks__loop_open(struct sks__loop *loop, size_t stack_size, size_t keep);

/* No coroutine may be left. */
void sks__loop_close(struct sks__loop *loop);

/* Has the loop receive and send through io_uring(7) where it can: true if so.
 * By the thread that turns it, while there is no coroutine. */
int sks__loop_use_ring(struct sks__loop *loop);

/* By the thread that turned it so far: from now on another one may, or close
 * it.  What the ring received is still there; then the poller does for all. May
 * run coroutines.  0 or an error. */
int sks__loop_leave(struct sks__loop *loop);

/* Runs fn(arg) in a coroutine of its own, at once, until it first waits.
 * arg: what it needs to go on, the first 256 bytes of which are fetched ahead.
 * fd: what it will wait for most, which stays open until it ends or is closed
 * just before; -1: nothing.  0; -ENOMEM: it did not begin.  Not from inside a
 * coroutine. */
int sks__loop_spawn(struct sks__loop *loop, void (*fn)(void *), void *arg,
                    int fd);

/* Rings after ms milliseconds. */
void sks__loop_set_alarm(struct sks__loop *loop, struct sks__alarm *alarm,
                         int ms);

/* Runs the task, once, when the next turn has dealt with what happened, for
 * which that turn does not wait. */
void sks__loop_set_task(struct sks__loop *loop, struct sks__task *task);

/* Waits until fd has one of the poll(2) events, or ms milliseconds passed (-1:
 * for ever); fd -1: only for the time.  Inside a coroutine of any loop others
 * go on meanwhile; outside of them the thread blocks.  1, 0 when the time is
 * over, or an error. */
int sks__loop_wait(int fd, short events, int ms);

/* As a strategy's receive, for a coroutine that calls it with the descriptor
 * that it is about. */
ssize_t sks__loop_receive(int fd, void *buf, size_t n, int now);

/* As a strategy's send, likewise. */
int sks__loop_send(int fd, const void *buf, size_t n);

/* True if a coroutine of some loop calls. */
int sks__loop_is_inside(void);

/* The coroutine that calls, from inside of one; and what it was given. */
struct sks__fiber *sks__loop_current(void);
void *sks__loop_arg(const struct sks__fiber *fiber);

/* From inside a coroutine, which goes on with something else: what it is given
 * from now on. */
void sks__loop_set_arg(void *arg);

/* The coroutine of any loop that overflowed its stack, if an access at the
 * address faulted; NULL if none.  Any thread, any signal handler. */
struct sks__fiber *sks__loop_guarded_at(const void *address);

/* From inside a coroutine: leaves it until sks__loop_unpark(), which whoever
 * knows of it calls once, outside of coroutines, on the loop's thread. */
void sks__loop_park(void);
void sks__loop_unpark(struct sks__fiber *fiber);

/* One turn: waits until something happens, and lets go on what it concerns.
 * 0 or an error. */
int sks__loop_turn(struct sks__loop *loop);

#endif /* SKS__LOOP_H */
