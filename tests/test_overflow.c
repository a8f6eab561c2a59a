/* Overflowed stacks: lib/overflow.c.  Each test plays in a forked child, which
 * dies of it. */
#include "support/instruments.h"
#include "unit.h"

#include "address.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EARLIER = 7, LATER = 8 };

/* What a child is to do. */
struct play {
    const sks_strategy *(*strategy)(void);
    sks_server *(*make)(const sks_handler *handler);
    char order;           /* to the handler */
    int asks;             /* for a report */
    void (*before)(void); /* it asks */
};

static int told[2]; /* a pipe, for reports and for what to expect of them */
static int one = 1;
static int *volatile nowhere;

static int begin(void **state)
{
    int rc = unit_begin(state);

    return rc < 0 ? rc : __real_pipe(told);
}

static int end(void **state)
{
    close(told[0]);
    close(told[1]);
    return unit_end(state);
}

/* --- a handler that faults --- */

static int overflow(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    if (one)
        frame[1] = (char)overflow(depth + 1);
    return frame[0] + frame[1];
}

static int fault_handle(sks_request *request)
{
    char order = 0;

    sks_rfile_read(sks_request_rfile(request), &order, 1);
    if (order == 'o')
        return overflow(0);
    if (order == 'n')
        return *nowhere;
    if (order == 's')
        raise(SIGSEGV);
    return 0;
}

static sks_server *tcp_new(const sks_handler *handler)
{
    return sks_tcp_server_new("127.0.0.1", 0, handler);
}

static sks_server *tcp6_new(const sks_handler *handler)
{
    return sks_tcp_server_new("::1", 0, handler);
}

static sks_server *udp_new(const sks_handler *handler)
{
    return sks_udp_server_new("127.0.0.1", 0, handler);
}

static void *serve(void *server)
{
    sks_server_serve_forever(server);
    return NULL;
}

/* Sends the order, having told the line to expect. */
static void order(const struct play *play, int port)
{
    int family = play->make == tcp6_new ? AF_INET6 : AF_INET;
    int type = play->make == udp_new ? SOCK_DGRAM : SOCK_STREAM;
    int fd = __real_socket(family, type, 0);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sks__address own;
    char text[SKS__ADDRESS_TEXT];

    in.sin_port = in6.sin6_port = htons((uint16_t)port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in6.sin6_addr = in6addr_loopback;
    if (connect(fd,
                family == AF_INET ? (struct sockaddr *)&in
                                  : (struct sockaddr *)&in6,
                family == AF_INET ? sizeof in : sizeof in6) < 0)
        _exit(1);
    if (play->asks && play->order == 'o') {
        sks__address_of_socket(&own, fd);
        sks__address_text(&own, text);
        dprintf(told[1],
                "sockserver: the request from %s overflowed its stack\n", text);
    }
    if (__real_send(fd, &play->order, 1, 0) != 1)
        _exit(1);
}

static int live_and_die(void *arg)
{
    const struct play *play = arg;
    const sks_handler handler = {.size = sizeof handler,
                                 .handle = fault_handle};
    sks_server *server = play->make(&handler);
    pthread_t thread;

    if (play->before != NULL)
        play->before();
    sks_server_set_strategy(server, play->strategy(), NULL);
    if (play->asks && sks_server_report_stack_overflow(server, told[1]) != 0)
        return 1;
    if (sks_server_bind(server) != 0 ||
        pthread_create(&thread, NULL, serve, server) != 0)
        return 1;
    order(play, sks_server_port(server));
    pthread_join(thread, NULL);
    return 1;
}

/* Takes what was told: n equal lines. */
static void expect_lines(int n)
{
    char lines[512] = "";
    ssize_t len;

    close(told[1]);
    len = __real_read(told[0], lines, sizeof lines - 1);
    told[1] = -1;
    assert_true(len >= 0);
    lines[len] = '\0';
    if (n == 0) {
        assert_string_equal(lines, "");
        return;
    }
    assert_int_equal(len % n, 0);
    for (int i = 1; i < n; i++)
        assert_memory_equal(lines, lines + i * (len / n), (size_t)(len / n));
    assert_memory_equal(lines, "sockserver: ", 12);
}

/* A sanitizer makes its own end of it. */
static void expect_death(int status)
{
    if (SANITIZED)
        return;
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

/* --- tests --- */

static void an_overflow_is_told_with_its_client(void **state)
{
    struct play play = {sks_coroutine, tcp_new, 'o', 1, NULL};

    (void)state;
    expect_death(unit_fork(live_and_die, &play));
    expect_lines(2);
}

static void so_is_that_of_a_packet(void **state)
{
    struct play play = {sks_coroutine, udp_new, 'o', 1, NULL};

    (void)state;
    expect_death(unit_fork(live_and_die, &play));
    expect_lines(2);
}

static void so_is_that_of_an_ipv6_client(void **state)
{
    struct play play = {sks_coroutine, tcp6_new, 'o', 1, NULL};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_addr = in6addr_loopback};
    int none = __real_bind(fd, (struct sockaddr *)&in6, sizeof in6) < 0;

    (void)state;
    close(fd);
    if (none)
        skip();
    expect_death(unit_fork(live_and_die, &play));
    expect_lines(2);
}

static void who_did_not_ask_is_told_nothing(void **state)
{
    struct play play = {sks_coroutine, tcp_new, 'o', 0, NULL};

    (void)state;
    expect_death(unit_fork(live_and_die, &play));
    expect_lines(0);
}

static void other_faults_are_not_told(void **state)
{
    struct play null = {sks_coroutine, tcp_new, 'n', 1, NULL};
    struct play sent = {sks_coroutine, tcp_new, 's', 1, NULL};

    (void)state;
    expect_death(unit_fork(live_and_die, &null));
    expect_death(unit_fork(live_and_die, &sent));
    expect_lines(0);
}

static void a_strategy_without_stacks_of_its_own_tells_nothing(void **state)
{
    struct play play = {sks_threading, tcp_new, 'n', 1, NULL};

    (void)state;
    expect_death(unit_fork(live_and_die, &play));
    expect_lines(0);
}

static void exit_earlier(int signal)
{
    (void)signal;
    _exit(EARLIER);
}

static void exit_later(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    _exit(info->si_addr != NULL ? LATER : 1);
}

static void set_earlier(void)
{
    signal(SIGSEGV, exit_earlier);
    signal(SIGBUS, exit_earlier);
}

static void set_later(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_sigaction = exit_later;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static void what_was_set_before_is_passed_on_to(void **state)
{
    struct play plain = {sks_coroutine, tcp_new, 'o', 1, set_earlier};
    struct play with_info = {sks_coroutine, tcp_new, 'o', 1, set_later};
    struct play sent = {sks_coroutine, tcp_new, 's', 1, set_earlier};
    int status;

    (void)state;
    status = unit_fork(live_and_die, &plain);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EARLIER);
    status = unit_fork(live_and_die, &with_info);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == LATER);
    status = unit_fork(live_and_die, &sent);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EARLIER);
}

static void ignore(void)
{
    signal(SIGSEGV, SIG_IGN);
    signal(SIGBUS, SIG_IGN);
}

static void an_overflow_ends_also_who_ignores_the_signal(void **state)
{
    struct play play = {sks_coroutine, tcp_new, 'o', 1, ignore};

    (void)state;
    expect_death(unit_fork(live_and_die, &play));
    expect_lines(2);
}

static int ask_and_free(void *arg)
{
    sks_server *a = tcp_new(unit_handler()), *b = tcp_new(unit_handler());
    struct sigaction now;

    (void)arg;
    set_earlier();
    if (sks_server_report_stack_overflow(a, 2) != 0 ||
        sks_server_report_stack_overflow(b, 2) != 0 ||
        sks_server_report_stack_overflow(a, 1) != 0)
        return 1;
    sks_server_free(a);
    sigaction(SIGSEGV, NULL, &now);
    if (now.sa_handler == exit_earlier)
        return 2;
    sks_server_free(b);
    sigaction(SIGSEGV, NULL, &now);
    return now.sa_handler == exit_earlier ? 0 : 3;
}

static void the_last_one_freed_brings_back_what_was_before(void **state)
{
    (void)state;
    assert_int_equal(unit_fork(ask_and_free, NULL), 0);
}

static int ask_for_many(void *arg)
{
    sks_server *servers[17];
    int rc = 0;

    (void)arg;
    for (int i = 0; i < 17; i++) {
        servers[i] = tcp_new(unit_handler());
        rc = sks_server_report_stack_overflow(servers[i], 2);
        if (rc != (i < 16 ? 0 : -ENOSPC))
            return 1;
    }
    if (strlen(sks_server_error(servers[16])) == 0)
        return 2;
    for (int i = 0; i < 17; i++)
        sks_server_free(servers[i]);
    return 0;
}

static void there_is_room_for_sixteen_servers(void **state)
{
    (void)state;
    assert_int_equal(unit_fork(ask_for_many, NULL), 0);
    assert_int_equal(sks_server_report_stack_overflow(NULL, 2), -ENOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_overflow_is_told_with_its_client),
        TEST(so_is_that_of_a_packet),
        TEST(so_is_that_of_an_ipv6_client),
        TEST(who_did_not_ask_is_told_nothing),
        TEST(other_faults_are_not_told),
        TEST(a_strategy_without_stacks_of_its_own_tells_nothing),
        TEST(what_was_set_before_is_passed_on_to),
        TEST(an_overflow_ends_also_who_ignores_the_signal),
        TEST(the_last_one_freed_brings_back_what_was_before),
        TEST(there_is_room_for_sixteen_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
