/* Waits for many descriptors at once, for an event loop.
 *
 * What is ready is reported once, and again only after sks__poller_rearm():
 * so that a loop hears of a descriptor when it asked, or when something new
 * happened, but not each turn.  poller_linux.c has epoll(7), edge-triggered,
 * where rearming for the same costs nothing; poller_posix.c has poll(2).
 *
 * One thread at a time. */
#ifndef SKS__POLLER_H
#define SKS__POLLER_H

#include <poll.h>
#include <stddef.h>

/* Lies in what its owner waits with; removed before the memory goes away. */
struct sks__poller_node {
    int fd;
    short events; /* asked for */
    char shared;  /* see sks__poller_add_shared() */
    char twin;    /* poller_linux.c: fd is a duplicate of its own */
    size_t at;    /* poller_posix.c: in the array */
};

struct sks__poller_event {
    struct sks__poller_node *node;
    short events; /* of poll(2), POLLHUP when no more input will come */
};

/* The owner ends it with sks__poller_close(). */
struct sks__poller {
    int fd;
    struct pollfd *fds; /* poller_posix.c: what follows */
    struct sks__poller_node **nodes;
    size_t count, size;
    size_t next; /* the one to be told of first */
};

/* 0 or an error. */
int sks__poller_open(struct sks__poller *p);
void sks__poller_close(struct sks__poller *p);

/* Reports the events of fd from now on, those first that are there already.
 * Several nodes may have the same descriptor: epoll(7) costs each but the first
 * one a duplicate of it.  0 or an error. */
int sks__poller_add(struct sks__poller *p, struct sks__poller_node *node,
                    int fd, short events);

/* The same for a listener that several pollers wait for: an event is reported
 * to one of them where the system can, in each turn while it lasts. */
int sks__poller_add_shared(struct sks__poller *p, struct sks__poller_node *node,
                           int fd);

/* True where asking again for events would change nothing. */
static inline int sks__poller_is_armed(const struct sks__poller_node *node,
                                       short events)
{
#ifdef SKS_PLAIN_POSIX
    (void)node, (void)events;
    return 0;
#else
    return (events & ~node->events) == 0;
#endif
}

/* Asks again for events, which may be others than it was added for. */
void sks__poller_rearm(struct sks__poller *p, struct sks__poller_node *node,
                       short events);

void sks__poller_remove(struct sks__poller *p, struct sks__poller_node *node);

/* The same after the descriptor was closed, which costs no system call. */
void sks__poller_forget(struct sks__poller *p, struct sks__poller_node *node);

/* Waits up to ms milliseconds (-1: for ever): how many events were put into
 * out, 0 also after a signal, or an error. */
int sks__poller_wait(struct sks__poller *p, struct sks__poller_event *out,
                     size_t n, int ms);

#endif /* SKS__POLLER_H */
