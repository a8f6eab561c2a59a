/* Event loops of coroutines: lib/loop.c over either poller. */
#include "loop.h"
#include "fd.h"
#include "support/check.h"
#include "support/deadline.h"
#include "support/fault.h"
#include "support/leak.h"
#include "support/shortage.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITERS = 3 };

static struct sks__loop loop;
static int ends[2];
static char trace[256];

/* Where there is a ring, all of it is tested with it, too. */
static int with_ring;

static int begin(void **state)
{
    int rc;

    (void)state;
    leak_begin();
    trace[0] = '\0';
    if (sks__fd_pipe(ends) < 0)
        return -1;
    rc = sks__loop_open(&loop, SKS__STACK_SIZE, 16);
    if (rc == 0 && with_ring)
        sks__loop_use_ring(&loop);
    return rc;
}

static int end(void **state)
{
    (void)state;
    sks__loop_close(&loop);
    close(ends[0]);
    close(ends[1]);
    return leak_end();
}

static void tell(const char *what, int n)
{
    size_t len = strlen(trace);

    snprintf(trace + len, sizeof trace - len, "%s%d ", what, n);
}

/* What a coroutine of a test does: waits once, and tells how it went. */
struct waiter {
    const char *name;
    int fd;
    short events;
    int ms;
};

static void wait_once(void *arg)
{
    const struct waiter *w = arg;

    tell(w->name, sks__loop_wait(w->fd, w->events, w->ms));
}

/* about: the descriptor that the coroutine is about, or -1. */
static void spawn(struct waiter *waiter, int about)
{
    assert_int_equal(sks__loop_spawn(&loop, wait_once, waiter, about), 0);
}

/* Turns until no coroutine is left. */
static void turn_to_the_end(void)
{
    long long start = deadline_now_ms();

    while (loop.running > 0) {
        assert_true(deadline_left_ms(start) > 0);
        assert_int_equal(sks__loop_turn(&loop), 0);
    }
}

static void say(const char *text)
{
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
}

/* --- waiting --- */

static void a_wait_ends_with_its_event(void **state)
{
    struct waiter reader = {"read", ends[0], POLLIN, -1};

    (void)state;
    spawn(&reader, ends[0]);
    assert_string_equal(trace, "");
    say("x");
    turn_to_the_end();
    assert_string_equal(trace, "read1 ");
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
    struct waiter own = {"own", ends[0], POLLIN, 20};
    struct waiter other = {"other", ends[0], POLLIN, 40};
    struct waiter none = {"none", -1, 0, 60};

    (void)state;
    spawn(&none, -1);
    spawn(&other, -1);
    spawn(&own, ends[0]);
    turn_to_the_end();
    assert_string_equal(trace, "own0 other0 none0 ");
}

static void a_far_wait_ends_in_time_too(void **state)
{
    struct waiter far = {"far", -1, 0, 2 * SKS__FAR_MS};
    struct waiter farther = {"farther", ends[0], POLLIN, 3 * SKS__FAR_MS};
    long long start = deadline_now_ms();

    (void)state;
    spawn(&farther, ends[0]);
    spawn(&far, -1);
    turn_to_the_end();
    assert_string_equal(trace, "far0 farther0 ");
    assert_true(deadline_now_ms() - start >= farther.ms);
}

/* As where the user's watches are used up: the first call opens the poller. */
static void without_a_far_timer_it_ends_in_time_too(void **state)
{
    struct waiter far = {"far", -1, 0, 2 * SKS__FAR_MS};

    (void)state;
    sks__loop_close(&loop);
    fault_set(FAULT_EPOLL, 1, 1, ENOSPC);
    assert_int_equal(sks__loop_open(&loop, SKS__STACK_SIZE, 16), 0);
    fault_clear();
    assert_int_equal(loop.far_timer.fd, -1);
    spawn(&far, -1);
    turn_to_the_end();
    assert_string_equal(trace, "far0 ");
}

/* --- tasks --- */

struct teller {
    struct sks__task task;
    int left; /* how often it sets itself again */
};

static void tell_again(struct sks__task *task)
{
    struct teller *t = SKS__LIST_ENTRY(task, struct teller, task);

    tell("task", t->left);
    if (t->left-- > 0)
        sks__loop_set_task(&loop, task);
}

static void a_task_runs_once_in_the_next_turn(void **state)
{
    struct teller teller = {.task.run = tell_again};
    struct waiter reader = {"read", ends[0], POLLIN, -1};

    (void)state;
    sks__loop_set_task(&loop, &teller.task);
    sks__loop_set_task(&loop, &teller.task);
    assert_string_equal(trace, "");
    assert_int_equal(sks__loop_turn(&loop), 0); /* which waits for nothing */
    assert_string_equal(trace, "task0 ");
    say("x");
    spawn(&reader, ends[0]);
    turn_to_the_end();
    assert_string_equal(trace, "task0 read1 ");
}

static void a_task_that_sets_itself_lets_others_go_on(void **state)
{
    struct teller teller = {.task.run = tell_again, .left = 2};
    struct waiter reader = {"read", ends[0], POLLIN, -1};

    (void)state;
    spawn(&reader, ends[0]);
    sks__loop_set_task(&loop, &teller.task);
    assert_int_equal(sks__loop_turn(&loop), 0);
    say("x");
    assert_int_equal(sks__loop_turn(&loop), 0);
    assert_int_equal(sks__loop_turn(&loop), 0);
    assert_string_equal(trace, "task2 read1 task1 task0 ");
}

/* --- the same descriptor --- */

static void several_may_wait_for_the_same_descriptor(void **state)
{
    struct waiter reader = {"read", ends[0], POLLIN, -1};

    (void)state;
    for (int i = 0; i < WAITERS; i++)
        spawn(&reader, -1);
    assert_int_equal(loop.running, WAITERS);
    say("x");
    turn_to_the_end();
    assert_string_equal(trace, "read1 read1 read1 ");
}

static void one_waits_for_what_another_is_about(void **state)
{
    struct waiter own = {"own", ends[0], POLLIN, -1};
    struct waiter other = {"other", ends[0], POLLIN, -1};

    (void)state;
    spawn(&own, ends[0]);
    spawn(&other, -1);
    assert_int_equal(loop.running, 2);
    say("x");
    turn_to_the_end();
    assert_int_equal(strlen(trace), strlen("own1 other1 "));
}

static void one_is_about_what_another_waits_for(void **state)
{
    struct waiter own = {"own", ends[0], POLLIN, -1};
    struct waiter other = {"other", ends[0], POLLIN, 20};

    (void)state;
    spawn(&other, -1);
    spawn(&own, ends[0]);
    while (loop.running == 2)
        assert_int_equal(sks__loop_turn(&loop), 0);
    assert_string_equal(trace, "other0 ");
    say("x");
    turn_to_the_end();
    assert_string_equal(trace, "other0 own1 ");
}

static void one_may_read_while_another_writes(void **state)
{
    struct waiter reader = {"read", ends[0], POLLIN, 20};
    struct waiter writer = {"write", ends[1], POLLOUT, -1};

    (void)state;
    spawn(&reader, -1);
    spawn(&writer, -1);
    spawn(&writer, ends[1]);
    turn_to_the_end();
    assert_string_equal(trace, "write1 write1 read0 ");
}

/* A poller that needs a descriptor for it may find none. */
static void a_second_wait_without_a_descriptor_left_fails_alone(void **state)
{
    struct waiter reader = {"read", ends[0], POLLIN, -1};

    (void)state;
    spawn(&reader, -1);
    shortage_begin(0);
    spawn(&reader, -1);
    shortage_end();
    say("x");
    turn_to_the_end();
#ifdef SKS_PLAIN_POSIX
    assert_string_equal(trace, "read1 read1 ");
#else
    assert_string_equal(trace, "read-24 read1 ");
#endif
}

/* --- receiving --- */

/* Up to most bytes, 8 at most, as streams read them. */
static ssize_t read_some(int fd, size_t most)
{
    char bytes[8];
    ssize_t n = -EAGAIN;

    while (n < 0) {
        n = sks__loop_receive(fd, bytes, most, 0);
        if (n == -EOPNOTSUPP)
            n = recv(fd, bytes, most, MSG_DONTWAIT);
        if (n < 0)
            assert_int_equal(sks__loop_wait(fd, POLLIN, -1), 1);
    }
    return n;
}

static void read_all(void *arg)
{
    const int *fd = arg;
    ssize_t n;

    while ((n = read_some(*fd, 8)) > 0)
        tell("got", (int)n);
    tell("end", 0);
}

static void turn_until_told(const char *what)
{
    long long start = deadline_now_ms();

    while (strcmp(trace, what) != 0) {
        assert_true(deadline_left_ms(start) > 0);
        assert_int_equal(sks__loop_turn(&loop), 0);
    }
}

static void what_comes_is_received_until_the_end(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(sks__loop_spawn(&loop, read_all, &pair[0], pair[0]), 0);
    assert_int_equal(write(pair[1], "hello", 5), 5);
    turn_until_told("got5 ");
    assert_int_equal(write(pair[1], "long enough", 11), 11);
    turn_until_told("got5 got8 got3 ");
    close(pair[1]);
    turn_to_the_end();
    assert_string_equal(trace, "got5 got8 got3 end0 ");
    close(pair[0]);
}

/* Gives up after a while, and closes. */
static void leave_early(void *arg)
{
    const int *fd = arg;
    char byte;
    ssize_t n = sks__loop_receive(*fd, &byte, 1, 0);

    if (n == -EAGAIN)
        n = sks__loop_wait(*fd, POLLIN, 10);
    tell("left", (int)n);
    close(*fd);
}

/* Whoever closes need not know that the system receives. */
static void an_end_before_its_peers_closes_the_connection(void **state)
{
    struct pollfd peer = {.events = POLLIN};
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(sks__loop_spawn(&loop, leave_early, &pair[0], pair[0]), 0);
    turn_to_the_end();
    peer.fd = pair[1];
    assert_int_equal(poll(&peer, 1, DEADLINE_MS), 1);
    assert_true(peer.revents & POLLHUP);
    close(pair[1]);
}

/* What has come is seen by one who does not wait for it. */
static void look_once(void *arg)
{
    const int *fd = arg;
    char bytes[8];
    ssize_t n = sks__loop_receive(*fd, bytes, sizeof bytes, 1);

    tell("looked",
         n == -EOPNOTSUPP ? (int)recv(*fd, bytes, sizeof bytes, 0) : (int)n);
}

static void one_who_does_not_wait_gets_what_is_there(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "hello", 5), 5);
    assert_int_equal(sks__loop_spawn(&loop, look_once, &pair[0], pair[0]), 0);
    turn_to_the_end();
    assert_string_equal(trace, "looked5 ");
    close(pair[0]);
    close(pair[1]);
}

/* --- sending --- */

/* As streams write. */
static int write_text(int fd, const char *text)
{
    size_t n = strlen(text);
    int rc = sks__loop_send(fd, text, n);

    if (rc == -EOPNOTSUPP)
        rc = send(fd, text, n, MSG_DONTWAIT) == (ssize_t)n ? 0 : -errno;
    return rc;
}

static void expect_sent(int fd, const char *text)
{
    char bytes[16] = "";

    assert_int_equal(recv(fd, bytes, sizeof bytes - 1, MSG_DONTWAIT),
                     strlen(text));
    assert_string_equal(bytes, text);
}

static void write_and_read(void *arg)
{
    const int *fd = arg;

    tell("wrote", write_text(*fd, "hello"));
    tell("got", (int)read_some(*fd, 8));
}

static void what_is_written_leaves_while_the_coroutine_waits(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(sks__loop_spawn(&loop, write_and_read, &pair[0], pair[0]),
                     0);
    assert_string_equal(trace, "wrote0 ");
    assert_int_equal(write(pair[1], "x", 1), 1);
    turn_to_the_end();
    assert_string_equal(trace, "wrote0 got1 ");
    expect_sent(pair[1], "hello");
    close(pair[0]);
    close(pair[1]);
}

/* In pieces of this size. */
enum { FILLING = 256 };

static size_t fill(int fd)
{
    char bytes[FILLING] = "";
    size_t done = 0;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){1},
                                sizeof(int)),
                     0);
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        done += sizeof bytes;
    return done;
}

static void drain(int fd, size_t n)
{
    char bytes[FILLING];

    for (; n > 0; n -= sizeof bytes)
        assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_WAITALL),
                         sizeof bytes);
}

/* Has the ring keep something for which there is no room; without one, room is
 * waited for first. */
static void write_too_much(int fd)
{
    int rc = write_text(fd, "hello");

    while (rc == -EAGAIN) {
        assert_int_equal(sks__loop_wait(fd, POLLOUT, -1), 1);
        rc = write_text(fd, "hello");
    }
    tell("wrote", rc);
}

static void write_too_much_and_wait(void *arg)
{
    const int *fd = arg;

    write_too_much(*fd);
    tell("got", (int)read_some(*fd, 8));
}

static void what_finds_no_room_leaves_when_there_is_some(void **state)
{
    struct pollfd peer = {.events = POLLIN};
    long long start = deadline_now_ms();
    int pair[2];
    size_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    peer.fd = pair[1];
    n = fill(pair[0]);
    assert_int_equal(sks__loop_spawn(&loop, write_too_much_and_wait, &pair[0],
                                     pair[0]),
                     0);
    if (loop.ring != NULL)
        assert_int_equal(sks__loop_turn(&loop), 0);
    drain(pair[1], n);
    while (poll(&peer, 1, 0) == 0) {
        assert_true(deadline_left_ms(start) > 0);
        assert_int_equal(sks__loop_turn(&loop), 0);
    }
    expect_sent(pair[1], "hello");
    assert_int_equal(write(pair[1], "x", 1), 1);
    turn_to_the_end();
    assert_string_equal(trace, "wrote0 got1 ");
    close(pair[0]);
    close(pair[1]);
}

static void write_too_much_twice(void *arg)
{
    const int *fd = arg;

    write_too_much(*fd);
    tell("slept", sks__loop_wait(-1, 0, 1));
    write_too_much(*fd);
    tell("slept", sks__loop_wait(-1, 0, 1));
}

static void a_writer_waits_until_there_is_room(void **state)
{
    int pair[2];
    size_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    n = fill(pair[0]);
    assert_int_equal(sks__loop_spawn(&loop, write_too_much_twice, &pair[0],
                                     pair[0]),
                     0);
    if (loop.ring != NULL)
        turn_until_told("wrote0 slept0 ");
    drain(pair[1], n);
    turn_to_the_end();
    assert_string_equal(trace, "wrote0 slept0 wrote0 slept0 ");
    expect_sent(pair[1], "hellohello");
    close(pair[0]);
    close(pair[1]);
}

static void write_too_much_and_sleep(void *arg)
{
    const int *fd = arg;

    tell("wrote", write_text(*fd, "hello"));
    tell("slept", sks__loop_wait(-1, 0, 1));
}

static void an_end_drops_what_finds_no_room(void **state)
{
    char bytes[8];
    int pair[2];
    size_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    n = fill(pair[0]);
    assert_int_equal(sks__loop_spawn(&loop, write_too_much_and_sleep, &pair[0],
                                     pair[0]),
                     0);
    turn_to_the_end();
    drain(pair[1], n);
    close(pair[0]);
    assert_int_equal(recv(pair[1], bytes, sizeof bytes, 0), 0);
    close(pair[1]);
}

static void write_and_wait(void *arg)
{
    const int *fd = arg;

    tell("wrote", write_text(*fd, "hello"));
    tell("waited", sks__loop_wait(ends[0], POLLIN, -1));
}

/* With nothing else that the ring would have to end. */
static void what_is_written_leaves_with_the_loops_thread(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(sks__loop_spawn(&loop, write_and_wait, &pair[0], pair[0]),
                     0);
    assert_int_equal(sks__loop_leave(&loop), 0);
    expect_sent(pair[1], "hello");
    say("x");
    turn_to_the_end();
    assert_string_equal(trace, "wrote0 waited1 ");
    close(pair[0]);
    close(pair[1]);
}

/* --- leaving --- */

/* Is in the middle of what came, or waits for it, when the loop is left. */
static void read_in_parts(void *arg)
{
    const int *fd = arg;

    tell("got", (int)read_some(*fd, 1));
    tell("waited", sks__loop_wait(ends[0], POLLIN, -1));
    for (int left = 9; left > 0;)
        left -= (int)read_some(*fd, 4);
    tell("end", (int)read_some(*fd, 8));
}

static void *turn_elsewhere(void *arg)
{
    (void)arg;
    turn_to_the_end();
    return NULL;
}

static void another_thread_goes_on_with_a_loop_that_was_left(void **state)
{
    pthread_t thread;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(sks__fd_set_mode(pair[0], SKS__FD_NONBLOCKING), 0);
    assert_int_equal(sks__loop_spawn(&loop, read_in_parts, &pair[0], pair[0]),
                     0);
    assert_int_equal(write(pair[1], "hello", 5), 5);
    turn_until_told("got1 ");
    assert_int_equal(sks__loop_leave(&loop), 0);
    assert_int_equal(pthread_create(&thread, NULL, turn_elsewhere, NULL), 0);
    say("x");
    assert_int_equal(write(pair[1], "again", 5), 5);
    close(pair[1]);
    pthread_join(thread, NULL);
    assert_string_equal(trace, "got1 waited1 end0 ");
    close(pair[0]);
}

/* A loop that was left has its ring again. */
static void a_loop_may_be_left_and_taken_up_many_times(void **state)
{
    int pair[2];

    (void)state;
    for (int i = 0; i < 3; i++) {
        trace[0] = '\0';
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(sks__loop_spawn(&loop, read_all, &pair[0], pair[0]),
                         0);
        assert_int_equal(write(pair[1], "hello", 5), 5);
        turn_until_told("got5 ");
        close(pair[1]);
        turn_to_the_end();
        close(pair[0]);
        assert_int_equal(sks__loop_leave(&loop), 0);
        if (with_ring)
            sks__loop_use_ring(&loop);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_wait_ends_with_its_event),
        TEST(a_wait_ends_when_its_time_is_over),
        TEST(a_far_wait_ends_in_time_too),
        TEST(without_a_far_timer_it_ends_in_time_too),
        TEST(a_task_runs_once_in_the_next_turn),
        TEST(a_task_that_sets_itself_lets_others_go_on),
        TEST(several_may_wait_for_the_same_descriptor),
        TEST(one_waits_for_what_another_is_about),
        TEST(one_is_about_what_another_waits_for),
        TEST(one_may_read_while_another_writes),
        TEST(a_second_wait_without_a_descriptor_left_fails_alone),
        TEST(what_comes_is_received_until_the_end),
        TEST(an_end_before_its_peers_closes_the_connection),
        TEST(one_who_does_not_wait_gets_what_is_there),
        TEST(what_is_written_leaves_while_the_coroutine_waits),
        TEST(what_finds_no_room_leaves_when_there_is_some),
        TEST(a_writer_waits_until_there_is_room),
        TEST(an_end_drops_what_finds_no_room),
        TEST(what_is_written_leaves_with_the_loops_thread),
        TEST(another_thread_goes_on_with_a_loop_that_was_left),
        TEST(a_loop_may_be_left_and_taken_up_many_times),
    };
    int failed = cmocka_run_group_tests_name("poller", tests, NULL, NULL);

    with_ring = 1;
    return failed + cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
