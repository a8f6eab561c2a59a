/* Requests that another process has: of a worker, or handed over to a child. */
#include "request.h"
#include "server.h"

#include <stddef.h>
#include <string.h>

/* --- what the parent says of one that failed --- */

/* A request that stands for one that another process had: its input is at its
 * end, and its output takes nothing. */
static sks_request *stand_in(sks_server *server,
                             const struct sks__address *peer)
{
    sks_request *r = sks__request_new(server, &server->listeners[0]);
    struct sks__buffer nothing = {.end = 0};

    if (r == NULL)
        return NULL;
    sks__stream_init(&r->stream, &sks__socket_layer, -1, sks__request_waiter(r),
                     0, -1);
    sks__rfile_open_packet(&r->rfile, &nothing, 0);
    sks__wfile_open_packet(&r->wfile, 0, NULL);
    sks__address_copy(sks__request_peer(r), peer);
    if (peer->len == 0) {
        memcpy(r->peer_text, "unknown", sizeof "unknown");
        r->has_peer_text = 1;
    }
    return r;
}

static void tell_of_loss(sks_server *server, const struct sks__address *peer,
                         int error)
{
    sks_request *r = stand_in(server, peer);

    if (r == NULL) {
        sks_server_log(server, SKS_ERROR, "a request failed: %s (%d)",
                       sks_strerror(error), error);
        return;
    }
    sks__server_handle_error(server, r, error);
    sks__rfile_close(&r->rfile);
    sks__wfile_close(&r->wfile);
    sks__request_free(r);
}

/* --- of a worker --- */

unsigned long sks_server_end_worker(sks_server *server, unsigned number,
                                    int error)
{
    struct sks__tally *t;
    unsigned lost;

    if (number == 0 || number > SKS_PROCESSES_MAX)
        return 0;
    t = &server->shared->tally[number];
    lost = atomic_exchange(&t->active, 0);
    while (lost-- > 0)
        tell_of_loss(server, &t->peer, error);
    t->peer.len = 0;
    atomic_store(&t->alive, 0);
    return atomic_load(&t->taken);
}

/* --- handed over --- */

void sks_request_hand_over(sks_request *r)
{
    sks__server_unlist(r->server, &r, 1);
    r->listener->transport->close_request(r);
    sks__rfile_close(&r->rfile);
    sks__wfile_close(&r->wfile);
    sks__request_leave_booking(r);
}

void sks_request_take_over(sks_request *r)
{
    r->stream.shared = 0;
    r->closes_at_exit = 1;
}

void sks_slot_end(sks_server *server, void *slot, int error)
{
    struct sks__booking *booking =
        (void *)((char *)slot - offsetof(struct sks__booking, slot));

    if (error < 0)
        tell_of_loss(server, sks__booking_peer(server, booking), error);
    sks__booking_free(server, booking);
    sks__server_ended(server, 1);
}
