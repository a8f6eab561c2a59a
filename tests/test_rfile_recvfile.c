/* sks_rfile_recvfile() of lib/rfile.c: what a client sends goes into a file. */
#include "unit.h"
#include "unit_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the tunnel is worth, and more than a pair of sockets holds. */
enum { BIG = 700000 };

/* A thread that sends the pattern. */
struct sender {
    pthread_t thread;
    int fd;
    size_t n;
    int hangs_up;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;
    char bytes[3000];

    for (size_t done = 0; done < s->n;) {
        size_t piece = s->n - done < sizeof bytes ? s->n - done : sizeof bytes;
        ssize_t sent;

        unit_fill(bytes, piece, done);
        sent = __real_send(s->fd, bytes, piece, MSG_NOSIGNAL);
        if (sent < 0)
            break;
        done += (size_t)sent;
    }
    if (s->hangs_up)
        shutdown(s->fd, SHUT_WR);
    return NULL;
}

static void sender_start(struct sender *s, struct line *l, size_t n,
                         int hangs_up)
{
    s->fd = l->peer;
    s->n = n;
    s->hangs_up = hangs_up;
    assert_int_equal(__real_pthread_create(&s->thread, NULL, send_all, s), 0);
}

/* The file holds the pattern's bytes, n of them. */
static void expect_file(int file, size_t n)
{
    static char came[BIG + 1];

    assert_int_equal(pread(file, came, sizeof came, 0), n);
    unit_expect(came, n, 0);
}

static void receive_file(size_t sent, off_t asked, size_t wanted, int flags)
{
    struct line l;
    struct sender sender;
    int file = unit_file(0);
    char rest[10];

    line_open(&l, 8192, 0);
    fcntl(file, F_SETFL, flags);
    sender_start(&sender, &l, sent, 1);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, asked), wanted);
    expect_file(file, wanted);
    if (sent > wanted) {
        assert_int_equal(sks_rfile_read(&l.rfile, rest, 1), 1);
        unit_expect(rest, 1, wanted);
    }
    shutdown(l.stream.fd, SHUT_RDWR);
    pthread_join(sender.thread, NULL);
    line_close(&l);
    close(file);
}

static void a_file_receives_as_many_bytes_as_were_asked_for(void **state)
{
    (void)state;
    receive_file(100, 0, 0, 0);
    receive_file(100, 50, 50, 0);
    receive_file(BIG, 100000, 100000, 0);
    receive_file(BIG, 500001, 500001, 0);
}

static void a_file_receives_all_until_the_end(void **state)
{
    (void)state;
    receive_file(0, -1, 0, 0);
    receive_file(100, -1, 100, 0);
    receive_file(100, 500000, 100, 0);
    receive_file(BIG, -1, BIG, 0);
    receive_file(BIG, BIG + 1, BIG, 0);
}

static void a_file_that_no_tunnel_leads_into_is_written(void **state)
{
    (void)state;
    receive_file(BIG, -1, BIG, O_APPEND);
    receive_file(BIG, 500001, 500001, O_APPEND);
}

static void a_file_receives_its_bytes_in_small_portions_too(void **state)
{
    (void)state;
    fault_shorten(1001);
    fault_interrupt(5);
    receive_file(BIG, 500001, 500001, 0);
}

static void no_tunnel_is_needed(void **state)
{
    (void)state;
    fault_set(FAULT_WAKEUP, 0, 1, EMFILE);
    receive_file(BIG, 500001, 500001, 0);
}

static void what_was_buffered_goes_into_the_file_first(void **state)
{
    struct line l;
    struct sender sender;
    char came[3];
    int file = unit_file(0);

    (void)state;
    line_open(&l, 8192, 0);
    sender_start(&sender, &l, BIG, 1);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 3), 3);
    assert_int_equal(__real_write(file, came, 3), 3);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, BIG - 5), BIG - 5);
    expect_file(file, BIG - 2);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, -1), 2);
    expect_file(file, BIG);
    pthread_join(sender.thread, NULL);
    line_close(&l);
    close(file);
}

/* Receives all, through errors of the file, the first of which comes when it
 * has `most` bytes. */
static void receive_through_errors(long most)
{
    struct line l;
    struct sender sender;
    int file = unit_file(0), failed = 0;
    off_t got, done = 0;

    line_open(&l, 8192, 0);
    sender_start(&sender, &l, BIG, 1);
    unit_limit_files(most);
    while ((got = sks_rfile_recvfile(&l.rfile, file, -1)) != 0) {
        if (got > 0) {
            done += got;
            continue;
        }
        assert_int_equal(got, -EFBIG);
        assert_int_equal(done, failed ? done : most);
        failed = 1;
        unit_limit_files(-1);
    }
    assert_true(failed);
    assert_int_equal(done, BIG);
    expect_file(file, BIG);
    pthread_join(sender.thread, NULL);
    line_close(&l);
    close(file);
}

static void a_file_that_fails_loses_no_byte(void **state)
{
    static const long limits[] = {0,     1,     8191,  8192,   8193,
                                  65535, 65536, 65537, 100000, BIG - 1};

    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        receive_through_errors(limits[i]);
}

static void a_file_that_fails_anywhere_loses_no_byte(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 30; i++) {
        fault_shorten((size_t)(rand() % 20000) * (size_t)(rand() % 2));
        receive_through_errors(rand() % BIG);
    }
}

/* One call tells how much, the next one why not more. */
static void why_a_file_took_no_more_is_told_next(void **state)
{
    struct line l;
    struct sender sender;
    int file = unit_file(0);
    char came[10];

    (void)state;
    line_open(&l, 8192, 0);
    sender_start(&sender, &l, BIG, 1);
    unit_limit_files(300001);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, -1), 300001);
    unit_limit_files(-1);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), -EFBIG);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), 10);
    unit_expect(came, 10, 300001);
    assert_int_equal(sks_rfile_skip(&l.rfile, BIG), BIG - 300011);
    pthread_join(sender.thread, NULL);
    line_close(&l);
    close(file);
}

/* Whatever was on its way to the file when memory ran out. */
static void a_file_that_fails_without_memory_loses_no_byte(void **state)
{
    struct line l;
    struct sender sender;
    int file = unit_file(0);
    off_t got, done = 0;

    (void)state;
    line_open(&l, 8192, 0);
    sender_start(&sender, &l, BIG, 1);
    unit_limit_files(100000);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    while (done < 100000) {
        got = sks_rfile_recvfile(&l.rfile, file, -1);
        assert_true(got > 0 || got == -ENOMEM || got == -EFBIG);
        done += got > 0 ? got : 0;
    }
    unit_limit_files(-1);
    while ((got = sks_rfile_recvfile(&l.rfile, file, -1)) != 0)
        done += got > 0 ? got : 0;
    assert_int_equal(done, BIG);
    expect_file(file, BIG);
    pthread_join(sender.thread, NULL);
    line_close(&l);
    close(file);
}

static void what_is_no_file_takes_no_byte(void **state)
{
    struct line l;
    char came[10];

    (void)state;
    line_open(&l, 8192, 0);
    line_say_and_hang_up(&l, "kept");
    assert_int_equal(sks_rfile_recvfile(&l.rfile, -1, -1), -EBADF);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, -1, 2), -EBADF);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), 4);
    assert_memory_equal(came, "kept", 4);
    line_close(&l);
}

/* A handler may move a request's body into a program. */
static void a_pipe_that_nobody_reads_raises_no_signal(void **state)
{
    static const size_t sizes[] = {100, BIG};

    (void)state;
    unit_count_pipes();
    for (size_t i = 0; i < 2; i++) {
        struct line l;
        struct sender sender;
        int ends[2];
        char came[10];

        assert_return_code(__real_pipe(ends), errno);
        close(ends[0]);
        line_open(&l, 8192, 0);
        sender_start(&sender, &l, sizes[i], 1);
        assert_int_equal(sks_rfile_recvfile(&l.rfile, ends[1], -1), -EPIPE);
        assert_int_equal(unit_pipes(), 0);
        assert_int_equal(sks_rfile_read(&l.rfile, came, 10), 10);
        unit_expect(came, 10, 0);
        shutdown(l.stream.fd, SHUT_RDWR);
        pthread_join(sender.thread, NULL);
        line_close(&l);
        close(ends[1]);
    }
}

/* What comes out of the pipe, until its end; NULL if that is not all. */
static void *drain_pipe(void *arg)
{
    static char bytes[BIG];
    int fd = *(int *)arg;
    size_t done = 0;

    while (done < sizeof bytes) {
        ssize_t n = __real_read(fd, bytes + done, sizeof bytes - done);

        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done == sizeof bytes ? bytes : NULL;
}

static void a_pipe_that_is_full_is_waited_for(void **state)
{
    struct line l;
    struct sender sender;
    pthread_t draining;
    int ends[2];
    void *came;

    (void)state;
    assert_return_code(__real_pipe(ends), errno);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    line_open(&l, 8192, 0);
    sender_start(&sender, &l, BIG, 1);
    assert_int_equal(__real_pthread_create(&draining, NULL, drain_pipe,
                                           &ends[0]),
                     0);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, ends[1], -1), BIG);
    close(ends[1]);
    pthread_join(draining, &came);
    assert_non_null(came);
    unit_expect(came, BIG, 0);
    pthread_join(sender.thread, NULL);
    line_close(&l);
    close(ends[0]);
}

static void a_peer_that_fails_leaves_what_came(void **state)
{
    struct line l;
    int file = unit_file(0);
    char came[10] = "";

    (void)state;
    line_open(&l, 8192, 0);
    l.stream.timeout_ms = 0;
    line_say(&l, "four");
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, -1), 4);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, -1), SKS_ETIMEDOUT);
    line_say(&l, "more");
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, 4), 4);
    assert_int_equal(pread(file, came, 9, 0), 8);
    assert_string_equal(came, "fourmore");
    line_close(&l);
    close(file);
}

static void a_packet_goes_into_a_file(void **state)
{
    sks_rfile f;
    struct sks__buffer packet = {.end = 0};
    char came[10] = "";
    int file = unit_file(0);

    (void)state;
    assert_int_equal(sks__buffer_append(&packet, "one\ntwo", 7), 0);
    sks__rfile_open_packet(&f, &packet, 0);
    assert_int_equal(sks_rfile_recvfile(&f, file, 4), 4);
    assert_int_equal(sks_rfile_recvfile(&f, file, -1), 3);
    assert_int_equal(sks_rfile_recvfile(&f, file, -1), 0);
    assert_int_equal(pread(file, came, 9, 0), 7);
    assert_string_equal(came, "one\ntwo");
    sks__rfile_close(&f);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_file_receives_as_many_bytes_as_were_asked_for),
        UNIT_TEST(a_file_receives_all_until_the_end),
        UNIT_TEST(a_file_that_no_tunnel_leads_into_is_written),
        UNIT_TEST(a_file_receives_its_bytes_in_small_portions_too),
        UNIT_TEST(no_tunnel_is_needed),
        UNIT_TEST(what_was_buffered_goes_into_the_file_first),
        UNIT_TEST(a_file_that_fails_loses_no_byte),
        UNIT_TEST(a_file_that_fails_anywhere_loses_no_byte),
        UNIT_TEST(why_a_file_took_no_more_is_told_next),
        UNIT_TEST(a_file_that_fails_without_memory_loses_no_byte),
        UNIT_TEST(what_is_no_file_takes_no_byte),
        UNIT_TEST(a_pipe_that_nobody_reads_raises_no_signal),
        UNIT_TEST(a_pipe_that_is_full_is_waited_for),
        UNIT_TEST(a_peer_that_fails_leaves_what_came),
        UNIT_TEST(a_packet_goes_into_a_file),
    };

    return LINE_RUN("rfile_recvfile", tests);
}
