/* TCP and Unix stream connections. */
#include "clock.h"
#include "fd.h"
#include "request.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* How long a closing connection waits for its peer unless the handler knows
 * better, and how much input it throws away meanwhile. */
enum { LINGER_MS = 2000, LINGER_BYTES = 64 * 1024 };

/* accept(2) reports on the listener faults of the connection that it would
 * have returned: that client is gone, the next may be fine. */
static int is_clients_fault(int rc)
{
    switch (rc) {
    case -ECONNABORTED:
    case -EPROTO:
    case -EPERM:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -ETIMEDOUT:
#ifdef ENONET
    case -ENONET:
#endif
#ifdef EHOSTDOWN
    case -EHOSTDOWN:
#endif
    case -ENOPROTOOPT:
    case -EOPNOTSUPP:
        return 1;
    default:
        return 0;
    }
}

static int get_request(struct sks__listener *l, sks_request *r)
{
    const struct sks__options *options = &r->server->options;
    enum sks__fd_mode mode = sks__server_mode(r->server);
    struct sks__address *peer = sks__request_peer(r);
    socklen_t len = r->server->layout.peer_max;
    int fd = sks__fd_accept(l->fd, &peer->of.any, &len, mode);

    if (fd < 0)
        return is_clients_fault(fd) ? -EAGAIN : fd;
    sks__address_set_len(peer, len);
    if (options->nodelay && l->family != AF_UNIX &&
        (l->adopted || !sks__fd_accept_inherits))
        sks__fd_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    sks__stream_init(&r->stream, &sks__socket_layer, fd, sks__request_waiter(r),
                     mode == SKS__FD_BLOCKING, l->limit_ms);
    r->stream.timeout_ms = options->request_timeout_ms;
    r->stream.spin_us = options->spin_us;
    r->linger_ms = LINGER_MS;
    sks__rfile_open(&r->rfile, &r->stream, &r->wfile, options->rbufsize);
    sks__wfile_open(&r->wfile, &r->stream, options->wbufsize);
    return 0;
}

/* True if a shutdown may have ended the input, which then does not show whether
 * the peer has the last reply.  In a forked child the look at what processes
 * share costs a page, so that it comes last. */
static int may_lose_reply(const sks_request *r)
{
    return r->listener->family != AF_UNIX &&
           (!r->server->detached || sks__fd_holds_bytes(r->stream.fd)) &&
           sks_request_stopping(r);
}

static void shutdown_request(sks_request *r, int wait)
{
    /* Closing says it, too, where no other process holds the socket. */
    if (wait && r->linger_ms == 0 && !r->stream.shared &&
        r->stream.layer == &sks__socket_layer)
        return;
    if (!wait || r->wfile.error != 0 || r->linger_ms == 0) {
        r->stream.layer->shutdown(&r->stream);
        return;
    }
    if (may_lose_reply(r))
        sks__stream_deliver(&r->stream, r->linger_ms);
    sks__stream_linger(&r->stream, r->linger_ms, LINGER_BYTES);
}

static void interrupt(sks_request *r, int both)
{
    if (both)
        shutdown(r->stream.fd, SHUT_RDWR);
    else
        sks__fd_end_input(r->stream.fd);
}

/* What cannot leave at once is lost, but must not reach whoever has the
 * descriptor's number next. */
static void close_request(sks_request *r)
{
    if (r->stream.waiter.send != NULL && r->stream.layer->settle != NULL)
        r->stream.layer->settle(&r->stream);
    sks__fd_close(r->stream.fd);
}

const struct sks__transport sks__stream_transport = {
    .name = "stream",
    .socktype = SOCK_STREAM,
    .get_request = get_request,
    .shutdown_request = shutdown_request,
    .interrupt = interrupt,
    .close_request = close_request,
};
