/* Threads that each accept for themselves.
 *
 * A worker waits for the listeners in a poller of its own, of which the system
 * wakes one for each connection.  Whoever takes a request while nobody else
 * waits for one starts another worker, up to the maximum; whoever waits in vain
 * for long ends, down to the minimum.  With all of them busy nobody looks at
 * the listeners, and clients wait in the system's queue.
 *
 * Of packets a worker takes as many at once as it has lately handled in an
 * instant.  The thread that serves watches over those batches meanwhile: what a
 * blocked handler holds up goes into the inbox, for others to take.  While
 * handlers are quick, only as many workers look at the listeners as that takes,
 * for each packet would wake one of those who idle there.
 *
 * Outside of serve, requests come through process_request, from a thread that
 * calls sks_server_handle_request(): workers park, and find them in the inbox.
 *
 * Threads end by returning; each joins the one that ended before it. */
#include "strategy_thread_pool.h"

#include "cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The defaults. */
enum { WORKERS_PER_CPU = 4, KEEP_MS = 10000 };

static int watch_fileno(void *self, size_t i)
{
    const struct sks__crew *p = self;

    return i == 0 ? p->watch.read_fd : -1;
}

static int has_packets_only(const sks_server *server)
{
    int fd, type;

    for (size_t i = 0; (fd = sks_server_listener_fileno(server, i)) >= 0; i++) {
        socklen_t len = sizeof type;

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
            type != SOCK_DGRAM)
            return 0;
    }
    return 1;
}

static int configure(struct sks__crew *p, const sks_thread_pool_config *config)
{
    unsigned cpus = p->cpus = sks__cpu_count();
    unsigned max = sks_server_max_workers(p->server);

    p->min = cpus;
    p->keep_ms = KEEP_MS;
    if (config != NULL && config->size < sizeof *config)
        return SKS_EVTABLE;
    if (config != NULL && config->keep_ms != 0)
        p->keep_ms = config->keep_ms;
    if (config != NULL && config->min_workers != 0)
        p->min = config->min_workers;
    else if (max != 0 && p->min > max)
        p->min = max;
    p->max = max != 0 ? max : cpus * WORKERS_PER_CPU;
    if (max == 0 && p->max < p->min)
        p->max = p->min;
    p->readers = p->max;
    p->packets_only = has_packets_only(p->server);
    return p->min > p->max || p->keep_ms < -1 ? -EINVAL : 0;
}

static int open_locks(struct sks__crew *p)
{
    pthread_condattr_t monotonic;
    int rc = pthread_condattr_init(&monotonic);

    if (rc != 0)
        return -rc;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    rc = pthread_cond_init(&p->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (rc != 0)
        return -rc;
    pthread_cond_init(&p->changed, NULL);
    pthread_mutex_init(&p->lock, NULL);
    return 0;
}

static void close_locks(struct sks__crew *p)
{
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->changed);
}

void sks__crew_close_wakeups(struct sks__crew *p)
{
    sks__wakeup_close(&p->bell);
    sks__wakeup_close(&p->watch);
}

static int open_wakeups(struct sks__crew *p)
{
    int rc = sks__wakeup_open(&p->bell);

    if (rc < 0)
        return rc;
    rc = sks__wakeup_open(&p->watch);
    if (rc < 0)
        sks__wakeup_close(&p->bell);
    return rc;
}

/* Ends all workers; waits for them if `block`. */
static void dismiss(struct sks__crew *p, int block)
{
    int gone;

    pthread_mutex_lock(&p->lock);
    p->stopping = 1;
    p->let_go = !block;
    pthread_cond_broadcast(&p->work);
    while (block && p->count > 0)
        pthread_cond_wait(&p->changed, &p->lock);
    gone = p->count == 0;
    pthread_mutex_unlock(&p->lock);
    if (p->has_left)
        pthread_join(p->left, NULL);
    p->has_left = 0;
    if (gone)
        sks__crew_close_wakeups(p);
}

static int start(void *self, sks_server *server, void *config)
{
    struct sks__crew *p = self;
    int rc;

    *p = (struct sks__crew){.server = server};
    sks__list_init(&p->inbox);
    sks__list_init(&p->workers);
    rc = configure(p, config);
    if (rc == 0)
        rc = open_wakeups(p);
    if (rc < 0)
        return rc;
    rc = open_locks(p);
    if (rc < 0) {
        sks__crew_close_wakeups(p);
        return rc;
    }
    while (rc == 0 && p->count < p->min)
        rc = sks__crew_hire(p);
    if (rc < 0) {
        dismiss(p, 1);
        close_locks(p);
    }
    return rc;
}

/* How many workers will look into the inbox soon. */
static unsigned on_call(const struct sks__crew *p)
{
    return p->parked + atomic_load(&p->idle);
}

/* Takes a request back that nobody will come for: 1 if so. */
static int retract(struct sks__crew *p, struct sks__crew_slot *slot)
{
    int alone;

    pthread_mutex_lock(&p->lock);
    alone = p->count == 0;
    if (alone) {
        sks__list_remove(&slot->node);
        p->waiting--;
    }
    pthread_mutex_unlock(&p->lock);
    return alone;
}

static int process_request(void *self, sks_request *request)
{
    struct sks__crew *p = self;
    int rc = 0, short_of;

    pthread_mutex_lock(&p->lock);
    sks__crew_put(p, request);
    short_of = p->waiting > on_call(p);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    if (short_of)
        rc = sks__crew_hire(p);
    /* A worker that ends a request will come for it. */
    return rc < 0 && retract(p, sks_request_slot(request)) ? rc : 0;
}

static int serve(void *self, sks_server *server)
{
    struct sks__crew *p = self;
    int rc;

    pthread_mutex_lock(&p->lock);
    p->serving = 1;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    rc = sks_server_supervise(server);
    pthread_mutex_lock(&p->lock);
    p->serving = 0;
    sks__wakeup_raise(&p->bell);
    while (p->idle > 0)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    sks__wakeup_clear(&p->bell);
    return rc;
}

static void stop(void *self, sks_server *server, int block)
{
    struct sks__crew *p = self;

    (void)server;
    dismiss(p, block);
    if (block)
        close_locks(p); /* those let go still use them */
}

static const sks_strategy thread_pool = {
    .size = sizeof thread_pool,
    .name = "thread-pool",
    .flags = SKS_SHARES_MEMORY | SKS_PARALLEL,
    .self_size = sizeof(struct sks__crew),
    .request_size = sizeof(struct sks__crew_slot),
    .start = start,
    .process_request = process_request,
    .serve = serve,
    .service_actions = sks__crew_watch,
    .fileno = watch_fileno,
    .turn_ms = sks__crew_watch_ms,
    .stop = stop,
};

const sks_strategy *sks_thread_pool(void)
{
    return &thread_pool;
}
