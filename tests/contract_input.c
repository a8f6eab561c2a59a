/* rfile on a stream. */
#include "contract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Makes a server of a handler with an rfile buffer so small that everything
 * crosses its borders. */
static void serve_small(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
    sks_server_set_rbufsize(c->server, 16);
    contract_start(c);
}

/* Sends what an rfile call returned, and what it left in buf. */
static int answer(sks_request *request, ssize_t result, const char *text)
{
    return sks_wfile_printf(sks_request_wfile(request), "%zd:%.*s\n", result,
                            result > 0 ? (int)result : 0, text);
}

/* --- bytes --- */

static void a_client_may_send_byte_by_byte(struct contract *c)
{
    const char *text = "slowly\nbut surely\n";
    int fd;

    contract_serve(c, contract_lines_handle);
    fd = contract_connect(c);
    for (const char *s = text; *s; s++)
        client_send(fd, s, 1);
    client_expect(fd, text);
    client_finish(fd);
    client_expect_eof(fd);
}

static int read_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[64];
    int rc = 0;

    for (int i = 0; rc == 0 && i < 4; i++)
        rc = answer(request, sks_rfile_read(rfile, buf, 10), buf);
    return rc;
}

static void read_returns_fewer_bytes_only_at_end_of_file(struct contract *c)
{
    int fd = contract_serve_one(c, read_handle, "0123");

    client_say(fd, "456789abcdefghijxyz");
    client_finish(fd);
    client_expect(fd, "10:0123456789\n10:abcdefghij\n3:xyz\n0:\n");
    client_expect_eof(fd);
}

static int read1_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[64];
    ssize_t n;

    do {
        n = sks_rfile_read1(rfile, buf, 5);
        answer(request, n, buf);
    } while (n > 0);
    return 0;
}

static void read1_returns_what_is_there(struct contract *c)
{
    int fd = contract_serve_one(c, read1_handle, "abc");

    client_expect(fd, "3:abc\n");
    client_say(fd, "defgh");
    client_expect(fd, "5:defgh\n");
    client_finish(fd);
    client_expect(fd, "0:\n");
    client_expect_eof(fd);
}

static void read1_leaves_the_rest_for_later(struct contract *c)
{
    int fd = contract_serve_one(c, read1_handle, "abcdefgh");

    client_finish(fd);
    client_expect(fd, "5:abcde\n3:fgh\n0:\n");
}

static int nothing_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[8] = "";

    answer(request, sks_rfile_read(rfile, buf, 0), buf);
    answer(request, sks_rfile_read1(rfile, buf, 0), buf);
    answer(request, sks_rfile_skip(rfile, 0), buf);
    return answer(request, sks_rfile_read(rfile, buf, 1), buf);
}

static void reading_nothing_does_not_wait(struct contract *c)
{
    int fd;

    contract_serve(c, nothing_handle);
    fd = contract_connect(c);
    client_expect(fd, "0:\n0:\n0:\n");
    client_say(fd, "x");
    client_expect(fd, "1:x\n");
}

static int after_eof_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    const void *data;
    char buf[8];

    answer(request, sks_rfile_read(rfile, buf, sizeof buf), buf);
    answer(request, sks_rfile_read(rfile, buf, sizeof buf), buf);
    answer(request, sks_rfile_read1(rfile, buf, sizeof buf), buf);
    answer(request, sks_rfile_readline(rfile, buf, sizeof buf), buf);
    answer(request, sks_rfile_peek(rfile, 1, &data), buf);
    answer(request, sks_rfile_skip(rfile, 3), buf);
    return answer(request, sks_rfile_read(rfile, buf, sizeof buf), buf);
}

static void half_a_connection_is_enough_for_an_answer(struct contract *c)
{
    int fd = contract_serve_one(c, after_eof_handle, "abc");

    client_finish(fd);
    client_expect(fd, "3:abc\n0:\n0:\n0:\n0:\n0:\n0:\n");
    client_expect_eof(fd);
}

static void a_client_that_says_nothing_is_end_of_file(struct contract *c)
{
    int fd;

    contract_serve(c, after_eof_handle);
    fd = contract_connect(c);
    client_finish(fd);
    client_expect(fd, "0:\n0:\n0:\n0:\n0:\n0:\n0:\n");
}

/* --- lines --- */

/* Reads lines into 8 bytes, and takes those too long in pieces of 4. */
static int short_lines_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[64];
    ssize_t n;

    do {
        n = sks_rfile_readline(rfile, buf, 8);
        answer(request, n, buf);
        if (n == SKS_ETOOLONG)
            answer(request, sks_rfile_read(rfile, buf, 4), buf);
    } while (n != 0 && (n > 0 || n == SKS_ETOOLONG));
    return 0;
}

static void a_line_of_size_less_one_fits(struct contract *c)
{
    int fd = contract_serve_one(c, short_lines_handle, "123456\n\n1\nlast");

    client_finish(fd);
    client_expect(fd, "7:123456\n\n1:\n\n2:1\n\n4:last\n0:\n");
}

static void a_longer_line_stays_unread(struct contract *c)
{
    char expected[64];
    int fd = contract_serve_one(c, short_lines_handle, "1234567\nshort\n");

    client_finish(fd);
    snprintf(expected, sizeof expected, "%d:\n4:1234\n4:567\n\n6:short\n\n0:\n",
             SKS_ETOOLONG);
    client_expect(fd, expected);
}

static void a_last_line_without_newline_may_be_too_long_too(struct contract *c)
{
    char expected[64];
    int fd = contract_serve_one(c, short_lines_handle, "1234567");

    client_finish(fd);
    client_expect(fd, "7:1234567\n0:\n");
    client_close(fd);
    fd = contract_connect(c);
    client_say(fd, "12345678");
    client_finish(fd);
    snprintf(expected, sizeof expected, "%d:\n4:1234\n4:5678\n0:\n",
             SKS_ETOOLONG);
    client_expect(fd, expected);
}

/* The limit is told as soon as it is passed, not when a newline comes. */
static void a_line_without_end_is_told_at_its_limit(struct contract *c)
{
    char expected[32];
    int fd = contract_serve_one(c, short_lines_handle, "12345678");

    snprintf(expected, sizeof expected, "%d:\n4:1234\n", SKS_ETOOLONG);
    client_expect(fd, expected);
}

static int terminated_handle(sks_request *request)
{
    char buf[16];
    ssize_t n;

    memset(buf, 'x', sizeof buf);
    n = sks_rfile_readline(sks_request_rfile(request), buf, sizeof buf);
    return sks_wfile_printf(sks_request_wfile(request), "%zd %zu %d\n", n,
                            strlen(buf), n > 0 ? buf[n] : -1);
}

static void readline_adds_a_nul_and_keeps_those_inside(struct contract *c)
{
    int fd;

    contract_serve(c, terminated_handle);
    fd = contract_connect(c);
    client_send(fd, "ab\0cd\n", 6);
    client_expect(fd, "6 2 0\n");
}

/* Longer than the buffer, shorter than the caller's. */
static void a_line_may_outgrow_the_buffer(struct contract *c)
{
    char line[200];
    int fd;

    serve_small(c, contract_lines_handle);
    memset(line, 'x', sizeof line);
    line[sizeof line - 2] = '\n';
    line[sizeof line - 1] = '\0';
    fd = contract_connect(c);
    client_say(fd, line);
    client_say(fd, "short\n");
    client_expect(fd, line);
    client_expect(fd, "short\n");
}

/* Lines of random lengths, in portions of random lengths, come back whole. */
static void lines_of_any_length_in_any_portions_come_back(struct contract *c)
{
    unsigned seed = (unsigned)time(NULL);
    char text[3000];
    size_t n = 0;
    int fd;

    print_message("seed %u\n", seed);
    srand(seed);
    while (n < sizeof text) {
        size_t length = (size_t)rand() % 40;

        for (size_t i = 0; i < length && n < sizeof text - 1; i++)
            text[n++] = (char)('a' + i % 26);
        text[n++] = '\n';
    }
    serve_small(c, contract_lines_handle);
    fd = contract_connect(c);
    for (size_t at = 0; at < n;) {
        size_t portion = (size_t)rand() % 50 + 1;

        portion = portion < n - at ? portion : n - at;
        client_send(fd, text + at, portion);
        at += portion;
    }
    client_finish(fd);
    for (size_t at = 0; at < n;) {
        char came[50];
        size_t portion = n - at < sizeof came ? n - at : sizeof came;

        client_receive(fd, came, portion);
        assert_memory_equal(came, text + at, portion);
        at += portion;
    }
    client_expect_eof(fd);
}

/* --- looking ahead and over --- */

static int peek_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    const void *data = NULL;
    char buf[64];
    ssize_t n = sks_rfile_peek(rfile, 3, &data);

    answer(request, n < 3 ? n : 3, data);
    answer(request, sks_rfile_read(rfile, buf, 4), buf);
    n = sks_rfile_peek(rfile, 40, &data);
    answer(request, n < 40 ? n : 40, data);
    answer(request, sks_rfile_read(rfile, buf, 40), buf);
    n = sks_rfile_peek(rfile, 5, &data);
    answer(request, n, data);
    answer(request, sks_rfile_read(rfile, buf, 5), buf);
    return answer(request, sks_rfile_peek(rfile, 1, &data), "");
}

static void peek_shows_what_comes_next_without_taking_it(struct contract *c)
{
    const char *forty = "0123456789012345678901234567890123456789";
    char expected[256];
    int fd;

    serve_small(c, peek_handle);
    fd = contract_connect(c);
    client_say(fd, "abc");
    client_expect(fd, "3:abc\n");
    client_say(fd, "d");
    client_expect(fd, "4:abcd\n");
    client_say(fd, forty);
    snprintf(expected, sizeof expected, "40:%s\n40:%s\n", forty, forty);
    client_expect(fd, expected);
    client_say(fd, "end");
    client_finish(fd);
    client_expect(fd, "3:end\n3:end\n0:\n");
}

static int skip_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[64];

    answer(request, sks_rfile_read(rfile, buf, 1), buf);
    sks_wfile_printf(sks_request_wfile(request), "%d\n",
                     (int)sks_rfile_skip(rfile, 100000));
    answer(request, sks_rfile_read(rfile, buf, 3), buf);
    return sks_wfile_printf(sks_request_wfile(request), "%d\n",
                            (int)sks_rfile_skip(rfile, 100));
}

static void skip_takes_bytes_and_forgets_them(struct contract *c)
{
    char *many = malloc(100001);
    int fd;

    assert_non_null(many);
    memset(many, 'x', 100001);
    serve_small(c, skip_handle);
    fd = contract_connect(c);
    client_send(fd, many, 100001);
    free(many);
    client_say(fd, "abc12");
    client_finish(fd);
    client_expect(fd, "1:x\n100000\n3:abc\n2\n");
}

/* --- recvfile --- */

static int file_of_case; /* where recvfile's handlers put what comes */

/* Receives ->number bytes after one that was peeked, then a line. */
static int recvfile_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    const void *data;
    char line[32] = "";
    off_t moved;

    sks_rfile_peek(rfile, 1, &data);
    moved = sks_rfile_recvfile(rfile, file_of_case,
                               (off_t)contract_of(request)->number);
    sks_rfile_readline(rfile, line, sizeof line);
    return sks_wfile_printf(sks_request_wfile(request), "%d,%s\n", (int)moved,
                            line);
}

/* Sends n bytes and a line; the handler receives ->number of them. */
static void receive_file(struct contract *c, size_t n, const char *expected)
{
    char *sent = malloc(n), *came = malloc(n);
    int fd;

    assert_true(sent && came);
    file_of_case = contract_file(c, 0);
    assert_int_equal(write(file_of_case, "head", 4), 4);
    contract_fill(sent, n);
    serve_small(c, recvfile_handle);
    fd = contract_connect(c);
    client_send(fd, sent, n);
    client_say(fd, "rest\n");
    client_finish(fd);
    client_expect(fd, expected);
    assert_int_equal(pread(file_of_case, came, n, 4), n);
    assert_memory_equal(came, sent, n);
    close(file_of_case);
    free(sent);
    free(came);
}

static void recvfile_moves_so_many_bytes_into_a_file(struct contract *c)
{
    c->number = 300000;
    receive_file(c, 300000, "300000,rest\n\n");
}

static void recvfile_moves_all_to_end_of_file(struct contract *c)
{
    c->number = -1;
    receive_file(c, 300000, "300005,\n");
}

static void recvfile_stops_at_end_of_file(struct contract *c)
{
    c->number = 1000000;
    receive_file(c, 300000, "300005,\n");
}

static void recvfile_may_move_less_than_is_buffered(struct contract *c)
{
    c->number = 5;
    receive_file(c, 5, "5,rest\n\n");
}

static void recvfile_tells_an_error_of_the_file(struct contract *c)
{
    int fd;

    file_of_case = open("/dev/null", O_RDONLY | O_CLOEXEC);
    c->number = 3;
    fd = contract_serve_one(c, recvfile_handle, "abcrest\n");
    client_finish(fd);
    client_expect(fd, "-9,");
    client_expect_gone(fd);
    close(file_of_case);
}

/* --- misuse --- */

static int packet_handle(sks_request *request)
{
    size_t n = 7;

    return sks_wfile_printf(sks_request_wfile(request), "%s,%d\n",
                            sks_request_packet(request, &n) ? "packet" : "none",
                            sks_request_packet_truncated(request));
}

static void a_stream_has_no_packet(struct contract *c)
{
    contract_serve(c, packet_handle);
    client_expect(contract_connect(c), "none,0\n");
}

static int misuse_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    const void *data;
    char buf[8];

    return sks_wfile_printf(sks_request_wfile(request), "%d%d%d\n",
                            sks_rfile_readline(rfile, buf, 0) < 0,
                            sks_rfile_readline(rfile, buf, 1) < 0,
                            sks_rfile_peek(rfile, SIZE_MAX, &data) < 0);
}

static void impossible_sizes_are_errors(struct contract *c)
{
    int fd = contract_serve_one(c, misuse_handle, "something\n");

    client_expect(fd, "111\n");
}

static const struct contract_case stream[] = {
    CONTRACT_CASE(a_client_may_send_byte_by_byte),
    CONTRACT_CASE(read_returns_fewer_bytes_only_at_end_of_file),
    CONTRACT_CASE(read1_returns_what_is_there),
    CONTRACT_CASE(read1_leaves_the_rest_for_later),
    CONTRACT_CASE(reading_nothing_does_not_wait),
    CONTRACT_CASE(half_a_connection_is_enough_for_an_answer),
    CONTRACT_CASE(a_client_that_says_nothing_is_end_of_file),
    CONTRACT_CASE(a_line_of_size_less_one_fits),
    CONTRACT_CASE(a_longer_line_stays_unread),
    CONTRACT_CASE(a_last_line_without_newline_may_be_too_long_too),
    CONTRACT_CASE(a_line_without_end_is_told_at_its_limit),
    CONTRACT_CASE(readline_adds_a_nul_and_keeps_those_inside),
    CONTRACT_CASE(a_line_may_outgrow_the_buffer),
    CONTRACT_CASE(lines_of_any_length_in_any_portions_come_back),
    CONTRACT_CASE(peek_shows_what_comes_next_without_taking_it),
    CONTRACT_CASE(skip_takes_bytes_and_forgets_them),
    CONTRACT_CASE(recvfile_moves_so_many_bytes_into_a_file),
    CONTRACT_CASE(recvfile_moves_all_to_end_of_file),
    CONTRACT_CASE(recvfile_stops_at_end_of_file),
    CONTRACT_CASE(recvfile_may_move_less_than_is_buffered),
    CONTRACT_CASE(recvfile_tells_an_error_of_the_file),
    CONTRACT_CASE(a_stream_has_no_packet),
    CONTRACT_CASE(impossible_sizes_are_errors),
};

const struct contract_list contract_input[] = {
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    {0},
};
