/* Room for packets that are received at once.
 *
 * One system call takes as many as there are, up to what the room holds, where
 * the system has such a call.  Who received them copies what they hold before
 * the next call.  One thread at a time. */
#ifndef SKS__PACKETS_H
#define SKS__PACKETS_H

#include "address.h"
#include "fd.h"

#include <stdalign.h>
#include <stddef.h>
#include <sys/uio.h>

/* The most that are received at once, and that are sent. */
enum { SKS__PACKETS_MAX = 64 };

/* Room for one packet information of either family. */
struct sks__packet_control {
    alignas(size_t) char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Made by sks__packets_new(), ended by sks__packets_free(). */
struct sks__packets {
    struct sks__packets *next; /* in a list of its owner's */
    size_t room;               /* for so many */
    size_t used;               /* by the last call */
    size_t packet_size;        /* the longest that fits */
    char *bytes;
    struct sks__fd_message messages[SKS__PACKETS_MAX];
    struct iovec vectors[SKS__PACKETS_MAX];
    struct sks__address senders[SKS__PACKETS_MAX];
    struct sks__packet_control controls[SKS__PACKETS_MAX];
};

/* For packets of packet_size bytes at most; NULL when out of memory. */
struct sks__packets *sks__packets_new(size_t packet_size);

/* NULL is allowed. */
void sks__packets_free(struct sks__packets *p);

/* Receives up to n packets without waiting: how many, or an error.  The i-th
 * is in messages[i], vectors[i] and senders[i], whose len is set. */
int sks__packets_receive(struct sks__packets *p, int fd, size_t n);

#endif /* SKS__PACKETS_H */
