#include "ring_uring.h"

#include <errno.h>
#include <string.h>

enum { NO_BUFFER = 0 };

/* Of a reception: the system has nothing of it, or has it, or was told to give
 * it up, which it will say it did. */
enum state { RESTING, RECEIVING, STOPPING };

/* --- buffers --- */

static char *buffer_at(const struct sks__ring *ring, unsigned id)
{
    return ring->bytes[id - 1];
}

static void offer(struct sks__ring *ring, unsigned id)
{
    io_uring_buf_ring_add(ring->offered, buffer_at(ring, id),
                          SKS__RING_BUFFER_SIZE, (unsigned short)(id - 1),
                          io_uring_buf_ring_mask(SKS__RING_BUFFERS),
                          (int)ring->given_back++);
}

static void hand_over(struct sks__ring *ring)
{
    if (ring->given_back > 0)
        io_uring_buf_ring_advance(ring->offered, (int)ring->given_back);
    ring->given_back = 0;
}

static void append(struct sks__ring *ring, struct sks__reception *r,
                   unsigned id, unsigned len)
{
    ring->buffers[id].len = len;
    ring->buffers[id].next = NO_BUFFER;
    if (r->first == NO_BUFFER)
        r->first = (uint16_t)id;
    else
        ring->buffers[r->last].next = (uint16_t)id;
    r->last = (uint16_t)id;
}

static void drop_first(struct sks__ring *ring, struct sks__reception *r)
{
    unsigned id = r->first;

    r->first = ring->buffers[id].next;
    r->taken = 0;
    offer(ring, id);
}

static size_t take(struct sks__ring *ring, struct sks__reception *r, char *out,
                   size_t n)
{
    size_t done = 0;

    while (done < n && r->first != NO_BUFFER) {
        size_t left = ring->buffers[r->first].len - r->taken;
        size_t some = n - done < left ? n - done : left;

        memcpy(out + done, buffer_at(ring, r->first) + r->taken, some);
        done += some;
        r->taken += (unsigned)some;
        if (some == left)
            drop_first(ring, r);
    }
    return done;
}

/* --- submissions --- */

static void begin(struct sks__ring *ring, struct sks__reception *r, int fd)
{
    struct io_uring_sqe *sqe = sks__ring_next(ring);

    if (sqe == NULL)
        return;
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = SKS__RING_GROUP;
    io_uring_sqe_set_data(sqe, r);
    r->state = RECEIVING;
    ring->receiving++;
}

static void tell_to_stop(struct sks__ring *ring, struct sks__reception *r)
{
    if (r->state != RECEIVING)
        return;
    r->state = STOPPING;
    r->next = ring->to_stop;
    ring->to_stop = r;
}

/* Those that find no room are told in the next turn. */
static void stop_all(struct sks__ring *ring)
{
    while (ring->to_stop != NULL) {
        struct io_uring_sqe *sqe = sks__ring_next(ring);

        if (sqe == NULL)
            return;
        io_uring_prep_cancel(sqe, ring->to_stop, 0);
        io_uring_sqe_set_data64(sqe, SKS__OF_NOBODY);
        ring->to_stop = ring->to_stop->next;
    }
}

/* --- completions --- */

/* One that ended before it was told to, has left the list of those to be
 * told. */
static void forget_to_stop(struct sks__ring *ring, struct sks__reception *r)
{
    struct sks__reception **link = &ring->to_stop;

    while (*link != NULL && *link != r)
        link = &(*link)->next;
    if (*link != NULL)
        *link = r->next;
}

/* The last completion of a reception had this result. */
static void rest(struct sks__ring *ring, struct sks__reception *r, int result)
{
    if (r->state == STOPPING)
        forget_to_stop(ring, r);
    r->state = RESTING;
    ring->receiving--;
    if (result > 0)
        return; /* the system lacked room to tell more at once */
    switch (result) {
    case -ECANCELED:
        break;
    case -ENOBUFS:
        r->starved = 1;
        break;
    case -EINVAL:
    case -EOPNOTSUPP:
    case -ENOTSOCK:
        r->direct = 1;
        break;
    default:
        r->ended = 1;
        r->result = result;
    }
}

int sks__ring_received(struct sks__ring *ring, struct sks__reception *r,
                       const struct io_uring_cqe *cqe)
{
    int is_last = !(cqe->flags & IORING_CQE_F_MORE);
    int had_none = r->first == NO_BUFFER;

    if (cqe->flags & IORING_CQE_F_BUFFER)
        append(ring, r, (cqe->flags >> IORING_CQE_BUFFER_SHIFT) + 1,
               cqe->res > 0 ? (unsigned)cqe->res : 0);
    if (cqe->res == SKS__RING_BUFFER_SIZE) {
        r->direct = 1;
        tell_to_stop(ring, r);
    }
    if (!is_last)
        return had_none;
    rest(ring, r, cqe->res);
    return 1;
}

/* --- the ring's side --- */

int sks__ring_register_buffers(struct sks__ring *ring)
{
    struct io_uring_buf_reg registration = {.ring_addr =
                                                (uintptr_t)ring->offered,
                                            .ring_entries = SKS__RING_BUFFERS,
                                            .bgid = SKS__RING_GROUP};
    int rc = io_uring_register_buf_ring(&ring->uring, &registration, 0);

    if (rc < 0)
        return rc;
    io_uring_buf_ring_init(ring->offered);
    for (unsigned id = 1; id <= SKS__RING_BUFFERS; id++)
        offer(ring, id);
    hand_over(ring);
    return 0;
}

void sks__ring_begin_receiving(struct sks__ring *ring)
{
    stop_all(ring);
    hand_over(ring);
}

/* --- receiving --- */

/* What came before the end was taken: the end, which an error is once. */
static ssize_t take_end(struct sks__reception *r)
{
    int result = r->result;

    r->result = 0;
    return result;
}

ssize_t sks__ring_receive(struct sks__ring *ring, struct sks__reception *r,
                          int fd, void *buf, size_t n)
{
    if (n == 0 && sks__ring_has_news(r))
        return 0;
    if (r->first != NO_BUFFER)
        return (ssize_t)take(ring, r, buf, n);
    if (r->ended)
        return take_end(r);
    if (r->state == RESTING && !r->direct && !r->starved && !ring->retired)
        begin(ring, r, fd);
    if (r->state != RESTING)
        return -EAGAIN;
    if (n > 0)
        r->starved = 0;
    return -EOPNOTSUPP;
}

int sks__ring_has_news(const struct sks__reception *r)
{
    return r->first != NO_BUFFER || r->ended;
}

int sks__ring_is_receiving(const struct sks__reception *r)
{
    return r->state != RESTING;
}

int sks__ring_stop(struct sks__ring *ring, struct sks__reception *r)
{
    while (r->first != NO_BUFFER)
        drop_first(ring, r);
    tell_to_stop(ring, r);
    return r->state != RESTING;
}

void sks__ring_leave(struct sks__ring *ring, struct sks__reception *r)
{
    tell_to_stop(ring, r);
}
