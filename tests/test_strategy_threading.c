/* What only threads for requests can break; the rest is the contract's. */
#include "unit.h"
#include "unit_serving.h"
#include "support/client.h"
#include "support/leak.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int warnings, errors;

static sks_threading_config config;

/* --- the server --- */

/* Says so, waits at the gate and answers. */
static int gate_handle(sks_request *request)
{
    trace_put(&serving.trace, "enter");
    if (trace_wait(&serving.trace) < 0)
        return -EIO;
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void count_warning(void *arg, int level, const char *text)
{
    (void)arg, (void)text;
    if (level <= SKS_WARNING)
        atomic_fetch_add(&warnings, 1);
}

static void count_error(void *arg, const sks_request *request, int error)
{
    (void)arg, (void)request, (void)error;
    atomic_fetch_add(&errors, 1);
}

/* Answers with the size of the stack that it runs on. */
static int stack_handle(sks_request *request)
{
    pthread_attr_t attributes;
    size_t size = 0;

    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &size);
    pthread_attr_destroy(&attributes);
    return sks_wfile_printf(sks_request_wfile(request), "%zu\n", size);
}

static int begin(void **state)
{
    config = (sks_threading_config){.size = sizeof config};
    return serving_begin(state);
}

static void make(int (*handle)(sks_request *))
{
    const sks_handler handler = {.size = sizeof handler, .handle = handle};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, &handler);

    atomic_store(&warnings, 0);
    atomic_store(&errors, 0);
    sks_server_set_strategy(server, sks_threading(), &config);
    sks_server_set_log(server, count_warning, NULL);
    sks_server_set_handle_error(server, count_error, NULL);
    serving_bind(server);
}

static void serve(void)
{
    make(gate_handle);
    serving_start();
}

#define THREADING_TEST(name)                                                   \
    cmocka_unit_test_setup_teardown(name, begin, serving_end)

/* --- clients --- */

/* One that has a thread. */
static int bring_to_gate(void)
{
    int fd = serving_client(SOCK_STREAM);

    trace_expect(&serving.trace, "enter ");
    return fd;
}

/* One more, so that so many were taken, for which no thread could be made. */
static int turn_away(unsigned long taken)
{
    int fd = serving_client(SOCK_STREAM);
    long long start = deadline_now_ms();

    while (sks_server_count(serving.server, SKS_COUNT_TAKEN) < taken ||
           fault_hits(FAULT_PTHREAD_CREATE) == 0)
        if (!deadline_nap(start))
            fail_msg("no thread was asked for");
    return fd;
}

static void expect_done(int fd)
{
    client_expect(fd, "done\n");
    client_close(fd);
}

/* --- tests --- */

static void
without_further_threads_clients_wait_for_those_there_are(void **state)
{
    enum { WAITING = 3 };
    int served, waiting[WAITING];

    (void)state;
    serve();
    served = bring_to_gate();
    fault_set(FAULT_PTHREAD_CREATE, 0, FAULT_ALWAYS, EAGAIN);
    for (int i = 0; i < WAITING; i++)
        waiting[i] = turn_away(2 + (unsigned)i);
    trace_let(&serving.trace, 1);
    expect_done(served);
    for (int i = 0; i < WAITING; i++) {
        trace_expect(&serving.trace, "enter ");
        trace_let(&serving.trace, 1);
        expect_done(waiting[i]);
    }
    assert_int_equal(errors, 0);
    serving_stop();
    assert_int_equal(warnings, 1);
}

static void who_waits_has_a_thread_once_one_can_be_made(void **state)
{
    int served, waiting;

    (void)state;
    serve();
    served = bring_to_gate();
    fault_set(FAULT_PTHREAD_CREATE, 0, 3, EAGAIN);
    waiting = turn_away(2);
    trace_expect(&serving.trace, "enter ");
    assert_int_equal(fault_hits(FAULT_PTHREAD_CREATE), 3);
    trace_let(&serving.trace, 2);
    expect_done(served);
    expect_done(waiting);
    assert_int_equal(errors, 0);
}

static void a_shutdown_loses_nobody_who_waits(void **state)
{
    int served, waiting;

    (void)state;
    serve();
    served = bring_to_gate();
    fault_set(FAULT_PTHREAD_CREATE, 0, FAULT_ALWAYS, EAGAIN);
    waiting = turn_away(2);
    serving_stop();
    trace_let(&serving.trace, 2);
    expect_done(served);
    expect_done(waiting);
    assert_int_equal(errors, 0);
}

static void a_client_fails_if_there_is_no_thread_at_all(void **state)
{
    int fd;

    (void)state;
    serve();
    fault_set(FAULT_PTHREAD_CREATE, 0, 1, EAGAIN);
    fd = serving_client(SOCK_STREAM);
    client_expect_gone(fd);
    client_close(fd);
    assert_int_equal(errors, 1);
    fd = bring_to_gate();
    trace_let(&serving.trace, 1);
    expect_done(fd);
}

/* --- stacks --- */

static void expect_stack(const char *words)
{
    int fd;

    make(stack_handle);
    serving_start();
    fd = serving_client(SOCK_STREAM);
    client_expect(fd, words);
    client_close(fd);
}

static void stacks_are_half_a_mebibyte(void **state)
{
    (void)state;
    expect_stack("524288\n");
}

static void stacks_are_as_large_as_the_config_says(void **state)
{
    (void)state;
    config.stack_size = 2 * 1024 * 1024;
    expect_stack("2097152\n");
}

static void expect_refused(size_t size, size_t stack_size, int rc)
{
    config.size = size;
    config.stack_size = stack_size;
    make(gate_handle);
    assert_int_equal(sks_server_serve_forever(serving.server), rc);
    sks_server_free(serving.server);
    serving.server = NULL;
}

static void a_config_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    expect_refused(0, 0, SKS_EVTABLE);
    expect_refused(sizeof config, 16383, -EINVAL);
    expect_refused(sizeof config, ((size_t)1 << 30) + 1, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        THREADING_TEST(
            without_further_threads_clients_wait_for_those_there_are),
        THREADING_TEST(who_waits_has_a_thread_once_one_can_be_made),
        THREADING_TEST(a_shutdown_loses_nobody_who_waits),
        THREADING_TEST(a_client_fails_if_there_is_no_thread_at_all),
        THREADING_TEST(stacks_are_half_a_mebibyte),
        THREADING_TEST(stacks_are_as_large_as_the_config_says),
        THREADING_TEST(a_config_that_makes_no_sense_is_refused),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("strategy_threading", tests, NULL, NULL);
}
