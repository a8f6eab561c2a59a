/* An rfile over one end of a pair of sockets: the test, or a thread of its
 * own, sends into the other. */
#include "unit.h"
#include "unit_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    line_say_and_hang_up(&l, "0123456789abcdefghij");
    expect_read(&l, 5, "01234");
    expect_read(&l, 0, "");
    expect_read(&l, 10, "56789abcde");
    expect_read(&l, 10, "fghij");
    expect_read(&l, 10, "");
    line_close(&l);
}

static void after_the_end_nothing_is_asked_for(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 8, 0);
    line_say_and_hang_up(&l, "01");
    expect_read(&l, 10, "01");
    fault_set(FAULT_RECV, 0, 0, 0);
    expect_read(&l, 10, "");
    expect_peek(&l, 1, "");
    expect_line(&l, 10, "");
    assert_int_equal(sks_rfile_skip(&l.rfile, 1), 0);
    assert_int_equal(fault_calls(FAULT_RECV), 0);
    line_close(&l);
}

static void read1_takes_what_is_there(void **state)
{
    struct line l;
    char came[100];

    (void)state;
    line_open(&l, 8, 0);
    line_say(&l, "0123456789");
    fault_set(FAULT_RECV, 0, 0, 0);
    assert_int_equal(sks_rfile_read1(&l.rfile, came, 0), 0);
    assert_int_equal(fault_calls(FAULT_RECV), 0);
    assert_int_equal(sks_rfile_read1(&l.rfile, came, 5), 5);
    assert_int_equal(sks_rfile_read1(&l.rfile, came + 5, 5), 3);
    assert_int_equal(fault_calls(FAULT_RECV), 1);
    assert_int_equal(sks_rfile_read1(&l.rfile, came + 8, 90), 2);
    assert_memory_equal(came, "0123456789", 10);
    line_hang_up(&l);
    assert_int_equal(sks_rfile_read1(&l.rfile, came, 5), 0);
    line_close(&l);
}

static void large_reads_go_past_the_buffer(void **state)
{
    struct line l;
    char came[100];

    (void)state;
    line_open(&l, 8, 0);
    line_say(&l, "0123456789");
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
    line_say_and_hang_up(&l, "0123");
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
    line_say(&l, "0123");
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), 4);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), SKS_ETIMEDOUT);
    assert_int_equal(sks_rfile_read(&l.rfile, came, 10), SKS_ETIMEDOUT);
    line_say(&l, "4567");
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
    line_say(&l, "0123\n");
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
    line_say(&l, "012345");
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
    line_say(&l, "0123456789");
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
    line_say_and_hang_up(&l, "0123");
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
    line_say(&l, "0123");
    assert_int_equal(sks_rfile_peek(&l.rfile, 6, &data), SKS_ETIMEDOUT);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks_rfile_peek(&l.rfile, 100, &data), -ENOMEM);
    line_say(&l, "45");
    expect_peek(&l, 6, "012345");
    line_close(&l);
}

/* --- skip --- */

static void bytes_are_skipped(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 4, 0);
    line_say_and_hang_up(&l, "0123456789abc");
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
    line_say_and_hang_up(&l, "012345");
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
    line_say_and_hang_up(&l, "one\n\ntwo and a half\r\nlast");
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
    line_say(&l, "GET / HTTP/1.0\nHost: x\n");
    expect_line(&l, 50, "GET / HTTP/1.0\n");
    expect_line(&l, 50, "Host: x\n");
    line_close(&l);
}

static void a_line_fits_into_exactly_its_room(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 8, 0);
    line_say_and_hang_up(&l, "1234\n1\n1234");
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
    line_say_and_hang_up(&l, "12345\n12345");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 6), SKS_ETOOLONG);
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 2), SKS_ETOOLONG);
    expect_line(&l, 7, "12345\n");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 5), SKS_ETOOLONG);
    expect_line(&l, 6, "12345");
    line_close(&l);
}

static void for_what_is_too_long_already_nothing_more_is_waited(void **state)
{
    struct line l;
    char came[10];

    (void)state;
    line_open(&l, 16, 0);
    l.stream.timeout_ms = 0;
    line_say(&l, "1234");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 5), SKS_ETIMEDOUT);
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 4), SKS_ETOOLONG);
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
    line_say(&l, "\n");
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
    line_say(&l, "ha");
    assert_int_equal(sks_rfile_readline(&l.rfile, came, 10), SKS_ETIMEDOUT);
    line_say(&l, "lf\n");
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
    line_say(&l, "a\nb\n");
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

static void nothing_is_kept_while_it_waits(void **state)
{
    struct line l;
    char came[10];

    (void)state;
    line_open(&l, 16, 100);
    line_say(&l, "a\n");
    expect_line(&l, 10, "a\n");
    sks_wfile_puts(&l.wfile, "prompt");
    assert_non_null(l.wfile.buffer.data);
    l.stream.timeout_ms = 1;
    assert_int_equal(sks_rfile_read(&l.rfile, came, 1), SKS_ETIMEDOUT);
    /* A thread that waits in a read cannot give its buffer back. */
    assert_true(line_blocking || l.rfile.buffer.data == NULL);
    assert_true(line_blocking || l.wfile.buffer.data == NULL);
    line_close(&l);
}

/* --- packets --- */

static void packet_open(sks_rfile *f, const char *text, int cut)
{
    struct sks__buffer packet = {.end = 0};

    assert_int_equal(sks__buffer_append(&packet, text, strlen(text)), 0);
    sks__rfile_open_packet(f, &packet, cut);
}

/* It is held during the wait. */
static void where_reads_wait_a_buffer_is_small_until_it_was_full(void **state)
{
    static char bytes[3001];
    struct line l;
    const void *data;

    (void)state;
    memset(bytes, 'x', sizeof bytes - 1);
    line_open(&l, 8192, 0);
    line_say(&l, "0123456789");
    assert_int_equal(sks_rfile_peek(&l.rfile, 1, &data), 10);
    sks_rfile_skip(&l.rfile, 10);
    line_say(&l, bytes);
    assert_int_equal(sks_rfile_peek(&l.rfile, 1, &data),
                     line_blocking ? 1024 : 3000);
    sks_rfile_skip(&l.rfile, 1024);
    assert_int_equal(sks_rfile_peek(&l.rfile, 1, &data), 1976);
    assert_int_equal(l.rfile.buffer.size, 8192);
    line_close(&l);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(exactly_what_was_asked_for_is_read),
        UNIT_TEST(after_the_end_nothing_is_asked_for),
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
        UNIT_TEST(for_what_is_too_long_already_nothing_more_is_waited),
        UNIT_TEST(an_endless_line_is_refused_without_reading_all_of_it),
        UNIT_TEST(a_line_needs_room),
        UNIT_TEST(a_line_may_hold_any_byte),
        UNIT_TEST(half_a_line_waits_for_its_end),
        UNIT_TEST(what_is_held_back_is_sent_before_a_wait),
        UNIT_TEST(nothing_is_kept_while_it_waits),
        UNIT_TEST(where_reads_wait_a_buffer_is_small_until_it_was_full),
        UNIT_TEST(a_packet_is_a_stream_that_ends),
        UNIT_TEST(a_packet_that_was_cut_ends_with_an_error),
    };

    return LINE_RUN("rfile", tests);
}
