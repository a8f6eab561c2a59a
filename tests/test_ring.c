/* Receiving and sending by io_uring(7): lib/ring_uring*.c.  Where there is no
 * ring, that is all there is to see. */
#include "ring.h"
#include "unit.h"
#include "support/shortage.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than one of the ring's buffers takes, and more than it has of them. */
enum { LARGE = 8192, MANY = 4096 };

/* A write that the ring takes, and one that it does not; more of the former
 * than leave with one wait. */
enum { PIECE = 4096, TOO_MUCH = 4097, TOO_MANY = 64 };

static struct sks__poller poller;
static struct sks__poller_node node;
static struct sks__reception reception;
static struct sks__outbox outbox;
static struct sks__ring *ring;
static int ends[2]; /* what is received comes out of ends[0], and what is sent
                       goes into it */

static int begin(void **state)
{
    int rc = unit_begin(state);

    unit_pair(SOCK_STREAM, ends);
    reception = (struct sks__reception){.node = &node};
    outbox = (struct sks__outbox){.node = &node};
    if (rc == 0)
        rc = sks__poller_open(&poller);
    ring = sks__ring_new(&poller);
    return rc;
}

static int end(void **state)
{
    sks__ring_free(ring);
    sks__poller_close(&poller);
    close(ends[0]);
    close(ends[1]);
    return unit_end(state);
}

static void need_ring(void)
{
    if (ring == NULL)
        skip();
}

static ssize_t receive(void *buf, size_t n)
{
    return sks__ring_receive(ring, &reception, ends[0], buf, n);
}

static void say(const void *bytes, size_t n)
{
    assert_int_equal(__real_send(ends[1], bytes, n, 0), n);
}

/* Waits for that event of that node. */
static void await_event(const struct sks__poller_node *expected, short events)
{
    struct sks__poller_event event = {.node = NULL};
    long long start = deadline_now_ms();

    while (sks__ring_wait(ring, &event, 1, deadline_left_ms(start)) == 0)
        assert_true(deadline_left_ms(start) > 0);
    assert_ptr_equal(event.node, expected);
    assert_int_equal(event.events & events, events);
}

static void await(const struct sks__poller_node *expected)
{
    await_event(expected, POLLIN);
}

/* A turn in which nothing happens. */
static void turn(void)
{
    struct sks__poller_event event;

    assert_int_equal(sks__ring_wait(ring, &event, 1, 0), 0);
}

/* Ends the reception, and waits until the system has given it up. */
static void stop(void)
{
    if (sks__ring_stop(ring, &reception))
        await(&node);
    assert_false(sks__ring_stop(ring, &reception));
}

static void expect(const char *text)
{
    char bytes[64];

    assert_int_equal(receive(bytes, sizeof bytes), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

/* --- receiving --- */

static void what_comes_is_told_and_received(void **state)
{
    char bytes[8];

    (void)state;
    need_ring();
    assert_int_equal(receive(bytes, sizeof bytes), -EAGAIN);
    assert_false(sks__ring_has_news(&reception));
    for (int i = 0; i < 3; i++) {
        say("hello", 5);
        await(&node);
        expect("hello");
        assert_int_equal(receive(bytes, sizeof bytes), -EAGAIN);
    }
    stop();
}

static void what_is_not_taken_stays(void **state)
{
    char byte;

    (void)state;
    need_ring();
    receive(&byte, 1);
    say("ab", 2);
    await(&node);
    assert_int_equal(receive(NULL, 0), 0);
    assert_int_equal(receive(&byte, 1), 1);
    assert_int_equal(byte, 'a');
    assert_int_equal(receive(NULL, 0), 0);
    say("cd", 2);
    assert_int_equal(sks__ring_wait(ring, &(struct sks__poller_event){0}, 1, 0),
                     0);
    expect("bcd");
    assert_int_equal(receive(NULL, 0), -EAGAIN);
    stop();
}

static void the_end_comes_after_the_bytes_and_stays(void **state)
{
    char byte;

    (void)state;
    need_ring();
    receive(&byte, 1);
    say("a", 1);
    shutdown(ends[1], SHUT_WR);
    while (sks__ring_is_receiving(&reception))
        await(&node);
    assert_int_equal(receive(&byte, 1), 1);
    for (int i = 0; i < 2; i++) {
        assert_true(sks__ring_has_news(&reception));
        assert_int_equal(receive(&byte, 1), 0);
    }
    stop();
}

static void an_error_is_told_once(void **state)
{
    char byte;

    (void)state;
    need_ring();
    receive(&byte, 1);
    assert_int_equal(__real_send(ends[0], "x", 1, 0), 1);
    close(ends[1]); /* with what it has not read */
    ends[1] = dup(ends[0]);
    await(&node);
    assert_int_equal(receive(&byte, 1), -ECONNRESET);
    assert_int_equal(receive(&byte, 1), 0);
    stop();
}

/* --- what is left to recv(2) --- */

static void large_input_is_left_to_the_reader(void **state)
{
    static char sent[LARGE], got[LARGE];
    size_t done = 0;
    ssize_t n;

    (void)state;
    need_ring();
    unit_fill(sent, LARGE, 0);
    receive(got, 1);
    say(sent, LARGE);
    await(&node);
    while ((n = receive(got + done, LARGE - done)) != -EOPNOTSUPP) {
        if (n == -EAGAIN)
            await(&node);
        else
            done += (size_t)n;
    }
    assert_true(done > 0);
    assert_false(sks__ring_is_receiving(&reception));
    if (done < LARGE) {
        n = __real_recv(ends[0], got + done, LARGE - done, MSG_WAITALL);
        assert_int_equal(n, LARGE - done);
    }
    unit_expect(got, LARGE, 0);
    assert_int_equal(receive(NULL, 0), -EOPNOTSUPP);
}

static void what_is_no_socket_is_left_to_the_reader(void **state)
{
    char byte;
    int fd;

    (void)state;
    need_ring();
    fd = unit_file(1);
    assert_int_equal(sks__ring_receive(ring, &reception, fd, &byte, 1),
                     -EAGAIN);
    await(&node);
    assert_int_equal(sks__ring_receive(ring, &reception, fd, &byte, 1),
                     -EOPNOTSUPP);
    close(fd);
}

/* One who does not read is held back, and others may read meanwhile. */
static void one_who_takes_all_buffers_is_left_to_the_reader_once(void **state)
{
    struct sks__poller_event event;
    size_t sent = 0, got = 0;
    char bytes[64];
    ssize_t n;

    (void)state;
    need_ring();
    receive(bytes, 1);
    do {
        assert_true(sent < MANY);
        say("x", 1);
        sent++;
        sks__ring_wait(ring, &event, 1, 0);
    } while (sks__ring_is_receiving(&reception));
    while ((n = receive(bytes, sizeof bytes)) > 0)
        got += (size_t)n;
    assert_int_equal(n, -EOPNOTSUPP);
    assert_int_equal(got, sent - 1);
    assert_int_equal(__real_recv(ends[0], bytes, sizeof bytes, 0), 1);
    assert_int_equal(receive(bytes, 1), -EAGAIN);
    say("again", 5);
    await(&node);
    expect("again");
    stop();
}

/* --- sending --- */

static int send_later(const void *bytes, size_t n)
{
    return sks__ring_send(ring, &outbox, ends[0], bytes, n);
}

static int settle(void)
{
    return send_later(NULL, 0);
}

/* The peer has that, and nothing more. */
static void expect_sent(const char *text)
{
    char bytes[64] = "";

    __real_recv(ends[1], bytes, sizeof bytes - 1, MSG_DONTWAIT);
    assert_string_equal(bytes, text);
}

static void expect_nothing_sent(void)
{
    expect_sent("");
}

static void what_is_written_leaves_with_the_next_wait(void **state)
{
    (void)state;
    need_ring();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_later("hello", 5), 0);
        expect_nothing_sent();
        turn();
        expect_sent("hello");
        assert_int_equal(settle(), 0);
        expect_nothing_sent();
    }
}

static void what_is_written_in_pieces_leaves_in_order(void **state)
{
    struct sks__outbox other = {.node = &node};

    (void)state;
    need_ring();
    assert_int_equal(send_later("a", 1), 0);
    assert_int_equal(send_later("b", 1), 0);
    assert_int_equal(sks__ring_send(ring, &other, ends[1], "x", 1), 0);
    assert_int_equal(send_later("c", 1), 0);
    assert_int_equal(send_later("d", 1), 0);
    turn();
    expect_sent("abcd");
}

static void who_asks_has_it_leave_at_once(void **state)
{
    (void)state;
    need_ring();
    assert_int_equal(settle(), 0);
    assert_int_equal(send_later("hello", 5), 0);
    assert_int_equal(settle(), 0);
    expect_sent("hello");
    assert_int_equal(settle(), 0);
    turn();
    expect_nothing_sent();
    assert_int_equal(send_later("again", 5), 0);
    turn();
    expect_sent("again");
}

static void a_large_write_is_left_to_the_writer(void **state)
{
    static char bytes[TOO_MUCH];

    (void)state;
    need_ring();
    assert_int_equal(send_later(bytes, TOO_MUCH), -EOPNOTSUPP);
    assert_int_equal(send_later("hello", 5), 0);
    assert_int_equal(send_later(bytes, TOO_MUCH), -EOPNOTSUPP);
    expect_sent("hello");
}

/* No piece is taken but as a whole, and none overtakes another. */
static void pieces_that_grow_too_large_leave_one_after_the_other(void **state)
{
    static char bytes[2 * PIECE], came[2 * PIECE];

    (void)state;
    need_ring();
    unit_fill(bytes, sizeof bytes, 0);
    assert_int_equal(send_later(bytes, PIECE - 1), 0);
    assert_int_equal(send_later(bytes + PIECE - 1, PIECE), 0);
    assert_int_equal(send_later(bytes + 2 * PIECE - 1, 1), 0);
    turn();
    assert_int_equal(__real_recv(ends[1], came, sizeof came,
                                 MSG_DONTWAIT | MSG_WAITALL),
                     sizeof came);
    unit_expect(came, sizeof came, 0);
}

static void what_finds_the_ring_full_is_left_to_the_writer(void **state)
{
    static struct sks__outbox outboxes[TOO_MANY];
    static char bytes[PIECE];
    int taken = 0;

    (void)state;
    need_ring();
    for (int i = 0; i < TOO_MANY; i++) {
        int rc;

        outboxes[i] = (struct sks__outbox){.node = &node};
        rc = sks__ring_send(ring, &outboxes[i], ends[0], bytes, PIECE);
        assert_true(rc == 0 || rc == -EOPNOTSUPP);
        taken += rc == 0;
    }
    assert_in_range(taken, 1, TOO_MANY - 1);
    for (int i = 0; i < TOO_MANY; i++)
        sks__ring_drop(ring, &outboxes[i]);
    assert_int_equal(send_later("x", 1), -EOPNOTSUPP);
    turn();
    expect_nothing_sent();
    assert_int_equal(send_later("x", 1), 0);
    turn();
    expect_sent("x");
}

static void submissions_without_end_are_left_to_the_writer(void **state)
{
    static struct sks__outbox outboxes[MANY];
    int taken = 0;

    (void)state;
    need_ring();
    for (int i = 0; i < MANY; i++) {
        outboxes[i] = (struct sks__outbox){.node = &node};
        taken += sks__ring_send(ring, &outboxes[i], ends[0], "x", 1) == 0;
    }
    assert_in_range(taken, 1, MANY - 1);
    for (int i = 0; i < MANY; i++)
        sks__ring_drop(ring, &outboxes[i]);
    turn();
    expect_nothing_sent();
    assert_int_equal(send_later("x", 1), 0);
    turn();
    expect_sent("x");
}

/* --- what the system has no room for --- */

/* In pieces of this size. */
enum { FILLING = 256 };

/* Fills the connection, with so many bytes. */
static size_t fill(void)
{
    char bytes[FILLING] = "";
    ssize_t n;
    size_t done = 0;

    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){1},
                                sizeof(int)),
                     0);
    while ((n = __real_send(ends[0], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        done += (size_t)n;
    return done;
}

static void drain(size_t n)
{
    char bytes[FILLING];

    while (n > 0) {
        ssize_t got =
            __real_recv(ends[1], bytes, n < sizeof bytes ? n : sizeof bytes, 0);

        assert_true(got > 0);
        n -= (size_t)got;
    }
}

/* So are what has been queued again until it is gone, and the next write. */
static void what_has_no_room_is_kept(void **state)
{
    size_t before;

    (void)state;
    need_ring();
    before = fill();
    assert_int_equal(send_later("hello", 5), 0);
    await_event(&node, POLLOUT);
    turn();
    assert_int_equal(settle(), -EAGAIN);
    assert_int_equal(send_later("x", 1), -EAGAIN);
    drain(before);
    assert_int_equal(settle(), 0);
    expect_sent("hello");
    assert_int_equal(send_later("x", 1), 0);
    turn();
    expect_sent("x");
}

static void what_is_to_leave_at_once_and_has_no_room_is_kept(void **state)
{
    struct sks__poller_event event;
    size_t before;

    (void)state;
    need_ring();
    before = fill();
    assert_int_equal(send_later("hello", 5), 0);
    assert_int_equal(settle(), -EAGAIN);
    assert_int_equal(sks__ring_wait(ring, &event, 1, -1), 1);
    assert_ptr_equal(event.node, &node);
    assert_int_equal(event.events, POLLOUT);
    drain(before);
    assert_int_equal(settle(), 0);
    expect_sent("hello");
}

/* A socket that has a little room takes a part, if it is like Linux's. */
static void the_rest_of_a_short_send_is_kept(void **state)
{
    static char bytes[PIECE], came[PIECE];
    struct sks__poller_event event;
    size_t sent = 0, got = 0;

    (void)state;
    need_ring();
    drain(fill() - FILLING);
    unit_fill(bytes, PIECE, 0);
    do {
        assert_int_equal(send_later(bytes, PIECE), 0);
        sent += PIECE;
    } while (sks__ring_wait(ring, &event, 1, 0) == 0);
    assert_int_equal(event.events, POLLOUT);
    drain(FILLING);
    while (got < sent) {
        size_t at = got % PIECE;
        ssize_t n = __real_recv(ends[1], came, PIECE - at, MSG_DONTWAIT);

        if (n < 0)
            settle();
        else
            unit_expect(came, (size_t)n, at);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(settle(), 0);
}

static void without_memory_for_the_rest_the_send_has_failed(void **state)
{
    (void)state;
    need_ring();
    fill();
    assert_int_equal(send_later("hello", 5), 0);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    turn();
    assert_int_equal(settle(), -ENOMEM);
    assert_int_equal(send_later("x", 1), -ENOMEM);
}

static void a_failed_send_is_told_from_then_on(void **state)
{
    (void)state;
    need_ring();
    close(ends[1]);
    unit_count_pipes();
    assert_int_equal(send_later("hello", 5), 0);
    turn();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send_later("x", 1), -EPIPE);
        assert_int_equal(settle(), -EPIPE);
    }
    assert_int_equal(unit_pipes(), 0);
    unit_forget_pipes();
    ends[1] = dup(ends[0]);
}

static void a_rest_that_fails_is_told_from_then_on(void **state)
{
    (void)state;
    need_ring();
    fill();
    assert_int_equal(send_later("hello", 5), 0);
    await_event(&node, POLLOUT);
    close(ends[1]);
    for (int i = 0; i < 2; i++)
        assert_true(settle() == -EPIPE || settle() == -ECONNRESET);
    ends[1] = dup(ends[0]);
}

/* Behind more completions than events are asked for. */
static void a_failure_is_seen_before_its_bytes_are_gone(void **state)
{
    enum { OTHERS = 3 };
    struct sks__reception others[OTHERS];
    int pair[2];

    (void)state;
    need_ring();
    unit_pair(SOCK_STREAM, pair);
    fill();
    for (int i = 0; i < OTHERS; i++) {
        others[i] = (struct sks__reception){.node = &node};
        sks__ring_receive(ring, &others[i], pair[0], NULL, 0);
    }
    turn();
    close(pair[1]);
    await(&node);
    assert_int_equal(send_later("hello", 5), 0);
    await(&node);
    assert_int_equal(send_later("x", 1), -EAGAIN);
    await(&node);
    await_event(&node, POLLOUT);
    sks__ring_drop(ring, &outbox);
    close(pair[0]);
}

static void what_is_dropped_does_not_leave(void **state)
{
    size_t before;

    (void)state;
    need_ring();
    assert_int_equal(send_later("hello", 5), 0);
    sks__ring_drop(ring, &outbox);
    turn();
    expect_nothing_sent();
    before = fill();
    assert_int_equal(send_later("hello", 5), 0);
    await_event(&node, POLLOUT);
    assert_int_equal(send_later("x", 1), -EAGAIN);
    sks__ring_drop(ring, &outbox);
    drain(before);
    turn();
    expect_nothing_sent();
}

static void a_rest_that_is_dropped_is_not_told(void **state)
{
    (void)state;
    need_ring();
    fill();
    assert_int_equal(send_later("hello", 5), 0);
    assert_int_equal(settle(), -EAGAIN);
    sks__ring_drop(ring, &outbox);
    turn();
}

/* --- the end of a reception --- */

static void a_stop_drops_what_came(void **state)
{
    char byte;

    (void)state;
    need_ring();
    receive(&byte, 1);
    say("a", 1);
    await(&node);
    assert_true(sks__ring_stop(ring, &reception));
    assert_false(sks__ring_has_news(&reception));
    await(&node);
    assert_false(sks__ring_stop(ring, &reception));
}

static void a_closed_connection_ends_with_the_reception(void **state)
{
    struct pollfd peer = {.fd = ends[1], .events = POLLIN};
    char byte;

    (void)state;
    need_ring();
    receive(&byte, 1);
    sks__ring_wait(ring, &(struct sks__poller_event){0}, 1, 0);
    close(ends[0]);
    stop();
    assert_int_equal(__real_poll(&peer, 1, DEADLINE_MS), 1);
    assert_int_equal(__real_recv(ends[1], &byte, 1, 0), 0);
    ends[0] = dup(ends[1]);
}

/* --- waiting --- */

static void the_pollers_events_come_too(void **state)
{
    struct sks__poller_event event;
    struct sks__poller_node other;

    (void)state;
    need_ring();
    assert_int_equal(sks__poller_add(&poller, &other, ends[0], POLLIN), 0);
    for (int i = 0; i < 2; i++) {
        say("x", 1);
        await(&other);
        assert_int_equal(sks__ring_wait(ring, &event, 1, 0), 0);
    }
    sks__poller_remove(&poller, &other);
}

static void a_wait_for_nothing_ends_with_its_time(void **state)
{
    struct sks__poller_event event;

    (void)state;
    need_ring();
    assert_int_equal(sks__ring_wait(ring, &event, 1, 0), 0);
    assert_int_equal(sks__ring_wait(ring, &event, 1, 20), 0);
}

/* --- leaving --- */

static void what_came_before_a_ring_was_detached_stays(void **state)
{
    struct sks__poller_event event;
    char byte;

    (void)state;
    need_ring();
    receive(&byte, 1);
    say("hello", 5);
    await(&node);
    assert_true(sks__ring_is_busy(ring));
    sks__ring_retire(ring);
    sks__ring_leave(ring, &reception);
    await(&node);
    assert_false(sks__ring_is_busy(ring));
    sks__ring_detach(ring);
    assert_int_equal(sks__ring_wait(ring, &event, 1, 0), 0);
    expect("hello");
    assert_int_equal(receive(&byte, 1), -EOPNOTSUPP);
}

static void a_detached_ring_still_waits_for_the_poller(void **state)
{
    struct sks__poller_node other;

    (void)state;
    need_ring();
    sks__ring_retire(ring);
    sks__ring_detach(ring);
    assert_int_equal(sks__poller_add(&poller, &other, ends[0], POLLIN), 0);
    say("x", 1);
    await(&other);
    sks__poller_remove(&poller, &other);
}

static void a_ring_that_retired_takes_nothing_more(void **state)
{
    (void)state;
    need_ring();
    assert_int_equal(send_later("hello", 5), 0);
    sks__ring_retire(ring);
    assert_int_equal(settle(), 0);
    expect_sent("hello");
    assert_int_equal(send_later("x", 1), -EOPNOTSUPP);
    sks__ring_detach(ring);
    assert_int_equal(send_later("x", 1), -EOPNOTSUPP);
    assert_int_equal(settle(), 0);
}

static void a_detached_ring_still_tells_of_a_rest(void **state)
{
    size_t before;

    (void)state;
    need_ring();
    before = fill();
    assert_int_equal(send_later("hello", 5), 0);
    sks__ring_retire(ring);
    assert_int_equal(settle(), -EAGAIN);
    sks__ring_detach(ring);
    await_event(&node, POLLOUT);
    drain(before);
    assert_int_equal(settle(), 0);
    expect_sent("hello");
}

/* --- none to be had --- */

static void without_a_descriptor_there_is_no_ring(void **state)
{
    struct sks__ring *another;

    (void)state;
    shortage_begin(0);
    another = sks__ring_new(&poller);
    shortage_end();
    assert_null(another);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_comes_is_told_and_received),
        TEST(what_is_not_taken_stays),
        TEST(the_end_comes_after_the_bytes_and_stays),
        TEST(an_error_is_told_once),
        TEST(large_input_is_left_to_the_reader),
        TEST(what_is_no_socket_is_left_to_the_reader),
        TEST(one_who_takes_all_buffers_is_left_to_the_reader_once),
        TEST(what_is_written_leaves_with_the_next_wait),
        TEST(what_is_written_in_pieces_leaves_in_order),
        TEST(who_asks_has_it_leave_at_once),
        TEST(a_large_write_is_left_to_the_writer),
        TEST(pieces_that_grow_too_large_leave_one_after_the_other),
        TEST(what_finds_the_ring_full_is_left_to_the_writer),
        TEST(submissions_without_end_are_left_to_the_writer),
        TEST(what_has_no_room_is_kept),
        TEST(what_is_to_leave_at_once_and_has_no_room_is_kept),
        TEST(the_rest_of_a_short_send_is_kept),
        TEST(without_memory_for_the_rest_the_send_has_failed),
        TEST(a_failed_send_is_told_from_then_on),
        TEST(a_rest_that_fails_is_told_from_then_on),
        TEST(a_failure_is_seen_before_its_bytes_are_gone),
        TEST(what_is_dropped_does_not_leave),
        TEST(a_rest_that_is_dropped_is_not_told),
        TEST(a_stop_drops_what_came),
        TEST(a_closed_connection_ends_with_the_reception),
        TEST(the_pollers_events_come_too),
        TEST(a_wait_for_nothing_ends_with_its_time),
        TEST(what_came_before_a_ring_was_detached_stays),
        TEST(a_detached_ring_still_waits_for_the_poller),
        TEST(a_ring_that_retired_takes_nothing_more),
        TEST(a_detached_ring_still_tells_of_a_rest),
        TEST(without_a_descriptor_there_is_no_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
