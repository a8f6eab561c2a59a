/* A stream over a layer and a waiter that follow a script: which call must
 * come next, and what becomes of it. */
#include "unit.h"

#include "clock.h"
#include "fd.h"
#include "stream.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum call { READ, WRITE, SENDFILE, CORK, FILL, SETTLE, SHUTDOWN, WAIT };

struct step {
    enum call call;
    long long result;
    short wants; /* said with -EAGAIN; of WAIT: the events expected */
};

/* The script, and what the calls were given. */
static const struct step *next, *end;
static char written[100000];
static size_t written_n;
static int last_cork, last_more, last_wait_ms, last_wait_fd;
static off_t last_offset;
static size_t last_n;
static int self;

static long long follow(enum call call, struct sks__stream *s, short events)
{
    const struct step *step = next++;

    if (step >= end)
        fail_msg("a call of kind %d too many", call);
    assert_int_equal(step->call, call);
    if (call == WAIT)
        assert_int_equal(events, step->wants);
    else if (step->result == -EAGAIN)
        s->wants = step->wants;
    return step->result;
}

static ssize_t read_step(struct sks__stream *s, void *buf, size_t n)
{
    long long result = follow(READ, s, 0);

    last_n = n;
    if (result > 0)
        unit_fill(buf, (size_t)result, 0);
    return (ssize_t)result;
}

static ssize_t write_step(struct sks__stream *s, const struct iovec *iov,
                          int count, int more)
{
    long long result = follow(WRITE, s, 0);
    size_t left = result > 0 ? (size_t)result : 0;

    last_more = more;
    for (int i = 0; i < count && left > 0; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

        assert_true(written_n + n <= sizeof written);
        memcpy(written + written_n, iov[i].iov_base, n);
        written_n += n;
        left -= n;
    }
    assert_int_equal(left, 0);
    return (ssize_t)result;
}

static ssize_t sendfile_step(struct sks__stream *s, int file, off_t offset,
                             size_t n)
{
    assert_int_equal(file, 77);
    last_offset = offset;
    last_n = n;
    return (ssize_t)follow(SENDFILE, s, 0);
}

static int cork_step(struct sks__stream *s, int on)
{
    last_cork = on;
    return (int)follow(CORK, s, 0);
}

static ssize_t fill_step(struct sks__stream *s, struct sks__fd_tunnel *t,
                         size_t n)
{
    assert_int_equal(t->read_fd, 78);
    last_n = n;
    return (ssize_t)follow(FILL, s, 0);
}

static ssize_t settle_step(struct sks__stream *s)
{
    return (ssize_t)follow(SETTLE, s, 0);
}

static int shutdown_step(struct sks__stream *s)
{
    return (int)follow(SHUTDOWN, s, 0);
}

static const struct sks__layer scripted = {
    .read = read_step,
    .write = write_step,
    .sendfile = sendfile_step,
    .cork = cork_step,
    .fill = fill_step,
    .settle = settle_step,
    .shutdown = shutdown_step,
};

static const struct sks__layer simple = {
    .read = read_step,
    .write = write_step,
    .shutdown = shutdown_step,
};

static int wait_step(void *its, int fd, short events, int ms)
{
    assert_ptr_equal(its, &self);
    last_wait_fd = fd;
    last_wait_ms = ms;
    return (int)follow(WAIT, NULL, events);
}

/* That there is one is all that streams look at. */
static int send_nothing(void *its, int fd, const void *buf, size_t n)
{
    (void)its, (void)fd, (void)buf, (void)n;
    return -EOPNOTSUPP;
}

/* A stream that goes through these steps. */
static struct sks__stream play(const struct sks__layer *layer,
                               const struct step *steps, size_t n)
{
    struct sks__waiter waiter = {.wait = wait_step, .self = &self};
    struct sks__stream s;

    next = steps;
    end = n > 0 ? steps + n : steps;
    written_n = 0;
    sks__stream_init(&s, layer, 76, waiter, 0, -1);
    return s;
}

#define PLAY(layer, steps) play(layer, steps, sizeof steps / sizeof *steps)

static void expect_played(void)
{
    assert_ptr_equal(next, end);
}

/* --- reading --- */

static void what_is_there_is_read_at_once(void **state)
{
    static const struct step steps[] = {{READ, 5, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    char buf[10];

    (void)state;
    assert_int_equal(sks__stream_read(&s, buf, sizeof buf), 5);
    assert_int_equal(last_n, sizeof buf);
    unit_expect(buf, 5, 0);
    assert_false(s.at_eof);
    expect_played();
}

static void a_read_waits_for_what_the_layer_wants(void **state)
{
    static const struct step steps[] = {
        {READ, -EAGAIN, POLLIN}, {WAIT, 1, POLLIN}, {READ, -EAGAIN, POLLOUT},
        {WAIT, 1, POLLOUT},      {READ, -EINTR, 0}, {READ, 3, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    char buf[10];

    (void)state;
    assert_int_equal(sks__stream_read(&s, buf, sizeof buf), 3);
    assert_int_equal(last_wait_fd, 76);
    assert_int_equal(last_wait_ms, -1);
    expect_played();
}

static void end_of_file_is_remembered(void **state)
{
    static const struct step steps[] = {{READ, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    assert_int_equal(sks__stream_read(&s, &byte, 1), 0);
    assert_true(s.at_eof);
    expect_played();
}

static void a_read_of_nothing_is_no_end_of_file(void **state)
{
    static const struct step steps[] = {{READ, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    assert_int_equal(sks__stream_read(&s, &byte, 0), 0);
    assert_false(s.at_eof);
}

static void input_is_awaited_if_the_last_read_left_none(void **state)
{
    static const struct step steps[] = {{WAIT, 1, POLLIN},
                                        {WAIT, 0, POLLIN},
                                        {WAIT, -ENOMEM, POLLIN},
                                        {WAIT, -ECONNRESET, POLLIN}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    assert_true(s.dry);
    assert_int_equal(sks__stream_await(&s), 0);
    assert_false(s.dry);
    assert_int_equal(sks__stream_await(&s), 0);
    s.dry = 1;
    assert_int_equal(sks__stream_await(&s), SKS_ETIMEDOUT);
    assert_int_equal(sks__stream_await(&s), -ENOMEM);
    assert_int_equal(sks__stream_await(&s), SKS_ECLOSED);
    assert_true(s.dry);
    expect_played();
}

/* --- how it fails --- */

static void a_peer_that_is_gone_is_told_in_one_way(void **state)
{
    static const int gone[] = {-ECONNRESET, -EPIPE, -ETIMEDOUT, -ENOTCONN,
                               SKS_ECLOSED};
    char byte = 0;

    (void)state;
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        struct step steps[] = {{READ, gone[i], 0}, {WRITE, gone[i], 0}};
        struct sks__stream s = PLAY(&scripted, steps);
        struct iovec iov = {&byte, 1};

        assert_int_equal(sks__stream_read(&s, &byte, 1), SKS_ECLOSED);
        assert_int_equal(sks__stream_write(&s, &iov, 1, 0), SKS_ECLOSED);
    }
}

static void other_errors_pass(void **state)
{
    static const struct step steps[] = {{READ, -ENOBUFS, 0},
                                        {READ, -EAGAIN, POLLIN},
                                        {WAIT, -ENOMEM, POLLIN}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    assert_int_equal(sks__stream_read(&s, &byte, 1), -ENOBUFS);
    assert_int_equal(sks__stream_read(&s, &byte, 1), -ENOMEM);
    expect_played();
}

static void a_wait_in_vain_is_a_timeout_and_may_be_tried_again(void **state)
{
    static const struct step steps[] = {{READ, -EAGAIN, POLLIN},
                                        {WAIT, 0, POLLIN},
                                        {READ, 1, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    s.timeout_ms = DEADLINE_MS;
    assert_int_equal(sks__stream_read(&s, &byte, 1), SKS_ETIMEDOUT);
    assert_in_range(last_wait_ms, 1, DEADLINE_MS);
    assert_int_equal(sks__stream_read(&s, &byte, 1), 1);
    expect_played();
}

static void without_time_nothing_is_waited_for(void **state)
{
    static const struct step steps[] = {{READ, -EAGAIN, POLLIN},
                                        {WRITE, -EAGAIN, POLLOUT}};
    struct sks__stream s = PLAY(&scripted, steps);
    struct iovec iov = {(void *)"x", 1};
    char byte;

    (void)state;
    s.timeout_ms = 0;
    assert_int_equal(sks__stream_read(&s, &byte, 1), SKS_ETIMEDOUT);
    assert_int_equal(sks__stream_write(&s, &iov, 1, 0), SKS_ETIMEDOUT);
    expect_played();
}

static void without_time_an_interrupted_try_is_repeated(void **state)
{
    static const struct step steps[] = {{READ, -EINTR, 0}, {READ, 1, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    s.timeout_ms = 0;
    assert_int_equal(sks__stream_read(&s, &byte, 1), 1);
    expect_played();
}

/* --- the deadline --- */

static void the_deadline_bounds_a_longer_timeout(void **state)
{
    static const struct step steps[] = {{READ, -EAGAIN, POLLIN},
                                        {WAIT, 0, POLLIN}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    s.timeout_ms = INT_MAX;
    s.deadline = sks__clock_after(DEADLINE_MS);
    assert_int_equal(sks__stream_read(&s, &byte, 1), SKS_ETIMEDOUT);
    assert_in_range(last_wait_ms, 1, DEADLINE_MS);
    expect_played();
}

static void the_timeout_bounds_a_longer_deadline(void **state)
{
    static const struct step steps[] = {{READ, -EAGAIN, POLLIN},
                                        {WAIT, 0, POLLIN}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    s.timeout_ms = DEADLINE_MS;
    s.deadline = sks__clock_after(INT_MAX);
    assert_int_equal(sks__stream_read(&s, &byte, 1), SKS_ETIMEDOUT);
    assert_in_range(last_wait_ms, 1, DEADLINE_MS);
    expect_played();
}

static void after_the_deadline_what_is_there_is_still_read(void **state)
{
    static const struct step steps[] = {{READ, 1, 0}, {READ, -EAGAIN, POLLIN}};
    struct sks__stream s = PLAY(&scripted, steps);
    char byte;

    (void)state;
    s.deadline = 1;
    assert_int_equal(sks__stream_read(&s, &byte, 1), 1);
    assert_int_equal(sks__stream_read(&s, &byte, 1), SKS_ETIMEDOUT);
    expect_played();
}

/* --- writing --- */

static void all_is_written_in_as_many_parts_as_it_takes(void **state)
{
    static const struct step steps[] = {
        {WRITE, 1, 0},      {WRITE, 5, 0},      {WRITE, -EAGAIN, POLLOUT},
        {WAIT, 1, POLLOUT}, {WRITE, -EINTR, 0}, {WRITE, 3, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    struct iovec iov[] = {{(void *)"one", 3},
                          {(void *)"", 0},
                          {(void *)"two", 3},
                          {(void *)"end", 3},
                          {(void *)"", 0}};

    (void)state;
    assert_int_equal(sks__stream_write(&s, iov, 5, 1), 0);
    assert_int_equal(written_n, 9);
    assert_memory_equal(written, "onetwoend", 9);
    assert_true(last_more);
    expect_played();
}

static void nothing_is_not_written(void **state)
{
    struct sks__stream s = play(&scripted, NULL, 0);
    struct iovec iov[] = {{NULL, 0}, {(void *)"", 0}};

    (void)state;
    assert_int_equal(sks__stream_write(&s, iov, 2, 0), 0);
    assert_int_equal(sks__stream_write(&s, iov, 0, 0), 0);
}

static void a_write_that_fails_half_way_says_so(void **state)
{
    static const struct step steps[] = {{WRITE, 2, 0}, {WRITE, -ENOBUFS, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    struct iovec iov = {(void *)"abcd", 4};

    (void)state;
    assert_int_equal(sks__stream_write(&s, &iov, 1, 0), -ENOBUFS);
    assert_false(last_more);
    expect_played();
}

/* --- files --- */

static void a_file_is_sent_in_stretches(void **state)
{
    static const struct step steps[] = {{CORK, 0, 0},
                                        {SENDFILE, 0x7ffff000LL, 0},
                                        {SENDFILE, -EAGAIN, POLLOUT},
                                        {WAIT, 1, POLLOUT},
                                        {SENDFILE, 0x7fffe000LL, 0},
                                        {SENDFILE, 100, 0},
                                        {CORK, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    off_t n = (off_t)0x7ffff000 + 0x7fffe000 + 100;

    (void)state;
    assert_int_equal(sks__stream_sendfile(&s, 77, 5, n), 0);
    assert_int_equal(last_offset, 5 + n - 100);
    assert_int_equal(last_n, 100);
    assert_false(last_cork);
    expect_played();
}

static void a_cork_that_does_not_hold_is_not_drawn(void **state)
{
    static const struct step steps[] = {{CORK, -EOPNOTSUPP, 0},
                                        {SENDFILE, 1 << 20, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    assert_int_equal(sks__stream_sendfile(&s, 77, 0, 1 << 20), 0);
    assert_true(last_cork);
    expect_played();
}

static void no_more_is_asked_for_than_one_call_can_send(void **state)
{
    static const struct step steps[] = {{CORK, 0, 0},
                                        {SENDFILE, -EIO, 0},
                                        {CORK, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    assert_int_equal(sks__stream_sendfile(&s, 77, 0, (off_t)1 << 40), -EIO);
    assert_int_equal(last_n, 0x7ffff000);
    assert_false(last_cork);
    expect_played();
}

static void a_file_that_ends_early_is_an_error(void **state)
{
    static const struct step steps[] = {{SENDFILE, 10, 0}, {SENDFILE, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    assert_int_equal(sks__stream_sendfile(&s, 77, 0, 11), -EIO);
    expect_played();
}

static void of_a_file_nothing_is_sent_if_nothing_is_asked_for(void **state)
{
    struct sks__stream s = play(&scripted, NULL, 0);

    (void)state;
    assert_int_equal(sks__stream_sendfile(&s, 77, 0, 0), 0);
}

/* More follows each part but the last. */
static void a_layer_that_must_see_the_bytes_writes_them(void **state)
{
    static const struct step steps[] = {{WRITE, 16384, 0},
                                        {WRITE, 16000, 0},
                                        {WRITE, 384, 0},
                                        {WRITE, 100, 0}};
    struct sks__stream s = PLAY(&simple, steps);
    int file = unit_file(40000);

    (void)state;
    last_more = 1;
    assert_int_equal(sks__stream_sendfile(&s, file, 10, 2 * 16384 + 100), 0);
    assert_int_equal(written_n, 2 * 16384 + 100);
    unit_expect(written, written_n, 10);
    assert_false(last_more);
    expect_played();
    close(file);
}

static void more_is_said_while_more_of_the_file_follows(void **state)
{
    static const struct step steps[] = {{WRITE, 16384, 0}, {WRITE, -EIO, 0}};
    struct sks__stream s = PLAY(&simple, steps);
    int file = unit_file(60000);

    (void)state;
    assert_int_equal(sks__stream_sendfile(&s, file, 0, 3 * 16384), -EIO);
    assert_true(last_more);
    expect_played();
    close(file);
}

static void such_a_layer_tells_faults_of_the_file(void **state)
{
    static const struct step steps[] = {{WRITE, 10, 0}};
    struct sks__stream s = PLAY(&simple, steps);
    int file = unit_file(10);

    (void)state;
    assert_int_equal(sks__stream_sendfile(&s, file, 0, 11), -EIO);
    assert_int_equal(sks__stream_sendfile(&s, -1, 0, 11), -EBADF);
    expect_played();
    close(file);
}

static void a_tunnel_is_filled_after_a_wait(void **state)
{
    static const struct step steps[] = {{FILL, -EAGAIN, POLLIN},
                                        {WAIT, 1, POLLIN},
                                        {FILL, 500, 0},
                                        {FILL, -EINVAL, 0},
                                        {FILL, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);
    struct sks__fd_tunnel t = {.read_fd = 78};

    (void)state;
    assert_int_equal(sks__stream_fill(&s, &t, 1000), 500);
    assert_int_equal(last_n, 1000);
    assert_int_equal(sks__stream_fill(&s, &t, 1000), -EINVAL);
    assert_false(s.at_eof);
    assert_int_equal(sks__stream_fill(&s, &t, 1000), 0);
    assert_true(s.at_eof);
    expect_played();
}

/* --- lingering --- */

/* --- settling --- */

static void settling_waits_until_all_is_sent(void **state)
{
    static const struct step steps[] = {{SETTLE, -EAGAIN, POLLOUT},
                                        {WAIT, 1, POLLOUT},
                                        {SETTLE, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    s.waiter.send = send_nothing;
    assert_int_equal(sks__stream_settle(&s), 0);
    expect_played();
}

static void settling_in_vain_is_a_timeout(void **state)
{
    static const struct step steps[] = {{SETTLE, -EAGAIN, POLLOUT},
                                        {WAIT, 0, POLLOUT}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    s.waiter.send = send_nothing;
    s.timeout_ms = 5;
    assert_int_equal(sks__stream_settle(&s), SKS_ETIMEDOUT);
    assert_int_equal(last_wait_ms, 5);
    expect_played();
}

static void what_could_not_be_settled_is_told(void **state)
{
    static const struct step steps[] = {{SETTLE, -EPIPE, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    s.waiter.send = send_nothing;
    assert_int_equal(sks__stream_settle(&s), SKS_ECLOSED);
    expect_played();
}

static void all_is_settled_where_nothing_is_sent_later(void **state)
{
    struct sks__stream s = play(&scripted, NULL, 0);

    (void)state;
    assert_int_equal(sks__stream_settle(&s), 0);
    s = play(&simple, NULL, 0);
    s.waiter.send = send_nothing;
    assert_int_equal(sks__stream_settle(&s), 0);
}

static void lingering_throws_away_until_the_peer_closes(void **state)
{
    static const struct step steps[] = {
        {SHUTDOWN, 0, 0},  {READ, 100, 0}, {READ, -EAGAIN, POLLIN},
        {WAIT, 1, POLLIN}, {READ, 100, 0}, {READ, 0, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    sks__stream_linger(&s, DEADLINE_MS, 1000);
    assert_in_range(last_wait_ms, 1, DEADLINE_MS);
    expect_played();
}

static void lingering_ends_when_enough_came(void **state)
{
    static const struct step steps[] = {{SHUTDOWN, 0, 0},
                                        {READ, 100, 0},
                                        {READ, 100, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    sks__stream_linger(&s, DEADLINE_MS, 150);
    expect_played();
}

static void lingering_ends_when_nothing_comes(void **state)
{
    static const struct step steps[] = {{SHUTDOWN, 0, 0},
                                        {READ, -EAGAIN, POLLIN},
                                        {WAIT, 0, POLLIN}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    s.deadline = 1;
    sks__stream_linger(&s, DEADLINE_MS, 150);
    assert_in_range(last_wait_ms, 1, DEADLINE_MS);
    expect_played();
}

static void there_is_no_lingering_for_a_peer_that_has_closed(void **state)
{
    struct sks__stream s = play(&scripted, NULL, 0);

    (void)state;
    s.at_eof = 1;
    sks__stream_linger(&s, DEADLINE_MS, 150);
}

static void there_is_no_lingering_for_a_peer_that_is_gone(void **state)
{
    static const struct step steps[] = {{SHUTDOWN, -ENOTCONN, 0}};
    struct sks__stream s = PLAY(&scripted, steps);

    (void)state;
    sks__stream_linger(&s, DEADLINE_MS, 150);
    expect_played();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(what_is_there_is_read_at_once),
        UNIT_TEST(a_read_waits_for_what_the_layer_wants),
        UNIT_TEST(end_of_file_is_remembered),
        UNIT_TEST(a_read_of_nothing_is_no_end_of_file),
        UNIT_TEST(input_is_awaited_if_the_last_read_left_none),
        UNIT_TEST(a_peer_that_is_gone_is_told_in_one_way),
        UNIT_TEST(other_errors_pass),
        UNIT_TEST(a_wait_in_vain_is_a_timeout_and_may_be_tried_again),
        UNIT_TEST(without_time_nothing_is_waited_for),
        UNIT_TEST(without_time_an_interrupted_try_is_repeated),
        UNIT_TEST(the_deadline_bounds_a_longer_timeout),
        UNIT_TEST(the_timeout_bounds_a_longer_deadline),
        UNIT_TEST(after_the_deadline_what_is_there_is_still_read),
        UNIT_TEST(all_is_written_in_as_many_parts_as_it_takes),
        UNIT_TEST(nothing_is_not_written),
        UNIT_TEST(a_write_that_fails_half_way_says_so),
        UNIT_TEST(a_file_is_sent_in_stretches),
        UNIT_TEST(a_cork_that_does_not_hold_is_not_drawn),
        UNIT_TEST(no_more_is_asked_for_than_one_call_can_send),
        UNIT_TEST(a_file_that_ends_early_is_an_error),
        UNIT_TEST(of_a_file_nothing_is_sent_if_nothing_is_asked_for),
        UNIT_TEST(a_layer_that_must_see_the_bytes_writes_them),
        UNIT_TEST(more_is_said_while_more_of_the_file_follows),
        UNIT_TEST(such_a_layer_tells_faults_of_the_file),
        UNIT_TEST(a_tunnel_is_filled_after_a_wait),
        UNIT_TEST(settling_waits_until_all_is_sent),
        UNIT_TEST(settling_in_vain_is_a_timeout),
        UNIT_TEST(what_could_not_be_settled_is_told),
        UNIT_TEST(all_is_settled_where_nothing_is_sent_later),
        UNIT_TEST(lingering_throws_away_until_the_peer_closes),
        UNIT_TEST(lingering_ends_when_enough_came),
        UNIT_TEST(lingering_ends_when_nothing_comes),
        UNIT_TEST(there_is_no_lingering_for_a_peer_that_has_closed),
        UNIT_TEST(there_is_no_lingering_for_a_peer_that_is_gone),
    };

    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
