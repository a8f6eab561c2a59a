/* Binding TCP and UDP addresses. */
#include "address.h"
#include "fd.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* How often several addresses look for a port that is free on all of them. */
enum { PORT_TRIES = 16 };

/* For sentences. */
static const char *host_of(const struct sks__endpoint *e)
{
    return e->name != NULL ? e->name : "";
}

/* What every socket of the server has, before it is bound. */
static int set_options(const struct sks__options *o, int fd, int family,
                       int type)
{
    int rc = 0;

    if (type == SOCK_STREAM && o->reuse_address)
        rc = sks__fd_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
#ifdef SO_REUSEPORT
    if (rc == 0 && o->reuse_port)
        rc = sks__fd_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
#endif
    if (rc == 0 && family == AF_INET6)
        rc = sks__fd_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return rc;
}

/* What accepted connections have from their listener, where they do. */
static void set_inherited(struct sks__listener *l, const struct sks__options *o)
{
    int ms = o->request_timeout_ms;

    if (!sks__fd_accept_inherits)
        return;
    if (o->nodelay)
        sks__fd_set_option(l->fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (ms != 0 && sks__fd_set_time_limit(l->fd, SO_RCVTIMEO, ms) == 0 &&
        sks__fd_set_time_limit(l->fd, SO_SNDTIMEO, ms) == 0)
        l->limit_ms = ms;
}

/* True of a socket that is bound to the address of one interface: replies
 * leave from there by themselves. */
static int has_one_address(const struct sks__listener *l)
{
    struct sks__address a;

    if (sks__address_of_socket(&a, l->fd) < 0)
        return 0;
    if (l->family == AF_INET6)
        return !IN6_IS_ADDR_UNSPECIFIED(&a.of.in6.sin6_addr) &&
               !IN6_IS_ADDR_MULTICAST(&a.of.in6.sin6_addr);
    return a.of.in.sin_addr.s_addr != htonl(INADDR_ANY) &&
           !IN_MULTICAST(ntohl(a.of.in.sin_addr.s_addr));
}

static int tell_destinations(struct sks__listener *l)
{
    int rc = -ENOTSUP;

    if (has_one_address(l))
        return rc;
#ifdef IP_PKTINFO
    if (l->family == AF_INET)
        rc = sks__fd_set_option(l->fd, IPPROTO_IP, IP_PKTINFO, 1);
#endif
    if (l->family == AF_INET6)
        rc = sks__fd_set_option(l->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    return rc;
}

/* From a bound socket to a listener that gets requests. */
int sks__inet_activate(sks_server *server, struct sks__listener *l)
{
    const struct sks__options *o = &server->options;

    if (l->transport->socktype == SOCK_DGRAM) {
        l->knows_destination = tell_destinations(l) == 0;
        return 0;
    }
    set_inherited(l, o);
    if (o->defer_accept_ms > 0)
        sks__fd_defer_accept(l->fd, o->defer_accept_ms); /* only a help */
    return listen(l->fd, o->backlog) < 0 ? -errno : 0;
}

static void set_port(struct sks__address *a, int port)
{
    if (a->of.any.sa_family == AF_INET6)
        a->of.in6.sin6_port = htons((uint16_t)port);
    else
        a->of.in.sin_port = htons((uint16_t)port);
}

/* A socket bound to one address. */
static int bound_socket(const struct sks__options *o, const struct addrinfo *ai,
                        int port)
{
    struct sks__address a = {.len = (socklen_t)ai->ai_addrlen};
    int fd = sks__fd_socket(ai->ai_family, ai->ai_socktype);
    int rc;

    if (fd < 0)
        return fd;
    memcpy(&a.of, ai->ai_addr, ai->ai_addrlen);
    set_port(&a, port);
    rc = set_options(o, fd, ai->ai_family, ai->ai_socktype);
    if (rc == 0 && bind(fd, &a.of.any, a.len) < 0)
        rc = -errno;
    if (rc == 0)
        return fd;
    sks__fd_close(fd);
    return rc;
}

/* A listener on one address; *port 0 becomes the system's choice. */
static int bind_one(sks_server *server, const struct addrinfo *ai, int *port)
{
    struct sks__listener *l = sks__server_new_listener(server);
    struct sks__address a;
    int rc;

    if (l == NULL)
        return -E2BIG;
    l->transport = ai->ai_socktype == SOCK_STREAM ? &sks__stream_transport
                                                  : &sks__datagram_transport;
    l->family = ai->ai_family;
    rc = l->fd = bound_socket(&server->options, ai, *port);
    if (rc >= 0)
        rc = sks__inet_activate(server, l);
    if (rc == 0)
        rc = sks__address_of_socket(&a, l->fd);
    if (rc < 0)
        return rc;
    sks__address_text(&a, l->text);
    *port = l->port = sks__address_port(&a);
    return 0;
}

/* --- the same address again --- */

int sks__inet_share_port(const struct sks__listener *l)
{
#ifdef SO_REUSEPORT
    return sks__fd_set_option(l->fd, SOL_SOCKET, SO_REUSEPORT, 1);
#else
    (void)l;
    return -ENOTSUP;
#endif
}

static int bind_to_same(sks_server *server, const struct sks__listener *first,
                        struct sks__listener *l)
{
    struct sks__options o = server->options;
    struct sks__address a;
    struct addrinfo ai = {.ai_family = l->family,
                          .ai_socktype = l->transport->socktype};
    int rc = sks__address_of_socket(&a, first->fd);

    if (rc < 0)
        return rc;
    o.reuse_port = 1;
    ai.ai_addr = &a.of.any;
    ai.ai_addrlen = a.len;
    rc = l->fd = bound_socket(&o, &ai, first->port);
    return rc < 0 ? rc : sks__inet_activate(server, l);
}

int sks__inet_bind_again(sks_server *server, size_t i, unsigned set)
{
    const struct sks__listener *first = &server->listeners[i];
    struct sks__listener *l = sks__server_new_listener(server);
    int rc;

    if (l == NULL)
        return sks__server_fail(server, -E2BIG,
                                "%u sockets for each address are more than %d",
                                server->listener_sets, SKS__LISTENERS_MAX);
    *l = *first;
    l->fd = -1;
    l->set = set;
    rc = bind_to_same(server, first, l);
    if (rc == 0)
        return 0;
    return sks__server_fail(server, rc, "cannot listen on %s again: %s",
                            first->text, sks_strerror(rc));
}

/* --- all addresses of a name --- */

/* A machine may lack one of the two families. */
static int is_lack_of_family(int rc)
{
    return rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL;
}

/* A host file may have the same line twice. */
static int is_repeated(const struct addrinfo *all, const struct addrinfo *ai)
{
    for (; all != ai; all = all->ai_next)
        if (all->ai_addrlen == ai->ai_addrlen &&
            memcmp(all->ai_addr, ai->ai_addr, ai->ai_addrlen) == 0)
            return 1;
    return 0;
}

/* Listeners on all addresses of a name, on one port: 0 or the first error. */
static int bind_all(sks_server *server, const struct addrinfo *all, int port)
{
    size_t before = server->listener_count;
    int lack = 0;

    for (const struct addrinfo *ai = all; ai != NULL; ai = ai->ai_next) {
        int rc;

        if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) ||
            is_repeated(all, ai))
            continue;
        rc = bind_one(server, ai, &port);
        if (rc == 0)
            continue;
        sks__server_drop_listeners(server, rc != -E2BIG
                                               ? server->listener_count - 1
                                               : server->listener_count);
        if (is_lack_of_family(rc)) {
            lack = rc;
            continue;
        }
        sks__server_drop_listeners(server, before);
        return rc;
    }
    if (server->listener_count > before)
        return 0;
    return lack != 0 ? lack : SKS_ERESOLVE;
}

static int resolve(const struct sks__endpoint *e, int type,
                   struct addrinfo **out)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = type,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int rc;

    do
        rc = getaddrinfo(e->name, "0", &hints, out);
    while (rc == EAI_SYSTEM && errno == EINTR);
    switch (rc) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return -errno;
    default:
        return SKS_ERESOLVE;
    }
}

int sks__inet_bind(sks_server *server, const struct sks__endpoint *e)
{
    struct addrinfo *all;
    int rc, tries = 0;

    if (e->number < 0 || e->number > 65535)
        return sks__server_fail(server, -EINVAL,
                                "port %d is not between 0 and 65535",
                                e->number);
    rc = resolve(e, server->socktype, &all);
    if (rc == -EAGAIN)
        return sks__server_fail(server, SKS_ERESOLVE,
                                "cannot find host '%s': the name server does "
                                "not answer",
                                host_of(e));
    if (rc < 0)
        return sks__server_fail(server, rc, "cannot find host '%s': %s",
                                host_of(e), sks_strerror(rc));
    do
        rc = bind_all(server, all, e->number);
    while (rc == -EADDRINUSE && e->number == 0 && ++tries < PORT_TRIES);
    freeaddrinfo(all);
    if (rc < 0)
        return sks__server_fail(server, rc, "cannot listen on %s:%d: %s",
                                host_of(e), e->number, sks_strerror(rc));
    return 0;
}
