/* What only processes that serve can break; the rest is the contract's. */
#include "unit.h"
#include "unit_prefork.h"
#include "support/client.h"
#include "support/leak.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- processes that are killed --- */

static void one_killed_while_it_idles_is_replaced(void **state)
{
    long pid, next;

    (void)state;
    prefork_serve(1);
    pid = prefork_ask();
    prefork_expect_count(SKS_COUNT_ACTIVE, 0);
    kill((pid_t)pid, SIGKILL);
    prefork_expect_count(SKS_COUNT_RESPAWNS, 1);
    next = prefork_ask();
    assert_true(next > 0 && next != pid);
    prefork_expect_count(SKS_COUNT_WORKERS, 1);
    assert_int_equal(prefork_count(SKS_COUNT_FAILED), 0);
}

static void one_killed_in_a_request_costs_its_client(void **state)
{
    char expected[32];
    int fd, other;
    long pid;

    (void)state;
    snprintf(expected, sizeof expected, "known:%d ", SKS_ECRASHED);
    prefork_serve(2);
    prefork_hold_up(&other);
    pid = prefork_hold_up(&fd);
    kill((pid_t)pid, SIGKILL);
    trace_expect(&serving.trace, expected);
    client_expect_gone(fd);
    prefork_expect_count(SKS_COUNT_ACTIVE, 1);
    assert_int_equal(prefork_count(SKS_COUNT_FAILED), 1);
    assert_true(prefork_ask() > 0);
    trace_let(&serving.trace, 1);
    assert_true(prefork_answer(other) > 0);
}

static void one_killed_while_serving_stops_delays_nothing(void **state)
{
    long pid;
    int fd;

    (void)state;
    prefork_serve(2);
    pid = prefork_hold_up(&fd);
    serving_stop();
    kill((pid_t)pid, SIGKILL);
    assert_int_equal(sks_server_close(serving.server), 0);
    client_expect_gone(fd);
}

static void one_killed_before_it_begins_is_replaced(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        prefork_serve(2);
        kill((pid_t)prefork_ask(), SIGKILL);
        assert_true(prefork_ask() > 0);
        sks_server_free(serving.server);
        serving_join();
        serving.server = NULL;
    }
}

/* As a terminal's or an operator's signal would. */
static void one_told_to_end_finishes_its_request(void **state)
{
    int fd;
    long pid;

    (void)state;
    prefork_make_over(sks_prefork(), 1);
    assert_int_equal(sks_server_shutdown_on_signals(serving.server), 0);
    serving_start();
    pid = prefork_hold_up(&fd);
    kill((pid_t)pid, SIGTERM);
    trace_let(&serving.trace, 1);
    assert_int_equal(prefork_answer(fd), pid);
    prefork_expect_count(SKS_COUNT_RESPAWNS, 1);
    assert_true(prefork_ask() != pid);
}

/* --- processes that cannot begin --- */

static int fail_to_start(void *self, sks_server *server, void *config)
{
    (void)self, (void)server, (void)config;
    return -EIO;
}

static int die_at_start(void *self, sks_server *server, void *config)
{
    (void)self, (void)server, (void)config;
    kill(getpid(), SIGKILL);
    return 0;
}

static int run_here(void *self, sks_request *request)
{
    (void)self;
    sks_request_run(request);
    return 0;
}

static const sks_strategy failing = {.size = sizeof failing,
                                     .name = "failing",
                                     .start = fail_to_start,
                                     .process_request = run_here};
static const sks_strategy dying = {.size = sizeof dying,
                                   .name = "dying",
                                   .start = die_at_start,
                                   .process_request = run_here};

static void expect_end(const sks_strategy *inner, int error, const char *words)
{
    prefork_test.config.inner = inner;
    prefork_test.config.max_failures = 3;
    prefork_serve(2);
    assert_int_equal(serving_join(), error);
    assert_string_equal(sks_server_error(serving.server), words);
    assert_int_equal(sks_server_close(serving.server), 0);
}

static void those_that_never_begin_end_serving(void **state)
{
    (void)state;
    expect_end(&failing, SKS_ECRASHED,
               "processes end before they serve, 4 times in a row, the last "
               "with status 1");
}

static void those_that_crash_at_once_end_serving(void **state)
{
    (void)state;
    expect_end(&dying, SKS_ECRASHED,
               "processes end before they serve, 4 times in a row, the last by "
               "signal 9");
}

static void those_that_cannot_be_forked_end_serving(void **state)
{
    (void)state;
    fault_set(FAULT_FORK, 0, FAULT_ALWAYS, EAGAIN);
    expect_end(NULL, -EAGAIN,
               "cannot fork a process: not ready, or a resource limit was "
               "reached");
    assert_int_equal(fault_hits(FAULT_FORK), 4);
}

static void a_fork_that_fails_is_tried_again(void **state)
{
    (void)state;
    prefork_serve(1);
    assert_true(prefork_ask() > 0);
    fault_set(FAULT_FORK, 0, 3, EAGAIN);
    client_expect_gone(prefork_say("crash\n"));
    assert_true(prefork_ask() > 0);
    assert_int_equal(fault_hits(FAULT_FORK), 3);
}

/* However often: what a client can do does not end the server. */
static void crashes_in_requests_do_not_end_serving(void **state)
{
    (void)state;
    prefork_test.config.max_failures = 1;
    prefork_serve(1);
    for (int i = 0; i < 8; i++)
        client_expect_gone(prefork_say("crash\n"));
    assert_true(prefork_ask() > 0);
    prefork_expect_count(SKS_COUNT_FAILED, 8);
    assert_int_equal(prefork_count(SKS_COUNT_RESPAWNS), 8);
}

/* --- options --- */

static void a_process_is_replaced_after_its_requests(void **state)
{
    long pids[7];

    (void)state;
    prefork_test.config.max_requests = 3;
    prefork_serve(1);
    for (int i = 0; i < 7; i++)
        pids[i] = prefork_ask();
    assert_true(pids[0] == pids[2] && pids[2] != pids[3]);
    assert_true(pids[3] == pids[5] && pids[5] != pids[6]);
    assert_int_equal(prefork_count(SKS_COUNT_RESPAWNS), 2);
    assert_int_equal(prefork_count(SKS_COUNT_TAKEN), 7);
}

/* Being the last one is nothing that its client should feel. */
static void the_last_request_of_a_process_may_wait_for_its_client(void **state)
{
    (void)state;
    prefork_test.config.max_requests = 1;
    prefork_serve(1);
    for (int i = 0; i < 8; i++) {
        int fd = prefork_say("twice\n");

        client_expect(fd, "once\n");
        client_say(fd, "more\n");
        assert_true(prefork_answer(fd) > 0);
    }
}

static const sks_strategy own = {.size = sizeof own,
                                 .name = "own",
                                 .process_request = run_here};

static void the_inner_strategy_may_be_ones_own(void **state)
{
    (void)state;
    prefork_test.config.inner = &own;
    prefork_serve(2);
    assert_true(prefork_ask() > 0);
    assert_true(prefork_ask() != getpid());
}

static void a_config_of_no_size_is_refused(void **state)
{
    (void)state;
    prefork_test.config.size = 0;
    prefork_serve(1);
    assert_int_equal(serving_join(), SKS_EVTABLE);
}

/* --- counts --- */

static void all_processes_are_counted(void **state)
{
    int fds[2];

    (void)state;
    prefork_serve(2);
    prefork_hold_up(&fds[0]);
    prefork_hold_up(&fds[1]);
    assert_int_equal(prefork_count(SKS_COUNT_ACTIVE), 2);
    assert_int_equal(prefork_count(SKS_COUNT_WORKERS), 2);
    trace_let(&serving.trace, 2);
    assert_true(prefork_answer(fds[0]) != prefork_answer(fds[1]));
    client_expect_gone(prefork_say("fail\n"));
    prefork_expect_count(SKS_COUNT_FAILED, 1);
    prefork_expect_count(SKS_COUNT_ACTIVE, 0);
    assert_int_equal(prefork_count(SKS_COUNT_TAKEN), 3);
    serving_stop();
    sks_server_close(serving.server);
    assert_int_equal(prefork_count(SKS_COUNT_WORKERS), 0);
    assert_int_equal(prefork_count(SKS_COUNT_RESPAWNS), 0);
    assert_int_equal(sks_server_count(serving.server, 99), 0);
    assert_int_equal(sks_server_count(NULL, SKS_COUNT_TAKEN), 0);
}

static void refused_requests_are_counted(void **state)
{
    (void)state;
    prefork_test.refuses = 1;
    prefork_serve(2);
    for (int i = 0; i < 3; i++)
        client_expect_gone(serving_client(SOCK_STREAM));
    prefork_expect_count(SKS_COUNT_REFUSED, 3);
    assert_int_equal(prefork_count(SKS_COUNT_TAKEN), 3);
}

/* --- load and stopping --- */

static void a_busy_process_holds_up_nobody(void **state)
{
    long busy;
    int fd;

    (void)state;
    prefork_serve(2);
    busy = prefork_hold_up(&fd);
    for (int i = 0; i < 50; i++)
        assert_true(prefork_ask() != busy);
    trace_let(&serving.trace, 1);
    assert_int_equal(prefork_answer(fd), busy);
}

/* Connects again and again until the server is gone; with a reset each time,
 * which leaves the port free. */
static _Noreturn void storm(void)
{
    struct linger reset = {.l_onoff = 1};
    long long begun = deadline_now_ms();

    sks_server_close(serving.server); /* a copy of the listener would go on */
    while (deadline_left_ms(begun) > 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (connect(fd, (struct sockaddr *)&serving.address,
                    sizeof serving.address) < 0 &&
            errno == ECONNREFUSED)
            _exit(0);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    _exit(1);
}

static void serving_stops_in_a_storm_of_clients(void **state)
{
    int status = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        long long begun = deadline_now_ms();
        pid_t child;

        prefork_serve(3);
        child = __real_fork();
        if (child == 0)
            storm();
        while (prefork_count(SKS_COUNT_TAKEN) < 100)
            assert_true(deadline_nap(begun));
        serving_stop();
        assert_int_equal(sks_server_close(serving.server), 0);
        assert_int_equal(__real_waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        sks_server_free(serving.server);
        serving.server = NULL;
    }
}

/* --- the parent's end --- */

static void nobody_serves_when_the_parent_is_killed(void **state)
{
    long long begun = deadline_now_ms();
    char port[16], byte = 0;
    pid_t parent;
    int fd, late;

    (void)state;
    parent = __real_fork();
    if (parent == 0) {
        prefork_make_over(sks_prefork(), 2);
        trace_put(&serving.trace, "%d", sks_server_port(serving.server));
        _exit(sks_server_serve_forever(serving.server) < 0);
    }
    trace_next(&serving.trace, port, sizeof port);
    serving_set_port(atoi(port));
    prefork_hold_up(&fd);
    kill(parent, SIGKILL);
    assert_int_equal(__real_waitpid(parent, NULL, 0), parent);
    while ((late = client_try_connect(SOCK_STREAM,
                                      (struct sockaddr *)&serving.address,
                                      sizeof serving.address)) >= 0) {
        client_close(late);
        assert_true(deadline_nap(begun));
    }
    trace_let(&serving.trace, 1);
    client_receive(fd, &byte, 1);
    client_expect_gone(fd);
}

#define PREFORK_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, prefork_begin, serving_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PREFORK_TEST(one_killed_while_it_idles_is_replaced),
        PREFORK_TEST(one_killed_in_a_request_costs_its_client),
        PREFORK_TEST(one_killed_while_serving_stops_delays_nothing),
        PREFORK_TEST(one_killed_before_it_begins_is_replaced),
        PREFORK_TEST(one_told_to_end_finishes_its_request),
        PREFORK_TEST(those_that_never_begin_end_serving),
        PREFORK_TEST(those_that_crash_at_once_end_serving),
        PREFORK_TEST(those_that_cannot_be_forked_end_serving),
        PREFORK_TEST(a_fork_that_fails_is_tried_again),
        PREFORK_TEST(crashes_in_requests_do_not_end_serving),
        PREFORK_TEST(a_process_is_replaced_after_its_requests),
        PREFORK_TEST(the_last_request_of_a_process_may_wait_for_its_client),
        PREFORK_TEST(the_inner_strategy_may_be_ones_own),
        PREFORK_TEST(a_config_of_no_size_is_refused),
        PREFORK_TEST(all_processes_are_counted),
        PREFORK_TEST(refused_requests_are_counted),
        PREFORK_TEST(a_busy_process_holds_up_nobody),
        PREFORK_TEST(serving_stops_in_a_storm_of_clients),
        PREFORK_TEST(nobody_serves_when_the_parent_is_killed),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("prefork", tests, NULL, NULL);
}
