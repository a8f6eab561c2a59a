#include "ring_uring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* How many completions before it is dealt with one is looked at. */
enum { AHEAD = 4 };

/* --- submissions --- */

struct io_uring_sqe *sks__ring_next(struct sks__ring *ring)
{
    return io_uring_sq_space_left(&ring->uring) > 1
               ? io_uring_get_sqe(&ring->uring)
               : NULL;
}

/* Once at a time: what is ready stays so until it was dealt with, and is then
 * to be seen again. */
static void watch_poller(struct sks__ring *ring)
{
    struct io_uring_sqe *sqe;

    if (ring->polls || ring->poller_has_events)
        return;
    sqe = io_uring_get_sqe(&ring->uring);
    if (sqe == NULL)
        return;
    io_uring_prep_poll_add(sqe, ring->poller->fd, POLLIN);
    io_uring_sqe_set_data64(sqe, SKS__OF_POLLER);
    ring->polls = 1;
}

/* --- completions --- */

static int is_of_outbox(const struct io_uring_cqe *cqe)
{
    return (cqe->user_data & SKS__OF_OUTBOX) != 0;
}

static struct sks__outbox *outbox_of(const struct io_uring_cqe *cqe)
{
    return (void *)(uintptr_t)(cqe->user_data - SKS__OF_OUTBOX);
}

/* Those of outboxes are taken at once, while their bytes are there. */
static void take_failures(struct sks__ring *ring, unsigned head)
{
    struct io_uring_cq *cq = &ring->uring.cq;
    unsigned tail = io_uring_smp_load_acquire(cq->ktail);

    for (; head != tail; head++) {
        struct io_uring_cqe *cqe = &cq->cqes[head & cq->ring_mask];

        if (is_of_outbox(cqe)) {
            sks__ring_not_sent(ring, outbox_of(cqe), cqe->res);
            cqe->user_data = SKS__OF_NOBODY;
        }
    }
}

/* True if it is an event. */
static int complete(struct sks__ring *ring, const struct io_uring_cqe *cqe,
                    struct sks__poller_event *out)
{
    struct sks__reception *r = io_uring_cqe_get_data(cqe);

    if (cqe->user_data == SKS__OF_NOBODY)
        return 0;
    if (is_of_outbox(cqe)) {
        sks__ring_not_sent(ring, outbox_of(cqe), cqe->res);
        return 0;
    }
    if (cqe->user_data == SKS__OF_POLLER) {
        ring->polls = 0;
        ring->poller_has_events = 1;
        return 0;
    }
    *out = (struct sks__poller_event){r->node, POLLIN};
    return sks__ring_received(ring, r, cqe);
}

/* With many connections what a completion is of has left the cache. */
static void fetch_ahead(const struct sks__ring *ring, unsigned head)
{
    const struct io_uring_cq *cq = &ring->uring.cq;

    __builtin_prefetch(
        (void *)(uintptr_t)cq->cqes[(head + AHEAD) & cq->ring_mask].user_data);
}

static size_t take_completions(struct sks__ring *ring,
                               struct sks__poller_event *out, size_t n)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    size_t got = 0;

    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        if (got == n) {
            take_failures(ring, head);
            break;
        }
        fetch_ahead(ring, head);
        seen++;
        got += (size_t)complete(ring, cqe, &out[got]);
    }
    io_uring_cq_advance(&ring->uring, seen);
    return got;
}

/* --- waiting --- */

/* Submits what there is, and waits unless there are completions already. */
static int submit_and_wait(struct sks__ring *ring, int ms)
{
    struct __kernel_timespec limit = {.tv_sec = ms / 1000,
                                      .tv_nsec = ms % 1000 * 1000000LL};
    struct io_uring_cqe *cqe;
    int rc;

    if (io_uring_cq_ready(&ring->uring) > 0 || ring->poller_has_events ||
        ring->rests != NULL)
        rc = io_uring_submit(&ring->uring);
    else if (ms == 0)
        rc = io_uring_submit_and_get_events(&ring->uring);
    else
        rc = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1,
                                              ms < 0 ? NULL : &limit, NULL);
    return rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY ? 0
                                                                         : rc;
}

static int wait_detached(struct sks__ring *ring, struct sks__poller_event *out,
                         size_t n, int ms)
{
    size_t got = sks__ring_tell_rests(ring, out, n);

    return got > 0 ? (int)got : sks__poller_wait(ring->poller, out, n, ms);
}

int sks__ring_wait(struct sks__ring *ring, struct sks__poller_event *out,
                   size_t n, int ms)
{
    size_t got;
    int rc;

    if (ring->detached)
        return wait_detached(ring, out, n, ms);
    watch_poller(ring);
    sks__ring_begin_receiving(ring);
    rc = submit_and_wait(ring, ms);
    if (rc < 0)
        return rc;
    got = take_completions(ring, out, n);
    sks__ring_end_batch(ring);
    got += sks__ring_tell_rests(ring, out + got, n - got);
    if (!ring->poller_has_events || got == n)
        return (int)got;
    ring->poller_has_events = 0;
    rc = sks__poller_wait(ring->poller, out + got, n - got, 0);
    return rc < 0 ? rc : (int)got + rc;
}

/* --- its end --- */

void sks__ring_retire(struct sks__ring *ring)
{
    ring->retired = 1;
}

int sks__ring_is_busy(const struct sks__ring *ring)
{
    return ring->receiving > 0;
}

void sks__ring_detach(struct sks__ring *ring)
{
    io_uring_queue_exit(&ring->uring);
    ring->batch++;
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

static int open_memory(struct sks__ring *ring)
{
    ring->offered = map(SKS__RING_BUFFERS * sizeof(struct io_uring_buf));
    ring->bytes = map((size_t)SKS__RING_BUFFERS * SKS__RING_BUFFER_SIZE);
    ring->sends = map(SKS__RING_SENDS);
    return ring->offered == NULL || ring->bytes == NULL || ring->sends == NULL
               ? -ENOMEM
               : sks__ring_register_buffers(ring);
}

static int open_uring(struct io_uring *uring)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_CQSIZE,
                                     .cq_entries = SKS__RING_COMPLETIONS};
    int rc = io_uring_queue_init_params(SKS__RING_ENTRIES, uring, &params);

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
    ring->batch = 1;
    if (open_uring(&ring->uring) < 0) {
        free(ring);
        return NULL;
    }
    if (open_memory(ring) == 0 && try_out(ring))
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
    unmap(ring->sends, SKS__RING_SENDS);
    unmap(ring->bytes, (size_t)SKS__RING_BUFFERS * SKS__RING_BUFFER_SIZE);
    unmap(ring->offered, SKS__RING_BUFFERS * sizeof(struct io_uring_buf));
    free(ring);
}
