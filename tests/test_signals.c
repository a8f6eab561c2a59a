/* Each test plays in a forked child, since signals are of a whole process and
 * may end it: CHECK() is for there. */
#include "unit.h"

#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Ends the child's part with the line that failed. */
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,         \
                    #condition);                                               \
            return 1;                                                          \
        }                                                                      \
    } while (0)

static sks_server *server_new(void)
{
    return sks_tcp_server_new("127.0.0.1", 0, unit_handler());
}

static void expect_success(int (*play)(void *), void *arg)
{
    assert_int_equal(unit_fork(play, arg), 0);
}

static void expect_death(int (*play)(void *), void *arg, int by)
{
    int status = unit_fork(play, arg);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), by);
}

/* --- asking --- */

static int ask_once(void *arg)
{
    sks_server *server = server_new();

    CHECK(sks_server_shutdown_on_signals(server) == 0);
    CHECK(!sks_server_stopping(server));
    errno = EDOM;
    raise(*(int *)arg);
    CHECK(errno == EDOM);
    CHECK(sks_server_stopping(server));
    CHECK(sks_server_serve_forever(server) == 0);
    sks_server_free(server);
    return 0;
}

static void either_signal_asks_for_shutdown(void **state)
{
    int interrupt = SIGINT, terminate = SIGTERM;

    (void)state;
    expect_success(ask_once, &interrupt);
    expect_success(ask_once, &terminate);
}

static int ask_twice(void *arg)
{
    const int *signals = arg;
    sks_server *server = server_new();

    CHECK(sks_server_shutdown_on_signals(server) == 0);
    raise(signals[0]);
    CHECK(sks_server_stopping(server));
    raise(signals[1]);
    return 2;
}

static void a_second_signal_ends_the_process(void **state)
{
    int signals[][2] = {{SIGINT, SIGINT},
                        {SIGINT, SIGTERM},
                        {SIGTERM, SIGINT},
                        {SIGTERM, SIGTERM}};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        expect_death(ask_twice, signals[i], signals[i][1]);
}

static int ask_for_several(void *arg)
{
    sks_server *a = server_new(), *b = server_new(), *other = server_new();

    (void)arg;
    CHECK(sks_server_shutdown_on_signals(a) == 0);
    CHECK(sks_server_shutdown_on_signals(b) == 0);
    raise(SIGTERM);
    CHECK(sks_server_stopping(a));
    CHECK(sks_server_stopping(b));
    CHECK(!sks_server_stopping(other));
    sks_server_free(a);
    sks_server_free(b);
    sks_server_free(other);
    return 0;
}

static void each_server_that_asked_is_shut_down_and_no_other(void **state)
{
    (void)state;
    expect_success(ask_for_several, NULL);
}

static int ask_for_too_many(void *arg)
{
    sks_server *servers[17];

    (void)arg;
    for (int i = 0; i < 17; i++)
        servers[i] = server_new();
    for (int i = 0; i < 16; i++)
        CHECK(sks_server_shutdown_on_signals(servers[i]) == 0);
    CHECK(sks_server_shutdown_on_signals(servers[16]) == -ENOSPC);
    CHECK(strcmp(sks_server_error(servers[16]),
                 "too many servers ask for signals") == 0);
    CHECK(sks_server_shutdown_on_signals(servers[3]) == 0);
    sks_server_free(servers[3]);
    CHECK(sks_server_shutdown_on_signals(servers[16]) == 0);
    raise(SIGINT);
    CHECK(sks_server_stopping(servers[16]));
    CHECK(sks_server_stopping(servers[0]));
    for (int i = 0; i < 17; i++)
        if (i != 3)
            sks_server_free(servers[i]);
    return 0;
}

static void sixteen_servers_may_ask(void **state)
{
    (void)state;
    expect_success(ask_for_too_many, NULL);
}

static void no_server_asks_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(sks_server_shutdown_on_signals(NULL), -ENOMEM);
}

/* --- dispositions --- */

static volatile sig_atomic_t counted;

static void count(int signal)
{
    (void)signal;
    counted++;
}

static int ask_and_free(void *arg)
{
    struct sigaction before = {.sa_handler = count, .sa_flags = SA_NODEFER};
    struct sigaction after;
    sks_server *a = server_new(), *b = server_new();

    sigaction(SIGINT, &before, NULL);
    signal(SIGTERM, SIG_IGN);
    CHECK(sks_server_shutdown_on_signals(a) == 0);
    CHECK(sks_server_shutdown_on_signals(b) == 0);
    CHECK(sks_server_shutdown_on_signals(a) == 0);
    if (arg != NULL)
        raise(SIGTERM);
    sks_server_free(a);
    if (arg == NULL)
        raise(SIGINT);
    CHECK(counted == 0);
    CHECK(sks_server_stopping(b));
    sks_server_free(b);
    sigaction(SIGINT, NULL, &after);
    CHECK(after.sa_handler == count && (after.sa_flags & SA_NODEFER));
    raise(SIGINT);
    raise(SIGTERM);
    CHECK(counted == 1);
    return 0;
}

static void
the_earlier_dispositions_come_back_with_the_last_server(void **state)
{
    int after_a_signal = 1;

    (void)state;
    expect_success(ask_and_free, NULL);
    expect_success(ask_and_free, &after_a_signal);
}

static int do_not_ask(void *arg)
{
    sks_server *server = server_new();

    (void)arg;
    sks_server_bind(server);
    raise(SIGTERM);
    return 2;
}

static void who_did_not_ask_is_ended(void **state)
{
    (void)state;
    expect_death(do_not_ask, NULL, SIGTERM);
}

static int ask_again_after_free(void *arg)
{
    sks_server *server = server_new();

    (void)arg;
    CHECK(sks_server_shutdown_on_signals(server) == 0);
    raise(SIGINT);
    sks_server_free(server);
    server = server_new();
    CHECK(sks_server_shutdown_on_signals(server) == 0);
    raise(SIGINT);
    CHECK(sks_server_stopping(server));
    sks_server_free(server);
    return 0;
}

static void a_later_server_may_ask_again(void **state)
{
    (void)state;
    expect_success(ask_again_after_free, NULL);
}

/* --- forked children --- */

static int be_signalled_detached(void *arg)
{
    sks_server *server = arg;

    sks_server_detach(server, NULL);
    raise(SIGINT);
    CHECK(sks_server_stopping(server));
    return 0;
}

static int fork_detached(void *arg)
{
    sks_server *server = server_new();

    (void)arg;
    CHECK(sks_server_bind(server) == 0);
    CHECK(sks_server_shutdown_on_signals(server) == 0);
    CHECK(unit_fork(be_signalled_detached, server) == 0);
    CHECK(!sks_server_stopping(server));
    raise(SIGINT);
    CHECK(sks_server_stopping(server));
    sks_server_free(server);
    return 0;
}

/* A terminal signals the children too: that is no word to the parent. */
static void a_signal_to_a_child_is_for_the_child_alone(void **state)
{
    (void)state;
    expect_success(fork_detached, NULL);
}

static int free_and_be_signalled(void *arg)
{
    sks_server_free(arg);
    raise(SIGTERM);
    return 2;
}

static int fork_and_free(void *arg)
{
    sks_server *server = server_new();
    int status;

    (void)arg;
    CHECK(sks_server_bind(server) == 0);
    CHECK(sks_server_shutdown_on_signals(server) == 0);
    status = unit_fork(free_and_be_signalled, server);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK(!sks_server_stopping(server));
    sks_server_free(server);
    return 0;
}

static void a_child_that_freed_its_copy_is_as_it_was_before(void **state)
{
    (void)state;
    expect_success(fork_and_free, NULL);
}

static int close_ask_and_free(void *arg)
{
    sks_server *server = server_new();

    (void)arg;
    CHECK(sks_server_close(server) == 0);
    sks_server_shutdown_on_signals(server);
    sks_server_free(server);
    raise(SIGTERM);
    return 2;
}

static void a_closed_server_that_asks_is_forgotten_too(void **state)
{
    (void)state;
    expect_death(close_ask_and_free, NULL, SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(either_signal_asks_for_shutdown),
        UNIT_TEST(a_second_signal_ends_the_process),
        UNIT_TEST(each_server_that_asked_is_shut_down_and_no_other),
        UNIT_TEST(sixteen_servers_may_ask),
        UNIT_TEST(no_server_asks_for_nothing),
        UNIT_TEST(the_earlier_dispositions_come_back_with_the_last_server),
        UNIT_TEST(who_did_not_ask_is_ended),
        UNIT_TEST(a_later_server_may_ask_again),
        UNIT_TEST(a_signal_to_a_child_is_for_the_child_alone),
        UNIT_TEST(a_child_that_freed_its_copy_is_as_it_was_before),
        UNIT_TEST(a_closed_server_that_asks_is_forgotten_too),
    };

    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
