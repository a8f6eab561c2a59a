#include "unit.h"

#include "request.h"
#include "server.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* A server of Unix packets, and where a client's socket may be. */
static char directory[40];
static struct sockaddr_un server_at, client_at;

static int errors, last_error; /* told to handle_error */

static int begin(void **state)
{
    int rc = unit_begin(state);

    strcpy(directory, "/tmp/sks-unit-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    memset(&server_at, 0, sizeof server_at);
    memset(&client_at, 0, sizeof client_at);
    server_at.sun_family = client_at.sun_family = AF_UNIX;
    snprintf(server_at.sun_path, sizeof server_at.sun_path, "%s/server",
             directory);
    snprintf(client_at.sun_path, sizeof client_at.sun_path, "%s/client",
             directory);
    errors = last_error = 0;
    return rc;
}

static int end(void **state)
{
    char path[sizeof client_at.sun_path + 1] = "";

    memcpy(path, client_at.sun_path, sizeof client_at.sun_path);
    unlink(path);
    if (rmdir(directory) < 0)
        return -1;
    return unit_end(state);
}

#define PACKET_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* Echoes the packet. */
static int echo(sks_request *r)
{
    size_t n;
    const void *packet = sks_request_packet(r, &n);

    return sks_wfile_write(sks_request_wfile(r), packet, n);
}

static void keep_error(void *arg, const sks_request *r, int error)
{
    (void)arg, (void)r;
    errors++;
    last_error = error;
}

static sks_server *server_new(int (*handle)(sks_request *))
{
    sks_handler handler = {.size = sizeof handler, .handle = handle};
    sks_server *server =
        sks_unix_datagram_server_new(server_at.sun_path, &handler);

    sks_server_set_timeout_ms(server, DEADLINE_MS);
    sks_server_set_request_timeout_ms(server, DEADLINE_MS);
    sks_server_set_handle_error(server, keep_error, NULL);
    assert_int_equal(sks_server_bind(server), 0);
    return server;
}

static int client_new(int is_named)
{
    int fd = __real_socket(AF_UNIX, SOCK_DGRAM, 0);

    if (is_named)
        assert_return_code(__real_bind(fd, (struct sockaddr *)&client_at,
                                       sizeof client_at),
                           errno);
    assert_return_code(connect(fd, (struct sockaddr *)&server_at,
                               sizeof server_at),
                       errno);
    return fd;
}

static void serve(sks_server *server, int client, const char *text)
{
    assert_int_equal(__real_send(client, text, strlen(text), 0), strlen(text));
    assert_int_equal(sks_server_handle_request(server), 1);
}

static void expect_reply(int client, const char *text)
{
    char came[100];

    assert_int_equal(__real_recv(client, came, sizeof came, MSG_DONTWAIT),
                     strlen(text));
    assert_memory_equal(came, text, strlen(text));
}

static void expect_silence(int client)
{
    char byte;

    assert_int_equal(__real_recv(client, &byte, 1, MSG_DONTWAIT), -1);
}

/* --- replies --- */

static void a_reply_goes_where_the_packet_came_from(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);

    (void)state;
    serve(server, client, "hello");
    expect_reply(client, "hello");
    serve(server, client, "");
    expect_reply(client, "");
    assert_int_equal(errors, 0);
    close(client);
    sks_server_free(server);
}

static int stay_silent(sks_request *r)
{
    (void)r;
    return 0;
}

static void without_a_word_no_reply_is_sent(void **state)
{
    sks_server *server = server_new(stay_silent);
    int client = client_new(1);

    (void)state;
    serve(server, client, "hello");
    expect_silence(client);
    close(client);
    sks_server_free(server);
}

/* Linux says of such a path that it is longer than its struct. */
static void the_longest_path_gets_its_reply(void **state)
{
    size_t n = strlen(client_at.sun_path);
    sks_server *server;
    int client;

    (void)state;
    memset(client_at.sun_path + n, 'p', sizeof client_at.sun_path - n);
    server = server_new(echo);
    client = client_new(1);
    serve(server, client, "hello");
    assert_int_equal(last_error, 0);
    expect_reply(client, "hello");
    close(client);
    sks_server_free(server);
}

static void who_has_no_name_is_gone_for_a_reply(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(0);

    (void)state;
    serve(server, client, "hello");
    assert_int_equal(errors, 0);
    expect_silence(client);
    close(client);
    sks_server_free(server);
}

static void a_reply_that_cannot_be_sent_is_told(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);

    (void)state;
    fault_set(FAULT_SEND, 0, 1, EMSGSIZE);
    serve(server, client, "hello");
    assert_int_equal(errors, 1);
    assert_int_equal(last_error, -EMSGSIZE);
    close(client);
    sks_server_free(server);
}

static void a_client_that_closed_is_no_error(void **state)
{
    static const int gone[] = {ECONNREFUSED, ECONNRESET, EHOSTUNREACH};

    (void)state;
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        sks_server *server = server_new(echo);
        int client = client_new(1);

        fault_set(FAULT_SEND, 0, 1, gone[i]);
        serve(server, client, "hello");
        assert_int_equal(errors, 0);
        assert_int_equal(fault_hits(FAULT_SEND), 1);
        close(client);
        unlink(client_at.sun_path);
        sks_server_free(server);
    }
}

static void a_reply_waits_for_room(void **state)
{
    static const int full[] = {EAGAIN, ENOBUFS, EINTR};
    sks_server *server = server_new(echo);
    int client = client_new(1);

    (void)state;
    for (size_t i = 0; i < sizeof full / sizeof *full; i++) {
        fault_set(FAULT_SEND, 0, 4, full[i]);
        serve(server, client, "hello");
        assert_int_equal(fault_calls(FAULT_SEND), 5);
        expect_reply(client, "hello");
    }
    assert_int_equal(errors, 0);
    close(client);
    sks_server_free(server);
}

static int echo_in_no_time(sks_request *r)
{
    sks_request_set_timeout_ms(r, 3);
    return echo(r);
}

static void a_reply_does_not_wait_for_ever(void **state)
{
    sks_server *server = server_new(echo_in_no_time);
    int client = client_new(1);

    (void)state;
    fault_set(FAULT_SEND, 0, FAULT_ALWAYS, EAGAIN);
    serve(server, client, "hello");
    assert_int_equal(last_error, SKS_ETIMEDOUT);
    assert_true(fault_calls(FAULT_SEND) > 1);
    close(client);
    sks_server_free(server);
}

/* --- packets --- */

static void an_interrupted_receive_is_made_again(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);

    (void)state;
    fault_set(FAULT_RECV, 0, 3, EINTR);
    serve(server, client, "hello");
    expect_reply(client, "hello");
    close(client);
    sks_server_free(server);
}

/* Linux reports on the socket what an earlier reply met on its way. */
static void the_fault_of_an_earlier_reply_is_not_the_servers(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);

    (void)state;
    fault_set(FAULT_RECV, 0, 1, ECONNREFUSED);
    serve(server, client, "hello");
    assert_int_equal(errors, 0);
    expect_reply(client, "hello");
    close(client);
    sks_server_free(server);
}

static void a_fault_of_the_socket_ends_serving(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);

    (void)state;
    fault_set(FAULT_RECV, 0, 1, EIO);
    __real_send(client, "x", 1, 0);
    assert_int_equal(sks_server_handle_request(server), -EIO);
    close(client);
    sks_server_free(server);
}

/* --- several at once --- */

/* Fills the server's queue, and takes n of the packets. */
static void take(sks_server *server, int client, sks_request **rs, int n)
{
    char text[2] = "a";

    for (int i = 0; i < n; i++, text[0]++)
        assert_int_equal(__real_send(client, text, 1, 0), 1);
    assert_int_equal(sks_server_get_requests(server, 0, rs, (size_t)n), n);
}

static void expect_letters(int client, const char *letters)
{
    for (char text[2] = ""; *letters != '\0'; letters++) {
        text[0] = *letters;
        expect_reply(client, text);
    }
    expect_silence(client);
}

static void many_packets_are_taken_and_answered_at_once(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);
    sks_request *rs[5];

    (void)state;
    for (int i = 0; i < 3; i++) {
        fault_clear();
        take(server, client, rs, 5);
        sks_requests_run(rs, 5);
        expect_letters(client, "abcde");
    }
#ifndef SKS_PLAIN_POSIX
    assert_int_equal(fault_calls(FAULT_RECV), 1);
    assert_int_equal(fault_calls(FAULT_SEND), 1);
#endif
    close(client);
    sks_server_free(server);
}

static void fewer_come_if_there_are_no_more(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);
    sks_request *rs[9];

    (void)state;
    assert_int_equal(sks_server_get_requests(server, 0, rs, 9), SKS_ETIMEDOUT);
    take(server, client, rs, 3);
    sks_requests_run(rs, 3);
    __real_send(client, "x", 1, 0);
    assert_int_equal(sks_server_get_requests(server, 0, rs, 9), 1);
    assert_int_equal(sks_server_get_requests(server, 1, rs + 1, 8), -EINVAL);
    sks_server_shutdown(server);
    assert_int_equal(sks_server_get_requests(server, 0, rs + 1, 8),
                     SKS_ECLOSED);
    sks_requests_run(rs, 1);
    close(client);
    sks_server_free(server);
}

/* The system may take fewer at once than it is given. */
static void replies_may_leave_in_several_goes(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);
    sks_request *rs[5];

    (void)state;
    take(server, client, rs, 5);
    fault_shorten(2);
    sks_requests_run(rs, 5);
    expect_letters(client, "abcde");
    close(client);
    sks_server_free(server);
}

static void a_reply_that_fails_keeps_no_other_back(void **state)
{
    sks_server *server = server_new(echo);
    int client = client_new(1);
    sks_request *rs[5];

    (void)state;
    take(server, client, rs, 5);
    /* Two fail: the many, and then the first of them by itself. */
    fault_set(FAULT_SEND, 0, 2, EMSGSIZE);
    sks_requests_run(rs, 5);
    assert_int_equal(errors, 1);
    assert_int_equal(last_error, -EMSGSIZE);
    expect_letters(client, "bcde");
    close(client);
    sks_server_free(server);
}

static int stay_silent_at_c(sks_request *r)
{
    const char *packet = sks_request_packet(r, NULL);

    return *packet == 'c' ? 0 : *packet == 'b' ? -EIO : echo(r);
}

static void those_without_a_reply_are_passed_over(void **state)
{
    sks_server *server = server_new(stay_silent_at_c);
    int client = client_new(1);
    sks_request *rs[5];

    (void)state;
    take(server, client, rs, 5);
    sks_requests_run(rs, 5);
    assert_int_equal(errors, 1);
    expect_letters(client, "ade");
    close(client);
    sks_server_free(server);
}

static int only_even(void *arg, const sks_request *r)
{
    (void)arg;
    return *(const char *)sks_request_packet(r, NULL) % 2 == 0;
}

static void of_many_some_may_be_refused(void **state)
{
    sks_handler handler = {.size = sizeof handler, .handle = echo};
    sks_server *server =
        sks_unix_datagram_server_new(server_at.sun_path, &handler);
    sks_request *rs[4];
    int client;

    (void)state;
    sks_server_set_verify_request(server, only_even, NULL);
    assert_int_equal(sks_server_bind(server), 0);
    client = client_new(1);
    for (int i = 0; i < 4; i++)
        __real_send(client, &"abcd"[i], 1, 0);
    assert_int_equal(sks_server_get_requests(server, 0, rs, 4), 2);
    sks_requests_run(rs, 2);
    expect_letters(client, "bd");
    __real_send(client, "a", 1, 0);
    assert_int_equal(sks_server_get_requests(server, 0, rs, 4), 0);
    close(client);
    sks_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PACKET_TEST(a_reply_goes_where_the_packet_came_from),
        PACKET_TEST(without_a_word_no_reply_is_sent),
        PACKET_TEST(the_longest_path_gets_its_reply),
        PACKET_TEST(who_has_no_name_is_gone_for_a_reply),
        PACKET_TEST(a_reply_that_cannot_be_sent_is_told),
        PACKET_TEST(a_client_that_closed_is_no_error),
        PACKET_TEST(a_reply_waits_for_room),
        PACKET_TEST(a_reply_does_not_wait_for_ever),
        PACKET_TEST(an_interrupted_receive_is_made_again),
        PACKET_TEST(the_fault_of_an_earlier_reply_is_not_the_servers),
        PACKET_TEST(a_fault_of_the_socket_ends_serving),
        PACKET_TEST(many_packets_are_taken_and_answered_at_once),
        PACKET_TEST(fewer_come_if_there_are_no_more),
        PACKET_TEST(replies_may_leave_in_several_goes),
        PACKET_TEST(a_reply_that_fails_keeps_no_other_back),
        PACKET_TEST(those_without_a_reply_are_passed_over),
        PACKET_TEST(of_many_some_may_be_refused),
    };

    return cmocka_run_group_tests_name("transport_datagram", tests, NULL, NULL);
}
