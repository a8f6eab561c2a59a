#include "check.h"
#include "ranges.h"

#include <string.h>

static struct http_range ranges[HTTP_RANGES_MAX];

static int parsed(const char *value, int64_t size)
{
    return http_ranges_parse((struct http_bytes){value, strlen(value)}, size,
                             ranges);
}

static void assert_range(int i, int64_t first, int64_t length)
{
    assert_int_equal(ranges[i].first, first);
    assert_int_equal(ranges[i].length, length);
}

static void each_form_is_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("bytes=0-0", 10), 1);
    assert_range(0, 0, 1);
    assert_int_equal(parsed("Bytes=5-", 10), 1);
    assert_range(0, 5, 5);
    assert_int_equal(parsed("bytes=-4", 10), 1);
    assert_range(0, 6, 4);
    assert_int_equal(parsed("bytes= 1-2 ,, 8-20", 10), 2);
    assert_range(0, 1, 2);
    assert_range(1, 8, 2);
}

static void only_what_is_in_the_content_counts(void **state)
{
    (void)state;
    assert_int_equal(parsed("bytes=10-", 10), -1);
    assert_int_equal(parsed("bytes=-0", 10), -1);
    assert_int_equal(parsed("bytes=0-", 0), -1);
    assert_int_equal(parsed("bytes=-1", 0), -1);
    assert_int_equal(parsed("bytes=20-30, 3-3", 10), 1);
    assert_range(0, 3, 1);
    assert_int_equal(parsed("bytes=-99999999999999999999", 10), 1);
    assert_range(0, 0, 10);
    assert_int_equal(parsed("bytes=1-99999999999999999999", 10), 1);
    assert_range(0, 1, 9);
}

static void what_is_not_understood_is_ignored(void **state)
{
    static const char *const values[] = {
        "",         "bytes",     "bytes=",     "bytes=-",    "bytes=1",
        "lines=1-", "bytes=2-1", "bytes=a-b",  "bytes=1-2x", "bytes=1-2, x",
        "bytes 1-", "bytes=--1", "bytes=1--2", "bytes=,",    "bytes=+1-2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_int_equal(parsed(values[i], 10), 0);
}

static void parts_are_bounded(void **state)
{
    char value[HTTP_RANGES_MAX * 4 + 16] = "bytes=0-0";

    (void)state;
    for (int i = 1; i < HTTP_RANGES_MAX; i++)
        strcat(value, ",0-0");
    assert_int_equal(parsed(value, 100), HTTP_RANGES_MAX);
    strcat(value, ",0-0");
    assert_int_equal(parsed(value, 100), 0);
    assert_int_equal(parsed("bytes=0-5,0-5", 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(only_what_is_in_the_content_counts),
        cmocka_unit_test(what_is_not_understood_is_ignored),
        cmocka_unit_test(parts_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
