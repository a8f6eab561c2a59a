/* What only a pool of threads can break; the rest is the contract's. */
#include "unit.h"
#include "unit_serving.h"
#include "support/client.h"
#include "support/leak.h"

#include <sockserver/strategy.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* What a test has beside its server. */
struct pool_test {
    sks_thread_pool_config config;
    int at_rest; /* threads of the process without the server */
    atomic_int warnings;
};

static struct pool_test test;

/* --- the server --- */

static int threads_now(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    int n = 0;

    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

/* Waits until the pool has n threads; the one that serves is none of them. */
static void expect_workers(int n)
{
    long long start = deadline_now_ms();
    int others = test.at_rest + (serving.thread.running ? 1 : 0);

    while (threads_now() != others + n)
        if (!deadline_nap(start))
            fail_msg("%d workers instead of %d", threads_now() - others, n);
}

static void count_warnings(void *arg, int level, const char *text)
{
    (void)arg, (void)text;
    if (level <= SKS_WARNING)
        atomic_fetch_add(&test.warnings, 1);
}

static void make_of(sks_server *server, unsigned max)
{
    sks_server_set_strategy(server, sks_thread_pool(), &test.config);
    sks_server_set_max_workers(server, max);
    sks_server_set_timeout_ms(server, DEADLINE_MS);
    sks_server_set_log(server, count_warnings, NULL);
    serving_bind(server);
}

static void make_with(int (*handle)(sks_request *), unsigned max)
{
    sks_handler handler = {.size = sizeof handler, .handle = handle};

    make_of(sks_tcp_server_new("127.0.0.1", 0, &handler), max);
}

static void make_udp_with(int (*handle)(sks_request *), unsigned max)
{
    sks_handler handler = {.size = sizeof handler, .handle = handle};

    make_of(sks_udp_server_new("127.0.0.1", 0, &handler), max);
}

static int begin(void **state)
{
    memset(&test, 0, sizeof test);
    test.config.size = sizeof test.config;
    test.config.min_workers = 1;
    test.at_rest = threads_now();
    return serving_begin(state);
}

#define POOL_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, begin, serving_end)

/* --- handlers and clients --- */

static int gate_handle(sks_request *request)
{
    trace_put(&serving.trace, "enter");
    if (trace_wait(&serving.trace) < 0)
        return -EIO;
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static int echo_handle(sks_request *request)
{
    char buf[256];
    ssize_t n;

    while ((n = sks_rfile_read1(sks_request_rfile(request), buf, sizeof buf)) >
           0)
        sks_wfile_write(sks_request_wfile(request), buf, (size_t)n);
    return (int)n;
}

/* Who says "hold" waits at the gate, all others are answered. */
static int choosy_handle(sks_request *request)
{
    char line[16] = "";

    sks_rfile_readline(sks_request_rfile(request), line, sizeof line);
    if (strcmp(line, "hold\n") == 0)
        return gate_handle(request);
    return sks_wfile_puts(sks_request_wfile(request), line);
}

static void ask(const char *line)
{
    int fd = serving_client(SOCK_STREAM);

    client_say(fd, line);
    client_expect(fd, line);
    client_close(fd);
}

static void bring_to_gate(int *fds, int n)
{
    for (int i = 0; i < n; i++) {
        fds[i] = serving_client(SOCK_STREAM);
        trace_expect(&serving.trace, "enter ");
    }
}

static void let_go(const int *fds, int n)
{
    trace_let(&serving.trace, n);
    for (int i = 0; i < n; i++) {
        client_expect(fds[i], "done\n");
        client_close(fds[i]);
    }
}

/* --- growing and shrinking --- */

static void the_minimum_is_there_from_the_start(void **state)
{
    (void)state;
    test.config.min_workers = 3;
    make_with(echo_handle, 5);
    serving_start();
    expect_workers(3);
    ask("hello\n");
    serving_stop();
    expect_workers(3);
}

static void a_worker_starts_when_all_others_are_busy(void **state)
{
    int fds[4];

    (void)state;
    make_with(gate_handle, 4);
    serving_start();
    expect_workers(1);
    for (int i = 0; i < 4; i++) {
        bring_to_gate(fds + i, 1);
        expect_workers(i < 3 ? i + 2 : 4);
    }
    let_go(fds, 4);
}

static void idle_workers_end_down_to_the_minimum(void **state)
{
    int fds[6];

    (void)state;
    test.config.min_workers = 2;
    test.config.keep_ms = 20;
    make_with(gate_handle, 6);
    serving_start();
    for (int i = 0; i < 3; i++) {
        bring_to_gate(fds, 6);
        expect_workers(6);
        let_go(fds, 6);
        expect_workers(2);
    }
}

static void a_worker_may_idle_for_ever(void **state)
{
    int fds[3];

    (void)state;
    test.config.keep_ms = -1;
    make_with(gate_handle, 3);
    serving_start();
    bring_to_gate(fds, 3);
    let_go(fds, 3);
    expect_workers(3);
    serving_stop();
    expect_workers(3);
}

/* --- load --- */

static void those_behind_a_slow_request_are_served(void **state)
{
    int slow[3];

    (void)state;
    make_with(choosy_handle, 4);
    serving_start();
    for (int i = 0; i < 3; i++) {
        slow[i] = serving_client(SOCK_STREAM);
        client_say(slow[i], "hold\n");
        trace_expect(&serving.trace, "enter ");
    }
    for (int i = 0; i < 100; i++)
        ask("quick\n");
    let_go(slow, 3);
}

static void who_waited_for_a_busy_pool_is_served_in_time(void **state)
{
    int held, waiting[5];

    (void)state;
    make_with(choosy_handle, 1);
    serving_start();
    held = serving_client(SOCK_STREAM);
    client_say(held, "hold\n");
    trace_expect(&serving.trace, "enter ");
    for (int i = 0; i < 5; i++) {
        waiting[i] = serving_client(SOCK_STREAM);
        client_say(waiting[i], "hello\n");
    }
    let_go(&held, 1);
    for (int i = 0; i < 5; i++) {
        client_expect(waiting[i], "hello\n");
        client_close(waiting[i]);
    }
}

static void shutdown_of_a_busy_pool_is_at_once(void **state)
{
    int fds[2], late;

    (void)state;
    make_with(gate_handle, 2);
    serving_start();
    bring_to_gate(fds, 2);
    late = serving_client(SOCK_STREAM);
    serving_stop();
    let_go(fds, 2);
    /* Who still waits in the queue is served by the next serve_forever. */
    serving_start();
    let_go(&late, 1);
    trace_expect(&serving.trace, "enter ");
}

/* Connects until the server is gone. */
static void *storm(void *arg)
{
    atomic_int *over = arg;

    while (!atomic_load(over)) {
        int fd = __real_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (struct sockaddr *)&serving.address,
                    sizeof serving.address) == 0)
            __real_send(fd, "hello\n", 6, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void a_storm_of_clients_does_not_keep_it_from_stopping(void **state)
{
    pthread_t clients[3];
    atomic_int over = 0;

    (void)state;
    make_with(choosy_handle, 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(__real_pthread_create(&clients[i], NULL, storm, &over),
                         0);
    for (int i = 0; i < 30; i++) {
        serving_start();
        ask("hello\n");
        serving_stop();
    }
    atomic_store(&over, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(clients[i], NULL);
    assert_int_equal(sks_server_close(serving.server), 0);
}

/* --- packets --- */

static int new_packet_client(void)
{
    return client_connect(SOCK_DGRAM, (struct sockaddr *)&serving.address,
                          sizeof serving.address);
}

/* Packets that wait together when serving begins, so that they are taken
 * together: n of them, and as many replies. */
static void exchange_at_once(int client, const char *line, int n)
{
    for (int i = 0; i < n; i++)
        client_say(client, line);
    serving_start();
    for (int i = 0; i < n; i++)
        client_expect(client, line);
}

/* Teaches a pool that its handlers are quick. */
static void be_quick(int client)
{
    for (int i = 0; i < 3; i++) {
        exchange_at_once(client, "quick\n", 150);
        serving_stop();
    }
}

static void many_packets_at_once_are_all_answered(void **state)
{
    int client;

    (void)state;
    make_udp_with(choosy_handle, 4);
    client = new_packet_client();
    fault_clear();
    be_quick(client);
#ifndef SKS_PLAIN_POSIX
    /* Far fewer calls than packets. */
    assert_true(fault_calls(FAULT_SEND) < 300);
#endif
}

/* Handlers block among others without a word to the library. */
static void packets_behind_blocked_handlers(unsigned max, int held)
{
    int quick, slow[3];

    make_udp_with(choosy_handle, max);
    quick = new_packet_client();
    be_quick(quick);
    for (int i = 0; i < held; i++) {
        slow[i] = new_packet_client();
        client_say(quick, "hello\n");
        client_say(slow[i], "hold\n");
    }
    for (int i = 0; i < 20; i++)
        client_say(quick, "hello\n");
    serving_start();
    for (int i = 0; i < held; i++)
        trace_expect(&serving.trace, "enter ");
    for (int i = 0; i < held + 20; i++)
        client_expect(quick, "hello\n");
    trace_let(&serving.trace, held);
    for (int i = 0; i < held; i++)
        client_expect(slow[i], "done\n");
}

static void packets_behind_a_blocked_handler_go_to_others(void **state)
{
    (void)state;
    packets_behind_blocked_handlers(4, 1);
}

static void so_they_do_when_all_others_but_one_are_blocked(void **state)
{
    (void)state;
    packets_behind_blocked_handlers(4, 3);
}

/* Nobody is left to send the reply to what came before, but the watch. */
static void a_blocked_handler_holds_back_no_reply(void **state)
{
    int quick, slow;

    (void)state;
    make_udp_with(choosy_handle, 1);
    quick = new_packet_client();
    slow = new_packet_client();
    be_quick(quick);
    for (int i = 0; i < 5; i++)
        client_say(quick, "before\n");
    client_say(slow, "hold\n");
    client_say(quick, "behind\n");
    serving_start();
    trace_expect(&serving.trace, "enter ");
    for (int i = 0; i < 5; i++)
        client_expect(quick, "before\n");
    client_expect_silence(quick);
    trace_let(&serving.trace, 1);
    client_expect(slow, "done\n");
    client_expect(quick, "behind\n");
}

static int serve_observed(sks_server *server)
{
    fault_watch();
    return sks_server_serve_forever(server);
}

static void an_idle_pool_is_not_watched(void **state)
{
    long long begun = deadline_now_ms();
    int client;

    (void)state;
    make_udp_with(choosy_handle, 2);
    client = new_packet_client();
    be_quick(client);
    for (int i = 0; i < 150; i++)
        client_say(client, "hello\n");
    server_thread_start(&serving.thread, serve_observed, serving.server);
    for (int i = 0; i < 150; i++)
        client_expect(client, "hello\n");
    while (!fault_waits_for_ever())
        assert_true(deadline_nap(begun));
}

/* --- without threads --- */

static void without_more_threads_those_there_are_serve_all(void **state)
{
    int held;

    (void)state;
    test.config.min_workers = 2;
    make_with(choosy_handle, 4);
    serving_start();
    expect_workers(2);
    fault_set(FAULT_PTHREAD_CREATE, 0, FAULT_ALWAYS, EAGAIN);
    held = serving_client(SOCK_STREAM);
    client_say(held, "hold\n");
    trace_expect(&serving.trace, "enter ");
    for (int i = 0; i < 20; i++)
        ask("hello\n");
    assert_true(fault_hits(FAULT_PTHREAD_CREATE) > 1);
    assert_int_equal(atomic_load(&test.warnings), 1);
    fault_clear();
    ask("hello\n");
    expect_workers(3);
    let_go(&held, 1);
}

static void without_its_minimum_it_does_not_start(void **state)
{
    (void)state;
    test.config.min_workers = 3;
    make_with(echo_handle, 4);
    for (int i = 0; i < 3; i++) {
        fault_set(FAULT_PTHREAD_CREATE, i, 1, EAGAIN);
        assert_int_equal(sks_server_serve_forever(serving.server), -EAGAIN);
        assert_true(strlen(sks_server_error(serving.server)) > 0);
        expect_workers(0);
        fault_clear();
    }
    serving_start();
    ask("hello\n");
}

/* --- a loop of the caller's --- */

static pthread_t caller;

static int elsewhere_handle(sks_request *request)
{
    return sks_wfile_puts(sks_request_wfile(request),
                          pthread_equal(caller, pthread_self()) ? "here\n"
                                                                : "there\n");
}

static void handle_request_leaves_the_work_to_the_pool(void **state)
{
    (void)state;
    caller = pthread_self();
    make_with(elsewhere_handle, 2);
    for (int i = 0; i < 20; i++) {
        int fd = serving_client(SOCK_STREAM);

        assert_int_equal(sks_server_handle_request(serving.server), 1);
        client_expect(fd, "there\n");
        client_close(fd);
    }
}

static void handle_request_finds_a_worker_for_each(void **state)
{
    int fds[4];

    (void)state;
    make_with(gate_handle, 3);
    for (int i = 0; i < 3; i++) {
        fds[i] = serving_client(SOCK_STREAM);
        assert_int_equal(sks_server_handle_request(serving.server), 1);
        trace_expect(&serving.trace, "enter ");
    }
    expect_workers(3);
    fds[3] = serving_client(SOCK_STREAM);
    serving_start();
    let_go(fds, 4);
    trace_expect(&serving.trace, "enter ");
}

/* --- options --- */

static void expect_refused(unsigned size, unsigned min, int keep_ms, int rc)
{
    test.config = (sks_thread_pool_config){size, min, keep_ms};
    make_with(echo_handle, 4);
    assert_int_equal(sks_server_serve_forever(serving.server), rc);
    sks_server_free(serving.server);
    serving.server = NULL;
}

static void a_config_that_makes_no_sense_is_refused(void **state)
{
    unsigned size = sizeof test.config;

    (void)state;
    expect_refused(0, 1, 0, SKS_EVTABLE);
    expect_refused(size, 5, 0, -EINVAL);
    expect_refused(size, 1, -2, -EINVAL);
}

static void without_a_config_the_defaults_are_taken(void **state)
{
    sks_handler handler = {.size = sizeof handler, .handle = echo_handle};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, &handler);

    (void)state;
    sks_server_set_strategy(server, sks_thread_pool(), NULL);
    sks_server_set_max_workers(server, 1);
    sks_server_set_timeout_ms(server, 0);
    assert_int_equal(sks_server_handle_request(server), 0);
    expect_workers(1);
    sks_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(the_minimum_is_there_from_the_start),
        POOL_TEST(a_worker_starts_when_all_others_are_busy),
        POOL_TEST(idle_workers_end_down_to_the_minimum),
        POOL_TEST(a_worker_may_idle_for_ever),
        POOL_TEST(those_behind_a_slow_request_are_served),
        POOL_TEST(who_waited_for_a_busy_pool_is_served_in_time),
        POOL_TEST(shutdown_of_a_busy_pool_is_at_once),
        POOL_TEST(a_storm_of_clients_does_not_keep_it_from_stopping),
        POOL_TEST(many_packets_at_once_are_all_answered),
        POOL_TEST(packets_behind_a_blocked_handler_go_to_others),
        POOL_TEST(so_they_do_when_all_others_but_one_are_blocked),
        POOL_TEST(a_blocked_handler_holds_back_no_reply),
        POOL_TEST(an_idle_pool_is_not_watched),
        POOL_TEST(without_more_threads_those_there_are_serve_all),
        POOL_TEST(without_its_minimum_it_does_not_start),
        POOL_TEST(handle_request_leaves_the_work_to_the_pool),
        POOL_TEST(handle_request_finds_a_worker_for_each),
        POOL_TEST(a_config_that_makes_no_sense_is_refused),
        POOL_TEST(without_a_config_the_defaults_are_taken),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("thread-pool", tests, NULL, NULL);
}
