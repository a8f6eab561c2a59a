#include "lookout.h"

#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* After how many tries that found something the entry goes. */
enum { TRIES_TO_LEAVE = 8 };

static int has_packets(int fd)
{
    int type = SOCK_STREAM;
    socklen_t len = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_DGRAM;
}

static int add_all(struct sks__lookout *l, int bell, const int *fds)
{
    int rc = sks__poller_add(&l->poller, &l->bell, bell, POLLIN);

    for (size_t i = 0; rc == 0 && i < l->count; i++) {
        l->listeners[i].has_packets = has_packets(fds[i]);
        rc = sks__poller_add_shared(&l->poller, &l->listeners[i].node, fds[i]);
    }
    return rc;
}

int sks__lookout_open(struct sks__lookout *l, int bell, const int *listeners,
                      size_t n)
{
    int rc;

    *l = (struct sks__lookout){.count = n};
    l->listeners = calloc(n > 0 ? n : 1, sizeof *l->listeners);
    if (l->listeners == NULL)
        return -ENOMEM;
    rc = sks__poller_open(&l->poller);
    if (rc == 0) {
        rc = add_all(l, bell, listeners);
        if (rc == 0)
            return 0;
        sks__poller_close(&l->poller);
    }
    free(l->listeners);
    return rc;
}

void sks__lookout_close(struct sks__lookout *l)
{
    sks__poller_close(&l->poller);
    free(l->listeners);
}

static void leave(struct sks__lookout *l, struct sks__lookout_listener *from)
{
    if (!from->has_packets || from->away)
        return;
    sks__poller_remove(&l->poller, &from->node);
    from->away = 1;
}

void sks__lookout_leave(struct sks__lookout *l)
{
    for (size_t i = 0; i < l->count; i++)
        leave(l, &l->listeners[i]);
    l->optimism.found = 0;
}

/* What has come meanwhile is seen: it lasts. */
static int come_back(struct sks__lookout *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct sks__lookout_listener *to = &l->listeners[i];
        int rc = 0;

        if (to->away)
            rc = sks__poller_add_shared(&l->poller, &to->node, to->node.fd);
        if (rc < 0)
            return rc;
        to->away = 0;
    }
    return 0;
}

static int look(struct sks__lookout *l, int *out, int ms)
{
    struct sks__poller_event event;
    int rc = sks__poller_wait(&l->poller, &event, 1, ms);

    *out = SKS__LOOKOUT_NONE;
    if (rc <= 0)
        return rc;
    if (event.node == &l->bell) {
        sks__poller_rearm(&l->poller, &l->bell, POLLIN);
        *out = SKS__LOOKOUT_BELL;
    } else {
        l->latest =
            (size_t)(SKS__LIST_ENTRY(event.node, struct sks__lookout_listener,
                                     node) -
                     l->listeners);
        *out = (int)l->latest;
    }
    return 0;
}

int sks__lookout_wait(struct sks__lookout *l, int *out, int ms)
{
    int rc;

    *out = (int)l->latest;
    if (sks__optimism_tries(&l->optimism, l->count > 1))
        return 0;
    rc = come_back(l);
    return rc < 0 ? rc : look(l, out, ms);
}

void sks__lookout_note(struct sks__lookout *l, int found)
{
    sks__optimism_note(&l->optimism, found);
    if (l->optimism.tries == TRIES_TO_LEAVE)
        leave(l, &l->listeners[l->latest]);
}
