/* UDP and Unix datagrams.  A reply leaves from the address that its packet
 * came to (IP_PKTINFO, and RFC 3542, section 6.2), which on a machine with
 * several addresses the system would not choose by itself. */
#include "clock.h"
#include "error.h"
#include "fd.h"
#include "packets.h"
#include "request.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The largest payload of UDP over IPv4: 65535 less two headers. */
enum { UDP_MAX = 65507 };

/* Keeps the address that the packet came to. */
static void learn_destination(struct sks__packet *p, const struct msghdr *from)
{
    struct msghdr copy = *from, *msg = &copy; /* musl takes no const one */

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
static void add_control(struct msghdr *msg, struct sks__packet_control *room,
                        int level, int type, const void *info, size_t n)
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
                          struct sks__packet_control *room)
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

/* --- receiving --- */

/* One that is left when the handy one is in use, or a new one; NULL when out of
 * memory. */
static struct sks__packets *another_room(sks_server *server)
{
    struct sks__packets *room;

    pthread_mutex_lock(&server->lock);
    room = server->rooms;
    if (room != NULL)
        server->rooms = room->next;
    pthread_mutex_unlock(&server->lock);
    return room != NULL ? room
                        : sks__packets_new(server->options.max_packet_size);
}

/* Room to receive into, that give_room() takes back; NULL when out of memory.
 * It is the copy out of it that the request owns: most packets are far smaller
 * than the largest. */
static struct sks__packets *take_room(sks_server *server)
{
    struct sks__packets *room = atomic_exchange(&server->handy_room, NULL);

    return room != NULL ? room : another_room(server);
}

static void give_room(sks_server *server, struct sks__packets *room)
{
    struct sks__packets *none = NULL;

    if (atomic_compare_exchange_strong(&server->handy_room, &none, room))
        return;
    pthread_mutex_lock(&server->lock);
    room->next = server->rooms;
    server->rooms = room;
    pthread_mutex_unlock(&server->lock);
}

/* Makes the i-th packet of the room the request's, whose reply may be limit
 * bytes long: 0 or -ENOMEM. */
static int begin(sks_request *r, const struct sks__packets *room, size_t i,
                 size_t limit)
{
    struct sks__listener *l = r->listener;
    const struct sks__fd_message *m = &room->messages[i];
    struct sks__packet *p = &r->packet;
    struct sks__buffer bytes;

    sks__buffer_lend(&bytes, sks__request_packet_room(r), SKS__BUFFER_SMALL);
    if (sks__buffer_append(&bytes, room->vectors[i].iov_base, m->len) < 0)
        return -ENOMEM;
    p->bytes = bytes.data;
    p->len = m->len;
    p->truncated = (m->header.msg_flags & MSG_TRUNC) != 0;
    sks__address_copy(sks__request_peer(r), &room->senders[i]);
    if (l->knows_destination)
        learn_destination(p, &m->header);
    sks__stream_init(&r->stream, NULL, l->fd, sks__request_waiter(r), 0, -1);
    r->stream.timeout_ms = r->server->options.request_timeout_ms;
    sks__rfile_open_packet(&r->rfile, &bytes, p->truncated);
    sks__wfile_open_packet(&r->wfile, limit, sks__request_reply_room(r));
    return 0;
}

/* Requests of the n packets in the room: how many, or -ENOMEM.  The packets
 * that there is no memory for are lost, as packets may be. */
static int begin_all(struct sks__listener *l, sks_server *server,
                     const struct sks__packets *room, sks_request **out,
                     size_t n)
{
    size_t made = sks__requests_new(server, l, out, n), begun = 0;
    size_t limit = reply_max(l);

    for (size_t i = 0; i < made; i++)
        if (begun == i && begin(out[i], room, i, limit) == 0)
            begun++;
        else
            sks__request_free(out[i]);
    return begun > 0 ? (int)begun : -ENOMEM;
}

static int get_requests(struct sks__listener *l, sks_server *server,
                        sks_request **out, size_t n)
{
    struct sks__packets *room = take_room(server);
    int rc;

    if (room == NULL)
        return -ENOMEM;
    rc = sks__packets_receive(room, l->fd, n);
    if (rc > 0)
        rc = begin_all(l, server, room, out, (size_t)rc);
    /* What an earlier reply met on its way is no fault of these packets. */
    else if (sks__error_is_peer_gone(rc))
        rc = -EAGAIN;
    give_room(server, room);
    return rc;
}

/* --- replying --- */

/* One try: 0, -EAGAIN if there is no room now, or why it is in vain. */
static int send_once(sks_request *r, const struct msghdr *msg)
{
    ssize_t n;

    do
        n = sendmsg(r->stream.fd, msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
        return -EAGAIN;
    return sks__error_is_peer_gone(-errno) ? SKS_ECLOSED : -errno;
}

/* The same until the socket takes the packet.  That of a Unix server is
 * writable even when the receiver's queue is full, so each try also lets time
 * pass. */
static int send_later(sks_request *r, const struct msghdr *msg)
{
    int64_t until = sks__clock_after(r->stream.timeout_ms);
    int pause_ms = 1, rc = -EAGAIN;

    if (r->stream.deadline < until)
        until = r->stream.deadline;
    while (rc == -EAGAIN) {
        int left = sks__clock_left_ms(until);

        if (left == 0)
            return SKS_ETIMEDOUT;
        if (left > 0 && left < pause_ms)
            pause_ms = left;
        rc = sks__waiter_wait(&r->stream.waiter, -1, 0, pause_ms);
        if (rc < 0)
            return rc;
        pause_ms = pause_ms < 16 ? pause_ms * 2 : pause_ms;
        rc = send_once(r, msg);
    }
    return rc;
}

/* The clock is for those that do not leave at once. */
static int send_patiently(sks_request *r, const struct msghdr *msg)
{
    int rc = send_once(r, msg);

    return rc == -EAGAIN ? send_later(r, msg) : rc;
}

/* A reply on its way; filled by compose(), which it may not be moved after. */
struct letter {
    struct iovec iov;
    struct sks__packet_control room;
};

/* The reply as a message: 1, 0 if there is none, or why it cannot be sent. */
static int compose(sks_request *r, struct letter *letter, struct msghdr *msg)
{
    struct sks__buffer *b = &r->wfile.buffer;
    struct sks__address *peer = sks__request_peer(r);

    if (r->wfile.error < 0 || !r->wfile.written)
        return r->wfile.error;
    if (peer->len <= offsetof(struct sockaddr_un, sun_path))
        return SKS_ECLOSED; /* an unnamed Unix socket hears nothing */
    letter->iov =
        (struct iovec){(void *)sks__buffer_bytes(b), sks__buffer_len(b)};
    *msg = (struct msghdr){.msg_name = &peer->of,
                           .msg_namelen = peer->len,
                           .msg_iov = &letter->iov,
                           .msg_iovlen = 1};
    choose_source(&r->packet, msg, &letter->room);
    return 1;
}

static void note(sks_request *r, int rc)
{
    if (rc < 0 && r->result == 0)
        r->result = rc;
}

static void reply_one(sks_request *r)
{
    struct letter letter;
    struct msghdr msg;
    int rc = compose(r, &letter, &msg);

    note(r, rc > 0 ? send_patiently(r, &msg) : rc);
}

/* Replies that leave together; on the stack of who sends them. */
struct mail {
    sks_request *requests[SKS__PACKETS_MAX];
    struct sks__fd_message messages[SKS__PACKETS_MAX];
    struct letter letters[SKS__PACKETS_MAX];
};

static size_t collect(struct mail *mail, sks_request *const *requests, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        int rc = compose(requests[i], &mail->letters[count],
                         &mail->messages[count].header);

        if (rc > 0)
            mail->requests[count++] = requests[i];
        else
            note(requests[i], rc);
    }
    return count;
}

/* The one that the system refuses just now waits by itself. */
static void reply_to_some(sks_request *const *requests, size_t n)
{
    struct mail mail;
    size_t count = collect(&mail, requests, n), sent = 0;

    while (sent < count) {
        sks_request *r = mail.requests[sent];
        int rc =
            sks__fd_send_many(r->stream.fd, &mail.messages[sent], count - sent);

        if (rc < 0)
            note(r, send_patiently(r, &mail.messages[sent].header));
        sent += rc < 0 ? 1 : (size_t)rc;
    }
}

static void reply(sks_request *const *requests, size_t n)
{
    if (n == 1)
        reply_one(requests[0]);
    else
        reply_to_some(requests, n);
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
    .get_requests = get_requests,
    .reply = reply,
    .shutdown_request = nothing_to_shut_down,
    .interrupt = nothing_to_shut_down,
    .close_request = nothing_to_close,
};
