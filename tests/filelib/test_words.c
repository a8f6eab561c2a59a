/* The client's own text: words of a command line, and names on a terminal. */
#include "check.h"
#include "print.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

static void assert_words(const char *line, size_t n, const char *const *words)
{
    struct words found;

    assert_int_equal(words_split(&found, line), 0);
    assert_int_equal(found.n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(found.word[i], words[i]);
    assert_null(found.word[n]);
    words_free(&found);
}

static void words_are_cut_as_a_shell_cuts_them(void **state)
{
    (void)state;
    assert_words("", 0, NULL);
    assert_words(" \t\n", 0, NULL);
    assert_words("get a\n", 2, (const char *[]){"get", "a"});
    assert_words("'a b' \"c 'd\" e\\ f", 3,
                 (const char *[]){"a b", "c 'd", "e f"});
    assert_words("a''b '' c", 3, (const char *[]){"ab", "", "c"});
    assert_words("'open to the end", 1, (const char *[]){"open to the end"});
    assert_words("'a\\b' \"a\\\"b\" x\\", 3,
                 (const char *[]){"a\\b", "a\"b", "x\\"});
    assert_words("a b c d e f g", 7,
                 (const char *[]){"a", "b", "c", "d", "e", "f", "g"});
}

static void what_is_quoted_is_told(void **state)
{
    struct words words;

    (void)state;
    assert_int_equal(words_split(&words, "a* 'a*' a\\*"), 0);
    assert_false(words.is_quoted[0]);
    assert_true(words.is_quoted[1]);
    assert_true(words.is_quoted[2]);
    words_free(&words);
}

static void every_word_survives_its_quotes(void **state)
{
    char word[3] = "", quoted[16];

    (void)state;
    for (int a = 1; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            struct words words;

            word[0] = (char)a;
            word[1] = (char)b;
            words_quote(quoted, word);
            assert_int_equal(words_split(&words, quoted), 0);
            assert_int_equal(words.n, 1);
            assert_string_equal(words.word[0], word);
            words_free(&words);
        }
}

static void nothing_in_a_name_commands_a_terminal(void **state)
{
    char text[4 * 255 + 1];

    (void)state;
    print_escaped(text, sizeof text, "a\033[2Jb\n\x7f", 255);
    assert_string_equal(text, "a\\x1b[2Jb\\x0a\\x7f");
    print_escaped(text, sizeof text, "\xc2\x9b", 255);
    assert_string_equal(text, "\\xc2\\x9b");
    print_escaped(text, sizeof text, "gr\xc3\xbc\xc3\x9f", 255);
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
    print_escaped(text, sizeof text, "\xff\xc3", 255);
    assert_string_equal(text, "\\xff\\xc3");
    print_escaped(text, sizeof text, "abcdef", 3);
    assert_string_equal(text, "abc");
}

static void json_is_valid_whatever_the_name(void **state)
{
    char *text;
    size_t n;
    FILE *file = open_memstream(&text, &n);

    (void)state;
    print_json_string(file, "a\"\\\n\xff\xc3\xbc");
    fclose(file);
    assert_string_equal(text, "\"a\\\"\\\\\\u000a\\ufffd\xc3\xbc\"");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_cut_as_a_shell_cuts_them),
        cmocka_unit_test(what_is_quoted_is_told),
        cmocka_unit_test(every_word_survives_its_quotes),
        cmocka_unit_test(nothing_in_a_name_commands_a_terminal),
        cmocka_unit_test(json_is_valid_whatever_the_name)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
