/* Serving: who serves, with which strategy, and until when. */
#include "clock.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The strategy's memory, whatever an earlier start in vain left there. */
static int prepare_self(sks_server *server)
{
    size_t size = server->strategy.self_size;

    if (size <= sizeof server->small_self)
        server->strategy_self = server->small_self;
    if (server->strategy_self == NULL)
        server->strategy_self = malloc(size);
    if (server->strategy_self == NULL)
        return sks__server_fail(server, -ENOMEM, "out of memory");
    memset(server->strategy_self, 0, size);
    return 0;
}

int sks__server_start_strategy(sks_server *server)
{
    const sks_strategy *s = &server->strategy;
    int rc;

    if (server->strategy_started)
        return 0;
    rc = prepare_self(server);
    if (rc < 0)
        return rc;
    rc = s->start != NULL
             ? s->start(server->strategy_self, server, server->strategy_config)
             : 0;
    if (rc < 0)
        return sks__server_fail(server, rc, "cannot start the %s strategy: %s",
                                s->name, sks_strerror(rc));
    sks__server_set_started(server, 1);
    return 0;
}

/* Makes the calling thread the one that serves.  A close that has begun in
 * another thread wins, so that nothing starts behind its back. */
static int claim(sks_server *server)
{
    int rc = 0;

    pthread_mutex_lock(&server->lock);
    if (server->closing || server->closed)
        rc = SKS_ECLOSED;
    else if (server->serving)
        rc = SKS_ESTATE;
    if (rc == 0) {
        server->serving = 1;
        server->broken = NULL;
        server->server_thread = pthread_self();
        server->owner = getpid();
    }
    pthread_mutex_unlock(&server->lock);
    if (rc == SKS_ECLOSED)
        sks__server_fail(server, rc, "the server is closed");
    else if (rc < 0)
        sks__server_fail(server, rc, "another thread serves already");
    return rc;
}

int sks__server_enter(sks_server *server)
{
    int rc;

    if (server == NULL)
        return -ENOMEM;
    if (server->fault != 0)
        return server->fault;
    rc = claim(server);
    if (rc < 0)
        return rc;
    sks_server_hold(server);
    rc = sks_server_bind(server);
    if (rc == 0)
        rc = sks__server_start_strategy(server);
    if (rc < 0)
        sks__server_leave(server);
    return rc;
}

void sks__server_leave(sks_server *server)
{
    int orphaned;

    pthread_mutex_lock(&server->lock);
    server->serving = 0;
    orphaned = server->orphaned;
    pthread_cond_broadcast(&server->left);
    pthread_mutex_unlock(&server->lock);
    if (orphaned)
        sks_server_close(server);
    sks_server_release(server);
}

int sks__server_run_strategy(sks_server *server)
{
    return server->strategy.serve != NULL
               ? server->strategy.serve(server->strategy_self, server)
               : sks__server_loop(server, SKS__TURN_TAKING);
}

/* Puts into words what ends serving if that was a listener. */
static int tell_broken(sks_server *server, int rc)
{
    const struct sks__listener *l;

    pthread_mutex_lock(&server->lock);
    l = server->broken_by == rc ? server->broken : NULL;
    pthread_mutex_unlock(&server->lock);
    if (l == NULL)
        return rc;
    return sks__server_fail(server, rc, "cannot get requests on %s: %s",
                            l->text, sks_strerror(rc));
}

int sks_server_serve_forever(sks_server *server)
{
    int rc = sks__server_enter(server);

    if (rc < 0)
        return rc;
    server->serve_error = 0;
    rc = tell_broken(server, sks__server_run_strategy(server));
    if (rc == 0) {
        sks__server_interrupt(server, 0);
        sks__server_obey(server);
    }
    sks__server_give_up_held(server);
    sks__server_leave(server);
    return rc;
}

int sks_server_handle_request(sks_server *server)
{
    int64_t until;
    int rc = sks__server_enter(server);

    if (rc < 0)
        return rc;
    until = sks__clock_after(server->options.timeout_ms);
    do {
        rc = sks_server_stopping(server)
                 ? SKS_ECLOSED
                 : sks__server_turn(server, SKS__TURN_TAKING, until);
    } while (rc == 0 && sks__clock_left_ms(until) != 0);
    rc = tell_broken(server, rc);
    if (rc == 0 && server->hooks.handle_timeout != NULL)
        server->hooks.handle_timeout(server->hooks.handle_timeout_arg, server);
    sks__server_leave(server);
    return rc;
}
