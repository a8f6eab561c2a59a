/* The deadlines of a loop: lib/timers.c. */
#include "support/check.h"
#include "timers.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

static struct sks__timers timers;

static int at_thousand(void **state)
{
    (void)state;
    sks__timers_init(&timers, 1000);
    return 0;
}

static struct sks__timer *pop(int64_t now)
{
    return sks__timers_pop(&timers, now);
}

/* --- one deadline --- */

static void an_empty_queue_waits_for_ever(void **state)
{
    (void)state;
    assert_null(pop(1000));
    assert_int_equal(sks__timers_left_ms(&timers, 1000), -1);
    assert_null(pop(9000));
    assert_int_equal(timers.now, 9000);
}

static void a_deadline_comes_when_it_is_reached_and_once(void **state)
{
    struct sks__timer t = {0};

    (void)state;
    sks__timers_arm(&timers, &t, 1005);
    assert_int_equal(sks__timers_left_ms(&timers, 1001), 4);
    assert_null(pop(1004));
    assert_ptr_equal(pop(1005), &t);
    assert_null(pop(1005));
    assert_int_equal(sks__timers_left_ms(&timers, 1005), -1);
}

static void a_past_deadline_is_due_at_once(void **state)
{
    static const int64_t deadlines[] = {1000, 999, 1, 0, -1, INT64_MIN};
    struct sks__timer t = {0};

    (void)state;
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
        sks__timers_arm(&timers, &t, deadlines[i]);
        assert_int_equal(sks__timers_left_ms(&timers, 1000), 0);
        assert_ptr_equal(pop(1000), &t);
        assert_null(pop(1000));
    }
}

static void a_cancelled_deadline_does_not_come(void **state)
{
    struct sks__timer t = {0};

    (void)state;
    sks__timers_arm(&timers, &t, 1005);
    sks__timers_cancel(&t);
    assert_null(pop(2000));
    assert_int_equal(sks__timers_left_ms(&timers, 2000), -1);
    sks__timers_arm(&timers, &t, 2001);
    sks__timers_arm(&timers, &t, SKS__NEVER);
    assert_null(pop(3000));
}

static void a_removed_one_is_forgotten(void **state)
{
    struct sks__timer t = {0}, other = {0};

    (void)state;
    sks__timers_remove(&timers, &t);
    sks__timers_arm(&timers, &t, 1005);
    sks__timers_arm(&timers, &other, 1005);
    sks__timers_remove(&timers, &t);
    t = (struct sks__timer){0};
    assert_ptr_equal(pop(1005), &other);
    assert_null(pop(1005));
    sks__timers_arm(&timers, &t, 5000);
    sks__timers_remove(&timers, &t);
    assert_int_equal(sks__timers_left_ms(&timers, 1005), -1);
}

static void a_later_deadline_replaces_an_earlier_one(void **state)
{
    struct sks__timer t = {0};

    (void)state;
    sks__timers_arm(&timers, &t, 1005);
    sks__timers_arm(&timers, &t, 1900);
    assert_null(pop(1005));
    assert_null(pop(1899));
    assert_ptr_equal(pop(1900), &t);
}

static void an_earlier_deadline_replaces_a_later_one(void **state)
{
    struct sks__timer t = {0};

    (void)state;
    sks__timers_arm(&timers, &t, 1900);
    sks__timers_arm(&timers, &t, 1005);
    assert_int_equal(sks__timers_left_ms(&timers, 1000), 5);
    assert_ptr_equal(pop(1005), &t);
    assert_null(pop(5000));
}

static void arming_anew_and_cancelling_moves_nothing(void **state)
{
    struct sks__timer t = {0};
    struct sks__timer **link;

    (void)state;
    sks__timers_arm(&timers, &t, 1005);
    link = t.link;
    for (int64_t now = 1000; now < 1005; now++) {
        sks__timers_arm(&timers, &t, now + 1000);
        sks__timers_cancel(&t);
        assert_ptr_equal(t.link, link);
    }
    sks__timers_arm(&timers, &t, 2004);
    assert_null(pop(2003));
    assert_ptr_equal(pop(2004), &t);
}

/* --- many --- */

static void they_come_in_the_order_of_their_deadlines(void **state)
{
    static const int64_t delays[] = {70000, 3, 64, 4096, 1, 63, 5000, 262144};
    struct sks__timer t[8] = {{0}};
    int64_t last = 0;

    (void)state;
    for (int i = 0; i < 8; i++)
        sks__timers_arm(&timers, &t[i], 1000 + delays[i]);
    for (int i = 0; i < 8; i++) {
        struct sks__timer *timer = pop(1000000);

        assert_non_null(timer);
        assert_true(delays[timer - t] > last);
        last = delays[timer - t];
    }
    assert_null(pop(1000000));
}

static void the_due_may_be_armed_and_cancelled_and_removed(void **state)
{
    struct sks__timer t[5] = {{0}};
    struct sks__timer *first;

    (void)state;
    for (int i = 0; i < 5; i++)
        sks__timers_arm(&timers, &t[i], 1005);
    first = pop(1010);
    assert_ptr_equal(first, &t[0]);
    sks__timers_cancel(&t[1]);
    sks__timers_arm(&timers, &t[2], 1500);
    sks__timers_remove(&timers, &t[3]);
    sks__timers_arm(&timers, &t[0], 1007);
    assert_ptr_equal(pop(1010), &t[4]);
    assert_ptr_equal(pop(1010), &t[0]);
    assert_null(pop(1010));
    assert_null(pop(1499));
    assert_ptr_equal(pop(1500), &t[2]);
}

static void far_deadlines_do_not_overflow(void **state)
{
    struct sks__timer t[3] = {{0}};

    (void)state;
    sks__timers_arm(&timers, &t[0], SKS__NEVER - 1);
    sks__timers_arm(&timers, &t[1], (int64_t)INT_MAX * 1000);
    sks__timers_arm(&timers, &t[2], (INT64_C(1) << 48) - 1);
    assert_in_range(sks__timers_left_ms(&timers, 1000), 1, INT_MAX);
    assert_null(pop((int64_t)INT_MAX * 1000 - 1));
    assert_ptr_equal(pop((int64_t)INT_MAX * 1000), &t[1]);
    for (int i = 0; i < 3; i++)
        sks__timers_remove(&timers, &t[i]);
    assert_int_equal(sks__timers_left_ms(&timers, 1000), -1);
}

/* --- against a model that looks at each --- */

enum { MODEL_TIMERS = 200, MODEL_STEPS = 30000 };

struct model {
    int64_t now;
    struct sks__timer timers[MODEL_TIMERS];
    int64_t deadlines[MODEL_TIMERS]; /* SKS__NEVER: none */
};

static int64_t random_delay(void)
{
    int64_t most = INT64_C(1) << rand() % 24;

    /* Some are past. */
    return rand() % most - (rand() % 16 == 0 ? most / 2 : 0);
}

static int64_t first_deadline(const struct model *m)
{
    int64_t first = SKS__NEVER;

    for (int i = 0; i < MODEL_TIMERS; i++)
        if (m->deadlines[i] < first)
            first = m->deadlines[i];
    return first;
}

/* Changes a timer, in the queue and in the model. */
static void change_one(struct model *m)
{
    int i = rand() % MODEL_TIMERS;

    switch (rand() % 4) {
    case 0:
        sks__timers_cancel(&m->timers[i]);
        m->deadlines[i] = SKS__NEVER;
        break;
    case 1:
        sks__timers_remove(&timers, &m->timers[i]);
        m->deadlines[i] = SKS__NEVER;
        break;
    default:
        m->deadlines[i] = m->now + random_delay();
        sks__timers_arm(&timers, &m->timers[i], m->deadlines[i]);
        /* What was past when it was armed is due then. */
        if (m->deadlines[i] < m->now)
            m->deadlines[i] = m->now;
    }
}

/* Takes what is due, in order as long as nothing is changed in between. */
static void expire(struct model *m)
{
    struct sks__timer *timer;
    int64_t last = INT64_MIN;
    int changed = 0;

    while ((timer = sks__timers_pop(&timers, m->now)) != NULL) {
        ptrdiff_t i = timer - m->timers;

        assert_in_range(i, 0, MODEL_TIMERS - 1);
        assert_true(m->deadlines[i] <= m->now);
        assert_true(m->deadlines[i] >= last || changed);
        last = m->deadlines[i];
        m->deadlines[i] = SKS__NEVER;
        if (rand() % 16 == 0) {
            change_one(m);
            changed = 1;
        }
    }
    assert_true(first_deadline(m) > m->now);
}

/* Sleeps as a loop would that has other events too. */
static void advance(struct model *m)
{
    int64_t first = first_deadline(m);
    int left = sks__timers_left_ms(&timers, m->now);

    if (left < 0) {
        assert_true(first == SKS__NEVER);
        left = 100000;
    }
    assert_true(left == 0 || m->now + left <= first || first == SKS__NEVER);
    if (rand() % 2 == 0)
        m->now += left;
    else if (left > 0)
        m->now += rand() % left;
    if (rand() % 100 == 0)
        m->now += random_delay() & INT32_MAX;
}

static void every_deadline_comes_in_time(void **state)
{
    static struct model m;
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    m = (struct model){.now = rand()};
    for (int i = 0; i < MODEL_TIMERS; i++)
        m.deadlines[i] = SKS__NEVER;
    sks__timers_init(&timers, m.now);
    for (int step = 0; step < MODEL_STEPS; step++) {
        for (int n = rand() % 8; n > 0; n--)
            change_one(&m);
        advance(&m);
        expire(&m);
    }
}

/* How often the loop is woken counts, as it must not spin. */
static void a_wait_of_a_minute_wakes_the_loop_a_few_times(void **state)
{
    struct sks__timer t = {0};
    int64_t now = 1000;
    int turns = 0;

    (void)state;
    sks__timers_arm(&timers, &t, 61000);
    for (; pop(now) == NULL; turns++)
        now += sks__timers_left_ms(&timers, now);
    assert_int_equal(now, 61000);
    assert_in_range(turns, 1, SKS__TIMERS_LEVELS);
}

#define TEST(name) cmocka_unit_test_setup(name, at_thousand)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_queue_waits_for_ever),
        TEST(a_deadline_comes_when_it_is_reached_and_once),
        TEST(a_past_deadline_is_due_at_once),
        TEST(a_cancelled_deadline_does_not_come),
        TEST(a_removed_one_is_forgotten),
        TEST(a_later_deadline_replaces_an_earlier_one),
        TEST(an_earlier_deadline_replaces_a_later_one),
        TEST(arming_anew_and_cancelling_moves_nothing),
        TEST(they_come_in_the_order_of_their_deadlines),
        TEST(the_due_may_be_armed_and_cancelled_and_removed),
        TEST(far_deadlines_do_not_overflow),
        TEST(every_deadline_comes_in_time),
        TEST(a_wait_of_a_minute_wakes_the_loop_a_few_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
