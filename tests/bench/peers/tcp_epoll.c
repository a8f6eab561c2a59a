/* Bare echo server: one thread, level-triggered epoll.
 *
 * Fair: each ready connection gets one read and one write a turn, and the
 * listener a bounded number of accepts.  Careful: what the socket does not
 * take is kept, and nothing more is read from that client until it is gone. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, ACCEPTS = 16 };

struct connection {
    int fd;
    size_t begin, end; /* of what waits in pending */
    char *pending;     /* NULL: nothing waits */
};

static int epoll_fd;

static void watch(int operation, struct connection *c, unsigned interest)
{
    struct epoll_event event = {.events = interest, .data.ptr = c};

    if (epoll_ctl(epoll_fd, operation, c->fd, &event) < 0)
        peer_fail("epoll_ctl");
}

static void drop(struct connection *c)
{
    close(c->fd);
    free(c->pending);
    free(c);
}

static void keep(struct connection *c, const char *data, size_t len)
{
    c->pending = malloc(len);
    if (c->pending == NULL)
        peer_fail("malloc");
    memcpy(c->pending, data, len);
    c->begin = 0;
    c->end = len;
    watch(EPOLL_CTL_MOD, c, EPOLLOUT);
}

static void echo(struct connection *c)
{
    static char buf[PEER_BUFFER];
    ssize_t n = read(c->fd, buf, sizeof buf);
    ssize_t sent;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    sent = send(c->fd, buf, (size_t)n, MSG_NOSIGNAL);
    if (sent == n)
        return;
    if (sent < 0 && errno != EAGAIN) {
        drop(c);
        return;
    }
    if (sent < 0)
        sent = 0;
    keep(c, buf + sent, (size_t)(n - sent));
}

static void flush(struct connection *c)
{
    ssize_t n =
        send(c->fd, c->pending + c->begin, c->end - c->begin, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        drop(c);
        return;
    }
    if (n > 0)
        c->begin += (size_t)n;
    if (c->begin < c->end)
        return;
    free(c->pending);
    c->pending = NULL;
    watch(EPOLL_CTL_MOD, c, EPOLLIN);
}

static void accept_some(int listener)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct connection *c;

        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            peer_fail("accept");
        c = calloc(1, sizeof *c);
        if (c == NULL)
            peer_fail("calloc");
        c->fd = fd;
        watch(EPOLL_CTL_ADD, c, EPOLLIN);
    }
}

static void dispatch(int listener, struct connection *c)
{
    if (c->fd == listener)
        accept_some(listener);
    else if (c->pending != NULL)
        flush(c);
    else
        echo(c);
}

int main(int argc, char **argv)
{
    struct connection listener = {
        .fd = peer_open(argc, argv, SOCK_STREAM | SOCK_NONBLOCK)};
    struct epoll_event events[EVENTS];

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        peer_fail("epoll_create1");
    watch(EPOLL_CTL_ADD, &listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);

        for (int i = 0; i < n; i++)
            dispatch(listener.fd, events[i].data.ptr);
    }
}
