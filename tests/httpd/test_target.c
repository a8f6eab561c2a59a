#include "check.h"
#include "target.h"

#include <string.h>

static struct http_bytes bytes_of(const char *text)
{
    return (struct http_bytes){text, strlen(text)};
}

static ssize_t decoded(const char *path, const char *expected)
{
    char out[256];
    ssize_t n = http_path_decode(bytes_of(path), out);

    if (n >= 0) {
        assert_string_equal(out, expected);
        assert_int_equal(n, strlen(expected));
    }
    return n;
}

static int split(const char *target, const char *path, const char *query)
{
    struct http_bytes got_path, got_query;
    int rc = http_target_split(bytes_of(target), &got_path, &got_query);

    if (rc != 0)
        return rc;
    assert_int_equal(got_path.len, strlen(path));
    assert_memory_equal(got_path.data, path, got_path.len);
    assert_int_equal(got_query.data == NULL, query == NULL);
    if (query != NULL) {
        assert_int_equal(got_query.len, strlen(query));
        assert_memory_equal(got_query.data, query, got_query.len);
    }
    return 0;
}

static void targets_are_split(void **state)
{
    (void)state;
    assert_int_equal(split("/a/b", "/a/b", NULL), 0);
    assert_int_equal(split("/a?b?c", "/a", "b?c"), 0);
    assert_int_equal(split("/?", "/", ""), 0);
    assert_int_equal(split("*", "*", NULL), 0);
    assert_int_equal(split("http://h", "/", NULL), 0);
    assert_int_equal(split("HTTPS://h:1/x?y", "/x", "y"), 0);
    assert_int_equal(split("http://h?y", "/", "y"), 0);
    assert_int_equal(split("http:///x", "", NULL), 400);
    assert_int_equal(split("ftp://h/x", "", NULL), 400);
    assert_int_equal(split("x", "", NULL), 400);
    assert_int_equal(split("**", "", NULL), 400);
}

static void paths_are_decoded(void **state)
{
    (void)state;
    assert_true(decoded("/", "/") > 0);
    assert_true(decoded("/a%20b%c3%A4", "/a b\xc3\xa4") > 0);
    assert_true(decoded("//a///b/", "/a/b/") > 0);
    assert_true(decoded("/%25%32%65", "/%2e") > 0);
    assert_true(decoded("/...", "/...") > 0);
    assert_true(decoded("/.a/..b", "/.a/..b") > 0);
}

static void dot_segments_name_nothing_however_they_are_written(void **state)
{
    static const char *const paths[] = {
        "/.",      "/..",       "/../a",        "/a/..",  "/a/./b",
        "/%2e%2e", "/.%2E/etc", "/a/%2e./b",    "/%2e",   "/a/..//b",
        "//..",    "/a%2fb",    "/..%2f..%2Fa", "/%2f..",
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(decoded(paths[i], ""), -404);
}

static void bad_escapes_are_refused(void **state)
{
    static const char *const paths[] = {"/%", "/%4", "/%zz", "/%4g", "/a%00b"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(decoded(paths[i], ""), -400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_split),
        cmocka_unit_test(paths_are_decoded),
        cmocka_unit_test(dot_segments_name_nothing_however_they_are_written),
        cmocka_unit_test(bad_escapes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
