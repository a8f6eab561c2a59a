/* Asking for shutdown: lib/server_shutdown.c. */
#include "unit.h"

#include "fd.h"
#include "server.h"

#include <sockserver/strategy.h>

#include <string.h>

/* How long a server waits in vain, and how often it may then look around: when
 * it is woken for nothing, and when the time is over. */
enum { WAIT_MS = 20, LOOKS = 4 };

/* What is left of a shutdown that was asked for in another thread, just as
 * serve_forever obeyed it: the wake-up is raised late. */
static void shut_down_late(sks_server *server)
{
    assert_int_equal(sks_server_bind(server), 0);
    sks_server_shutdown(server);
    assert_int_equal(sks_server_serve_forever(server), 0);
    sks__wakeup_raise(&server->stop);
}

static void expect_few_looks(void)
{
    assert_in_range(fault_calls(FAULT_POLL), 1, LOOKS);
}

static void a_server_sleeps_though_a_shutdown_woke_it_late(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    sks_server_set_timeout_ms(server, WAIT_MS);
    shut_down_late(server);
    fault_clear();
    assert_int_equal(sks_server_handle_request(server), 0);
    expect_few_looks();
    sks_server_free(server);
}

static void a_descriptor_for_other_loops_is_silent_after_that(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    sks_server_set_timeout_ms(server, 0);
    shut_down_late(server);
    /* Without epoll it is the listener's, which no shutdown makes readable. */
    if (sks_server_fileno(server) != sks_server_listener_fileno(server, 0))
        assert_int_equal(sks__fd_wait(sks_server_fileno(server), POLLIN, 0), 1);
    assert_int_equal(sks_server_handle_request(server), 0);
    assert_int_equal(sks__fd_wait(sks_server_fileno(server), POLLIN, 0), 0);
    sks_server_free(server);
}

/* --- strategies that get their requests themselves --- */

/* Waits once, and lets serving end. */
static int get_one(void *self, sks_server *server)
{
    sks_request *request;

    (void)self;
    fault_clear();
    assert_int_equal(sks_server_get_request(server, &request, WAIT_MS),
                     SKS_ETIMEDOUT);
    expect_few_looks();
    return 0;
}

static int wait_by_poll(void *self, int fd, short events, int ms)
{
    (void)self;
    return sks__fd_wait(fd, events, ms);
}

static void expect_sleep_of(int (*wait)(void *, int, short, int))
{
    const sks_strategy strategy = {.size = sizeof strategy,
                                   .name = "getting",
                                   .process_request = unit_process_none,
                                   .serve = get_one,
                                   .wait = wait};
    sks_server *server = unit_server();

    assert_int_equal(sks_server_bind(server), 0);
    server->strategy = strategy;
    sks__wakeup_raise(&server->stop);
    assert_int_equal(sks_server_serve_forever(server), 0);
    sks_server_free(server);
}

static void a_worker_that_gets_requests_sleeps_too(void **state)
{
    (void)state;
    expect_sleep_of(NULL);
    expect_sleep_of(wait_by_poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_server_sleeps_though_a_shutdown_woke_it_late),
        UNIT_TEST(a_descriptor_for_other_loops_is_silent_after_that),
        UNIT_TEST(a_worker_that_gets_requests_sleeps_too),
    };

    return cmocka_run_group_tests_name("server_shutdown", tests, NULL, NULL);
}
