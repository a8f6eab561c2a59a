#include "unit.h"

#include "clock.h"

#include <limits.h>

static void time_does_not_run_backwards(void **state)
{
    int64_t last = sks__clock_ms();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = sks__clock_ms();

        assert_true(now >= last);
        last = now;
    }
}

/* The same clock, read by the test before and after. */
static void time_is_in_milliseconds(void **state)
{
    long long before = deadline_now_ms();
    int64_t now = sks__clock_ms();
    long long after = deadline_now_ms();

    (void)state;
    assert_true(before <= now && now <= after);
}

static void a_moment_is_that_far_away(void **state)
{
    static const int distances[] = {0, 1, 1000, INT_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof distances / sizeof *distances; i++) {
        int64_t before = sks__clock_ms();
        int64_t moment = sks__clock_after(distances[i]);

        assert_true(moment >= before + distances[i]);
        assert_true(moment <= sks__clock_ms() + distances[i]);
    }
}

static void no_limit_is_the_moment_that_never_comes(void **state)
{
    (void)state;
    assert_true(sks__clock_after(-1) == SKS__NEVER);
    assert_int_equal(sks__clock_left_ms(SKS__NEVER), -1);
}

static void of_a_moment_that_is_past_nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(sks__clock_left_ms(0), 0);
    assert_int_equal(sks__clock_left_ms(sks__clock_ms()), 0);
    assert_int_equal(sks__clock_left_ms(sks__clock_ms() - 1), 0);
    assert_int_equal(sks__clock_left_ms(INT64_MIN / 2), 0);
}

static void what_is_left_grows_less(void **state)
{
    int64_t moment = sks__clock_after(INT_MAX);
    int64_t before = sks__clock_ms();
    int left = sks__clock_left_ms(moment);
    int64_t after = sks__clock_ms();

    (void)state;
    assert_true(left <= moment - before && left >= moment - after);
}

static void what_is_left_fits_into_poll(void **state)
{
    (void)state;
    assert_int_equal(sks__clock_left_ms(SKS__NEVER - 1), INT_MAX);
    assert_int_equal(sks__clock_left_ms(sks__clock_ms() + (1LL << 40)),
                     INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(time_does_not_run_backwards),
        UNIT_TEST(time_is_in_milliseconds),
        UNIT_TEST(a_moment_is_that_far_away),
        UNIT_TEST(no_limit_is_the_moment_that_never_comes),
        UNIT_TEST(of_a_moment_that_is_past_nothing_is_left),
        UNIT_TEST(what_is_left_grows_less),
        UNIT_TEST(what_is_left_fits_into_poll),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
