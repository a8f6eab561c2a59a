/* Closing: the drain, and what is left then. */
#include "clock.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <time.h>

static int is_run_by(const sks_request *r, pthread_t thread)
{
    return r->running && pthread_equal(r->runner, thread);
}

/* True if this thread runs a request of the server, or a hook of its loop; or
 * any thread in a child that runs one.  A child that forked itself may have
 * copied a lock that is never released. */
static int is_inside(sks_server *server)
{
    pthread_t self = pthread_self();
    int inside;

    if (server->detached)
        return server->kept != NULL && server->kept->running;
    if (sks__server_is_copy(server) && !server->worker)
        return 0;
    pthread_mutex_lock(&server->lock);
    inside = server->serving && pthread_equal(server->server_thread, self);
    for (struct sks__list *n = server->requests.next;
         !inside && n != &server->requests; n = n->next) {
        inside = is_run_by(SKS__BOOKED(n), self);
    }
    pthread_mutex_unlock(&server->lock);
    return inside;
}

void sks_server_take_over(sks_server *server)
{
    pthread_t self = pthread_self();

    pthread_mutex_lock(&server->lock);
    for (struct sks__list *n = server->requests.next; n != &server->requests;
         n = n->next) {
        sks_request *r = SKS__BOOKED(n);

        if (is_run_by(r, server->server_thread))
            r->runner = self;
    }
    pthread_mutex_unlock(&server->lock);
}

static struct timespec timespec_of(int64_t moment)
{
    return (struct timespec){.tv_sec = (time_t)(moment / 1000),
                             .tv_nsec = (long)(moment % 1000 * 1000000)};
}

/* Until no thread serves: 1, or 0 when the moment has come. */
static int await_left(sks_server *server, int64_t until)
{
    struct timespec ts = timespec_of(until == SKS__NEVER ? 0 : until);
    int rc = 0;

    pthread_mutex_lock(&server->lock);
    while (server->serving && rc != ETIMEDOUT)
        rc = until == SKS__NEVER
                 ? pthread_cond_wait(&server->left, &server->lock)
                 : pthread_cond_timedwait(&server->left, &server->lock, &ts);
    rc = !server->serving;
    pthread_mutex_unlock(&server->lock);
    return rc;
}

/* Until no request is under way: 1, or 0 when the moment has come. */
static int await_ends(sks_server *server, int64_t until)
{
    if (!await_left(server, until))
        return 0;
    while (sks__server_is_busy(server) && sks__clock_left_ms(until) != 0)
        if (sks__server_turn(server, SKS__TURN_DRAINING, until) < 0)
            return 0;
    return !sks__server_is_busy(server);
}

/* Requests under way end by themselves, or else by force. */
static int drain(sks_server *server, int64_t until)
{
    int64_t forced;

    if (await_ends(server, until))
        return 1;
    sks__server_interrupt(server, 1);
    forced = sks__clock_after(SKS__FORCED_MS);
    if (await_left(server, forced) && server->strategy_started &&
        server->strategy.kill != NULL)
        server->strategy.kill(server->strategy_self, server);
    return await_ends(server, forced);
}

/* At once, so that no client waits in vain.  Those of packets stay: requests
 * under way need them for the reply. */
static void close_stream_listeners(sks_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].transport->reply == NULL)
            sks__listener_close(server, &server->listeners[i]);
}

static void stop_strategy(sks_server *server, int block)
{
    int started = server->strategy_started;

    sks__server_set_started(server, 0);
    if (started && server->strategy.stop != NULL)
        server->strategy.stop(server->strategy_self, server, block);
}

static void set_closed(sks_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->closed = 1;
    pthread_mutex_unlock(&server->lock);
}

static void finish_closing(sks_server *server, int ended)
{
    stop_strategy(server, ended && server->options.block_on_close);
    close_stream_listeners(server);
    if (atomic_load(&server->tally->active) == 0)
        sks__server_drop_listeners(server, 0);
    set_closed(server);
}

static int tell_closed(sks_server *server)
{
    return server->fault != 0
               ? server->fault
               : sks__server_fail(server, SKS_ECLOSED, "the server is closed");
}

/* In a forked child nothing is ended but the child's own copies. */
static int forget_copies(sks_server *server)
{
    if (server->closed)
        return tell_closed(server);
    sks__server_drop_listeners(server, 0);
    server->strategy_started = 0;
    server->closed = 1;
    return 0;
}

/* One thread at a time: 1, or 0 if an earlier one has closed the server. */
static int begin_closing(sks_server *server)
{
    int closed;

    pthread_mutex_lock(&server->lock);
    server->closing = 1;
    while (server->has_closer)
        pthread_cond_wait(&server->left, &server->lock);
    closed = server->closed;
    server->has_closer = !closed;
    pthread_mutex_unlock(&server->lock);
    return !closed;
}

static void end_closing(sks_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->has_closer = 0;
    pthread_cond_broadcast(&server->left);
    pthread_mutex_unlock(&server->lock);
}

static int close_owned(sks_server *server)
{
    int64_t until = sks__clock_after(server->options.drain_timeout_ms);
    int ended = 1;

    sks_server_shutdown(server);
    sks__server_interrupt(server, 0);
    if (await_left(server, until)) {
        close_stream_listeners(server);
        sks__server_give_up_held(server);
    }
    if (server->options.block_on_close)
        ended = drain(server, until);
    if (!await_left(server, 0))
        return sks__server_fail(server, SKS_ETIMEDOUT,
                                "a request does not end, and its thread with "
                                "it");
    finish_closing(server, ended);
    if (!ended)
        return sks__server_fail(server, SKS_ETIMEDOUT,
                                "%u requests did not end in the drain time",
                                sks__server_active(server));
    return server->fault;
}

static int close_once(sks_server *server)
{
    int rc;

    if (!begin_closing(server))
        return tell_closed(server);
    rc = close_owned(server);
    end_closing(server);
    return rc;
}

int sks_server_close(sks_server *server)
{
    int rc;

    if (server == NULL)
        return -ENOMEM;
    if (is_inside(server))
        return sks__server_fail(server, SKS_ESTATE,
                                "a request cannot close its own server");
    if (sks__server_is_copy(server))
        return forget_copies(server);
    sks_server_hold(server); /* another thread may free it meanwhile */
    rc = close_once(server);
    sks_server_release(server);
    return rc;
}

/* The owner frees the server inside of one of its requests, or while one does
 * not end.  A thread that serves will close it, or one that closes goes on;
 * else the last request does the rest. */
static void abandon(sks_server *server)
{
    int closed, others_will;

    if (sks__server_is_copy(server))
        return; /* it ends with this process */
    pthread_mutex_lock(&server->lock);
    closed = server->closed;
    server->orphaned = server->serving;
    others_will = server->serving || server->has_closer;
    pthread_mutex_unlock(&server->lock);
    if (closed)
        return;
    sks_server_shutdown(server);
    if (!others_will)
        finish_closing(server, 0);
}

void sks_server_free(sks_server *server)
{
    if (server == NULL)
        return;
    sks__signals_forget(server);
    sks_server_close(server);
    abandon(server);
    sks__overflow_forget(server);
    sks_server_release(server);
}
