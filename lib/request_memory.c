/* The memory of requests.  A request's struct, the handler's self and the rooms
 * for a small packet and its reply are one piece; its booking, with the
 * strategy's slot and the peer's address, is another. */
#include "packets.h"
#include "request.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
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

/* Unix addresses are long. */
static socklen_t longest_peer(const sks_server *server)
{
    const struct sks__address *a = NULL;

    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].family == AF_UNIX)
            return sizeof a->of;
    return sizeof a->of.in6;
}

static struct sks__layout layout_for(const sks_server *server)
{
    struct sks__layout l = {.self_at = aligned(sizeof(sks_request))};

    l.rooms_at = l.self_at + aligned(server->handler.self_size);
    l.size = l.rooms_at + (has_packets(server) ? 2 * SKS__BUFFER_SMALL : 0);
    l.size = round_up(l.size, alignof(sks_request));
    l.peer_at =
        sizeof(struct sks__booking) +
        round_up(server->strategy.request_size, alignof(struct sks__address));
    l.peer_max = longest_peer(server);
    l.booking_size = l.peer_at + offsetof(struct sks__address, of) + l.peer_max;
    return l;
}

struct sks__address *sks__booking_peer(const sks_server *server,
                                       struct sks__booking *booking)
{
    return (void *)((char *)booking + server->layout.peer_at);
}

struct sks__address *sks__request_peer(const sks_request *r)
{
    return sks__booking_peer(r->server, r->booking);
}

char *sks__request_packet_room(sks_request *r)
{
    return (char *)r + r->server->layout.rooms_at;
}

char *sks__request_reply_room(sks_request *r)
{
    return sks__request_packet_room(r) + SKS__BUFFER_SMALL;
}

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
    size_t room =
        SKS__SERVER_SIZE - SKS__CHILDS_START - offsetof(sks_server, desk);
    char *at = server->desk;
    size_t size;

    server->layout = layout_for(server);
    size = server->layout.size;
    if (size <= room / 2) {
        keep_memory(server, at);
        at += size;
        room -= size;
    }
    sks__pool_open(&server->bookings, server->layout.booking_size);
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
    r->result = r->exposed = r->linger_ms = 0;
    r->has_peer_text = r->closes_at_exit = 0;
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
    sks__booking_peer(server, booking)->len = 0;
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

void sks__requests_free(sks_request *const *requests, size_t n)
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
        sks__requests_free(&r, 1);
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
