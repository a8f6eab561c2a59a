/* The coroutine strategy's workers: each an event loop, and the thread that
 * turns it.  One of them, the last, has none of its own at first: the thread
 * that serves turns it, so that with a single worker nothing is handed from
 * thread to thread, and the program stays without further threads.  It gets a
 * thread when a request must go on while nobody serves. */
#include "strategy_coroutine.h"

#include "buffer.h"
#include "signal_stack.h"

#include <errno.h>
#include <stdlib.h>

/* How many stacks of ended requests, and buffers of waiting ones, are kept. */
enum { STACKS_KEPT = 1024, BUFFERS_KEPT = 64 };

/* Another thread has a request, or word of a change, for this one. */
static void hear(struct sks__source *source, short events)
{
    struct sks__coworker *w =
        SKS__LIST_ENTRY(source, struct sks__coworker, called);
    struct sks__coroutines *all = w->all;
    struct sks__list *n;
    int serving;

    (void)events;
    sks__wakeup_clear(&w->wakeup);
    sks__poller_rearm(&w->loop.poller, &w->called.node, POLLIN);
    pthread_mutex_lock(&all->lock);
    while (!sks__list_is_empty(&w->inbox)) {
        n = w->inbox.next;
        sks__list_remove(n);
        pthread_mutex_unlock(&all->lock);
        sks__coworker_begin(
            w, SKS__LIST_ENTRY(n, struct sks__coslot, node)->request);
        pthread_mutex_lock(&all->lock);
    }
    sks__coroutines_return(w);
    serving = all->serving;
    w->stopping = all->stopping;
    pthread_mutex_unlock(&all->lock);
    sks__coworker_set_listening(w, serving);
}

/* --- one worker --- */

static void free_worker(struct sks__coworker *w)
{
    if (w->signal_stack != NULL)
        sks__stack_give(w->signal_stack);
    sks__loop_close(&w->loop);
    sks__wakeup_close(&w->wakeup);
    free(w);
}

/* A worker without a thread; NULL if the system lacks something. */
static struct sks__coworker *worker_new(struct sks__coroutines *all)
{
    struct sks__coworker *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->all = all;
    w->called.ready = hear;
    w->rested.ring = sks__coworker_rested;
    sks__list_init(&w->inbox);
    sks__list_init(&w->returned);
    if (sks__wakeup_open(&w->wakeup) < 0) {
        free(w);
        return NULL;
    }
    if (sks__loop_open(&w->loop, all->stack_size, STACKS_KEPT) < 0) {
        sks__wakeup_close(&w->wakeup);
        free(w);
        return NULL;
    }
    w->loop.spin_us = sks_server_spin_us(all->server);
    w->signal_stack = sks__stack_take(w->loop.stacks);
    if (w->signal_stack == NULL ||
        sks__poller_add(&w->loop.poller, &w->called.node, w->wakeup.read_fd,
                        POLLIN) < 0) {
        free_worker(w);
        return NULL;
    }
    return w;
}

/* The calling thread turns the worker's loop from now on. */
static void enter(struct sks__coworker *w)
{
    sks__signal_stack_set(w->signal_stack);
    sks__buffer_keep(BUFFERS_KEPT);
}

static void leave(struct sks__coworker *w)
{
    sks__buffer_keep(0);
    sks__signal_stack_unset(w->signal_stack);
}

static void use_ring(struct sks__coworker *w)
{
    if (!w->all->no_io_uring && w->loop.running == 0)
        sks__loop_use_ring(&w->loop);
}

/* --- threads --- */

/* The thread that serves leaves what it ran to this one, and waits for that. */
static void take_over(struct sks__coworker *w)
{
    struct sks__coroutines *all = w->all;

    sks_server_take_over(all->server);
    pthread_mutex_lock(&all->lock);
    w->taken_over = 1;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

static void *work(void *arg)
{
    struct sks__coworker *w = arg;
    struct sks__helpers *helpers = w->all->helpers;
    sks_server *server = w->all->server;
    int rc = 0;

    enter(w);
    if (w->loop.running > 0)
        take_over(w);
    use_ring(w);
    while (rc == 0 && (!w->stopping || w->loop.running > 0))
        rc = sks__loop_turn(&w->loop);
    if (rc < 0)
        sks_server_log(server, SKS_ERROR, "an event loop failed: %s",
                       sks_strerror(rc));
    leave(w);
    free_worker(w);
    sks__helpers_release(helpers);
    sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
    sks_server_release(server);
    return NULL;
}

int sks__coroutines_hire(struct sks__coroutines *all)
{
    int rc;

    sks_server_hold(all->server);
    sks_server_add_count(all->server, SKS_COUNT_WORKERS, 1);
    sks__helpers_hold(all->helpers);
    rc = pthread_create(&all->threads[all->hired], NULL, work,
                        all->workers[all->hired]);
    if (rc == 0) {
        all->hired++;
        return 0;
    }
    sks__helpers_release(all->helpers);
    sks_server_add_count(all->server, SKS_COUNT_WORKERS, -1);
    sks_server_release(all->server);
    return -rc;
}

/* With the lock: a worker that hears takes it before it can free itself. */
static void wake_all(struct sks__coroutines *all)
{
    for (size_t i = 0; i < all->count; i++)
        sks__wakeup_raise(&all->workers[i]->wakeup);
}

void sks__coroutines_dismiss(struct sks__coroutines *all, int block)
{
    pthread_mutex_lock(&all->lock);
    all->stopping = 1;
    wake_all(all);
    pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < all->hired; i++)
        if (block)
            pthread_join(all->threads[i], NULL);
        else
            pthread_detach(all->threads[i]);
    for (size_t i = all->hired; i < all->count; i++)
        free_worker(all->workers[i]);
    if (all->helpers != NULL) {
        sks__helpers_dismiss(all->helpers, block);
        sks__helpers_release(all->helpers);
    }
    free(all->workers);
    free(all->threads);
}

int sks__coroutines_make(struct sks__coroutines *all, size_t n)
{
    int rc = 0;

    while (all->count < n) {
        all->workers[all->count] = worker_new(all);
        if (all->workers[all->count] == NULL)
            return -ENOMEM;
        all->count++;
    }
    while (rc == 0 && all->hired + 1 < n)
        rc = sks__coroutines_hire(all);
    return rc;
}

/* --- serving --- */

/* own: the worker whose loop the calling thread turns; NULL if all have
 * threads. */
static void set_serving(struct sks__coroutines *all, int serving,
                        struct sks__coworker *own)
{
    if (own != NULL)
        sks__coworker_set_listening(own, serving);
    pthread_mutex_lock(&all->lock);
    all->serving = serving;
    wake_all(all);
    while (all->listening != (serving ? all->count : 0))
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

static int supervise(struct sks__coroutines *all)
{
    int rc;

    set_serving(all, 1, NULL);
    rc = sks_server_supervise(all->server);
    set_serving(all, 0, NULL);
    return rc;
}

static void plan(struct sks__coduty *d)
{
    int ms = sks_server_supervise_ms(d->worker->all->server);

    if (ms >= 0)
        sks__loop_set_alarm(&d->worker->loop, &d->due, ms);
    else
        sks__timers_cancel(&d->due.timer);
}

static void attend(struct sks__coduty *d)
{
    if (d->rc == 0)
        d->rc = sks_server_supervise_once(d->worker->all->server);
    plan(d);
}

static void is_due(struct sks__alarm *alarm)
{
    attend(SKS__LIST_ENTRY(alarm, struct sks__coduty, due));
}

static void is_called(struct sks__source *source, short events)
{
    struct sks__cocall *call =
        SKS__LIST_ENTRY(source, struct sks__cocall, source);

    (void)events;
    if (call->duty->watched == 0)
        return; /* late news */
    attend(call->duty);
    sks__poller_rearm(&call->duty->worker->loop.poller, &source->node, POLLIN);
}

static void stop_watching(struct sks__coduty *d)
{
    struct sks__loop *loop = &d->worker->loop;

    while (d->watched > 0)
        sks__poller_remove(&loop->poller, &d->calls[--d->watched].source.node);
    sks__timers_remove(&loop->timers, &d->due.timer);
}

/* 0 or an error, which changes nothing. */
static int watch(struct sks__coduty *d, struct sks__coworker *w)
{
    int rc = 0;

    *d = (struct sks__coduty){.worker = w, .due.ring = is_due};
    while (rc == 0 && d->watched < SKS__COCALLS) {
        struct sks__cocall *call = &d->calls[d->watched];

        call->duty = d;
        call->source.ready = is_called;
        rc = sks__poller_add(&w->loop.poller, &call->source.node,
                             sks_server_supervise_fileno(w->all->server,
                                                         d->watched),
                             POLLIN);
        d->watched += rc == 0;
    }
    if (rc < 0)
        stop_watching(d);
    return rc;
}

/* Until serving should end. */
static int turn(struct sks__coduty *d)
{
    struct sks__coworker *w = d->worker;
    int rc = 0;

    plan(d);
    while (rc == 0 && d->rc == 0 && !sks_server_stopping(w->all->server))
        rc = sks__loop_turn(&w->loop);
    return rc < 0 ? rc : d->rc;
}

/* Until the last coroutine has ended: without a thread that would go on. */
static int finish_here(struct sks__coworker *w)
{
    int rc = 0;

    enter(w);
    while (rc == 0 && w->loop.running > 0)
        rc = sks__loop_turn(&w->loop);
    leave(w);
    return rc;
}

/* What still runs goes on while nobody serves, in a thread of its own. */
static int hand_over(struct sks__coworker *w)
{
    struct sks__coroutines *all = w->all;

    if (w->loop.running == 0)
        return 0;
    if (sks__coroutines_hire(all) < 0)
        return finish_here(w);
    pthread_mutex_lock(&all->lock);
    while (!w->taken_over)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
    return 0;
}

static int serve_as_worker(struct sks__coworker *w)
{
    int rc, left;

    enter(w);
    use_ring(w);
    set_serving(w->all, 1, w);
    rc = turn(&w->duty);
    set_serving(w->all, 0, w);
    stop_watching(&w->duty);
    left = sks__loop_leave(&w->loop);
    leave(w);
    if (left == 0)
        left = hand_over(w);
    return rc < 0 ? rc : left;
}

/* If the thread that serves cannot turn the last worker's loop, another one
 * does. */
int sks__coroutines_serve(struct sks__coroutines *all)
{
    struct sks__coworker *w = all->workers[all->count - 1];
    int rc = 0;

    if (all->hired < all->count && watch(&w->duty, w) == 0)
        return serve_as_worker(w);
    if (all->hired < all->count)
        rc = sks__coroutines_hire(all);
    return rc < 0 ? rc : supervise(all);
}
