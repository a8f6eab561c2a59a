/* Streams whose layer waits by itself: sockets that block within their time
 * limits. */
#include "unit.h"

#include "clock.h"
#include "fd.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/time.h>

struct call {
    struct sks__stream stream;
    int peer;
};

static void call_open(struct call *c, int limit_ms)
{
    struct sks__waiter none = {.wait = NULL};
    int fds[2];

    unit_pair(SOCK_STREAM, fds);
    sks__stream_init(&c->stream, &sks__socket_layer, fds[0], none, 1, limit_ms);
    c->peer = fds[1];
}

static void call_close(struct call *c)
{
    close(c->stream.fd);
    close(c->peer);
}

/* Reads a byte that is there. */
static void read_one(struct call *c)
{
    char byte;

    assert_int_equal(__real_send(c->peer, "x", 1, 0), 1);
    assert_int_equal(sks__stream_read(&c->stream, &byte, 1), 1);
}

static void write_one(struct call *c)
{
    struct iovec iov = {(void *)"x", 1};

    assert_int_equal(sks__stream_write(&c->stream, &iov, 1, 0), 0);
}

/* The socket's own time limit in whole ticks, without the one that is added. */
static long long limit_ms(const struct call *c, int name)
{
    struct timeval limit = {-1, 0};
    socklen_t len = sizeof limit;
    long long ms;

    getsockopt(c->stream.fd, SOL_SOCKET, name, &limit, &len);
    if (limit.tv_sec == 0 && limit.tv_usec == 0)
        return 0;
    ms = (long long)limit.tv_sec * 1000 + limit.tv_usec / 1000;
    return (ms / SKS__FD_TICK_MS - 1) * SKS__FD_TICK_MS;
}

static void the_socket_gets_the_time_limit_of_each_direction(void **state)
{
    struct call c;

    (void)state;
    call_open(&c, -1);
    c.stream.timeout_ms = 61000;
    read_one(&c);
    assert_int_equal(limit_ms(&c, SO_RCVTIMEO), 61000);
    assert_int_equal(limit_ms(&c, SO_SNDTIMEO), 0);
    write_one(&c);
    assert_int_equal(limit_ms(&c, SO_SNDTIMEO), 61000);
    c.stream.timeout_ms = -1;
    read_one(&c);
    assert_int_equal(limit_ms(&c, SO_RCVTIMEO), 0);
    assert_int_equal(limit_ms(&c, SO_SNDTIMEO), 61000);
    call_close(&c);
}

/* The socket was said to have 61 seconds already, and that is believed; what
 * the stream set itself it remembers. */
static void a_time_limit_that_is_there_is_not_set_again(void **state)
{
    struct call c;

    (void)state;
    call_open(&c, 61000);
    c.stream.timeout_ms = 61000;
    read_one(&c);
    write_one(&c);
    assert_int_equal(limit_ms(&c, SO_RCVTIMEO), 0);
    assert_int_equal(limit_ms(&c, SO_SNDTIMEO), 0);
    c.stream.timeout_ms = 62000;
    read_one(&c);
    assert_int_equal(limit_ms(&c, SO_RCVTIMEO), 62000);
    sks__fd_set_time_limit(c.stream.fd, SO_RCVTIMEO, 5000);
    read_one(&c);
    assert_int_equal(limit_ms(&c, SO_RCVTIMEO), 5000);
    call_close(&c);
}

static void the_deadline_makes_it_shorter(void **state)
{
    struct call c;

    (void)state;
    call_open(&c, -1);
    c.stream.timeout_ms = INT_MAX;
    c.stream.deadline = sks__clock_after(61000);
    read_one(&c);
    assert_in_range(limit_ms(&c, SO_RCVTIMEO), 1, 61000);
    call_close(&c);
}

/* In a call that blocks, a peer that takes a byte now and then would put the
 * end off again and again. */
static void with_a_deadline_it_no_longer_blocks(void **state)
{
    struct call c;
    char byte;

    (void)state;
    call_open(&c, -1);
    sks__stream_set_deadline(&c.stream, SKS__NEVER);
    assert_true(c.stream.blocking);
    assert_false(fcntl(c.stream.fd, F_GETFL) & O_NONBLOCK);
    sks__stream_set_deadline(&c.stream, sks__clock_after(DEADLINE_MS));
    assert_false(c.stream.blocking);
    assert_true(fcntl(c.stream.fd, F_GETFL) & O_NONBLOCK);
    read_one(&c);
    write_one(&c);
    sks__stream_set_deadline(&c.stream, 1);
    assert_int_equal(sks__stream_read(&c.stream, &byte, 1), SKS_ETIMEDOUT);
    call_close(&c);
}

static void after_an_interruption_no_longer_wait_begins(void **state)
{
    struct call c;

    (void)state;
    call_open(&c, -1);
    c.stream.timeout_ms = 61000;
    fault_set(FAULT_RECV, 0, 3, EINTR);
    fault_set(FAULT_SEND, 0, 3, EINTR);
    read_one(&c);
    write_one(&c);
    assert_int_equal(fault_hits(FAULT_RECV), 3);
    assert_int_equal(fault_hits(FAULT_SEND), 3);
    assert_in_range(limit_ms(&c, SO_RCVTIMEO), 1, 61000);
    assert_in_range(limit_ms(&c, SO_SNDTIMEO), 1, 61000);
    call_close(&c);
}

static void it_needs_no_poll_and_times_out(void **state)
{
    struct call c;
    char byte;

    (void)state;
    call_open(&c, -1);
    c.stream.timeout_ms = 10;
    fault_set(FAULT_POLL, 0, 0, 0);
    read_one(&c);
    assert_int_equal(sks__stream_read(&c.stream, &byte, 1), SKS_ETIMEDOUT);
    c.stream.timeout_ms = 0;
    assert_int_equal(sks__stream_read(&c.stream, &byte, 1), SKS_ETIMEDOUT);
    read_one(&c);
    c.stream.timeout_ms = -1;
    c.stream.deadline = 1;
    assert_int_equal(sks__stream_read(&c.stream, &byte, 1), SKS_ETIMEDOUT);
    read_one(&c);
    assert_int_equal(fault_calls(FAULT_POLL), 0);
    call_close(&c);
}

static void a_peer_that_takes_nothing_is_a_timeout(void **state)
{
    static char many[1 << 20];
    struct iovec iov = {many, sizeof many};
    struct call c;

    (void)state;
    call_open(&c, -1);
    c.stream.timeout_ms = 10;
    assert_int_equal(sks__stream_write(&c.stream, &iov, 1, 0), SKS_ETIMEDOUT);
    call_close(&c);
}

static void a_time_limit_that_cannot_be_set_is_told(void **state)
{
    struct sks__waiter none = {.wait = NULL};
    struct sks__stream s;
    char byte;

    (void)state;
    sks__stream_init(&s, &sks__socket_layer, -1, none, 1, -1);
    s.timeout_ms = 1000;
    assert_int_equal(sks__stream_read(&s, &byte, 1), -EBADF);
}

static void without_a_waiter_the_thread_itself_waits(void **state)
{
    struct sks__waiter none = {.wait = NULL};
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__waiter_wait(&none, fds[0], POLLOUT, DEADLINE_MS), 1);
    assert_int_equal(sks__waiter_wait(&none, fds[0], POLLIN, 0), 0);
    assert_int_equal(sks__waiter_wait(&none, -1, 0, 1), 0);
    close(fds[0]);
    close(fds[1]);
}

/* --- polling first --- */

/* The clock goes on by so much each time that somebody looks at it. */
enum { STEP_US = 100 };

int64_t __wrap_sks__clock_us(void);

int64_t __wrap_sks__clock_us(void)
{
    static int64_t now;

    return now += STEP_US;
}

static void polling_takes_no_longer_than_a_wait_may(void **state)
{
    enum { MS = 10, LOOKS = MS * 1000 / STEP_US + 2 };
    struct call c;
    char byte;

    (void)state;
    call_open(&c, -1);
    c.stream.spin_us = 1000000;
    c.stream.timeout_ms = MS;
    fault_clear();
    assert_int_equal(sks__stream_read(&c.stream, &byte, 1), SKS_ETIMEDOUT);
    assert_in_range(fault_calls(FAULT_RECV), LOOKS / 2, LOOKS);
    /* The same where the stream does not wait in its reads. */
    sks__stream_set_deadline(&c.stream, sks__clock_after(DEADLINE_MS));
    fault_clear();
    assert_int_equal(sks__stream_read(&c.stream, &byte, 1), SKS_ETIMEDOUT);
    assert_in_range(fault_calls(FAULT_POLL), LOOKS / 2, LOOKS);
    call_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(the_socket_gets_the_time_limit_of_each_direction),
        UNIT_TEST(a_time_limit_that_is_there_is_not_set_again),
        UNIT_TEST(the_deadline_makes_it_shorter),
        UNIT_TEST(with_a_deadline_it_no_longer_blocks),
        UNIT_TEST(after_an_interruption_no_longer_wait_begins),
        UNIT_TEST(it_needs_no_poll_and_times_out),
        UNIT_TEST(a_peer_that_takes_nothing_is_a_timeout),
        UNIT_TEST(a_time_limit_that_cannot_be_set_is_told),
        UNIT_TEST(without_a_waiter_the_thread_itself_waits),
        UNIT_TEST(polling_takes_no_longer_than_a_wait_may),
    };

    return cmocka_run_group_tests_name("stream_blocking", tests, NULL, NULL);
}
