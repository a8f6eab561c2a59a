/* The requests under way: what is known of them, and telling them to end. */
#include "request.h"
#include "server.h"

void sks__server_list(sks_server *server, sks_request *const *requests,
                      size_t n)
{
    unsigned served = atomic_load(&server->stops_served);
    pthread_t self = pthread_self();
    int told, exposed;

    atomic_fetch_add(&server->holds, (unsigned)n);
    sks__tally_take(server, requests, n);
    pthread_mutex_lock(&server->lock);
    told = sks__server_is_told(server);
    exposed = sks__listener_exposes(server, requests[0]->listener, self);
    for (size_t i = 0; i < n; i++) {
        requests[i]->stops_at_birth = served;
        requests[i]->runner = self;
        requests[i]->exposed = exposed;
        sks__list_append(&server->requests, &requests[i]->booking->node);
        if (told)
            requests[i]->listener->transport->interrupt(requests[i], 0);
    }
    pthread_mutex_unlock(&server->lock);
}

void sks__server_unlist(sks_server *server, sks_request *const *requests,
                        size_t n)
{
    if (server->detached)
        return; /* the books are the parent's */
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < n; i++)
        sks__list_remove(&requests[i]->booking->node);
    pthread_mutex_unlock(&server->lock);
}

void sks__server_ended(sks_server *server, size_t n)
{
    atomic_fetch_sub(&server->tally->active, (unsigned)n);
    if (atomic_load(&server->wants_turn))
        sks__wakeup_raise(&server->turn);
    sks__server_release(server, n);
}

void sks__server_interrupt(sks_server *server, int both)
{
    pthread_mutex_lock(&server->lock);
    for (struct sks__list *n = server->requests.next; n != &server->requests;
         n = n->next) {
        sks_request *r = SKS__BOOKED(n);

        r->listener->transport->interrupt(r, both);
    }
    if (server->strategy_started && server->strategy.interrupt != NULL)
        server->strategy.interrupt(server->strategy_self, both);
    pthread_mutex_unlock(&server->lock);
}

void sks__server_set_started(sks_server *server, int started)
{
    pthread_mutex_lock(&server->lock);
    server->strategy_started = started;
    pthread_mutex_unlock(&server->lock);
}
