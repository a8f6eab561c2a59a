#include "request.h"

#include "clock.h"
#include "fd.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Rounds up to what any type may need. */
static size_t aligned(size_t n)
{
    size_t a = alignof(max_align_t);

    return (n + a - 1) / a * a;
}

/* Where the parts of a request lie in its memory. */
struct layout {
    size_t self_at, size;
};

static struct layout layout_of(const sks_server *server)
{
    struct layout l = {.self_at = aligned(sizeof(sks_request))};

    l.size = l.self_at + server->handler.self_size;
    return l;
}

/* A booking, and memory of an earlier request if there is some. */
static struct sks__booking *take_memory(sks_server *server, sks_request **spare)
{
    struct sks__booking *booking;

    pthread_mutex_lock(&server->lock);
    if (server->bookings.size == 0)
        sks__pool_open(&server->bookings,
                       sizeof *booking + server->strategy.request_size);
    booking = sks__pool_take(&server->bookings);
    *spare = NULL;
    if (booking != NULL && server->spare_count > 0)
        *spare = server->spares[--server->spare_count];
    pthread_mutex_unlock(&server->lock);
    return booking;
}

/* Kept for the next request, the one freed last to be used first: allocating
 * costs more than most of what a request does here, and in a parent of forked
 * children it copies pages, too.  r NULL: there is only a booking. */
static void give_memory(sks_server *server, struct sks__booking *booking,
                        sks_request *r)
{
    pthread_mutex_lock(&server->lock);
    sks__pool_give(&server->bookings, booking);
    if (r != NULL && server->spare_count < SKS__SPARES_MAX) {
        server->spares[server->spare_count++] = r;
        r = NULL;
    }
    pthread_mutex_unlock(&server->lock);
    free(r);
}

sks_request *sks__request_new(sks_server *server,
                              struct sks__listener *listener)
{
    struct layout l = layout_of(server);
    sks_request *r;
    struct sks__booking *booking = take_memory(server, &r);

    if (booking == NULL)
        return NULL;
    if (r != NULL)
        memset(r, 0, l.size);
    else
        r = calloc(1, l.size);
    if (r == NULL) {
        give_memory(server, booking, NULL);
        return NULL;
    }
    memset(booking, 0, sizeof *booking + server->strategy.request_size);
    sks__list_init(&booking->node);
    booking->request = r;
    r->booking = booking;
    r->server = server;
    r->listener = listener;
    r->self = server->handler.self_size > 0 ? (char *)r + l.self_at : NULL;
    return r;
}

void sks__request_free(sks_request *r)
{
    if (r != NULL)
        give_memory(r->server, r->booking, r);
}

struct sks__waiter sks__request_waiter(const sks_request *r)
{
    return (struct sks__waiter){r->server->strategy.wait,
                                r->server->strategy_self};
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

int sks_request_fileno(const sks_request *r)
{
    return r->stream.fd;
}

const char *sks_request_client_address(const sks_request *r)
{
    /* Only a cache: the request is not changed as far as callers can tell. */
    char *text = ((sks_request *)r)->peer_text;

    if (*text == '\0')
        sks__address_text(&r->peer, text);
    return text;
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

    return rc != 0 || ms == 0
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
void sks_request_close(sks_request *r)
{
    sks_server *server = r->server;

    sks__server_unlist(server, r);
    if (r->exposed)
        sks__server_conceal(server);
    r->listener->transport->close_request(r);
    if (server->detached)
        return; /* the process ends: freeing would only copy pages for it */
    sks__rfile_close(&r->rfile);
    sks__wfile_close(&r->wfile);
    sks__request_free(r);
    sks__server_ended(server);
    sks_server_release(server);
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

static void set_runner(sks_request *r)
{
    sks_server *server = r->server;
    pthread_t self = pthread_self();

    pthread_mutex_lock(&server->lock);
    r->runner = self;
    r->running = 1;
    r->exposed = server->serving &&
                 pthread_equal(server->server_thread, self) &&
                 r->listener->transport->socktype == SOCK_STREAM;
    pthread_mutex_unlock(&server->lock);
    if (r->exposed)
        sks__server_expose(server, r->stream.fd);
}

static int run_handler(sks_request *r)
{
    const sks_handler *handler = &r->server->handler;
    int rc = handler->setup != NULL ? handler->setup(r) : 0;

    if (rc < 0)
        return rc;
    rc = handler->handle(r);
    if (handler->finish != NULL)
        handler->finish(r);
    return rc < 0 ? rc : 0;
}

static int send_reply(sks_request *r)
{
    const struct sks__transport *t = r->listener->transport;

    return t->reply != NULL ? t->reply(r) : sks_wfile_flush(&r->wfile);
}

int sks_request_run(sks_request *r)
{
    int rc, sent;

    set_runner(r);
    rc = run_handler(r);
    sent = send_reply(r);
    if (rc == 0)
        rc = sent;
    if (rc < 0)
        sks__server_handle_error(r->server, r, rc);
    r->listener->transport->shutdown_request(r, 1);
    sks_request_close(r);
    return rc;
}
