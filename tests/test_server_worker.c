/* A forked child that gets requests itself: lib/server_worker.c.  What many of
 * them do together is prefork's. */
#include "unit.h"
#include "support/leak.h"
#include "support/trace.h"

#include "fd.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* More than this a process waits for a purpose. */
enum { LONG_MS = 1000 };

static struct {
    sks_server *server;
    sks_worker worker;
    int leash[2];
    struct trace trace;
} test;

/* --- time that passes at once --- */

int __real_sks__fd_wait(int fd, short events, int ms);
int __wrap_sks__fd_wait(int fd, short events, int ms);

/* Tells of the time that a worker lets pass, in its child. */
int __wrap_sks__fd_wait(int fd, short events, int ms)
{
    if (fd >= 0 || (ms >= 0 && ms < LONG_MS))
        return __real_sks__fd_wait(fd, events, ms);
    trace_put(&test.trace, "%d", ms);
    return 0;
}

/* --- the server --- */

static void make(void)
{
    test.server = unit_server();
    sks_server_set_log(test.server, NULL, NULL);
}

static int begin(void **state)
{
    int rc = unit_begin(state);

    memset(&test, 0, sizeof test);
    test.worker = (sks_worker){.size = sizeof test.worker, .number = 1};
    make();
    if (__real_pipe(test.leash) != 0)
        return -1;
    test.worker.leash = test.leash[0];
    return rc != 0 ? rc : trace_open(&test.trace);
}

static void let_go(void)
{
    if (test.leash[1] >= 0)
        close(test.leash[1]);
    test.leash[1] = -1;
}

static int end(void **state)
{
    let_go();
    close(test.leash[0]);
    sks_server_free(test.server);
    trace_close(&test.trace);
    return unit_end(state);
}

/* --- in the child --- */

/* With exit status 0 if the worker returned what is expected. */
static int work(void *expected)
{
    int rc;

    let_go();
    rc = sks_server_work(test.server, &test.worker);
    return rc == *(int *)expected ? 0 : 3;
}

/* In a child, as the parent of one sees it.  Returns its exit status. */
static int run(int (*child)(void *), int expected)
{
    int status = unit_fork(child, &expected);

    sks_server_end_worker(test.server, test.worker.number, SKS_ECRASHED);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_work(int rc)
{
    assert_int_equal(run(work, rc), 0);
}

static void tell_to_end(void)
{
    assert_int_equal(__real_write(test.leash[1], "", 1), 1);
}

/* --- becoming one --- */

static void a_worker_without_a_place_is_refused(void **state)
{
    (void)state;
    assert_int_equal(sks_server_bind(test.server), 0);
    test.worker.number = 0;
    expect_work(-EINVAL);
    test.worker.number = SKS_PROCESSES_MAX + 1;
    expect_work(-EINVAL);
    test.worker.number = 1;
    test.worker.size--;
    expect_work(-EINVAL);
}

static int fail_to_start(void *self, sks_server *server, void *config)
{
    (void)self, (void)server, (void)config;
    return -EIO;
}

static void a_strategy_that_does_not_start_ends_it(void **state)
{
    static const sks_strategy strategy = {.size = sizeof strategy,
                                          .name = "failing",
                                          .start = fail_to_start,
                                          .process_request = unit_process_none};

    (void)state;
    assert_int_equal(sks_server_bind(test.server), 0);
    test.worker.strategy = &strategy;
    expect_work(-EIO);
}

static void no_thread_for_the_watch_ends_it(void **state)
{
    (void)state;
    assert_int_equal(sks_server_bind(test.server), 0);
    fault_set(FAULT_PTHREAD_CREATE, 0, FAULT_ALWAYS, EAGAIN);
    expect_work(-EAGAIN);
}

/* --- sets of listeners --- */

enum { SETS = 3, MINE = 2 };

static int listeners[SETS];

static int is_listener(int fd)
{
    int on = 0;
    socklen_t len = sizeof on;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/* In the child: which of the parent's listeners there are. */
static int serve_and_look(void *self, sks_server *server)
{
    (void)self;
    for (int i = 0; i < SETS; i++)
        if (is_listener(listeners[i]) != (i == MINE - 1))
            return -EBUSY;
    if (sks_server_listener_fileno(server, 0) != listeners[MINE - 1] ||
        sks_server_listener_fileno(server, 1) != -1)
        return -EBADF;
    return 0;
}

static unsigned three_sets(const sks_server *server, const void *config)
{
    (void)server, (void)config;
    return SETS;
}

/* The server's strategy, and that of its workers. */
static sks_strategy with_sets = {.size = sizeof with_sets,
                                 .name = "with-sets",
                                 .process_request = unit_process_none,
                                 .listener_sets = three_sets};

static void use_sets(int (*serve)(void *, sks_server *))
{
    with_sets.serve = serve;
    sks_server_set_strategy(test.server, &with_sets, NULL);
    test.worker.strategy = &with_sets;
}

static void the_listeners_of_other_workers_are_closed_in_it(void **state)
{
    (void)state;
    use_sets(serve_and_look);
    assert_int_equal(sks_server_bind(test.server), 0);
    for (size_t i = 0; i < SETS; i++) {
        listeners[i] = sks_server_listener_fileno(test.server, i);
        assert_true(is_listener(listeners[i]));
    }
    test.worker.number = MINE;
    expect_work(0);
    for (size_t i = 0; i < SETS; i++)
        assert_true(is_listener(listeners[i]));
}

/* The parent's, one of which each worker has for itself. */
static char addresses[2][80];

static int serve_and_compare(void *self, sks_server *server)
{
    (void)self;
    for (size_t i = 0; i < 2; i++) {
        const char *text = sks_server_address(server, i);

        if (text == NULL || strcmp(text, addresses[i]) != 0)
            return -EADDRNOTAVAIL;
    }
    return sks_server_address(server, 2) == NULL ? 0 : -EADDRINUSE;
}

static void each_worker_knows_all_addresses_in_their_order(void **state)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = __real_socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_return_code(__real_bind(fd, (struct sockaddr *)&any, sizeof any),
                       errno);
    use_sets(serve_and_compare);
    sks_server_add_fd(test.server, fd);
    assert_int_equal(sks_server_bind(test.server), 0);
    for (size_t i = 0; i < 2; i++)
        snprintf(addresses[i], sizeof addresses[i], "%s",
                 sks_server_address(test.server, i));
    for (test.worker.number = 1; test.worker.number <= SETS;
         test.worker.number++)
        expect_work(0);
}

/* --- ending --- */

static void it_ends_once_the_leash_is_readable(void **state)
{
    (void)state;
    assert_int_equal(sks_server_bind(test.server), 0);
    tell_to_end();
    expect_work(0);
    test.worker.strategy = sks_thread_pool();
    expect_work(0);
}

/* Waits through nothing that the library could end. */
static int serve_for_ever(void *self, sks_server *server)
{
    (void)self, (void)server;
    while (__real_poll(NULL, 0, -1) <= 0)
        continue;
    return 0;
}

/* In the child, which its parent's end leaves alone. */
static int hang(void *arg)
{
    static const sks_strategy strategy = {.size = sizeof strategy,
                                          .name = "hanging",
                                          .process_request = unit_process_none,
                                          .serve = serve_for_ever};

    test.worker.strategy = &strategy;
    return work(arg);
}

static void expect_orphan_to_wait(int drain_ms, const char *waits)
{
    sks_server_free(test.server);
    make();
    sks_server_set_drain_timeout_ms(test.server, drain_ms);
    assert_int_equal(sks_server_bind(test.server), 0);
    let_go();
    assert_int_equal(run(hang, 0), 1);
    trace_expect_rest(&test.trace, waits);
}

static void an_orphan_ends_after_the_drain_time(void **state)
{
    (void)state;
    expect_orphan_to_wait(5000, "5000 2000 ");
}

static void an_orphan_ends_though_the_drain_time_does_not(void **state)
{
    (void)state;
    expect_orphan_to_wait(-1, "10000 2000 ");
}

#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(a_worker_without_a_place_is_refused),
        WORKER_TEST(a_strategy_that_does_not_start_ends_it),
        WORKER_TEST(no_thread_for_the_watch_ends_it),
        WORKER_TEST(the_listeners_of_other_workers_are_closed_in_it),
        WORKER_TEST(each_worker_knows_all_addresses_in_their_order),
        WORKER_TEST(it_ends_once_the_leash_is_readable),
        WORKER_TEST(an_orphan_ends_after_the_drain_time),
        WORKER_TEST(an_orphan_ends_though_the_drain_time_does_not),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("server_worker", tests, NULL, NULL);
}
