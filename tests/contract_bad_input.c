/* What a program may get wrong: each is an error with a sentence. */
#include "contract.h"
#include "support/real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static sks_handler echo_handler(void)
{
    return contract_handler(contract_lines_handle);
}

static void make_echo(struct contract *c)
{
    sks_handler handler = echo_handler();

    contract_make(c, &handler);
}

/* The server has a fault: whoever serves first is told, in words too.  error
 * 0: any. */
static void expect_fault(struct contract *c, int error)
{
    int rc = sks_server_bind(c->server);
    const char *sentence = sks_server_error(c->server);

    assert_true(rc < 0);
    if (error)
        assert_int_equal(rc, error);
    if (strlen(sentence) < 5 || strchr(sentence, '\n'))
        fail_msg("not a sentence: \"%s\"", sentence);
    assert_true(strlen(sks_strerror(rc)) > 0);
    contract_free(c);
}

/* --- options --- */

struct bad_option {
    const char *name;
    void (*set)(sks_server *);
};

#define BAD_OPTION(title, call)                                                \
    static void title(sks_server *server)                                      \
    {                                                                          \
        call;                                                                  \
    }

BAD_OPTION(timeout_below_minus_one, sks_server_set_timeout_ms(server, -2))
BAD_OPTION(request_timeout_below_minus_one,
           sks_server_set_request_timeout_ms(server, -2))
BAD_OPTION(drain_timeout_below_minus_one,
           sks_server_set_drain_timeout_ms(server, -100))
BAD_OPTION(poll_interval_below_minus_one,
           sks_server_set_poll_interval_ms(server, -2))
BAD_OPTION(negative_backlog, sks_server_set_backlog(server, -5))
BAD_OPTION(no_workers, sks_server_set_max_workers(server, 0))
BAD_OPTION(huge_number_of_workers, sks_server_set_max_workers(server, ~0u))
BAD_OPTION(no_packet_size, sks_server_set_max_packet_size(server, 0))
BAD_OPTION(huge_packet_size, sks_server_set_max_packet_size(server, SIZE_MAX))
BAD_OPTION(no_rbufsize, sks_server_set_rbufsize(server, 0))
BAD_OPTION(huge_rbufsize, sks_server_set_rbufsize(server, SIZE_MAX))
BAD_OPTION(huge_wbufsize, sks_server_set_wbufsize(server, SIZE_MAX))
BAD_OPTION(strategy_null, sks_server_set_strategy(server, NULL, NULL))
BAD_OPTION(descriptor_below_zero, sks_server_add_fd(server, -1))

static const struct bad_option bad_options[] = {
    {"a timeout below -1", timeout_below_minus_one},
    {"a request timeout below -1", request_timeout_below_minus_one},
    {"a drain timeout below -1", drain_timeout_below_minus_one},
    {"a poll interval below -1", poll_interval_below_minus_one},
    {"a negative backlog", negative_backlog},
    {"no workers", no_workers},
    {"a huge number of workers", huge_number_of_workers},
    {"packets of no size", no_packet_size},
    {"packets of a huge size", huge_packet_size},
    {"no read buffer", no_rbufsize},
    {"a huge read buffer", huge_rbufsize},
    {"a huge write buffer", huge_wbufsize},
    {"no strategy", strategy_null},
    {"a negative descriptor", descriptor_below_zero},
};

static void bad_options_are_told_at_bind(struct contract *c)
{
    for (size_t i = 0; i < sizeof bad_options / sizeof *bad_options; i++) {
        make_echo(c);
        bad_options[i].set(c->server);
        if (sks_server_bind(c->server) == 0)
            fail_msg("%s is not refused", bad_options[i].name);
        contract_free(c);
        make_echo(c);
        bad_options[i].set(c->server);
        expect_fault(c, 0);
    }
}

static void the_first_fault_is_the_one_that_is_told(struct contract *c)
{
    char first[256];

    make_echo(c);
    sks_server_set_backlog(c->server, -1);
    assert_true(sks_server_bind(c->server) < 0);
    snprintf(first, sizeof first, "%s", sks_server_error(c->server));
    contract_free(c);
    make_echo(c);
    sks_server_set_backlog(c->server, -1);
    sks_server_set_rbufsize(c->server, 0);
    assert_true(sks_server_bind(c->server) < 0);
    assert_string_equal(sks_server_error(c->server), first);
}

static void each_of_the_four_calls_tells_a_setters_fault(struct contract *c)
{
    int (*calls[])(sks_server *) = {sks_server_bind, sks_server_serve_forever,
                                    sks_server_handle_request,
                                    sks_server_close};

    for (int i = 0; i < 4; i++) {
        make_echo(c);
        sks_server_set_rbufsize(c->server, 0);
        assert_true(calls[i](c->server) < 0);
        assert_true(strlen(sks_server_error(c->server)) > 0);
        contract_free(c);
    }
}

static void an_option_after_bind_is_told(struct contract *c)
{
    make_echo(c);
    sks_server_set_timeout_ms(c->server, 0);
    contract_bind(c);
    sks_server_set_nodelay(c->server, 0);
    assert_int_equal(sks_server_handle_request(c->server), SKS_ESTATE);
    assert_true(strlen(sks_server_error(c->server)) > 0);
}

static void extreme_options_that_make_sense_work(struct contract *c)
{
    make_echo(c);
    sks_server_set_rbufsize(c->server, 1);
    sks_server_set_wbufsize(c->server, 1);
    sks_server_set_backlog(c->server, 1 << 30);
    sks_server_set_max_workers(c->server, 1);
    sks_server_set_request_timeout_ms(c->server, 1 << 30);
    contract_start(c);
    contract_echo(c);
}

/* --- tables --- */

static void no_handler_is_told(struct contract *c)
{
    c->server = contract_new_server(c, NULL);
    assert_non_null(c->server);
    expect_fault(c, 0);
}

static void expect_bad_handler(struct contract *c, sks_handler handler,
                               int error)
{
    c->server = contract_new_server(c, &handler);
    assert_non_null(c->server);
    expect_fault(c, error);
}

static void a_handler_of_a_wrong_size_is_told(struct contract *c)
{
    sks_handler handler = echo_handler();

    handler.size = 0;
    expect_bad_handler(c, handler, SKS_EVTABLE);
    handler.size = sizeof(size_t);
    expect_bad_handler(c, handler, SKS_EVTABLE);
    handler.size = offsetof(sks_handler, handle) + 1;
    expect_bad_handler(c, handler, SKS_EVTABLE);
}

static void a_handler_without_handle_is_told(struct contract *c)
{
    expect_bad_handler(c, (sks_handler){.size = sizeof(sks_handler)},
                       SKS_EVTABLE);
}

static void memory_that_no_machine_has_is_told(struct contract *c)
{
    sks_handler handler = echo_handler();

    handler.self_size = SIZE_MAX;
    c->server = contract_new_server(c, &handler);
    if (c->server)
        expect_fault(c, 0);
}

static void expect_bad_strategy(struct contract *c, sks_strategy strategy)
{
    make_echo(c);
    sks_server_set_strategy(c->server, &strategy, NULL);
    expect_fault(c, SKS_EVTABLE);
}

static void a_strategy_of_a_wrong_size_is_told(struct contract *c)
{
    sks_strategy strategy = *c->strategy;

    strategy.size = 0;
    expect_bad_strategy(c, strategy);
    strategy.size = sizeof(size_t);
    expect_bad_strategy(c, strategy);
}

static void a_strategy_without_process_request_is_told(struct contract *c)
{
    sks_strategy strategy = *c->strategy;

    strategy.process_request = NULL;
    expect_bad_strategy(c, strategy);
}

static void a_strategy_without_a_name_is_told(struct contract *c)
{
    sks_strategy strategy = *c->strategy;

    strategy.name = NULL;
    expect_bad_strategy(c, strategy);
}

static void the_strategy_is_copied(struct contract *c)
{
    sks_strategy strategy = *c->strategy;

    make_echo(c);
    sks_server_set_strategy(c->server, &strategy, c->config);
    memset(&strategy, 0xff, sizeof strategy);
    contract_start(c);
    contract_echo(c);
}

static void a_strategy_of_streams_refuses_datagrams(struct contract *c)
{
    sks_strategy strategy = *c->strategy;

    strategy.flags |= SKS_STREAM_ONLY;
    make_echo(c);
    sks_server_set_strategy(c->server, &strategy, c->config);
    expect_fault(c, 0);
}

static int failing_start(void *self, sks_server *server, void *config)
{
    (void)self;
    (void)server;
    return config ? -EDOM : 0;
}

static void a_strategy_that_cannot_start_ends_serving(struct contract *c)
{
    sks_strategy strategy = *c->strategy;

    strategy.start = failing_start;
    make_echo(c);
    sks_server_set_strategy(c->server, &strategy, c);
    contract_bind(c);
    assert_int_equal(sks_server_serve_forever(c->server), -EDOM);
    assert_true(strlen(sks_server_error(c->server)) > 0);
}

static void strategies_are_not_found_by_nonsense(struct contract *c)
{
    (void)c;
    assert_null(sks_strategy_find(NULL));
    assert_null(sks_strategy_find(""));
    assert_null(sks_strategy_find("Threading"));
    assert_null(sks_strategy_names(1000000));
    assert_null(sks_strategy_names(SIZE_MAX));
}

static void errors_have_words(struct contract *c)
{
    int codes[] = {0,
                   -EINVAL,
                   SKS_ECLOSED,
                   SKS_ETIMEDOUT,
                   SKS_ETOOLONG,
                   SKS_ERESOLVE,
                   SKS_ESTATE,
                   SKS_EVTABLE,
                   SKS_ECRASHED,
                   -123456,
                   1,
                   INT32_MIN};

    (void)c;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_true(sks_strerror(codes[i]) && *sks_strerror(codes[i]));
}

/* --- addresses --- */

static sks_server *server_at(struct contract *c, const char *host, int port)
{
    sks_handler handler = echo_handler();

    return c->traits & CONTRACT_TCP ? sks_tcp_server_new(host, port, &handler)
                                    : sks_udp_server_new(host, port, &handler);
}

static void expect_bad_address(struct contract *c, const char *host, int port,
                               int error)
{
    c->server = server_at(c, host, port);
    contract_set_up(c);
    expect_fault(c, error);
}

/* No name service is asked for names that cannot be names. */
static void a_host_that_is_none_is_told(struct contract *c)
{
    expect_bad_address(c, "no..such..host", 0, SKS_ERESOLVE);
    expect_bad_address(c, "::1::1", 0, SKS_ERESOLVE);
}

static void an_address_of_another_machine_is_told(struct contract *c)
{
    expect_bad_address(c, "192.0.2.1", 0, -EADDRNOTAVAIL);
}

static void a_port_out_of_range_is_told(struct contract *c)
{
    expect_bad_address(c, "127.0.0.1", -1, 0);
    expect_bad_address(c, "127.0.0.1", 65536, 0);
    expect_bad_address(c, "127.0.0.1", 1 << 30, 0);
}

static void a_further_address_may_be_wrong_too(struct contract *c)
{
    make_echo(c);
    sks_server_add_address(c->server, "127.0.0.1", 65536);
    expect_fault(c, 0);
    make_echo(c);
    sks_server_add_address(c->server, "no..such..host", 0);
    expect_fault(c, SKS_ERESOLVE);
}

static sks_server *server_of(struct contract *c, const char *path)
{
    sks_handler handler = echo_handler();

    return c->traits & CONTRACT_STREAM
               ? sks_unix_stream_server_new(path, &handler)
               : sks_unix_datagram_server_new(path, &handler);
}

static void expect_bad_path(struct contract *c, const char *path, int error)
{
    c->server = server_of(c, path);
    contract_set_up(c);
    expect_fault(c, error);
}

static void a_path_that_is_too_long_is_told(struct contract *c)
{
    char path[4000];

    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    expect_bad_path(c, path, 0);
    path[108] = '\0';
    expect_bad_path(c, path, 0);
}

static void no_path_is_told(struct contract *c)
{
    expect_bad_path(c, NULL, 0);
    expect_bad_path(c, "", 0);
}

/* --- adopted descriptors --- */

/* The server takes the descriptor, and closes it, whatever it is. */
static void expect_bad_descriptor(struct contract *c, int fd)
{
    sks_handler handler = echo_handler();

    c->server = sks_fd_server_new(fd, &handler);
    contract_set_up(c);
    expect_fault(c, 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void a_descriptor_that_is_no_socket_is_told(struct contract *c)
{
    expect_bad_descriptor(c, open("/dev/null", O_RDWR | O_CLOEXEC));
}

static void a_descriptor_that_is_none_is_told(struct contract *c)
{
    expect_bad_descriptor(c, 1000000);
    expect_bad_descriptor(c, -1);
}

static void a_socket_that_is_not_bound_is_told(struct contract *c)
{
    expect_bad_descriptor(c,
                          __real_socket(c->transport->family,
                                        c->transport->type | SOCK_CLOEXEC, 0));
}

static void a_connection_is_no_server(struct contract *c)
{
    int ends[2];

    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                       errno);
    expect_bad_descriptor(c, ends[0]);
    close(ends[1]);
}

static void an_adopted_descriptor_is_closed_with_its_server(struct contract *c)
{
    sks_handler handler = echo_handler();
    struct sockaddr_storage address;
    socklen_t len = contract_address_of(c, 0, NULL, &address);
    int fd = __real_socket(c->transport->family,
                           c->transport->type | SOCK_CLOEXEC, 0);

    assert_return_code(__real_bind(fd, (struct sockaddr *)&address, len),
                       errno);
    if (c->traits & CONTRACT_STREAM)
        assert_return_code(__real_listen(fd, 5), errno);
    c->server = sks_fd_server_new(fd, &handler);
    contract_set_up(c);
    contract_start(c);
    contract_echo(c);
    contract_close(c);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    contract_free(c);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(bad_options_are_told_at_bind),
    CONTRACT_CASE(the_first_fault_is_the_one_that_is_told),
    CONTRACT_CASE(each_of_the_four_calls_tells_a_setters_fault),
    CONTRACT_CASE(an_option_after_bind_is_told),
    CONTRACT_CASE(extreme_options_that_make_sense_work),
    CONTRACT_CASE(no_handler_is_told),
    CONTRACT_CASE(a_handler_of_a_wrong_size_is_told),
    CONTRACT_CASE(a_handler_without_handle_is_told),
    CONTRACT_CASE(memory_that_no_machine_has_is_told),
    CONTRACT_CASE(a_strategy_of_a_wrong_size_is_told),
    CONTRACT_CASE(a_strategy_without_process_request_is_told),
    CONTRACT_CASE(a_strategy_without_a_name_is_told),
    CONTRACT_CASE(the_strategy_is_copied),
    CONTRACT_CASE(a_strategy_that_cannot_start_ends_serving),
    CONTRACT_CASE(strategies_are_not_found_by_nonsense),
    CONTRACT_CASE(errors_have_words),
};

static const struct contract_case datagram[] = {
    CONTRACT_CASE(a_strategy_of_streams_refuses_datagrams),
};

static const struct contract_case ports[] = {
    CONTRACT_CASE(a_host_that_is_none_is_told),
    CONTRACT_CASE(an_address_of_another_machine_is_told),
    CONTRACT_CASE(a_port_out_of_range_is_told),
    CONTRACT_CASE(a_further_address_may_be_wrong_too),
};

static const struct contract_case paths[] = {
    CONTRACT_CASE(a_path_that_is_too_long_is_told),
    CONTRACT_CASE(no_path_is_told),
};

static const struct contract_case adopted[] = {
    CONTRACT_CASE(a_descriptor_that_is_no_socket_is_told),
    CONTRACT_CASE(a_descriptor_that_is_none_is_told),
    CONTRACT_CASE(a_socket_that_is_not_bound_is_told),
    CONTRACT_CASE(a_connection_is_no_server),
    CONTRACT_CASE(an_adopted_descriptor_is_closed_with_its_server),
};

const struct contract_list contract_bad_input[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_DATAGRAM, datagram),
    CONTRACT_LIST(CONTRACT_BINDS | CONTRACT_IP, ports),
    CONTRACT_LIST(CONTRACT_UNIX, paths),
    CONTRACT_LIST(CONTRACT_ADOPTED, adopted),
    {0},
};
