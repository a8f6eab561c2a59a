/* Event loops of coroutines, one for each processor, in threads of which the
 * one that serves is one.
 *
 * A request runs in a coroutine of the loop that accepted it.  Where it must
 * wait, the loop goes on with others.  A handler that really blocks, in a
 * computation or in a read of a disk, holds up its loop. */
#include "strategy_coroutine.h"

#include "cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Beyond these a stack's size is a mistake. */
enum { STACK_LEAST = 16 * 1024, STACK_MOST = 1 << 30 };

/* How many packets a loop handles at once unless told otherwise. */
enum { PACKETS_MAX = 1024 };

/* More event loops than any machine has processors are a mistake. */
enum { LOOPS_MAX = 1024 };

/* Helpers of a server: what one disk, or one name server, has a use for. */
enum { HELPERS_MAX = 64 };

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
    if (rc == 0)
        rc = sks__coroutines_make(all, n);
    if (rc < 0)
        sks__coroutines_dismiss(all, 1);
    return rc;
}

/* To the worker whose turn it is; those of serve go no such way, which is why
 * it matters here that each has a thread. */
static int process_request(void *self, sks_request *request)
{
    struct sks__coroutines *all = self;
    struct sks__coslot *slot = sks_request_slot(request);
    struct sks__coworker *w;

    if (all->hired < all->count) {
        int rc = sks__coroutines_hire(all);

        if (rc < 0 && all->hired == 0)
            return rc;
    }
    slot->request = request;
    pthread_mutex_lock(&all->lock);
    w = all->workers[all->next++ % all->hired];
    sks__list_append(&w->inbox, &slot->node);
    pthread_mutex_unlock(&all->lock);
    sks__wakeup_raise(&w->wakeup);
    return 0;
}

static int serve(void *self, sks_server *server)
{
    (void)server;
    return sks__coroutines_serve(self);
}

static int wait_for(void *self, int fd, short events, int ms)
{
    (void)self;
    return sks__loop_wait(fd, events, ms);
}

/* Only where there may be a ring: every read and write would ask in vain. */
#ifdef SKS_IO_URING
static ssize_t receive(void *self, int fd, void *buf, size_t n, int now)
{
    const struct sks__coroutines *all = self;

    return all->no_io_uring ? -EOPNOTSUPP : sks__loop_receive(fd, buf, n, now);
}

static int send_later(void *self, int fd, const void *buf, size_t n)
{
    const struct sks__coroutines *all = self;

    return all->no_io_uring ? -EOPNOTSUPP : sks__loop_send(fd, buf, n);
}
#endif

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
    sks__coroutines_dismiss(all, block);
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
#ifdef SKS_IO_URING
    .receive = receive,
    .send = send_later,
#endif
};

const sks_strategy *sks_coroutine(void)
{
    return &coroutine;
}
