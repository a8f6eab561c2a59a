/* From endpoints to listeners. */
#include "server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct sks__listener *sks__server_new_listener(sks_server *server)
{
    struct sks__listener *l = &server->listeners[server->listener_count];

    if (server->listener_count == SKS__LISTENERS_MAX)
        return NULL;
    memset(l, 0, sizeof *l);
    l->fd = -1;
    l->limit_ms = -1;
    server->listener_count++;
    return l;
}

/* An adopted socket stays open when bind fails, which may be tried again. */
void sks__listener_close(sks_server *server, struct sks__listener *l)
{
    sks__unix_path_free(l->path, !sks__server_is_copy(server));
    l->path = NULL;
    if ((l->adopted == NULL || server->bound) &&
        !sks__server_has_let_go(server, l))
        sks__fd_close(l->fd);
    if (l->adopted != NULL && server->bound)
        l->adopted->number = -1;
    l->fd = -1;
}

void sks__server_drop_listeners(sks_server *server, size_t n)
{
    while (server->listener_count > n)
        sks__listener_close(server,
                            &server->listeners[--server->listener_count]);
    sks__fd_close(server->gathered_fd);
    server->gathered_fd = -1;
}

enum sks__fd_mode sks__server_mode(const sks_server *server)
{
    return server->strategy.wait != NULL || !sks__fd_has_time_limits
               ? SKS__FD_NONBLOCKING
               : SKS__FD_BLOCKING;
}

static int bind_endpoint(sks_server *server, struct sks__endpoint *e)
{
    switch (e->kind) {
    case SKS__ENDPOINT_INET:
        return sks__inet_bind(server, e);
    case SKS__ENDPOINT_PATH:
        return sks__unix_bind(server, e);
    default:
        return sks__fd_bind(server, e);
    }
}

/* --- several sets --- */

static int is_inet(const struct sks__listener *l)
{
    return l->adopted == NULL &&
           (l->family == AF_INET || l->family == AF_INET6);
}

/* The first of each address is bound without SO_REUSEPORT: so that no address
 * is taken that another server has, nor a port that is nobody's choice. */
static int share_ports(sks_server *server, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sks__listener *l = &server->listeners[i];
        int rc = is_inet(l) ? sks__inet_share_port(l) : 0;

        if (rc < 0)
            return sks__server_fail(server, rc,
                                    "several sockets cannot have %s: %s",
                                    l->text, sks_strerror(rc));
        l->set = is_inet(l) ? 1 : 0;
    }
    return 0;
}

/* Each address that may be bound several times, for each further set. */
static int bind_sets(sks_server *server)
{
    const sks_strategy *s = &server->strategy;
    size_t n = server->listener_count;
    unsigned sets = 1;
    int rc;

    if (s->listener_sets != NULL)
        sets = s->listener_sets(server, server->strategy_config);
    server->listener_sets = sets;
    if (sets <= 1)
        return 0;
    rc = share_ports(server, n);
    for (unsigned set = 2; rc == 0 && set <= sets; set++)
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (server->listeners[i].set != 0)
                rc = sks__inet_bind_again(server, i, set);
    return rc;
}

unsigned sks_server_listener_sets(const sks_server *server)
{
    return server->listener_sets > 1 ? server->listener_sets : 1;
}

static void swap(struct sks__listener *a, struct sks__listener *b)
{
    struct sks__listener kept = *a;

    *a = *b;
    *b = kept;
}

/* Of the first set, and everybody's: these come first. */
static size_t first_listeners(const sks_server *server)
{
    size_t n = 0;

    while (n < server->listener_count && server->listeners[n].set <= 1)
        n++;
    return n;
}

/* The set's first listener from that one on; listener_count if there is none.
 */
static size_t next_of_set(const sks_server *server, unsigned set, size_t from)
{
    while (from < server->listener_count && server->listeners[from].set != set)
        from++;
    return from;
}

/* Each takes the place of its address's first, whose order users know. */
void sks__server_keep_set(sks_server *server, unsigned set)
{
    size_t kept = 0, next = 0, n = first_listeners(server);

    for (size_t i = 0; i < n; i++) {
        size_t from = i;

        if (server->listeners[i].set != 0) {
            from = next_of_set(server, set, next);
            next = from + 1;
        }
        if (from == server->listener_count)
            continue;
        swap(&server->listeners[kept], &server->listeners[from]);
        if (server->listeners[kept].set != 0)
            server->listeners[kept].set = 1;
        kept++;
    }
    sks__server_drop_listeners(server, kept);
}

/* --- binding --- */

static int check_workers(sks_server *server)
{
    const sks_strategy *s = &server->strategy;

    if (s->most_workers == 0 || server->options.max_workers <= s->most_workers)
        return 0;
    return sks__server_fail(server, -EINVAL,
                            "max_workers is over %u, the most of the %s "
                            "strategy",
                            s->most_workers, s->name);
}

static int check_kinds(sks_server *server)
{
    if (!(server->strategy.flags & SKS_STREAM_ONLY))
        return 0;
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].transport->socktype != SOCK_STREAM)
            return sks__server_fail(server, -ENOTSUP,
                                    "the %s strategy serves streams only",
                                    server->strategy.name);
    return 0;
}

int sks_server_bind(sks_server *server)
{
    int rc;

    if (server == NULL)
        return -ENOMEM;
    if (server->fault != 0)
        return server->fault;
    if (server->closed)
        return sks__server_fail(server, SKS_ECLOSED, "the server is closed");
    if (server->bound)
        return 0;
    server->owner = getpid();
    rc = check_workers(server);
    for (size_t i = 0; rc == 0 && i < server->endpoint_count; i++)
        rc = bind_endpoint(server, &server->endpoints[i]);
    if (rc == 0)
        rc = check_kinds(server);
    if (rc == 0)
        rc = bind_sets(server);
    if (rc < 0)
        sks__server_drop_listeners(server, 0);
    else
        server->bound = 1;
    return rc;
}

int sks_server_listener_fileno(const sks_server *server, size_t i)
{
    if (i >= server->listener_count ||
        sks__server_has_let_go(server, &server->listeners[i]))
        return -1;
    return server->listeners[i].fd;
}

/* A descriptor that is readable while a listener, or the wake-up, is. */
static int gather(const sks_server *server)
{
    int fds[SKS__LISTENERS_MAX + 1];
    size_t n = 0;

    fds[n++] = server->stop.read_fd;
    for (size_t i = 0; i < server->listener_count; i++)
        fds[n++] = server->listeners[i].fd;
    return sks__fd_gather(fds, n);
}

int sks_server_fileno(sks_server *server)
{
    int fd;

    if (server == NULL || !server->bound || server->closed || server->detached)
        return SKS_ESTATE;
    pthread_mutex_lock(&server->lock);
    if (server->gathered_fd < 0)
        server->gathered_fd = gather(server);
    fd = server->gathered_fd;
    pthread_mutex_unlock(&server->lock);
    return fd == -ENOTSUP && server->listener_count == 1
               ? server->listeners[0].fd
               : fd;
}
