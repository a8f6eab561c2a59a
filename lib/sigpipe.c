#include "sigpipe.h"

#include <errno.h>
#include <time.h>

static void only_sigpipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void sks__sigpipe_hold(struct sks__sigpipe *s)
{
    sigset_t set;

    only_sigpipe(&set);
    pthread_sigmask(SIG_BLOCK, &set, &s->old);
    /* Where it was not blocked it cannot be pending. */
    s->was_pending = sigismember(&s->old, SIGPIPE) && sigpending(&set) == 0 &&
                     sigismember(&set, SIGPIPE);
}

void sks__sigpipe_release(const struct sks__sigpipe *s, int raised)
{
    const struct timespec none = {0, 0};
    sigset_t set;

    only_sigpipe(&set);
    if (raised && !s->was_pending)
        while (sigtimedwait(&set, NULL, &none) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &s->old, NULL);
}
