#include "cookies.h"

#include "heads.h"

#include <string.h>

static void assert_cookie(const char *fields, const char *name,
                          const char *expected)
{
    struct http_head head = head_with(fields);
    struct http_bytes value = http_cookie_find(&head, name);

    assert_non_null(value.data);
    assert_int_equal(value.len, strlen(expected));
    assert_memory_equal(value.data, expected, value.len);
}

static void cookies_are_found_by_name(void **state)
{
    static const char fields[] = "Cookie: a=1; bc=2;d = \"3\" ;e\r\n"
                                 "Cookie: f=g=h; i=\r\n";

    (void)state;
    assert_cookie(fields, "a", "1");
    assert_cookie(fields, "bc", "2");
    assert_cookie(fields, "d", "3");
    assert_cookie(fields, "f", "g=h");
    assert_cookie(fields, "i", "");
}

static void others_are_not_found(void **state)
{
    struct http_head head = head_with("Cookie: abc=1; =x; c; xa=2\r\n");

    (void)state;
    assert_null(http_cookie_find(&head, "ab").data);
    assert_null(http_cookie_find(&head, "a").data);
    assert_null(http_cookie_find(&head, "c").data);
    assert_null(http_cookie_find(&head, "A").data);
    head = head_with("");
    assert_null(http_cookie_find(&head, "a").data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_are_found_by_name),
        cmocka_unit_test(others_are_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
