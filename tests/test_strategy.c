/* The strategies' names; what they do is the contract's. */
#include "unit.h"

#include <sockserver/strategy.h>

#include <string.h>

static void each_name_finds_its_strategy(void **state)
{
    size_t n = 0;
    const char *name;

    (void)state;
    for (; (name = sks_strategy_names(n)) != NULL; n++) {
        const sks_strategy *found = sks_strategy_find(name);

        assert_non_null(found);
        assert_string_equal(sks_strategy_name(found), name);
    }
    assert_true(n >= 3);
    assert_null(sks_strategy_names(n + 1));
    assert_null(sks_strategy_names(SIZE_MAX));
}

static void no_two_have_the_same_name(void **state)
{
    const char *a, *b;

    (void)state;
    for (size_t i = 0; (a = sks_strategy_names(i)) != NULL; i++)
        for (size_t j = i + 1; (b = sks_strategy_names(j)) != NULL; j++)
            assert_string_not_equal(a, b);
}

static void what_is_no_name_finds_none(void **state)
{
    static const char *const none[] = {"", "fork", "Forking", "forking ",
                                       "prethreading"};

    (void)state;
    assert_null(sks_strategy_find(NULL));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(sks_strategy_find(none[i]));
}

static void those_of_python_are_there(void **state)
{
    (void)state;
    assert_ptr_equal(sks_strategy_find("synchronous"), sks_synchronous());
    assert_ptr_equal(sks_strategy_find("forking"), sks_forking());
    assert_ptr_equal(sks_strategy_find("threading"), sks_threading());
}

/* The library keeps to what it asks of others' tables. */
static void each_table_is_sound(void **state)
{
    const char *name;

    (void)state;
    for (size_t i = 0; (name = sks_strategy_names(i)) != NULL; i++) {
        const sks_strategy *s = sks_strategy_find(name);

        assert_int_equal(s->size, sizeof *s);
        assert_non_null(s->process_request);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-:"),
                         strlen(name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(each_name_finds_its_strategy),
        UNIT_TEST(no_two_have_the_same_name),
        UNIT_TEST(what_is_no_name_finds_none),
        UNIT_TEST(those_of_python_are_there),
        UNIT_TEST(each_table_is_sound),
    };

    return cmocka_run_group_tests_name("strategy", tests, NULL, NULL);
}
