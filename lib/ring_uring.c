#include "ring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Submissions of one turn; completions of one; what a turn may receive. */
enum { ENTRIES = 1024, COMPLETIONS = 4096, BUFFERS = 256, BUFFER_SIZE = 2112 };

enum { GROUP = 0, NO_BUFFER = 0 };

/* Of a reception: the system has nothing of it, or has it, or was told to give
 * it up, which it will say it did. */
enum state { RESTING, RECEIVING, STOPPING };

/* What a completion is of, where it is not of a reception. */
enum { OF_POLLER = 1, OF_NOBODY = 2 };

struct buffer {
    unsigned len;
    uint16_t next; /* of the same reception */
};

struct sks__ring {
    struct io_uring uring;
    struct sks__poller *poller;
    struct io_uring_buf_ring *offered;
    char (*bytes)[BUFFER_SIZE];
    struct sks__reception *to_stop;
    unsigned given_back;   /* buffers, since the last wait */
    int polls;             /* the system looks at the poller */
    int poller_has_events; /* seen, and not asked for yet */
    size_t receiving;      /* receptions that the system has */
    int retired;           /* no more of these */
    int detached;          /* uring is closed */
    struct buffer buffers[BUFFERS + 1];
};

/* --- buffers --- */

static char *buffer_at(const struct sks__ring *ring, unsigned id)
{
    return ring->bytes[id - 1];
}

static void offer(struct sks__ring *ring, unsigned id)
{
    io_uring_buf_ring_add(ring->offered, buffer_at(ring, id), BUFFER_SIZE,
                          (unsigned short)(id - 1),
                          io_uring_buf_ring_mask(BUFFERS),
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
    ring->buffers[id] = (struct buffer){.len = len};
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

/* NULL if the system takes nothing more for now. */
static struct io_uring_sqe *next_submission(struct sks__ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

    if (sqe == NULL) {
        hand_over(ring);
        io_uring_submit(&ring->uring);
        sqe = io_uring_get_sqe(&ring->uring);
    }
    return sqe;
}

static void begin(struct sks__ring *ring, struct sks__reception *r, int fd)
{
    struct io_uring_sqe *sqe = next_submission(ring);

    if (sqe == NULL)
        return;
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
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
        struct io_uring_sqe *sqe = next_submission(ring);

        if (sqe == NULL)
            return;
        io_uring_prep_cancel(sqe, ring->to_stop, 0);
        io_uring_sqe_set_data64(sqe, OF_NOBODY);
        ring->to_stop = ring->to_stop->next;
    }
}

/* Once at a time: what is ready stays so until it was dealt with, and is then
 * to be seen again. */
static void watch_poller(struct sks__ring *ring)
{
    struct io_uring_sqe *sqe;

    if (ring->polls || ring->poller_has_events)
        return;
    sqe = next_submission(ring);
    if (sqe == NULL)
        return;
    io_uring_prep_poll_add(sqe, ring->poller->fd, POLLIN);
    io_uring_sqe_set_data64(sqe, OF_POLLER);
    ring->polls = 1;
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

/* True if the reception has news. */
static int completed(struct sks__ring *ring, struct sks__reception *r,
                     const struct io_uring_cqe *cqe)
{
    int is_last = !(cqe->flags & IORING_CQE_F_MORE);
    int had_none = r->first == NO_BUFFER;

    if (cqe->flags & IORING_CQE_F_BUFFER)
        append(ring, r, (cqe->flags >> IORING_CQE_BUFFER_SHIFT) + 1,
               cqe->res > 0 ? (unsigned)cqe->res : 0);
    if (cqe->res == BUFFER_SIZE) {
        r->direct = 1;
        tell_to_stop(ring, r);
    }
    if (!is_last)
        return had_none;
    rest(ring, r, cqe->res);
    return 1;
}

static size_t take_completions(struct sks__ring *ring,
                               struct sks__poller_event *out, size_t n)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    size_t got = 0;

    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        uint64_t whose = io_uring_cqe_get_data64(cqe);
        struct sks__reception *r = io_uring_cqe_get_data(cqe);

        if (got == n)
            break;
        seen++;
        if (whose == OF_POLLER) {
            ring->polls = 0;
            ring->poller_has_events = 1;
        } else if (whose != OF_NOBODY && completed(ring, r, cqe)) {
            out[got++] = (struct sks__poller_event){r->node, POLLIN};
        }
    }
    io_uring_cq_advance(&ring->uring, seen);
    return got;
}

/* Submits what there is, and waits unless there are completions already. */
static int submit_and_wait(struct sks__ring *ring, int ms)
{
    struct __kernel_timespec limit = {.tv_sec = ms / 1000,
                                      .tv_nsec = ms % 1000 * 1000000LL};
    struct io_uring_cqe *cqe;
    int rc;

    if (io_uring_cq_ready(&ring->uring) > 0 || ring->poller_has_events)
        rc = io_uring_submit(&ring->uring);
    else if (ms == 0)
        rc = io_uring_submit_and_get_events(&ring->uring);
    else
        rc = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1,
                                              ms < 0 ? NULL : &limit, NULL);
    return rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY ? 0
                                                                         : rc;
}

int sks__ring_wait(struct sks__ring *ring, struct sks__poller_event *out,
                   size_t n, int ms)
{
    size_t got;
    int rc;

    if (ring->detached)
        return sks__poller_wait(ring->poller, out, n, ms);
    stop_all(ring);
    watch_poller(ring);
    hand_over(ring);
    rc = submit_and_wait(ring, ms);
    if (rc < 0)
        return rc;
    got = take_completions(ring, out, n);
    if (!ring->poller_has_events || got == n)
        return (int)got;
    ring->poller_has_events = 0;
    rc = sks__poller_wait(ring->poller, out + got, n - got, 0);
    return rc < 0 ? rc : (int)got + rc;
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

/* --- its end --- */

void sks__ring_retire(struct sks__ring *ring)
{
    ring->retired = 1;
}

void sks__ring_leave(struct sks__ring *ring, struct sks__reception *r)
{
    tell_to_stop(ring, r);
}

int sks__ring_is_busy(const struct sks__ring *ring)
{
    return ring->receiving > 0;
}

void sks__ring_detach(struct sks__ring *ring)
{
    io_uring_queue_exit(&ring->uring);
    ring->detached = 1;
}

/* --- the ring --- */

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size, MADV_DONTFORK);
    return memory;
}

static int open_buffers(struct sks__ring *ring)
{
    struct io_uring_buf_reg registration = {.ring_entries = BUFFERS,
                                            .bgid = GROUP};
    int rc;

    ring->offered = map(BUFFERS * sizeof(struct io_uring_buf));
    ring->bytes = map((size_t)BUFFERS * BUFFER_SIZE);
    if (ring->offered == NULL || ring->bytes == NULL)
        return -ENOMEM;
    registration.ring_addr = (uintptr_t)ring->offered;
    rc = io_uring_register_buf_ring(&ring->uring, &registration, 0);
    if (rc < 0)
        return rc;
    io_uring_buf_ring_init(ring->offered);
    for (unsigned id = 1; id <= BUFFERS; id++)
        offer(ring, id);
    hand_over(ring);
    return 0;
}

static int open_uring(struct io_uring *uring)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETIONS};
    int rc = io_uring_queue_init_params(ENTRIES, uring, &params);

    if (rc == 0)
        io_uring_ring_dontfork(uring);
    return rc;
}

/* What forbids some of it may allow the rest: true if a wait works. */
static int try_out(struct sks__ring *ring)
{
    struct sks__poller_event none;

    return sks__ring_wait(ring, &none, 0, 0) == 0;
}

static void unmap(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}

struct sks__ring *sks__ring_new(struct sks__poller *poller)
{
    struct sks__ring *ring = calloc(1, sizeof *ring);

    if (ring == NULL)
        return NULL;
    ring->poller = poller;
    if (open_uring(&ring->uring) < 0) {
        free(ring);
        return NULL;
    }
    if (open_buffers(ring) == 0 && try_out(ring))
        return ring;
    sks__ring_free(ring);
    return NULL;
}

void sks__ring_free(struct sks__ring *ring)
{
    if (ring == NULL)
        return;
    if (!ring->detached)
        io_uring_queue_exit(&ring->uring);
    unmap(ring->bytes, (size_t)BUFFERS * BUFFER_SIZE);
    unmap(ring->offered, BUFFERS * sizeof(struct io_uring_buf));
    free(ring);
}
