/* What a worker waits for: lib/lookout.c over either poller. */
#include "unit.h"

#include "lookout.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* The worker's ends, and the clients': of two listeners, and the bell. */
static int near[2], far[2], bell[2];
static struct sks__lookout lookout;

static void open_pair(int type, size_t i)
{
    int fds[2];

    unit_pair(type, fds);
    near[i] = fds[0];
    far[i] = fds[1];
}

static int begin(void **state)
{
    int rc = unit_begin(state);

    open_pair(SOCK_STREAM, 0);
    open_pair(SOCK_DGRAM, 1);
    unit_pair(SOCK_STREAM, bell);
    return rc != 0 ? rc : sks__lookout_open(&lookout, bell[0], near, 2);
}

static int end(void **state)
{
    sks__lookout_close(&lookout);
    for (size_t i = 0; i < 2; i++) {
        close(near[i]);
        close(far[i]);
        close(bell[i]);
    }
    return unit_end(state);
}

static void knock(size_t i)
{
    assert_int_equal(__real_send(far[i], "x", 1, 0), 1);
}

/* What the worker does with an answer: 1 if something was there. */
static int take(size_t i)
{
    char c;
    int found = __real_recv(near[i], &c, 1, MSG_DONTWAIT) == 1;

    sks__lookout_note(&lookout, found);
    return found;
}

static int wait_for(int ms)
{
    int out = 99;

    assert_int_equal(sks__lookout_wait(&lookout, &out, ms), 0);
    return out;
}

/* Waits as long as a test lasts; what is to come must come. */
static int wait_long(void)
{
    return wait_for(10000);
}

static void what_lasts_is_told_again(void **state)
{
    (void)state;
    knock(0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wait_long(), 0);
        sks__lookout_note(&lookout, 0);
    }
    knock(1);
    assert_true(take(0));
    while (wait_long() == 0)
        assert_false(take(0));
    assert_true(take(1));
}

static void the_bell_and_the_end_of_the_time_are_told(void **state)
{
    (void)state;
    assert_int_equal(wait_for(0), SKS__LOOKOUT_NONE);
    assert_int_equal(wait_for(1), SKS__LOOKOUT_NONE);
    assert_int_equal(__real_send(bell[1], "x", 1, 0), 1);
    assert_int_equal(wait_long(), SKS__LOOKOUT_BELL);
}

static void who_found_something_looks_once_more_before_it_waits(void **state)
{
    (void)state;
    knock(0);
    assert_int_equal(wait_long(), 0);
    assert_true(take(0));
    assert_int_equal(wait_for(0), 0);
    assert_false(take(0));
    assert_int_equal(wait_for(0), SKS__LOOKOUT_NONE);
}

static void who_finds_nothing_that_way_looks_ever_more_rarely(void **state)
{
    int in_vain = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        knock(0);
        assert_int_equal(wait_long(), 0);
        assert_true(take(0));
        if (wait_for(0) == 0) {
            assert_false(take(0));
            in_vain++;
        }
    }
    assert_in_range(in_vain, 5, 20);
}

static void a_busy_listener_lets_the_other_have_its_turn(void **state)
{
    int answers = 0;

    (void)state;
    knock(0);
    assert_int_equal(wait_long(), 0);
    knock(1);
    do {
        sks__lookout_note(&lookout, 1); /* as if there were always more */
        assert_in_range(++answers, 1, 1000);
    } while (wait_long() != 1);
    assert_true(take(1));
}

/* Finds n packets in a row; once the first is found, without a wait. */
static void find_packets(int n)
{
    for (int i = 0; i < n; i++) {
        knock(1);
        assert_int_equal(wait_long(), 1);
        assert_true(take(1));
    }
}

static void a_busy_worker_has_no_entry_at_a_socket_for_packets(void **state)
{
    (void)state;
    find_packets(20);
    assert_true(lookout.listeners[1].away);
    assert_int_equal(wait_for(0), 1);
    assert_false(take(1));
    assert_int_equal(wait_for(0), SKS__LOOKOUT_NONE);
    assert_false(lookout.listeners[1].away);
    find_packets(1);
}

static void what_came_while_an_entry_was_away_is_told(void **state)
{
    (void)state;
    find_packets(1);
    sks__lookout_leave(&lookout);
    assert_true(lookout.listeners[1].away);
    assert_false(lookout.listeners[0].away);
    sks__lookout_leave(&lookout);
    find_packets(1);
}

static void an_entry_that_cannot_come_back_is_an_error(void **state)
{
    int out;

    (void)state;
#ifndef SKS_PLAIN_POSIX
    sks__lookout_leave(&lookout);
    fault_set(FAULT_EPOLL, 0, 1, ENOSPC);
    assert_int_equal(sks__lookout_wait(&lookout, &out, 0), -ENOSPC);
    knock(1);
    assert_int_equal(wait_long(), 1);
#else
    (void)out;
    skip();
#endif
}

static void without_memory_there_is_none(void **state)
{
    struct sks__lookout other;

    (void)state;
    fault_set(FAULT_MALLOC, 0, FAULT_ALWAYS, ENOMEM);
    assert_int_equal(sks__lookout_open(&other, bell[0], near, 2), -ENOMEM);
}

static void without_a_poller_there_is_none(void **state)
{
    struct sks__lookout other;

    (void)state;
#ifndef SKS_PLAIN_POSIX
    for (int skip = 0; skip < 4; skip++) {
        fault_set(FAULT_EPOLL, skip, 1, ENOSPC);
        assert_int_equal(sks__lookout_open(&other, bell[0], near, 2), -ENOSPC);
    }
#else
    (void)other;
    skip();
#endif
}

#define LOOKOUT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOKOUT_TEST(what_lasts_is_told_again),
        LOOKOUT_TEST(the_bell_and_the_end_of_the_time_are_told),
        LOOKOUT_TEST(who_found_something_looks_once_more_before_it_waits),
        LOOKOUT_TEST(who_finds_nothing_that_way_looks_ever_more_rarely),
        LOOKOUT_TEST(a_busy_listener_lets_the_other_have_its_turn),
        LOOKOUT_TEST(a_busy_worker_has_no_entry_at_a_socket_for_packets),
        LOOKOUT_TEST(what_came_while_an_entry_was_away_is_told),
        LOOKOUT_TEST(an_entry_that_cannot_come_back_is_an_error),
        LOOKOUT_TEST(without_memory_there_is_none),
        LOOKOUT_TEST(without_a_poller_there_is_none),
    };

    return cmocka_run_group_tests_name("lookout", tests, NULL, NULL);
}
