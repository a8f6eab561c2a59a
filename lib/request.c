#include "request.h"

#include "clock.h"
#include "fd.h"
#include "packets.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Rounds up to what any type may need. */
static size_t aligned(size_t n)
{
    return round_up(n, alignof(max_align_t));
}

static int has_packets(const sks_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].transport->socktype == SOCK_DGRAM)
            return 1;
    return 0;
}

static struct sks__layout layout_for(const sks_server *server)
{
    struct sks__layout l = {.self_at = aligned(sizeof(sks_request))};

    l.rooms_at = l.self_at + aligned(server->handler.self_size);
    l.size = l.rooms_at + (has_packets(server) ? 2 * SKS__BUFFER_SMALL : 0);
    l.size = round_up(l.size, alignof(sks_request));
    return l;
}

char *sks__request_packet_room(sks_request *r)
{
    return (char *)r + r->server->layout.rooms_at;
}

char *sks__request_reply_room(sks_request *r)
{
    return sks__request_packet_room(r) + SKS__BUFFER_SMALL;
}

/* --- memory --- */

static int is_on_desk(const sks_server *server, const void *memory)
{
    return memory == server->desk;
}

/* With the lock.  True unless there is enough. */
static int keep_memory(sks_server *server, void *memory)
{
    if (server->spare_count >= SKS__SPARES_MAX && !is_on_desk(server, memory))
        return 0;
    *(void **)memory = server->spares;
    server->spares = memory;
    server->spare_count++;
    return 1;
}

/* With the lock.  Memory of an earlier request, or NULL. */
static void *take_spare(sks_server *server)
{
    void *memory = server->spares;

    if (memory == NULL)
        return NULL;
    server->spares = *(void **)memory;
    server->spare_count--;
    return memory;
}

void sks__requests_free_spares(sks_server *server)
{
    void *memory;

    while ((memory = take_spare(server)) != NULL)
        if (!is_on_desk(server, memory))
            free(memory);
}

/* The first request, unless it is large, and the first bookings. */
static void lay_desk(sks_server *server)
{
    size_t room = SKS__SERVER_SIZE - offsetof(sks_server, desk);
    char *at = server->desk;
    size_t size;

    server->layout = layout_for(server);
    size = server->layout.size;
    if (size <= room / 2) {
        keep_memory(server, at);
        at += size;
        room -= size;
    }
    sks__pool_open(&server->bookings,
                   sizeof(struct sks__booking) + server->strategy.request_size);
    sks__pool_add(&server->bookings, at, room);
}

/* Bookings for up to n requests, and in them memory of earlier requests as far
 * as there is some.  How many. */
static size_t take_memory(sks_server *server, struct sks__booking **out,
                          size_t n)
{
    size_t got = 0;

    pthread_mutex_lock(&server->lock);
    if (server->bookings.size == 0)
        lay_desk(server);
    while (got < n && (out[got] = sks__pool_take(&server->bookings)) != NULL)
        out[got++]->request = take_spare(server);
    pthread_mutex_unlock(&server->lock);
    return got;
}

/* Kept for the next requests, the one freed last to be used first: allocating
 * costs more than most of what a request does here, and in a parent of forked
 * children it copies pages, too.  Bookings may have no request. */
static void give_memory(sks_server *server,
                        struct sks__booking *const *bookings, size_t n)
{
    sks_request *rest[SKS__PACKETS_MAX];
    size_t left = 0;

    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < n; i++) {
        sks_request *r = bookings[i]->request;

        if (r != NULL && !keep_memory(server, r))
            rest[left++] = r;
        sks__pool_give(&server->bookings, bookings[i]);
    }
    pthread_mutex_unlock(&server->lock);
    while (left > 0)
        free(rest[--left]);
}

/* Memory is used again and again, so that only what must be is zeroed. */
static void init(sks_request *r, sks_server *server,
                 struct sks__listener *listener, struct sks__booking *booking)
{
    size_t self_size = server->handler.self_size;

    r->booking = booking;
    r->server = server;
    r->listener = listener;
    r->result = r->exposed = r->linger_ms = r->has_peer_text = 0;
    atomic_init(&r->running, 0);
    r->packet.bytes = NULL;
    r->packet.len = r->packet.destination.len = 0;
    r->packet.truncated = 0;
    r->rfile.buffer.data = r->wfile.buffer.data = NULL;
    r->self = NULL;
    if (self_size > 0)
        r->self = memset((char *)r + server->layout.self_at, 0, self_size);
}

/* A request in the booking's memory, or in new: 0 or -ENOMEM. */
static int begin(sks_server *server, struct sks__listener *listener,
                 struct sks__booking *booking)
{
    if (booking->request == NULL)
        booking->request =
            aligned_alloc(alignof(sks_request), server->layout.size);
    if (booking->request == NULL)
        return -ENOMEM;
    sks__list_init(&booking->node);
    booking->peer.len = 0;
    memset(booking->slot, 0, server->strategy.request_size);
    init(booking->request, server, listener, booking);
    return 0;
}

size_t sks__requests_new(sks_server *server, struct sks__listener *listener,
                         sks_request **out, size_t n)
{
    struct sks__booking *bookings[SKS__PACKETS_MAX];
    size_t booked = take_memory(server, bookings, n), begun = 0;

    while (begun < booked && begin(server, listener, bookings[begun]) == 0) {
        out[begun] = bookings[begun]->request;
        begun++;
    }
    if (begun < booked)
        give_memory(server, bookings + begun, booked - begun);
    return begun;
}

sks_request *sks__request_new(sks_server *server,
                              struct sks__listener *listener)
{
    sks_request *r;

    return sks__requests_new(server, listener, &r, 1) == 1 ? r : NULL;
}

static void free_all(sks_request *const *requests, size_t n)
{
    sks_server *server = requests[0]->server;
    struct sks__booking *bookings[SKS__PACKETS_MAX];

    for (size_t i = 0; i < n; i++)
        bookings[i] = requests[i]->booking;
    give_memory(server, bookings, n);
}

void sks__request_free(sks_request *r)
{
    if (r != NULL)
        free_all(&r, 1);
}

void sks__request_leave_booking(sks_request *r)
{
    sks_server *server = r->server;
    int keeps;

    r->booking->request = NULL;
    pthread_mutex_lock(&server->lock);
    keeps = keep_memory(server, r);
    pthread_mutex_unlock(&server->lock);
    if (!keeps)
        free(r);
}

void sks__booking_free(sks_server *server, struct sks__booking *booking)
{
    give_memory(server, &booking, 1);
}

struct sks__waiter sks__request_waiter(const sks_request *r)
{
    return (struct sks__waiter){r->server->strategy.wait,
                                r->server->strategy_self,
                                r->server->strategy.receive};
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
    sks_request *cache = (sks_request *)r;

    if (!r->has_peer_text)
        sks__address_text(&r->booking->peer, cache->peer_text);
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
        requests[i]->listener->transport->close_request(requests[i]);
    }
    if (server->detached)
        return; /* the process ends: freeing would only copy pages for it */
    for (size_t i = 0; i < n; i++) {
        sks__rfile_close(&requests[i]->rfile);
        sks__wfile_close(&requests[i]->wfile);
    }
    free_all(requests, n);
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
            rc = sks_wfile_flush(&requests[i]->wfile);
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
