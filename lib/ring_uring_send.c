#include "ring_uring.h"

#include "fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* The most that one connection sends so at once: what is larger is not worth
 * another copy. */
enum { SEND_MOST = 4096 };

/* Made when the system had no room for all of a send; the outbox frees it. */
struct sks__rest {
    struct sks__rest *next; /* in the ring's list of those to be told of */
    struct sks__outbox *of;
    size_t len, sent;
    char bytes[];
};

/* --- what did not leave --- */

static void keep_rest(struct sks__ring *ring, struct sks__outbox *o,
                      const char *bytes, size_t n)
{
    struct sks__rest *rest = malloc(sizeof *rest + n);

    if (rest == NULL) {
        o->error = -ENOMEM;
        return;
    }
    *rest = (struct sks__rest){.next = ring->rests, .of = o, .len = n};
    memcpy(rest->bytes, bytes, n);
    ring->rests = o->rest = rest;
}

static void free_rest(struct sks__ring *ring, struct sks__outbox *o)
{
    struct sks__rest **link = &ring->rests;

    while (*link != NULL && *link != o->rest)
        link = &(*link)->next;
    if (*link != NULL)
        *link = o->rest->next;
    free(o->rest);
    o->rest = NULL;
}

size_t sks__ring_tell_rests(struct sks__ring *ring,
                            struct sks__poller_event *out, size_t n)
{
    size_t got = 0;

    while (ring->rests != NULL && got < n) {
        out[got++] = (struct sks__poller_event){ring->rests->of->node, POLLOUT};
        ring->rests = ring->rests->next;
    }
    return got;
}

static int is_for_later(int rc)
{
    return rc == -EAGAIN || rc == -EINTR;
}

/* 0 if it has left or never will. */
static int push_rest(struct sks__ring *ring, struct sks__outbox *o, int fd)
{
    struct sks__rest *rest = o->rest;

    while (rest->sent < rest->len) {
        struct iovec iov = {rest->bytes + rest->sent, rest->len - rest->sent};
        ssize_t n = sks__fd_send(fd, &iov, 1, MSG_DONTWAIT);

        if (n == -EAGAIN)
            return -EAGAIN;
        if (n < 0 && n != -EINTR) {
            o->error = (int)n;
            break;
        }
        rest->sent += n > 0 ? (size_t)n : 0;
    }
    free_rest(ring, o);
    return 0;
}

/* --- what leaves with the next wait --- */

static struct io_uring_sqe *submission_of(const struct sks__ring *ring,
                                          const struct sks__outbox *o)
{
    const struct io_uring_sq *sq = &ring->uring.sq;

    return &sq->sqes[o->index & sq->ring_mask];
}

static char *bytes_of(const struct io_uring_sqe *sqe)
{
    return (char *)(uintptr_t)sqe->addr;
}

/* True if the system does not have it yet. */
static int is_queued(const struct sks__ring *ring, const struct sks__outbox *o)
{
    return o->batch == ring->batch &&
           (int)(o->index - *ring->uring.sq.khead) >= 0;
}

static void append(struct sks__ring *ring, const void *buf, size_t n)
{
    memcpy(ring->sends + ring->sends_used, buf, n);
    ring->sends_used += n;
}

/* True if the bytes go with those that are queued already. */
static int extend(struct sks__ring *ring, const struct sks__outbox *o,
                  const void *buf, size_t n)
{
    struct io_uring_sqe *sqe = submission_of(ring, o);

    if (n > SKS__RING_SENDS - ring->sends_used || n > SEND_MOST - sqe->len ||
        bytes_of(sqe) + sqe->len != ring->sends + ring->sends_used)
        return 0;
    append(ring, buf, n);
    sqe->len += (unsigned)n;
    return 1;
}

/* The system tries once, when it is told, as send(2) would.  It speaks only of
 * what it did not send. */
static int queue(struct sks__ring *ring, struct sks__outbox *o, int fd,
                 const void *buf, size_t n)
{
    struct io_uring_sqe *sqe;

    if (!ring->takes_sends || n > SKS__RING_SENDS - ring->sends_used)
        return -EOPNOTSUPP;
    sqe = sks__ring_next(ring);
    if (sqe == NULL)
        return -EOPNOTSUPP;
    io_uring_prep_send(sqe, fd, ring->sends + ring->sends_used, n,
                       MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, (uintptr_t)o | SKS__OF_OUTBOX);
    append(ring, buf, n);
    o->batch = ring->batch;
    o->index = ring->uring.sq.sqe_tail - 1;
    return 0;
}

void sks__ring_not_sent(struct sks__ring *ring, struct sks__outbox *o, int res)
{
    const struct io_uring_sqe *sqe = submission_of(ring, o);
    size_t sent = res > 0 ? (size_t)res : 0;

    if (res < 0 && !is_for_later(res))
        o->error = res;
    else if (sent < sqe->len)
        keep_rest(ring, o, bytes_of(sqe) + sent, sqe->len - sent);
}

/* Takes it back from the queue. */
static void withdraw(struct sks__ring *ring, struct sks__outbox *o)
{
    struct io_uring_sqe *sqe = submission_of(ring, o);

    io_uring_prep_nop(sqe);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, SKS__OF_NOBODY);
    o->batch = 0;
}

/* What is to follow cannot wait for the queue. */
static void send_now(struct sks__ring *ring, struct sks__outbox *o)
{
    const struct io_uring_sqe *sqe = submission_of(ring, o);
    struct iovec iov = {bytes_of(sqe), sqe->len};

    sks__ring_not_sent(ring, o,
                       (int)sks__fd_send(sqe->fd, &iov, 1, MSG_DONTWAIT));
    withdraw(ring, o);
}

void sks__ring_end_batch(struct sks__ring *ring)
{
    struct io_uring *uring = &ring->uring;

    ring->takes_sends =
        io_uring_sq_ready(uring) == 0 && !io_uring_cq_has_overflow(uring) &&
        io_uring_cq_ready(uring) <= SKS__RING_COMPLETIONS - SKS__RING_ENTRIES;
    if (io_uring_sq_ready(uring) > 0)
        return;
    ring->batch++;
    ring->sends_used = 0;
}

/* --- sending --- */

int sks__ring_send(struct sks__ring *ring, struct sks__outbox *o, int fd,
                   const void *buf, size_t n)
{
    int is_first = !is_queued(ring, o);

    if (!is_first && n > 0 && extend(ring, o, buf, n))
        return 0;
    if (!is_first)
        send_now(ring, o);
    if (o->rest != NULL && push_rest(ring, o, fd) < 0)
        return -EAGAIN;
    if (o->error < 0)
        return o->error;
    if (n == 0)
        return 0;
    return n <= SEND_MOST && !ring->retired ? queue(ring, o, fd, buf, n)
                                            : -EOPNOTSUPP;
}

void sks__ring_drop(struct sks__ring *ring, struct sks__outbox *o)
{
    if (is_queued(ring, o))
        withdraw(ring, o);
    if (o->rest != NULL)
        free_rest(ring, o);
}
