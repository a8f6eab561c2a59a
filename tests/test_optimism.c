#include "unit.h"

#include "optimism.h"

/* What somebody does that found nothing without a wait, but always something
 * with one: the waits between two tries. */
static unsigned waits_until_next_try(struct sks__optimism *o)
{
    unsigned waits = 0;

    for (; !sks__optimism_tries(o, 0); waits++)
        sks__optimism_note(o, 1);
    return waits;
}

static void who_found_nothing_waits(void **state)
{
    struct sks__optimism o = {0};

    (void)state;
    assert_false(sks__optimism_tries(&o, 0));
    sks__optimism_note(&o, 0);
    assert_false(sks__optimism_tries(&o, 0));
}

static void who_found_something_tries(void **state)
{
    struct sks__optimism o = {0};

    (void)state;
    sks__optimism_note(&o, 1);
    assert_true(sks__optimism_tries(&o, 0));
    sks__optimism_note(&o, 0);
    assert_false(sks__optimism_tries(&o, 0));
}

static void tries_in_vain_become_rare(void **state)
{
    static const unsigned waits[] = {1, 3, 7, 15, 31, 31};
    struct sks__optimism o = {0};

    (void)state;
    sks__optimism_note(&o, 1);
    assert_true(sks__optimism_tries(&o, 0));
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        sks__optimism_note(&o, 0);
        assert_int_equal(waits_until_next_try(&o), waits[i]);
    }
    sks__optimism_note(&o, 1);
    assert_true(sks__optimism_tries(&o, 0));
    sks__optimism_note(&o, 0);
    assert_int_equal(waits_until_next_try(&o), 1);
}

static void others_have_their_turn(void **state)
{
    struct sks__optimism o = {0};
    unsigned tries = 0;

    (void)state;
    sks__optimism_note(&o, 1);
    for (; sks__optimism_tries(&o, 1); tries++)
        sks__optimism_note(&o, 1);
    assert_int_equal(tries, SKS__TRIES_IN_A_ROW);
    sks__optimism_note(&o, 1);
    assert_true(sks__optimism_tries(&o, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(who_found_nothing_waits),
        UNIT_TEST(who_found_something_tries),
        UNIT_TEST(tries_in_vain_become_rare),
        UNIT_TEST(others_have_their_turn),
    };

    return cmocka_run_group_tests_name("optimism", tests, NULL, NULL);
}
