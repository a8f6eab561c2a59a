/* A coroutine of a loop: what loop.c, which goes on with it, and loop_wait.c,
 * which leaves it, both know. */
#ifndef SKS__LOOP_FIBER_H
#define SKS__LOOP_FIBER_H

#include "cpu.h"
#include "loop.h"

#include <stdalign.h>

/* A coroutine of the loop; guarded by being the loop's thread's alone.  With
 * thousands of them each cache line counts: what a round trip of its own
 * descriptor touches lies in the first two, in the first what an event leads
 * to, in the second what a wait needs; and in the third, where there is a
 * ring. */
struct sks__fiber {
    alignas(SKS__CACHE_LINE) struct sks__source own; /* what it is about */
    int own_fd;
    short remembered; /* edges of own that no wait has used */
    short wanted;     /* that the wait is for; 0: not waiting for own */
    struct sks__coro *coro;
    void *arg;
    const void *frames;       /* where it waits on its stack */
    struct sks__fiber *timed; /* the next in loop->timed */

    struct sks__loop *loop;
    struct sks__alarm alarm;
    unsigned timed_in; /* the turn in which it was listed there */
    char ends;         /* waits that an end of input may still satisfy */
    char waiting;
    char result; /* of the wait */
    char parked; /* ever */

    struct sks__reception reception; /* of own, where there is a ring */
    struct sks__outbox outbox;       /* likewise */
    struct sks__source other;        /* any other descriptor, during one wait */
    void (*fn)(void *);
    struct sks__fiber *next; /* idle or resting */
    int retiring; /* its coroutine has ended, but its reception maybe not */
};

/* An end of input is reported once, often together with the last bytes: the
 * wait after those must not wait.  A second one is let pass as well; then it
 * was the end of something else. */
enum { SKS__FIBER_ENDS = 2 };

/* How long a turn may take without its waits' ending too early. */
enum { SKS__LOOP_SLACK_MS = 1 };

/* By loop.c, when own has events: what the ring could not send goes before
 * whoever waits to write more.  The events that are left. */
short sks__fiber_push_out(struct sks__fiber *fiber, short events);

#endif /* SKS__LOOP_FIBER_H */
