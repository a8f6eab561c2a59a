#include "check.h"
#include "mime.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct http_mime *from_text(const char *text)
{
    char path[] = "/tmp/mimeXXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    struct http_mime *mime;

    fputs(text, file);
    fclose(file);
    mime = http_mime_new(path, "x/fallback");
    unlink(path);
    assert_non_null(mime);
    return mime;
}

static void types_come_from_the_file_first(void **state)
{
    struct http_mime *m = from_text("# comment\nx/own\thtml own # more\n"
                                    "x/later own\nx/none\n");

    (void)state;
    assert_string_equal(http_mime_find(m, "a.html"), "x/own");
    assert_string_equal(http_mime_find(m, "a.OWN"), "x/own");
    assert_string_equal(http_mime_find(m, "a.css"), "text/css");
    assert_string_equal(http_mime_find(m, "a.b/c"), "x/fallback");
    assert_string_equal(http_mime_find(m, "html"), "x/fallback");
    assert_string_equal(http_mime_find(m, "a."), "x/fallback");
    http_mime_free(m);
}

static void without_a_file_there_is_a_table(void **state)
{
    struct http_mime *m = http_mime_new("/nonexistent", "x/fallback");

    (void)state;
    assert_string_equal(http_mime_find(m, "d/a.tar.gz"), "application/gzip");
    assert_string_equal(http_mime_find(m, "a.mp4"), "video/mp4");
    assert_string_equal(http_mime_find(m, "a.mov"), "video/quicktime");
    assert_string_equal(http_mime_find(m, "a.html"), "text/html");
    http_mime_free(m);
}

static void text_has_a_charset(void **state)
{
    (void)state;
    assert_string_equal(http_mime_charset("text/html"), "; charset=utf-8");
    assert_string_equal(http_mime_charset("text/html;charset=x"), "");
    assert_string_equal(http_mime_charset("image/png"), "");
}

static void what_is_text_inside_is_compressed(void **state)
{
    (void)state;
    assert_true(http_mime_is_compressible("text/plain"));
    assert_true(http_mime_is_compressible("image/svg+xml"));
    assert_true(http_mime_is_compressible("application/json"));
    assert_false(http_mime_is_compressible("image/png"));
    assert_false(http_mime_is_compressible("application/gzip"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_come_from_the_file_first),
        cmocka_unit_test(without_a_file_there_is_a_table),
        cmocka_unit_test(text_has_a_charset),
        cmocka_unit_test(what_is_text_inside_is_compressed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
