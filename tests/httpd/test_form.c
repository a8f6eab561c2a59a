#include "form.h"

#include "heads.h"

#include <string.h>

static ssize_t value_of(const char *form, const char *name, char *out,
                        size_t size)
{
    return http_form_value((struct http_bytes){form, strlen(form)}, name, out,
                           size);
}

static void values_are_found_and_decoded(void **state)
{
    static const char form[] = "&a=1&b+c=%C3%a4+x&&d&a=2&e%3D=%zz%4";
    char out[16];

    (void)state;
    assert_int_equal(value_of(form, "a", out, sizeof out), 1);
    assert_string_equal(out, "1");
    assert_int_equal(value_of(form, "b c", out, sizeof out), 4);
    assert_string_equal(out, "\xc3\xa4 x");
    assert_int_equal(value_of(form, "d", out, sizeof out), 0);
    assert_int_equal(value_of(form, "e=", out, sizeof out), 5);
    assert_string_equal(out, "%zz%4");
    assert_int_equal(value_of(form, "x", out, sizeof out), -1);
    assert_int_equal(value_of("", "x", out, sizeof out), -1);
}

static void what_does_not_fit_is_no_value(void **state)
{
    char out[4];

    (void)state;
    assert_int_equal(value_of("a=123", "a", out, sizeof out), 3);
    assert_int_equal(value_of("a=1234", "a", out, sizeof out), -1);
    assert_int_equal(value_of("a=1%00", "a", out, sizeof out), -1);
    assert_int_equal(value_of("long+name=1&a=2", "a", out, sizeof out), 1);
}

static void forms_are_known_by_their_type(void **state)
{
    struct http_head head = head_with("");

    (void)state;
    assert_false(http_form_is_body(&head));
    head = head_with("Content-Type: Application/x-www-form-urlencoded ; "
                     "charset=utf-8\r\n");
    assert_true(http_form_is_body(&head));
    head = head_with("Content-Type: multipart/form-data\r\n");
    assert_false(http_form_is_body(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_and_decoded),
        cmocka_unit_test(what_does_not_fit_is_no_value),
        cmocka_unit_test(forms_are_known_by_their_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
