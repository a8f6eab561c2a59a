#include "check.h"
#include "chunked.h"

#include <string.h>

/* Decodes a body that comes `step` bytes at a time.  Returns how much of it
 * was read, or -1; what is in it goes to out. */
static int decode(const char *text, size_t step, char *out)
{
    struct http_chunked k;
    size_t n = strlen(text), at = 0, len = 0;

    http_chunked_init(&k);
    while (!k.done && at < n) {
        size_t more = step < n - at ? step : n - at;
        ptrdiff_t used = http_chunked_feed(&k, text + at, more);

        if (used < 0)
            return -1;
        at += (size_t)used;
        more -= (size_t)used;
        if ((int64_t)more > k.left)
            more = (size_t)k.left;
        memcpy(out + len, text + at, more);
        len += more;
        at += more;
        k.left -= (int64_t)more;
    }
    out[len] = '\0';
    return k.done ? (int)at : -2;
}

static void chunks_are_joined_in_steps_of_any_length(void **state)
{
    static const char text[] =
        "5\r\nhello\r\n00A;a=\"b \\\"c\";d\r\n, chunked \r\n"
        "0\r\nX: y\r\nZ:\r\n\r\nGET /";
    char out[64];

    (void)state;
    for (size_t step = 1; step < sizeof text; step++) {
        assert_int_equal(decode(text, step, out), sizeof text - 6);
        assert_string_equal(out, "hello, chunked ");
    }
}

static void empty_body_is_a_last_chunk(void **state)
{
    char out[8];

    (void)state;
    assert_int_equal(decode("0\r\n\r\n", 64, out), 5);
    assert_string_equal(out, "");
    assert_int_equal(decode("000\r\n\r\n", 64, out), 7);
}

static void bad_framing_is_refused(void **state)
{
    static const char *const bodies[] = {
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        " 1\r\n",
        "1 \r\n",
        "0x1\r\n",
        "1\n",
        "1\rx",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\rb",
        "1;\x01\r\n",
        "1;a b\r\n",
        "1;\r\n",
        "1;=\r\n",
        "1;a;\r\n",
        "1;a=\"\r\n",
        "0\r\n\n",
        "0\r\nX\r\n",
        "0\r\n X: y\r\n",
        "0\r\n: y\r\n",
        "0\r\nX : y\r\n",
        "0\r\nX: \1\r\n",
        "1234567890abcdef\r\n",
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        for (size_t step = 1; step < 8; step++)
            assert_int_equal(decode(bodies[i], step, out), -1);
}

static void lines_and_trailers_are_bounded(void **state)
{
    struct http_chunked k;
    char text[HTTP_TRAILER_MAX + 16];

    (void)state;
    memset(text, 'x', sizeof text);
    http_chunked_init(&k);
    memcpy(text, "1;", 2);
    assert_int_equal(http_chunked_feed(&k, text, HTTP_CHUNK_LINE_MAX + 1), -1);
    http_chunked_init(&k);
    memcpy(text, "0\r\nA: ", 6);
    assert_int_equal(http_chunked_feed(&k, text, sizeof text), -1);
}

static void largest_size_is_read(void **state)
{
    struct http_chunked k;

    (void)state;
    http_chunked_init(&k);
    assert_int_equal(http_chunked_feed(&k, "fffffffffffffff\r\n", 17), 17);
    assert_int_equal(k.left, 0xfffffffffffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_joined_in_steps_of_any_length),
        cmocka_unit_test(empty_body_is_a_last_chunk),
        cmocka_unit_test(bad_framing_is_refused),
        cmocka_unit_test(lines_and_trailers_are_bounded),
        cmocka_unit_test(largest_size_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
