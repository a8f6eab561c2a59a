#include "deadline.h"
#include "real.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

long long deadline_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int left_of(long long start, int ms)
{
    long long left = start + ms - deadline_now_ms();

    return left > 0 ? (int)left : 0;
}

int deadline_left_ms(long long start)
{
    return left_of(start, DEADLINE_MS);
}

int deadline_poll(int fd, short events, int ms)
{
    struct pollfd one = {.fd = fd, .events = events};
    long long start = deadline_now_ms();
    int n;

    do {
        n = __real_poll(&one, 1, left_of(start, ms));
    } while (n < 0 && errno == EINTR);
    return n > 0 ? one.revents : 0;
}

int deadline_nap(long long start)
{
    struct timespec nap = {.tv_nsec = 1000000};

    nanosleep(&nap, NULL);
    return deadline_left_ms(start) > 0;
}
