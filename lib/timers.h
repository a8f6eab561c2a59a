/* Deadlines of one event loop: tens of thousands that are set before each wait
 * and hardly ever come.
 *
 * A hierarchical wheel: a level's slot spans 64 slots of the level below, and
 * nodes move down as their time comes near.  Setting, cancelling and removing
 * are O(1), and each node moves once a level at most; none allocates.
 *
 * Setting and cancelling are lazy.  A node that lies in the wheel stays where
 * it is when its deadline moves later or away; only when its old time comes is
 * it found and put where it belongs.  A wait that arms a node and cancels it
 * so costs two stores, and no other node's memory is touched.  The price is
 * that the loop may be woken once for nothing for a deadline that was
 * cancelled.
 *
 * Times are milliseconds of sks__clock_ms().  A queue is for one thread. */
#ifndef SKS__TIMERS_H
#define SKS__TIMERS_H

#include "clock.h"

#include <stddef.h>
#include <stdint.h>

/* 8 levels of 6 bits each: 8900 years. */
#define SKS__TIMERS_LEVELS 8
#define SKS__TIMERS_SLOTS 64

/* A deadline.  Zeroed, it is none.  Lies in what waits for it; its owner must
 * remove it before the memory goes away. */
struct sks__timer {
    struct sks__timer *next, **link; /* link: what points here; NULL: none */
    int64_t deadline;                /* SKS__NEVER: cancelled */
    int64_t filed;                   /* the deadline by which it was placed */
    unsigned place;                  /* level and slot */
};

/* Made by the loop; nothing to free. */
struct sks__timers {
    int64_t now;
    struct sks__timer *due;
    uint64_t used[SKS__TIMERS_LEVELS]; /* a bit for each slot with nodes */
    struct sks__timer *slots[SKS__TIMERS_LEVELS * SKS__TIMERS_SLOTS];
};

/* An empty queue that begins at now. */
void sks__timers_init(struct sks__timers *timers, int64_t now);

/* Puts a node into the queue, or elsewhere in it, by a deadline. */
void sks__timers_file(struct sks__timers *timers, struct sks__timer *timer,
                      int64_t deadline);

/* Sets the node's deadline, whether it had one or not; SKS__NEVER cancels.  A
 * deadline that is past is due at once. */
static inline void sks__timers_arm(struct sks__timers *timers,
                                   struct sks__timer *timer, int64_t deadline)
{
    if (timer->link != NULL && timer->filed <= deadline)
        timer->deadline = deadline;
    else
        sks__timers_file(timers, timer, deadline);
}

/* Takes the deadline away.  The node may still lie in the queue. */
static inline void sks__timers_cancel(struct sks__timer *timer)
{
    timer->deadline = SKS__NEVER;
}

/* Cancels, and forgets the node's memory.  One that was never armed may be
 * removed. */
void sks__timers_remove(struct sks__timers *timers, struct sks__timer *timer);

/* Milliseconds from now until sks__timers_pop() should be called, as poll(2)
 * takes them; -1 if there is nothing to wait for.  Never later than the first
 * deadline, but maybe earlier. */
int sks__timers_left_ms(const struct sks__timers *timers, int64_t now);

/* One node whose deadline is not after now, disarmed and out of the queue;
 * NULL if there is no more.  Earlier deadlines come first.  Between two calls
 * nodes may be armed, cancelled and removed, but who arms again and again what
 * is due at once never sees the end. */
struct sks__timer *sks__timers_pop(struct sks__timers *timers, int64_t now);

#endif /* SKS__TIMERS_H */
