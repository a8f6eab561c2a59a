#include "fields.h"

#include "heads.h"

#include <string.h>

static int accepts(const char *fields, const char *type, const char *subtype)
{
    struct http_head head = head_with(fields);

    return http_accept_quality(&head, type, subtype);
}

static int coding(const char *fields, const char *name)
{
    struct http_head head = head_with(fields);

    return http_coding_quality(&head, name);
}

static void lists_are_split_outside_of_quotes(void **state)
{
    static const char text[] = " , a,\"b,\\\"c\" ;q=1 ,,d ";
    static const char *const items[] = {"a", "\"b,\\\"c\" ;q=1", "d"};
    struct http_bytes list = {text, sizeof text - 1}, item;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(http_list_next(&list, &item));
        assert_int_equal(item.len, strlen(items[i]));
        assert_memory_equal(item.data, items[i], item.len);
    }
    assert_false(http_list_next(&list, &item));
}

static void most_specific_range_decides(void **state)
{
    static const char fields[] =
        "Accept: text/*;q=0.3, text/html;q=0.7\r\n"
        "Accept: */*;q=0.5, text/css; level=1 ; Q=0\r\n";

    (void)state;
    assert_int_equal(accepts(fields, "text", "html"), 700);
    assert_int_equal(accepts(fields, "text", "plain"), 300);
    assert_int_equal(accepts(fields, "text", "css"), 0);
    assert_int_equal(accepts(fields, "image", "png"), 500);
    assert_int_equal(accepts("", "image", "png"), 1000);
    assert_int_equal(accepts("Accept: text/html\r\n", "image", "png"), 0);
}

static void qualities_that_are_none_count_as_0(void **state)
{
    static const char *const bad[] = {"2", "1.001", "0.1234", ".5", "x", ""};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char field[64];

        snprintf(field, sizeof field, "Accept: text/html;q=%s\r\n", bad[i]);
        assert_int_equal(accepts(field, "text", "html"), 0);
    }
    assert_int_equal(accepts("Accept: a/b;q=0.125\r\n", "a", "b"), 125);
    assert_int_equal(accepts("Accept: a/b;q=1.000\r\n", "a", "b"), 1000);
}

static void identity_is_fine_unless_excluded(void **state)
{
    (void)state;
    assert_int_not_equal(coding("", "identity"), 0);
    assert_int_equal(coding("", "gzip"), 0);
    assert_int_not_equal(coding("Accept-Encoding: gzip\r\n", "identity"), 0);
    assert_int_equal(coding("Accept-Encoding: *;q=0\r\n", "identity"), 0);
    assert_int_equal(coding("Accept-Encoding: identity;q=0\r\n", "identity"),
                     0);
    assert_int_equal(coding("Accept-Encoding: br, *;q=0.2\r\n", "gzip"), 200);
    assert_int_equal(coding("Accept-Encoding: *, gzip;q=0\r\n", "gzip"), 0);
    assert_int_equal(coding("Accept-Encoding: x-gzip\r\n", "gzip"), 0);
}

static void json_is_for_those_who_want_it_more(void **state)
{
    struct http_head head = head_with("");

    (void)state;
    assert_false(http_prefers_json(&head));
    head = head_with("Accept: */*\r\n");
    assert_false(http_prefers_json(&head));
    head = head_with("Accept: application/json\r\n");
    assert_true(http_prefers_json(&head));
    head = head_with("Accept: text/html, application/json;q=0.9\r\n");
    assert_false(http_prefers_json(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_split_outside_of_quotes),
        cmocka_unit_test(most_specific_range_decides),
        cmocka_unit_test(qualities_that_are_none_count_as_0),
        cmocka_unit_test(identity_is_fine_unless_excluded),
        cmocka_unit_test(json_is_for_those_who_want_it_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
