#include "accesslog.h"

#include "check.h"

#include <string.h>

/* The line for a request in a format. */
static struct http_text line_of(const char *head, enum http_log_format format,
                                const char *client)
{
    struct http_exchange x = {.status = 200, .sent = 42};
    struct http_text line = {0};

    http_head_init(&x.head);
    http_head_feed(&x.head, head, strlen(head));
    http_log_line(&line, format, &x, client, 784111777, 7);
    http_text_add(&line, "", 1);
    return line;
}

static void assert_line(const char *head, enum http_log_format format,
                        const char *client, const char *expected)
{
    struct http_text line = line_of(head, format, client);

    assert_string_equal(line.data, expected);
    http_text_free(&line);
}

#define DATE "[06/Nov/1994:08:49:37 +0000]"

static void common_lines_are_those_of_other_servers(void **state)
{
    (void)state;
    assert_line("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_LOG_COMMON,
                "127.0.0.1:51234",
                "127.0.0.1 - - " DATE " \"GET /a HTTP/1.1\" 200 42\n");
    assert_line("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_LOG_COMMON,
                "[::1]:51234", "::1 - - " DATE " \"GET /a HTTP/1.1\" 200 42\n");
}

static void combined_lines_have_two_fields_more(void **state)
{
    (void)state;
    assert_line("GET / HTTP/1.0\r\nReferer: r\"\r\nUser-Agent: u\\\xff\r\n\r\n",
                HTTP_LOG_COMBINED, "h:1",
                "h - - " DATE
                " \"GET / HTTP/1.0\" 200 42 \"r\\\"\" \"u\\\\\\xff\"\n");
}

static void json_lines_are_escaped(void **state)
{
    (void)state;
    assert_line("GET /\"\\ HTTP/1.0\r\nUser-Agent: \xff\r\n\r\n", HTTP_LOG_JSON,
                "h:1",
                "{\"time\": 784111777, \"client\": \"h\", "
                "\"request\": \"GET /\\\"\\\\ HTTP/1.0\", \"referer\": \"\", "
                "\"user_agent\": \"\xef\xbf\xbd\", \"status\": 200, "
                "\"bytes\": 42, \"took_us\": 7}\n");
}

static void no_request_forges_a_line(void **state)
{
    static const char *const heads[] = {
        "GET /\x01 x\n127.0.0.1 - - forged",
        "\r\n\r\n\r\n\r\n\r\n127.0.0.1",
        "GET /\x7f\x1b[2J HTTP/1.1\r\n",
        "\x16\x03\x01\n\n",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        for (int format = HTTP_LOG_COMMON; format <= HTTP_LOG_JSON; format++) {
            struct http_text line =
                line_of(heads[i], (enum http_log_format)format, "127.0.0.1:1");

            for (size_t j = 0; j + 2 < line.len; j++)
                assert_in_range(line.data[j], ' ', '~');
            assert_int_equal(line.data[line.len - 2], '\n');
            http_text_free(&line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_lines_are_those_of_other_servers),
        cmocka_unit_test(combined_lines_have_two_fields_more),
        cmocka_unit_test(json_lines_are_escaped),
        cmocka_unit_test(no_request_forges_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
