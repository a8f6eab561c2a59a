/* A server's own life: binding, addresses, one request at a time, a foreign
 * loop. */
#include "contract.h"
#include "support/real.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static void make(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
}

static void make_echo(struct contract *c)
{
    make(c, contract_lines_handle);
}

/* --- binding and addresses --- */

static void the_port_can_be_read_back(struct contract *c)
{
    char expected[64];

    make_echo(c);
    assert_int_equal(sks_server_port(c->server), 0);
    assert_null(sks_server_address(c->server, 0));
    contract_bind(c);
    assert_in_range(c->port, 1, 65535);
    snprintf(expected, sizeof expected,
             c->transport->family == AF_INET6 ? "[%s]:%d" : "%s:%d",
             c->transport->host, c->port);
    assert_string_equal(sks_server_address(c->server, 0), expected);
    assert_null(sks_server_address(c->server, 1));
}

static void a_path_is_an_address_without_a_port(struct contract *c)
{
    char expected[128];

    make_echo(c);
    contract_bind(c);
    assert_int_equal(c->port, 0);
    snprintf(expected, sizeof expected, "unix:%s", c->path);
    assert_string_equal(sks_server_address(c->server, 0), expected);
    assert_null(sks_server_address(c->server, 1));
}

/* Clients may come as soon as the server is bound. */
static void a_client_from_before_serve_forever_is_served(struct contract *c)
{
    int fd;

    make_echo(c);
    contract_bind(c);
    fd = contract_connect(c);
    client_say(fd, "early\n");
    contract_start(c);
    client_expect(fd, "early\n");
}

static void tell_port(void *arg, sks_server *server)
{
    struct contract *c = arg;

    if (atomic_fetch_add(&c->shared->turns, 1) == 0)
        trace_put(&c->trace, "%d", sks_server_port(server));
}

static void serve_forever_binds(struct contract *c)
{
    char port[16];

    make_echo(c);
    sks_server_set_poll_interval_ms(c->server, 1);
    sks_server_set_service_actions(c->server, tell_port, c);
    server_thread_start(&c->serving, sks_server_serve_forever, c->server);
    trace_next(&c->trace, port, sizeof port);
    c->port = atoi(port);
    contract_echo(c);
}

static void each_of_several_addresses_is_served(struct contract *c)
{
    struct sockaddr_storage second;
    const char *path, *name;
    socklen_t len;
    int fd;

    make_echo(c);
    path = contract_add_address(c);
    contract_bind(c);
    name = sks_server_address(c->server, 1);
    assert_non_null(name);
    assert_null(sks_server_address(c->server, 2));
    len = contract_address_of(c,
                              c->traits & CONTRACT_IP
                                  ? atoi(strrchr(name, ':') + 1)
                                  : 0,
                              path, &second);
    contract_start(c);
    contract_echo(c);
    fd = contract_connect_to(c, &second, len);
    client_say(fd, "there\n");
    client_expect(fd, "there\n");
    client_close(fd);
    contract_echo(c);
}

/* Holds a port that a server then wants.  Returns it, and the socket. */
static int take_port(const struct contract *c, int *fd)
{
    struct sockaddr_storage address;
    socklen_t len = contract_address_of(c, 0, NULL, &address);

    *fd = client_open(c->transport->family, c->transport->type);
    assert_return_code(__real_bind(*fd, (struct sockaddr *)&address, len),
                       errno);
    if (c->traits & CONTRACT_STREAM)
        assert_return_code(__real_listen(*fd, 1), errno);
    assert_return_code(getsockname(*fd, (struct sockaddr *)&address, &len),
                       errno);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* The second of two addresses is taken: the first is given back. */
static void
a_failed_bind_leaves_nothing_and_may_be_tried_again(struct contract *c)
{
    int before, taken, port = take_port(c, &taken);

    make_echo(c);
    sks_server_add_address(c->server, c->transport->host, port);
    before = contract_descriptors_open();
    assert_int_equal(sks_server_bind(c->server), -EADDRINUSE);
    assert_int_equal(contract_descriptors_open(), before);
    assert_true(strlen(sks_server_error(c->server)) > 0);
    assert_null(strchr(sks_server_error(c->server), '\n'));
    assert_null(sks_server_address(c->server, 0));
    assert_int_equal(sks_server_port(c->server), 0);
    client_close(taken);
    contract_start(c);
    contract_echo(c);
}

static void
serve_forever_and_handle_request_tell_why_they_cannot_bind(struct contract *c)
{
    int taken;

    c->port = take_port(c, &taken);
    make_echo(c);
    assert_int_equal(sks_server_serve_forever(c->server), -EADDRINUSE);
    assert_int_equal(sks_server_handle_request(c->server), -EADDRINUSE);
}

/* --- every address of the machine --- */

static int everywhere(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    c->server = c->traits & CONTRACT_TCP
                    ? sks_tcp_server_new(NULL, 0, &handler)
                    : sks_udp_server_new(NULL, 0, &handler);
    assert_non_null(c->server);
    contract_set_up(c);
    contract_start(c);
    return c->port;
}

static void echo_at(struct contract *c, int family, const char *host, int port)
{
    struct contract_transport there = *c->transport;
    const struct contract_transport *here = c->transport;

    there.family = family;
    there.host = host;
    c->transport = &there;
    c->port = port;
    contract_echo(c);
    c->transport = here;
}

static void host_null_serves_ipv4_and_ipv6(struct contract *c)
{
    int port = everywhere(c);

    echo_at(c, AF_INET, "127.0.0.1", port);
    echo_at(c, c->transport->family, c->transport->host, port);
    echo_at(c, AF_INET, "127.0.0.1", port);
}

/* --- one request at a time --- */

static void make_patient(struct contract *c)
{
    make_echo(c);
    sks_server_set_timeout_ms(c->server, DEADLINE_MS);
    contract_bind(c);
}

/* Waits for one of two clients to be answered: the first, unless each listening
 * socket has a queue of its own.  Which of the two it was. */
static int await_answer(const struct contract *c, const int clients[2])
{
    struct pollfd both[] = {{.fd = clients[0], .events = POLLIN},
                            {.fd = clients[1], .events = POLLIN}};

    assert_true(__real_poll(both, 2, DEADLINE_MS) > 0);
    return sks_server_listener_sets(c->server) > 1 && both[0].revents == 0;
}

static void handle_request_serves_one(struct contract *c)
{
    int clients[2], answered;

    make_patient(c);
    for (int i = 0; i < 2; i++) {
        clients[i] = contract_connect(c);
        client_say(clients[i], "hello\n");
        if (c->traits & CONTRACT_STREAM)
            client_finish(clients[i]);
    }
    assert_int_equal(sks_server_handle_request(c->server), 1);
    answered = await_answer(c, clients);
    client_expect(clients[answered], "hello\n");
    client_expect_silence(clients[!answered]);
    assert_int_equal(sks_server_handle_request(c->server), 1);
    client_expect(clients[!answered], "hello\n");
}

static void handle_request_binds(struct contract *c)
{
    make_echo(c);
    sks_server_set_timeout_ms(c->server, 0);
    assert_int_equal(sks_server_handle_request(c->server), 0);
    assert_non_null(sks_server_address(c->server, 0));
}

static int refuse(void *arg, const sks_request *request)
{
    (void)arg;
    (void)request;
    return 0;
}

static void handle_request_counts_a_refused_request(struct contract *c)
{
    int fd;

    make_echo(c);
    sks_server_set_verify_request(c->server, refuse, NULL);
    sks_server_set_timeout_ms(c->server, DEADLINE_MS);
    contract_bind(c);
    fd = contract_connect(c);
    client_say(fd, "hello\n");
    assert_int_equal(sks_server_handle_request(c->server), 1);
    if (c->traits & CONTRACT_STREAM)
        client_expect_gone(fd);
}

static void handle_request_ends_on_shutdown(struct contract *c)
{
    make_echo(c);
    contract_bind(c);
    server_thread_start(&c->serving, sks_server_handle_request, c->server);
    sks_server_shutdown(c->server);
    assert_int_equal(contract_join(&c->serving), SKS_ECLOSED);
}

static void handle_request_after_shutdown_is_refused(struct contract *c)
{
    make_patient(c);
    sks_server_shutdown(c->server);
    assert_int_equal(sks_server_handle_request(c->server), SKS_ECLOSED);
}

/* --- somebody else's loop --- */

static int readable(const struct contract *c, int ms)
{
    return deadline_poll(sks_server_fileno(c->server), POLLIN, ms) != 0;
}

/* Several sockets need epoll(7) to be one descriptor. */
static int has_fileno(const struct contract *c)
{
    int fd = sks_server_fileno(c->server);

    if (sks_server_listener_sets(c->server) == 1)
        assert_true(fd >= 0);
    return fd != -ENOTSUP;
}

static void fileno_is_readable_when_a_request_came(struct contract *c)
{
    int fd;

    make_patient(c);
    if (!has_fileno(c))
        return;
    assert_false(readable(c, 0));
    for (int i = 0; i < 3; i++) {
        fd = contract_connect(c);
        client_say(fd, "hello\n");
        if (c->traits & CONTRACT_STREAM)
            client_finish(fd);
        assert_true(readable(c, DEADLINE_MS));
        assert_int_equal(sks_server_handle_request(c->server), 1);
        client_expect(fd, "hello\n");
        client_close(fd);
    }
}

/* What readable says is settled by handle_request calls that may not wait. */
static void fileno_grows_quiet_when_all_is_done(struct contract *c)
{
    long long start = deadline_now_ms();
    int fd;

    make_echo(c);
    sks_server_set_timeout_ms(c->server, 0);
    contract_bind(c);
    if (!has_fileno(c))
        return;
    fd = contract_connect(c);
    client_say(fd, "hello\n");
    if (c->traits & CONTRACT_STREAM)
        client_finish(fd);
    assert_true(readable(c, DEADLINE_MS));
    while (sks_server_handle_request(c->server) != 1)
        assert_true(deadline_nap(start));
    client_expect(fd, "hello\n");
    while (readable(c, 0)) {
        assert_int_equal(sks_server_handle_request(c->server), 0);
        assert_true(deadline_nap(start));
    }
}

static void fileno_watches_several_addresses(struct contract *c)
{
    struct sockaddr_storage second;
    const char *path, *name;
    socklen_t len;
    int watched, fd;

    make_echo(c);
    sks_server_set_timeout_ms(c->server, DEADLINE_MS);
    path = contract_add_address(c);
    contract_bind(c);
    watched = sks_server_fileno(c->server);
    if (watched == -ENOTSUP)
        return;
    name = sks_server_address(c->server, 1);
    assert_non_null(name);
    len = contract_address_of(c,
                              c->traits & CONTRACT_IP
                                  ? atoi(strrchr(name, ':') + 1)
                                  : 0,
                              path, &second);
    assert_false(readable(c, 0));
    fd = contract_connect_to(c, &second, len);
    client_say(fd, "there\n");
    if (c->traits & CONTRACT_STREAM)
        client_finish(fd);
    assert_true(readable(c, DEADLINE_MS));
    assert_int_equal(sks_server_handle_request(c->server), 1);
    client_expect(fd, "there\n");
}

static void there_is_no_fileno_before_bind(struct contract *c)
{
    make_echo(c);
    assert_int_equal(sks_server_fileno(c->server), SKS_ESTATE);
}

/* --- faults in general --- */

static void the_four_calls_say_that_no_memory_made_no_server(struct contract *c)
{
    (void)c;
    assert_int_equal(sks_server_bind(NULL), -ENOMEM);
    assert_int_equal(sks_server_serve_forever(NULL), -ENOMEM);
    assert_int_equal(sks_server_handle_request(NULL), -ENOMEM);
    assert_int_equal(sks_server_close(NULL), -ENOMEM);
    assert_string_equal(sks_server_error(NULL), "out of memory");
}

static void there_is_no_error_without_a_fault(struct contract *c)
{
    make_echo(c);
    assert_string_equal(sks_server_error(c->server), "");
    contract_start(c);
    contract_echo(c);
    contract_stop(c);
    assert_string_equal(sks_server_error(c->server), "");
}

/* --- options that can be seen from outside --- */

static int option_of(sks_request *request, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    getsockopt(sks_request_fileno(request), level, option, &value, &len);
    return value;
}

static int nodelay_handle(sks_request *request)
{
    return sks_wfile_puts(sks_request_wfile(request),
                          option_of(request, IPPROTO_TCP, 1) ? "on\n"
                                                             : "off\n");
}

/* A client that expects a word of a server. */
static void expect_word(struct contract *c, const char *word)
{
    int fd = contract_connect(c);

    client_expect(fd, word);
    client_expect_eof(fd);
    client_close(fd);
}

static void nodelay_is_on_unless_switched_off(struct contract *c)
{
    contract_serve(c, nodelay_handle);
    expect_word(c, "on\n");
    contract_close(c);
    contract_free(c);
    c->port = 0;
    make(c, nodelay_handle);
    sks_server_set_nodelay(c->server, 0);
    contract_start(c);
    expect_word(c, "off\n");
}

#ifndef SKS_PLAIN_POSIX

/* Under a strategy with one worker the second client shows it, too. */
static void
a_client_takes_no_worker_before_it_speaks_if_so_asked(struct contract *c)
{
    int silent;

    make_echo(c);
    sks_server_set_defer_accept_ms(c->server, 60000);
    contract_start(c);
    silent = contract_connect(c);
    contract_echo(c);
    assert_int_equal(sks_server_count(c->server, SKS_COUNT_TAKEN), 1);
    client_say(silent, "at last\n");
    client_expect(silent, "at last\n");
    assert_int_equal(sks_server_count(c->server, SKS_COUNT_TAKEN), 2);
}

#endif

/* A connection that the server closed first leaves its port in TIME_WAIT. */
static void a_port_can_be_served_again_at_once(struct contract *c)
{
    make(c, nodelay_handle);
    contract_start(c);
    expect_word(c, "on\n");
    contract_close(c);
    contract_free(c);
    make_echo(c);
    contract_start(c);
    contract_echo(c);
}

static void two_servers_share_a_port_if_both_ask_for_it(struct contract *c)
{
    sks_server *first;

    make_echo(c);
    sks_server_set_reuse_port(c->server, 1);
    contract_bind(c);
    first = c->server;
    make_echo(c);
    sks_server_set_reuse_port(c->server, 1);
    contract_bind(c);
    sks_server_free(first);
}

static void everything_is_closed_on_exec(struct contract *c)
{
    int fd, flags;

    fd = contract_serve_one(c, contract_gate_handle, "x");
    trace_expect(&c->trace, "enter ");
    for (int i = 3; i < 256; i++) {
        flags = fcntl(i, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            fail_msg("descriptor %d stays open on exec", i);
    }
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
}

static const struct contract_case any[] = {
    CONTRACT_CASE(a_client_from_before_serve_forever_is_served),
    CONTRACT_CASE(serve_forever_binds),
    CONTRACT_CASE(each_of_several_addresses_is_served),
    CONTRACT_CASE(handle_request_serves_one),
    CONTRACT_CASE(handle_request_binds),
    CONTRACT_CASE(handle_request_counts_a_refused_request),
    CONTRACT_CASE(handle_request_ends_on_shutdown),
    CONTRACT_CASE(handle_request_after_shutdown_is_refused),
    CONTRACT_CASE(fileno_is_readable_when_a_request_came),
    CONTRACT_CASE(fileno_grows_quiet_when_all_is_done),
    CONTRACT_CASE(fileno_watches_several_addresses),
    CONTRACT_CASE(there_is_no_fileno_before_bind),
    CONTRACT_CASE(the_four_calls_say_that_no_memory_made_no_server),
    CONTRACT_CASE(there_is_no_error_without_a_fault),
    CONTRACT_CASE(everything_is_closed_on_exec),
};

static const struct contract_case bound_by_name[] = {
    CONTRACT_CASE(a_failed_bind_leaves_nothing_and_may_be_tried_again),
    CONTRACT_CASE(serve_forever_and_handle_request_tell_why_they_cannot_bind),
};

static const struct contract_case ip[] = {
    CONTRACT_CASE(the_port_can_be_read_back),
};

static const struct contract_case ip_by_name[] = {
    CONTRACT_CASE(host_null_serves_ipv4_and_ipv6),
    CONTRACT_CASE(two_servers_share_a_port_if_both_ask_for_it),
};

static const struct contract_case paths[] = {
    CONTRACT_CASE(a_path_is_an_address_without_a_port),
};

static const struct contract_case tcp[] = {
    CONTRACT_CASE(nodelay_is_on_unless_switched_off),
#ifndef SKS_PLAIN_POSIX
    CONTRACT_CASE(a_client_takes_no_worker_before_it_speaks_if_so_asked),
#endif
};

static const struct contract_case tcp_by_name[] = {
    CONTRACT_CASE(a_port_can_be_served_again_at_once),
};

const struct contract_list contract_server[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_BINDS | CONTRACT_IP, bound_by_name),
    CONTRACT_LIST(CONTRACT_IP, ip),
    CONTRACT_LIST(CONTRACT_BINDS | CONTRACT_IP, ip_by_name),
    CONTRACT_LIST(CONTRACT_UNIX, paths),
    CONTRACT_LIST(CONTRACT_TCP, tcp),
    CONTRACT_LIST(CONTRACT_BINDS | CONTRACT_TCP, tcp_by_name),
    {0},
};
