/* A thread for each request; a thread that has ended one waits a while for the
 * next, because making a thread costs more than most requests.
 *
 * Threads end by returning from their main function: on glibc, pthread_exit()
 * and pthread_cancel() load a library, and abort the process when they cannot
 * open it for want of descriptors. */
#include "list.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* How long an idle thread waits for its next request. */
enum { KEEP_SECONDS = 10 };

/* lock guards all of it, and the workers. */
struct threading {
    pthread_mutex_t lock;
    pthread_condattr_t monotonic;
    struct sks__list idle; /* of worker.idle, the last one idle at the end */
    struct sks__list live; /* of worker.node */
    struct sks__list done; /* of worker.node: to be joined and freed */
    int stopping;          /* idle threads end */
    int let_go;            /* threads detach themselves */
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

static int start(void *self, sks_server *server, void *config)
{
    struct threading *t = self;
    int rc = pthread_condattr_init(&t->monotonic);

    (void)server, (void)config;
    if (rc != 0)
        return -rc;
    pthread_condattr_setclock(&t->monotonic, CLOCK_MONOTONIC);
    rc = pthread_mutex_init(&t->lock, NULL);
    if (rc != 0) {
        pthread_condattr_destroy(&t->monotonic);
        return -rc;
    }
    sks__list_init(&t->idle);
    sks__list_init(&t->live);
    sks__list_init(&t->done);
    return 0;
}

/* Waits for the worker's next request; NULL: end. */
static sks_request *next_request(struct worker *w)
{
    struct threading *t = w->threading;
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += KEEP_SECONDS;
    pthread_mutex_lock(&t->lock);
    w->request = NULL;
    sks__list_append(&t->idle, &w->idle);
    while (w->request == NULL && !t->stopping && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&w->wake, &t->lock, &until);
    sks__list_remove(&w->idle);
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
    sks_request *request = w->request;

    while (request != NULL) {
        sks_request_run(request);
        request = next_request(w);
    }
    leave(w);
    sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
    sks_server_release(server);
    return NULL;
}

/* A worker with a thread that runs the request; 0 or an error. */
static int hire(struct threading *t, sks_request *request)
{
    struct worker *w = calloc(1, sizeof *w);
    int rc;

    if (w == NULL)
        return -ENOMEM;
    w->threading = t;
    w->server = sks_request_server(request);
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
    pthread_mutex_unlock(&t->lock);
    rc = pthread_create(&w->thread, NULL, work, w);
    if (rc == 0)
        return 0;
    pthread_mutex_lock(&t->lock);
    sks__list_remove(&w->node);
    pthread_mutex_unlock(&t->lock);
    sks_server_add_count(w->server, SKS_COUNT_WORKERS, -1);
    sks_server_release(w->server);
    free_worker(w);
    return -rc;
}

static int process_request(void *self, sks_request *request)
{
    struct threading *t = self;
    struct worker *w = NULL;

    pthread_mutex_lock(&t->lock);
    if (!sks__list_is_empty(&t->idle)) {
        /* The one that idles for the shortest time has the warmest cache. */
        w = SKS__LIST_ENTRY(t->idle.prev, struct worker, idle);
        sks__list_remove(&w->idle);
        w->request = request;
    }
    pthread_mutex_unlock(&t->lock);
    /* Without the lock, which it would have to wait for. */
    if (w != NULL)
        pthread_cond_signal(&w->wake);
    return w != NULL ? 0 : hire(t, request);
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

static void service_actions(void *self, sks_server *server)
{
    struct threading *t = self;

    (void)server;
    join_all(t, &t->done);
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
}

static const sks_strategy threading = {
    .size = sizeof threading,
    .name = "threading",
    .flags = SKS_SHARES_MEMORY | SKS_PARALLEL,
    .max_workers = 512,
    .self_size = sizeof(struct threading),
    .start = start,
    .process_request = process_request,
    .service_actions = service_actions,
    .stop = stop,
};

const sks_strategy *sks_threading(void)
{
    return &threading;
}
