#include "unit.h"

#include "fd.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static int bound_inet(int type)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = __real_socket(AF_INET, type, 0);

    assert_return_code(__real_bind(fd, (struct sockaddr *)&in, sizeof in),
                       errno);
    return fd;
}

/* Bound to a path that is gone already: the socket keeps its name. */
static int bound_unix(int type)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = __real_socket(AF_UNIX, type, 0);

    snprintf(un.sun_path, sizeof un.sun_path, "/tmp/sks-unit-%ld",
             (long)getpid());
    assert_return_code(__real_bind(fd, (struct sockaddr *)&un, sizeof un),
                       errno);
    unlink(un.sun_path);
    return fd;
}

static int is_listening(int fd)
{
    int value = 0;
    socklen_t len = sizeof value;

    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len);
    return value;
}

static void expect_refused(int fd, int error, const char *why)
{
    sks_server *server = sks_fd_server_new(fd, unit_handler());
    char words[100];

    snprintf(words, sizeof words, "cannot serve descriptor %d: %s", fd, why);
    assert_int_equal(sks_server_bind(server), error);
    assert_string_equal(sks_server_error(server), words);
    assert_null(sks_server_address(server, 0));
    sks_server_free(server);
}

static void a_bound_stream_is_made_to_listen(void **state)
{
    int fd = bound_inet(SOCK_STREAM);
    sks_server *server = sks_fd_server_new(fd, unit_handler());
    char text[60];

    (void)state;
    assert_false(is_listening(fd));
    assert_int_equal(sks_server_bind(server), 0);
    assert_true(is_listening(fd));
    snprintf(text, sizeof text, "127.0.0.1:%d", sks_server_port(server));
    assert_string_equal(sks_server_address(server, 0), text);
    assert_ptr_equal(server->listeners[0].transport, &sks__stream_transport);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    sks_server_free(server);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void one_that_listens_keeps_its_backlog(void **state)
{
    int fd = bound_inet(SOCK_STREAM);
    sks_server *server = sks_fd_server_new(fd, unit_handler());

    (void)state;
    assert_return_code(__real_listen(fd, 3), errno);
    fault_set(FAULT_LISTEN, 0, 0, 0);
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(fault_calls(FAULT_LISTEN), 0);
    sks_server_free(server);
}

#ifndef SKS_PLAIN_POSIX

/* Of the socket that a connection came to, which it has inherited. */
static void time_limits_of_an_adopted_socket_do_not_count(void **state)
{
    const struct timeval limit = {.tv_usec = 1000};
    int fd = bound_inet(SOCK_STREAM);
    sks_server *server = sks_fd_server_new(fd, unit_handler());
    struct timeval had;
    socklen_t len = sizeof had;
    sks_request *request;
    char byte;

    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sks_server_set_request_timeout_ms(server, -1);
    assert_int_equal(sks_server_bind(server), 0);
    close(unit_client(fd));
    assert_int_equal(sks_server_get_request(server, &request, DEADLINE_MS), 0);
    fd = sks_request_fileno(request);
    assert_int_equal(sks_rfile_read(sks_request_rfile(request), &byte, 1), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &had, &len), 0);
    assert_true(had.tv_sec == 0 && had.tv_usec == 0);
    sks_request_close(request);
    sks_server_free(server);
}

static int defers(int fd)
{
    int value = -1;
    socklen_t len = sizeof value;

    getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &value, &len);
    return value;
}

/* Whoever bound it may have chosen as well. */
static void silent_connections_are_kept_back_if_so_asked(void **state)
{
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        for (int listens = 0; listens < 2; listens++) {
            int fd = bound_inet(SOCK_STREAM);
            sks_server *server = sks_fd_server_new(fd, unit_handler());

            sks__fd_defer_accept(fd, 3000);
            if (listens)
                assert_return_code(__real_listen(fd, 3), errno);
            if (asked)
                sks_server_set_defer_accept_ms(server, 1000);
            assert_int_equal(sks_server_bind(server), 0);
            assert_int_equal(defers(fd), asked ? 1 : 3);
            sks_server_free(server);
        }
    }
}

#endif

static void sockets_without_a_handshake_are_served_at_once(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sks_server *server = sks_fd_server_new(i < 2 ? bound_unix(types[i])
                                                     : bound_inet(SOCK_DGRAM),
                                               unit_handler());

        sks_server_set_defer_accept_ms(server, 1000);
        assert_int_equal(sks_server_bind(server), 0);
        sks_server_free(server);
    }
}

static void a_socket_of_packets_is_served_as_such(void **state)
{
    sks_server *server =
        sks_fd_server_new(bound_inet(SOCK_DGRAM), unit_handler());
    char text[60];

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_ptr_equal(server->listeners[0].transport, &sks__datagram_transport);
    /* Bound to one address, replies leave from there by themselves. */
    assert_false(server->listeners[0].knows_destination);
    sks_server_free(server);
    server = sks_fd_server_new(bound_unix(SOCK_DGRAM), unit_handler());
    assert_int_equal(sks_server_bind(server), 0);
    snprintf(text, sizeof text, "unix:/tmp/sks-unit-%ld", (long)getpid());
    assert_string_equal(sks_server_address(server, 0), text);
    assert_int_equal(server->listeners[0].family, AF_UNIX);
    sks_server_free(server);
}

static void an_unbound_socket_is_refused(void **state)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sks_server *server =
            sks_fd_server_new(__real_socket(families[i], SOCK_STREAM, 0),
                              unit_handler());

        assert_true(sks_server_bind(server) < 0);
        sks_server_free(server);
    }
}

static void what_cannot_be_served_is_refused(void **state)
{
    int ends[2];

    (void)state;
    expect_refused(-1, -EBADF, "not an open descriptor");
    assert_return_code(__real_pipe(ends), errno);
    expect_refused(ends[0], -ENOTSOCK, "not a socket");
    close(ends[1]);
    expect_refused(bound_unix(SOCK_SEQPACKET), -EPROTOTYPE,
                   "wrong kind of socket");
    expect_refused(__real_socket(AF_NETLINK, SOCK_DGRAM, 0), -EAFNOSUPPORT,
                   "address family not supported");
}

static void a_server_of_streams_takes_no_socket_of_packets(void **state)
{
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());

    (void)state;
    sks_server_add_fd(server, bound_inet(SOCK_DGRAM));
    assert_int_equal(sks_server_bind(server), -EPROTOTYPE);
    assert_null(sks_server_address(server, 0));
    sks_server_free(server);
}

static void it_may_be_one_of_several(void **state)
{
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());

    (void)state;
    sks_server_add_fd(server, bound_inet(SOCK_STREAM));
    assert_int_equal(sks_server_bind(server), 0);
    assert_non_null(sks_server_address(server, 1));
    sks_server_free(server);
}

/* It was not ours before, and bind may be tried again. */
static void a_failed_bind_keeps_the_descriptor(void **state)
{
    int fd = bound_inet(SOCK_STREAM);
    sks_server *server = sks_fd_server_new(fd, unit_handler());

    (void)state;
    fault_set(FAULT_LISTEN, 0, 1, ENOBUFS);
    assert_int_equal(sks_server_bind(server), -ENOBUFS);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    assert_int_equal(sks_server_bind(server), 0);
    sks_server_free(server);
}

/* Whose it is must not depend on where memory ran out. */
static void without_a_server_the_descriptor_stays_with_the_caller(void **state)
{
    static const enum fault_call calls[] = {FAULT_MALLOC, FAULT_MMAP,
                                            FAULT_WAKEUP};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (long skip = 0;; skip++) {
            int fd = bound_inet(SOCK_STREAM);
            sks_server *server;

            fault_set(calls[i], skip, 1, ENOMEM);
            server = sks_fd_server_new(fd, unit_handler());
            fault_clear();
            if (server != NULL) {
                sks_server_free(server);
                break;
            }
            assert_true(fcntl(fd, F_GETFD) >= 0);
            close(fd);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_bound_stream_is_made_to_listen),
        UNIT_TEST(one_that_listens_keeps_its_backlog),
#ifndef SKS_PLAIN_POSIX
        UNIT_TEST(time_limits_of_an_adopted_socket_do_not_count),
        UNIT_TEST(silent_connections_are_kept_back_if_so_asked),
#endif
        UNIT_TEST(sockets_without_a_handshake_are_served_at_once),
        UNIT_TEST(a_socket_of_packets_is_served_as_such),
        UNIT_TEST(an_unbound_socket_is_refused),
        UNIT_TEST(what_cannot_be_served_is_refused),
        UNIT_TEST(a_server_of_streams_takes_no_socket_of_packets),
        UNIT_TEST(it_may_be_one_of_several),
        UNIT_TEST(a_failed_bind_keeps_the_descriptor),
        UNIT_TEST(without_a_server_the_descriptor_stays_with_the_caller),
    };

    return cmocka_run_group_tests_name("transport_fd", tests, NULL, NULL);
}
