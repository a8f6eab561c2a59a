/* The lines of the protocol: what they mean, each limit, and what is malformed.
 */
#include "check.h"
#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char hex64[] =
    "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";

/* The bytes are copied to a place of just their size, so that a sanitizer sees
 * whoever reads past them. */
static const char *parse(struct command *command, const char *line, size_t n)
{
    char *copy = malloc(n ? n : 1);
    const char *wrong;

    memcpy(copy, line, n);
    wrong = command_parse(command, copy, n);
    free(copy);
    return wrong;
}

static const char *parse_text(struct command *command, const char *line)
{
    return parse(command, line, strlen(line));
}

static void assert_malformed(const char *line)
{
    struct command command;

    if (!parse_text(&command, line))
        fail_msg("\"%s\" passed", line);
}

static void each_command_is_read(void **state)
{
    struct command command;
    char line[256];

    (void)state;
    assert_null(parse_text(&command, "LIST\n"));
    assert_int_equal(command.verb, VERB_LIST);
    assert_null(parse_text(&command, "stat a%20b\r\n"));
    assert_int_equal(command.verb, VERB_STAT);
    assert_string_equal(command.name, "a b");
    assert_null(parse_text(&command, "GET x 5 6"));
    assert_int_equal(command.offset, 5);
    assert_int_equal(command.length, 6);
    assert_null(parse_text(&command, "GET x"));
    assert_int_equal(command.offset, 0);
    assert_int_equal(command.length, -1);
    assert_null(parse_text(&command, "PUT x 7 resume=aB12 replace\n"));
    assert_int_equal(command.length, 7);
    assert_int_equal(command.replace, 1);
    assert_string_equal(command.id, "aB12");
    assert_null(parse_text(&command, "DATA 0\n"));
    assert_null(parse_text(&command, "RENAME a b\n"));
    assert_string_equal(command.other, "b");
    snprintf(line, sizeof line, "COMMIT %s\n", hex64);
    assert_null(parse_text(&command, line));
    assert_int_equal(command.digest[0], 0x01);
    assert_int_equal(command.digest[15], 0xef);
    snprintf(line, sizeof line, "AUTH alice %s\n", hex64);
    assert_null(parse_text(&command, line));
    assert_string_equal(command.id, "alice");
    assert_null(parse_text(&command, "ABORT\n"));
    assert_null(parse_text(&command, "QUIT\n"));
    assert_null(parse_text(&command, "DELETE x\n"));
    assert_null(parse_text(&command, "DIGEST x\n"));
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const lines[] = {"",
                                        "\n",
                                        "\r\n",
                                        " ",
                                        " LIST",
                                        "LIST ",
                                        "LIST x",
                                        "LISTE",
                                        "STAT",
                                        "STAT  x",
                                        "STAT x y",
                                        "STAT %",
                                        "STAT %2",
                                        "STAT %zz",
                                        "STAT %00",
                                        "STAT a/b",
                                        "STAT %2f",
                                        "STAT a\tb",
                                        "STAT \x7f",
                                        "GET x -1",
                                        "GET x 1 ",
                                        "GET x 1 2 3",
                                        "GET x +1",
                                        "GET x 0x1",
                                        "PUT x",
                                        "PUT x y",
                                        "PUT x 1 2",
                                        "PUT x 1 replace replace",
                                        "DATA",
                                        "DATA x",
                                        "DATA 1 2",
                                        "PUT x 1 resume=",
                                        "COMMIT 12",
                                        "PUT x 1 resume=g",
                                        "RENAME a",
                                        "AUTH a",
                                        "RENAME a b c",
                                        "GET x 9223372036854775808",
                                        "A B C D E F G H"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_malformed(lines[i]);
}

static void no_part_of_a_command_is_another_one_without_its_end(void **state)
{
    static const char line[] = "PUT name%20x 12345 replace resume=abcdef\n";
    struct command command;

    (void)state;
    /* Whatever the cut, nothing is read past it. */
    for (size_t n = 0; n < sizeof line; n++)
        parse(&command, line, n);
    assert_null(parse(&command, line, sizeof line - 1));
}

static void a_nul_anywhere_is_malformed(void **state)
{
    static const char line[] = "GET name 12 34\n";
    struct command command;

    (void)state;
    for (size_t i = 0; i < sizeof line - 2; i++) {
        char copy[sizeof line];

        memcpy(copy, line, sizeof line);
        copy[i] = '\0';
        assert_non_null(parse(&command, copy, sizeof line - 1));
    }
}

static void a_name_has_255_bytes_at_most(void **state)
{
    char line[PROTOCOL_LINE] = "STAT ";
    struct command command;

    (void)state;
    memset(line + 5, 'x', PROTOCOL_NAME);
    assert_null(parse_text(&command, line));
    assert_int_equal(strlen(command.name), PROTOCOL_NAME);
    line[5 + PROTOCOL_NAME] = 'x';
    assert_malformed(line);
}

static void two_long_names_fit_into_a_line(void **state)
{
    char line[PROTOCOL_LINE + 1] = "RENAME ", *end = line + strlen(line);
    char name[PROTOCOL_NAME + 1];
    struct command command;

    (void)state;
    memset(name, '\xff', PROTOCOL_NAME);
    end += name_encode(end, name, PROTOCOL_NAME);
    *end++ = ' ';
    end += name_encode(end, name, PROTOCOL_NAME);
    *end++ = '\n';
    assert_true(end - line < PROTOCOL_LINE);
    assert_null(parse(&command, line, (size_t)(end - line)));
    assert_memory_equal(command.other, name, PROTOCOL_NAME);
}

static void an_id_and_a_user_have_64_bytes_at_most(void **state)
{
    char line[256];
    struct command command;

    (void)state;
    snprintf(line, sizeof line, "PUT x 1 resume=%s", hex64);
    assert_null(parse_text(&command, line));
    snprintf(line, sizeof line, "PUT x 1 resume=%s0", hex64);
    assert_malformed(line);
    snprintf(line, sizeof line, "AUTH %s %s", hex64, hex64);
    assert_null(parse_text(&command, line));
    snprintf(line, sizeof line, "AUTH %s0 %s", hex64, hex64);
    assert_malformed(line);
}

static void every_byte_of_a_name_travels(void **state)
{
    char name[2] = "", encoded[4], decoded[PROTOCOL_NAME + 1];

    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        size_t n;

        if (byte == '/')
            continue;
        name[0] = (char)byte;
        n = name_encode(encoded, name, 1);
        assert_null(name_decode(decoded, encoded, n));
        assert_string_equal(decoded, name);
        for (size_t i = 0; i < n; i++)
            assert_true(encoded[i] > ' ' && encoded[i] < 127);
    }
}

static void numbers_end_where_they_do_not_fit(void **state)
{
    (void)state;
    assert_int_equal(number_parse("0", 1), 0);
    assert_int_equal(number_parse("9223372036854775807", 19), INT64_MAX);
    assert_int_equal(number_parse("9223372036854775808", 19), -1);
    assert_int_equal(number_parse("99999999999999999999", 20), -1);
    assert_int_equal(number_parse("", 0), -1);
    assert_int_equal(number_parse("12", 1), 1);
}

static void a_refused_put_is_still_known_as_one(void **state)
{
    struct command command;

    (void)state;
    assert_non_null(parse_text(&command, "PUT x nonsense\n"));
    assert_int_equal(command.verb, VERB_PUT);
    assert_non_null(parse_text(&command, "DATA \n"));
    assert_int_equal(command.verb, VERB_DATA);
}

static void a_reply_is_read(void **state)
{
    static const char line[] =
        "200 12 size=5 mtime=1.000000002 of=file : it : is\n";
    struct reply reply;
    char value[16];

    (void)state;
    assert_int_equal(reply_parse(&reply, line, sizeof line - 1), 0);
    assert_int_equal(reply.code, 200);
    assert_int_equal(reply.length, 12);
    assert_string_equal(reply.sentence, "it : is");
    assert_int_equal(reply_number(&reply, "size"), 5);
    assert_int_equal(reply_number(&reply, "of"), -1);
    assert_int_equal(reply_number(&reply, "siz"), -1);
    assert_int_equal(reply_value(&reply, "of", value, sizeof value), 4);
    assert_string_equal(value, "file");
    assert_int_equal(reply_value(&reply, "of", value, 4), -1);
    assert_int_equal(reply_parse(&reply, "404 0 : no\n", 11), 0);
    assert_string_equal(reply.sentence, "no");
}

static void a_key_in_the_sentence_is_none(void **state)
{
    static const char line[] = "200 0 a=1 : no size=5 here\n";
    struct reply reply;

    (void)state;
    assert_int_equal(reply_parse(&reply, line, sizeof line - 1), 0);
    assert_int_equal(reply_number(&reply, "size"), -1);
    assert_int_equal(reply_number(&reply, "a"), 1);
}

static void what_is_no_reply_is_refused(void **state)
{
    static const char *const lines[] = {
        "",         "\n",      "200",         "200 ",           "200 0",
        "200 0 ",   "200 0 x", "20 0 : x",    "2000 0 : x",     "200 -1 : x",
        "200  : x", "x 0 : x", "200 0 a=1:x", "hello world : x"};
    char *longest = calloc(1, PROTOCOL_LINE + 64);
    struct reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(reply_parse(&reply, lines[i], strlen(lines[i])), -1);
    memset(longest, 'x', PROTOCOL_LINE + 32);
    memcpy(longest, "200 0 : ", 8);
    assert_int_equal(reply_parse(&reply, longest, PROTOCOL_LINE + 1), -1);
    free(longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_read),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(no_part_of_a_command_is_another_one_without_its_end),
        cmocka_unit_test(a_nul_anywhere_is_malformed),
        cmocka_unit_test(a_name_has_255_bytes_at_most),
        cmocka_unit_test(two_long_names_fit_into_a_line),
        cmocka_unit_test(an_id_and_a_user_have_64_bytes_at_most),
        cmocka_unit_test(every_byte_of_a_name_travels),
        cmocka_unit_test(numbers_end_where_they_do_not_fit),
        cmocka_unit_test(a_refused_put_is_still_known_as_one),
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(a_key_in_the_sentence_is_none),
        cmocka_unit_test(what_is_no_reply_is_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
