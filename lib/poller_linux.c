#include "poller.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The most that one wait reports. */
enum { BATCH = 256 };

int sks__poller_open(struct sks__poller *p)
{
    *p = (struct sks__poller){.fd = epoll_create1(EPOLL_CLOEXEC)};
    return p->fd < 0 ? -errno : 0;
}

void sks__poller_close(struct sks__poller *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static int control(struct sks__poller *p, int operation,
                   struct sks__poller_node *node, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = node};

    return epoll_ctl(p->fd, operation, node->fd, &e) < 0 ? -errno : 0;
}

static uint32_t wanted(short events)
{
    uint32_t e = EPOLLET;

    if (events & POLLIN)
        e |= EPOLLIN | EPOLLRDHUP;
    if (events & POLLOUT)
        e |= EPOLLOUT;
    if (events & POLLPRI)
        e |= EPOLLPRI;
    return e;
}

/* epoll(7) takes a descriptor once, but also what duplicates it. */
static int add_twin(struct sks__poller *p, struct sks__poller_node *node)
{
    int twin = fcntl(node->fd, F_DUPFD_CLOEXEC, 0), rc;

    if (twin < 0)
        return -errno;
    node->fd = twin;
    node->twin = 1;
    rc = control(p, EPOLL_CTL_ADD, node, wanted(node->events));
    if (rc < 0)
        close(twin);
    return rc;
}

int sks__poller_add(struct sks__poller *p, struct sks__poller_node *node,
                    int fd, short events)
{
    int rc;

    *node = (struct sks__poller_node){.fd = fd, .events = events};
    rc = control(p, EPOLL_CTL_ADD, node, wanted(events));
    return rc == -EEXIST ? add_twin(p, node) : rc;
}

int sks__poller_add_shared(struct sks__poller *p, struct sks__poller_node *node,
                           int fd)
{
    *node = (struct sks__poller_node){.fd = fd, .events = POLLIN, .shared = 1};
    return control(p, EPOLL_CTL_ADD, node, EPOLLIN | EPOLLEXCLUSIVE);
}

void sks__poller_rearm(struct sks__poller *p, struct sks__poller_node *node,
                       short events)
{
    if (sks__poller_is_armed(node, events))
        return;
    node->events |= events;
    control(p, EPOLL_CTL_MOD, node, wanted(node->events));
}

void sks__poller_remove(struct sks__poller *p, struct sks__poller_node *node)
{
    epoll_ctl(p->fd, EPOLL_CTL_DEL, node->fd, NULL);
    if (node->twin)
        close(node->fd);
}

void sks__poller_forget(struct sks__poller *p, struct sks__poller_node *node)
{
    if (node->twin)
        sks__poller_remove(p, node);
}

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT &&
                   EPOLLPRI == POLLPRI && EPOLLERR == POLLERR &&
                   EPOLLHUP == POLLHUP,
               "epoll(7) has numbers of its own");

enum { TOLD = POLLIN | POLLOUT | POLLPRI | POLLERR | POLLHUP };

static short told(uint32_t events)
{
    return (short)((events & TOLD) | (events & EPOLLRDHUP ? POLLHUP : 0));
}

int sks__poller_wait(struct sks__poller *p, struct sks__poller_event *out,
                     size_t n, int ms)
{
    struct epoll_event events[BATCH];
    int got = epoll_wait(p->fd, events, n < BATCH ? (int)n : BATCH, ms);

    if (got < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < got; i++)
        out[i] = (struct sks__poller_event){events[i].data.ptr,
                                            told(events[i].events)};
    return got;
}
