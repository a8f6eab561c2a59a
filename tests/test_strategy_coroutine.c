/* What only coroutines can break; the rest is the contract's. */
#include "unit.h"
#include "unit_serving.h"
#include "support/client.h"
#include "support/leak.h"

#include <sockserver/strategy.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

/* What a test has beside its server. */
static struct {
    sks_coroutine_config config;
    atomic_int running, most;
} test;

static int begin(void **state)
{
    memset(&test, 0, sizeof test);
    test.config.size = sizeof test.config;
    return serving_begin(state);
}

/* Binds a server of one thread. */
static void make(int type, int (*handle)(sks_request *))
{
    sks_handler handler = {.size = sizeof handler, .handle = handle};
    sks_server *server = type == SOCK_STREAM
                             ? sks_tcp_server_new("127.0.0.1", 0, &handler)
                             : sks_udp_server_new("127.0.0.1", 0, &handler);

    sks_server_set_strategy(server, sks_coroutine(), &test.config);
    sks_server_set_max_workers(server, 1);
    serving_bind(server);
}

static void serve(int type, int (*handle)(sks_request *))
{
    make(type, handle);
    serving_start();
}

/* --- packets --- */

/* Waits at the gate without holding up the thread. */
static int gate_handle(sks_request *request)
{
    int now = atomic_fetch_add(&test.running, 1) + 1;
    char byte;

    if (now > atomic_load(&test.most))
        atomic_store(&test.most, now);
    trace_put(&serving.trace, "enter");
    do {
        if (sks_request_wait(request, serving.trace.gate[0], POLLIN, -1) < 0)
            return -EIO;
    } while (__real_read(serving.trace.gate[0], &byte, 1) != 1);
    atomic_fetch_sub(&test.running, 1);
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

enum { PACKETS = 7, LIMIT = 3 };

static void no_more_packets_than_the_limit_are_under_way(void **state)
{
    int fds[PACKETS];

    (void)state;
    test.config.max_packets = LIMIT;
    serve(SOCK_DGRAM, gate_handle);
    for (int i = 0; i < PACKETS; i++) {
        fds[i] = serving_client(SOCK_DGRAM);
        client_say(fds[i], "x");
    }
    trace_expect(&serving.trace, "enter enter enter ");
    for (int i = LIMIT; i < PACKETS; i++) {
        trace_let(&serving.trace, 1);
        trace_expect(&serving.trace, "enter ");
    }
    trace_let(&serving.trace, LIMIT);
    for (int i = 0; i < PACKETS; i++)
        client_expect(fds[i], "done\n");
    assert_int_equal(atomic_load(&test.most), LIMIT);
}

enum { TOO_MANY = 500, PACKET_SIZE = 1000 };

/* How many of the client's packets were answered, once others are served. */
static int count_answers(int fd)
{
    long long begun = deadline_now_ms();
    int late = serving_client(SOCK_DGRAM), n = 0;

    while (client_waiting(late) < 0) {
        client_say(late, "x");
        assert_true(deadline_nap(begun));
    }
    for (; client_waiting(fd) >= 0; n++)
        client_expect(fd, "done\n");
    return n;
}

/* The limit is not passed on to the socket's queue. */
static void packets_beyond_the_limit_and_the_queue_are_lost(void **state)
{
    static const char packet[PACKET_SIZE];
    int fd, n, least = 1;

    (void)state;
    test.config.max_packets = 1;
    make(SOCK_DGRAM, gate_handle);
    setsockopt(sks_server_listener_fileno(serving.server, 0), SOL_SOCKET,
               SO_RCVBUF, &least, sizeof least);
    serving_start();
    fd = serving_client(SOCK_DGRAM);
    client_say(fd, "x");
    trace_expect(&serving.trace, "enter ");
    for (int i = 0; i < TOO_MANY; i++)
        client_send(fd, packet, sizeof packet);
    trace_let(&serving.trace, 2 * TOO_MANY);
    n = count_answers(fd);
    assert_in_range(n, 2, TOO_MANY / 2);
    assert_int_equal(atomic_load(&test.most), 1);
}

/* Half of them answer at once, half after a wait. */
static int some_wait_handle(sks_request *request)
{
    size_t n;
    const char *packet = sks_request_packet(request, &n);

    if (packet[0] % 2 == 0)
        sks_request_wait(request, -1, 0, 1);
    return sks_wfile_write(sks_request_wfile(request), packet, n);
}

static void each_client_of_a_batch_gets_its_own_reply(void **state)
{
    enum { CLIENTS = 40 };
    int fds[CLIENTS];
    char text[2] = "";

    (void)state;
    make(SOCK_DGRAM, some_wait_handle);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = serving_client(SOCK_DGRAM);
        text[0] = (char)('0' + i);
        client_say(fds[i], text);
    }
    serving_start();
    for (int i = 0; i < CLIENTS; i++) {
        text[0] = (char)('0' + i);
        client_expect(fds[i], text);
    }
}

static int echo_packet(sks_request *request)
{
    size_t n;
    const char *packet = sks_request_packet(request, &n);

    return sks_wfile_write(sks_request_wfile(request), packet, n);
}

/* A busy worker leaves the socket's queue of those who wait, and comes back. */
static void packets_are_answered_in_storms_and_one_by_one(void **state)
{
    enum { STORMS = 3, MANY = 150, FEW = 5 };
    int fd;

    (void)state;
    serve(SOCK_DGRAM, echo_packet);
    fd = serving_client(SOCK_DGRAM);
    for (int i = 0; i < STORMS; i++) {
        for (int n = 0; n < MANY; n++)
            client_say(fd, "storm");
        for (int n = 0; n < MANY; n++)
            client_expect(fd, "storm");
        for (int n = 0; n < FEW; n++) {
            client_say(fd, "calm");
            client_expect(fd, "calm");
        }
    }
}

/* --- stacks --- */

static int large_handle(sks_request *request)
{
    volatile char room[512 * 1024];

    for (size_t i = sizeof room; i > 0; i -= 1024)
        room[i - 1] = (char)i;
    return sks_wfile_puts(sks_request_wfile(request),
                          room[1023] == 0 ? "done\n" : "what\n");
}

static void stacks_are_as_large_as_the_config_says(void **state)
{
    int fd;

    (void)state;
    test.config.stack_size = 1024 * 1024;
    serve(SOCK_STREAM, large_handle);
    fd = serving_client(SOCK_STREAM);
    client_expect(fd, "done\n");
}

/* --- threads --- */

/* Tells at both sides of the gate what a close would say. */
static int closing_handle(sks_request *request)
{
    int before = sks_server_close(serving.server);
    int rc = gate_handle(request);

    if (before != SKS_ESTATE || sks_server_close(serving.server) != before)
        return -EIO;
    return rc;
}

static unsigned long workers(void)
{
    return sks_server_count(serving.server, SKS_COUNT_WORKERS);
}

static void one_worker_is_the_thread_that_serves(void **state)
{
    int fd;

    (void)state;
    serve(SOCK_STREAM, gate_handle);
    fd = serving_client(SOCK_STREAM);
    trace_expect(&serving.trace, "enter ");
    assert_int_equal(workers(), 0);
    trace_let(&serving.trace, 1);
    client_expect(fd, "done\n");
}

static int done_handle(sks_request *request)
{
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

enum { CLIENTS = 48 };

static void who_comes_alone_is_seldom_looked_for_in_vain(void **state)
{
    (void)state;
    serve(SOCK_STREAM, done_handle);
    fault_clear();
    for (int i = 0; i < CLIENTS; i++)
        client_expect(serving_client(SOCK_STREAM), "done\n");
    assert_in_range(fault_calls(FAULT_ACCEPT), CLIENTS, CLIENTS + CLIENTS / 3);
}

/* Also in that a request cannot close its own server. */
static void a_request_goes_on_in_a_thread_when_serving_has_ended(void **state)
{
    int fds[2];

    (void)state;
    serve(SOCK_STREAM, closing_handle);
    for (int i = 0; i < 2; i++) {
        fds[i] = serving_client(SOCK_STREAM);
        trace_expect(&serving.trace, "enter ");
    }
    serving_stop();
    assert_int_equal(workers(), 1);
    serving_start();
    trace_let(&serving.trace, 2);
    for (int i = 0; i < 2; i++)
        client_expect(fds[i], "done\n");
}

/* Reads only what came before the gate opened. */
static int late_handle(sks_request *request)
{
    char word[6];
    ssize_t n;
    int rc;

    n = sks_rfile_read(sks_request_rfile(request), word, 1);
    rc = gate_handle(request);
    if (rc < 0 || n != 1)
        return -EIO;
    n = sks_rfile_read(sks_request_rfile(request), word, 5);
    return n < 0 ? (int)n
                 : sks_wfile_write(sks_request_wfile(request), word, (size_t)n);
}

static void what_came_while_serving_is_read_afterwards(void **state)
{
    int fd;

    (void)state;
    serve(SOCK_STREAM, late_handle);
    fd = serving_client(SOCK_STREAM);
    client_say(fd, "xhello");
    trace_expect(&serving.trace, "enter ");
    serving_stop();
    trace_let(&serving.trace, 1);
    client_expect(fd, "done\nhello");
}

static void a_request_handled_alone_has_a_thread(void **state)
{
    int fd;

    (void)state;
    make(SOCK_STREAM, gate_handle);
    fd = serving_client(SOCK_STREAM);
    assert_int_equal(sks_server_handle_request(serving.server), 1);
    trace_expect(&serving.trace, "enter ");
    assert_int_equal(workers(), 1);
    trace_let(&serving.trace, 1);
    client_expect(fd, "done\n");
}

/* --- options --- */

static void expect_refused(size_t size, size_t stack_size, int rc)
{
    test.config.size = size;
    test.config.stack_size = stack_size;
    make(SOCK_STREAM, large_handle);
    assert_int_equal(sks_server_serve_forever(serving.server), rc);
    sks_server_free(serving.server);
    serving.server = NULL;
}

static void a_config_that_makes_no_sense_is_refused(void **state)
{
    size_t size = sizeof test.config;

    (void)state;
    expect_refused(0, 0, SKS_EVTABLE);
    expect_refused(size, 16383, -EINVAL);
    expect_refused(size, ((size_t)1 << 30) + 1, -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, serving_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_packets_than_the_limit_are_under_way),
        TEST(packets_beyond_the_limit_and_the_queue_are_lost),
        TEST(each_client_of_a_batch_gets_its_own_reply),
        TEST(packets_are_answered_in_storms_and_one_by_one),
        TEST(stacks_are_as_large_as_the_config_says),
        TEST(one_worker_is_the_thread_that_serves),
        TEST(who_comes_alone_is_seldom_looked_for_in_vain),
        TEST(a_request_goes_on_in_a_thread_when_serving_has_ended),
        TEST(what_came_while_serving_is_read_afterwards),
        TEST(a_request_handled_alone_has_a_thread),
        TEST(a_config_that_makes_no_sense_is_refused),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
