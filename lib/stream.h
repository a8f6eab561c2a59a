/* A stream: bytes both ways over one connection, with time limits.
 *
 * A stream has a layer, which moves bytes and never decides to wait on its
 * own: a socket (stream_socket.c); TLS would be one more, above a socket.
 * Every wait is the stream's, and goes to its waiter: the strategy's, so that
 * it can run another request meanwhile; or, where there is none, to the layer
 * itself, which then blocks within a time limit (one system call instead of
 * two or three), or to poll(2).
 *
 * Ways to fail: SKS_ETIMEDOUT, SKS_ECLOSED when the peer is gone, what the
 * waiter returns, or a negated errno.  One thread at a time. */
#ifndef SKS__STREAM_H
#define SKS__STREAM_H

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct sks__stream;
struct sks__fd_tunnel;

/* Moves bytes at once, or returns -EAGAIN and says in stream->wants for which
 * poll(2) events it must wait; -EINTR is passed on.  A layer of a blocking
 * stream may wait itself, up to the time limits of the socket. */
struct sks__layer {
    /* 0 is end of file. */
    ssize_t (*read)(struct sks__stream *, void *buf, size_t n);
    /* more: further bytes follow soon, so that no small packet need leave. */
    ssize_t (*write)(struct sks__stream *, const struct iovec *iov, int count,
                     int more);
    /* Optional: n bytes of a file from offset on; 0 at end of the file. */
    ssize_t (*sendfile)(struct sks__stream *, int file, off_t offset, size_t n);
    /* Optional: from on to off only full packets leave.  0 or an error. */
    int (*cork)(struct sks__stream *, int on);
    /* Optional: as sks__fd_tunnel_fill(). */
    ssize_t (*fill)(struct sks__stream *, struct sks__fd_tunnel *, size_t n);
    /* Optional: 0 once all that write took is with the system, or an error. */
    ssize_t (*settle)(struct sks__stream *);
    /* Tells the peer that nothing more comes. */
    int (*shutdown)(struct sks__stream *);
};

/* Waits until fd has one of the poll(2) events, up to ms milliseconds (-1: for
 * ever); fd -1 lets only the time pass.  1, 0 when the time is over, or an
 * error.  wait NULL: the stream's thread waits itself. */
struct sks__waiter {
    int (*wait)(void *self, int fd, short events, int ms);
    void *self;
    /* Each optional: as a strategy's. */
    ssize_t (*receive)(void *self, int fd, void *buf, size_t n, int now);
    int (*send)(void *self, int fd, const void *buf, size_t n);
};

int sks__waiter_wait(const struct sks__waiter *w, int fd, short events, int ms);

/* What the waiter received ahead, as a strategy's receive; -EOPNOTSUPP where
 * none receives. */
static inline ssize_t sks__waiter_receive(const struct sks__waiter *w, int fd,
                                          void *buf, size_t n, int now)
{
    return w->receive != NULL ? w->receive(w->self, fd, buf, n, now)
                              : -EOPNOTSUPP;
}

/* What the waiter is to send later, as a strategy's send; -EOPNOTSUPP where
 * none does. */
static inline int sks__waiter_send(const struct sks__waiter *w, int fd,
                                   const void *buf, size_t n)
{
    return w->send != NULL ? w->send(w->self, fd, buf, n) : -EOPNOTSUPP;
}

/* Embedded in its owner, which closes fd.  What each read and write needs comes
 * first. */
struct sks__stream {
    const struct sks__layer *layer;
    struct sks__waiter waiter;
    int64_t deadline; /* for all waits */
    int fd;
    int timeout_ms;   /* for each wait; -1: for ever */
    short wants;      /* of the last -EAGAIN */
    char blocking;    /* the layer waits in its reads and writes */
    char dry;         /* the last read took all there was: wait first */
    char fresh;       /* no read was tried: see sks__stream_read_early() */
    char ahead;       /* the waiter was asked, and may receive from now on */
    char at_eof;      /* the peer has shut down its side */
    char shared;      /* another process has the connection, too */
    char direct;      /* others may write to fd, too: nothing is sent later */
    int spin_us;      /* how long the thread polls for input before it sleeps */
    int limits[2];    /* the socket's time limits for reads and writes, ms */
    void *layer_self; /* the layer's own; NULL for a socket */
};

/* limit_ms: the time limits that the socket has already, -1 if none, below that
 * if nobody knows. */
void sks__stream_init(struct sks__stream *s, const struct sks__layer *layer,
                      int fd, struct sks__waiter waiter, int blocking,
                      int limit_ms);

/* For how many microseconds of a wait of ms milliseconds the stream's thread
 * polls. */
int sks__stream_spin_us(const struct sks__stream *s, int ms);

/* A moment that bounds all waits from now on; SKS__NEVER lifts it.  From then
 * on the stream's thread waits in poll(2) if nobody waits for it: a system call
 * that itself waits can make progress for ever. */
void sks__stream_set_deadline(struct sks__stream *s, int64_t deadline);

/* --- what most reads and writes need, without a call of their own ---
 *
 * After a system call the processor mispredicts the return of every function
 * that was entered before it. */

/* True if a first try needs neither a look at the clock nor another time limit:
 * it may wait, but most have no need to. */
static inline int sks__stream_may_try(const struct sks__stream *s, int writing)
{
    return s->timeout_ms != 0 && s->deadline == SKS__NEVER &&
           (!s->blocking || s->limits[writing] == s->timeout_ms);
}

/* What the waiter received ahead, as its receive.  It is not asked while there
 * may be input that came with the connection: reading that is all that many
 * need. */
static inline ssize_t sks__stream_receive(struct sks__stream *s, void *buf,
                                          size_t n, int now)
{
    if (!s->ahead && !s->dry)
        return -EOPNOTSUPP;
    s->ahead = 1;
    return sks__waiter_receive(&s->waiter, s->fd, buf, n, now);
}

/* The layer of a plain socket. */
extern const struct sks__layer sks__socket_layer;

/* For a wait of 0 ms even a blocking socket must not wait. */
static inline int sks__socket_flags(const struct sks__stream *s)
{
    return s->timeout_ms == 0 ? MSG_DONTWAIT : 0;
}

/* The reads that are not as plain: where the thread polls before it sleeps, and
 * where the waiter receives ahead. */
ssize_t sks__socket_spin(struct sks__stream *s, void *buf, size_t n);
ssize_t sks__socket_read_ahead(struct sks__stream *s, void *buf, size_t n);

/* The socket layer's read without a waiter that receives.  A socket that gave
 * less than it was asked for has nothing more just now: the next read would
 * only say so. */
static inline ssize_t sks__socket_read_here(struct sks__stream *s, void *buf,
                                            size_t n)
{
    ssize_t got;

    if (s->dry)
        return -EAGAIN;
    got = s->spin_us > 0 && s->blocking
              ? sks__socket_spin(s, buf, n)
              : recv(s->fd, buf, n, sks__socket_flags(s));
    if (got < 0)
        return -errno;
    s->dry = (size_t)got < n && !s->blocking;
    return got;
}

/* The socket layer's read. */
static inline ssize_t sks__socket_read(struct sks__stream *s, void *buf,
                                       size_t n)
{
    s->wants = POLLIN;
    return s->waiter.receive != NULL ? sks__socket_read_ahead(s, buf, n)
                                     : sks__socket_read_here(s, buf, n);
}

/* The socket layer's write of several pieces, or where the waiter sends
 * later. */
ssize_t sks__socket_write_on(struct sks__stream *s, const struct iovec *iov,
                             int count, int more);

/* The socket layer's write. */
static inline ssize_t sks__socket_write(struct sks__stream *s,
                                        const struct iovec *iov, int count,
                                        int more)
{
    ssize_t n;

    s->wants = POLLOUT;
    if (s->waiter.send != NULL || count > 1)
        return sks__socket_write_on(s, iov, count, more);
    n = send(s->fd, iov->iov_base, iov->iov_len,
             sks__socket_flags(s) | (more ? MSG_MORE : 0) | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

static inline ssize_t sks__layer_read(struct sks__stream *s, void *buf,
                                      size_t n)
{
    return s->layer == &sks__socket_layer ? sks__socket_read(s, buf, n)
                                          : s->layer->read(s, buf, n);
}

static inline ssize_t sks__layer_write(struct sks__stream *s,
                                       const struct iovec *iov, int count,
                                       int more)
{
    return s->layer == &sks__socket_layer
               ? sks__socket_write(s, iov, count, more)
               : s->layer->write(s, iov, count, more);
}

/* The rest of sks__stream_read(), after a first read that returned `first` and
 * so got nothing, or none at all. */
enum { SKS__STREAM_UNTRIED = 1 };
ssize_t sks__stream_read_on(struct sks__stream *s, void *buf, size_t n,
                            ssize_t first);

/* Up to n bytes, after one wait at most; 0 is end of file. */
static inline ssize_t sks__stream_read(struct sks__stream *s, void *buf,
                                       size_t n)
{
    ssize_t got = SKS__STREAM_UNTRIED;

    if (sks__stream_may_try(s, 0)) {
        got = sks__layer_read(s, buf, n);
        if (got > 0)
            return got;
    }
    return sks__stream_read_on(s, buf, n, got);
}

/* The rest of sks__stream_await(), where somebody receives ahead, or there may
 * be no input. */
int sks__stream_await_input(struct sks__stream *s);

/* Until there may be input, without asking for it: 0 or an error.  Where the
 * strategy waits, memory for input need not be held meanwhile. */
static inline int sks__stream_await(struct sks__stream *s)
{
    return s->waiter.receive == NULL && !s->dry ? 0
                                                : sks__stream_await_input(s);
}

/* What may have come with the connection, before any wait for it: as
 * sks__stream_read(), or -EAGAIN if nothing has.  Where somebody receives ahead
 * it is for them to say. */
ssize_t sks__stream_read_early(struct sks__stream *s, void *buf, size_t n);

/* The rest of sks__stream_write(), after a first write of n bytes, or one that
 * failed with the error n. */
int sks__stream_write_on(struct sks__stream *s, struct iovec *iov, int count,
                         int more, ssize_t n);

/* All of it: 0 or an error.  iov is used up. */
static inline int sks__stream_write(struct sks__stream *s, struct iovec *iov,
                                    int count, int more)
{
    ssize_t n = 0;

    if (count == 1 && iov->iov_len > 0 && sks__stream_may_try(s, 1)) {
        n = sks__layer_write(s, iov, 1, more);
        if (n == (ssize_t)iov->iov_len)
            return 0;
    }
    return sks__stream_write_on(s, iov, count, more, n);
}

/* --- the rest --- */

/* Until all that was written is with the system: 0, or an error. */
int sks__stream_settle(struct sks__stream *s);

/* n bytes of a file: 0, -EIO if the file ends early, or an error. */
int sks__stream_sendfile(struct sks__stream *s, int file, off_t offset,
                         off_t n);

/* As sks__fd_tunnel_fill(), after one wait at most. */
ssize_t sks__stream_fill(struct sks__stream *s, struct sks__fd_tunnel *t,
                         size_t n);

/* Says goodbye so that the last reply arrives: closing a socket with unread
 * input would reset the connection and take the reply with it.  So this shuts
 * down writing and throws input away until the peer closes, limit_ms passed,
 * or limit bytes came (RFC 9112, section 9.6, describes the case). */
void sks__stream_linger(struct sks__stream *s, int limit_ms, size_t limit);

/* Before that, where somebody else may have shut down reading, so that the
 * peer's end cannot be seen: waits until the peer's system has all that was
 * sent, limit_ms at most. */
void sks__stream_deliver(struct sks__stream *s, int limit_ms);

#endif /* SKS__STREAM_H */
