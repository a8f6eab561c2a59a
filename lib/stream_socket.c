#include "stream.h"

#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <sys/socket.h>

/* Polls a socket that blocks for a while, before the read that sleeps. */
__attribute__((cold)) ssize_t sks__socket_spin(struct sks__stream *s, void *buf,
                                               size_t n)
{
    int us = sks__stream_spin_us(s, s->timeout_ms);
    int64_t until = sks__clock_us() + us;
    int spins = us > 0;

    while (spins) {
        ssize_t got = recv(s->fd, buf, n, MSG_DONTWAIT);

        if (got >= 0 || errno != EAGAIN)
            return got;
        spins = sks__clock_us() < until;
    }
    return recv(s->fd, buf, n, sks__socket_flags(s));
}

ssize_t sks__socket_read_ahead(struct sks__stream *s, void *buf, size_t n)
{
    ssize_t got = sks__stream_receive(s, buf, n, s->timeout_ms == 0);

    return got != -EOPNOTSUPP ? got : sks__socket_read_here(s, buf, n);
}

static ssize_t socket_settle(struct sks__stream *s)
{
    int rc;

    s->wants = POLLOUT;
    rc = sks__waiter_send(&s->waiter, s->fd, NULL, 0);
    return rc == -EOPNOTSUPP ? 0 : rc;
}

static ssize_t write_here(struct sks__stream *s, const struct iovec *iov,
                          int count, int more)
{
    return sks__fd_send(s->fd, iov, count,
                        sks__socket_flags(s) | (more ? MSG_MORE : 0));
}

/* Where the waiter sends later, what goes in one piece, and alone, may wait for
 * that. */
ssize_t sks__socket_write_on(struct sks__stream *s, const struct iovec *iov,
                             int count, int more)
{
    int waits = count == 1 && !more && !s->direct;
    int rc = sks__waiter_send(&s->waiter, s->fd, iov->iov_base,
                              waits ? iov->iov_len : 0);

    if (waits && rc == 0)
        return (ssize_t)iov->iov_len;
    if (rc < 0 && rc != -EOPNOTSUPP)
        return rc;
    return write_here(s, iov, count, more);
}

static ssize_t socket_read(struct sks__stream *s, void *buf, size_t n)
{
    return sks__socket_read(s, buf, n);
}

static ssize_t socket_write(struct sks__stream *s, const struct iovec *iov,
                            int count, int more)
{
    return sks__socket_write(s, iov, count, more);
}

static ssize_t socket_sendfile(struct sks__stream *s, int file, off_t offset,
                               size_t n)
{
    ssize_t rc = socket_settle(s);

    return rc < 0 ? rc : sks__fd_sendfile(s->fd, file, offset, n);
}

static int socket_cork(struct sks__stream *s, int on)
{
    return sks__fd_cork(s->fd, on);
}

/* What was received ahead goes through the tunnel, too, which is empty. */
static ssize_t fill_with_received(struct sks__stream *s,
                                  struct sks__fd_tunnel *t, size_t n)
{
    char bytes[1024]; /* small: it may lie on a coroutine's stack */
    ssize_t got =
        sks__stream_receive(s, bytes, n < sizeof bytes ? n : sizeof bytes, 0);

    return got > 0 ? sks__fd_write_all(t->write_fd, bytes, (size_t)got) : got;
}

static ssize_t socket_fill(struct sks__stream *s, struct sks__fd_tunnel *t,
                           size_t n)
{
    ssize_t got = fill_with_received(s, t, n);

    s->wants = POLLIN;
    if (got != -EOPNOTSUPP)
        return got;
    return sks__fd_tunnel_fill(t, s->fd, n);
}

/* What cannot leave at once is lost. */
static int socket_shutdown(struct sks__stream *s)
{
    socket_settle(s);
    return shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
}

const struct sks__layer sks__socket_layer = {
    .read = socket_read,
    .write = socket_write,
    .sendfile = socket_sendfile,
    .cork = socket_cork,
    .fill = socket_fill,
    .settle = socket_settle,
    .shutdown = socket_shutdown,
};
