/* What the files of a ring of io_uring(7) share: ring_uring.c has the ring and
 * its wait, ring_uring_receive.c and ring_uring_send.c what goes through it. */
#ifndef SKS__RING_URING_H
#define SKS__RING_URING_H

#include "ring.h"

#include <liburing.h>

/* Submissions of one turn; completions of one; what a turn may receive. */
enum {
    SKS__RING_ENTRIES = 1024,
    SKS__RING_COMPLETIONS = 4096,
    SKS__RING_BUFFERS = 256,
    SKS__RING_BUFFER_SIZE = 2112
};

/* Bytes that may leave with one turn. */
enum { SKS__RING_SENDS = 128 * 1024 };

enum { SKS__RING_GROUP = 0 };

/* What a completion is of: of a reception, unless it is one of these, or this
 * bit says that it is of an outbox. */
enum { SKS__OF_POLLER = 2, SKS__OF_NOBODY = 4, SKS__OF_OUTBOX = 1 };

/* The thread's alone that waits. */
struct sks__ring {
    struct io_uring uring;
    struct sks__poller *poller;
    int polls;             /* the system looks at the poller */
    int poller_has_events; /* seen, and not asked for yet */
    int retired;           /* nothing new begins */
    int detached;          /* uring is closed */

    /* ring_uring_receive.c */
    struct io_uring_buf_ring *offered;
    char (*bytes)[SKS__RING_BUFFER_SIZE];
    struct sks__reception *to_stop;
    unsigned given_back; /* buffers, since the last wait */
    size_t receiving;    /* receptions that the system has */
    struct {
        unsigned len;
        uint16_t next; /* of the same reception */
    } buffers[SKS__RING_BUFFERS + 1];

    /* ring_uring_send.c */
    char *sends;             /* what leaves with the next wait */
    size_t sends_used;       /* of these bytes */
    uint64_t batch;          /* counts such waits, from 1 */
    int takes_sends;         /* what fails of them will be seen at once */
    struct sks__rest *rests; /* to be told of */
};

/* NULL if there is no room for now, or only for the poller. */
struct io_uring_sqe *sks__ring_next(struct sks__ring *ring);

/* --- ring_uring_receive.c --- */

/* Has the system know the buffers: 0 or an error. */
int sks__ring_register_buffers(struct sks__ring *ring);

/* Before a wait: buffers come back, and receptions are told to stop. */
void sks__ring_begin_receiving(struct sks__ring *ring);

/* True if the reception has news. */
int sks__ring_received(struct sks__ring *ring, struct sks__reception *r,
                       const struct io_uring_cqe *cqe);

/* --- ring_uring_send.c --- */

/* The outbox's send ended so, and not with all of its bytes. */
void sks__ring_not_sent(struct sks__ring *ring, struct sks__outbox *o, int res);

/* After a wait, with all that did not leave known. */
void sks__ring_end_batch(struct sks__ring *ring);

/* Tells of up to n outboxes: how many. */
size_t sks__ring_tell_rests(struct sks__ring *ring,
                            struct sks__poller_event *out, size_t n);

#endif /* SKS__RING_URING_H */
