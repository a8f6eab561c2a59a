#include "packets.h"

#include <stdlib.h>

/* The most memory for the packets of one room; of larger ones fewer fit. */
enum { BYTES_MAX = 4 * 1024 * 1024 };

/* Of the processor's cache. */
enum { LINE = 64 };

/* How far apart packets lie: an odd number of lines.  At a power of two the
 * beginnings of all would compete for a few places in the cache. */
static size_t stride(const struct sks__packets *p)
{
    return ((p->packet_size + LINE - 1) / LINE | 1) * LINE;
}

/* Makes a message ready to be received, which changes the lengths. */
static void reset(struct sks__packets *p, size_t i)
{
    struct msghdr *header = &p->messages[i].header;

    header->msg_namelen = sizeof p->senders[i].of;
    header->msg_controllen = sizeof p->controls[i];
    header->msg_flags = 0;
}

static void prepare(struct sks__packets *p, size_t i)
{
    p->vectors[i] = (struct iovec){p->bytes + i * stride(p), p->packet_size};
    p->messages[i].header = (struct msghdr){.msg_name = &p->senders[i].of,
                                            .msg_iov = &p->vectors[i],
                                            .msg_iovlen = 1,
                                            .msg_control = &p->controls[i]};
    reset(p, i);
}

struct sks__packets *sks__packets_new(size_t packet_size)
{
    struct sks__packets *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->packet_size = packet_size;
    p->room = BYTES_MAX / packet_size;
    if (p->room > SKS__PACKETS_MAX)
        p->room = SKS__PACKETS_MAX;
    if (p->room == 0)
        p->room = 1;
    p->bytes = malloc(p->room * stride(p));
    if (p->bytes == NULL) {
        free(p);
        return NULL;
    }
    for (size_t i = 0; i < p->room; i++)
        prepare(p, i);
    return p;
}

void sks__packets_free(struct sks__packets *p)
{
    if (p == NULL)
        return;
    free(p->bytes);
    free(p);
}

int sks__packets_receive(struct sks__packets *p, int fd, size_t n)
{
    int got;

    for (size_t i = 0; i < p->used; i++)
        reset(p, i);
    got = sks__fd_receive_many(fd, p->messages, n < p->room ? n : p->room);
    p->used = got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < p->used; i++)
        sks__address_set_len(&p->senders[i], p->messages[i].header.msg_namelen);
    return got;
}
