#include "check.h"
#include "text.h"

#include <string.h>

static void assert_escaped(void (*escape)(struct http_text *, const char *,
                                          size_t),
                           const char *bytes, const char *expected)
{
    struct http_text t = {0};

    escape(&t, bytes, strlen(bytes));
    assert_int_equal(t.len, strlen(expected));
    assert_memory_equal(t.data, expected, t.len);
    http_text_free(&t);
}

static void text_grows(void **state)
{
    struct http_text t = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        http_text_printf(&t, "%03d,", i);
    assert_int_equal(t.len, 4000);
    assert_memory_equal(t.data + 3992, "998,999,", 8);
    http_text_free(&t);
    assert_null(t.data);
}

static void html_is_escaped(void **state)
{
    (void)state;
    assert_escaped(http_text_html, "<a b='c' d=\"&\">\x01",
                   "&lt;a b=&#39;c&#39; d=&quot;&amp;&quot;&gt;\xef\xbf\xbd");
}

static void json_is_escaped(void **state)
{
    (void)state;
    assert_escaped(http_text_json, "\"\\\n\x7f/", "\\\"\\\\\\u000a\\u007f/");
}

static void what_is_not_utf8_is_replaced(void **state)
{
    static const char *const bad[] = {
        "\x80",         "\xc0\xaf",     "\xe0\x80\xaf",     "\xed\xa0\x80",
        "\xf0\x80\x80", "\xf4\x90\x80", "\xf8\x88\x80\x80", "\xff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_text t = {0};

        http_text_json(&t, bad[i], strlen(bad[i]));
        assert_int_equal(t.len, 3 * strlen(bad[i]));
        http_text_free(&t);
    }
    assert_escaped(http_text_html, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                   "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_escaped(http_text_html, "\xc3", "\xef\xbf\xbd");
}

static void urls_keep_only_what_is_safe(void **state)
{
    (void)state;
    assert_escaped(http_text_url, "a/b c?d%:\xff~", "a/b%20c%3Fd%25%3A%FF~");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(html_is_escaped),
        cmocka_unit_test(json_is_escaped),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(urls_keep_only_what_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
