/* Keeps SIGPIPE away from calls that have no MSG_NOSIGNAL, without touching its
 * disposition: the signal is directed at the thread that caused it, so that
 * holding it and taking it back leaves nothing behind.  Only around calls that
 * end on the same thread. */
#ifndef SKS__SIGPIPE_H
#define SKS__SIGPIPE_H

#include <signal.h>

struct sks__sigpipe {
    sigset_t old; /* the thread's mask */
    int was_pending;
};

void sks__sigpipe_hold(struct sks__sigpipe *s);

/* raised: whether the signal may have been raised since. */
void sks__sigpipe_release(const struct sks__sigpipe *s, int raised);

#endif /* SKS__SIGPIPE_H */
