/* Getting requests from the listeners. */
#include "clock.h"
#include "error.h"
#include "request.h"
#include "server.h"

#include <errno.h>

static int is_verified(sks_server *server, const sks_request *r)
{
    const struct sks__hooks *hooks = &server->hooks;

    return hooks->verify_request == NULL ||
           hooks->verify_request(hooks->verify_request_arg, r);
}

static void refuse(sks_server *server, sks_request *r)
{
    atomic_fetch_add(&server->tally->refused, 1);
    sks__request_refuse(r);
}

/* How many of the n requests are to be served, which then come first; the
 * others are closed. */
static size_t verify(sks_server *server, sks_request **requests, size_t n)
{
    size_t good = 0;

    for (size_t i = 0; i < n; i++)
        if (is_verified(server, requests[i]))
            requests[good++] = requests[i];
        else
            refuse(server, requests[i]);
    return good;
}

/* A new request of the listener: 1, or an error. */
static int accept_one(sks_server *server, struct sks__listener *l,
                      sks_request **out)
{
    int rc = -ENOMEM;

    *out = sks__request_new(server, l);
    if (*out != NULL)
        rc = l->transport->get_request(l, *out);
    if (rc == 0)
        return 1;
    sks__request_free(*out);
    return rc;
}

/* Up to n of them: how many, or why not even one. */
static int accept_some(sks_server *server, struct sks__listener *l,
                       sks_request **out, size_t n)
{
    size_t got = 0;
    int rc = 1;

    if (l->transport->get_requests != NULL)
        return l->transport->get_requests(l, server, out, n);
    while (rc > 0 && got < n) {
        rc = accept_one(server, l, &out[got]);
        got += rc > 0 ? 1 : 0;
    }
    return got > 0 ? (int)got : rc;
}

/* For who serves to put into words: several workers may fail at once. */
static int note_broken(sks_server *server, const struct sks__listener *l,
                       int rc)
{
    pthread_mutex_lock(&server->lock);
    if (server->broken == NULL) {
        server->broken = l;
        server->broken_by = rc;
    }
    pthread_mutex_unlock(&server->lock);
    return rc;
}

int sks__server_take_from(sks_server *server, struct sks__listener *l,
                          sks_request **out, size_t n)
{
    int rc = accept_some(server, l, out, n);

    if (rc > 0) {
        sks__server_list(server, out, (size_t)rc);
        return (int)verify(server, out, (size_t)rc);
    }
    if (rc == -EAGAIN || sks_server_stopping(server))
        return -EAGAIN;
    if (!sks__error_is_shortage(rc))
        return note_broken(server, l, rc);
    sks__server_pause(server, rc);
    return -EAGAIN;
}

/* From any listener; the next time another comes first, so that none waits for
 * one that is never empty. */
static int take(sks_server *server, sks_request **out)
{
    size_t at = atomic_load(&server->next_listener);
    int rc = -EAGAIN;

    for (size_t i = 0; rc == -EAGAIN && i < server->listener_count; i++, at++)
        rc = sks__server_take_from(
            server, &server->listeners[at % server->listener_count], out, 1);
    if (rc != -EAGAIN)
        atomic_store(&server->next_listener, at);
    return rc;
}

/* Why there is no request now. */
static int reason(const sks_server *server)
{
    return sks__server_is_paused(server) ? atomic_load(&server->pause_reason)
                                         : SKS_ETIMEDOUT;
}

int sks_server_get_requests(sks_server *server, size_t i, sks_request **out,
                            size_t n)
{
    int rc = -EAGAIN;

    if (sks_server_stopping(server))
        return SKS_ECLOSED;
    if (i >= server->listener_count || n == 0)
        return -EINVAL;
    if (!sks__server_is_paused(server))
        rc = sks__server_take_from(server, &server->listeners[i], out, n);
    return rc == -EAGAIN ? reason(server) : rc;
}

/* In the calling thread itself. */
static int poll_listeners(sks_server *server, int64_t until)
{
    struct pollfd fds[1 + SKS__LISTENERS_MAX];
    size_t n = 0;
    int rc;

    fds[n++] = (struct pollfd){.fd = server->stop.read_fd, .events = POLLIN};
    for (size_t i = 0;
         i < server->listener_count && !sks__server_is_paused(server); i++)
        fds[n++] =
            (struct pollfd){.fd = server->listeners[i].fd, .events = POLLIN};
    rc = sks__fd_poll(fds, n, until);
    if (fds[0].revents != 0)
        sks__server_calm(server);
    return rc;
}

/* Through the strategy, which waits for one descriptor. */
static int await_listeners(sks_server *server, int64_t until)
{
    struct sks__waiter waiter = {.wait = server->strategy.wait,
                                 .self = server->strategy_self};
    int fd = sks__server_is_paused(server) ? server->stop.read_fd
                                           : sks_server_fileno(server);
    int rc;

    if (fd < 0)
        return fd;
    rc = sks__waiter_wait(&waiter, fd, POLLIN, sks__clock_left_ms(until));
    if (rc > 0)
        sks__server_calm(server); /* which one it was is not known */
    return rc;
}

/* Until a listener or a wake-up is ready, or the moment has come. */
static int wait_for_listeners(sks_server *server, int64_t until)
{
    int64_t resumes = atomic_load(&server->paused_until);

    if (sks__server_is_paused(server) && resumes < until)
        until = resumes;
    return server->strategy.wait == NULL ? poll_listeners(server, until)
                                         : await_listeners(server, until);
}

int sks_server_get_request(sks_server *server, sks_request **out, int ms)
{
    int64_t until = sks__clock_after(ms);

    for (;;) {
        int rc;

        if (sks_server_stopping(server))
            return SKS_ECLOSED;
        rc = sks__server_is_paused(server) ? -EAGAIN : take(server, out);
        if (rc != -EAGAIN)
            return rc > 0 ? 0 : rc == 0 ? -EAGAIN : rc;
        if (ms == 0)
            return reason(server);
        if (sks__clock_left_ms(until) == 0)
            return SKS_ETIMEDOUT;
        rc = wait_for_listeners(server, until);
        if (rc < 0)
            return rc;
    }
}
