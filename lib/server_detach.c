/* A forked child's copy of a server: what it must let go of. */
#include "request.h"
#include "server.h"

#include <unistd.h>

int sks__server_is_copy(const sks_server *server)
{
    return server->detached || server->owner != getpid();
}

void sks__server_renew_locks(sks_server *server)
{
    server->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    server->left = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    server->serving = 0;
}

/* The other requests' structs stay as they are: each page that is written to
 * would be copied for this child. */
void sks__server_drop_requests(sks_server *server, sks_request *keep)
{
    for (struct sks__list *n = server->requests.next; n != &server->requests;
         n = n->next) {
        sks_request *r = SKS__BOOKED(n);

        if (r != keep)
            r->listener->transport->close_request(r);
    }
    sks__list_init(&server->requests);
    server->kept = keep;
    if (keep != NULL)
        keep->stream.shared = 1;
}

/* A packet's listener sends the reply. */
static int is_needed(const struct sks__listener *l, const sks_request *keep)
{
    return keep != NULL && keep->listener == l && l->transport->reply != NULL;
}

int sks__server_has_let_go(const sks_server *server,
                           const struct sks__listener *l)
{
    return server->detached && !is_needed(l, server->kept);
}

/* They stay as they are, too, and nobody closes them again: not even a child's
 * child that is detached in its turn. */
static void let_go_of_listeners(const sks_server *server,
                                const sks_request *keep)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct sks__listener *l = &server->listeners[i];

        if (!is_needed(l, keep) && !sks__server_has_let_go(server, l))
            sks__fd_close_inherited(l->fd);
    }
}

/* What a request has not read yet of its connection finds memory that costs the
 * child no page of its own, as far as it is little. */
static void lend_room(sks_server *server, sks_request *keep)
{
    struct sks__buffer *b = &keep->rfile.buffer;
    size_t n = server->options.rbufsize;

    if (b->data == NULL && n <= SKS__CHILDS_START + SKS__CHILDS_ROOM)
        sks__buffer_lend(b,
                         (char *)server + SKS__SERVER_SIZE - SKS__CHILDS_START,
                         n);
}

void sks_server_detach(sks_server *server, sks_request *keep)
{
    let_go_of_listeners(server, keep);
    server->detached = 1;
    atomic_store(&server->exposed_fd, -1);
    sks__server_renew_locks(server);
    sks__server_drop_requests(server, keep);
    sks__fd_close(server->gathered_fd);
    server->gathered_fd = -1;
    if (keep != NULL)
        lend_room(server, keep);
}
