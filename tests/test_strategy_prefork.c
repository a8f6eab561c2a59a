/* What only processes that serve can break; the rest is the contract's. */
#include "unit.h"
#include "unit_serving.h"
#include "support/client.h"
#include "support/leak.h"

#include <sockserver/strategy.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So many that each of two sockets gets some, but for one time in 2^63. */
enum { CLIENTS = 64 };

/* What a test has beside its server. */
struct prefork_test {
    sks_prefork_config config;
    int refuses; /* every request */
};

static struct prefork_test test;

/* --- the server --- */

/* Says which process answers, and does what it is told. */
static int pid_handle(sks_request *request)
{
    sks_wfile *wfile = sks_request_wfile(request);
    char line[16] = "";

    sks_rfile_readline(sks_request_rfile(request), line, sizeof line);
    if (strcmp(line, "crash\n") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(line, "fail\n") == 0)
        return -EIO;
    if (strcmp(line, "wait\n") == 0) {
        trace_put(&serving.trace, "%ld", (long)getpid());
        trace_wait(&serving.trace);
    }
    if (strcmp(line, "twice\n") == 0) {
        sks_wfile_puts(wfile, "once\n");
        if (sks_rfile_readline(sks_request_rfile(request), line, sizeof line) <=
            0)
            return -EIO;
    }
    return sks_wfile_printf(wfile, "%ld\n", (long)getpid());
}

static void tell_error(void *arg, const sks_request *request, int error)
{
    (void)arg;
    trace_put(&serving.trace, "%s:%d",
              strchr(sks_request_client_address(request), '.') ? "known"
                                                               : "unknown",
              error);
}

static void say_nothing(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

static int refuse_all(void *arg, const sks_request *request)
{
    (void)arg, (void)request;
    return 0;
}

static void make_over(const sks_strategy *strategy, unsigned workers)
{
    sks_handler handler = {.size = sizeof handler, .handle = pid_handle};
    sks_server *server;

    server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_set_strategy(server, strategy, &test.config);
    sks_server_set_max_workers(server, workers);
    sks_server_set_log(server, say_nothing, NULL);
    sks_server_set_handle_error(server, tell_error, NULL);
    if (test.refuses)
        sks_server_set_verify_request(server, refuse_all, NULL);
    serving_bind(server);
}

static void serve(unsigned workers)
{
    make_over(sks_prefork(), workers);
    serving_start();
}

static int begin(void **state)
{
    memset(&test, 0, sizeof test);
    test.config.size = sizeof test.config;
    return serving_begin(state);
}

/* --- clients --- */

static int say(const char *line)
{
    int fd = serving_client(SOCK_STREAM);

    client_say(fd, line);
    return fd;
}

/* The process that answers, 0 if the connection is lost. */
static long answer(int fd)
{
    char text[32] = "";
    long n = client_receive_some(fd, text, sizeof text - 1);

    client_close(fd);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

static long ask(void)
{
    return answer(say("who\n"));
}

/* Holds a worker up in a request.  Returns its process. */
static long hold_up(int *fd)
{
    char word[32];

    *fd = say("wait\n");
    trace_next(&serving.trace, word, sizeof word);
    return strtol(word, NULL, 10);
}

static unsigned long count(int what)
{
    return sks_server_count(serving.server, what);
}

static void expect_count(int what, unsigned long n)
{
    long long start = deadline_now_ms();

    while (count(what) != n)
        if (!deadline_nap(start))
            fail_msg("count %d is %lu instead of %lu", what, count(what), n);
}

/* --- processes that are killed --- */

static void one_killed_while_it_idles_is_replaced(void **state)
{
    long pid, next;

    (void)state;
    serve(1);
    pid = ask();
    expect_count(SKS_COUNT_ACTIVE, 0);
    kill((pid_t)pid, SIGKILL);
    expect_count(SKS_COUNT_RESPAWNS, 1);
    next = ask();
    assert_true(next > 0 && next != pid);
    expect_count(SKS_COUNT_WORKERS, 1);
    assert_int_equal(count(SKS_COUNT_FAILED), 0);
}

static void one_killed_in_a_request_costs_its_client(void **state)
{
    char expected[32];
    int fd, other;
    long pid;

    (void)state;
    snprintf(expected, sizeof expected, "known:%d ", SKS_ECRASHED);
    serve(2);
    hold_up(&other);
    pid = hold_up(&fd);
    kill((pid_t)pid, SIGKILL);
    trace_expect(&serving.trace, expected);
    client_expect_gone(fd);
    expect_count(SKS_COUNT_ACTIVE, 1);
    assert_int_equal(count(SKS_COUNT_FAILED), 1);
    assert_true(ask() > 0);
    trace_let(&serving.trace, 1);
    assert_true(answer(other) > 0);
}

static void one_killed_while_serving_stops_delays_nothing(void **state)
{
    long pid;
    int fd;

    (void)state;
    serve(2);
    pid = hold_up(&fd);
    serving_stop();
    kill((pid_t)pid, SIGKILL);
    assert_int_equal(sks_server_close(serving.server), 0);
    client_expect_gone(fd);
}

static void one_killed_before_it_begins_is_replaced(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        serve(2);
        kill((pid_t)ask(), SIGKILL);
        assert_true(ask() > 0);
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
    make_over(sks_prefork(), 1);
    assert_int_equal(sks_server_shutdown_on_signals(serving.server), 0);
    serving_start();
    pid = hold_up(&fd);
    kill((pid_t)pid, SIGTERM);
    trace_let(&serving.trace, 1);
    assert_int_equal(answer(fd), pid);
    expect_count(SKS_COUNT_RESPAWNS, 1);
    assert_true(ask() != pid);
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
    test.config.inner = inner;
    test.config.max_failures = 3;
    serve(2);
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
    serve(1);
    assert_true(ask() > 0);
    fault_set(FAULT_FORK, 0, 3, EAGAIN);
    client_expect_gone(say("crash\n"));
    assert_true(ask() > 0);
    assert_int_equal(fault_hits(FAULT_FORK), 3);
}

/* However often: what a client can do does not end the server. */
static void crashes_in_requests_do_not_end_serving(void **state)
{
    (void)state;
    test.config.max_failures = 1;
    serve(1);
    for (int i = 0; i < 8; i++)
        client_expect_gone(say("crash\n"));
    assert_true(ask() > 0);
    expect_count(SKS_COUNT_FAILED, 8);
    assert_int_equal(count(SKS_COUNT_RESPAWNS), 8);
}

/* --- options --- */

static void a_process_is_replaced_after_its_requests(void **state)
{
    long pids[7];

    (void)state;
    test.config.max_requests = 3;
    serve(1);
    for (int i = 0; i < 7; i++)
        pids[i] = ask();
    assert_true(pids[0] == pids[2] && pids[2] != pids[3]);
    assert_true(pids[3] == pids[5] && pids[5] != pids[6]);
    assert_int_equal(count(SKS_COUNT_RESPAWNS), 2);
    assert_int_equal(count(SKS_COUNT_TAKEN), 7);
}

/* Being the last one is nothing that its client should feel. */
static void the_last_request_of_a_process_may_wait_for_its_client(void **state)
{
    (void)state;
    test.config.max_requests = 1;
    serve(1);
    for (int i = 0; i < 8; i++) {
        int fd = say("twice\n");

        client_expect(fd, "once\n");
        client_say(fd, "more\n");
        assert_true(answer(fd) > 0);
    }
}

static const sks_strategy own = {.size = sizeof own,
                                 .name = "own",
                                 .process_request = run_here};

static void the_inner_strategy_may_be_ones_own(void **state)
{
    (void)state;
    test.config.inner = &own;
    serve(2);
    assert_true(ask() > 0);
    assert_true(ask() != getpid());
}

static void a_config_of_no_size_is_refused(void **state)
{
    (void)state;
    test.config.size = 0;
    serve(1);
    assert_int_equal(serving_join(), SKS_EVTABLE);
}

/* --- sockets of their own --- */

static void serve_with_own_sockets(unsigned workers)
{
    test.config.own_sockets = 1;
    serve(workers);
}

/* Up to two that answered; 0: none yet. */
static void note_process(long pids[2], long pid)
{
    assert_true(pid > 0);
    if (pids[0] == 0)
        pids[0] = pid;
    else if (pid != pids[0])
        pids[1] = pid;
}

static void each_of_several_sockets_has_its_process(void **state)
{
    long pids[2] = {0, 0};

    (void)state;
    serve_with_own_sockets(2);
    for (int i = 0; i < 1000 && pids[1] == 0; i++)
        note_process(pids, ask());
    assert_true(pids[1] != 0);
    expect_count(SKS_COUNT_WORKERS, 2);
}

/* All clients come before the kill, so that the successor answers none but
 * those who waited for the one that was killed. */
static void a_queue_waits_for_the_successor(void **state)
{
    int busy, fds[CLIENTS];
    long killed, pids[2] = {0, 0};

    (void)state;
    serve_with_own_sockets(2);
    killed = hold_up(&busy);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = say("who\n");
    kill((pid_t)killed, SIGKILL);
    client_expect_gone(busy);
    for (int i = 0; i < CLIENTS; i++) {
        long pid = answer(fds[i]);

        assert_true(pid > 0 && pid != killed);
        note_process(pids, pid);
    }
    assert_true(pids[1] != 0);
    assert_int_equal(count(SKS_COUNT_TAKEN), 1 + CLIENTS);
    assert_int_equal(count(SKS_COUNT_FAILED), 1);
}

static void one_address_is_told_of_several_sockets(void **state)
{
    (void)state;
    test.config.own_sockets = 1;
    make_over(sks_prefork(), 3);
    assert_int_equal(sks_server_listener_sets(serving.server), 3);
    assert_non_null(sks_server_address(serving.server, 0));
    assert_null(sks_server_address(serving.server, 1));
    assert_true(sks_server_listener_fileno(serving.server, 2) >= 0);
    assert_int_equal(sks_server_listener_fileno(serving.server, 3), -1);
}

static void all_of_several_sockets_are_closed(void **state)
{
    (void)state;
    serve_with_own_sockets(3);
    assert_true(ask() > 0);
    assert_int_equal(sks_server_close(serving.server), 0);
    serving_join();
    assert_int_equal(client_try_connect(SOCK_STREAM,
                                        (struct sockaddr *)&serving.address,
                                        sizeof serving.address),
                     -ECONNREFUSED);
}

/* The parent asks the sockets of all for its single requests. */
static void a_single_request_comes_from_any_socket(void **state)
{
    (void)state;
    test.config.own_sockets = 1;
    make_over(sks_prefork(), 2);
    for (int i = 0; i < 16; i++) {
        int fd = say("who\n");

        assert_int_equal(sks_server_handle_request(serving.server), 1);
        assert_true(answer(fd) > 0);
    }
}

static void make_unbound(unsigned workers)
{
    sks_handler handler = {.size = sizeof handler, .handle = pid_handle};

    test.config.own_sockets = 1;
    serving.server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_set_strategy(serving.server, sks_prefork(), &test.config);
    sks_server_set_max_workers(serving.server, workers);
}

static void no_more_sockets_than_listeners_may_be(void **state)
{
    (void)state;
    make_unbound(65);
    assert_int_equal(sks_server_bind(serving.server), -E2BIG);
    assert_string_equal(sks_server_error(serving.server),
                        "65 sockets for each address are more than 64");
}

static void no_descriptors_for_several_sockets_say_so(void **state)
{
    (void)state;
    make_unbound(4);
    fault_set(FAULT_SOCKET, 2, 1, EMFILE);
    assert_int_equal(sks_server_bind(serving.server), -EMFILE);
    assert_non_null(strstr(sks_server_error(serving.server), " again: "));
    assert_int_equal(sks_server_bind(serving.server), 0);
}

/* --- counts --- */

static void all_processes_are_counted(void **state)
{
    int fds[2];

    (void)state;
    serve(2);
    hold_up(&fds[0]);
    hold_up(&fds[1]);
    assert_int_equal(count(SKS_COUNT_ACTIVE), 2);
    assert_int_equal(count(SKS_COUNT_WORKERS), 2);
    trace_let(&serving.trace, 2);
    assert_true(answer(fds[0]) != answer(fds[1]));
    client_expect_gone(say("fail\n"));
    expect_count(SKS_COUNT_FAILED, 1);
    expect_count(SKS_COUNT_ACTIVE, 0);
    assert_int_equal(count(SKS_COUNT_TAKEN), 3);
    serving_stop();
    sks_server_close(serving.server);
    assert_int_equal(count(SKS_COUNT_WORKERS), 0);
    assert_int_equal(count(SKS_COUNT_RESPAWNS), 0);
    assert_int_equal(sks_server_count(serving.server, 99), 0);
    assert_int_equal(sks_server_count(NULL, SKS_COUNT_TAKEN), 0);
}

static void refused_requests_are_counted(void **state)
{
    (void)state;
    test.refuses = 1;
    serve(2);
    for (int i = 0; i < 3; i++)
        client_expect_gone(serving_client(SOCK_STREAM));
    expect_count(SKS_COUNT_REFUSED, 3);
    assert_int_equal(count(SKS_COUNT_TAKEN), 3);
}

/* --- load and stopping --- */

static void a_busy_process_holds_up_nobody(void **state)
{
    long busy;
    int fd;

    (void)state;
    serve(2);
    busy = hold_up(&fd);
    for (int i = 0; i < 50; i++)
        assert_true(ask() != busy);
    trace_let(&serving.trace, 1);
    assert_int_equal(answer(fd), busy);
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

        serve(3);
        child = __real_fork();
        if (child == 0)
            storm();
        while (count(SKS_COUNT_TAKEN) < 100)
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
        make_over(sks_prefork(), 2);
        trace_put(&serving.trace, "%d", sks_server_port(serving.server));
        _exit(sks_server_serve_forever(serving.server) < 0);
    }
    trace_next(&serving.trace, port, sizeof port);
    serving_set_port(atoi(port));
    hold_up(&fd);
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
    cmocka_unit_test_setup_teardown(name, begin, serving_end)

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
        PREFORK_TEST(each_of_several_sockets_has_its_process),
        PREFORK_TEST(a_queue_waits_for_the_successor),
        PREFORK_TEST(one_address_is_told_of_several_sockets),
        PREFORK_TEST(all_of_several_sockets_are_closed),
        PREFORK_TEST(a_single_request_comes_from_any_socket),
        PREFORK_TEST(no_more_sockets_than_listeners_may_be),
        PREFORK_TEST(no_descriptors_for_several_sockets_say_so),
        PREFORK_TEST(all_processes_are_counted),
        PREFORK_TEST(refused_requests_are_counted),
        PREFORK_TEST(a_busy_process_holds_up_nobody),
        PREFORK_TEST(serving_stops_in_a_storm_of_clients),
        PREFORK_TEST(nobody_serves_when_the_parent_is_killed),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("prefork", tests, NULL, NULL);
}
