/* What is counted of requests, in memory that all processes of a server share.
 * Each process counts on cache lines of its own; who asks adds them up. */
#include "request.h"
#include "server.h"

#include <errno.h>

/* --- counting --- */

static int runs_one_by_one(const sks_server *server)
{
    return !(server->strategy.flags & SKS_PARALLEL);
}

void sks__tally_take(sks_server *server, sks_request *const *requests, size_t n)
{
    struct sks__tally *t = server->tally;
    unsigned long before = atomic_fetch_add(&t->taken, n);

    /* For the parent, should this process die of it. */
    if (server->worker && runs_one_by_one(server))
        sks__address_copy(&t->peer, sks__request_peer(requests[0]));
    atomic_fetch_add(&t->active, (unsigned)n);
    if (server->taken_max != 0 && before + n >= server->taken_max &&
        !atomic_exchange(&server->retired, 1))
        sks__wakeup_raise(&server->stop);
}

void sks_server_add_count(sks_server *server, int what, int change)
{
    if (server->worker)
        return; /* it is one itself */
    if (what == SKS_COUNT_WORKERS)
        atomic_fetch_add(&server->shared->workers, (unsigned long)change);
    else if (what == SKS_COUNT_RESPAWNS)
        atomic_fetch_add(&server->shared->respawns, (unsigned long)change);
}

/* --- adding up --- */

static unsigned long tally_count(const struct sks__tally *t, int what)
{
    switch (what) {
    case SKS_COUNT_TAKEN:
        return atomic_load(&t->taken);
    case SKS_COUNT_REFUSED:
        return atomic_load(&t->refused);
    case SKS_COUNT_FAILED:
        return atomic_load(&t->failed);
    case SKS_COUNT_ACTIVE:
        return atomic_load(&t->active);
    default:
        return 0;
    }
}

unsigned long sks_server_count(const sks_server *server, int what)
{
    struct sks__shared *shared;
    unsigned long sum = 0;
    size_t n;

    if (server == NULL)
        return 0;
    shared = server->shared;
    if (what == SKS_COUNT_WORKERS)
        return atomic_load(&shared->workers);
    if (what == SKS_COUNT_RESPAWNS)
        return atomic_load(&shared->respawns);
    n = atomic_load(&shared->tallies);
    for (size_t i = 0; i < n; i++)
        sum += tally_count(&shared->tally[i], what);
    return sum;
}

unsigned sks__server_active(const sks_server *server)
{
    return server->worker
               ? atomic_load(&server->tally->active)
               : (unsigned)sks_server_count(server, SKS_COUNT_ACTIVE);
}

int sks__server_is_busy(const sks_server *server)
{
    size_t n = server->worker ? 0 : atomic_load(&server->shared->tallies);

    if (sks__server_active(server) > 0)
        return 1;
    for (size_t i = 1; i < n; i++)
        if (atomic_load(&server->shared->tally[i].alive))
            return 1;
    return 0;
}
