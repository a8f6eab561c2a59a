/* Receives and sends through io_uring(7) for the coroutines of one event loop:
 * the system puts what comes into buffers that all of them share, and what they
 * write leaves together when the ring waits.  So a round trip needs neither
 * recv(2) nor send(2).  Everything else is the poller's, for which the ring
 * waits as well.
 *
 * It pays for small messages.  A connection whose input fills a whole buffer is
 * left to recv(2) from then on: the system then holds back who sends more than
 * is read, and large pieces are copied once.  One that finds all buffers taken
 * is left to recv(2) for that time.  Large writes are left to send(2).
 *
 * ring_uring*.c have it where it is built in (SKS_IO_URING), ring_none.c says
 * that there is none.  Only the thread that made a ring uses it, unless it was
 * detached, and no forked child. */
#ifndef SKS__RING_H
#define SKS__RING_H

#include "poller.h"

#include <stdint.h>
#include <sys/types.h>

struct sks__ring;

/* The receiving of one descriptor.  Embedded in what its owner waits with;
 * zeroed but for node it has not begun. */
struct sks__reception {
    struct sks__poller_node *node; /* whose POLLIN tells of news */
    struct sks__reception *next;   /* in the ring's list of those to stop */
    uint16_t first, last;          /* its buffers, counted from 1; 0: none */
    unsigned taken;                /* bytes of the first that are used up */
    int result;                    /* how it ended, for the next receive */
    unsigned char state;           /* see ring_uring_receive.c */
    unsigned char ended;           /* at end of file or by an error */
    unsigned char direct;          /* left to recv(2) */
    unsigned char starved;         /* the same for once */
};

/* What was written to one connection and has not left.  Embedded likewise. */
struct sks__outbox {
    struct sks__poller_node *node; /* whose POLLOUT tells of a rest */
    uint64_t batch;                /* the wait that it leaves with */
    unsigned index;                /* of its submission */
    int error;                     /* why some of it never will */
    struct sks__rest *rest; /* what the system had no room for; NULL: none */
};

/* A ring that waits for the poller, too; NULL where there is none, or the
 * system does not let us have one.  The caller frees it, before the poller. */
struct sks__ring *sks__ring_new(struct sks__poller *poller);

/* From now on nothing more is taken or received, but what came can still be
 * taken; each reception under way is to be left by sks__ring_leave(), and ends
 * with an event. */
void sks__ring_retire(struct sks__ring *ring);
void sks__ring_leave(struct sks__ring *ring, struct sks__reception *r);

/* True while the system has receptions. */
int sks__ring_is_busy(const struct sks__ring *ring);

/* Of one that retired and is not busy: another thread may use it from now on,
 * which only waits for the poller. */
void sks__ring_detach(struct sks__ring *ring);

/* No reception may be under way.  NULL is allowed. */
void sks__ring_free(struct sks__ring *ring);

/* As sks__poller_wait(), with the events of both. */
int sks__ring_wait(struct sks__ring *ring, struct sks__poller_event *out,
                   size_t n, int ms);

/* Up to n bytes of what came on fd; 0 at end of file, or an error.  -EAGAIN:
 * nothing yet, the node will hear of it.  -EOPNOTSUPP: left to recv(2) and the
 * poller.  n 0 takes nothing, and is 0 if there is something. */
ssize_t sks__ring_receive(struct sks__ring *ring, struct sks__reception *r,
                          int fd, void *buf, size_t n);

/* True if something came that was not taken, or the end. */
int sks__ring_has_news(const struct sks__reception *r);

/* True while the system receives. */
int sks__ring_is_receiving(const struct sks__reception *r);

/* Ends it, and drops what came.  True if the system still has the reception: a
 * last event tells when it has given it up, and only then the memory may go
 * away, and the connection does if its descriptor was closed before. */
int sks__ring_stop(struct sks__ring *ring, struct sks__reception *r);

/* Takes n bytes, which leave with the next wait: 0.  If the system lacks room
 * for them then, the node hears of POLLOUT: the owner watches fd for it, and
 * calls again when it comes.  n 0 takes nothing, and is 0 once all that was
 * taken is with the system, to which it is given at once.  -EOPNOTSUPP: that is
 * so, and these n bytes are left to send(2).  -EAGAIN: it lacks room.  Or an
 * error, which stays: some of what was taken will never leave. */
int sks__ring_send(struct sks__ring *ring, struct sks__outbox *o, int fd,
                   const void *buf, size_t n);

/* Forgets what has not left; before fd is closed, or nothing has been taken
 * since a call with n 0. */
void sks__ring_drop(struct sks__ring *ring, struct sks__outbox *o);

#endif /* SKS__RING_H */
