/* Threads, one for each processor, each an event loop of coroutines.
 *
 * A request runs in a coroutine of the loop that accepted it.  Where it must
 * wait, the loop goes on with others.  A handler that really blocks, in a
 * computation or in a read of a disk, holds up its loop. */
#include "strategy_coroutine.h"

#include "buffer.h"
#include "cpu.h"
#include "signal_stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many stacks of ended requests, and buffers of waiting ones, are kept. */
enum { STACKS_KEPT = 1024, BUFFERS_KEPT = 64 };

/* Beyond these a stack's size is a mistake. */
enum { STACK_LEAST = 16 * 1024, STACK_MOST = 1 << 30 };

/* How long listeners rest when the system lacks resources, and how many packets
 * a loop handles at once unless told otherwise. */
enum { REST_MS = 100, PACKETS_MAX = 1024 };

/* More event loops than any machine has processors are a mistake. */
enum { LOOPS_MAX = 1024 };

/* Helpers of a server: what one disk, or one name server, has a use for. */
enum { HELPERS_MAX = 64 };

/* --- listening --- */

static void accept_some(struct sks__source *source, short events);

/* One that cannot be waited for now is tried again after a rest: perhaps no
 * other worker has it. */
static void add_listeners(struct sks__coworker *w)
{
    int fd;

    while (w->listener_count < SKS__COLISTENERS_MAX &&
           (fd = sks_server_listener_fileno(w->all->server,
                                            w->listener_count)) >= 0) {
        struct sks__colistener *l = &w->listeners[w->listener_count];

        l->worker = w;
        l->source.ready = accept_some;
        if (sks__poller_add_shared(&w->loop.poller, &l->source.node, fd) < 0) {
            sks__loop_set_alarm(&w->loop, &w->rested, REST_MS);
            break;
        }
        w->listener_count++;
    }
}

static void remove_listeners(struct sks__coworker *w)
{
    while (w->listener_count > 0)
        sks__poller_remove(&w->loop.poller,
                           &w->listeners[--w->listener_count].source.node);
}

/* Takes up the listeners again, if none is waited for. */
static void resume_listening(struct sks__coworker *w)
{
    if (w->listening && w->listener_count == 0)
        add_listeners(w);
}

static void rested(struct sks__alarm *alarm)
{
    struct sks__coworker *w =
        SKS__LIST_ENTRY(alarm, struct sks__coworker, rested);

    if (w->listening)
        add_listeners(w);
}

/* Serving has begun or ended. */
static void set_listening(struct sks__coworker *w, int listening)
{
    struct sks__coroutines *all = w->all;

    if (w->listening == listening)
        return;
    w->listening = listening;
    if (listening)
        add_listeners(w);
    else
        remove_listeners(w);
    pthread_mutex_lock(&all->lock);
    all->listening += listening ? 1 : (size_t)-1;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

/* --- requests --- */

static void run_connection(void *arg)
{
    sks_request_run(arg);
}

/* Replies that are ready before the batch is through leave together. */
static void run_packet(void *arg)
{
    sks_request *request = arg;
    struct sks__coslot *slot = sks_request_slot(request);
    struct sks__coworker *w = slot->worker;

    sks_request_handle(request);
    if (w->gathering)
        w->handled[w->handled_count++] = request;
    else
        sks_requests_finish(&request, 1);
    if (w->packets-- == w->all->max_packets)
        resume_listening(w);
}

static void begin(struct sks__coworker *w, sks_request *request)
{
    struct sks__coslot *slot = sks_request_slot(request);
    int is_packet = sks_request_packet(request, NULL) != NULL;
    int rc;

    slot->worker = w;
    w->packets += is_packet ? 1 : 0;
    rc = sks__loop_spawn(&w->loop, is_packet ? run_packet : run_connection,
                         request, is_packet ? -1 : sks_request_fileno(request));
    if (rc == 0)
        return;
    w->packets -= is_packet ? 1 : 0;
    sks_request_fail(request, rc);
}

static void finish_handled(void *arg)
{
    struct sks__coworker *w = arg;
    sks_request *requests[SKS__COBATCH];
    size_t n = w->handled_count;

    memcpy(requests, w->handled, n * sizeof *requests);
    w->handled_count = 0;
    sks_requests_finish(requests, n);
}

static void begin_all(struct sks__coworker *w, sks_request **requests, int n)
{
    w->gathering = 1;
    for (int i = 0; i < n; i++)
        begin(w, requests[i]);
    w->gathering = 0;
    if (w->handled_count == 0)
        return;
    /* In a coroutine, as it may wait for room in the socket. */
    if (sks__loop_spawn(&w->loop, finish_handled, w, -1) < 0)
        finish_handled(w);
}

static void accept_some(struct sks__source *source, short events)
{
    struct sks__colistener *l =
        SKS__LIST_ENTRY(source, struct sks__colistener, source);
    struct sks__coworker *w = l->worker;
    sks_request *requests[SKS__COBATCH];
    size_t room = w->all->max_packets - w->packets;
    int rc = sks_server_get_requests(w->all->server, (size_t)(l - w->listeners),
                                     requests,
                                     room < SKS__COBATCH ? room : SKS__COBATCH);

    (void)events;
    if (rc > 0)
        begin_all(w, requests, rc);
    if (rc < 0 && rc != SKS_ETIMEDOUT) {
        remove_listeners(w);
        sks__loop_set_alarm(&w->loop, &w->rested, REST_MS);
    }
    if (w->packets >= w->all->max_packets)
        remove_listeners(w);
}

/* --- workers --- */

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
        begin(w, SKS__LIST_ENTRY(n, struct sks__coslot, node)->request);
        pthread_mutex_lock(&all->lock);
    }
    sks__coroutines_return(w);
    serving = all->serving;
    w->stopping = all->stopping;
    pthread_mutex_unlock(&all->lock);
    set_listening(w, serving);
}

static void free_worker(struct sks__coworker *w)
{
    if (w->signal_stack != NULL)
        sks__stack_give(w->signal_stack);
    sks__loop_close(&w->loop);
    sks__wakeup_close(&w->wakeup);
    free(w);
}

static void *work(void *arg)
{
    struct sks__coworker *w = arg;
    struct sks__helpers *helpers = w->all->helpers;
    sks_server *server = w->all->server;
    int rc = 0;

    sks__signal_stack_set(w->signal_stack);
    sks__buffer_keep(BUFFERS_KEPT);
    if (!w->all->no_io_uring)
        sks__loop_use_ring(&w->loop);
    while (rc == 0 && (!w->stopping || w->loop.running > 0))
        rc = sks__loop_turn(&w->loop);
    if (rc < 0)
        sks_server_log(server, SKS_ERROR, "an event loop failed: %s",
                       sks_strerror(rc));
    sks__buffer_keep(0);
    sks__signal_stack_unset(w->signal_stack);
    free_worker(w);
    sks__helpers_release(helpers);
    sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
    sks_server_release(server);
    return NULL;
}

/* A worker without a thread; NULL if the system lacks something. */
static struct sks__coworker *worker_new(struct sks__coroutines *all)
{
    struct sks__coworker *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->all = all;
    w->called.ready = hear;
    w->rested.ring = rested;
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

/* With the lock: a worker that hears takes it before it can free itself. */
static void wake_all(struct sks__coroutines *all)
{
    for (size_t i = 0; i < all->count; i++)
        sks__wakeup_raise(&all->workers[i]->wakeup);
}

static void dismiss(struct sks__coroutines *all, int block)
{
    pthread_mutex_lock(&all->lock);
    all->stopping = 1;
    wake_all(all);
    pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < all->count; i++)
        if (block)
            pthread_join(all->threads[i], NULL);
        else
            pthread_detach(all->threads[i]);
    if (all->helpers != NULL) {
        sks__helpers_dismiss(all->helpers, block);
        sks__helpers_release(all->helpers);
    }
    free(all->workers);
    free(all->threads);
}

static int hire(struct sks__coroutines *all)
{
    struct sks__coworker *w = worker_new(all);
    int rc;

    if (w == NULL)
        return -ENOMEM;
    sks_server_hold(all->server);
    sks_server_add_count(all->server, SKS_COUNT_WORKERS, 1);
    sks__helpers_hold(all->helpers);
    rc = pthread_create(&all->threads[all->count], NULL, work, w);
    if (rc != 0) {
        free_worker(w);
        sks__helpers_release(all->helpers);
        sks_server_add_count(all->server, SKS_COUNT_WORKERS, -1);
        sks_server_release(all->server);
        return -rc;
    }
    all->workers[all->count++] = w;
    return 0;
}

/* --- the strategy --- */

/* What lies beyond the caller's size is zero. */
static int configure(struct sks__coroutines *all,
                     const sks_coroutine_config *config)
{
    sks_coroutine_config c = {.size = sizeof c};

    all->stack_size = SKS__STACK_SIZE;
    all->max_packets = PACKETS_MAX;
    if (config == NULL)
        return 0;
    if (config->size < sizeof config->size)
        return SKS_EVTABLE;
    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (c.stack_size != 0)
        all->stack_size = c.stack_size;
    if (c.max_packets != 0)
        all->max_packets = c.max_packets;
    all->no_io_uring = c.no_io_uring;
    return all->stack_size < STACK_LEAST || all->stack_size > STACK_MOST
               ? -EINVAL
               : 0;
}

static int start(void *self, sks_server *server, void *config)
{
    struct sks__coroutines *all = self;
    unsigned n = sks_server_max_workers(server);
    int rc;

    if (n == 0)
        n = sks__cpu_count();
    *all = (struct sks__coroutines){.server = server};
    rc = configure(all, config);
    if (rc < 0)
        return rc;
    all->workers = calloc(n, sizeof *all->workers);
    all->threads = calloc(n, sizeof *all->threads);
    all->helpers = sks__helpers_new(HELPERS_MAX);
    if (all->workers == NULL || all->threads == NULL || all->helpers == NULL)
        rc = -ENOMEM;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, NULL);
    while (rc == 0 && all->count < n)
        rc = hire(all);
    if (rc < 0)
        dismiss(all, 1);
    return rc;
}

/* To the worker whose turn it is; those of serve go no such way. */
static int process_request(void *self, sks_request *request)
{
    struct sks__coroutines *all = self;
    struct sks__coslot *slot = sks_request_slot(request);
    struct sks__coworker *w;

    slot->request = request;
    pthread_mutex_lock(&all->lock);
    w = all->workers[all->next++ % all->count];
    sks__list_append(&w->inbox, &slot->node);
    pthread_mutex_unlock(&all->lock);
    sks__wakeup_raise(&w->wakeup);
    return 0;
}

static void set_serving(struct sks__coroutines *all, int serving)
{
    pthread_mutex_lock(&all->lock);
    all->serving = serving;
    wake_all(all);
    while (all->listening != (serving ? all->count : 0))
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

static int serve(void *self, sks_server *server)
{
    struct sks__coroutines *all = self;
    int rc;

    set_serving(all, 1);
    rc = sks_server_supervise(server);
    set_serving(all, 0);
    return rc;
}

static int wait_for(void *self, int fd, short events, int ms)
{
    (void)self;
    return sks__loop_wait(fd, events, ms);
}

static ssize_t receive(void *self, int fd, void *buf, size_t n, int now)
{
    (void)self;
    return sks__loop_receive(fd, buf, n, now);
}

static sks_request *overflowed(void *self, const void *address)
{
    struct sks__fiber *f = sks__loop_guarded_at(address);

    (void)self;
    return f != NULL ? sks__loop_arg(f) : NULL;
}

static void stop(void *self, sks_server *server, int block)
{
    struct sks__coroutines *all = self;

    (void)server;
    dismiss(all, block);
    if (!block)
        return; /* those let go still use the lock */
    pthread_mutex_destroy(&all->lock);
    pthread_cond_destroy(&all->changed);
}

static const sks_strategy coroutine = {
    .size = sizeof coroutine,
    .name = "coroutine",
    .flags = SKS_SHARES_MEMORY | SKS_PARALLEL | SKS_MULTIPLEXES,
    .self_size = sizeof(struct sks__coroutines),
    .request_size = sizeof(struct sks__coslot),
    .start = start,
    .process_request = process_request,
    .serve = serve,
    .wait = wait_for,
    .stop = stop,
    .most_workers = LOOPS_MAX,
    .offload = sks__coroutines_offload,
    .overflowed = overflowed,
    .receive = receive,
};

const sks_strategy *sks_coroutine(void)
{
    return &coroutine;
}
