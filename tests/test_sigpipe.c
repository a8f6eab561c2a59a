#include "unit.h"

#include "sigpipe.h"

#include <errno.h>
#include <signal.h>

static int is_pending(int signal)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, signal);
}

static int is_blocked(int signal)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, signal);
}

static void block_pipes(int how)
{
    sigset_t only;

    sigemptyset(&only);
    sigaddset(&only, SIGPIPE);
    pthread_sigmask(how, &only, NULL);
}

/* What lib/sigpipe.c is for: writes to a pipe that nobody reads.  `raised` is
 * what the caller says of it. */
static void write_to_nobody(int raised)
{
    struct sks__sigpipe held;
    int ends[2];

    assert_return_code(__real_pipe(ends), errno);
    close(ends[0]);
    sks__sigpipe_hold(&held);
    assert_int_equal(__real_write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    assert_true(is_pending(SIGPIPE));
    sks__sigpipe_release(&held, raised);
    close(ends[1]);
}

static void no_signal_is_left_behind(void **state)
{
    (void)state;
    unit_count_pipes();
    write_to_nobody(1);
    assert_false(is_pending(SIGPIPE));
    assert_false(is_blocked(SIGPIPE));
    assert_int_equal(unit_pipes(), 0);
}

static void a_caller_that_blocks_the_signal_keeps_it_blocked(void **state)
{
    (void)state;
    unit_count_pipes();
    block_pipes(SIG_BLOCK);
    write_to_nobody(1);
    assert_false(is_pending(SIGPIPE));
    assert_true(is_blocked(SIGPIPE));
    block_pipes(SIG_UNBLOCK);
    assert_int_equal(unit_pipes(), 0);
}

static void a_signal_that_was_pending_before_stays(void **state)
{
    (void)state;
    unit_count_pipes();
    block_pipes(SIG_BLOCK);
    pthread_kill(pthread_self(), SIGPIPE);
    assert_true(is_pending(SIGPIPE));
    write_to_nobody(1);
    assert_true(is_pending(SIGPIPE));
    assert_int_equal(unit_pipes(), 0);
    block_pipes(SIG_UNBLOCK);
    assert_int_equal(unit_pipes(), 1);
}

static void a_signal_of_somebody_else_is_not_taken(void **state)
{
    (void)state;
    unit_count_pipes();
    write_to_nobody(0);
    assert_false(is_blocked(SIGPIPE));
    assert_int_equal(unit_pipes(), 1);
}

/* It may have been raised, and was not: where it is ignored, for one. */
static void what_was_not_raised_is_not_waited_for(void **state)
{
    struct sks__sigpipe held;

    (void)state;
    unit_count_pipes();
    sks__sigpipe_hold(&held);
    assert_true(is_blocked(SIGPIPE));
    sks__sigpipe_release(&held, 1);
    assert_false(is_blocked(SIGPIPE));
    assert_int_equal(unit_pipes(), 0);
}

static void other_signals_stay_as_they_are(void **state)
{
    struct sks__sigpipe held;

    (void)state;
    sks__sigpipe_hold(&held);
    assert_false(is_blocked(SIGTERM));
    assert_false(is_blocked(SIGINT));
    sks__sigpipe_release(&held, 0);
    assert_false(is_blocked(SIGTERM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(no_signal_is_left_behind),
        UNIT_TEST(a_caller_that_blocks_the_signal_keeps_it_blocked),
        UNIT_TEST(a_signal_that_was_pending_before_stays),
        UNIT_TEST(a_signal_of_somebody_else_is_not_taken),
        UNIT_TEST(what_was_not_raised_is_not_waited_for),
        UNIT_TEST(other_signals_stay_as_they_are),
    };

    return cmocka_run_group_tests_name("sigpipe", tests, NULL, NULL);
}
