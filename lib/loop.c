#include "loop.h"

#include "clock.h"
#include "coro.h"
#include "fd.h"

#include <errno.h>
#include <stdlib.h>

/* What is fetched ahead: of a coroutine's argument, and of its stack the part
 * where the frames of one that waits lie, and of what it does next, with the
 * struct above them. */
enum { CACHE_LINE = 64, FETCHED_ARG = 512, FETCHED_STACK = 1024 };

/* Fibers are made so many at a time; events are taken so many. */
enum { CHUNK = 64, EVENTS = 128 };

/* A coroutine of the loop; guarded by being the loop's thread's alone.  What
 * each wait touches lies together. */
struct sks__fiber {
    struct sks__source own; /* the descriptor that it is about */
    int own_fd;
    struct sks__reception reception; /* of own, where there is a ring */
    short remembered;                /* edges of own that no wait has used */
    short wanted; /* that the wait is for; 0: not waiting for own */
    int ends;     /* waits that an end of input may still satisfy */
    int waiting;
    int result; /* of the wait */
    int ms;     /* how long it may take, -1: for ever */
    struct sks__coro *coro;
    struct sks__loop *loop;
    int parked;   /* ever */
    int retiring; /* its coroutine has ended, but its reception maybe not */
    int arming;   /* listed in loop->arming */
    struct sks__fiber *next_arming;
    struct sks__alarm alarm;
    struct sks__source other; /* any other descriptor, during one wait */
    void (*fn)(void *);
    void *arg;
    struct sks__fiber *next; /* idle or resting */
};

/* An end of input is reported once, often together with the last bytes: the
 * wait after those must not wait.  A second one is let pass as well; then it
 * was the end of something else. */
enum { ENDS = 2 };

enum { ENDED = POLLHUP | POLLERR | POLLNVAL };

/* --- fibers --- */

static int make_fibers(struct sks__loop *loop)
{
    size_t n = loop->chunk_count;
    struct sks__fiber **chunks =
        realloc(loop->chunks, (n + 1) * sizeof *chunks);
    struct sks__fiber *chunk;

    if (chunks == NULL)
        return -ENOMEM;
    loop->chunks = chunks;
    chunk = calloc(CHUNK, sizeof *chunk);
    if (chunk == NULL)
        return -ENOMEM;
    loop->chunks[loop->chunk_count++] = chunk;
    for (size_t i = 0; i < CHUNK; i++) {
        chunk[i].next = loop->idle;
        loop->idle = &chunk[i];
    }
    return 0;
}

static void resume(struct sks__fiber *f);

static void release(struct sks__fiber *f);

static void own_ready(struct sks__source *source, short events)
{
    struct sks__fiber *f = SKS__LIST_ENTRY(source, struct sks__fiber, own);

    if (f->coro == NULL) {
        release(f); /* late news, maybe of the end of a reception */
        return;
    }
    f->remembered |= events;
    if (events & ENDED)
        f->ends = ENDS;
    if (f->waiting && ((events & f->wanted) || (f->wanted && f->ends > 0))) {
        f->remembered &= (short)~f->wanted;
        f->result = 1;
        resume(f);
    }
}

static void other_ready(struct sks__source *source, short events)
{
    struct sks__fiber *f = SKS__LIST_ENTRY(source, struct sks__fiber, other);

    (void)events;
    if (f->waiting && f->other.node.fd >= 0) {
        f->result = 1;
        resume(f);
    }
}

static void wait_is_over(struct sks__alarm *alarm)
{
    struct sks__fiber *f = SKS__LIST_ENTRY(alarm, struct sks__fiber, alarm);

    if (f->waiting)
        resume(f);
}

/* The same fiber is not used again within the turn, whose events may still be
 * meant for the coroutine that ended; unless it never had any.  And not before
 * the system has given up its reception. */
static void release(struct sks__fiber *f)
{
    struct sks__loop *loop = f->loop;

    if (!f->retiring ||
        (loop->ring != NULL && sks__ring_stop(loop->ring, &f->reception)))
        return;
    f->retiring = 0;
    loop->running--;
    if (!f->parked && f->own.node.fd < 0) {
        f->next = loop->idle;
        loop->idle = f;
        return;
    }
    f->next = loop->resting;
    loop->resting = f;
}

static void retire(struct sks__fiber *f)
{
    if (f->own.node.fd >= 0)
        sks__poller_forget(&f->loop->poller, &f->own.node);
    /* A node that stays would wake an idle loop once. */
    sks__timers_remove(&f->loop->timers, &f->alarm.timer);
    sks__coro_free(f->coro);
    f->coro = NULL;
    f->retiring = 1;
    release(f);
}

static void resume(struct sks__fiber *f)
{
    f->waiting = 0;
    sks__coro_resume(f->coro);
    if (sks__coro_finished(f->coro))
        retire(f);
}

static void run(void *arg)
{
    struct sks__fiber *f = arg;

    f->fn(f->arg);
}

int sks__loop_spawn(struct sks__loop *loop, void (*fn)(void *), void *arg,
                    int fd)
{
    struct sks__fiber *f;

    if (loop->idle == NULL && make_fibers(loop) < 0)
        return -ENOMEM;
    f = loop->idle;
    f->coro = sks__coro_new(loop->stacks, run, f);
    if (f->coro == NULL)
        return -ENOMEM;
    loop->idle = f->next;
    f->loop = loop;
    f->fn = fn;
    f->arg = arg;
    f->own_fd = fd;
    f->alarm.ring = wait_is_over;
    f->own = (struct sks__source){.node.fd = -1, .ready = own_ready};
    f->other = (struct sks__source){.node.fd = -1, .ready = other_ready};
    f->reception = (struct sks__reception){.node = &f->own.node};
    f->remembered = f->wanted = 0;
    f->ends = f->parked = 0;
    loop->running++;
    resume(f);
    return 0;
}

/* --- waiting --- */

/* The time of a wait begins with the next turn, which looks at the clock once
 * for all of them. */
static void arm_later(struct sks__fiber *f)
{
    if (f->arming)
        return;
    f->arming = 1;
    f->next_arming = f->loop->arming;
    f->loop->arming = f;
}

/* Leaves the coroutine until resume(); 0 after ms milliseconds. */
static int park(struct sks__fiber *f, int ms)
{
    f->result = 0;
    f->ms = ms;
    f->waiting = f->parked = 1;
    if (ms >= 0)
        arm_later(f);
    sks__coro_yield();
    if (ms >= 0)
        sks__timers_cancel(&f->alarm.timer);
    return f->result;
}

/* True if a remembered edge satisfies the wait, which uses it up. */
static int is_remembered(struct sks__fiber *f, short events)
{
    if (f->remembered & events) {
        f->remembered &= (short)~events;
        return 1;
    }
    return f->ends > 0 && f->ends-- > 0;
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

static int wait_for_own(struct sks__fiber *f, short events, int ms)
{
    int rc = f->own.node.fd < 0 ? begin_own(f, events) : 0;

    if (rc < 0)
        return rc;
    if (is_remembered(f, events))
        return 1;
    if (ms == 0)
        return sks__fd_wait(f->own_fd, events, 0);
    sks__poller_rearm(&f->loop->poller, &f->own.node, events);
    return park_for_own(f, events, ms);
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

int sks__loop_wait(int fd, short events, int ms)
{
    struct sks__coro *co = sks__coro_current();
    struct sks__fiber *f;

    if (co == NULL)
        return sks__fd_wait(fd, events, ms);
    f = sks__coro_arg(co);
    if (fd < 0)
        return park(f, ms);
    if (fd != f->own_fd)
        return wait_for_other(f, fd, events, ms);
    if ((events & POLLIN) && (sks__ring_is_receiving(&f->reception) ||
                              sks__ring_has_news(&f->reception)))
        return wait_for_reception(f, events, ms);
    return wait_for_own(f, events, ms);
}

ssize_t sks__loop_receive(int fd, void *buf, size_t n, int now)
{
    struct sks__coro *co = sks__coro_current();
    struct sks__fiber *f = co != NULL ? sks__coro_arg(co) : NULL;
    ssize_t got;

    if (f == NULL || f->loop->ring == NULL || fd != f->own_fd)
        return -EOPNOTSUPP;
    got = sks__ring_receive(f->loop->ring, &f->reception, fd, buf, n);
    if (got != -EAGAIN || !now)
        return got;
    wait_for_reception(f, POLLIN, 0);
    return sks__ring_receive(f->loop->ring, &f->reception, fd, buf, n);
}

int sks__loop_is_inside(void)
{
    return sks__coro_current() != NULL;
}

struct sks__fiber *sks__loop_current(void)
{
    return sks__coro_arg(sks__coro_current());
}

void *sks__loop_arg(const struct sks__fiber *f)
{
    return f->arg;
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

void sks__loop_unpark(struct sks__fiber *f)
{
    resume(f);
}

/* --- the loop --- */

int sks__loop_open(struct sks__loop *loop, size_t stack_size, size_t keep)
{
    int rc;

    *loop = (struct sks__loop){.idle = NULL};
    rc = sks__poller_open(&loop->poller);
    if (rc < 0)
        return rc;
    loop->stacks = sks__stack_cache_new(stack_size, keep);
    if (loop->stacks == NULL) {
        sks__poller_close(&loop->poller);
        return -ENOMEM;
    }
    sks__timers_init(&loop->timers, sks__clock_ms());
    return 0;
}

int sks__loop_use_ring(struct sks__loop *loop)
{
    sks__ring_free(loop->ring);
    loop->ring = sks__ring_new(&loop->poller);
    return loop->ring != NULL;
}

void sks__loop_close(struct sks__loop *loop)
{
    sks__ring_free(loop->ring);
    for (size_t i = 0; i < loop->chunk_count; i++)
        free(loop->chunks[i]);
    free(loop->chunks);
    sks__stack_cache_free(loop->stacks);
    sks__poller_close(&loop->poller);
}

static void end_turn(struct sks__loop *loop)
{
    while (loop->resting != NULL) {
        struct sks__fiber *f = loop->resting;

        loop->resting = f->next;
        f->next = loop->idle;
        loop->idle = f;
    }
}

void sks__loop_set_alarm(struct sks__loop *loop, struct sks__alarm *alarm,
                         int ms)
{
    sks__timers_arm(&loop->timers, &alarm->timer, sks__clock_after(ms));
}

static void ring_due(struct sks__loop *loop)
{
    int64_t now = sks__clock_ms();
    struct sks__timer *timer;

    while ((timer = sks__timers_pop(&loop->timers, now)) != NULL) {
        struct sks__alarm *alarm =
            SKS__LIST_ENTRY(timer, struct sks__alarm, timer);

        alarm->ring(alarm);
    }
}

static void arm_all(struct sks__loop *loop, int64_t now)
{
    while (loop->arming != NULL) {
        struct sks__fiber *f = loop->arming;

        loop->arming = f->next_arming;
        f->arming = 0;
        if (f->waiting && f->ms >= 0)
            sks__timers_arm(&loop->timers, &f->alarm.timer, now + f->ms);
    }
}

/* Until the next deadline. */
static int left_ms(struct sks__loop *loop)
{
    int64_t now = sks__clock_ms();

    arm_all(loop, now);
    return sks__timers_left_ms(&loop->timers, now);
}

/* With many coroutines what the next one needs has left the processor's cache:
 * it is asked for while another runs, first the fiber, then what that leads to.
 * This waits for nothing, and no address is wrong. */
static void fetch(const void *at, size_t n)
{
    const char *bytes = at;

    for (size_t i = 0; i < n; i += CACHE_LINE)
        __builtin_prefetch(bytes + i, 1);
}

static void fetch_more(const struct sks__poller_node *node)
{
    const struct sks__source *source =
        (const void *)((const char *)node - offsetof(struct sks__source, node));
    const struct sks__fiber *f;

    if (source->ready != own_ready)
        return;
    f = (const void *)((const char *)source - offsetof(struct sks__fiber, own));
    fetch(f->arg, FETCHED_ARG);
    if (f->coro != NULL)
        fetch((const char *)f->coro - FETCHED_STACK + CACHE_LINE,
              FETCHED_STACK);
}

static void look_ahead(const struct sks__poller_event *events, int left)
{
    if (left > 1)
        fetch(events[2].node, sizeof(struct sks__fiber));
    if (left > 0)
        fetch_more(events[1].node);
}

static int take_events(struct sks__loop *loop, struct sks__poller_event *events,
                       int ms)
{
    return loop->ring != NULL
               ? sks__ring_wait(loop->ring, events, EVENTS, ms)
               : sks__poller_wait(&loop->poller, events, EVENTS, ms);
}

/* Polls for a while, if told to, before it sleeps until the next deadline. */
static int await_events(struct sks__loop *loop,
                        struct sks__poller_event *events)
{
    int ms = left_ms(loop), n = 0;
    int spins = loop->spin_us > 0 && ms != 0;
    int64_t until = spins ? sks__clock_us() + loop->spin_us : 0;

    while (spins && n == 0) {
        n = take_events(loop, events, 0);
        spins = sks__clock_us() < until;
    }
    return n != 0 ? n : take_events(loop, events, ms);
}

int sks__loop_turn(struct sks__loop *loop)
{
    struct sks__poller_event events[EVENTS];
    int n = await_events(loop, events);

    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        struct sks__source *source =
            SKS__LIST_ENTRY(events[i].node, struct sks__source, node);

        look_ahead(&events[i], n - i - 1);
        source->ready(source, events[i].events);
    }
    ring_due(loop);
    end_turn(loop);
    return 0;
}

static void leave_receptions(struct sks__loop *loop)
{
    for (size_t i = 0; i < loop->chunk_count; i++)
        for (size_t k = 0; k < CHUNK; k++)
            sks__ring_leave(loop->ring, &loop->chunks[i][k].reception);
}

/* The system ties a ring to its thread. */
int sks__loop_leave(struct sks__loop *loop)
{
    int rc = 0;

    if (loop->ring == NULL)
        return 0;
    sks__ring_retire(loop->ring);
    leave_receptions(loop);
    while (rc == 0 && sks__ring_is_busy(loop->ring))
        rc = sks__loop_turn(loop);
    sks__ring_detach(loop->ring);
    return rc;
}
