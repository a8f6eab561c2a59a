/* For systems without io_uring(7), and builds that do not want it. */
#include "ring.h"

#include <errno.h>

struct sks__ring *sks__ring_new(struct sks__poller *poller)
{
    (void)poller;
    return NULL;
}

void sks__ring_free(struct sks__ring *ring)
{
    (void)ring;
}

void sks__ring_retire(struct sks__ring *ring)
{
    (void)ring;
}

void sks__ring_leave(struct sks__ring *ring, struct sks__reception *r)
{
    (void)ring, (void)r;
}

int sks__ring_is_busy(const struct sks__ring *ring)
{
    (void)ring;
    return 0;
}

void sks__ring_detach(struct sks__ring *ring)
{
    (void)ring;
}

int sks__ring_wait(struct sks__ring *ring, struct sks__poller_event *out,
                   size_t n, int ms)
{
    (void)ring, (void)out, (void)n, (void)ms;
    return -EOPNOTSUPP;
}

ssize_t sks__ring_receive(struct sks__ring *ring, struct sks__reception *r,
                          int fd, void *buf, size_t n)
{
    (void)ring, (void)r, (void)fd, (void)buf, (void)n;
    return -EOPNOTSUPP;
}

int sks__ring_has_news(const struct sks__reception *r)
{
    (void)r;
    return 0;
}

int sks__ring_is_receiving(const struct sks__reception *r)
{
    (void)r;
    return 0;
}

int sks__ring_stop(struct sks__ring *ring, struct sks__reception *r)
{
    (void)ring, (void)r;
    return 0;
}

int sks__ring_send(struct sks__ring *ring, struct sks__outbox *o, int fd,
                   const void *buf, size_t n)
{
    (void)ring, (void)o, (void)fd, (void)buf, (void)n;
    return -EOPNOTSUPP;
}

void sks__ring_drop(struct sks__ring *ring, struct sks__outbox *o)
{
    (void)ring, (void)o;
}
