#include "unit.h"

#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- values --- */

struct int_option {
    void (*set)(sks_server *, int);
    size_t at; /* in struct sks__options */
    int least, good, worse;
    const char *words; /* of the worse one */
};

#define AT(member) offsetof(struct sks__options, member)

static const struct int_option int_options[] = {
    {sks_server_set_backlog, AT(backlog), 0, 7, -1, "backlog is below 0"},
    {sks_server_set_timeout_ms, AT(timeout_ms), -1, 7, -2,
     "timeout_ms is below -1"},
    {sks_server_set_request_timeout_ms, AT(request_timeout_ms), -1, 7, -2,
     "request_timeout_ms is below -1"},
    {sks_server_set_drain_timeout_ms, AT(drain_timeout_ms), -1, 7, -2,
     "drain_timeout_ms is below -1"},
    {sks_server_set_poll_interval_ms, AT(poll_interval_ms), -1, 7, -2,
     "poll_interval_ms is below -1"},
    {sks_server_set_defer_accept_ms, AT(defer_accept_ms), 0, 7, -1,
     "defer_accept_ms is below 0"},
};
enum { INT_OPTIONS = sizeof int_options / sizeof *int_options };

static const struct int_option switches[] = {
    {sks_server_set_reuse_address, AT(reuse_address), 0, 1, 1, NULL},
    {sks_server_set_reuse_port, AT(reuse_port), 0, 1, 1, NULL},
    {sks_server_set_block_on_close, AT(block_on_close), 0, 1, 1, NULL},
    {sks_server_set_nodelay, AT(nodelay), 0, 1, 1, NULL},
};
enum { SWITCHES = sizeof switches / sizeof *switches };

struct size_option {
    void (*set)(sks_server *, size_t);
    size_t at;
    size_t least;
    const char *too_small, *too_large;
};

static const struct size_option size_options[] = {
    {sks_server_set_max_packet_size, AT(max_packet_size), 1,
     "max_packet_size is 0", "max_packet_size is over 64 MiB"},
    {sks_server_set_rbufsize, AT(rbufsize), 1, "rbufsize is 0",
     "rbufsize is over 64 MiB"},
    {sks_server_set_wbufsize, AT(wbufsize), 0, NULL, "wbufsize is over 64 MiB"},
};
enum { SIZE_OPTIONS = sizeof size_options / sizeof *size_options };

static int int_at(const sks_server *server, size_t at)
{
    int value;

    memcpy(&value, (const char *)&server->options + at, sizeof value);
    return value;
}

static size_t size_at(const sks_server *server, size_t at)
{
    size_t value;

    memcpy(&value, (const char *)&server->options + at, sizeof value);
    return value;
}

static void the_defaults_are_those_of_the_header(void **state)
{
    sks_server *server = unit_server();
    const struct sks__options *o = &server->options;

    (void)state;
    assert_int_equal(o->reuse_address, 1);
    assert_int_equal(o->reuse_port, 0);
    assert_int_equal(o->nodelay, 1);
    assert_int_equal(o->timeout_ms, -1);
    assert_int_equal(o->request_timeout_ms, 60000);
    assert_int_equal(o->drain_timeout_ms, 10000);
    assert_int_equal(o->poll_interval_ms, -1);
    assert_int_equal(o->defer_accept_ms, 0);
    assert_int_equal(o->block_on_close, 1);
    assert_int_equal(o->max_packet_size, 65535);
    assert_int_equal(o->rbufsize, 8192);
    assert_int_equal(o->wbufsize, 0);
    assert_true(o->backlog >= 4096);
    assert_string_equal(server->strategy.name, "synchronous");
    assert_null(sks_server_data(server));
    sks_server_free(server);
}

static void numbers_are_kept_if_they_are_not_too_low(void **state)
{
    (void)state;
    for (size_t i = 0; i < INT_OPTIONS; i++) {
        const struct int_option *o = &int_options[i];
        sks_server *server = unit_server();

        o->set(server, o->good);
        assert_int_equal(int_at(server, o->at), o->good);
        o->set(server, o->least);
        assert_int_equal(int_at(server, o->at), o->least);
        assert_int_equal(server->fault, 0);
        o->set(server, o->worse);
        assert_int_equal(int_at(server, o->at), o->least);
        unit_expect_fault(server, -EINVAL, o->words);
    }
}

static void switches_are_on_or_off(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    for (size_t i = 0; i < SWITCHES; i++) {
        switches[i].set(server, 0);
        assert_int_equal(int_at(server, switches[i].at), 0);
        switches[i].set(server, -5);
        assert_int_equal(int_at(server, switches[i].at), 1);
    }
    assert_int_equal(server->fault, 0);
    sks_server_free(server);
}

static void sizes_are_kept_if_they_are_sound(void **state)
{
    enum { MOST = 64 * 1024 * 1024 };

    (void)state;
    for (size_t i = 0; i < SIZE_OPTIONS; i++) {
        const struct size_option *o = &size_options[i];
        sks_server *server = unit_server();

        o->set(server, MOST);
        assert_int_equal(size_at(server, o->at), MOST);
        o->set(server, o->least);
        assert_int_equal(size_at(server, o->at), o->least);
        assert_int_equal(server->fault, 0);
        o->set(server, (size_t)MOST + 1);
        assert_int_equal(size_at(server, o->at), o->least);
        unit_expect_fault(server, -EINVAL, o->too_large);
        server = unit_server();
        if (o->least > 0) {
            o->set(server, 0);
            unit_expect_fault(server, -EINVAL, o->too_small);
        } else {
            sks_server_free(server);
        }
    }
}

static void the_number_of_workers_is_limited(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    assert_int_equal(sks_server_max_workers(server),
                     sks_synchronous()->max_workers);
    sks_server_set_max_workers(server, 1);
    assert_int_equal(sks_server_max_workers(server), 1);
    sks_server_set_max_workers(server, 1048576);
    assert_int_equal(sks_server_max_workers(server), 1048576);
    assert_int_equal(server->fault, 0);
    sks_server_set_max_workers(server, 1048577);
    assert_int_equal(sks_server_max_workers(server), 1048576);
    unit_expect_fault(server, -EINVAL, "max_workers is over 1048576");
    server = unit_server();
    sks_server_set_max_workers(server, 0);
    unit_expect_fault(server, -EINVAL, "max_workers is 0");
}

static void a_spin_is_bounded(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    assert_int_equal(sks_server_spin_us(server), 0);
    sks_server_set_spin_us(server, 1000000);
    assert_int_equal(sks_server_spin_us(server), 1000000);
    assert_int_equal(server->fault, 0);
    sks_server_set_spin_us(server, 1000001);
    unit_expect_fault(server, -EINVAL, "spin_us is over a second");
    server = unit_server();
    sks_server_set_spin_us(server, -1);
    unit_expect_fault(server, -EINVAL, "spin_us is below 0");
}

static void the_first_fault_is_the_one_that_is_told(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    sks_server_set_max_workers(server, 0);
    sks_server_set_backlog(server, -1);
    sks_server_set_strategy(server, NULL, NULL);
    unit_expect_fault(server, -EINVAL, "max_workers is 0");
}

/* --- when --- */

static int verify(void *arg, const sks_request *request)
{
    (void)arg, (void)request;
    return 1;
}

static void take_error(void *arg, const sks_request *request, int error)
{
    (void)arg, (void)request, (void)error;
}

static void take_server(void *arg, sks_server *server)
{
    (void)arg, (void)server;
}

static void take_line(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

enum { SETTERS = 19 };

/* Calls the i-th setter with a good value, and tells its name. */
static const char *set(sks_server *server, int i)
{
    static const char *const names[SETTERS] = {"backlog",
                                               "timeout_ms",
                                               "request_timeout_ms",
                                               "drain_timeout_ms",
                                               "poll_interval_ms",
                                               "defer_accept_ms",
                                               "reuse_address",
                                               "reuse_port",
                                               "block_on_close",
                                               "nodelay",
                                               "max_packet_size",
                                               "rbufsize",
                                               "wbufsize",
                                               "max_workers",
                                               "verify_request",
                                               "handle_error",
                                               "handle_timeout",
                                               "service_actions",
                                               "log"};

    if (i < INT_OPTIONS)
        int_options[i].set(server, 5);
    else if (i < INT_OPTIONS + SWITCHES)
        switches[i - INT_OPTIONS].set(server, 1);
    else if (i < INT_OPTIONS + SWITCHES + SIZE_OPTIONS)
        size_options[i - INT_OPTIONS - SWITCHES].set(server, 5);
    else if (i == 13)
        sks_server_set_max_workers(server, 5);
    else if (i == 14)
        sks_server_set_verify_request(server, verify, server);
    else if (i == 15)
        sks_server_set_handle_error(server, take_error, server);
    else if (i == 16)
        sks_server_set_handle_timeout(server, take_server, server);
    else if (i == 17)
        sks_server_set_service_actions(server, take_server, server);
    else
        sks_server_set_log(server, take_line, server);
    return names[i];
}

static void expect_too_late(sks_server *server, const char *what)
{
    char words[200];

    snprintf(words, sizeof words, "%s cannot be set once the server is bound",
             what);
    assert_int_equal(sks_server_handle_request(server), SKS_ESTATE);
    assert_string_equal(sks_server_error(server), words);
    assert_int_equal(sks_server_close(server), SKS_ESTATE);
    sks_server_free(server);
}

static sks_server *bound_server(void)
{
    sks_server *server = unit_server();

    assert_int_equal(sks_server_bind(server), 0);
    return server;
}

static void nothing_can_be_set_once_the_server_is_bound(void **state)
{
    sks_server *server;

    (void)state;
    for (int i = 0; i < SETTERS; i++) {
        server = bound_server();
        expect_too_late(server, set(server, i));
    }
    server = bound_server();
    sks_server_set_strategy(server, sks_threading(), NULL);
    assert_string_equal(server->strategy.name, "synchronous");
    expect_too_late(server, "the strategy");
    server = bound_server();
    sks_server_add_address(server, "127.0.0.1", 0);
    expect_too_late(server, "an address");
    server = bound_server();
    sks_server_add_path(server, "/tmp/x");
    expect_too_late(server, "a path");
    server = bound_server();
    sks_server_add_fd(server, 0);
    expect_too_late(server, "a descriptor");
}

static void nor_once_it_is_closed(void **state)
{
    sks_server *server = unit_server();

    (void)state;
    assert_int_equal(sks_server_close(server), 0);
    sks_server_set_backlog(server, 5);
    assert_int_equal(sks_server_close(server), SKS_ESTATE);
    sks_server_free(server);
}

static void the_data_may_be_set_at_any_time(void **state)
{
    sks_server *server = bound_server();

    (void)state;
    sks_server_set_data(server, &server);
    assert_ptr_equal(sks_server_data(server), &server);
    assert_int_equal(sks_server_close(server), 0);
    sks_server_free(server);
}

/* What a constructor without memory returned is passed on by its caller. */
static void setters_of_no_server_do_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < SETTERS; i++)
        set(NULL, i);
    sks_server_set_strategy(NULL, sks_threading(), NULL);
    sks_server_set_data(NULL, NULL);
    sks_server_add_address(NULL, NULL, 0);
    sks_server_add_path(NULL, NULL);
    sks_server_add_fd(NULL, 0);
}

static void hooks_are_kept_with_their_argument(void **state)
{
    sks_server *server = unit_server();
    const struct sks__hooks *h = &server->hooks;

    (void)state;
    for (int i = 13; i < SETTERS; i++)
        set(server, i);
    assert_ptr_equal(h->verify_request, verify);
    assert_ptr_equal(h->verify_request_arg, server);
    assert_ptr_equal(h->handle_error, take_error);
    assert_ptr_equal(h->handle_error_arg, server);
    assert_ptr_equal(h->handle_timeout, take_server);
    assert_ptr_equal(h->handle_timeout_arg, server);
    assert_ptr_equal(h->service_actions, take_server);
    assert_ptr_equal(h->service_actions_arg, server);
    assert_ptr_equal(h->log, take_line);
    assert_ptr_equal(h->log_arg, server);
    sks_server_free(server);
}

/* --- endpoints --- */

static void an_adopting_server_takes_descriptors_only(void **state)
{
    int fd = __real_socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    sks_server *server = sks_fd_server_new(fd, unit_handler());
    sks_server_add_address(server, "127.0.0.1", 0);
    unit_expect_fault(
        server, -EINVAL,
        "an address cannot be added to a server of adopted sockets");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    fd = __real_socket(AF_UNIX, SOCK_STREAM, 0);
    server = sks_fd_server_new(fd, unit_handler());
    sks_server_add_path(server, "/tmp/x");
    unit_expect_fault(server, -EINVAL,
                      "a path cannot be added to a server of adopted sockets");
}

static void names_are_copied(void **state)
{
    char host[] = "127.0.0.1";
    sks_server *server = sks_tcp_server_new(host, 0, unit_handler());

    (void)state;
    memset(host, 'x', sizeof host - 1);
    assert_int_equal(sks_server_bind(server), 0);
    sks_server_free(server);
}

static void an_address_without_memory_is_told_at_bind(void **state)
{
    (void)state;
    for (long skip = 0; skip < 2; skip++) {
        sks_server *server = unit_server();

        fault_set(FAULT_MALLOC, skip, 1, ENOMEM);
        sks_server_add_address(server, "127.0.0.2", 0);
        assert_int_equal(fault_hits(FAULT_MALLOC), 1);
        unit_expect_fault(server, -ENOMEM, "an address: out of memory");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(the_defaults_are_those_of_the_header),
        UNIT_TEST(numbers_are_kept_if_they_are_not_too_low),
        UNIT_TEST(switches_are_on_or_off),
        UNIT_TEST(sizes_are_kept_if_they_are_sound),
        UNIT_TEST(the_number_of_workers_is_limited),
        UNIT_TEST(a_spin_is_bounded),
        UNIT_TEST(the_first_fault_is_the_one_that_is_told),
        UNIT_TEST(nothing_can_be_set_once_the_server_is_bound),
        UNIT_TEST(nor_once_it_is_closed),
        UNIT_TEST(the_data_may_be_set_at_any_time),
        UNIT_TEST(setters_of_no_server_do_nothing),
        UNIT_TEST(hooks_are_kept_with_their_argument),
        UNIT_TEST(an_adopting_server_takes_descriptors_only),
        UNIT_TEST(names_are_copied),
        UNIT_TEST(an_address_without_memory_is_told_at_bind),
    };

    return cmocka_run_group_tests_name("server_options", tests, NULL, NULL);
}
