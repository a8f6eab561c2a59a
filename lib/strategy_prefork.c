/* Processes that each accept for themselves, and that run their requests one
 * after the other or under another strategy.
 *
 * The parent gets no requests, except one that the program asks for with
 * sks_server_handle_request(): that has a child of its own. */
#include "strategy_prefork.h"

#include "cpu.h"
#include "strategy_errand.h"
#include "strategy_staff.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { FAILURES_MAX = 10 };

struct prefork {
    struct sks__staff staff;
    struct sks__errands errands;
};

/* --- options --- */

/* What lies beyond the caller's size, or is not given, is zero. */
static int read_options(sks_prefork_config *o, const void *config)
{
    const sks_prefork_config *given = config;

    *o = (sks_prefork_config){.size = sizeof *o};
    if (given == NULL)
        return 0;
    if (given->size < sizeof given->size)
        return SKS_EVTABLE;
    memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    return 0;
}

/* An inner strategy whose workers run many requests at once needs one of them
 * in each process. */
static unsigned inner_max_workers(const sks_prefork_config *o)
{
    if (o->inner_max_workers != 0 || o->inner == NULL)
        return o->inner_max_workers;
    return o->inner->flags & SKS_MULTIPLEXES ? 1 : 0;
}

/* With one process that runs one request, one client would hold up all. */
static unsigned process_count(const sks_server *server,
                              const sks_prefork_config *o)
{
    unsigned n = sks_server_max_workers(server);

    if (n != 0)
        return n;
    n = sks__cpu_count();
    return o->inner == NULL && n < 2 ? 2 : n;
}

static unsigned sets_with(const sks_server *server, const void *config,
                          const sks_strategy *inner)
{
    sks_prefork_config o;

    if (read_options(&o, config) < 0 || !o.own_sockets)
        return 1;
    if (inner != NULL)
        o.inner = inner;
    return process_count(server, &o);
}

/* --- the strategy --- */

/* inner: the composed strategy's; NULL: what the options say. */
static int start_with(struct prefork *p, sks_server *server, const void *config,
                      const sks_strategy *inner)
{
    sks_prefork_config o;
    unsigned n;
    int rc = read_options(&o, config);

    if (rc < 0)
        return rc;
    if (inner != NULL)
        o.inner = inner;
    n = sks_server_listener_sets(server);
    if (n == 1)
        n = process_count(server, &o);
    p->staff.max_failures = o.max_failures != 0 ? o.max_failures : FAILURES_MAX;
    p->staff.worker = (sks_worker){.size = sizeof p->staff.worker,
                                   .strategy = o.inner,
                                   .config = o.inner_config,
                                   .max_workers = inner_max_workers(&o),
                                   .max_requests = o.max_requests};
    rc = sks__errands_open(&p->errands);
    if (rc < 0)
        return rc;
    rc = sks__staff_open(&p->staff, server, n);
    if (rc < 0)
        sks__errands_close(&p->errands, server);
    return rc;
}

static int process_request(void *self, sks_request *request)
{
    struct prefork *p = self;

    return sks__errands_run(&p->errands, request);
}

static int serve(void *self, sks_server *server)
{
    struct prefork *p = self;
    int rc;

    sks__staff_begin(&p->staff);
    rc = sks_server_supervise(server);
    sks__staff_dismiss(&p->staff);
    return rc;
}

static void service_actions(void *self, sks_server *server)
{
    struct prefork *p = self;

    sks__errands_tend(&p->errands, server);
    sks__staff_tend(&p->staff);
}

static int watched_fileno(void *self, size_t i)
{
    struct prefork *p = self;
    size_t n = 0;

    while (n <= i && sks__staff_fileno(&p->staff, n) >= 0)
        n++;
    return n > i ? sks__staff_fileno(&p->staff, i)
                 : sks__errands_fileno(&p->errands, i - n);
}

static void interrupt(void *self, int both)
{
    struct prefork *p = self;

    sks__errands_interrupt(&p->errands, both);
}

static void kill_all(void *self, sks_server *server)
{
    struct prefork *p = self;

    (void)server;
    sks__staff_kill(&p->staff);
    sks__errands_kill(&p->errands);
}

static void stop(void *self, sks_server *server, int block)
{
    struct prefork *p = self;

    sks__staff_close(&p->staff, block);
    sks__errands_close(&p->errands, server);
}

/* --- tables --- */

/* The table and the start of prefork over one inner strategy: its requests run
 * one by one in each process, or many at once. */
#define PREFORK(noun, text, traits, inner)                                     \
    static int start_##noun(void *self, sks_server *server, void *config)      \
    {                                                                          \
        return start_with(self, server, config, inner);                        \
    }                                                                          \
    static unsigned sets_##noun(const sks_server *server, const void *config)  \
    {                                                                          \
        return sets_with(server, config, inner);                               \
    }                                                                          \
    static const sks_strategy noun = {                                         \
        .size = sizeof(noun),                                                  \
        .name = (text),                                                        \
        .flags = SKS_PARALLEL | (traits),                                      \
        .self_size = sizeof(struct prefork),                                   \
        .most_workers = SKS_PROCESSES_MAX,                                     \
        .request_size = sizeof(struct sks__errand),                            \
        .start = start_##noun,                                                 \
        .process_request = process_request,                                    \
        .serve = serve,                                                        \
        .service_actions = service_actions,                                    \
        .fileno = watched_fileno,                                              \
        .kill = kill_all,                                                      \
        .stop = stop,                                                          \
        .listener_sets = sets_##noun,                                          \
        .interrupt = interrupt,                                                \
    }

PREFORK(prefork, "prefork", 0, NULL);
PREFORK(threading, "prefork:threading", SKS_MULTIPLEXES, sks_threading());
PREFORK(thread_pool, "prefork:thread-pool", SKS_MULTIPLEXES, sks_thread_pool());
PREFORK(coroutine, "prefork:coroutine", SKS_MULTIPLEXES, sks_coroutine());

const sks_strategy *sks_prefork(void)
{
    return &prefork;
}

const sks_strategy *sks__prefork_threading(void)
{
    return &threading;
}

const sks_strategy *sks__prefork_thread_pool(void)
{
    return &thread_pool;
}

const sks_strategy *sks__prefork_coroutine(void)
{
    return &coroutine;
}
