#include "far_timer.h"

#include "fd.h"

#include <sys/timerfd.h>

void sks__far_timer_open(struct sks__far_timer *timer)
{
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    timer->moment = 0;
}

void sks__far_timer_close(struct sks__far_timer *timer)
{
    sks__fd_close(timer->fd);
    timer->fd = -1;
}

/* Whether it will go off at the moment. */
static int set(struct sks__far_timer *timer, int64_t moment)
{
    struct itimerspec when = {.it_value = {.tv_sec = moment / 1000,
                                           .tv_nsec = moment % 1000 * 1000000}};

    if (timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
        return 0;
    timer->moment = moment;
    return 1;
}

int sks__far_timer_cover(struct sks__far_timer *timer, int ms)
{
    int64_t now, moment;

    if (ms < SKS__FAR_MS || timer->fd < 0)
        return ms;
    now = sks__clock_ms();
    moment = now + ms;
    if (timer->moment > now && timer->moment <= moment)
        return -1;
    return set(timer, moment) ? -1 : ms;
}
