/* Sockets of each process's own. */
#include "unit.h"
#include "unit_prefork.h"
#include "support/client.h"
#include "support/leak.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* So many that each of two sockets gets some, but for one time in 2^63. */
enum { CLIENTS = 64 };

static void serve_with_own_sockets(unsigned workers)
{
    prefork_test.config.own_sockets = 1;
    prefork_serve(workers);
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
        note_process(pids, prefork_ask());
    assert_true(pids[1] != 0);
    prefork_expect_count(SKS_COUNT_WORKERS, 2);
}

/* All clients come before the kill, so that the successor answers none but
 * those who waited for the one that was killed. */
static void a_queue_waits_for_the_successor(void **state)
{
    int busy, fds[CLIENTS];
    long killed, pids[2] = {0, 0};

    (void)state;
    serve_with_own_sockets(2);
    killed = prefork_hold_up(&busy);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = prefork_say("who\n");
    kill((pid_t)killed, SIGKILL);
    client_expect_gone(busy);
    for (int i = 0; i < CLIENTS; i++) {
        long pid = prefork_answer(fds[i]);

        assert_true(pid > 0 && pid != killed);
        note_process(pids, pid);
    }
    assert_true(pids[1] != 0);
    assert_int_equal(prefork_count(SKS_COUNT_TAKEN), 1 + CLIENTS);
    assert_int_equal(prefork_count(SKS_COUNT_FAILED), 1);
}

static void one_address_is_told_of_several_sockets(void **state)
{
    (void)state;
    prefork_test.config.own_sockets = 1;
    prefork_make_over(sks_prefork(), 3);
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
    assert_true(prefork_ask() > 0);
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
    prefork_test.config.own_sockets = 1;
    prefork_make_over(sks_prefork(), 2);
    for (int i = 0; i < 16; i++) {
        int fd = prefork_say("who\n");

        assert_int_equal(sks_server_handle_request(serving.server), 1);
        assert_true(prefork_answer(fd) > 0);
    }
}

static void make_unbound(unsigned workers)
{
    sks_handler handler = {.size = sizeof handler, .handle = prefork_handle};

    prefork_test.config.own_sockets = 1;
    serving.server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_set_strategy(serving.server, sks_prefork(),
                            &prefork_test.config);
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

#define SOCKETS_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, prefork_begin, serving_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKETS_TEST(each_of_several_sockets_has_its_process),
        SOCKETS_TEST(a_queue_waits_for_the_successor),
        SOCKETS_TEST(one_address_is_told_of_several_sockets),
        SOCKETS_TEST(all_of_several_sockets_are_closed),
        SOCKETS_TEST(a_single_request_comes_from_any_socket),
        SOCKETS_TEST(no_more_sockets_than_listeners_may_be),
        SOCKETS_TEST(no_descriptors_for_several_sockets_say_so),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("prefork, sockets", tests, NULL, NULL);
}
