/* UDP and Unix datagrams.  A reply leaves from the address that its packet
 * came to (IP_PKTINFO, and RFC 3542, section 6.2), which on a machine with
 * several addresses the system would not choose by itself. */
#include "clock.h"
#include "error.h"
#include "fd.h"
#include "request.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The largest payload of UDP over IPv4: 65535 less two headers. */
enum { UDP_MAX = 65507 };

/* Room for one packet information of either family. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Keeps the address that the packet came to. */
static void learn_destination(struct sks__packet *p, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            p->destination.of.in6.sin6_addr = info.ipi6_addr;
            p->destination.of.any.sa_family = AF_INET6;
            p->destination.len = sizeof p->destination.of.in6;
            p->interface = (unsigned)info.ipi6_ifindex;
        }
#ifdef IP_PKTINFO
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            p->destination.of.in.sin_addr = info.ipi_spec_dst;
            p->destination.of.any.sa_family = AF_INET;
            p->destination.len = sizeof p->destination.of.in;
        }
#endif
    }
}

/* Appends a control message to an empty one. */
static void add_control(struct msghdr *msg, union control *room, int level,
                        int type, const void *info, size_t n)
{
    struct cmsghdr *c;

    memset(room, 0, sizeof *room);
    msg->msg_control = room;
    msg->msg_controllen = (socklen_t)CMSG_SPACE(n);
    c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = (socklen_t)CMSG_LEN(n);
    memcpy(CMSG_DATA(c), info, n);
}

/* Makes a reply leave from the packet's destination.  A multicast address
 * cannot be a source. */
static void choose_source(const struct sks__packet *p, struct msghdr *msg,
                          union control *room)
{
    const struct sks__address *d = &p->destination;

    if (d->len == 0)
        return;
    if (d->of.any.sa_family == AF_INET6 &&
        !IN6_IS_ADDR_MULTICAST(&d->of.in6.sin6_addr)) {
        struct in6_pktinfo info = {.ipi6_addr = d->of.in6.sin6_addr};

        if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            info.ipi6_ifindex = p->interface;
        add_control(msg, room, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
#ifdef IP_PKTINFO
    if (d->of.any.sa_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = d->of.in.sin_addr};

        add_control(msg, room, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
#endif
}

static ssize_t receive(int fd, struct msghdr *msg)
{
    ssize_t n;

    do
        n = recvmsg(fd, msg, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* The longest reply: of a Unix socket, what Linux lets its buffer hold. */
static size_t reply_max(const struct sks__listener *l)
{
    int size = 0;
    socklen_t len = sizeof size;

    if (l->family != AF_UNIX)
        return UDP_MAX;
    if (getsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0 || size <= 32)
        return UDP_MAX;
    return (size_t)size - 32;
}

static int get_request(struct sks__listener *l, sks_request *r)
{
    const struct sks__options *options = &r->server->options;
    union control room;
    struct iovec iov = {NULL, options->max_packet_size};
    struct msghdr msg = {.msg_name = &r->peer.of,
                         .msg_namelen = sizeof r->peer.of,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &room,
                         .msg_controllen = sizeof room};
    ssize_t n;

    r->packet.bytes = iov.iov_base = malloc(iov.iov_len);
    if (iov.iov_base == NULL)
        return -ENOMEM;
    n = receive(l->fd, &msg);
    if (n < 0) {
        free(iov.iov_base);
        /* What an earlier reply met on its way is no fault of this packet. */
        return sks__error_is_peer_gone((int)n) ? -EAGAIN : (int)n;
    }
    sks__address_set_len(&r->peer, msg.msg_namelen);
    r->packet.len = (size_t)n;
    r->packet.truncated = (msg.msg_flags & MSG_TRUNC) != 0;
    if (l->knows_destination)
        learn_destination(&r->packet, &msg);
    sks__stream_init(&r->stream, NULL, l->fd, sks__request_waiter(r), 0, -1);
    r->stream.timeout_ms = options->request_timeout_ms;
    sks__rfile_open_packet(&r->rfile, r->packet.bytes, r->packet.len,
                           r->packet.truncated);
    sks__wfile_open_packet(&r->wfile, reply_max(l));
    return 0;
}

/* Until the socket takes the packet.  The socket of a Unix server is writable
 * even when the receiver's queue is full, so each try also lets time pass. */
static int send_patiently(sks_request *r, const struct msghdr *msg)
{
    int64_t until = sks__clock_after(r->stream.timeout_ms);
    int pause_ms = 1;

    if (r->stream.deadline < until)
        until = r->stream.deadline;
    for (;;) {
        ssize_t n = sendmsg(r->stream.fd, msg, MSG_NOSIGNAL);
        int left = sks__clock_left_ms(until);
        int rc;

        if (n >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
            return sks__error_is_peer_gone(-errno) ? SKS_ECLOSED : -errno;
        if (left == 0)
            return SKS_ETIMEDOUT;
        if (left > 0 && left < pause_ms)
            pause_ms = left;
        rc = sks__waiter_wait(&r->stream.waiter, -1, 0, pause_ms);
        if (rc < 0)
            return rc;
        pause_ms = pause_ms < 16 ? pause_ms * 2 : pause_ms;
    }
}

static int reply(sks_request *r)
{
    union control room;
    struct sks__buffer *b = &r->wfile.buffer;
    struct iovec iov = {(void *)sks__buffer_bytes(b), sks__buffer_len(b)};
    struct msghdr msg = {.msg_name = &r->peer.of,
                         .msg_namelen = r->peer.len,
                         .msg_iov = &iov,
                         .msg_iovlen = 1};

    if (r->wfile.error < 0 || !r->wfile.written)
        return r->wfile.error;
    if (r->peer.len <= offsetof(struct sockaddr_un, sun_path))
        return SKS_ECLOSED; /* an unnamed Unix socket hears nothing */
    choose_source(&r->packet, &msg, &room);
    return send_patiently(r, &msg);
}

static void nothing_to_shut_down(sks_request *r, int wait)
{
    (void)r, (void)wait;
}

static void nothing_to_close(sks_request *r)
{
    (void)r;
}

const struct sks__transport sks__datagram_transport = {
    .name = "datagram",
    .socktype = SOCK_DGRAM,
    .get_request = get_request,
    .reply = reply,
    .shutdown_request = nothing_to_shut_down,
    .interrupt = nothing_to_shut_down,
    .close_request = nothing_to_close,
};
