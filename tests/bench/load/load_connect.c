/* One TCP connection a request: connect, send, receive, half-close, wait for
 * the server to close too, close.
 *
 * Waiting for the server's end bounds how many connections it has at a time,
 * whatever its model.  The side that closes first keeps the port for a minute,
 * and one source address has only some 28,000 of them: so the connections come
 * from many addresses of the loopback network in turn. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, SOURCES = 128 };

/* 127.0.1.0: its addresses 1 to SOURCES are the sources. */
#define SOURCE_NETWORK 0x7f000100u

struct slot {
    int fd;
    uint32_t round;
    uint64_t opened_ns;
    size_t got;
    int sent;
    char reply[LOAD_SIZE_MAX];
};

static struct slot *slots;
static uint32_t slot_count;
static int epoll_fd;

static void watch(int operation, uint32_t index, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.u32 = index};

    if (epoll_ctl(epoll_fd, operation, slots[index].fd, &event) < 0)
        load_fail(errno, "epoll_ctl");
}

static void bind_to_a_source(int fd)
{
    static uint32_t turn;
    struct sockaddr_in source = {.sin_family = AF_INET};
    int on = 1;

    source.sin_addr.s_addr = htonl(SOURCE_NETWORK + 1 + turn++ % SOURCES);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
        load_fail(errno, "bind to a source address");
}

/* 1 once the request is sent; 0 while the connection is not established. */
static int try_to_send(struct slot *slot, uint32_t index, size_t size)
{
    char payload[LOAD_SIZE_MAX];
    ssize_t n;

    load_fill(payload, size, index, slot->round);
    n = send(slot->fd, payload, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n != (ssize_t)size)
        load_fail(n < 0 ? errno : 0, "connection %u: send failed", index);
    slot->sent = 1;
    return 1;
}

static void open_slot(const struct load_options *options, uint32_t index,
                      uint64_t now_ns)
{
    struct slot *slot = &slots[index];

    slot->round++;
    slot->got = 0;
    slot->sent = 0;
    slot->opened_ns = now_ns;
    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (slot->fd < 0)
        load_fail(errno, "connection %u: socket", index);
    bind_to_a_source(slot->fd);
    if (connect(slot->fd, (const struct sockaddr *)&options->server,
                sizeof options->server) < 0 &&
        errno != EINPROGRESS)
        load_fail(errno, "connection %u: connect", index);
    watch(EPOLL_CTL_ADD, index,
          try_to_send(slot, index, options->size) ? EPOLLIN : EPOLLOUT);
}

/* Receives what there is, and half-closes once the reply is complete.  1 when
 * the server has closed the connection after that. */
static int receive_reply(struct slot *slot, uint32_t index, size_t size)
{
    ssize_t n = recv(slot->fd, slot->reply + slot->got,
                     sizeof slot->reply - slot->got, 0);

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0)
        load_fail(errno, "connection %u: recv", index);
    if (n == 0 && slot->got < size)
        load_fail(0, "connection %u: closed before the reply", index);
    if (n == 0)
        return 1;
    slot->got += (size_t)n;
    if (slot->got > size)
        load_fail(0, "connection %u: more came back than was sent", index);
    if (slot->got == size) {
        load_check(slot->reply, size, index, slot->round);
        shutdown(slot->fd, SHUT_WR);
    }
    return 0;
}

static void advance(const struct load_options *options, struct load_run *run,
                    uint32_t index)
{
    struct slot *slot = &slots[index];
    uint64_t now_ns;

    if (!slot->sent) {
        if (try_to_send(slot, index, options->size))
            watch(EPOLL_CTL_MOD, index, EPOLLIN);
        return;
    }
    if (!receive_reply(slot, index, options->size))
        return;
    close(slot->fd);
    now_ns = load_now_ns();
    load_complete(run, slot->opened_ns, now_ns);
    if (load_start(run, now_ns))
        open_slot(options, index, now_ns);
}

static void connect_open(const struct load_options *options)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        load_fail(errno, "epoll_create1");
    slot_count = options->connections;
    slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        load_fail(errno, "no memory for %u connections", slot_count);
}

static void connect_run(const struct load_options *options,
                        struct load_run *run)
{
    struct epoll_event events[EVENTS];

    for (uint32_t i = 0; i < slot_count; i++) {
        uint64_t now_ns = load_now_ns();

        if (load_start(run, now_ns))
            open_slot(options, i, now_ns);
    }
    while (load_under_way(run)) {
        int n = load_wait(options, epoll_fd, events, EVENTS);

        for (int i = 0; i < n; i++)
            advance(options, run, events[i].data.u32);
    }
}

static void connect_close(void)
{
    free(slots);
    close(epoll_fd);
}

const struct load_mode load_connect = {.name = "connect",
                                       .open = connect_open,
                                       .run = connect_run,
                                       .close = connect_close};
