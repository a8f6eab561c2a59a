/* Threads, one for each processor, each an event loop of coroutines.
 *
 * A request runs in a coroutine of the loop that accepted it.  Where it must
 * wait, the loop goes on with others.  A handler that really blocks, in a
 * computation or in a read of a disk, holds up its loop. */
#include "cpu.h"
#include "fd.h"
#include "loop.h"
#include "wakeup.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Address space of a stack, and how many stacks of ended requests are kept. */
enum { STACK_SIZE = 64 * 1024, STACKS_KEPT = 1024 };

/* Connections taken in one go, so that running ones get their turn. */
enum { ACCEPT_BATCH = 32 };

/* How long listeners rest when the system lacks resources, and how many packets
 * a loop handles at once. */
enum { REST_MS = 100, PACKETS_MAX = 1024 };

enum { LISTENERS_MAX = 64 };

/* More event loops than any machine has processors are a mistake. */
enum { LOOPS_MAX = 1024 };

struct worker;

/* lock guards what follows it; the rest is set by start. */
struct coroutines {
    sks_server *server;
    struct worker **workers; /* each frees itself */
    pthread_t *threads;
    size_t count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t listening; /* workers that have the listeners */
    int serving;      /* workers should have them */
    int stopping;     /* workers end with their last request */
    size_t next;      /* to get a request that came another way */
};

struct listener {
    struct sks__source source;
    struct worker *worker;
};

/* Its thread's alone, but for the inbox, which the strategy's lock guards. */
struct worker {
    struct coroutines *all;
    struct sks__loop loop;
    struct sks__wakeup wakeup;
    struct sks__source called; /* the wakeup was raised */
    struct sks__list inbox;    /* requests that another thread got */
    struct sks__alarm rested;
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count; /* in the poller */
    int listening;         /* counted among those */
    int stopping;
    unsigned packets; /* running */
};

/* What a request holds. */
struct errand {
    struct sks__list node; /* in an inbox */
    sks_request *request;
    struct worker *worker;
};

/* --- listening --- */

static void accept_some(struct sks__source *source, short events);

static void add_listeners(struct worker *w)
{
    int fd;

    while (w->listener_count < LISTENERS_MAX &&
           (fd = sks_server_listener_fileno(w->all->server,
                                            w->listener_count)) >= 0) {
        struct listener *l = &w->listeners[w->listener_count];

        l->worker = w;
        l->source.ready = accept_some;
        if (sks__poller_add_shared(&w->loop.poller, &l->source.node, fd) < 0)
            break;
        w->listener_count++;
    }
}

static void remove_listeners(struct worker *w)
{
    while (w->listener_count > 0)
        sks__poller_remove(&w->loop.poller,
                           &w->listeners[--w->listener_count].source.node);
}

/* Takes up the listeners again after a rest. */
static void resume_listening(struct worker *w)
{
    if (w->listening && w->listener_count == 0)
        add_listeners(w);
}

static void rested(struct sks__alarm *alarm)
{
    resume_listening(SKS__LIST_ENTRY(alarm, struct worker, rested));
}

/* Serving has begun or ended. */
static void set_listening(struct worker *w, int listening)
{
    struct coroutines *all = w->all;

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

static void run_request(void *arg)
{
    struct errand *errand = arg;
    struct worker *w = errand->worker;
    int is_packet = sks_request_packet(errand->request, NULL) != NULL;

    sks_request_run(errand->request);
    if (is_packet && w->packets-- == PACKETS_MAX)
        resume_listening(w);
}

static void begin(struct worker *w, sks_request *request)
{
    struct errand *errand = sks_request_slot(request);
    int is_packet = sks_request_packet(request, NULL) != NULL;
    int rc;

    errand->request = request;
    errand->worker = w;
    w->packets += is_packet ? 1 : 0;
    rc = sks__loop_spawn(&w->loop, run_request, errand,
                         is_packet ? -1 : sks_request_fileno(request));
    if (rc == 0)
        return;
    w->packets -= is_packet ? 1 : 0;
    sks_request_fail(request, rc);
}

static void accept_some(struct sks__source *source, short events)
{
    struct worker *w = SKS__LIST_ENTRY(source, struct listener, source)->worker;

    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && w->packets < PACKETS_MAX; i++) {
        sks_request *request;
        int rc = sks_server_get_request(w->all->server, &request, 0);

        if (rc == 0) {
            begin(w, request);
        } else if (rc != -EAGAIN) {
            if (rc != SKS_ETIMEDOUT) {
                remove_listeners(w);
                sks__loop_set_alarm(&w->loop, &w->rested, REST_MS);
            }
            return;
        }
    }
    if (w->packets >= PACKETS_MAX)
        remove_listeners(w);
}

/* --- workers --- */

/* Another thread has a request, or word of a change, for this one. */
static void hear(struct sks__source *source, short events)
{
    struct worker *w = SKS__LIST_ENTRY(source, struct worker, called);
    struct coroutines *all = w->all;
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
        begin(w, SKS__LIST_ENTRY(n, struct errand, node)->request);
        pthread_mutex_lock(&all->lock);
    }
    serving = all->serving;
    w->stopping = all->stopping;
    pthread_mutex_unlock(&all->lock);
    set_listening(w, serving);
}

static void free_worker(struct worker *w)
{
    sks__loop_close(&w->loop);
    sks__wakeup_close(&w->wakeup);
    free(w);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    sks_server *server = w->all->server;
    int rc = 0;

    while (rc == 0 && (!w->stopping || w->loop.running > 0))
        rc = sks__loop_turn(&w->loop);
    if (rc < 0)
        sks_server_log(server, SKS_ERROR, "an event loop failed: %s",
                       sks_strerror(rc));
    free_worker(w);
    sks_server_release(server);
    return NULL;
}

/* A worker without a thread; NULL if the system lacks something. */
static struct worker *worker_new(struct coroutines *all)
{
    struct worker *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->all = all;
    w->called.ready = hear;
    w->rested.ring = rested;
    sks__list_init(&w->inbox);
    if (sks__wakeup_open(&w->wakeup) < 0) {
        free(w);
        return NULL;
    }
    if (sks__loop_open(&w->loop, STACK_SIZE, STACKS_KEPT) < 0) {
        sks__wakeup_close(&w->wakeup);
        free(w);
        return NULL;
    }
    if (sks__poller_add(&w->loop.poller, &w->called.node, w->wakeup.read_fd,
                        POLLIN) < 0) {
        free_worker(w);
        return NULL;
    }
    return w;
}

/* With the lock: a worker that hears takes it before it can free itself. */
static void wake_all(struct coroutines *all)
{
    for (size_t i = 0; i < all->count; i++)
        sks__wakeup_raise(&all->workers[i]->wakeup);
}

static void dismiss(struct coroutines *all, int block)
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
    free(all->workers);
    free(all->threads);
}

static int hire(struct coroutines *all)
{
    struct worker *w = worker_new(all);
    int rc;

    if (w == NULL)
        return -ENOMEM;
    sks_server_hold(all->server);
    rc = pthread_create(&all->threads[all->count], NULL, work, w);
    if (rc != 0) {
        free_worker(w);
        sks_server_release(all->server);
        return -rc;
    }
    all->workers[all->count++] = w;
    return 0;
}

/* --- the strategy --- */

static int start(void *self, sks_server *server, void *config)
{
    struct coroutines *all = self;
    unsigned n = sks_server_max_workers(server);
    int rc = 0;

    (void)config;
    if (n == 0)
        n = sks__cpu_count();
    *all = (struct coroutines){.server = server};
    all->workers = calloc(n, sizeof *all->workers);
    all->threads = calloc(n, sizeof *all->threads);
    if (all->workers == NULL || all->threads == NULL)
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
    struct coroutines *all = self;
    struct errand *errand = sks_request_slot(request);
    struct worker *w;

    errand->request = request;
    pthread_mutex_lock(&all->lock);
    w = all->workers[all->next++ % all->count];
    sks__list_append(&w->inbox, &errand->node);
    pthread_mutex_unlock(&all->lock);
    sks__wakeup_raise(&w->wakeup);
    return 0;
}

static void set_serving(struct coroutines *all, int serving)
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
    struct coroutines *all = self;
    int rc;

    set_serving(all, 1);
    rc = sks_server_supervise(server);
    set_serving(all, 0);
    return rc;
}

static int wait_for(void *self, int fd, short events, int ms)
{
    (void)self;
    if (sks__loop_is_inside())
        return sks__loop_wait(fd, events, ms);
    return sks__fd_wait(fd, events, ms);
}

static void stop(void *self, sks_server *server, int block)
{
    struct coroutines *all = self;

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
    .self_size = sizeof(struct coroutines),
    .request_size = sizeof(struct errand),
    .start = start,
    .process_request = process_request,
    .serve = serve,
    .wait = wait_for,
    .stop = stop,
    .most_workers = LOOPS_MAX,
};

const sks_strategy *sks_coroutine(void)
{
    return &coroutine;
}
