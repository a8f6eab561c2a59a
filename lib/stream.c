#include "stream.h"

#include "clock.h"
#include "error.h"
#include "fd.h"

#include <sockserver.h>

#include <errno.h>
#include <sys/socket.h>

/* The most that one sendfile(2) is asked for: its own limit, page-aligned. */
enum { CHUNK_MAX = 0x7ffff000 };

/* Files of so many bytes may take more than one packet of any network. */
enum { CORKED = 128 * 1024 };

/* How often sks__stream_deliver() looks, and how many kilobytes it throws away
 * each time. */
enum { LOOK_MS = 5, DISCARDS = 64 };

int sks__waiter_wait(const struct sks__waiter *w, int fd, short events, int ms)
{
    return w->wait != NULL ? w->wait(w->self, fd, events, ms)
                           : sks__fd_wait(fd, events, ms);
}

void sks__stream_init(struct sks__stream *s, const struct sks__layer *layer,
                      int fd, struct sks__waiter waiter, int blocking,
                      int limit_ms)
{
    *s = (struct sks__stream){
        .layer = layer,
        .fd = fd,
        .waiter = waiter,
        .blocking = blocking != 0,
        .limits = {limit_ms, limit_ms},
        .dry = !blocking,
        .fresh = !blocking,
        .timeout_ms = -1,
        .deadline = SKS__NEVER,
    };
}

/* How long one wait may take.  The clock is read only once a first try has
 * failed, and then the wait begins: most tries succeed, and in a forked child
 * reading the clock costs three page faults.  So a call that waits itself may
 * take its time twice if a signal interrupts it. */
struct patience {
    int ms;
    int64_t until; /* once `begun` */
    int begun;
};

static struct patience patience_of(const struct sks__stream *s)
{
    struct patience p = {.ms = s->timeout_ms};

    if (s->deadline != SKS__NEVER) {
        int left = sks__clock_left_ms(s->deadline);

        if (p.ms < 0 || left < p.ms)
            p.ms = left;
    }
    return p;
}

/* How long the next wait may be: the first time, all of it; then the rest, or
 * SKS_ETIMEDOUT. */
static int next_wait(struct patience *p)
{
    int left;

    if (!p->begun) {
        p->begun = 1;
        p->until = sks__clock_after(p->ms);
        return p->ms;
    }
    left = sks__clock_left_ms(p->until);
    return left == 0 ? SKS_ETIMEDOUT : left;
}

/* A blocking socket waits in its own calls: gives it the time limit, unless it
 * has it already. */
static int arm(struct sks__stream *s, int writing, int ms)
{
    int rc;

    if (!s->blocking || s->limits[writing] == ms)
        return 0;
    rc = sks__fd_set_time_limit(s->fd, writing ? SO_SNDTIMEO : SO_RCVTIMEO, ms);
    if (rc == 0)
        s->limits[writing] = ms;
    return rc;
}

int sks__stream_spin_us(const struct sks__stream *s, int ms)
{
    return ms < 0 || ms > s->spin_us / 1000 ? s->spin_us : ms * 1000;
}

/* The stream's thread waits itself, as sks__fd_wait(). */
static __attribute__((cold)) int wait_here(struct sks__stream *s, int ms)
{
    int us = (s->wants & POLLIN) ? sks__stream_spin_us(s, ms) : 0;
    int rc = sks__fd_spin(s->fd, s->wants, us);

    return rc != 0
               ? rc
               : sks__fd_wait(s->fd, s->wants, ms < 0 ? ms : ms - us / 1000);
}

/* Waits for what the layer wants: 0 or why not. */
static inline int await(struct sks__stream *s, int ms)
{
    const struct sks__waiter *w = &s->waiter;
    int rc = w->wait != NULL ? w->wait(w->self, s->fd, s->wants, ms)
                             : wait_here(s, ms);

    if (rc <= 0)
        return rc == 0 ? SKS_ETIMEDOUT : rc;
    if (s->wants & POLLIN)
        s->dry = 0;
    return 0;
}

/* After a layer's -EAGAIN or -EINTR: 0 to try again, or why not. */
static int try_again(struct sks__stream *s, int why, int writing,
                     struct patience *p)
{
    int ms;

    if (why == -EAGAIN && (p->ms == 0 || (s->blocking && !p->begun)))
        return SKS_ETIMEDOUT;
    ms = next_wait(p);
    if (ms == SKS_ETIMEDOUT)
        return ms;
    return s->blocking || why == -EINTR ? arm(s, writing, ms) : await(s, ms);
}

static __attribute__((cold)) int told_as_closed(int rc)
{
    return sks__error_is_peer_gone(rc) ? SKS_ECLOSED : rc;
}

void sks__stream_set_deadline(struct sks__stream *s, int64_t deadline)
{
    s->deadline = deadline;
    if (deadline != SKS__NEVER && s->blocking &&
        sks__fd_set_mode(s->fd, SKS__FD_NONBLOCKING) == 0)
        s->blocking = 0;
}

/* One try of the layer at what `what` describes. */
typedef ssize_t attempt(struct sks__stream *s, void *what);

/* Tries until something moved, it failed for good, or the wait is over; `why`
 * is why a first try failed, 0 if there was none. */
static __attribute__((cold)) ssize_t insist(struct sks__stream *s, int writing,
                                            attempt *try, void *what, int why)
{
    struct patience p = patience_of(s);
    int rc = arm(s, writing, p.ms);

    if (p.ms == 0)
        s->dry = 0; /* there is no waiting first */
    if (rc == 0 && why != 0)
        rc = try_again(s, why, writing, &p);
    while (rc == 0) {
        ssize_t n = try(s, what);

        if (n >= 0)
            return n;
        rc = (int)n;
        if (rc == -EAGAIN || rc == -EINTR)
            rc = try_again(s, rc, writing, &p);
    }
    return told_as_closed(rc);
}

/* What follows a first try that failed. */
static __attribute__((cold)) ssize_t retry(struct sks__stream *s, int writing,
                                           attempt *try, void *what, int why)
{
    return why == -EAGAIN || why == -EINTR ? insist(s, writing, try, what, why)
                                           : told_as_closed(why);
}

/* The same as insist() with a first try. */
static ssize_t patiently(struct sks__stream *s, int writing, attempt *try,
                         void *what)
{
    ssize_t n;

    if (!sks__stream_may_try(s, writing))
        return insist(s, writing, try, what, 0);
    n = try(s, what);
    return n >= 0 ? n : retry(s, writing, try, what, (int)n);
}

struct piece {
    void *buf;
    size_t n;
};

static ssize_t try_read(struct sks__stream *s, void *what)
{
    struct piece *p = what;

    return s->layer->read(s, p->buf, p->n);
}

__attribute__((cold)) ssize_t
sks__stream_read_on(struct sks__stream *s, void *buf, size_t n, ssize_t first)
{
    struct piece p = {buf, n};
    ssize_t got = first;

    if (first == SKS__STREAM_UNTRIED)
        got = insist(s, 0, try_read, &p, 0);
    else if (first < 0)
        got = retry(s, 0, try_read, &p, (int)first);
    if (got == 0 && n > 0)
        s->at_eof = 1;
    return got;
}

ssize_t sks__stream_read_early(struct sks__stream *s, void *buf, size_t n)
{
    ssize_t got;

    s->fresh = 0;
    if (s->waiter.receive != NULL || !sks__stream_may_try(s, 0))
        return -EAGAIN;
    s->dry = 0;
    got = s->layer->read(s, buf, n);
    if (got == -EAGAIN)
        s->dry = 1;
    return got > 0 || got == -EAGAIN ? got
                                     : sks__stream_read_on(s, buf, n, got);
}

/* True if the waiter has received something ahead, or leaves that to a read
 * that may find something. */
static __attribute__((noinline)) int has_received(struct sks__stream *s)
{
    ssize_t rc = sks__stream_receive(s, NULL, 0, 0);

    return rc == -EOPNOTSUPP ? !s->dry : rc == 0;
}

int sks__stream_await_input(struct sks__stream *s)
{
    int rc;

    if (s->waiter.receive != NULL && has_received(s))
        return 0;
    s->wants = POLLIN;
    rc = await(s, patience_of(s).ms);
    return rc == 0 ? 0 : told_as_closed(rc);
}

struct gathered {
    struct iovec *iov;
    int count;
    int more;
};

static ssize_t try_write(struct sks__stream *s, void *what)
{
    struct gathered *g = what;

    return s->layer->write(s, g->iov, g->count, g->more);
}

/* Forgets the first n bytes of what is to be written. */
static void advance(struct gathered *g, size_t n)
{
    while (g->count > 0 && n >= g->iov->iov_len) {
        n -= g->iov->iov_len;
        g->iov++;
        g->count--;
    }
    if (g->count > 0) {
        g->iov->iov_base = (char *)g->iov->iov_base + n;
        g->iov->iov_len -= n;
    }
}

__attribute__((cold)) int sks__stream_write_on(struct sks__stream *s,
                                               struct iovec *iov, int count,
                                               int more, ssize_t n)
{
    struct gathered g = {iov, count, more};

    if (n < 0)
        n = retry(s, 1, try_write, &g, (int)n);
    while (n >= 0) {
        advance(&g, (size_t)n);
        if (g.count == 0)
            return 0;
        n = patiently(s, 1, try_write, &g);
    }
    return (int)n;
}

static ssize_t try_settle(struct sks__stream *s, void *what)
{
    (void)what;
    return s->layer->settle(s);
}

int sks__stream_settle(struct sks__stream *s)
{
    return s->waiter.send != NULL && s->layer->settle != NULL
               ? (int)patiently(s, 1, try_settle, NULL)
               : 0;
}

struct stretch {
    int file;
    off_t offset;
    size_t n;
};

static ssize_t try_sendfile(struct sks__stream *s, void *what)
{
    struct stretch *f = what;

    return s->layer->sendfile(s, f->file, f->offset, f->n);
}

/* For layers that must see the bytes. */
static ssize_t copy_out(struct sks__stream *s, struct stretch *f)
{
    char bytes[16384];
    size_t n = f->n < sizeof bytes ? f->n : sizeof bytes;
    ssize_t got = sks__fd_pread(f->file, bytes, n, f->offset);
    struct iovec iov = {bytes, got > 0 ? (size_t)got : 0};
    int rc;

    if (got <= 0)
        return got;
    rc = sks__stream_write(s, &iov, 1, (size_t)got < f->n);
    return rc < 0 ? rc : got;
}

/* All of a file's n bytes, by one call after the other. */
static int send_out(struct sks__stream *s, int file, off_t offset, off_t n)
{
    while (n > 0) {
        struct stretch f = {file, offset,
                            n < CHUNK_MAX ? (size_t)n : (size_t)CHUNK_MAX};
        ssize_t sent = s->layer->sendfile != NULL
                           ? patiently(s, 1, try_sendfile, &f)
                           : copy_out(s, &f);

        if (sent <= 0)
            return sent < 0 ? (int)sent : -EIO;
        offset += sent;
        n -= sent;
    }
    return 0;
}

/* The room that sendfile(2) finds in a socket is seldom that of whole packets:
 * without a cork the rest would travel on its own and wake the peer for it. */
int sks__stream_sendfile(struct sks__stream *s, int file, off_t offset, off_t n)
{
    int corked =
        n >= CORKED && s->layer->cork != NULL && s->layer->cork(s, 1) == 0;
    int rc = send_out(s, file, offset, n);

    if (corked)
        s->layer->cork(s, 0);
    return rc;
}

struct filling {
    struct sks__fd_tunnel *tunnel;
    size_t n;
};

static ssize_t try_fill(struct sks__stream *s, void *what)
{
    struct filling *f = what;

    return s->layer->fill(s, f->tunnel, f->n);
}

ssize_t sks__stream_fill(struct sks__stream *s, struct sks__fd_tunnel *t,
                         size_t n)
{
    struct filling f = {t, n};
    ssize_t got = patiently(s, 0, try_fill, &f);

    if (got == 0)
        s->at_eof = 1;
    return got;
}

/* Reads to the end of file, limit bytes at most.  By itself, since a forked
 * child that has nothing to read should not copy a page of stack for this. */
static __attribute__((noinline)) void read_rest(struct sks__stream *s,
                                                size_t limit)
{
    char bytes[1024]; /* small: it may lie on a coroutine's stack */

    while (limit > 0) {
        ssize_t n = sks__stream_read(s, bytes, sizeof bytes);

        if (n <= 0)
            return;
        limit -= (size_t)n < limit ? (size_t)n : limit;
    }
}

void sks__stream_linger(struct sks__stream *s, int limit_ms, size_t limit)
{
    if (s->at_eof && !s->shared)
        return;
    if (s->layer->shutdown(s) < 0 || s->at_eof)
        return;
    s->timeout_ms = limit_ms;
    s->deadline = sks__clock_after(limit_ms); /* each read makes progress */
    read_rest(s, limit);
}

/* Throws away what has come, without waiting. */
static void discard(struct sks__stream *s)
{
    char bytes[1024];

    for (int i = 0; i < DISCARDS; i++)
        if (recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            return;
}

/* No event tells that the peer has acknowledged something. */
void sks__stream_deliver(struct sks__stream *s, int limit_ms)
{
    int64_t until = sks__clock_after(limit_ms);

    while (sks__fd_unsent(s->fd) > 0 && sks__clock_left_ms(until) != 0) {
        discard(s);
        if (sks__waiter_wait(&s->waiter, -1, 0, LOOK_MS) < 0)
            return;
    }
    discard(s);
}
