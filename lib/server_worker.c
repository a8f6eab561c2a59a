/* A forked child that gets requests itself: its copy of the server becomes one
 * of its own, which shares the listeners, the shutdowns and the books with the
 * parent's.
 *
 * The main thread serves.  It may wait in the read of a handler, where nobody
 * can tell it that it should end, so a second thread watches the leash and then
 * does what a shutdown does: the reading sides of the connections under way are
 * shut down.  The alternatives cost more: a poll(2) of the leash before each
 * read, or the parent's half of each connection. */
#include "clock.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The drain time of a process whose parent is gone, if that would have waited
 * for ever: nobody is left to end what hangs. */
enum { ORPHANED_MS = 10000 };

/* --- the leash --- */

/* Until the leash has an event; whatever fault there is must not spin. */
static void await_leash(const sks_server *server, short events)
{
    while (sks__fd_wait(server->leash, events, -1) < 0)
        sks__fd_wait(-1, 0, 100);
}

/* The listeners live on in the parent alone, which may close them: clients
 * should not wait in their queues for as long as this process's last request
 * takes.  Another thread may just be about to use the numbers, so that these
 * become copies of the wake-up, which is raised. */
static void leave_listeners(sks_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct sks__listener *l = &server->listeners[i];

        if (l->transport->reply == NULL &&
            dup2(server->stop.read_fd, l->fd) >= 0)
            sks__fd_set_cloexec(l->fd);
    }
}

/* How long requests may go on that nobody waits for. */
static int drain_ms(const sks_server *server)
{
    int ms = server->options.drain_timeout_ms;

    return ms < 0 ? ORPHANED_MS : ms;
}

static void *watch(void *arg)
{
    sks_server *server = arg;

    await_leash(server, POLLIN);
    sks__server_stop_here(server);
    sks__server_interrupt(server, 0);
    if (!server->has_loops)
        leave_listeners(server);
    await_leash(server, 0); /* its end of file: nobody waits for this process */
    sks__fd_wait(-1, 0, drain_ms(server));
    sks__server_interrupt(server, 1);
    sks__fd_wait(-1, 0, SKS__FORCED_MS);
    _exit(1);
}

/* Signals are for the threads that the program knows. */
static int start_watching(sks_server *server)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, watch, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return -rc;
}

/* --- becoming a worker --- */

/* What the parent does for all is not done by each worker. */
static void forget_parents_part(sks_server *server, unsigned number)
{
    sks__server_renew_locks(server);
    sks__server_drop_requests(server, NULL);
    sks__server_keep_set(server, number);
    server->held = NULL;
    server->strategy_started = 0;             /* before the watch may look */
    server->bookings = (struct sks__pool){0}; /* of another strategy's size */
    server->spares = NULL;                    /* the desk is laid anew */
    server->spare_count = 0;
    sks__fd_close(server->gathered_fd);
    server->gathered_fd = -1;
    atomic_store(&server->exposed_fd, -1);
    atomic_store(&server->wants_turn, 0);
    server->turn_by = SKS__NEVER;
    server->options.poll_interval_ms = -1;
    server->hooks.service_actions = NULL;
}

/* Those of the parent stay its own, but that a shutdown wakes it, too. */
static int open_wakeups(sks_server *server)
{
    int rc;

    server->above = server->stop;
    sks__wakeup_close(&server->turn);
    server->stop.read_fd = server->stop.write_fd = -1;
    rc = sks__wakeup_open(&server->stop);
    return rc < 0 ? rc : sks__wakeup_open(&server->turn);
}

static void open_books(sks_server *server, const sks_worker *worker)
{
    struct sks__shared *shared = server->shared;
    unsigned used = atomic_load(&shared->tallies);

    while (used <= worker->number &&
           !atomic_compare_exchange_weak(&shared->tallies, &used,
                                         worker->number + 1))
        continue;
    server->tally = &shared->tally[worker->number];
    atomic_store(&server->tally->alive, 1);
    if (worker->max_requests != 0)
        server->taken_max =
            atomic_load(&server->tally->taken) + worker->max_requests;
}

static int take_up_strategy(sks_server *server, const sks_worker *worker)
{
    const sks_strategy *inner = worker->strategy;
    const char *why;
    int rc;

    if (inner == NULL)
        inner = sks_synchronous();
    rc = sks__server_copy_strategy(server, inner, &why);
    if (rc < 0)
        return sks__server_fail(server, rc, "the inner strategy %s", why);
    server->strategy_config = worker->config;
    server->strategy_self = NULL; /* the parent's lies there unused */
    memset(server->small_self, 0, sizeof server->small_self);
    server->options.max_workers = worker->max_workers;
    return sks__server_start_strategy(server);
}

static int become(sks_server *server, const sks_worker *worker)
{
    int rc;

    if (worker->size != sizeof *worker || worker->number == 0 ||
        worker->number > SKS_PROCESSES_MAX)
        return -EINVAL;
    server->worker = 1;
    sks_server_hold(server); /* a handler may free the server */
    forget_parents_part(server, worker->number);
    open_books(server, worker);
    rc = open_wakeups(server);
    if (rc < 0)
        return rc;
    server->serving = 1;
    server->server_thread = pthread_self();
    server->leash = worker->leash;
    server->has_loops = worker->strategy != NULL;
    rc = start_watching(server);
    return rc < 0 ? rc : take_up_strategy(server, worker);
}

/* --- working --- */

static int serve(sks_server *server, const sks_worker *worker)
{
    if (worker->strategy == NULL)
        return sks__server_run_one_by_one(server);
    return sks__server_run_strategy(server);
}

/* Until the last request has ended: the parent, or the watch, sees to it that
 * this does not last for ever.  One that only retires tells them nothing. */
static void finish(sks_server *server)
{
    leave_listeners(server);
    if (atomic_load(&server->stopped_here))
        sks__server_interrupt(server, 0);
    while (sks__server_is_busy(server) &&
           sks__server_turn(server, SKS__TURN_DRAINING, SKS__NEVER) >= 0)
        continue;
    sks__server_set_started(server, 0);
    if (server->strategy.stop != NULL)
        server->strategy.stop(server->strategy_self, server, 1);
}

int sks_server_work(sks_server *server, const sks_worker *worker)
{
    int rc = become(server, worker);

    if (rc < 0)
        return rc;
    rc = serve(server, worker);
    sks__server_give_up_held(server);
    if (rc < 0)
        sks_server_log(server, SKS_ERROR, "a worker ends: %s",
                       sks_strerror(rc));
    finish(server);
    return rc;
}
