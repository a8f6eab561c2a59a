#include "check.h"
#include "parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int verdict_of(const char *text, size_t n)
{
    struct http_head head;

    http_head_init(&head);
    return http_head_feed(&head, text, n);
}

static int verdict(const char *text)
{
    return verdict_of(text, strlen(text));
}

static void assert_bytes(struct http_bytes bytes, const char *expected)
{
    assert_non_null(bytes.data);
    assert_int_equal(bytes.len, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.len);
}

static void a_head_is_taken_apart(void **state)
{
    static const char text[] = "POST /a?b HTTP/1.1\r\nHost: a:80\r\n"
                               "Content-Length:  12 \t\r\nX:\r\n"
                               "Connection: foo, Close\r\n\r\nbody";
    struct http_head h;

    (void)state;
    http_head_init(&h);
    assert_int_equal(http_head_feed(&h, text, sizeof text - 1), HTTP_DONE);
    assert_int_equal(h.at, sizeof text - 1 - 4);
    assert_bytes(http_head_bytes(&h, h.line), "POST /a?b HTTP/1.1");
    assert_bytes(http_head_bytes(&h, h.method), "POST");
    assert_bytes(http_head_bytes(&h, h.target), "/a?b");
    assert_int_equal(h.minor, 1);
    assert_int_equal(h.content_length, 12);
    assert_true(h.close);
    assert_false(h.chunked);
    assert_bytes(http_head_value(&h, HTTP_HOST), "a:80");
    assert_bytes(http_head_bytes(&h, h.fields[2].value), "");
    assert_null(http_head_value(&h, HTTP_COOKIE).data);
}

static void repeated_fields_are_found_in_order(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nCookie: 1\r\n"
                               "X: y\r\ncookie: 2\r\n\r\n";
    struct http_head h;
    size_t i = 0;

    (void)state;
    http_head_init(&h);
    http_head_feed(&h, text, sizeof text - 1);
    assert_bytes(http_head_next(&h, HTTP_COOKIE, &i), "1");
    assert_bytes(http_head_next(&h, HTTP_COOKIE, &i), "2");
    assert_null(http_head_next(&h, HTTP_COOKIE, &i).data);
    i = 0;
    assert_null(http_head_next(&h, HTTP_RANGE, &i).data);
}

static void each_way_to_feed_it_gives_the_same_head(void **state)
{
    static const char text[] = "\r\nPUT /x HTTP/1.0\r\nA: b\r\n"
                               "Connection: keep-alive\r\n\r\nGET";
    size_t n = sizeof text - 1;

    (void)state;
    for (size_t first = 0; first < n - 3; first++) {
        for (size_t second = first; second < n - 3; second++) {
            struct http_head h;
            char *copy;

            http_head_init(&h);
            assert_int_equal(http_head_feed(&h, text, first), HTTP_MORE);
            /* Each time elsewhere, as in a buffer that moves. */
            copy = malloc(second + 1);
            memcpy(copy, text, second);
            assert_int_equal(http_head_feed(&h, copy, second), HTTP_MORE);
            free(copy);
            assert_int_equal(http_head_feed(&h, text, n), HTTP_DONE);
            assert_bytes(http_head_bytes(&h, h.target), "/x");
            assert_true(h.keep_alive);
            assert_int_equal(h.minor, 0);
            assert_int_equal(h.at, n - 3);
        }
    }
}

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        "Content-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        "(",
    };

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        assert_int_equal(verdict(heads[i]), 400);
}

static void each_control_byte_is_refused_wherever_it_stands(void **state)
{
    static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\nX: bc\r\n\r\n";
    size_t n = sizeof text - 1;

    (void)state;
    for (size_t at = 0; at < n; at++) {
        for (int c = 0; c < 128; c++) {
            char copy[sizeof text];
            int is_control = c < ' ' || c == 0x7f;

            if (!is_control || strchr("\r\n", text[at]) || c == '\r' ||
                c == '\n' || (c == '\t' && at > 17))
                continue;
            memcpy(copy, text, sizeof text);
            copy[at] = (char)c;
            assert_int_equal(verdict_of(copy, n), 400);
        }
    }
}

static void statuses_tell_why(void **state)
{
    (void)state;
    assert_int_equal(verdict("GET / HTTP/1.1\r\nHost: a\r\n"
                             "Transfer-Encoding: gzip, chunked\r\n\r\n"),
                     501);
    assert_int_equal(verdict("GET / HTTP/1.1\r\nHost: a\r\n"
                             "Transfer-Encoding: gzip\r\n\r\n"),
                     501);
    assert_int_equal(verdict("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    assert_int_equal(verdict("GET / HTTP/1.1\r\nHost: a\r\n"
                             "Expect: it\r\n\r\n"),
                     417);
    assert_int_equal(verdict("GET / HTTP/1.1\r\nHost: a\r\n"
                             "Content-Length: 9223372036854775808\r\n\r\n"),
                     413);
}

static void each_known_field_is_found_in_any_case(void **state)
{
    static const char *const names[HTTP_FIELD_IDS] = {
        [HTTP_ACCEPT] = "Accept",
        [HTTP_ACCEPT_ENCODING] = "Accept-Encoding",
        [HTTP_CONNECTION] = "CONNECTION",
        [HTTP_CONTENT_TYPE] = "content-type",
        [HTTP_COOKIE] = "Cookie",
        [HTTP_HOST] = "hOST",
        [HTTP_IF_MATCH] = "If-Match",
        [HTTP_IF_MODIFIED_SINCE] = "If-Modified-Since",
        [HTTP_IF_NONE_MATCH] = "if-none-match",
        [HTTP_IF_RANGE] = "If-Range",
        [HTTP_IF_UNMODIFIED_SINCE] = "If-Unmodified-Since",
        [HTTP_RANGE] = "rANGE",
        [HTTP_REFERER] = "Referer",
        [HTTP_USER_AGENT] = "User-Agent",
    };
    char text[100];

    (void)state;
    for (int id = 0; id < HTTP_FIELD_IDS; id++) {
        struct http_head h;

        if (names[id] == NULL)
            continue;
        http_head_init(&h);
        sprintf(text, "GET / HTTP/1.0\r\n%s: %d\r\n\r\n", names[id], id);
        assert_int_equal(http_head_feed(&h, text, strlen(text)), HTTP_DONE);
        assert_int_equal(h.fields[0].id, id);
        assert_int_equal(h.first[id], 1);
    }
}

static void each_byte_of_a_value_counts(void **state)
{
    static const char text[] =
        "GET / HTTP/1.0\r\nX: abcdefghijklmnopqrs\r\n\r\n";
    size_t start = sizeof "GET / HTTP/1.0\r\nX: " - 1;

    (void)state;
    for (size_t at = start; at < start + 19; at++) {
        for (int c = 0; c < 256; c++) {
            char copy[sizeof text];
            int is_bad = (c < ' ' && c != '\t') || c == 0x7f;

            if (c == '\n')
                continue;
            memcpy(copy, text, sizeof text);
            copy[at] = (char)c;
            assert_int_equal(verdict_of(copy, sizeof text - 1),
                             is_bad ? 400 : HTTP_DONE);
        }
    }
}

static char *filled(const char *start, size_t n)
{
    char *text = malloc(n + 1);

    memset(text, 'x', n);
    text[n] = '\0';
    memcpy(text, start, strlen(start));
    return text;
}

static void lengths_are_bounded_before_the_end_is_there(void **state)
{
    char *text = filled("GET /", HTTP_TARGET_MAX + HTTP_METHOD_MAX + 100);

    (void)state;
    assert_int_equal(verdict(text), 414);
    free(text);
    text = filled("GET / HTTP/1.1\r\nX: ", HTTP_HEAD_MAX + 1);
    assert_int_equal(verdict(text), 431);
    assert_int_equal(verdict_of(text, HTTP_HEAD_MAX), HTTP_MORE);
    free(text);
}

static void number_of_fields_is_bounded(void **state)
{
    char text[HTTP_FIELDS_MAX * 6 + 100];

    (void)state;
    for (int more = 0; more <= 1; more++) {
        char *end = text + sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");

        for (int i = 1; i < HTTP_FIELDS_MAX + more; i++)
            end += sprintf(end, "X: y\r\n");
        sprintf(end, "\r\n");
        assert_int_equal(verdict(text), more ? 431 : HTTP_DONE);
    }
}

static void longest_target_is_taken(void **state)
{
    size_t n = 4 + HTTP_TARGET_MAX;
    char *text = filled("GET /", n + 40);

    (void)state;
    strcpy(text + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(verdict(text), HTTP_DONE);
    strcpy(text + n, "x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(verdict(text), 414);
    free(text);
}

static void token_characters_are_those_of_the_standard(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        int alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z');
        int other = c != 0 && c < 128 && strchr("!#$%&'*+-.^_`|~", c) != NULL;

        assert_int_equal(http_is_token_char((unsigned char)c), alnum || other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(repeated_fields_are_found_in_order),
        cmocka_unit_test(each_way_to_feed_it_gives_the_same_head),
        cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(each_control_byte_is_refused_wherever_it_stands),
        cmocka_unit_test(each_known_field_is_found_in_any_case),
        cmocka_unit_test(each_byte_of_a_value_counts),
        cmocka_unit_test(statuses_tell_why),
        cmocka_unit_test(lengths_are_bounded_before_the_end_is_there),
        cmocka_unit_test(number_of_fields_is_bounded),
        cmocka_unit_test(longest_target_is_taken),
        cmocka_unit_test(token_characters_are_those_of_the_standard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
