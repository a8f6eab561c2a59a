#include "clock.h"

#include <limits.h>
#include <time.h>

int64_t sks__clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t sks__clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sks__clock_after(int ms)
{
    return ms < 0 ? SKS__NEVER : sks__clock_ms() + ms;
}

int sks__clock_left_ms(int64_t moment)
{
    int64_t left;

    if (moment == SKS__NEVER)
        return -1;
    left = moment - sks__clock_ms();
    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}
