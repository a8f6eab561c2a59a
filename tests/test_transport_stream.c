#include "unit.h"

#include "fd.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* A bound server, one client of it, and a request to receive into. */
struct meeting {
    sks_server *server;
    struct sks__listener *listener;
    sks_request *request;
    int client;
};

static int waits_made;

static int strategys_wait(void *self, int fd, short events, int ms)
{
    (void)self;
    waits_made++;
    return sks__fd_wait(fd, events, ms);
}

static void connect_client(struct meeting *m)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)m->listener->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    m->client = __real_socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(connect(m->client, (struct sockaddr *)&in, sizeof in),
                       errno);
}

/* Of a server that is ready to be bound. */
static void begin(struct meeting *m)
{
    assert_int_equal(sks_server_bind(m->server), 0);
    m->listener = &m->server->listeners[0];
    m->request = sks__request_new(m->server, m->listener);
    connect_client(m);
}

/* waits: the strategy waits, so that nothing may block. */
static void meet(struct meeting *m, int waits, int nodelay)
{
    m->server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());
    sks_server_set_nodelay(m->server, nodelay);
    sks_server_set_rbufsize(m->server, 123);
    sks_server_set_wbufsize(m->server, 456);
    sks_server_set_request_timeout_ms(m->server, 7890);
    if (waits)
        m->server->strategy.wait = strategys_wait;
    begin(m);
    assert_true(deadline_poll(m->listener->fd, POLLIN, DEADLINE_MS));
}

static void receive(struct meeting *m)
{
    assert_int_equal(sks__stream_transport.get_request(m->listener, m->request),
                     0);
    sks__server_list(m->server, &m->request, 1);
}

/* The request is at its end. */
static void part(struct meeting *m)
{
    sks_request_close(m->request);
    close(m->client);
    sks_server_free(m->server);
}

static int option(const sks_request *r, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    getsockopt(sks_request_fileno(r), level, name, &value, &len);
    return value;
}

/* --- accepting --- */

static void a_connection_gets_what_the_options_say(void **state)
{
    (void)state;
    for (int nodelay = 0; nodelay < 2; nodelay++) {
        struct meeting m;

        meet(&m, 0, nodelay);
        receive(&m);
        assert_int_equal(m.request->rfile.bufsize, 123);
        assert_int_equal(m.request->wfile.bufsize, 456);
        assert_int_equal(m.request->stream.timeout_ms, 7890);
        assert_int_equal(!option(m.request, IPPROTO_TCP, TCP_NODELAY),
                         !nodelay);
        part(&m);
    }
}

/* With its first bytes there, a wait for them would be for nothing. */
static void a_new_connection_is_read_before_it_is_waited_for(void **state)
{
    (void)state;
    for (int defers = 0; defers < 2; defers++) {
        struct meeting m = {
            .server = sks_tcp_server_new("127.0.0.1", 0, unit_handler())};
        const void *data;

        sks_server_set_defer_accept_ms(m.server, defers ? 60000 : 0);
        m.server->strategy.wait = strategys_wait;
        begin(&m);
        assert_int_equal(__real_send(m.client, "x", 1, 0), 1);
        assert_true(deadline_poll(m.listener->fd, POLLIN, DEADLINE_MS));
        receive(&m);
        assert_true(deadline_poll(m.request->stream.fd, POLLIN, DEADLINE_MS));
        waits_made = 0;
        assert_int_equal(sks_rfile_peek(&m.request->rfile, 1, &data), 1);
        assert_int_equal(waits_made, 0);
        part(&m);
    }
}

/* A strategy's wait, at which the client speaks. */
static int hear(void *self, int fd, short events, int ms)
{
    const struct meeting *m = self;

    waits_made++;
    assert_null(m->request->rfile.buffer.data);
    assert_int_equal(__real_send(m->client, "x", 1, 0), 1);
    return sks__fd_wait(fd, events, ms);
}

static void a_silent_connection_is_waited_for_without_memory(void **state)
{
    struct meeting m;
    const void *data;

    (void)state;
    meet(&m, 1, 0);
    receive(&m);
    m.request->stream.waiter.wait = hear;
    m.request->stream.waiter.self = &m;
    waits_made = 0;
    assert_int_equal(sks_rfile_peek(&m.request->rfile, 1, &data), 1);
    assert_int_equal(waits_made, 1);
    part(&m);
}

static void an_adopted_listener_makes_no_difference(void **state)
{
    struct meeting m;
    sks_server *adopting;
    int fd;

    (void)state;
    meet(&m, 0, 0);
    fd = dup(m.listener->fd);
    adopting = sks_fd_server_new(fd, unit_handler());
    sks__request_free(m.request);
    sks_server_free(m.server);
    m.server = adopting;
    assert_int_equal(sks_server_bind(adopting), 0);
    m.listener = &adopting->listeners[0];
    m.request = sks__request_new(adopting, m.listener);
    receive(&m);
    assert_true(option(m.request, IPPROTO_TCP, TCP_NODELAY));
    part(&m);
}

static void it_blocks_unless_the_strategy_waits(void **state)
{
    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        struct meeting m;
        int nonblocking = waits || !sks__fd_has_time_limits;

        meet(&m, waits, 1);
        receive(&m);
        assert_int_equal(!(fcntl(sks_request_fileno(m.request), F_GETFL) &
                           O_NONBLOCK),
                         !nonblocking);
        assert_int_equal(m.request->stream.blocking, !nonblocking);
        assert_int_equal(m.request->stream.waiter.wait != NULL, waits);
        part(&m);
    }
}

static void the_client_is_known_by_its_address(void **state)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    struct meeting m;

    (void)state;
    meet(&m, 0, 1);
    getsockname(m.client, (struct sockaddr *)&in, &len);
    receive(&m);
    assert_int_equal(sks__address_port(sks__request_peer(m.request)),
                     ntohs(in.sin_port));
    part(&m);
}

/* accept(2) tells of them on the listener. */
static void faults_of_a_connection_are_not_the_listeners(void **state)
{
    static const int faults[] = {ECONNABORTED, EPROTO,      EPERM,
                                 ENETDOWN,     ENETUNREACH, EHOSTUNREACH,
                                 ETIMEDOUT,    ENOPROTOOPT, EOPNOTSUPP,
                                 EAGAIN};
    struct meeting m;

    (void)state;
    meet(&m, 0, 1);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        fault_set(FAULT_ACCEPT, 0, 1, faults[i]);
        assert_int_equal(sks__stream_transport.get_request(m.listener,
                                                           m.request),
                         -EAGAIN);
    }
    receive(&m);
    part(&m);
}

static void other_faults_are_told(void **state)
{
    static const int faults[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EINVAL};
    struct meeting m;

    (void)state;
    meet(&m, 0, 1);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        fault_set(FAULT_ACCEPT, 0, 1, faults[i]);
        assert_int_equal(sks__stream_transport.get_request(m.listener,
                                                           m.request),
                         -faults[i]);
    }
    receive(&m);
    part(&m);
}

/* --- the end of a conversation --- */

static void a_shutdown_may_wait_for_the_peer_to_close(void **state)
{
    struct meeting m;
    char byte;

    (void)state;
    meet(&m, 0, 1);
    receive(&m);
    __real_send(m.client, "unread", 6, 0);
    shutdown(m.client, SHUT_WR);
    sks__stream_transport.shutdown_request(m.request, 1);
    assert_true(m.request->stream.at_eof);
    assert_int_equal(__real_recv(m.client, &byte, 1, 0), 0);
    part(&m);
}

static void a_shutdown_need_not_wait(void **state)
{
    struct meeting m;
    char byte;

    (void)state;
    meet(&m, 0, 1);
    receive(&m);
    fault_set(FAULT_RECV, 0, 0, 0);
    sks__stream_transport.shutdown_request(m.request, 0);
    m.request->wfile.error = SKS_ETIMEDOUT;
    sks__stream_transport.shutdown_request(m.request, 1);
    assert_int_equal(fault_calls(FAULT_RECV), 0);
    assert_int_equal(__real_recv(m.client, &byte, 1, 0), 0);
    part(&m);
}

/* A reader sees end of file either way; its answer arrives if only reading has
 * ended. */
static void expect_end_of_file(int both)
{
    struct meeting m;
    sks_wfile *wfile;
    char byte;

    meet(&m, 0, 1);
    receive(&m);
    wfile = sks_request_wfile(m.request);
    sks__stream_transport.interrupt(m.request, both);
    assert_int_equal(sks_rfile_read(sks_request_rfile(m.request), &byte, 1), 0);
    sks_wfile_puts(wfile, "x");
    assert_int_equal(sks_wfile_flush(wfile), both ? SKS_ECLOSED : 0);
    assert_int_equal(__real_recv(m.client, &byte, 1, 0), both ? 0 : 1);
    part(&m);
}

static void an_interrupted_reader_sees_end_of_file_and_may_answer(void **state)
{
    (void)state;
    expect_end_of_file(0);
}

static void a_forced_end_is_one_of_both_directions(void **state)
{
    (void)state;
    expect_end_of_file(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_connection_gets_what_the_options_say),
        UNIT_TEST(a_new_connection_is_read_before_it_is_waited_for),
        UNIT_TEST(a_silent_connection_is_waited_for_without_memory),
        UNIT_TEST(an_adopted_listener_makes_no_difference),
        UNIT_TEST(it_blocks_unless_the_strategy_waits),
        UNIT_TEST(the_client_is_known_by_its_address),
        UNIT_TEST(faults_of_a_connection_are_not_the_listeners),
        UNIT_TEST(other_faults_are_told),
        UNIT_TEST(a_shutdown_may_wait_for_the_peer_to_close),
        UNIT_TEST(a_shutdown_need_not_wait),
        UNIT_TEST(an_interrupted_reader_sees_end_of_file_and_may_answer),
        UNIT_TEST(a_forced_end_is_one_of_both_directions),
    };

    return cmocka_run_group_tests_name("transport_stream", tests, NULL, NULL);
}
