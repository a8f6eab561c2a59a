#include "routes.h"

#include "check.h"

#include <string.h>

static struct http_bytes found[HTTP_PARAMETERS_MAX];

static int matches(const char *pattern, const char *path)
{
    return http_route_match(pattern, path, strlen(path), found);
}

static void assert_parameter(int i, const char *expected)
{
    assert_int_equal(found[i].len, strlen(expected));
    assert_memory_equal(found[i].data, expected, found[i].len);
}

static void plain_patterns_match_themselves(void **state)
{
    (void)state;
    assert_true(matches("/time", "/time"));
    assert_false(matches("/time", "/time/"));
    assert_false(matches("/time", "/tim"));
    assert_false(matches("/time", "/timer"));
    assert_true(matches("/", "/"));
}

static void names_stand_for_one_segment(void **state)
{
    (void)state;
    assert_true(matches("/users/:id/files/:name", "/users/7/files/a.txt"));
    assert_parameter(0, "7");
    assert_parameter(1, "a.txt");
    assert_false(matches("/users/:id", "/users/"));
    assert_false(matches("/users/:id", "/users/7/"));
    assert_false(matches("/users/:id", "/users"));
}

static void a_star_stands_for_the_rest(void **state)
{
    (void)state;
    assert_true(matches("/*", "/"));
    assert_parameter(0, "");
    assert_true(matches("/a/*", "/a/b/c"));
    assert_parameter(0, "b/c");
    assert_false(matches("/a/*", "/a"));
}

static void elsewhere_a_colon_and_a_star_are_themselves(void **state)
{
    (void)state;
    assert_true(matches("/a:b", "/a:b"));
    assert_false(matches("/a:b", "/axy"));
    assert_true(matches("/a*", "/a*"));
    assert_false(matches("/a*", "/ab"));
    assert_true(matches("/*/a", "/*/a"));
    assert_false(http_route_has_parameters("/a:b/*/c*"));
    assert_true(http_route_has_parameters("/a/:b"));
    assert_true(http_route_has_parameters("/a/*"));
}

static void methods_are_known_by_their_exact_names(void **state)
{
    (void)state;
    assert_int_equal(http_method_of((struct http_bytes){"GET", 3}), HTTP_GET);
    assert_int_equal(http_method_of((struct http_bytes){"PATCH", 5}),
                     HTTP_PATCH);
    assert_int_equal(http_method_of((struct http_bytes){"get", 3}), 0);
    assert_int_equal(http_method_of((struct http_bytes){"GE", 2}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_patterns_match_themselves),
        cmocka_unit_test(names_stand_for_one_segment),
        cmocka_unit_test(a_star_stands_for_the_rest),
        cmocka_unit_test(elsewhere_a_colon_and_a_star_are_themselves),
        cmocka_unit_test(methods_are_known_by_their_exact_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
