/* A timer for the far deadlines of an event loop, which hardly ever come.
 *
 * For each wait with a limit the system sets a timer and takes it back, which
 * is some hundredths of what a round trip with a lone client costs.  This one
 * is set once for many waits, and ends the one that lasts when it goes off,
 * maybe early and for nothing.  far_timer_linux.c has timerfd_create(2);
 * far_timer_posix.c has none.
 *
 * One thread at a time. */
#ifndef SKS__FAR_TIMER_H
#define SKS__FAR_TIMER_H

#include "clock.h"

/* Deadlines that are nearer than that are left to the wait itself. */
enum { SKS__FAR_MS = 100 };

struct sks__far_timer {
    int fd;         /* readable, edge by edge, when it goes off; -1: none */
    int64_t moment; /* when it does, or did */
};

/* The owner ends it with sks__far_timer_close().  Where no descriptor is to be
 * had it is none, and waits keep their limits themselves. */
void sks__far_timer_open(struct sks__far_timer *timer);
void sks__far_timer_close(struct sks__far_timer *timer);

/* Sees to a wait of up to ms milliseconds (-1: for ever) that hears of the
 * timer, too: the limit that it still needs itself, in the same terms. */
int sks__far_timer_cover(struct sks__far_timer *timer, int ms);

#endif /* SKS__FAR_TIMER_H */
