/* Adopting sockets that were bound elsewhere. */
#include "address.h"
#include "fd.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

static int option_of(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

/* One that no peer could find is a mistake. */
static int is_bound(const struct sks__address *a)
{
    if (a->of.any.sa_family == AF_UNIX)
        return a->len > offsetof(struct sockaddr_un, sun_path);
    return sks__address_port(a) != 0;
}

/* What the socket is; its transport and family are known afterwards. */
static int identify(struct sks__listener *l, struct sks__address *a)
{
    int type = option_of(l->fd, SO_TYPE);
    int rc = type < 0 ? type : sks__address_of_socket(a, l->fd);

    if (rc < 0)
        return rc;
    l->family = a->of.any.sa_family;
    if (l->family != AF_INET && l->family != AF_INET6 && l->family != AF_UNIX)
        return -EAFNOSUPPORT;
    if (!is_bound(a))
        return -EDESTADDRREQ;
    if (type == SOCK_STREAM)
        l->transport = &sks__stream_transport;
    else if (type == SOCK_DGRAM)
        l->transport = &sks__datagram_transport;
    else
        return -EPROTOTYPE;
    return 0;
}

/* A stream may listen already, with a backlog that somebody chose, and keep
 * back silent connections for as long as somebody chose. */
static int activate(sks_server *server, struct sks__listener *l)
{
    int defer_ms = server->options.defer_accept_ms;

    if (l->transport->socktype == SOCK_STREAM) {
        if (l->family != AF_UNIX && defer_ms > 0)
            sks__fd_defer_accept(l->fd, defer_ms); /* only a help */
        if (option_of(l->fd, SO_ACCEPTCONN) > 0)
            return 0;
        return listen(l->fd, server->options.backlog) < 0 ? -errno : 0;
    }
    return l->family == AF_UNIX ? 0 : sks__inet_activate(server, l);
}

static int adopt(sks_server *server, struct sks__listener *l)
{
    struct sks__address a;
    int rc = identify(l, &a);

    if (rc == 0 && server->socktype != 0 &&
        l->transport->socktype != server->socktype)
        rc = -EPROTOTYPE;
    if (rc == 0)
        rc = sks__fd_set_cloexec(l->fd);
    if (rc == 0)
        rc = sks__fd_set_mode(l->fd, SKS__FD_NONBLOCKING);
    if (rc == 0)
        rc = activate(server, l);
    if (rc < 0)
        return rc;
    l->limit_ms = SKS__LIMIT_UNKNOWN;
    l->port = sks__address_port(&a);
    sks__address_text(&a, l->text);
    return 0;
}

int sks__fd_bind(sks_server *server, struct sks__endpoint *e)
{
    struct sks__listener *l = sks__server_new_listener(server);
    int rc;

    if (l == NULL)
        return sks__server_fail(server, -E2BIG, "too many addresses");
    l->adopted = e;
    l->fd = e->number;
    rc = adopt(server, l);
    if (rc == 0)
        return 0;
    sks__server_drop_listeners(server, server->listener_count - 1);
    return sks__server_fail(server, rc, "cannot serve descriptor %d: %s",
                            e->number, sks_strerror(rc));
}
