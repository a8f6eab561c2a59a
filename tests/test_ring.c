/* Receiving by io_uring(7): lib/ring_uring.c.  Where there is no ring, that is
 * all there is to see. */
#include "ring.h"
#include "unit.h"
#include "support/shortage.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than one of the ring's buffers takes, and more than it has of them. */
enum { LARGE = 8192, MANY = 4096 };

static struct sks__poller poller;
static struct sks__poller_node node;
static struct sks__reception reception;
static struct sks__ring *ring;
static int ends[2]; /* what is received comes out of ends[0] */

static int begin(void **state)
{
    int rc = unit_begin(state);

    unit_pair(SOCK_STREAM, ends);
    reception = (struct sks__reception){.node = &node};
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

/* Waits for an event of that node. */
static void await(const struct sks__poller_node *expected)
{
    struct sks__poller_event event = {.node = NULL};
    long long start = deadline_now_ms();

    while (sks__ring_wait(ring, &event, 1, deadline_left_ms(start)) == 0)
        assert_true(deadline_left_ms(start) > 0);
    assert_ptr_equal(event.node, expected);
    assert_int_equal(event.events & POLLIN, POLLIN);
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
        TEST(a_stop_drops_what_came),
        TEST(a_closed_connection_ends_with_the_reception),
        TEST(the_pollers_events_come_too),
        TEST(a_wait_for_nothing_ends_with_its_time),
        TEST(what_came_before_a_ring_was_detached_stays),
        TEST(a_detached_ring_still_waits_for_the_poller),
        TEST(without_a_descriptor_there_is_no_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
