#include "loop.h"
#include "loop_fiber.h"

#include "clock.h"
#include "coro.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is fetched ahead: of a coroutine's argument, and of its stack the part
 * where the frames lie that it returns through. */
enum {
    FETCHED_ARG = 3 * SKS__CACHE_LINE,
    FETCHED_FRAMES = 5 * SKS__CACHE_LINE
};

/* Fibers are made so many at a time; events are taken so many. */
enum { CHUNK = 64, EVENTS = 128 };

/* The two lines. */
enum { FETCHED_FIBER = offsetof(struct sks__fiber, reception) };

_Static_assert(FETCHED_FIBER <= 2 * SKS__CACHE_LINE,
               "a fiber's head has grown");

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
    chunk = aligned_alloc(SKS__CACHE_LINE, CHUNK * sizeof *chunk);
    if (chunk == NULL)
        return -ENOMEM;
    memset(chunk, 0, CHUNK * sizeof *chunk);
    loop->chunks[loop->chunk_count++] = chunk;
    for (size_t i = 0; i < CHUNK; i++) {
        chunk[i].next = loop->idle;
        loop->idle = &chunk[i];
    }
    return 0;
}

static inline void resume(struct sks__fiber *f);

static void release(struct sks__fiber *f);

static void own_ready(struct sks__source *source, short events)
{
    struct sks__fiber *f = SKS__LIST_ENTRY(source, struct sks__fiber, own);

    if (f->coro == NULL) {
        release(f); /* late news, maybe of the end of a reception */
        return;
    }
    if (f->loop->ring != NULL && f->outbox.rest != NULL)
        events = sks__fiber_push_out(f, events);
    if (events & ENDED)
        f->ends = SKS__FIBER_ENDS;
    f->remembered |= events;
    if ((events & f->wanted) || (f->wanted != 0 && f->ends > 0)) {
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
    if (f->loop->ring != NULL)
        sks__ring_drop(f->loop->ring, &f->outbox);
    if (f->own.node.fd >= 0)
        sks__poller_forget(&f->loop->poller, &f->own.node);
    /* A node that stays would wake an idle loop once. */
    sks__timers_remove(&f->loop->timers, &f->alarm.timer);
    sks__coro_free(f->coro);
    f->coro = NULL;
    f->retiring = 1;
    release(f);
}

static inline void resume(struct sks__fiber *f)
{
    f->waiting = 0;
    f->frames = sks__coro_resume(f->coro);
    if (f->frames == NULL)
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
    f->outbox = (struct sks__outbox){.node = &f->own.node};
    f->remembered = f->wanted = 0;
    f->ends = f->parked = f->waiting = 0;
    loop->running++;
    resume(f);
    return 0;
}

void sks__loop_unpark(struct sks__fiber *f)
{
    resume(f);
}

/* --- the loop --- */

static void go_off(struct sks__source *source, short events)
{
    (void)source, (void)events; /* turns look for what is due anyway */
}

/* Without it the loop's waits have their limits themselves. */
static void open_far_timer(struct sks__loop *loop)
{
    struct sks__far_timer *timer = &loop->far_timer;

    loop->gone_off.ready = go_off;
    sks__far_timer_open(timer);
    if (timer->fd >= 0 && sks__poller_add(&loop->poller, &loop->gone_off.node,
                                          timer->fd, POLLIN) < 0)
        sks__far_timer_close(timer);
}

int sks__loop_open(struct sks__loop *loop, size_t stack_size, size_t keep)
{
    int rc;

    *loop = (struct sks__loop){.now = sks__clock_ms(), .turn = 1};
    rc = sks__poller_open(&loop->poller);
    if (rc < 0)
        return rc;
    loop->stacks = sks__stack_cache_new(stack_size, keep);
    if (loop->stacks == NULL) {
        sks__poller_close(&loop->poller);
        return -ENOMEM;
    }
    sks__timers_init(&loop->timers, loop->now);
    open_far_timer(loop);
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
    sks__far_timer_close(&loop->far_timer);
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

void sks__loop_set_task(struct sks__loop *loop, struct sks__task *task)
{
    if (task->set)
        return;
    task->set = 1;
    task->next = loop->tasks;
    loop->tasks = task;
}

/* What a task sets is for the turn after this one. */
static void run_tasks(struct sks__loop *loop)
{
    struct sks__task *task = loop->tasks, *next;

    loop->tasks = NULL;
    for (; task != NULL; task = next) {
        next = task->next;
        task->set = 0;
        task->run(task);
    }
}

static void ring_due(struct sks__loop *loop)
{
    struct sks__timer *timer;

    while ((timer = sks__timers_pop(&loop->timers, loop->now)) != NULL) {
        struct sks__alarm *alarm =
            SKS__LIST_ENTRY(timer, struct sks__alarm, timer);

        alarm->ring(alarm);
    }
}

/* The waits that began in a turn which took too long for what they were given
 * may end so much later. */
static void postpone(struct sks__loop *loop, int64_t late)
{
    for (struct sks__fiber *f = loop->timed; f != NULL; f = f->timed) {
        struct sks__timer *timer = &f->alarm.timer;

        if (f->waiting && timer->deadline != SKS__NEVER)
            sks__timers_arm(&loop->timers, timer, timer->deadline + late);
    }
}

/* Until the next deadline. */
static int left_ms(struct sks__loop *loop)
{
    int64_t now = sks__clock_ms();

    if (now - loop->now > SKS__LOOP_SLACK_MS)
        postpone(loop, now - loop->now - SKS__LOOP_SLACK_MS);
    loop->timed = NULL;
    return sks__timers_left_ms(&loop->timers, now);
}

/* With many coroutines what the next one needs has left the processor's cache:
 * it is asked for while another runs, first the fiber, then what that leads to.
 * This waits for nothing, and no address is wrong.  GCC drops calls of
 * functions that do nothing else, hence always inline. */
static inline __attribute__((always_inline)) void fetch(const void *at,
                                                        size_t n)
{
    uintptr_t from = (uintptr_t)at; /* maybe of nothing */

    for (size_t i = 0; i < n; i += SKS__CACHE_LINE)
        __builtin_prefetch((const void *)(from + i), 1);
}

static inline __attribute__((always_inline)) void
fetch_more(const struct sks__poller_node *node)
{
    const struct sks__source *source =
        (const void *)((const char *)node - offsetof(struct sks__source, node));
    const struct sks__fiber *f;

    if (source->ready != own_ready)
        return;
    f = (const void *)((const char *)source - offsetof(struct sks__fiber, own));
    fetch(f->coro, SKS__CACHE_LINE);
    fetch(f->frames, FETCHED_FRAMES);
    fetch(f->arg, FETCHED_ARG);
}

static inline __attribute__((always_inline)) void
look_ahead(const struct sks__poller_event *events, int left)
{
    if (left > 1)
        fetch(events[2].node, FETCHED_FIBER);
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
    int left = left_ms(loop), ms = loop->tasks != NULL ? 0 : left, n = 0;
    int spins = loop->spin_us > 0 && ms != 0;
    int64_t until = spins ? sks__clock_us() + loop->spin_us : 0;

    while (spins && n == 0) {
        n = take_events(loop, events, 0);
        spins = sks__clock_us() < until;
    }
    return n != 0 ? n
                  : take_events(loop, events,
                                sks__far_timer_cover(&loop->far_timer, ms));
}

int sks__loop_turn(struct sks__loop *loop)
{
    struct sks__poller_event events[EVENTS];
    int n = await_events(loop, events);

    if (n < 0)
        return n;
    loop->now = sks__clock_ms();
    loop->turn++;
    for (int i = 0; i < n; i++) {
        struct sks__source *source =
            SKS__LIST_ENTRY(events[i].node, struct sks__source, node);

        look_ahead(&events[i], n - i - 1);
        source->ready(source, events[i].events);
    }
    run_tasks(loop);
    ring_due(loop);
    end_turn(loop);
    return 0;
}

static void leave_ring(struct sks__loop *loop)
{
    for (size_t i = 0; i < loop->chunk_count; i++)
        for (size_t k = 0; k < CHUNK; k++) {
            struct sks__fiber *f = &loop->chunks[i][k];

            sks__ring_leave(loop->ring, &f->reception);
            sks__ring_send(loop->ring, &f->outbox, f->own_fd, NULL, 0);
        }
}

/* The system ties a ring to its thread. */
int sks__loop_leave(struct sks__loop *loop)
{
    int rc = 0;

    if (loop->ring == NULL)
        return 0;
    sks__ring_retire(loop->ring);
    leave_ring(loop);
    while (rc == 0 && sks__ring_is_busy(loop->ring))
        rc = sks__loop_turn(loop);
    sks__ring_detach(loop->ring);
    return rc;
}
