#include "unit.h"

#include "far_timer.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>

#ifdef SKS_PLAIN_POSIX

static void limits_are_left_to_the_wait(void **state)
{
    struct sks__far_timer timer;

    (void)state;
    sks__far_timer_open(&timer);
    assert_int_equal(timer.fd, -1);
    assert_int_equal(sks__far_timer_cover(&timer, 60000), 60000);
    assert_int_equal(sks__far_timer_cover(&timer, -1), -1);
    sks__far_timer_close(&timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(limits_are_left_to_the_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <sys/timerfd.h>

static int times_set, fails;

int __real_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *old);

static int failed(void)
{
    errno = EMFILE;
    return -1;
}

int __wrap_timerfd_create(int clock, int flags)
{
    return fails ? failed() : __real_timerfd_create(clock, flags);
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *old)
{
    times_set++;
    return fails ? failed() : __real_timerfd_settime(fd, flags, when, old);
}

static struct sks__far_timer timer;

static int begin(void **state)
{
    int rc = unit_begin(state);

    times_set = fails = 0;
    sks__far_timer_open(&timer);
    return rc;
}

static int end(void **state)
{
    sks__far_timer_close(&timer);
    return unit_end(state);
}

/* Milliseconds until the timer goes off; 0: it is not set. */
static long left_ms(void)
{
    struct itimerspec left;

    assert_int_equal(timerfd_gettime(timer.fd, &left), 0);
    return left.it_value.tv_sec * 1000L + left.it_value.tv_nsec / 1000000;
}

static void a_near_limit_is_left_to_the_wait(void **state)
{
    (void)state;
    assert_int_equal(sks__far_timer_cover(&timer, SKS__FAR_MS - 1),
                     SKS__FAR_MS - 1);
    assert_int_equal(sks__far_timer_cover(&timer, 0), 0);
    assert_int_equal(sks__far_timer_cover(&timer, -1), -1);
    assert_int_equal(left_ms(), 0);
}

static void a_far_limit_sets_the_timer(void **state)
{
    (void)state;
    assert_int_equal(sks__far_timer_cover(&timer, 60000), -1);
    assert_in_range(left_ms(), 60000 - DEADLINE_MS, 60000);
}

static void it_is_set_once_for_many_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(sks__far_timer_cover(&timer, 60000 + i), -1);
    assert_int_equal(times_set, 1);
}

static void an_earlier_limit_sets_it_anew(void **state)
{
    (void)state;
    assert_int_equal(sks__far_timer_cover(&timer, 60000), -1);
    assert_int_equal(sks__far_timer_cover(&timer, 30000), -1);
    assert_in_range(left_ms(), 30000 - DEADLINE_MS, 30000);
}

static void it_goes_off_when_the_time_is_over_and_can_be_set_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        long long start = deadline_now_ms();

        assert_int_equal(sks__far_timer_cover(&timer, SKS__FAR_MS), -1);
        assert_int_equal(deadline_poll(timer.fd, POLLIN, DEADLINE_MS), POLLIN);
        assert_true(deadline_now_ms() - start >= SKS__FAR_MS);
    }
    assert_int_equal(times_set, 2);
}

static void without_a_descriptor_limits_are_left_to_the_wait(void **state)
{
    (void)state;
    sks__far_timer_close(&timer);
    fails = 1;
    sks__far_timer_open(&timer);
    assert_int_equal(timer.fd, -1);
    assert_int_equal(sks__far_timer_cover(&timer, 60000), 60000);
    assert_int_equal(times_set, 0);
}

static void a_timer_that_cannot_be_set_leaves_them_too(void **state)
{
    (void)state;
    fails = 1;
    assert_int_equal(sks__far_timer_cover(&timer, 60000), 60000);
    assert_int_equal(sks__far_timer_cover(&timer, 60000), 60000);
    assert_int_equal(times_set, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_near_limit_is_left_to_the_wait),
        TEST(a_far_limit_sets_the_timer),
        TEST(it_is_set_once_for_many_waits),
        TEST(an_earlier_limit_sets_it_anew),
        TEST(it_goes_off_when_the_time_is_over_and_can_be_set_anew),
        TEST(without_a_descriptor_limits_are_left_to_the_wait),
        TEST(a_timer_that_cannot_be_set_leaves_them_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
