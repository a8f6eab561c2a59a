#include "unit.h"

#include "fd.h"
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* The layer over one end of a pair, the other end of which is the test's. */
struct line {
    struct sks__stream stream;
    int peer;
};

static struct line line_open(int timeout_ms)
{
    struct sks__waiter none = {.wait = NULL};
    struct line l;
    int fds[2];

    unit_pair(SOCK_STREAM, fds);
    sks__stream_init(&l.stream, &sks__socket_layer, fds[0], none, 1, -1);
    l.stream.timeout_ms = timeout_ms;
    l.peer = fds[1];
    return l;
}

static void line_close(struct line *l)
{
    close(l->stream.fd);
    if (l->peer >= 0)
        close(l->peer);
}

static void bytes_go_both_ways(void **state)
{
    struct line l = line_open(-1);
    struct iovec iov[] = {{(void *)"an", 2}, {(void *)"swer", 4}};
    char came[10];

    (void)state;
    __real_send(l.peer, "question", 8, 0);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 10), 8);
    assert_memory_equal(came, "question", 8);
    assert_int_equal(sks__socket_layer.write(&l.stream, iov, 2, 0), 6);
    assert_int_equal(__real_recv(l.peer, came, 10, 0), 6);
    assert_memory_equal(came, "answer", 6);
    line_close(&l);
}

static void without_time_a_blocking_socket_does_not_block(void **state)
{
    static char many[1 << 20];
    struct line l = line_open(0);
    struct iovec iov = {many, sizeof many};
    ssize_t n;

    (void)state;
    assert_int_equal(sks__socket_layer.read(&l.stream, many, 1), -EAGAIN);
    assert_int_equal(l.stream.wants, POLLIN);
    do
        n = sks__socket_layer.write(&l.stream, &iov, 1, 0);
    while (n > 0);
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(l.stream.wants, POLLOUT);
    line_close(&l);
}

/* A socket that does not block and gave less than it was asked for is not
 * asked again before a wait. */
static void a_read_that_took_all_says_so(void **state)
{
    struct line l = line_open(-1);
    char came[10];

    (void)state;
    l.stream.blocking = 0;
    __real_send(l.peer, "012345", 6, 0);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 4), 4);
    assert_false(l.stream.dry);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 4), 2);
    assert_true(l.stream.dry);
    fault_set(FAULT_RECV, 0, 0, 0);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 4), -EAGAIN);
    assert_int_equal(l.stream.wants, POLLIN);
    assert_int_equal(fault_calls(FAULT_RECV), 0);
    line_close(&l);
}

/* No wait would tell of it. */
static void without_time_the_socket_itself_is_asked(void **state)
{
    struct line l = line_open(0);
    char came[10];

    (void)state;
    l.stream.blocking = 0;
    l.stream.dry = 1;
    __real_send(l.peer, "012345", 6, 0);
    assert_int_equal(sks__stream_read(&l.stream, came, 10), 6);
    assert_int_equal(sks__stream_read(&l.stream, came, 10), SKS_ETIMEDOUT);
    __real_send(l.peer, "67", 2, 0);
    assert_int_equal(sks__stream_read(&l.stream, came, 10), 2);
    line_close(&l);
}

static void interruptions_are_passed_on(void **state)
{
    struct line l = line_open(-1);
    struct iovec iov = {(void *)"x", 1};
    char byte;

    (void)state;
    fault_set(FAULT_RECV, 0, 1, EINTR);
    fault_set(FAULT_SEND, 0, 1, EINTR);
    assert_int_equal(sks__socket_layer.read(&l.stream, &byte, 1), -EINTR);
    assert_int_equal(sks__socket_layer.write(&l.stream, &iov, 1, 0), -EINTR);
    line_close(&l);
}

static void a_file_is_sent(void **state)
{
    struct line l = line_open(-1);
    int file = unit_file(1000);
    char came[100];

    (void)state;
    assert_int_equal(sks__socket_layer.sendfile(&l.stream, file, 300, 100),
                     100);
    assert_int_equal(l.stream.wants, POLLOUT);
    assert_int_equal(__real_recv(l.peer, came, 100, 0), 100);
    unit_expect(came, 100, 300);
    close(file);
    line_close(&l);
}

#ifdef TCP_CORK
static int is_corked(int fd)
{
    int on = -1;
    socklen_t len = sizeof on;

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, &len), 0);
    return on;
}

static void a_tcp_socket_is_corked_and_let_go(void **state)
{
    struct sks__stream s = {.fd = __real_socket(AF_INET, SOCK_STREAM, 0)};
    int rc = sks__socket_layer.cork(&s, 1);

    (void)state;
    if (rc != -ENOTSUP) {
        assert_int_equal(rc, 0);
        assert_true(is_corked(s.fd));
        assert_int_equal(sks__socket_layer.cork(&s, 0), 0);
    }
    assert_false(is_corked(s.fd));
    close(s.fd);
}
#endif

static void no_other_socket_is_corked(void **state)
{
    struct line l = line_open(-1);

    (void)state;
    assert_true(sks__socket_layer.cork(&l.stream, 1) < 0);
    line_close(&l);
}

static void a_tunnel_is_filled_or_refused(void **state)
{
    struct line l = line_open(-1);
    struct sks__fd_tunnel t;

    (void)state;
    __real_send(l.peer, "bytes", 5, 0);
    if (sks__fd_tunnel_open(&t) == 0) {
        assert_int_equal(sks__socket_layer.fill(&l.stream, &t, 100), 5);
        sks__fd_tunnel_close(&t);
    } else {
        assert_int_equal(sks__socket_layer.fill(&l.stream, &t, 100), -EINVAL);
    }
    assert_int_equal(l.stream.wants, POLLIN);
    line_close(&l);
}

/* --- what the waiter received --- */

/* Has some bytes; then nothing until it is asked what there is now; then it
 * leaves the socket to the layer. */
struct receiver {
    const char *bytes;
    int looks;
};

static ssize_t receive_ahead(void *self, int fd, void *buf, size_t n, int now)
{
    struct receiver *r = self;
    size_t left = strlen(r->bytes);

    (void)fd;
    if (left > 0 || n == 0) {
        if (n > left)
            n = left;
        if (n > 0)
            memcpy(buf, r->bytes, n);
        r->bytes += n;
        return left > 0 ? (ssize_t)n : -EAGAIN;
    }
    if (r->looks > 0)
        return -EOPNOTSUPP;
    r->looks += now;
    return -EAGAIN;
}

static struct line receiving_line(struct receiver *r)
{
    struct line l = line_open(-1);

    l.stream.blocking = 0;
    l.stream.dry = 1;
    l.stream.waiter = (struct sks__waiter){.self = r, .receive = receive_ahead};
    return l;
}

static void what_was_received_ahead_is_read_first(void **state)
{
    struct receiver r = {.bytes = "ahead"};
    struct line l = receiving_line(&r);
    char came[10];

    (void)state;
    __real_send(l.peer, "later", 5, 0);
    assert_int_equal(sks__stream_await(&l.stream), 0);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 3), 3);
    assert_int_equal(sks__socket_layer.read(&l.stream, came + 3, 7), 2);
    assert_memory_equal(came, "ahead", 5);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 10), -EAGAIN);
    assert_int_equal(l.stream.wants, POLLIN);
    l.stream.timeout_ms = 0;
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 10), -EAGAIN);
    assert_int_equal(r.looks, 1);
    l.stream.dry = 0;
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 10), 5);
    assert_memory_equal(came, "later", 5);
    line_close(&l);
}

/* The waiter does not begin before more is wanted than that. */
static void what_came_with_the_connection_is_read_by_itself(void **state)
{
    struct receiver r = {.bytes = "ahead"};
    struct line l = receiving_line(&r);
    char came[10];

    (void)state;
    l.stream.dry = 0;
    __real_send(l.peer, "first", 5, 0);
    assert_int_equal(sks__stream_await(&l.stream), 0);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 5), 5);
    assert_memory_equal(came, "first", 5);
    __real_send(l.peer, "next", 4, 0);
    assert_int_equal(sks__socket_layer.read(&l.stream, came, 10), 4);
    assert_memory_equal(came, "next", 4);
    for (int dry = 1; dry >= 0; dry--) {
        assert_int_equal(l.stream.dry, dry);
        assert_int_equal(sks__socket_layer.read(&l.stream, came, 1), 1);
        assert_int_equal(came[0], "ah"[1 - dry]);
        l.stream.dry = 0;
    }
    line_close(&l);
}

static void what_was_received_ahead_goes_through_a_tunnel_too(void **state)
{
    struct receiver r = {.bytes = "ahead"};
    struct line l = receiving_line(&r);
    struct sks__fd_tunnel t;
    char came[10];

    (void)state;
    if (sks__fd_tunnel_open(&t) < 0) {
        line_close(&l);
        skip();
    }
    assert_int_equal(sks__socket_layer.fill(&l.stream, &t, 100), 5);
    assert_int_equal(__real_read(t.read_fd, came, 10), 5);
    assert_memory_equal(came, "ahead", 5);
    assert_int_equal(sks__socket_layer.fill(&l.stream, &t, 100), -EAGAIN);
    assert_int_equal(l.stream.wants, POLLIN);
    sks__fd_tunnel_close(&t);
    line_close(&l);
}

/* --- what the waiter sends later --- */

/* What send_later() was given, and says. */
static struct {
    const void *bytes;
    size_t n;
    int calls, result;
} later;

static int send_later(void *self, int fd, const void *buf, size_t n)
{
    const struct line *l = self;

    assert_int_equal(fd, l->stream.fd);
    later.calls++;
    later.bytes = buf;
    later.n = n;
    return later.result;
}

static void line_open_later(struct line *self, int result)
{
    *self = line_open(-1);
    self->stream.waiter.self = self;
    self->stream.waiter.send = send_later;
    later.calls = 0;
    later.result = result;
}

static ssize_t write_text(struct line *l, const char *text, int more)
{
    struct iovec iov = {(void *)text, strlen(text)};

    return sks__socket_layer.write(&l->stream, &iov, 1, more);
}

static void expect_peer_has(const struct line *l, const char *text)
{
    char came[16] = "";

    __real_recv(l->peer, came, sizeof came - 1, MSG_DONTWAIT);
    assert_string_equal(came, text);
}

static void a_write_may_be_left_to_the_waiter(void **state)
{
    struct line l;

    (void)state;
    line_open_later(&l, 0);
    assert_int_equal(write_text(&l, "hello", 0), 5);
    assert_int_equal(later.n, 5);
    assert_memory_equal(later.bytes, "hello", 5);
    expect_peer_has(&l, "");
    line_close(&l);
}

static void what_the_waiter_does_not_take_is_sent(void **state)
{
    struct line l;

    (void)state;
    line_open_later(&l, -EOPNOTSUPP);
    assert_int_equal(write_text(&l, "hello", 0), 5);
    assert_int_equal(later.n, 5);
    expect_peer_has(&l, "hello");
    line_close(&l);
}

/* What more follows soon, what lies in several places, and what goes to a
 * descriptor that others write to. */
static void the_waiter_only_hears_of_what_is_sent_at_once(void **state)
{
    struct iovec iov[] = {{(void *)"a", 1}, {(void *)"b", 1}};
    struct line l;

    (void)state;
    line_open_later(&l, 0);
    assert_int_equal(sks__socket_layer.write(&l.stream, iov, 2, 0), 2);
    assert_int_equal(later.n, 0);
    assert_int_equal(write_text(&l, "c", 1), 1);
    assert_int_equal(later.n, 0);
    l.stream.direct = 1;
    assert_int_equal(write_text(&l, "d", 0), 1);
    assert_int_equal(later.n, 0);
    assert_int_equal(later.calls, 3);
    expect_peer_has(&l, "abcd");
    line_close(&l);
}

static void a_file_comes_after_what_was_left_to_the_waiter(void **state)
{
    int file = unit_file(10);
    struct line l;

    (void)state;
    line_open_later(&l, 0);
    assert_int_equal(sks__socket_layer.sendfile(&l.stream, file, 0, 10), 10);
    assert_int_equal(later.calls, 1);
    assert_int_equal(later.n, 0);
    later.result = -EAGAIN;
    assert_int_equal(sks__socket_layer.sendfile(&l.stream, file, 0, 10),
                     -EAGAIN);
    assert_int_equal(l.stream.wants, POLLOUT);
    close(file);
    line_close(&l);
}

static void the_end_comes_after_what_was_left_to_the_waiter(void **state)
{
    struct line l;

    (void)state;
    line_open_later(&l, 0);
    assert_int_equal(sks__socket_layer.shutdown(&l.stream), 0);
    assert_int_equal(later.calls, 1);
    assert_int_equal(later.n, 0);
    line_close(&l);
}

static void what_the_waiter_lost_is_told(void **state)
{
    struct line l;

    (void)state;
    line_open_later(&l, -EPIPE);
    assert_int_equal(write_text(&l, "hello", 0), -EPIPE);
    assert_int_equal(write_text(&l, "hello", 1), -EPIPE);
    assert_int_equal(sks__socket_layer.settle(&l.stream), -EPIPE);
    expect_peer_has(&l, "");
    line_close(&l);
}

static void all_is_settled_where_the_waiter_sends_nothing(void **state)
{
    struct line l;

    (void)state;
    line_open_later(&l, -EOPNOTSUPP);
    assert_int_equal(sks__socket_layer.settle(&l.stream), 0);
    l.stream.waiter.send = NULL;
    assert_int_equal(sks__socket_layer.settle(&l.stream), 0);
    line_close(&l);
}

static void a_shutdown_ends_writing_alone(void **state)
{
    struct line l = line_open(-1);
    char byte;

    (void)state;
    assert_int_equal(sks__socket_layer.shutdown(&l.stream), 0);
    assert_int_equal(__real_recv(l.peer, &byte, 1, 0), 0);
    __real_send(l.peer, "x", 1, 0);
    assert_int_equal(sks__socket_layer.read(&l.stream, &byte, 1), 1);
    line_close(&l);
}

static void the_end_of_the_peer_is_seen(void **state)
{
    struct line l = line_open(-1);
    struct iovec iov = {(void *)"x", 1};
    char byte;

    (void)state;
    unit_count_pipes();
    close(l.peer);
    l.peer = -1;
    assert_int_equal(sks__socket_layer.read(&l.stream, &byte, 1), 0);
    assert_int_equal(sks__socket_layer.write(&l.stream, &iov, 1, 1), -EPIPE);
    assert_int_equal(unit_pipes(), 0);
    line_close(&l);
}

static void what_is_no_connection_is_told(void **state)
{
    struct line l = line_open(-1);

    (void)state;
    close(l.stream.fd);
    l.stream.fd = __real_socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(sks__socket_layer.shutdown(&l.stream), -ENOTCONN);
    line_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(bytes_go_both_ways),
        UNIT_TEST(without_time_a_blocking_socket_does_not_block),
        UNIT_TEST(a_read_that_took_all_says_so),
        UNIT_TEST(without_time_the_socket_itself_is_asked),
        UNIT_TEST(interruptions_are_passed_on),
        UNIT_TEST(a_file_is_sent),
#ifdef TCP_CORK
        UNIT_TEST(a_tcp_socket_is_corked_and_let_go),
#endif
        UNIT_TEST(no_other_socket_is_corked),
        UNIT_TEST(a_tunnel_is_filled_or_refused),
        UNIT_TEST(what_was_received_ahead_is_read_first),
        UNIT_TEST(what_came_with_the_connection_is_read_by_itself),
        UNIT_TEST(what_was_received_ahead_goes_through_a_tunnel_too),
        UNIT_TEST(a_write_may_be_left_to_the_waiter),
        UNIT_TEST(what_the_waiter_does_not_take_is_sent),
        UNIT_TEST(the_waiter_only_hears_of_what_is_sent_at_once),
        UNIT_TEST(a_file_comes_after_what_was_left_to_the_waiter),
        UNIT_TEST(the_end_comes_after_what_was_left_to_the_waiter),
        UNIT_TEST(what_the_waiter_lost_is_told),
        UNIT_TEST(all_is_settled_where_the_waiter_sends_nothing),
        UNIT_TEST(a_shutdown_ends_writing_alone),
        UNIT_TEST(the_end_of_the_peer_is_seen),
        UNIT_TEST(what_is_no_connection_is_told),
    };

    return cmocka_run_group_tests_name("stream_socket", tests, NULL, NULL);
}
