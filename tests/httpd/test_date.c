#include "check.h"
#include "date.h"

#include <stdlib.h>
#include <string.h>

static time_t parsed(const char *text)
{
    time_t when = -1;

    return http_date_parse(text, strlen(text), &when) ? when : -1;
}

static void all_three_forms_are_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(parsed("Sun Nov  6 08:49:37 1994"), 784111777);
}

static void nothing_else_is_read(void **state)
{
    static const char *const bad[] = {
        "",
        "now",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT x",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sunday the sixth of November, nineteen ninety-four",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parsed(bad[i]), -1);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    for (time_t when = 0; when < 4102444800; when += 86400 * 13 + 3661) {
        char text[HTTP_DATE_LEN];
        time_t again;

        http_date_format(when, text);
        assert_true(http_date_parse(text, sizeof text, &again));
        assert_int_equal(again, when);
    }
}

static void two_digits_mean_a_year_at_most_50_ahead(void **state)
{
    time_t now = time(NULL);

    (void)state;
    assert_true(parsed("Sunday, 06-Nov-94 08:49:37 GMT") < now);
    for (int year = 0; year < 100; year++) {
        char text[] = "Sunday, 06-Nov-00 08:49:37 GMT";

        text[15] = (char)('0' + year / 10);
        text[16] = (char)('0' + year % 10);
        assert_true(parsed(text) < now + 51L * 366 * 86400);
        assert_true(parsed(text) > now - 51L * 366 * 86400);
    }
}

static void each_format_has_its_length(void **state)
{
    char text[HTTP_LOG_DATE_LEN];

    (void)state;
    setenv("TZ", "UTC0", 1);
    tzset();
    http_date_ctime(784111777, text);
    assert_memory_equal(text, "Sun Nov  6 08:49:37 1994", HTTP_CTIME_LEN);
    http_date_ctime(785493577, text);
    assert_memory_equal(text, "Tue Nov 22 08:39:37 1994", HTTP_CTIME_LEN);
    http_date_log(784111777, text);
    assert_memory_equal(text, "06/Nov/1994:08:49:37 +0000", HTTP_LOG_DATE_LEN);
}

static void now_is_between_before_and_after(void **state)
{
    time_t before = time(NULL), when = http_date_second();

    (void)state;
    /* Its clock may be a tick behind. */
    assert_in_range(when, before - 1, time(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_three_forms_are_read),
        cmocka_unit_test(nothing_else_is_read),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(two_digits_mean_a_year_at_most_50_ahead),
        cmocka_unit_test(each_format_has_its_length),
        cmocka_unit_test(now_is_between_before_and_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
