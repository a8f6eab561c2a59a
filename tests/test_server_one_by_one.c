/* A worker's loop without a strategy: lib/server_one_by_one.c. */
#include "unit.h"
#include "support/client.h"
#include "support/leak.h"
#include "support/serverthread.h"

#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct {
    sks_server *server;
    struct server_thread serving;
    struct sockaddr_in addresses[2];
} test;

static int echo_line(sks_request *request)
{
    char line[32];

    if (sks_rfile_readline(sks_request_rfile(request), line, sizeof line) <= 0)
        return 0;
    return sks_wfile_puts(sks_request_wfile(request), line);
}

static void say_nothing(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

static void set_address(size_t i)
{
    const struct sks__listener *l = &test.server->listeners[i];

    test.addresses[i] = (struct sockaddr_in){.sin_family = AF_INET};
    test.addresses[i].sin_port = htons((uint16_t)l->port);
    test.addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static int begin(void **state)
{
    const sks_handler handler = {.size = sizeof handler, .handle = echo_line};
    int rc = unit_begin(state);

    memset(&test, 0, sizeof test);
    test.server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_add_address(test.server, "127.0.0.1", 0);
    sks_server_set_log(test.server, say_nothing, NULL);
    if (rc != 0 || sks_server_bind(test.server) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++)
        set_address(i);
    return 0;
}

static int end(void **state)
{
    fault_clear();
    sks_server_shutdown(test.server);
    client_close_all();
    if (test.serving.running)
        server_thread_join(&test.serving);
    sks_server_free(test.server);
    return unit_end(state);
}

static void run(void)
{
    assert_int_equal(server_thread_start(&test.serving,
                                         sks__server_run_one_by_one,
                                         test.server),
                     0);
}

static int join(void)
{
    assert_int_equal(server_thread_join(&test.serving), 0);
    return test.serving.result;
}

static int connected(size_t i)
{
    return client_connect(SOCK_STREAM, (struct sockaddr *)&test.addresses[i],
                          sizeof test.addresses[i]);
}

static void expect_echo(int fd, const char *line)
{
    client_say(fd, line);
    client_expect(fd, line);
    client_expect_eof(fd);
    client_close(fd);
}

/* --- running --- */

static void each_listener_has_its_turn(void **state)
{
    (void)state;
    run();
    expect_echo(connected(0), "one\n");
    expect_echo(connected(1), "two\n");
    expect_echo(connected(0), "three\n");
    sks_server_shutdown(test.server);
    assert_int_equal(join(), 0);
}

static void the_next_client_waits_for_the_end_of_one(void **state)
{
    int first, second;

    (void)state;
    run();
    first = connected(0);
    client_say(first, "fir");
    second = connected(0);
    client_say(second, "second\n");
    client_say(first, "st\n");
    client_expect(first, "first\n");
    client_expect_silence(second);
    client_close(first);
    client_expect(second, "second\n");
}

/* --- what goes wrong --- */

static void a_listener_that_breaks_ends_it(void **state)
{
    (void)state;
    fault_set(FAULT_ACCEPT, 0, FAULT_ALWAYS, EINVAL);
    run();
    connected(0);
    assert_int_equal(join(), -EINVAL);
}

static void a_shortage_makes_clients_wait(void **state)
{
    int fd;

    (void)state;
    fault_set(FAULT_ACCEPT, 0, 2, EMFILE);
    run();
    fd = connected(0);
    expect_echo(fd, "late\n");
    assert_int_equal(fault_hits(FAULT_ACCEPT), 2);
}

static void a_wait_that_fails_is_tried_again(void **state)
{
    (void)state;
    fault_set(FAULT_POLL, 0, 1, ENOMEM);
    run();
    expect_echo(connected(0), "late\n");
    assert_int_equal(fault_hits(FAULT_POLL), 1);
}

static void it_ends_at_once_if_it_was_told_before(void **state)
{
    (void)state;
    sks_server_shutdown(test.server);
    assert_int_equal(sks__server_run_one_by_one(test.server), 0);
}

static void without_memory_it_does_not_begin(void **state)
{
    (void)state;
    fault_set(FAULT_MALLOC, 0, FAULT_ALWAYS, ENOMEM);
    assert_int_equal(sks__server_run_one_by_one(test.server), -ENOMEM);
}

static void without_a_poller_it_does_not_begin(void **state)
{
    (void)state;
#ifndef SKS_PLAIN_POSIX
    for (int skip = 0; skip < 4; skip++) {
        fault_set(FAULT_EPOLL, skip, 1, ENOSPC);
        assert_int_equal(sks__server_run_one_by_one(test.server), -ENOSPC);
    }
#else
    skip();
#endif
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(each_listener_has_its_turn),
        LOOP_TEST(the_next_client_waits_for_the_end_of_one),
        LOOP_TEST(a_listener_that_breaks_ends_it),
        LOOP_TEST(a_shortage_makes_clients_wait),
        LOOP_TEST(a_wait_that_fails_is_tried_again),
        LOOP_TEST(it_ends_at_once_if_it_was_told_before),
        LOOP_TEST(without_memory_it_does_not_begin),
        LOOP_TEST(without_a_poller_it_does_not_begin),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("server_one_by_one", tests, NULL, NULL);
}
