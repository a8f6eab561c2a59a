/* wfile on a stream, and how a connection ends. */
#include "contract.h"
#include "support/real.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LARGE = 1 << 20 };

static void serve_buffered(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
    sks_server_set_wbufsize(c->server, 64);
    contract_start(c);
}

/* --- writing --- */

static void a_large_message_comes_back_while_it_is_sent(struct contract *c)
{
    char *message = malloc(LARGE);
    int fd;

    assert_non_null(message);
    contract_fill(message, LARGE);
    contract_serve(c, contract_echo_handle);
    fd = contract_connect(c);
    client_exchange(fd, message, LARGE);
    client_finish(fd);
    client_expect_eof(fd);
    free(message);
}

static char large[LARGE]; /* filled by the test before it serves */

static int large_handle(sks_request *request)
{
    return sks_wfile_write(sks_request_wfile(request), large, sizeof large);
}

static void receive_large(int fd)
{
    static char came[LARGE];

    client_receive(fd, came, sizeof came);
    assert_memory_equal(came, large, sizeof came);
    client_expect_eof(fd);
}

static void one_write_sends_all_of_it(struct contract *c)
{
    contract_fill(large, sizeof large);
    contract_serve(c, large_handle);
    receive_large(contract_connect(c));
}

static void a_write_larger_than_the_buffer_goes_through(struct contract *c)
{
    contract_fill(large, sizeof large);
    serve_buffered(c, large_handle);
    receive_large(contract_connect(c));
}

static int printf_handle(sks_request *request)
{
    sks_wfile *wfile = sks_request_wfile(request);

    sks_wfile_printf(wfile, "%s=%d\n", "number", 42);
    sks_wfile_puts(wfile, "");
    sks_wfile_puts(wfile, "100%s\n");
    sks_wfile_write(wfile, "xyz", 0);
    return sks_wfile_printf(wfile, "%02000d", 7);
}

static void expect_formatted(struct contract *c)
{
    char expected[2100];
    int fd = contract_connect(c);

    snprintf(expected, sizeof expected, "number=42\n100%%s\n%02000d", 7);
    client_expect(fd, expected);
    client_expect_eof(fd);
}

static void formatted_text_of_any_length_is_sent(struct contract *c)
{
    contract_serve(c, printf_handle);
    expect_formatted(c);
}

static void formatted_text_may_outgrow_the_buffer(struct contract *c)
{
    serve_buffered(c, printf_handle);
    expect_formatted(c);
}

/* --- holding back --- */

static int prompt_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    sks_wfile *wfile = sks_request_wfile(request);
    char name[32] = "";

    sks_wfile_puts(wfile, "name? ");
    sks_rfile_readline(rfile, name, sizeof name);
    return sks_wfile_printf(wfile, "hello %s", name);
}

static void what_is_held_back_is_sent_when_rfile_must_wait(struct contract *c)
{
    int fd;

    serve_buffered(c, prompt_handle);
    fd = contract_connect(c);
    client_expect(fd, "name? ");
    client_say(fd, "you\n");
    client_expect(fd, "hello you\n");
    client_expect_eof(fd);
}

static int held_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_wfile *wfile = sks_request_wfile(request);

    sks_wfile_puts(wfile, "held");
    trace_put(&c->trace, "written");
    contract_wait(request);
    sks_wfile_flush(wfile);
    trace_put(&c->trace, "flushed");
    contract_wait(request);
    return sks_wfile_puts(wfile, "more");
}

static void
a_buffered_reply_leaves_with_flush_and_at_the_end(struct contract *c)
{
    int fd;

    serve_buffered(c, held_handle);
    fd = contract_connect(c);
    trace_expect(&c->trace, "written ");
    client_expect_silence(fd);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "flushed ");
    client_expect(fd, "held");
    trace_let(&c->trace, 1);
    client_expect(fd, "more");
    client_expect_eof(fd);
}

static void an_unbuffered_reply_leaves_at_once(struct contract *c)
{
    int fd;

    contract_serve(c, held_handle);
    fd = contract_connect(c);
    trace_expect(&c->trace, "written ");
    client_expect(fd, "held");
    trace_let(&c->trace, 2);
    client_expect(fd, "more");
    client_expect_eof(fd);
}

/* --- a client that reads late --- */

/* Replies of so many bytes, more in all than systems keep. */
enum { REPLY = 1000, REPLIES = 8000 };

static int reply_handle(sks_request *request)
{
    char byte;

    while (sks_rfile_read(sks_request_rfile(request), &byte, 1) == 1) {
        int rc = sks_wfile_write(sks_request_wfile(request), large, REPLY);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static void small_replies_wait_for_a_client_that_reads_late(struct contract *c)
{
    static char came[REPLY];
    int fd;

    contract_fill(large, sizeof large);
    contract_serve(c, reply_handle);
    fd = contract_connect(c);
    client_send(fd, large, REPLIES);
    client_finish(fd);
    for (int i = 0; i < REPLIES; i++) {
        client_receive(fd, came, sizeof came);
        assert_memory_equal(came, large, sizeof came);
    }
    client_expect_eof(fd);
}

/* --- the descriptor --- */

static int self_writing_handle(sks_request *request)
{
    sks_wfile *wfile = sks_request_wfile(request);
    int fd;

    sks_wfile_puts(wfile, "one ");
    fd = sks_request_fileno(request);
    if (__real_send(fd, "two ", 4, MSG_NOSIGNAL) != 4)
        return -EIO;
    sks_wfile_puts(wfile, "three ");
    if (__real_send(fd, "four ", 5, MSG_NOSIGNAL) != 5)
        return -EIO;
    return sks_wfile_puts(wfile, "five");
}

static void what_a_handler_sends_itself_comes_in_its_turn(struct contract *c)
{
    int fd;

    contract_serve(c, self_writing_handle);
    fd = contract_connect(c);
    client_expect(fd, "one two three four five");
    client_expect_eof(fd);
}

/* --- sendfile --- */

static int file_of_case; /* what the handlers below send */

static int sendfile_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_wfile *wfile = sks_request_wfile(request);
    int rc;

    sks_wfile_puts(wfile, "head\n");
    rc = sks_wfile_sendfile(wfile, file_of_case, 1000, (off_t)c->number);
    if (rc == 0)
        sks_wfile_puts(wfile, "tail\n");
    trace_put(&c->trace, "%d,%d", rc, (int)lseek(file_of_case, 0, SEEK_CUR));
    return 0;
}

/* A client takes ->number bytes of a file between head and tail. */
static void take_file(struct contract *c)
{
    static char came[LARGE + 1000], file[LARGE + 1000];
    size_t n = (size_t)c->number;
    int fd = contract_connect(c);

    contract_fill(file, sizeof file);
    client_expect(fd, "head\n");
    client_receive(fd, came, n);
    assert_memory_equal(came, file + 1000, n);
    client_expect(fd, "tail\n");
    client_expect_eof(fd);
    trace_expect(&c->trace, "0,77 ");
    client_close(fd);
}

static void open_file(struct contract *c, long n)
{
    c->number = n;
    file_of_case = contract_file(c, LARGE + 1000);
    assert_int_equal(lseek(file_of_case, 77, SEEK_SET), 77);
}

static void sendfile_sends_a_part_of_a_file(struct contract *c)
{
    open_file(c, LARGE - 500);
    contract_serve(c, sendfile_handle);
    take_file(c);
    contract_close(c);
    close(file_of_case);
}

static void sendfile_sends_what_is_held_back_first(struct contract *c)
{
    open_file(c, 2000);
    serve_buffered(c, sendfile_handle);
    take_file(c);
    contract_close(c);
    close(file_of_case);
}

static void sendfile_may_send_nothing(struct contract *c)
{
    open_file(c, 0);
    contract_serve(c, sendfile_handle);
    take_file(c);
    contract_close(c);
    close(file_of_case);
}

static void sendfile_copies_where_the_system_cannot(struct contract *c)
{
    open_file(c, 70000);
    contract_serve(c, sendfile_handle);
    fault_set(FAULT_SENDFILE, 0, FAULT_ALWAYS, EINVAL);
    take_file(c);
    fault_set(FAULT_SENDFILE, 1, FAULT_ALWAYS, ENOSYS);
    take_file(c);
    fault_clear();
    contract_close(c);
    close(file_of_case);
}

/* The reply is short of what was promised, and the client can see it. */
static void sendfile_fails_if_the_file_ends_early(struct contract *c)
{
    static char came[LARGE];
    int fd;

    open_file(c, 2 * LARGE);
    contract_serve(c, sendfile_handle);
    fd = contract_connect(c);
    client_expect(fd, "head\n");
    client_receive(fd, came, sizeof came);
    client_expect_eof(fd);
    trace_expect(&c->trace, "-5,77 ");
    contract_close(c);
    close(file_of_case);
}

/* --- errors stick --- */

static int sticky_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_wfile *wfile = sks_request_wfile(request);
    int rc = 0;

    trace_put(&c->trace, "enter");
    contract_wait(request);
    while (rc == 0)
        rc = sks_wfile_write(wfile, large, sizeof large);
    trace_put(&c->trace, "%d", rc);
    trace_put(&c->trace, "%d%d%d%d%d", sks_wfile_puts(wfile, "x") == rc,
              sks_wfile_write(wfile, "x", 1) == rc,
              sks_wfile_printf(wfile, "%d", 1) == rc,
              sks_wfile_sendfile(wfile, 0, 0, 1) == rc,
              sks_wfile_flush(wfile) == rc);
    return rc;
}

/* Whoever wrote this program did not ignore SIGPIPE: it must never come. */
static void leave_a_writer_alone(struct contract *c,
                                 int (*handle)(sks_request *),
                                 void (*leave)(int))
{
    sks_handler handler = contract_handler(handle);
    char expected[32];
    int fd;

    signal(SIGPIPE, SIG_DFL);
    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_start(c);
    fd = contract_connect(c);
    trace_expect(&c->trace, "enter ");
    leave(fd);
    trace_let(&c->trace, 1);
    snprintf(expected, sizeof expected, "%d 11111 ", SKS_ECLOSED);
    trace_expect(&c->trace, expected);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void a_write_error_sticks_and_no_signal_comes(struct contract *c)
{
    leave_a_writer_alone(c, sticky_handle, client_close);
}

static void a_reset_while_writing_is_told_as_closed(struct contract *c)
{
    leave_a_writer_alone(c, sticky_handle, client_reset);
}

static int sticky_sendfile_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_wfile *wfile = sks_request_wfile(request);
    int rc = 0;

    trace_put(&c->trace, "enter");
    contract_wait(request);
    while (rc == 0)
        rc = sks_wfile_sendfile(wfile, file_of_case, 0, LARGE);
    trace_put(&c->trace, "%d", rc);
    trace_put(&c->trace, "%d1111", sks_wfile_puts(wfile, "x") == rc);
    return rc;
}

static void a_reset_while_a_file_is_sent_raises_no_signal(struct contract *c)
{
    open_file(c, 0);
    leave_a_writer_alone(c, sticky_sendfile_handle, client_reset);
    close(file_of_case);
}

static void
a_client_that_leaves_while_a_file_is_sent_raises_no_signal(struct contract *c)
{
    open_file(c, 0);
    leave_a_writer_alone(c, sticky_sendfile_handle, client_close);
    close(file_of_case);
}

static void
a_client_that_leaves_while_a_file_is_copied_raises_no_signal(struct contract *c)
{
    open_file(c, 0);
    fault_set(FAULT_SENDFILE, 0, FAULT_ALWAYS, EINVAL);
    leave_a_writer_alone(c, sticky_sendfile_handle, client_close);
    fault_clear();
    close(file_of_case);
}

/* --- lingering close --- */

static int unread_handle(sks_request *request)
{
    contract_wait(request);
    return sks_wfile_puts(sks_request_wfile(request), "no, thank you\n");
}

static void a_reply_arrives_though_input_is_left_unread(struct contract *c)
{
    int fd;

    contract_serve(c, unread_handle);
    fd = contract_connect(c);
    client_send(fd, large, 60000);
    trace_let(&c->trace, 1);
    client_expect(fd, "no, thank you\n");
    client_expect_eof(fd);
    client_close(fd);
}

static void
a_reply_arrives_though_the_client_is_still_sending(struct contract *c)
{
    int fd;

    contract_serve(c, unread_handle);
    fd = contract_connect(c);
    client_send(fd, large, 1000);
    trace_let(&c->trace, 1);
    assert_true(deadline_poll(fd, 1, DEADLINE_MS));
    client_send(fd, large, 1000);
    client_send(fd, large, 1000);
    client_expect(fd, "no, thank you\n");
    client_expect_eof(fd);
    client_close(fd);
}

/* More than the system takes from a server while nobody reads. */
enum { UNREAD = 200000 };

static int long_reply_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    long long start = deadline_now_ms();

    trace_put(&c->trace, "enter ");
    while (c->number != 0 && !sks_request_stopping(request))
        if (sks_request_wait(request, -1, 0, 1) < 0 || !deadline_nap(start))
            return -EIO;
    return sks_wfile_write(sks_request_wfile(request), large, UNREAD);
}

/* Sends until the server takes no more, or a while: input that comes after the
 * shutdown and that nobody will read. */
static void keep_sending(int fd)
{
    long long start = deadline_now_ms();

    for (int i = 0; i < 50 && client_try_send(fd, "x", 1); i++)
        deadline_nap(start);
}

/* waits: the reply is written after the shutdown. */
static void reply_through_a_shutdown(struct contract *c, int waits)
{
    static char got[UNREAD];
    sks_handler handler = contract_handler(long_reply_handle);
    int fd;

#ifdef SKS_PLAIN_POSIX
    print_message("skipped: POSIX does not tell what the peer has\n");
    return;
#endif
    c->number = waits;
    contract_make(c, &handler);
    contract_start(c);
    fd = contract_connect(c);
    trace_expect(&c->trace, "enter ");
    assert_int_equal(server_thread_start(&c->closing, sks_server_close,
                                         c->server),
                     0);
    keep_sending(fd);
    client_receive(fd, got, sizeof got);
    assert_memory_equal(got, large, sizeof got);
    client_close(fd);
    assert_int_equal(contract_join(&c->closing), 0);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void
a_reply_arrives_though_input_comes_after_a_shutdown(struct contract *c)
{
    reply_through_a_shutdown(c, 0);
}

static void
a_reply_after_a_shutdown_arrives_though_input_comes(struct contract *c)
{
    reply_through_a_shutdown(c, 1);
}

static int hasty_handle(sks_request *request)
{
    sks_request_set_linger_ms(request, 0);
    return sks_wfile_puts(sks_request_wfile(request), "bye\n");
}

/* Its client stays, and is waited for by nobody. */
static void without_lingering_a_request_ends_at_once(struct contract *c)
{
    sks_handler handler = contract_handler(hasty_handle);
    long long start = deadline_now_ms();
    int fd, sent = 0;

    contract_make(c, &handler);
    contract_start(c);
    fd = contract_connect(c);
    client_expect(fd, "bye\n");
    client_expect_eof(fd);
    while (client_try_send(fd, "x", 1)) {
        assert_true(++sent < 500); /* for half a second at least */
        deadline_nap(start);
    }
    client_close(fd);
}

/* What is thrown away is little beside what a client could send in the time
 * that a closing connection waits; most of this lies in the system's buffers.
 */
static void a_client_that_sends_for_ever_is_cut_off(struct contract *c)
{
    long sent = 0;
    int fd;

    contract_serve(c, unread_handle);
    fd = contract_connect(c);
    trace_let(&c->trace, 1);
    while (client_try_send(fd, large, 16384))
        sent += 16384;
    assert_true(sent < 64L << 20);
    client_close(fd);
    contract_close(c);
}

static const struct contract_case stream[] = {
    CONTRACT_CASE(a_large_message_comes_back_while_it_is_sent),
    CONTRACT_CASE(one_write_sends_all_of_it),
    CONTRACT_CASE(a_write_larger_than_the_buffer_goes_through),
    CONTRACT_CASE(formatted_text_of_any_length_is_sent),
    CONTRACT_CASE(formatted_text_may_outgrow_the_buffer),
    CONTRACT_CASE(what_is_held_back_is_sent_when_rfile_must_wait),
    CONTRACT_CASE(a_buffered_reply_leaves_with_flush_and_at_the_end),
    CONTRACT_CASE(an_unbuffered_reply_leaves_at_once),
    CONTRACT_CASE(small_replies_wait_for_a_client_that_reads_late),
    CONTRACT_CASE(what_a_handler_sends_itself_comes_in_its_turn),
    CONTRACT_CASE(sendfile_sends_a_part_of_a_file),
    CONTRACT_CASE(sendfile_sends_what_is_held_back_first),
    CONTRACT_CASE(sendfile_may_send_nothing),
    CONTRACT_CASE(sendfile_copies_where_the_system_cannot),
    CONTRACT_CASE(sendfile_fails_if_the_file_ends_early),
    CONTRACT_CASE(a_write_error_sticks_and_no_signal_comes),
    CONTRACT_CASE(a_reset_while_writing_is_told_as_closed),
    CONTRACT_CASE(a_reset_while_a_file_is_sent_raises_no_signal),
    CONTRACT_CASE(a_client_that_leaves_while_a_file_is_sent_raises_no_signal),
    CONTRACT_CASE(a_client_that_leaves_while_a_file_is_copied_raises_no_signal),
    CONTRACT_CASE(a_reply_arrives_though_input_is_left_unread),
    CONTRACT_CASE(a_reply_arrives_though_the_client_is_still_sending),
    CONTRACT_CASE(a_reply_arrives_though_input_comes_after_a_shutdown),
    CONTRACT_CASE(a_reply_after_a_shutdown_arrives_though_input_comes),
    CONTRACT_CASE(without_lingering_a_request_ends_at_once),
    CONTRACT_CASE(a_client_that_sends_for_ever_is_cut_off),
};

const struct contract_list contract_output[] = {
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    {0},
};
