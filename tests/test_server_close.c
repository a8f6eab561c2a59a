/* Closing from several threads, and in a child: lib/server_close.c.  What
 * becomes of requests meanwhile is the contract's. */
#include "unit_serving.h"
#include "unit.h"
#include "support/client.h"
#include "support/leak.h"

#include <sockserver/strategy.h>

#include <fcntl.h>
#include <unistd.h>

/* --- several threads --- */

/* Goes on until it is told to end, and then until the gate opens. */
static int wait_at_the_gate(sks_request *request)
{
    char byte;

    trace_put(&serving.trace, "handle");
    sks_rfile_read1(sks_request_rfile(request), &byte, 1);
    trace_put(&serving.trace, "told");
    return trace_wait(&serving.trace);
}

/* Serves with a request under way. */
static void serve_a_request(void)
{
    sks_handler handler = {.size = sizeof handler, .handle = wait_at_the_gate};

    serving_bind(sks_tcp_server_new("127.0.0.1", 0, &handler));
    serving_start();
    serving_client(SOCK_STREAM);
    trace_expect(&serving.trace, "handle ");
}

static int close_it(sks_server *server)
{
    return sks_server_close(server);
}

static void start_to_close(struct server_thread *closer)
{
    assert_int_equal(server_thread_start(closer, close_it, serving.server), 0);
}

static void only_one_thread_closes_and_others_wait_for_it(void **state)
{
    struct server_thread first, second;

    (void)state;
    serve_a_request();
    start_to_close(&first);
    trace_expect(&serving.trace, "told ");
    start_to_close(&second);
    trace_let(&serving.trace, 1);
    assert_int_equal(server_thread_join(&first), 0);
    assert_int_equal(server_thread_join(&second), 0);
    assert_int_equal(first.result + second.result, SKS_ECLOSED);
    serving_join();
}

static void a_server_may_be_freed_while_another_thread_closes_it(void **state)
{
    struct server_thread closer;

    (void)state;
    serve_a_request();
    start_to_close(&closer);
    trace_expect(&serving.trace, "told ");
    trace_let(&serving.trace, 1);
    sks_server_free(serving.server);
    serving.server = NULL;
    assert_int_equal(server_thread_join(&closer), 0);
    assert_int_equal(closer.result, 0);
    serving_join();
}

/* --- a forked child --- */

static int free_copy(void *server)
{
    sks_server_free(server);
    return 0;
}

static void a_child_may_free_its_copy_though_nobody_bound_it(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    sks_server_set_timeout_ms(server, 0);
    assert_int_equal(unit_fork(free_copy, server), 0);
    assert_int_equal(sks_server_handle_request(server), 0);
    sks_server_free(server);
}

/* Another file has the number of the listener by then. */
static int detach_twice(void *arg)
{
    sks_server *server = arg;
    int listener = sks_server_listener_fileno(server, 0);

    sks_server_detach(server, NULL);
    if (fcntl(listener, F_GETFD) >= 0 || dup2(0, listener) < 0)
        return 1;
    if (sks_server_listener_fileno(server, 0) != -1 ||
        sks_server_fileno(server) != SKS_ESTATE)
        return 2;
    sks_server_detach(server, NULL);
    sks_server_close(server);
    sks_server_free(server);
    return fcntl(listener, F_GETFD) < 0 ? 3 : 0;
}

static void a_detached_copy_closes_nothing_twice(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(unit_fork(detach_twice, server), 0);
    sks_server_free(server);
}

#define SERVING_TEST(test)                                                     \
    cmocka_unit_test_setup_teardown(test, serving_begin, serving_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVING_TEST(only_one_thread_closes_and_others_wait_for_it),
        SERVING_TEST(a_server_may_be_freed_while_another_thread_closes_it),
        UNIT_TEST(a_child_may_free_its_copy_though_nobody_bound_it),
        UNIT_TEST(a_detached_copy_closes_nothing_twice),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("server_close", tests, NULL, NULL);
}
