#include "unit.h"

#include "wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

static int is_raised(const struct sks__wakeup *w)
{
    return deadline_poll(w->read_fd, POLLIN, 0) != 0;
}

static void it_is_readable_while_raised(void **state)
{
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    assert_false(is_raised(&w));
    sks__wakeup_raise(&w);
    assert_true(is_raised(&w));
    assert_true(is_raised(&w));
    sks__wakeup_clear(&w);
    assert_false(is_raised(&w));
    sks__wakeup_close(&w);
}

/* Also across the number of bytes that one read of a pipe takes. */
static void one_clear_is_enough_for_any_number_of_raises(void **state)
{
    static const int numbers[] = {2, 255, 256, 257, 512, 1000};
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        for (int n = 0; n < numbers[i]; n++)
            sks__wakeup_raise(&w);
        sks__wakeup_clear(&w);
        assert_false(is_raised(&w));
    }
    sks__wakeup_close(&w);
}

static void clearing_what_is_not_raised_does_not_wait(void **state)
{
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    sks__wakeup_clear(&w);
    assert_false(is_raised(&w));
    sks__wakeup_close(&w);
}

/* Fills the pipe, or counts up to the eventfd's limit. */
static void fill(const struct sks__wakeup *w)
{
    uint64_t most = UINT64_MAX - 1;

    if (w->read_fd == w->write_fd)
        assert_int_equal(__real_write(w->write_fd, &most, sizeof most),
                         sizeof most);
    else
        while (__real_write(w->write_fd, "", 1) == 1)
            continue;
}

static void raising_never_waits_and_keeps_errno(void **state)
{
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    fill(&w);
    errno = EDOM;
    sks__wakeup_raise(&w);
    assert_int_equal(errno, EDOM);
    assert_true(is_raised(&w));
    sks__wakeup_clear(&w);
    assert_false(is_raised(&w));
    sks__wakeup_close(&w);
}

static void interrupted_calls_are_made_again(void **state)
{
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    fault_interrupt(2);
    for (int i = 0; i < 4; i++) {
        sks__wakeup_raise(&w);
        assert_true(is_raised(&w));
        sks__wakeup_clear(&w);
        assert_false(is_raised(&w));
    }
    sks__wakeup_close(&w);
}

static int raise_it(void *w)
{
    sks__wakeup_raise(w);
    sks__wakeup_close(w);
    sks__wakeup_close(w);
    return 0;
}

static void a_child_process_can_raise_it(void **state)
{
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    assert_int_equal(unit_fork(raise_it, &w), 0);
    assert_true(is_raised(&w));
    sks__wakeup_close(&w);
}

static struct sks__wakeup of_handler;

static void raise_from_handler(int number)
{
    (void)number;
    sks__wakeup_raise(&of_handler);
}

static void a_signal_handler_can_raise_it(void **state)
{
    (void)state;
    assert_int_equal(sks__wakeup_open(&of_handler), 0);
    signal(SIGUSR1, raise_from_handler);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    assert_true(is_raised(&of_handler));
    sks__wakeup_close(&of_handler);
}

static void failing_to_open_leaves_it_closed(void **state)
{
    struct sks__wakeup w = {.read_fd = 0, .write_fd = 0};

    (void)state;
    fault_set(FAULT_WAKEUP, 0, 1, EMFILE);
    assert_int_equal(sks__wakeup_open(&w), -EMFILE);
    assert_int_equal(w.read_fd, -1);
    assert_int_equal(w.write_fd, -1);
    sks__wakeup_close(&w);
}

static void it_may_be_closed_again(void **state)
{
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    sks__wakeup_close(&w);
    assert_int_equal(w.read_fd, -1);
    sks__wakeup_close(&w);
}

static void no_program_inherits_it(void **state)
{
    struct sks__wakeup w;

    (void)state;
    assert_int_equal(sks__wakeup_open(&w), 0);
    assert_true(fcntl(w.read_fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(w.write_fd, F_GETFD) & FD_CLOEXEC);
    sks__wakeup_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(it_is_readable_while_raised),
        UNIT_TEST(one_clear_is_enough_for_any_number_of_raises),
        UNIT_TEST(clearing_what_is_not_raised_does_not_wait),
        UNIT_TEST(raising_never_waits_and_keeps_errno),
        UNIT_TEST(interrupted_calls_are_made_again),
        UNIT_TEST(a_child_process_can_raise_it),
        UNIT_TEST(a_signal_handler_can_raise_it),
        UNIT_TEST(failing_to_open_leaves_it_closed),
        UNIT_TEST(it_may_be_closed_again),
        UNIT_TEST(no_program_inherits_it),
    };

    return cmocka_run_group_tests_name("wakeup", tests, NULL, NULL);
}
