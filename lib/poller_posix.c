#include "poller.h"

#include <errno.h>
#include <stdlib.h>

int sks__poller_open(struct sks__poller *p)
{
    *p = (struct sks__poller){.fd = -1};
    return 0;
}

void sks__poller_close(struct sks__poller *p)
{
    free(p->fds);
    free(p->nodes);
    *p = (struct sks__poller){.fd = -1};
}

static int grow(struct sks__poller *p)
{
    size_t size = p->size > 0 ? 2 * p->size : 16;
    struct sks__poller_node **nodes = realloc(p->nodes, size * sizeof *nodes);
    struct pollfd *fds;

    if (nodes == NULL)
        return -ENOMEM;
    p->nodes = nodes;
    fds = realloc(p->fds, size * sizeof *fds);
    if (fds == NULL)
        return -ENOMEM;
    p->fds = fds;
    p->size = size;
    return 0;
}

static int append(struct sks__poller *p, struct sks__poller_node *node)
{
    int rc = p->count == p->size ? grow(p) : 0;

    if (rc < 0)
        return rc;
    node->at = p->count++;
    p->nodes[node->at] = node;
    p->fds[node->at] = (struct pollfd){.fd = node->fd, .events = node->events};
    return 0;
}

int sks__poller_add(struct sks__poller *p, struct sks__poller_node *node,
                    int fd, short events)
{
    *node = (struct sks__poller_node){.fd = fd, .events = events};
    return append(p, node);
}

int sks__poller_add_shared(struct sks__poller *p, struct sks__poller_node *node,
                           int fd)
{
    *node = (struct sks__poller_node){.fd = fd, .events = POLLIN, .shared = 1};
    return append(p, node);
}

/* A descriptor that nobody waits for is left out: as a negative one. */
static void set_events(struct sks__poller *p, struct sks__poller_node *node,
                       short events)
{
    struct pollfd *f = &p->fds[node->at];

    f->events = events;
    f->fd = events != 0 ? node->fd : -1;
    f->revents = 0;
}

void sks__poller_rearm(struct sks__poller *p, struct sks__poller_node *node,
                       short events)
{
    set_events(p, node, (short)(p->fds[node->at].events | events));
}

void sks__poller_remove(struct sks__poller *p, struct sks__poller_node *node)
{
    size_t last = --p->count;

    p->fds[node->at] = p->fds[last];
    p->nodes[node->at] = p->nodes[last];
    p->nodes[node->at]->at = node->at;
}

void sks__poller_forget(struct sks__poller *p, struct sks__poller_node *node)
{
    sks__poller_remove(p, node);
}

/* What is still asked for once these events were reported.  An end or an error
 * would be reported without being asked for. */
static short left_armed(short asked, short events)
{
    return events & (POLLHUP | POLLERR | POLLNVAL) ? 0
                                                   : (short)(asked & ~events);
}

/* Tells what happened to the i-th, if something did: 1 or 0. */
static int report(struct sks__poller *p, size_t i,
                  struct sks__poller_event *out)
{
    struct sks__poller_node *node = p->nodes[i];
    short events = p->fds[i].revents;

    if (events == 0)
        return 0;
    *out = (struct sks__poller_event){node, events};
    if (!node->shared)
        set_events(p, node, left_armed(p->fds[i].events, events));
    return 1;
}

int sks__poller_wait(struct sks__poller *p, struct sks__poller_event *out,
                     size_t n, int ms)
{
    int ready = poll(p->fds, (nfds_t)p->count, ms);
    size_t got = 0, i = p->next;

    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    if ((size_t)ready < n)
        n = (size_t)ready;
    for (size_t left = p->count; left > 0 && got < n; left--, i++) {
        i = i < p->count ? i : 0;
        got += (size_t)report(p, i, &out[got]);
    }
    p->next = i; /* the others' turn comes first */
    return (int)got;
}
