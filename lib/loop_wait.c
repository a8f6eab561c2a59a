/* How coroutines of a loop wait, and ask what they are.
 *
 * One may go on in another thread than it waited in.  So no function that waits
 * looks at a thread's own data on both sides of the wait, be it errno or what
 * it has inlined: a compiler may compute the place of such data only once. */
#include "loop.h"
#include "loop_fiber.h"

#include "clock.h"
#include "coro.h"
#include "fd.h"

#include <errno.h>

/* The loop looks at the clock once a turn for all waits.  One that begins in
 * the turn counts from there, plus a millisecond for what the turn has taken so
 * far; if that was not enough, the next turn adds what was missing. */
static inline void set_time(struct sks__fiber *f, int ms)
{
    struct sks__loop *loop = f->loop;

    if (ms < 0) {
        sks__timers_cancel(&f->alarm.timer);
        return;
    }
    sks__timers_arm(&loop->timers, &f->alarm.timer,
                    loop->now + ms + SKS__LOOP_SLACK_MS);
    if (f->timed_in == loop->turn)
        return;
    f->timed_in = loop->turn;
    f->timed = loop->timed;
    loop->timed = f;
}

/* Leaves the coroutine until resume(); 0 after ms milliseconds.  The deadline
 * stays: it finds nobody who waits, or is set anew by the next wait. */
static inline int park(struct sks__fiber *f, int ms)
{
    f->result = 0;
    f->waiting = f->parked = 1;
    set_time(f, ms);
    sks__coro_yield();
    return f->result;
}

/* True if a remembered edge satisfies the wait, which uses it up. */
static int is_remembered(struct sks__fiber *f, short events)
{
    if (f->remembered & events) {
        f->remembered &= (short)~events;
        return 1;
    }
    if (f->ends == 0)
        return 0;
    f->ends--;
    return 1;
}

static int begin_own(struct sks__fiber *f, short events)
{
    int rc = sks__poller_add(&f->loop->poller, &f->own.node, f->own_fd, events);

    if (rc < 0)
        f->own.node.fd = -1;
    return rc;
}

/* Has the poller look for the events, too. */
static int watch_own(struct sks__fiber *f, short events)
{
    if (f->own.node.fd < 0)
        return begin_own(f, events);
    sks__poller_rearm(&f->loop->poller, &f->own.node, events);
    return 0;
}

static int park_for_own(struct sks__fiber *f, short events, int ms)
{
    int rc;

    f->wanted = events;
    rc = park(f, ms);
    f->wanted = 0;
    return rc;
}

/* One that the poller has, and that is not only asked about. */
static inline int wait_for_watched(struct sks__fiber *f, short events, int ms)
{
    if (is_remembered(f, events))
        return 1;
    if (!sks__poller_is_armed(&f->own.node, events))
        sks__poller_rearm(&f->loop->poller, &f->own.node, events);
    return park_for_own(f, events, ms);
}

static int wait_for_own(struct sks__fiber *f, short events, int ms)
{
    int rc = f->own.node.fd < 0 ? begin_own(f, events) : 0;

    if (rc < 0)
        return rc;
    if (ms == 0)
        return is_remembered(f, events) ? 1
                                        : sks__fd_wait(f->own_fd, events, 0);
    return wait_for_watched(f, events, ms);
}

/* The same while the ring receives, which tells of input.  What has come is
 * known after a turn. */
static int wait_for_reception(struct sks__fiber *f, short events, int ms)
{
    short others = (short)(events & ~POLLIN);
    int rc;

    if (sks__ring_has_news(&f->reception))
        return 1;
    f->remembered &= (short)~POLLIN;
    rc = others != 0 ? watch_own(f, others) : 0;
    if (rc < 0)
        return rc;
    return is_remembered(f, others) ? 1 : park_for_own(f, events, ms);
}

short sks__fiber_push_out(struct sks__fiber *f, short events)
{
    if (sks__ring_send(f->loop->ring, &f->outbox, f->own_fd, NULL, 0) !=
        -EAGAIN)
        return events;
    watch_own(f, POLLOUT);
    return (short)(events & ~POLLOUT);
}

static int await_other(struct sks__fiber *f, int fd, short events,
                       int64_t until)
{
    int rc = 0;

    while (rc == 0) {
        int left = sks__clock_left_ms(until);

        sks__poller_rearm(&f->loop->poller, &f->other.node, events);
        if (left == 0 || park(f, left) == 0)
            break;
        rc = sks__fd_wait(fd, events, 0);
    }
    return rc;
}

/* A descriptor in passing.  What woke it may be late news of another. */
static int wait_for_other(struct sks__fiber *f, int fd, short events, int ms)
{
    int64_t until = sks__clock_after(ms);
    int rc = sks__fd_wait(fd, events, 0);

    if (rc != 0 || ms == 0)
        return rc;
    rc = sks__poller_add(&f->loop->poller, &f->other.node, fd, events);
    if (rc == 0) {
        rc = await_other(f, fd, events, until);
        sks__poller_remove(&f->loop->poller, &f->other.node);
    }
    f->other.node.fd = -1;
    return rc;
}

/* Any wait but the most frequent. */
static __attribute__((cold, noinline)) int
wait_otherwise(struct sks__fiber *f, int fd, short events, int ms)
{
    if (f == NULL)
        return sks__fd_wait(fd, events, ms);
    if (fd < 0)
        return park(f, ms);
    if (fd != f->own_fd)
        return wait_for_other(f, fd, events, ms);
    if ((events & POLLIN) && (sks__ring_is_receiving(&f->reception) ||
                              sks__ring_has_news(&f->reception)))
        return wait_for_reception(f, events, ms);
    return wait_for_own(f, events, ms);
}

int sks__loop_wait(int fd, short events, int ms)
{
    struct sks__fiber *f = sks__coro_current_arg();

    if (f == NULL || fd != f->own_fd || f->own.node.fd < 0 || ms == 0 ||
        f->loop->ring != NULL)
        return wait_otherwise(f, fd, events, ms);
    return wait_for_watched(f, events, ms);
}

/* The coroutine that calls, if it is about fd and its loop has a ring. */
static struct sks__fiber *with_ring(int fd)
{
    struct sks__fiber *f = sks__coro_current_arg();

    return f == NULL || f->loop->ring == NULL || fd != f->own_fd ? NULL : f;
}

ssize_t sks__loop_receive(int fd, void *buf, size_t n, int now)
{
    struct sks__fiber *f = with_ring(fd);
    ssize_t got;

    if (f == NULL)
        return -EOPNOTSUPP;
    got = sks__ring_receive(f->loop->ring, &f->reception, fd, buf, n);
    if (got != -EAGAIN || !now)
        return got;
    wait_for_reception(f, POLLIN, 0);
    return sks__ring_receive(f->loop->ring, &f->reception, fd, buf, n);
}

int sks__loop_send(int fd, const void *buf, size_t n)
{
    struct sks__fiber *f = with_ring(fd);

    return f != NULL ? sks__ring_send(f->loop->ring, &f->outbox, fd, buf, n)
                     : -EOPNOTSUPP;
}

int sks__loop_is_inside(void)
{
    return sks__coro_current() != NULL;
}

struct sks__fiber *sks__loop_current(void)
{
    return sks__coro_current_arg();
}

void *sks__loop_arg(const struct sks__fiber *f)
{
    return f->arg;
}

void sks__loop_set_arg(void *arg)
{
    sks__loop_current()->arg = arg;
}

struct sks__fiber *sks__loop_guarded_at(const void *address)
{
    struct sks__coro *co = sks__coro_guarded_at(address);

    return co != NULL ? sks__coro_arg(co) : NULL;
}

/* Not as a wait does, which late news may end. */
void sks__loop_park(void)
{
    sks__coro_yield();
}
