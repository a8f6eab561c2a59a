/* A thread for each request; a thread that has ended one waits a while for the
 * next, because making a thread costs more than most requests.
 *
 * Where no further thread can be made, a request waits for the first that has
 * ended another, or until one can be made after all.  Only if there is none at
 * all has it failed.
 *
 * Threads end by returning from their main function: on glibc, pthread_exit()
 * and pthread_cancel() load a library, and abort the process when they cannot
 * open it for want of descriptors. */
#include "list.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long an idle thread waits for its next request. */
enum { KEEP_SECONDS = 10 };

/* How soon it is tried again to make a thread, in milliseconds. */
enum { RETRY_MS = 100 };

/* Bytes of address space.  Page tables have one page for 2 MiB of it, which
 * four threads share so. */
enum { STACK_SIZE = 512 * 1024, STACK_LEAST = 16384, STACK_MOST = 1 << 30 };

/* lock guards all of it, and the workers. */
struct threading {
    pthread_mutex_t lock;
    pthread_attr_t attributes; /* of the threads; written at the start alone */
    pthread_condattr_t monotonic;
    struct sks__list idle;    /* of worker.idle, the last one idle at the end */
    struct sks__list live;    /* of worker.node */
    struct sks__list done;    /* of worker.node: to be joined and freed */
    struct sks__list waiting; /* of slot.node, for want of a thread */
    unsigned staff;           /* threads that will look for another request */
    int stopping;             /* idle threads end */
    int let_go;               /* threads detach themselves */
};

/* Of each request. */
struct slot {
    struct sks__list node;
    sks_request *request;
};

/* Made with its thread; freed by who joins it, or by itself if let go. */
struct worker {
    struct sks__list node, idle;
    struct threading *threading;
    sks_server *server;
    sks_request *request; /* the next to run */
    pthread_t thread;
    pthread_cond_t wake;
};

/* The size of a stack by the config, or an error. */
static ssize_t stack_size_of(const sks_threading_config *config)
{
    sks_threading_config c = {.size = sizeof c};

    if (config == NULL)
        return STACK_SIZE;
    if (config->size < sizeof config->size)
        return SKS_EVTABLE;
    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (c.stack_size == 0)
        return STACK_SIZE;
    return c.stack_size < STACK_LEAST || c.stack_size > STACK_MOST
               ? -EINVAL
               : (ssize_t)c.stack_size;
}

static int init_attributes(struct threading *t, size_t stack_size)
{
    int rc = pthread_attr_init(&t->attributes);

    if (rc != 0)
        return -rc;
    rc = pthread_attr_setstacksize(&t->attributes, stack_size);
    if (rc != 0)
        pthread_attr_destroy(&t->attributes);
    return -rc;
}

static int init_lock(struct threading *t)
{
    int rc = pthread_condattr_init(&t->monotonic);

    if (rc != 0)
        return -rc;
    pthread_condattr_setclock(&t->monotonic, CLOCK_MONOTONIC);
    rc = pthread_mutex_init(&t->lock, NULL);
    if (rc != 0)
        pthread_condattr_destroy(&t->monotonic);
    return -rc;
}

static int start(void *self, sks_server *server, void *config)
{
    struct threading *t = self;
    ssize_t stack_size = stack_size_of(config);
    int rc;

    (void)server;
    if (stack_size < 0)
        return (int)stack_size;
    rc = init_attributes(t, (size_t)stack_size);
    if (rc < 0)
        return rc;
    rc = init_lock(t);
    if (rc < 0) {
        pthread_attr_destroy(&t->attributes);
        return rc;
    }
    sks__list_init(&t->idle);
    sks__list_init(&t->live);
    sks__list_init(&t->done);
    sks__list_init(&t->waiting);
    return 0;
}

/* With the lock: the request that waits for the longest time, out of the list;
 * NULL if none does. */
static sks_request *take_waiting(struct threading *t)
{
    struct slot *slot;

    if (sks__list_is_empty(&t->waiting))
        return NULL;
    slot = SKS__LIST_ENTRY(t->waiting.next, struct slot, node);
    sks__list_remove(&slot->node);
    return slot->request;
}

/* With the lock, which is released meanwhile: idles until the worker has a
 * request, or should end. */
static void idle(struct worker *w, const struct timespec *until)
{
    struct threading *t = w->threading;
    int rc = 0;

    sks__list_append(&t->idle, &w->idle);
    while (w->request == NULL && !t->stopping && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&w->wake, &t->lock, until);
    sks__list_remove(&w->idle);
}

/* Waits for the worker's next request; NULL: end. */
static sks_request *next_request(struct worker *w)
{
    struct threading *t = w->threading;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += KEEP_SECONDS;
    pthread_mutex_lock(&t->lock);
    w->request = take_waiting(t);
    if (w->request == NULL)
        idle(w, &until);
    if (w->request == NULL)
        t->staff--;
    pthread_mutex_unlock(&t->lock);
    return w->request;
}

static void free_worker(struct worker *w)
{
    pthread_cond_destroy(&w->wake);
    free(w);
}

/* Hands the worker to whoever joins its thread, unless somebody does already
 * or nobody ever will. */
static void leave(struct worker *w)
{
    struct threading *t = w->threading;

    pthread_mutex_lock(&t->lock);
    if (!t->stopping) {
        sks__list_remove(&w->node);
        sks__list_append(&t->done, &w->node);
    }
    if (t->let_go)
        free_worker(w);
    pthread_mutex_unlock(&t->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    sks_server *server = w->server;
    sks_request *request = w->request != NULL ? w->request : next_request(w);

    while (request != NULL) {
        sks_request_run(request);
        request = next_request(w);
    }
    leave(w);
    sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
    sks_server_release(server);
    return NULL;
}

/* A worker with a thread that runs the request, or NULL: one that waits; 0 or
 * an error. */
static int hire(struct threading *t, sks_server *server, sks_request *request)
{
    struct worker *w = calloc(1, sizeof *w);
    int rc;

    if (w == NULL)
        return -ENOMEM;
    w->threading = t;
    w->server = server;
    w->request = request;
    sks__list_init(&w->idle);
    rc = pthread_cond_init(&w->wake, &t->monotonic);
    if (rc != 0) {
        free(w);
        return -rc;
    }
    sks_server_hold(w->server);
    sks_server_add_count(w->server, SKS_COUNT_WORKERS, 1);
    pthread_mutex_lock(&t->lock);
    sks__list_append(&t->live, &w->node);
    t->staff++;
    pthread_mutex_unlock(&t->lock);
    rc = pthread_create(&w->thread, &t->attributes, work, w);
    if (rc == 0)
        return 0;
    pthread_mutex_lock(&t->lock);
    sks__list_remove(&w->node);
    t->staff--;
    pthread_mutex_unlock(&t->lock);
    sks_server_add_count(w->server, SKS_COUNT_WORKERS, -1);
    sks_server_release(w->server);
    free_worker(w);
    return -rc;
}

/* With the lock: an idle worker that now has the request; NULL if none is. */
static struct worker *assign(struct threading *t, sks_request *request)
{
    struct worker *w;

    if (sks__list_is_empty(&t->idle))
        return NULL;
    /* The one that idles for the shortest time has the warmest cache. */
    w = SKS__LIST_ENTRY(t->idle.prev, struct worker, idle);
    sks__list_remove(&w->idle);
    w->request = request;
    return w;
}

/* With the lock. */
static void put_waiting(struct threading *t, sks_request *request, int why)
{
    struct slot *slot = sks_request_slot(request);

    if (sks__list_is_empty(&t->waiting))
        sks_server_log(sks_request_server(request), SKS_WARNING,
                       "cannot start another thread: %s", sks_strerror(why));
    slot->request = request;
    sks__list_append(&t->waiting, &slot->node);
}

/* Has the request wait for a thread, of which one may idle by now: 0; or why
 * there is none that it could wait for. */
static int make_wait(struct threading *t, sks_request *request, int why)
{
    struct worker *w;
    int rc = 0;

    pthread_mutex_lock(&t->lock);
    w = assign(t, request);
    if (w == NULL && t->staff > 0)
        put_waiting(t, request, why);
    else if (w == NULL)
        rc = why;
    pthread_mutex_unlock(&t->lock);
    if (w != NULL)
        pthread_cond_signal(&w->wake);
    return rc;
}

static int process_request(void *self, sks_request *request)
{
    struct threading *t = self;
    struct worker *w;
    int rc;

    pthread_mutex_lock(&t->lock);
    w = assign(t, request);
    pthread_mutex_unlock(&t->lock);
    /* Without the lock, which it would have to wait for. */
    if (w != NULL) {
        pthread_cond_signal(&w->wake);
        return 0;
    }
    rc = hire(t, sks_request_server(request), request);
    return rc < 0 ? make_wait(t, request, rc) : 0;
}

/* The first worker of a list, out of it; NULL if there is none. */
static struct worker *take_first(struct threading *t, struct sks__list *list)
{
    struct worker *w = NULL;

    pthread_mutex_lock(&t->lock);
    if (!sks__list_is_empty(list)) {
        w = SKS__LIST_ENTRY(list->next, struct worker, node);
        sks__list_remove(&w->node);
    }
    pthread_mutex_unlock(&t->lock);
    return w;
}

static void join_all(struct threading *t, struct sks__list *list)
{
    struct worker *w;

    while ((w = take_first(t, list)) != NULL) {
        pthread_join(w->thread, NULL);
        free_worker(w);
    }
}

/* Tries again to make a thread for each that waits. */
static void hire_for_waiting(struct threading *t, sks_server *server)
{
    size_t n = 0;

    pthread_mutex_lock(&t->lock);
    for (struct sks__list *i = t->waiting.next; i != &t->waiting; i = i->next)
        n++;
    pthread_mutex_unlock(&t->lock);
    while (n > 0 && hire(t, server, NULL) == 0)
        n--;
}

static void service_actions(void *self, sks_server *server)
{
    struct threading *t = self;

    join_all(t, &t->done);
    hire_for_waiting(t, server);
}

static int turn_ms(void *self)
{
    struct threading *t = self;
    int waits;

    pthread_mutex_lock(&t->lock);
    waits = !sks__list_is_empty(&t->waiting);
    pthread_mutex_unlock(&t->lock);
    return waits ? RETRY_MS : -1;
}

static void dismiss(struct threading *t, int let_go)
{
    pthread_mutex_lock(&t->lock);
    t->stopping = 1;
    t->let_go = let_go;
    for (struct sks__list *n = t->live.next; n != &t->live; n = n->next) {
        struct worker *w = SKS__LIST_ENTRY(n, struct worker, node);

        pthread_cond_signal(&w->wake);
        if (let_go)
            pthread_detach(w->thread);
    }
    pthread_mutex_unlock(&t->lock);
}

static void stop(void *self, sks_server *server, int block)
{
    struct threading *t = self;

    (void)server;
    dismiss(t, !block);
    join_all(t, &t->done);
    if (!block)
        return; /* those let go still use the lock */
    join_all(t, &t->live);
    pthread_mutex_destroy(&t->lock);
    pthread_condattr_destroy(&t->monotonic);
    pthread_attr_destroy(&t->attributes);
}

static const sks_strategy threading = {
    .size = sizeof threading,
    .name = "threading",
    .flags = SKS_SHARES_MEMORY | SKS_PARALLEL,
    .max_workers = 512,
    .self_size = sizeof(struct threading),
    .request_size = sizeof(struct slot),
    .start = start,
    .process_request = process_request,
    .service_actions = service_actions,
    .stop = stop,
    .turn_ms = turn_ms,
};

const sks_strategy *sks_threading(void)
{
    return &threading;
}
