/* An rfile over one end of a pair of sockets: the test, or a thread of its
 * own, sends into the other. */
#include "unit.h"

#include "fd.h"
#include "rfile.h"
#include "wfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the tunnel is worth, and more than a pair of sockets holds. */
enum { BIG = 700000 };

struct line {
    struct sks__stream stream;
    sks_rfile rfile;
    sks_wfile wfile;
    int peer;
};

/* Both kinds of streams are tested, where there are both. */
static int blocking;

static void line_open(struct line *l, size_t rbufsize, size_t wbufsize)
{
    struct sks__waiter none = {NULL, NULL};
    int fds[2];

    unit_pair(SOCK_STREAM, fds);
    l->peer = fds[1];
    if (!blocking)
        sks__fd_set_mode(fds[0], SKS__FD_NONBLOCKING);
    sks__stream_init(&l->stream, &sks__socket_layer, fds[0], none, blocking,
                     -1);
    l->stream.timeout_ms = DEADLINE_MS;
    sks__rfile_open(&l->rfile, &l->stream, &l->wfile, rbufsize);
    sks__wfile_open(&l->wfile, &l->stream, wbufsize);
}

static void line_close(struct line *l)
{
    sks__rfile_close(&l->rfile);
    sks__wfile_close(&l->wfile);
    close(l->stream.fd);
    if (l->peer >= 0)
        close(l->peer);
}

static void say(struct line *l, const char *text)
{
    assert_int_equal(__real_send(l->peer, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

static void hang_up(struct line *l)
{
    close(l->peer);
    l->peer = -1;
}

static void say_and_hang_up(struct line *l, const char *text)
{
    say(l, text);
    hang_up(l);
}

static void expect_read(struct line *l, size_t n, const char *text)
{
    char came[100];

    assert_int_equal(sks_rfile_read(&l->rfile, came, n), strlen(text));
    assert_memory_equal(came, text, strlen(text));
}

static void expect_line(struct line *l, size_t size, const char *text)
{
    char came[100];

    memset(came, '~', sizeof came);
    assert_int_equal(sks_rfile_readline(&l->rfile, came, size), strlen(text));
    assert_string_equal(came, text);
}

static void expect_peek(struct line *l, size_t min, const char *text)
{
    const void *data;

    assert_int_equal(sks_rfile_peek(&l->rfile, min, &data), strlen(text));
    assert_memory_equal(data, text, strlen(text));
}

/* --- read, read1 --- */

static void exactly_what_was_asked_for_is_read(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 8, 0);
    fault_shorten(3);
    say_and_hang_up(&l, "0123456789abcdefghij");
    expect_read(&l, 5, "01234");
    expect_read(&l, 0, "");
    expect_read(&l, 10, "56789abcde");
    expect_read(&l, 10, "fghij");
    expect_read(&l, 10, "");
    line_close(&l);
}

static void read1_takes_what_is_there(void **state)
{
    struct line l;
    char came[100];

    (void)state;
    line_open(&l, 8, 0);
    say(&l, "0123456789");
    fault_set(FAULT_RECV, 0, 0, 0);
    assert_int_equal(sks_rfile_read1(&l.rfile, came, 0), 0);
    assert_int_equal(fault_calls(FAULT_RECV), 0);
    assert_int_equal(sks_rfile_read1(&l.rfile, came, 5), 5);
    assert_int_equal(sks_rfile_read1(&l.rfile, came + 5, 5), 3);
    assert_int_equal(fault_calls(FAULT_RECV), 1);
    assert_int_equal(sks_rfile_read1(&l.rfile, came + 8, 90), 2);
    assert_memory_equal(came, "0123456789", 10);
    hang_up(&l);
    assert_int_equal(sks_rfile_read1(&l.rfile, came, 5), 0);
    line_close(&l);
}

static void large_reads_go_past_the_buffer(void **state)
{
    struct line l;
    char came[100];

    (void)state;
    line_open(&l, 8, 0);
    say(&l, "0123456789");
    fault_set(FAULT_MALLOC, 0, FAULT_ALWAYS, ENOMEM);
    assert_int_equal(sks_rfile_read1(&l.rfile, came, 8), 8);
    assert_int_equal(sks_rfile_read1(&l.rfile, came + 8, 90), 2);
    assert_memory_equal(came, "0123456789", 10);
    line_close(&l);
}

static void an_error_after_some_bytes_waits_for_the_next_call(void **state)
{
    struct line l;
    char came[20];

    (void)state;
    line_open(&l, 8, 0);
    say_and_hang_up(&l, "0123");
    fault_set(FAULT_RECV, 1, 1, ECONNRESET);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), 4);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), SKS_ECLOSED);
    line_close(&l);
}

static void after_a_timeout_reading_goes_on(void **state)
{
    struct line l;
    char came[20];

    (void)state;
    line_open(&l, 8, 0);
    l.stream.timeout_ms = 0;
    say(&l, "0123");
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), 4);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), SKS_ETIMEDOUT);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), SKS_ETIMEDOUT);
    say(&l, "4567");
    assert_int_equal(sks_rfile_read(&l.rfile, came + 4, 4), 4);
    assert_memory_equal(came, "01234567", 8);
    line_close(&l);
}

static void without_memory_nothing_is_lost(void **state)
{
    struct line l;
    char byte;
    const void *data;

    (void)state;
    line_open(&l, 8, 0);
    say(&l, "0123\n");
    fault_set(FAULT_MALLOC, 0, 3, ENOMEM);
    assert_int_equal(sks_rfile_read(&l.rfile, &byte, 1), -ENOMEM);
    assert_int_equal(sks_rfile_skip(&l.rfile, 1), -ENOMEM);
    assert_int_equal(sks_rfile_peek(&l.rfile, 1, &data), -ENOMEM);
    expect_line(&l, 10, "0123\n");
    line_close(&l);
}

/* --- peek --- */

static void a_peek_takes_nothing(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 8, 0);
    say(&l, "012345");
    expect_peek(&l, 1, "012345");
    expect_peek(&l, 6, "012345");
    expect_read(&l, 2, "01");
    expect_peek(&l, 1, "2345");
    line_close(&l);
}

static void a_peek_waits_for_as_much_as_it_needs(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 4, 0);
    fault_shorten(2);
    say(&l, "0123456789");
    expect_read(&l, 1, "0");
    expect_peek(&l, 9, "123456789");
    expect_read(&l, 9, "123456789");
    line_close(&l);
}

static void a_peek_at_the_end_shows_what_there_is(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 8, 0);
    say_and_hang_up(&l, "0123");
    expect_peek(&l, 6, "0123");
    expect_peek(&l, 6, "0123");
    expect_read(&l, 6, "0123");
    expect_peek(&l, 1, "");
    line_close(&l);
}

static void a_peek_that_fails_keeps_what_came(void **state)
{
    struct line l;
    const void *data;

    (void)state;
    line_open(&l, 8, 0);
    l.stream.timeout_ms = 0;
    say(&l, "0123");
    assert_int_equal(sks_rfile_peek(&l.rfile, 6, &data), SKS_ETIMEDOUT);
    assert_int_equal(sks_rfile_peek(&l.rfile, SIZE_MAX, &data), -ENOMEM);
    say(&l, "45");
    expect_peek(&l, 6, "012345");
    line_close(&l);
}

/* --- skip --- */

static void bytes_are_skipped(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 4, 0);
    say_and_hang_up(&l, "0123456789abc");
    expect_peek(&l, 1, "0123");
    assert_int_equal(sks_rfile_skip(&l.rfile, 0), 0);
    assert_int_equal(sks_rfile_skip(&l.rfile, 2), 2);
    assert_int_equal(sks_rfile_skip(&l.rfile, 7), 7);
    expect_read(&l, 2, "9a");
    assert_int_equal(sks_rfile_skip(&l.rfile, 7), 2);
    assert_int_equal(sks_rfile_skip(&l.rfile, 7), 0);
    line_close(&l);
}

static void a_skip_that_fails_half_way_tells_how_far_it_got(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 4, 0);
    say_and_hang_up(&l, "012345");
    fault_set(FAULT_RECV, 2, 1, ECONNRESET);
    assert_int_equal(sks_rfile_skip(&l.rfile, 10), 6);
    assert_int_equal(sks_rfile_skip(&l.rfile, 10), SKS_ECLOSED);
    line_close(&l);
}

/* --- readline --- */

static void lines_are_read_one_by_one(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 4, 0);
    say_and_hang_up(&l, "one\n\ntwo and a half\r\nlast");
    expect_line(&l, 50, "one\n");
    expect_line(&l, 50, "\n");
    expect_line(&l, 50, "two and a half\r\n");
    expect_line(&l, 50, "last");
    expect_line(&l, 50, "");
    line_close(&l);
}

static void a_line_may_come_byte_by_byte(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 8192, 0);
    fault_shorten(1);
    say(&l, "GET / HTTP/1.0\nHost: x\n");
    expect_line(&l, 50, "GET / HTTP/1.0\n");
    expect_line(&l, 50, "Host: x\n");
    line_close(&l);
}

static void a_line_fits_into_exactly_its_room(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 8, 0);
    say_and_hang_up(&l, "1234\n1\n1234");
    expect_line(&l, 6, "1234\n");
    expect_line(&l, 3, "1\n");
    expect_line(&l, 5, "1234");
    line_close(&l);
}

static void a_line_over_its_limit_stays_unread(void **state)
{
    struct line l;
    char came[100];

    (void)state;
    line_open(&l, 4, 0);
    say_and_hang_up(&l, "12345\n12345");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 6), SKS_ETOOLONG);
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 2), SKS_ETOOLONG);
    expect_line(&l, 7, "12345\n");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 5), SKS_ETOOLONG);
    expect_line(&l, 6, "12345");
    line_close(&l);
}

/* However much of it never ends. */
static void an_endless_line_is_refused_without_reading_all_of_it(void **state)
{
    struct line l;
    char many[5000], came[100];

    (void)state;
    line_open(&l, 16, 0);
    memset(many, 'x', sizeof many);
    __real_send(l.peer, many, sizeof many, 0);
    assert_int_equal(sks_rfile_readline(&l.rfile, came, sizeof came),
                     SKS_ETOOLONG);
    assert_true(l.rfile.buffer.size < 1000);
    line_close(&l);
}

static void a_line_needs_room(void **state)
{
    struct line l;
    char came[2];

    (void)state;
    line_open(&l, 16, 0);
    say(&l, "\n");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 0), -EINVAL);
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 1), -EINVAL);
    expect_line(&l, 2, "\n");
    line_close(&l);
}

static void a_line_may_hold_any_byte(void **state)
{
    struct line l;
    char came[10];

    (void)state;
    line_open(&l, 16, 0);
    __real_send(l.peer, "a\0b\xff\n", 5, 0);
    assert_int_equal(sks_rfile_readline(&l.rfile, came, sizeof came), 5);
    assert_memory_equal(came, "a\0b\xff\n", 6);
    line_close(&l);
}

static void half_a_line_waits_for_its_end(void **state)
{
    struct line l;
    char came[10];

    (void)state;
    line_open(&l, 16, 0);
    l.stream.timeout_ms = 0;
    say(&l, "ha");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 10), SKS_ETIMEDOUT);
    say(&l, "lf\n");
    expect_line(&l, 10, "half\n");
    line_close(&l);
}

/* --- wfile beside it --- */

static void what_is_held_back_is_sent_before_a_wait(void **state)
{
    struct line l;
    char came[10] = "";

    (void)state;
    line_open(&l, 16, 100);
    say(&l, "a\nb\n");
    expect_line(&l, 10, "a\n");
    sks_wfile_puts(&l.wfile, "prompt");
    expect_line(&l, 10, "b\n");
    assert_int_equal(__real_recv(l.peer, came, 9, MSG_DONTWAIT), -1);
    l.stream.timeout_ms = 0;
    assert_int_equal(sks_rfile_read(&l.rfile, came, 1), SKS_ETIMEDOUT);
    assert_int_equal(__real_recv(l.peer, came, 9, MSG_DONTWAIT), 6);
    assert_string_equal(came, "prompt");
    line_close(&l);
}

/* --- packets --- */

static void packet_open(sks_rfile *f, const char *text, int cut)
{
    size_t n = strlen(text);
    char *bytes = malloc(n + 1);

    memcpy(bytes, text, n);
    sks__rfile_open_packet(f, bytes, n, cut);
}

static void a_packet_is_a_stream_that_ends(void **state)
{
    sks_rfile f;
    const void *data;
    char came[10];

    (void)state;
    packet_open(&f, "one\ntwo", 0);
    assert_int_equal(sks_rfile_peek(&f, 100, &data), 7);
    assert_int_equal(sks_rfile_readline(&f, came, 10), 4);
    assert_int_equal(sks_rfile_skip(&f, 1), 1);
    assert_int_equal(sks_rfile_read1(&f, came, 1), 1);
    assert_int_equal(sks_rfile_read(&f, came, 10), 1);
    assert_int_equal(sks_rfile_read(&f, came, 10), 0);
    assert_int_equal(sks_rfile_read1(&f, came, 10), 0);
    assert_int_equal(sks_rfile_skip(&f, 1), 0);
    assert_int_equal(sks_rfile_readline(&f, came, 10), 0);
    sks__rfile_close(&f);
}

static void a_packet_that_was_cut_ends_with_an_error(void **state)
{
    sks_rfile f;
    const void *data;
    char came[10];

    (void)state;
    packet_open(&f, "one\ntwo", 1);
    assert_int_equal(sks_rfile_readline(&f, came, 10), 4);
    assert_int_equal(sks_rfile_readline(&f, came, 10), SKS_ETOOLONG);
    assert_int_equal(sks_rfile_peek(&f, 4, &data), SKS_ETOOLONG);
    assert_int_equal(sks_rfile_read(&f, came, 10), 3);
    assert_int_equal(sks_rfile_read(&f, came, 10), SKS_ETOOLONG);
    assert_int_equal(sks_rfile_skip(&f, 1), SKS_ETOOLONG);
    sks__rfile_close(&f);
}

static void a_packet_goes_into_a_file(void **state)
{
    sks_rfile f;
    char came[10] = "";
    int file = unit_file(0);

    (void)state;
    packet_open(&f, "one\ntwo", 0);
    assert_int_equal(sks_rfile_recvfile(&f, file, 4), 4);
    assert_int_equal(sks_rfile_recvfile(&f, file, -1), 3);
    assert_int_equal(sks_rfile_recvfile(&f, file, -1), 0);
    assert_int_equal(pread(file, came, 9, 0), 7);
    assert_string_equal(came, "one\ntwo");
    sks__rfile_close(&f);
    close(file);
}

/* --- recvfile --- */

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

    (void)state;
    line_open(&l, 8192, 0);
    say_and_hang_up(&l, "kept");
    assert_int_equal(sks_rfile_recvfile(&l.rfile, -1, -1), -EBADF);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, -1, 2), -EBADF);
    expect_read(&l, 10, "kept");
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
    say(&l, "four");
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, -1), 4);
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, -1), SKS_ETIMEDOUT);
    say(&l, "more");
    assert_int_equal(sks_rfile_recvfile(&l.rfile, file, 4), 4);
    assert_int_equal(pread(file, came, 9, 0), 8);
    assert_string_equal(came, "fourmore");
    line_close(&l);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(exactly_what_was_asked_for_is_read),
        UNIT_TEST(read1_takes_what_is_there),
        UNIT_TEST(large_reads_go_past_the_buffer),
        UNIT_TEST(an_error_after_some_bytes_waits_for_the_next_call),
        UNIT_TEST(after_a_timeout_reading_goes_on),
        UNIT_TEST(without_memory_nothing_is_lost),
        UNIT_TEST(a_peek_takes_nothing),
        UNIT_TEST(a_peek_waits_for_as_much_as_it_needs),
        UNIT_TEST(a_peek_at_the_end_shows_what_there_is),
        UNIT_TEST(a_peek_that_fails_keeps_what_came),
        UNIT_TEST(bytes_are_skipped),
        UNIT_TEST(a_skip_that_fails_half_way_tells_how_far_it_got),
        UNIT_TEST(lines_are_read_one_by_one),
        UNIT_TEST(a_line_may_come_byte_by_byte),
        UNIT_TEST(a_line_fits_into_exactly_its_room),
        UNIT_TEST(a_line_over_its_limit_stays_unread),
        UNIT_TEST(an_endless_line_is_refused_without_reading_all_of_it),
        UNIT_TEST(a_line_needs_room),
        UNIT_TEST(a_line_may_hold_any_byte),
        UNIT_TEST(half_a_line_waits_for_its_end),
        UNIT_TEST(what_is_held_back_is_sent_before_a_wait),
        UNIT_TEST(a_packet_is_a_stream_that_ends),
        UNIT_TEST(a_packet_that_was_cut_ends_with_an_error),
        UNIT_TEST(a_packet_goes_into_a_file),
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
    };
    int failed = cmocka_run_group_tests_name("rfile", tests, NULL, NULL);

    if (!sks__fd_has_time_limits)
        return failed;
    blocking = 1;
    return failed +
           cmocka_run_group_tests_name("rfile, blocking", tests, NULL, NULL);
}
