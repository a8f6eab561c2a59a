#include "unit.h"
#include "support/leak.h"

#include "fd.h"
#include "wfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct line {
    struct sks__stream stream;
    sks_wfile wfile;
    int peer;
};

static void line_open(struct line *l, size_t bufsize)
{
    struct sks__waiter none = {.wait = NULL};
    int fds[2];

    unit_pair(SOCK_STREAM, fds);
    l->peer = fds[1];
    sks__fd_set_mode(fds[0], SKS__FD_NONBLOCKING);
    sks__stream_init(&l->stream, &sks__socket_layer, fds[0], none, 0, -1);
    l->stream.timeout_ms = DEADLINE_MS;
    sks__wfile_open(&l->wfile, &l->stream, bufsize);
}

static void line_close(struct line *l)
{
    sks__wfile_close(&l->wfile);
    close(l->stream.fd);
    if (l->peer >= 0)
        close(l->peer);
}

/* What has arrived until now is exactly this. */
static void expect(struct line *l, const char *text)
{
    char came[2000];
    ssize_t n = __real_recv(l->peer, came, sizeof came, MSG_DONTWAIT);

    assert_int_equal(n < 0 ? 0 : n, strlen(text));
    assert_memory_equal(came, text, strlen(text));
}

/* --- unbuffered --- */

static void bytes_leave_at_once(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 0);
    assert_int_equal(sks_wfile_write(&l.wfile, "bytes", 5), 0);
    expect(&l, "bytes");
    assert_int_equal(sks_wfile_puts(&l.wfile, "a string"), 0);
    expect(&l, "a string");
    assert_int_equal(sks_wfile_printf(&l.wfile, "%s %d", "number", 5), 0);
    expect(&l, "number 5");
    assert_int_equal(sks_wfile_flush(&l.wfile), 0);
    line_close(&l);
}

static void nothing_is_sent_for_nothing(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 0);
    fault_set(FAULT_SEND, 0, FAULT_ALWAYS, EIO);
    assert_int_equal(sks_wfile_write(&l.wfile, NULL, 0), 0);
    assert_int_equal(sks_wfile_puts(&l.wfile, ""), 0);
    assert_int_equal(sks_wfile_printf(&l.wfile, "%s", ""), 0);
    assert_int_equal(sks_wfile_flush(&l.wfile), 0);
    assert_int_equal(fault_calls(FAULT_SEND), 0);
    line_close(&l);
}

static void text_of_any_length_is_formatted_and_sent_as_one(void **state)
{
    static const int lengths[] = {1, 510, 511, 512, 513, 1500};
    struct line l;
    char text[2000];

    (void)state;
    line_open(&l, 0);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        snprintf(text, sizeof text, "%*d", lengths[i], 7);
        fault_set(FAULT_SEND, 0, 0, 0);
        assert_int_equal(sks_wfile_printf(&l.wfile, "%*d", lengths[i], 7), 0);
        assert_int_equal(fault_calls(FAULT_SEND), 1);
        expect(&l, text);
    }
    line_close(&l);
}

static void text_without_memory_is_an_error_that_sticks(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 0);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks_wfile_printf(&l.wfile, "%600d", 1), -ENOMEM);
    assert_int_equal(sks_wfile_printf(&l.wfile, "%d", 1), -ENOMEM);
    expect(&l, "");
    line_close(&l);
}

/* This wide character is none in the C locale. */
static void text_that_cannot_be_formatted_is_an_error(void **state)
{
    static const wchar_t odd[] = {0x20ac, 0};
    struct line l;

    (void)state;
    line_open(&l, 0);
    assert_int_equal(sks_wfile_printf(&l.wfile, "%ls", odd), -EINVAL);
    assert_int_equal(sks_wfile_puts(&l.wfile, "x"), -EINVAL);
    line_close(&l);
}

static void *receive_all(void *arg)
{
    static char came[1000000];
    int fd = *(int *)arg;
    size_t n = 0;

    while (n < sizeof came) {
        ssize_t got = __real_recv(fd, came + n, sizeof came - n, 0);

        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return n == sizeof came ? came : NULL;
}

/* However few a call takes, and however often it is interrupted. */
static void all_of_it_is_sent(void **state)
{
    static char many[1000000];
    struct line l;
    pthread_t receiving;
    void *came;

    (void)state;
    line_open(&l, 100);
    unit_fill(many, sizeof many, 0);
    fault_shorten(10007);
    fault_interrupt(3);
    assert_int_equal(__real_pthread_create(&receiving, NULL, receive_all,
                                           &l.peer),
                     0);
    assert_int_equal(sks_wfile_write(&l.wfile, many, 77), 0);
    assert_int_equal(sks_wfile_write(&l.wfile, many + 77, sizeof many - 77), 0);
    pthread_join(receiving, &came);
    assert_non_null(came);
    unit_expect(came, sizeof many, 0);
    line_close(&l);
}

/* --- errors --- */

static void an_error_sticks(void **state)
{
    struct line l;
    int file = unit_file(10);

    (void)state;
    line_open(&l, 0);
    fault_set(FAULT_SEND, 0, 1, ECONNRESET);
    assert_int_equal(sks_wfile_puts(&l.wfile, "x"), SKS_ECLOSED);
    assert_int_equal(sks_wfile_puts(&l.wfile, "x"), SKS_ECLOSED);
    assert_int_equal(sks_wfile_write(&l.wfile, "x", 1), SKS_ECLOSED);
    assert_int_equal(sks_wfile_printf(&l.wfile, "%600d", 1), SKS_ECLOSED);
    assert_int_equal(sks_wfile_sendfile(&l.wfile, file, 0, 10), SKS_ECLOSED);
    assert_int_equal(sks_wfile_flush(&l.wfile), SKS_ECLOSED);
    assert_int_equal(fault_calls(FAULT_SEND), 1);
    expect(&l, "");
    line_close(&l);
    close(file);
}

static void a_peer_that_has_gone_raises_no_signal(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 0);
    unit_count_pipes();
    close(l.peer);
    l.peer = -1;
    assert_int_equal(sks_wfile_puts(&l.wfile, "x"), SKS_ECLOSED);
    assert_int_equal(unit_pipes(), 0);
    line_close(&l);
}

static void a_peer_that_does_not_read_is_a_timeout(void **state)
{
    static char many[1000000];
    struct line l;

    (void)state;
    line_open(&l, 0);
    l.stream.timeout_ms = 1;
    assert_int_equal(sks_wfile_write(&l.wfile, many, sizeof many),
                     SKS_ETIMEDOUT);
    assert_int_equal(sks_wfile_puts(&l.wfile, "x"), SKS_ETIMEDOUT);
    line_close(&l);
}

/* --- buffered --- */

static void bytes_are_held_back_until_a_flush(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 10);
    assert_int_equal(sks_wfile_puts(&l.wfile, "01234"), 0);
    assert_int_equal(sks_wfile_puts(&l.wfile, "56789"), 0);
    expect(&l, "");
    assert_int_equal(sks_wfile_flush(&l.wfile), 0);
    expect(&l, "0123456789");
    assert_int_equal(sks_wfile_flush(&l.wfile), 0);
    expect(&l, "");
    line_close(&l);
}

static void what_does_not_fit_leaves_with_what_was_held_back(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 10);
    assert_int_equal(sks_wfile_puts(&l.wfile, "01234"), 0);
    fault_set(FAULT_SEND, 0, 0, 0);
    assert_int_equal(sks_wfile_puts(&l.wfile, "56789a"), 0);
    assert_int_equal(fault_calls(FAULT_SEND), 1);
    expect(&l, "0123456789a");
    assert_int_equal(sks_wfile_puts(&l.wfile, "b"), 0);
    expect(&l, "");
    assert_int_equal(sks_wfile_flush(&l.wfile), 0);
    expect(&l, "b");
    line_close(&l);
}

static void a_flush_that_fails_is_told_and_sticks(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 10);
    assert_int_equal(sks_wfile_puts(&l.wfile, "01234"), 0);
    fault_set(FAULT_SEND, 0, 1, EPIPE);
    assert_int_equal(sks_wfile_flush(&l.wfile), SKS_ECLOSED);
    assert_int_equal(sks_wfile_flush(&l.wfile), SKS_ECLOSED);
    expect(&l, "");
    line_close(&l);
}

static void a_buffer_without_memory_is_an_error_that_sticks(void **state)
{
    struct line l;

    (void)state;
    line_open(&l, 10);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks_wfile_puts(&l.wfile, "01234"), -ENOMEM);
    assert_int_equal(sks_wfile_puts(&l.wfile, "56789"), -ENOMEM);
    line_close(&l);
}

/* --- files --- */

static void a_part_of_a_file_follows_what_was_held_back(void **state)
{
    struct line l;
    int file = unit_file(1000);
    char came[200];

    (void)state;
    line_open(&l, 10);
    assert_int_equal(sks_wfile_puts(&l.wfile, "head"), 0);
    assert_int_equal(sks_wfile_sendfile(&l.wfile, file, 700, 100), 0);
    assert_int_equal(sks_wfile_puts(&l.wfile, "tail"), 0);
    assert_int_equal(sks_wfile_flush(&l.wfile), 0);
    assert_int_equal(__real_recv(l.peer, came, 200, MSG_DONTWAIT), 108);
    assert_memory_equal(came, "head", 4);
    unit_expect(came + 4, 100, 700);
    assert_memory_equal(came + 104, "tail", 4);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
    line_close(&l);
    close(file);
}

static void nothing_of_a_file_still_sends_what_was_held_back(void **state)
{
    struct line l;
    int file = unit_file(10);

    (void)state;
    line_open(&l, 10);
    assert_int_equal(sks_wfile_puts(&l.wfile, "head"), 0);
    assert_int_equal(sks_wfile_sendfile(&l.wfile, file, 10, 0), 0);
    expect(&l, "head");
    line_close(&l);
    close(file);
}

static void faults_of_a_file_stick(void **state)
{
    static const struct {
        int fd;
        off_t offset, n;
        int error;
    } faults[] = {{0, -1, 5, -EINVAL},
                  {0, 0, -1, -EINVAL},
                  {0, 8, 3, -EIO},
                  {0, 20, 1, -EIO},
                  {-1, 0, 1, -EBADF}};

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct line l;
        int file = unit_file(10);

        line_open(&l, 0);
        assert_int_equal(sks_wfile_sendfile(&l.wfile,
                                            faults[i].fd < 0 ? -1 : file,
                                            faults[i].offset, faults[i].n),
                         faults[i].error);
        assert_int_equal(sks_wfile_puts(&l.wfile, "x"), faults[i].error);
        line_close(&l);
        close(file);
    }
}

/* --- packets --- */

static void a_packet_is_collected(void **state)
{
    sks_wfile f;
    int file = unit_file(100);

    (void)state;
    sks__wfile_open_packet(&f, 40, NULL);
    assert_false(f.written);
    assert_int_equal(sks_wfile_puts(&f, "text "), 0);
    assert_int_equal(sks_wfile_printf(&f, "%d", 12345), 0);
    assert_int_equal(sks_wfile_flush(&f), 0);
    assert_int_equal(sks_wfile_sendfile(&f, file, 50, 30), 0);
    assert_true(f.written);
    assert_int_equal(sks__buffer_len(&f.buffer), 40);
    assert_memory_equal(sks__buffer_bytes(&f.buffer), "text 12345", 10);
    unit_expect(sks__buffer_bytes(&f.buffer) + 10, 30, 50);
    sks__wfile_close(&f);
    close(file);
}

static void a_small_packet_lies_in_the_room_that_is_there(void **state)
{
    char room[SKS__BUFFER_SMALL], text[SKS__BUFFER_SMALL];
    sks_wfile f;

    (void)state;
    memset(text, 'x', sizeof text);
    sks__wfile_open_packet(&f, 65507, room);
    assert_int_equal(sks_wfile_write(&f, text, sizeof text), 0);
    assert_ptr_equal(sks__buffer_bytes(&f.buffer), room);
    assert_int_equal(sks_wfile_puts(&f, "y"), 0);
    assert_ptr_not_equal(sks__buffer_bytes(&f.buffer), room);
    assert_int_equal(sks__buffer_len(&f.buffer), sizeof text + 1);
    assert_memory_equal(sks__buffer_bytes(&f.buffer), text, sizeof text);
    sks__wfile_close(&f);
}

/* A thread that keeps the memory of packets has it for their replies, too. */
static void a_packet_takes_the_memory_of_another(void **state)
{
    struct sks__buffer packet = {.data = NULL};
    const char *memory;
    sks_wfile f;

    (void)state;
    sks__buffer_keep(1);
    assert_int_equal(sks__buffer_reserve(&packet, SKS__BUFFER_SMALL), 0);
    memory = packet.data;
    sks__buffer_free(&packet);
    sks__wfile_open_packet(&f, 65507, NULL);
    assert_int_equal(sks_wfile_puts(&f, "text"), 0);
    assert_ptr_equal(f.buffer.data, memory);
    sks__wfile_close(&f);
    sks__buffer_keep(0);
}

static void an_empty_packet_may_be_written(void **state)
{
    sks_wfile f;

    (void)state;
    sks__wfile_open_packet(&f, 40, NULL);
    assert_int_equal(sks_wfile_write(&f, NULL, 0), 0);
    assert_true(f.written);
    assert_int_equal(sks__buffer_len(&f.buffer), 0);
    sks__wfile_close(&f);
}

static void a_packet_that_outgrows_its_limit_is_refused(void **state)
{
    sks_wfile f;
    int file = unit_file(100);

    (void)state;
    sks__wfile_open_packet(&f, 10, NULL);
    assert_int_equal(sks_wfile_puts(&f, "0123456789"), 0);
    assert_int_equal(sks_wfile_puts(&f, "a"), SKS_ETOOLONG);
    assert_int_equal(sks_wfile_puts(&f, ""), SKS_ETOOLONG);
    sks__wfile_close(&f);
    sks__wfile_open_packet(&f, 10, NULL);
    assert_int_equal(sks_wfile_sendfile(&f, file, 0, 11), SKS_ETOOLONG);
    assert_int_equal(sks_wfile_puts(&f, "a"), SKS_ETOOLONG);
    sks__wfile_close(&f);
    close(file);
}

static void faults_of_a_packet_are_told(void **state)
{
    sks_wfile f;
    int file = unit_file(10);

    (void)state;
    sks__wfile_open_packet(&f, 100, NULL);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks_wfile_puts(&f, "a"), -ENOMEM);
    sks__wfile_close(&f);
    sks__wfile_open_packet(&f, 100, NULL);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks_wfile_sendfile(&f, file, 0, 5), -ENOMEM);
    sks__wfile_close(&f);
    sks__wfile_open_packet(&f, 100, NULL);
    assert_int_equal(sks_wfile_sendfile(&f, file, 8, 3), -EIO);
    sks__wfile_close(&f);
    sks__wfile_open_packet(&f, 100, NULL);
    assert_int_equal(sks_wfile_sendfile(&f, -1, 0, 3), -EBADF);
    sks__wfile_close(&f);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(bytes_leave_at_once),
        UNIT_TEST(nothing_is_sent_for_nothing),
        UNIT_TEST(text_of_any_length_is_formatted_and_sent_as_one),
        UNIT_TEST(text_without_memory_is_an_error_that_sticks),
        UNIT_TEST(text_that_cannot_be_formatted_is_an_error),
        UNIT_TEST(all_of_it_is_sent),
        UNIT_TEST(an_error_sticks),
        UNIT_TEST(a_peer_that_has_gone_raises_no_signal),
        UNIT_TEST(a_peer_that_does_not_read_is_a_timeout),
        UNIT_TEST(bytes_are_held_back_until_a_flush),
        UNIT_TEST(what_does_not_fit_leaves_with_what_was_held_back),
        UNIT_TEST(a_flush_that_fails_is_told_and_sticks),
        UNIT_TEST(a_buffer_without_memory_is_an_error_that_sticks),
        UNIT_TEST(a_part_of_a_file_follows_what_was_held_back),
        UNIT_TEST(nothing_of_a_file_still_sends_what_was_held_back),
        UNIT_TEST(faults_of_a_file_stick),
        UNIT_TEST(a_packet_is_collected),
        UNIT_TEST(a_small_packet_lies_in_the_room_that_is_there),
        UNIT_TEST(a_packet_takes_the_memory_of_another),
        UNIT_TEST(an_empty_packet_may_be_written),
        UNIT_TEST(a_packet_that_outgrows_its_limit_is_refused),
        UNIT_TEST(faults_of_a_packet_are_told),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("wfile", tests, NULL, NULL);
}
