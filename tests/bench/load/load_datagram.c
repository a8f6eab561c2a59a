/* UDP packets in flight over one socket, sent and received in batches.
 *
 * A packet without a reply for a second is sent again and counted as lost; a
 * reply that comes after all to a packet sent again is not counted twice. */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SLEEP_MS = 100 };

#define RESEND_NS 1000000000u

struct packet {
    uint32_t round;
    int in_flight;
    uint64_t sent_ns;
};

struct batch {
    unsigned count;
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    char payloads[BATCH][LOAD_SIZE_MAX];
};

static struct packet *packets;
static uint32_t packet_count;
static int socket_fd, epoll_fd;
static struct batch outgoing, incoming;

static void prepare_batch(struct batch *batch, size_t size)
{
    for (unsigned i = 0; i < BATCH; i++) {
        batch->vectors[i].iov_base = batch->payloads[i];
        batch->vectors[i].iov_len = size;
        batch->headers[i].msg_hdr.msg_iov = &batch->vectors[i];
        batch->headers[i].msg_hdr.msg_iovlen = 1;
    }
}

static void flush(void)
{
    unsigned sent = 0;

    while (sent < outgoing.count) {
        int n = sendmmsg(socket_fd, outgoing.headers + sent,
                         outgoing.count - sent, 0);

        if (n < 0)
            load_fail(errno, "sendmmsg");
        sent += (unsigned)n;
    }
    outgoing.count = 0;
}

static void queue_packet(uint32_t index, size_t size, uint64_t now_ns)
{
    struct packet *packet = &packets[index];

    if (outgoing.count == BATCH)
        flush();
    packet->round++;
    packet->in_flight = 1;
    packet->sent_ns = now_ns;
    load_fill(outgoing.payloads[outgoing.count++], size, index, packet->round);
}

static void take_reply(const struct load_options *options, struct load_run *run,
                       unsigned i, uint64_t now_ns)
{
    uint32_t stamp[2];
    struct packet *packet;

    if (incoming.headers[i].msg_len != options->size)
        load_fail(0, "a reply of %u bytes", incoming.headers[i].msg_len);
    memcpy(stamp, incoming.payloads[i], sizeof stamp);
    if (stamp[0] >= packet_count)
        load_fail(0, "a reply to no request");
    packet = &packets[stamp[0]];
    if (!packet->in_flight || stamp[1] != packet->round)
        return;
    load_check(incoming.payloads[i], options->size, stamp[0], packet->round);
    packet->in_flight = 0;
    load_complete(run, packet->sent_ns, now_ns);
    if (load_start(run, now_ns))
        queue_packet(stamp[0], options->size, now_ns);
}

static void receive_batch(const struct load_options *options,
                          struct load_run *run)
{
    int n = recvmmsg(socket_fd, incoming.headers, BATCH, MSG_DONTWAIT, NULL);
    uint64_t now_ns = load_now_ns();

    if (n < 0 && errno != EAGAIN)
        load_fail(errno, "recvmmsg");
    for (int i = 0; i < n; i++)
        take_reply(options, run, (unsigned)i, now_ns);
    flush();
}

static void resend_lost(const struct load_options *options,
                        struct load_run *run)
{
    uint64_t now_ns = load_now_ns();

    for (uint32_t i = 0; i < packet_count; i++) {
        if (packets[i].in_flight && now_ns - packets[i].sent_ns > RESEND_NS) {
            run->lost++;
            queue_packet(i, options->size, now_ns);
        }
    }
    flush();
}

static void open_socket(const struct load_options *options)
{
    socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0)
        load_fail(errno, "socket");
    load_limit_waits(socket_fd, options->stall_seconds);
    if (connect(socket_fd, (const struct sockaddr *)&options->server,
                sizeof options->server) < 0)
        load_fail(errno, "connect");
}

static void datagram_open(const struct load_options *options)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (options->size < 2 * sizeof(uint32_t))
        load_fail(0, "a packet needs 8 bytes at least");
    open_socket(options);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, socket_fd, &event) < 0)
        load_fail(errno, "epoll");
    packet_count = options->connections;
    packets = calloc(packet_count, sizeof *packets);
    if (packets == NULL)
        load_fail(errno, "no memory for %u packets", packet_count);
    prepare_batch(&outgoing, options->size);
    prepare_batch(&incoming, options->size);
}

static void start_all(const struct load_options *options, struct load_run *run)
{
    for (uint32_t i = 0; i < packet_count; i++) {
        uint64_t now_ns = load_now_ns();

        if (load_start(run, now_ns))
            queue_packet(i, options->size, now_ns);
    }
    flush();
}

/* Looks for lost packets by the clock and not by silence: one packet may be
 * lost while others keep coming. */
static void resend_now_and_then(const struct load_options *options,
                                struct load_run *run)
{
    static uint64_t last_ns;
    uint64_t now_ns = load_now_ns();

    if (now_ns - last_ns > RESEND_NS) {
        resend_lost(options, run);
        last_ns = now_ns;
    }
}

static void fail_if_stalled(const struct load_options *options,
                            const struct load_run *run)
{
    static uint64_t seen, seen_ns;
    uint64_t now_ns = load_now_ns();

    if (run->completed != seen) {
        seen = run->completed;
        seen_ns = now_ns;
    }
    if ((double)(now_ns - seen_ns) > options->stall_seconds * 1e9)
        load_fail(0, "the server stalled: no reply for %g s",
                  options->stall_seconds);
}

static void datagram_run(const struct load_options *options,
                         struct load_run *run)
{
    struct epoll_event event;

    start_all(options, run);
    while (load_under_way(run)) {
        load_poll(options, epoll_fd, &event, 1, SLEEP_MS);
        receive_batch(options, run);
        resend_now_and_then(options, run);
        fail_if_stalled(options, run);
    }
}

static void datagram_close(void)
{
    free(packets);
    close(socket_fd);
    close(epoll_fd);
}

const struct load_mode load_datagram = {.name = "datagram",
                                        .open = datagram_open,
                                        .run = datagram_run,
                                        .close = datagram_close};
