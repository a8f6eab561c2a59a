/* What the modes of the load generator share; see load.h. */
#include "load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

void load_fail(int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("bench_load: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    if (error != 0)
        fprintf(stderr, ": %s", strerror(error));
    fputc('\n', stderr);
    exit(1);
}

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int load_start(struct load_run *run, uint64_t now_ns)
{
    if (run->started >= run->count || now_ns >= run->end_ns)
        return 0;
    run->started++;
    return 1;
}

void load_complete(struct load_run *run, uint64_t sent_ns, uint64_t now_ns)
{
    run->completed++;
    histogram_add(&run->latency, now_ns - sent_ns);
}

int load_under_way(const struct load_run *run)
{
    return run->completed < run->started;
}

static int poll_for_a_while(double seconds, int epoll_fd,
                            struct epoll_event *events, int max)
{
    uint64_t end_ns = load_now_ns() + (uint64_t)(seconds * 1e9);
    int n;

    do
        n = epoll_wait(epoll_fd, events, max, 0);
    while (n == 0 && load_now_ns() < end_ns);
    return n;
}

int load_poll(const struct load_options *options, int epoll_fd,
              struct epoll_event *events, int max, int ms)
{
    int n = poll_for_a_while(options->spin_seconds, epoll_fd, events, max);

    if (n == 0)
        n = epoll_wait(epoll_fd, events, max, ms);
    if (n < 0)
        load_fail(errno, "epoll_wait");
    return n;
}

int load_wait(const struct load_options *options, int epoll_fd,
              struct epoll_event *events, int max)
{
    int n = load_poll(options, epoll_fd, events, max,
                      (int)(options->stall_seconds * 1e3));

    if (n == 0)
        load_fail(0, "the server stalled: no reply for %g s",
                  options->stall_seconds);
    return n;
}

void load_limit_waits(int fd, double seconds)
{
    struct timeval limit = {
        .tv_sec = (time_t)seconds,
        .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
        load_fail(errno, "setsockopt");
}

void load_fill(char *payload, size_t size, uint32_t index, uint32_t round)
{
    uint32_t stamp[2] = {index, round};

    memset(payload, 'e', size);
    memcpy(payload, stamp, size < sizeof stamp ? size : sizeof stamp);
}

void load_check(const char *payload, size_t size, uint32_t index,
                uint32_t round)
{
    char expected[LOAD_SIZE_MAX];

    load_fill(expected, size, index, round);
    if (memcmp(payload, expected, size) != 0)
        load_fail(0, "connection %u, round %u: the reply is not the request",
                  index, round);
}
