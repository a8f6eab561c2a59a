#include "request.h"

#include "clock.h"
#include "fd.h"
#include "packets.h"
#include "server.h"
#include "transport.h"

#include <sys/socket.h>

struct sks__waiter sks__request_waiter(const sks_request *r)
{
    return (struct sks__waiter){r->server->strategy.wait,
                                r->server->strategy_self,
                                r->server->strategy.receive,
                                r->server->strategy.send};
}

/* --- what handlers ask --- */

void *sks_request_self(sks_request *r)
{
    return r->self;
}

void *sks_request_slot(sks_request *r)
{
    return r->booking->slot;
}

sks_server *sks_request_server(const sks_request *r)
{
    return r->server;
}

sks_rfile *sks_request_rfile(sks_request *r)
{
    return &r->rfile;
}

sks_wfile *sks_request_wfile(sks_request *r)
{
    return &r->wfile;
}

/* What wfile took before must come before what the handler does with the
 * descriptor, and from then on nobody knows when it does. */
static void expose_stream(struct sks__stream *s)
{
    s->direct = 1;
    sks__stream_settle(s); /* an error stays for the next write */
}

int sks_request_fileno(const sks_request *r)
{
    if (r->running && r->stream.waiter.send != NULL &&
        r->wfile.stream != NULL && !r->stream.direct)
        expose_stream(&((sks_request *)r)->stream);
    return r->stream.fd;
}

const char *sks_request_client_address(const sks_request *r)
{
    /* Only a cache: the request is not changed as far as callers can tell. */
    sks_request *cache = (sks_request *)r;

    if (!r->has_peer_text)
        sks__address_text(sks__request_peer(r), cache->peer_text);
    cache->has_peer_text = 1;
    return r->peer_text;
}

void sks_request_set_timeout_ms(sks_request *r, int ms)
{
    r->stream.timeout_ms = ms < 0 ? -1 : ms;
}

void sks_request_set_deadline_ms(sks_request *r, int ms)
{
    sks__stream_set_deadline(&r->stream, sks__clock_after(ms));
}

void sks_request_set_linger_ms(sks_request *r, int ms)
{
    r->linger_ms = ms < 0 ? -1 : ms;
}

int sks_request_stopping(const sks_request *r)
{
    const sks_server *server = r->server;

    return atomic_load(&server->shared->stops) != r->stops_at_birth ||
           atomic_load(&server->stopped_here);
}

int sks_request_wait(sks_request *r, int fd, short events, int ms)
{
    /* The strategy's wait is for news; this one is for what is there, too. */
    int rc = fd < 0 ? 0 : sks__fd_wait(fd, events, 0);

    /* What was received ahead is known to the strategy alone. */
    int ahead = r->server->strategy.receive != NULL && fd == r->stream.fd;

    return rc != 0 || (ms == 0 && !ahead)
               ? rc
               : sks__waiter_wait(&r->stream.waiter, fd, events, ms);
}

int sks_request_offload(sks_request *r, int (*fn)(void *), void *arg)
{
    const sks_strategy *s = &r->server->strategy;

    return s->offload != NULL ? s->offload(r->server->strategy_self, fn, arg)
                              : fn(arg);
}

const void *sks_request_packet(const sks_request *r, size_t *len)
{
    if (len != NULL)
        *len = r->packet.len;
    return r->packet.bytes;
}

int sks_request_packet_truncated(const sks_request *r)
{
    return r->packet.truncated;
}

/* --- its end --- */

/* Nobody may interrupt it any more before its descriptor, whose number another
 * connection can have next, is closed; and only then another may be accepted
 * in its place.  The server may end with it. */
static void close_all(sks_request *const *requests, size_t n)
{
    sks_server *server = requests[0]->server;

    sks__server_unlist(server, requests, n);
    for (size_t i = 0; i < n; i++) {
        if (requests[i]->exposed && requests[i]->running)
            sks__server_conceal(server);
        if (!requests[i]->closes_at_exit)
            requests[i]->listener->transport->close_request(requests[i]);
    }
    if (server->detached)
        return; /* the process ends: freeing would only copy pages for it */
    for (size_t i = 0; i < n; i++) {
        sks__rfile_close(&requests[i]->rfile);
        sks__wfile_close(&requests[i]->wfile);
    }
    sks__requests_free(requests, n);
    sks__server_ended(server, n);
}

void sks_request_close(sks_request *r)
{
    close_all(&r, 1);
}

void sks__request_refuse(sks_request *r)
{
    r->listener->transport->shutdown_request(r, 0);
    sks_request_close(r);
}

void sks_request_fail(sks_request *r, int error)
{
    sks__server_handle_error(r->server, r, error);
    sks__request_refuse(r);
}

int sks__listener_exposes(const sks_server *server,
                          const struct sks__listener *l, pthread_t self)
{
    int waits_itself = !(server->strategy.flags & SKS_MULTIPLEXES);

    return waits_itself && server->serving &&
           pthread_equal(server->server_thread, self) &&
           l->transport->socktype == SOCK_STREAM;
}

/* The calling thread runs the request: mostly the one that took it, as is
 * written down already. */
static void begin_running(sks_request *r)
{
    sks_server *server = r->server;
    pthread_t self;

    atomic_store_explicit(&r->running, 1, memory_order_relaxed);
    if (server->detached) {
        r->exposed = 0; /* nobody else is there, nor waits for it */
        return;
    }
    self = pthread_self();
    if (pthread_equal(r->runner, self))
        return;
    pthread_mutex_lock(&server->lock);
    r->runner = self;
    r->exposed = sks__listener_exposes(server, r->listener, self);
    pthread_mutex_unlock(&server->lock);
}

static int run_handler(sks_request *r)
{
    const sks_handler *handler = &r->server->handler;
    int rc;

    begin_running(r);
    if (r->exposed)
        sks__server_expose(r->server, r->stream.fd);
    rc = handler->setup != NULL ? handler->setup(r) : 0;
    if (rc < 0)
        return rc;
    rc = handler->handle(r);
    if (handler->finish != NULL)
        handler->finish(r);
    return rc < 0 ? rc : 0;
}

int sks_request_handle(sks_request *r)
{
    r->result = run_handler(r);
    return r->result;
}

/* How many of the n requests, which is at least one, came the same way as the
 * first. */
static size_t of_one_listener(sks_request *const *requests, size_t n)
{
    size_t same = 1;

    while (same < n && requests[same]->listener == requests[0]->listener)
        same++;
    return same;
}

static void send_replies(sks_request *const *requests, size_t n)
{
    for (size_t i = 0, same; i < n; i += same) {
        const struct sks__transport *t = requests[i]->listener->transport;
        int rc;

        same = 1;
        if (t->reply != NULL) {
            same = of_one_listener(requests + i, n - i);
            t->reply(requests + i, same);
        } else {
            rc = sks__wfile_finish(&requests[i]->wfile);
            if (requests[i]->result == 0)
                requests[i]->result = rc;
        }
    }
}

/* All that is left of the requests but closing them. */
static void conclude(sks_request *const *requests, size_t n)
{
    send_replies(requests, n);
    for (size_t i = 0; i < n; i++) {
        sks_request *r = requests[i];

        if (r->result < 0)
            sks__server_handle_error(r->server, r, r->result);
        r->listener->transport->shutdown_request(r, 1);
    }
}

void sks_requests_finish(sks_request *const *requests, size_t n)
{
    while (n > 0) {
        size_t some = n < SKS__PACKETS_MAX ? n : (size_t)SKS__PACKETS_MAX;

        conclude(requests, some);
        close_all(requests, some);
        requests += some;
        n -= some;
    }
}

void sks_requests_run(sks_request *const *requests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        requests[i]->result = run_handler(requests[i]);
    sks_requests_finish(requests, n);
}

int sks_request_run(sks_request *r)
{
    int rc;

    sks_request_handle(r);
    conclude(&r, 1);
    rc = r->result;
    close_all(&r, 1);
    return rc;
}
