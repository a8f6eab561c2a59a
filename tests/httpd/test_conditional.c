#include "conditional.h"

#include "heads.h"

#define TAG "\"tag\""
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define EXACTLY "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

enum { MODIFIED = 784111777 };

static int weighed(const char *fields, int is_read)
{
    struct http_head head = head_with(fields);

    return http_precondition(&head, TAG, MODIFIED, is_read);
}

static int lets_range(const char *fields, time_t now)
{
    struct http_head head = head_with(fields);

    return http_if_range(&head, TAG, MODIFIED, now);
}

static void if_none_match_compares_weakly(void **state)
{
    (void)state;
    assert_int_equal(weighed("If-None-Match: \"x\", W/" TAG "\r\n", 1), 304);
    assert_int_equal(weighed("If-None-Match: " TAG "\r\n", 0), 412);
    assert_int_equal(weighed("If-None-Match: *\r\n", 1), 304);
    assert_int_equal(weighed("If-None-Match: \"ta\", tag\r\n", 1), 0);
    assert_int_equal(weighed("If-None-Match: \"x\"\r\n"
                             "If-None-Match: " TAG "\r\n",
                             1),
                     304);
}

static void if_match_compares_strongly(void **state)
{
    (void)state;
    assert_int_equal(weighed("If-Match: " TAG "\r\n", 1), 0);
    assert_int_equal(weighed("If-Match: *\r\n", 1), 0);
    assert_int_equal(weighed("If-Match: W/" TAG "\r\n", 1), 412);
}

static void dates_count_to_the_second(void **state)
{
    (void)state;
    assert_int_equal(weighed("If-Modified-Since: " BEFORE "\r\n", 1), 0);
    assert_int_equal(weighed("If-Modified-Since: " EXACTLY "\r\n", 1), 304);
    assert_int_equal(weighed("If-Modified-Since: " EXACTLY "\r\n", 0), 0);
    assert_int_equal(weighed("If-Unmodified-Since: " BEFORE "\r\n", 1), 412);
    assert_int_equal(weighed("If-Unmodified-Since: " EXACTLY "\r\n", 1), 0);
    assert_int_equal(weighed("If-Unmodified-Since: soon\r\n", 1), 0);
}

static void tags_go_before_dates(void **state)
{
    (void)state;
    assert_int_equal(weighed("If-Match: " TAG "\r\n"
                             "If-Unmodified-Since: " BEFORE "\r\n",
                             1),
                     0);
    assert_int_equal(weighed("If-None-Match: \"x\"\r\n"
                             "If-Modified-Since: " AFTER "\r\n",
                             1),
                     0);
}

static void if_range_wants_a_strong_validator(void **state)
{
    (void)state;
    assert_true(lets_range("", MODIFIED));
    assert_true(lets_range("If-Range: " TAG "\r\n", MODIFIED));
    assert_false(lets_range("If-Range: W/" TAG "\r\n", MODIFIED));
    assert_true(lets_range("If-Range: " EXACTLY "\r\n", MODIFIED + 2));
    assert_false(lets_range("If-Range: " EXACTLY "\r\n", MODIFIED + 1));
    assert_false(lets_range("If-Range: " AFTER "\r\n", MODIFIED + 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(if_none_match_compares_weakly),
        cmocka_unit_test(if_match_compares_strongly),
        cmocka_unit_test(dates_count_to_the_second),
        cmocka_unit_test(tags_go_before_dates),
        cmocka_unit_test(if_range_wants_a_strong_validator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
