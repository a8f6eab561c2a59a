/* Closed loops over kept TCP connections: each sends its next request as soon
 * as it has the reply to the last. */
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256 };

struct stream {
    int fd;
    uint32_t round;
    uint64_t sent_ns;
    size_t got;                /* bytes of the reply so far, */
    char reply[LOAD_SIZE_MAX]; /* which are here */
};

static struct stream *streams;
static uint32_t stream_count;
static int epoll_fd;

static void send_request(uint32_t index, size_t size, uint64_t now_ns)
{
    struct stream *stream = &streams[index];
    char payload[LOAD_SIZE_MAX];
    ssize_t n;

    stream->got = 0;
    stream->round++;
    stream->sent_ns = now_ns;
    load_fill(payload, size, index, stream->round);
    n = send(stream->fd, payload, size, MSG_NOSIGNAL);
    if (n != (ssize_t)size)
        load_fail(n < 0 ? errno : 0, "connection %u: send failed", index);
}

/* Receives what there is; 1 once the reply is complete. */
static int receive_reply(uint32_t index, size_t size, int flags)
{
    struct stream *stream = &streams[index];
    ssize_t n = recv(stream->fd, stream->reply + stream->got,
                     size - stream->got, flags);

    if (n < 0 && errno == EAGAIN && (flags & MSG_DONTWAIT))
        return 0;
    if (n < 0 && errno == EAGAIN)
        load_fail(0, "connection %u: the server stalled", index);
    if (n < 0)
        load_fail(errno, "connection %u: recv", index);
    if (n == 0)
        load_fail(0, "connection %u: the server closed it", index);
    stream->got += (size_t)n;
    if (stream->got < size)
        return 0;
    load_check(stream->reply, size, index, stream->round);
    return 1;
}

static void watch(uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, streams[index].fd, &event) < 0)
        load_fail(errno, "epoll_ctl");
}

/* Connects and makes one round trip, so that the server has surely accepted
 * this connection before the next one comes. */
static void open_stream(const struct load_options *options, uint32_t index)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        load_fail(errno, "connection %u: socket", index);
    load_limit_waits(fd, options->stall_seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&options->server,
                sizeof options->server) < 0)
        load_fail(errno, "connection %u: connect", index);
    streams[index].fd = fd;
    send_request(index, options->size, load_now_ns());
    while (!receive_reply(index, options->size, 0))
        continue;
    watch(index);
}

static void stream_open(const struct load_options *options)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        load_fail(errno, "epoll_create1");
    stream_count = options->connections;
    streams = calloc(stream_count, sizeof *streams);
    if (streams == NULL)
        load_fail(errno, "no memory for %u connections", stream_count);
    for (uint32_t i = 0; i < stream_count; i++)
        open_stream(options, i);
}

static void start_all(const struct load_options *options, struct load_run *run)
{
    for (uint32_t i = 0; i < stream_count; i++) {
        uint64_t now_ns = load_now_ns();

        if (!load_start(run, now_ns))
            return;
        send_request(i, options->size, now_ns);
    }
}

static void advance(const struct load_options *options, struct load_run *run,
                    uint32_t index)
{
    uint64_t now_ns;

    if (!receive_reply(index, options->size, MSG_DONTWAIT))
        return;
    now_ns = load_now_ns();
    load_complete(run, streams[index].sent_ns, now_ns);
    if (load_start(run, now_ns))
        send_request(index, options->size, now_ns);
}

static void stream_run(const struct load_options *options, struct load_run *run)
{
    struct epoll_event events[EVENTS];

    start_all(options, run);
    while (load_under_way(run)) {
        int n = load_wait(options, epoll_fd, events, EVENTS);

        for (int i = 0; i < n; i++)
            advance(options, run, events[i].data.u32);
    }
}

static void stream_close(void)
{
    for (uint32_t i = 0; i < stream_count; i++)
        close(streams[i].fd);
    free(streams);
    close(epoll_fd);
}

const struct load_mode load_stream = {.name = "stream",
                                      .open = stream_open,
                                      .run = stream_run,
                                      .close = stream_close};
