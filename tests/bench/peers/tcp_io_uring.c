/* Bare echo server: one thread, io_uring with multishot accept, multishot
 * receive into provided buffers, and submissions in batches.  Needs Linux 6.1.
 *
 * A connection has one send under way at a time, so that its data stays in
 * order; what comes meanwhile waits in its buffers.  When all buffers are
 * taken, receiving goes on as they come back. */
#include "peer.h"

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENTRIES = 4096, BUFFERS = 4096, BUFFER_SIZE = 2048, GROUP = 0 };

enum operation { ACCEPT, RECEIVE, SEND };

#define NO_BUFFER (-1)

struct connection {
    int first, last; /* its buffers to send, or NO_BUFFER */
    int ended;       /* the client will send no more */
};

/* What is known of a buffer in use. */
struct buffer {
    int next;
    unsigned len;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static char (*data)[BUFFER_SIZE];
static struct buffer buffers[BUFFERS];
static struct connection *connections; /* by descriptor */
static int *starved;                   /* descriptors that found no buffer */
static size_t starved_count;

static struct io_uring_sqe *next_sqe(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    if (sqe == NULL) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (sqe == NULL)
        peer_fail("io_uring_get_sqe");
    return sqe;
}

static void tag(struct io_uring_sqe *sqe, enum operation operation, int fd)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)operation << 32 | (uint32_t)fd);
}

static void submit_accept(int listener)
{
    struct io_uring_sqe *sqe = next_sqe();

    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    tag(sqe, ACCEPT, listener);
}

static void submit_receive(int fd)
{
    struct io_uring_sqe *sqe = next_sqe();

    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    tag(sqe, RECEIVE, fd);
}

static void submit_send(int fd)
{
    int id = connections[fd].first;
    struct io_uring_sqe *sqe = next_sqe();

    io_uring_prep_send(sqe, fd, data[id], buffers[id].len,
                       MSG_WAITALL | MSG_NOSIGNAL);
    tag(sqe, SEND, fd);
}

static void give_buffer_back(int id)
{
    io_uring_buf_ring_add(buffer_ring, data[id], BUFFER_SIZE,
                          (unsigned short)id, io_uring_buf_ring_mask(BUFFERS),
                          0);
    io_uring_buf_ring_advance(buffer_ring, 1);
    if (starved_count > 0)
        submit_receive(starved[--starved_count]);
}

static void append(int fd, int id, unsigned len)
{
    struct connection *c = &connections[fd];

    buffers[id] = (struct buffer){.next = NO_BUFFER, .len = len};
    if (c->first != NO_BUFFER) {
        buffers[c->last].next = id;
        c->last = id;
        return;
    }
    c->first = c->last = id;
    submit_send(fd);
}

static void end(int fd)
{
    connections[fd].ended = 1;
    if (connections[fd].first == NO_BUFFER)
        close(fd);
}

static void accepted(const struct io_uring_cqe *cqe, int listener)
{
    if (cqe->res >= 0) {
        connections[cqe->res] = (struct connection){.first = NO_BUFFER};
        submit_receive(cqe->res);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        submit_accept(listener);
}

static void received(const struct io_uring_cqe *cqe, int fd)
{
    if (cqe->res == -ENOBUFS) {
        starved[starved_count++] = fd;
        return;
    }
    if (cqe->res <= 0) {
        end(fd);
        return;
    }
    append(fd, (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT),
           (unsigned)cqe->res);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        submit_receive(fd);
}

/* A failed send is left to the receive that fails next. */
static void sent(int fd)
{
    struct connection *c = &connections[fd];
    int id = c->first;

    c->first = buffers[id].next;
    give_buffer_back(id);
    if (c->first != NO_BUFFER)
        submit_send(fd);
    else if (c->ended)
        close(fd);
}

static void dispatch(const struct io_uring_cqe *cqe)
{
    int fd = (int)(uint32_t)cqe->user_data;

    switch (cqe->user_data >> 32) {
    case ACCEPT:
        accepted(cqe, fd);
        break;
    case RECEIVE:
        received(cqe, fd);
        break;
    default:
        sent(fd);
    }
}

static void open_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_CQSIZE,
                                     .cq_entries = 4 * ENTRIES};
    int rc = io_uring_queue_init_params(ENTRIES, &ring, &params);

    errno = -rc;
    if (rc < 0)
        peer_fail("io_uring_queue_init_params");
}

static void *map(size_t len)
{
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        peer_fail("mmap");
    return memory;
}

static void open_buffers(void)
{
    struct io_uring_buf_reg registration = {.ring_entries = BUFFERS,
                                            .bgid = GROUP};
    int rc;

    buffer_ring = map(BUFFERS * sizeof(struct io_uring_buf));
    data = map((size_t)BUFFERS * BUFFER_SIZE);
    registration.ring_addr = (uintptr_t)buffer_ring;
    rc = io_uring_register_buf_ring(&ring, &registration, 0);
    errno = -rc;
    if (rc < 0)
        peer_fail("io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffer_ring);
    for (int id = 0; id < BUFFERS; id++)
        give_buffer_back(id);
}

static void open_tables(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        peer_fail("getrlimit");
    connections = calloc(limit.rlim_cur, sizeof *connections);
    starved = calloc(limit.rlim_cur, sizeof *starved);
    if (connections == NULL || starved == NULL)
        peer_fail("calloc");
}

int main(int argc, char **argv)
{
    int listener;

    open_ring();
    open_buffers();
    open_tables();
    listener = peer_open(argc, argv, SOCK_STREAM);
    submit_accept(listener);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, n = 0;

        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            dispatch(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
    }
}
