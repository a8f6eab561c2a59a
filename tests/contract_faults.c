/* Faults of the system: interruptions, short transfers, and each call that may
 * fail, failing once. */
#include "contract.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void make_echo(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
}

/* --- interruptions --- */

static void every_other_call_may_be_interrupted(struct contract *c)
{
    fault_interrupt(2);
    contract_serve(c, contract_lines_handle);
    for (int i = 0; i < 5; i++)
        contract_echo(c);
    contract_close(c);
    contract_free(c);
}

static void handle_request_goes_on_through_interruptions(struct contract *c)
{
    int fd;

    fault_interrupt(2);
    make_echo(c);
    sks_server_set_timeout_ms(c->server, DEADLINE_MS);
    contract_bind(c);
    fd = contract_connect(c);
    client_say(fd, "hello\n");
    if (c->traits & CONTRACT_STREAM)
        client_finish(fd);
    assert_int_equal(sks_server_handle_request(c->server), 1);
    client_expect(fd, "hello\n");
    contract_close(c);
}

static void signals_from_outside_disturb_nobody(struct contract *c)
{
    long long start = deadline_now_ms();

    contract_serve(c, contract_lines_handle);
    fault_alarms();
    while (fault_alarms_seen() < 20) {
        assert_true(deadline_left_ms(start) > 0);
        contract_echo(c);
    }
    contract_close(c);
}

static int interrupted_wait_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    long long start = deadline_now_ms();
    char buf[8];
    ssize_t n;

    sks_request_set_timeout_ms(request, 30);
    n = sks_rfile_read(sks_request_rfile(request), buf, sizeof buf);
    trace_put(&c->trace, "%d,%d", n == SKS_ETIMEDOUT,
              deadline_now_ms() - start >= 29);
    return 0;
}

/* A wait that is interrupted goes on with the time that is left. */
static void interruptions_do_not_shorten_a_limit(struct contract *c)
{
    contract_serve(c, interrupted_wait_handle);
    fault_interrupt(2);
    contract_connect(c);
    trace_expect(&c->trace, "1,1 ");
}

/* Signals come far more often than the limit is long, so that it would never be
 * reached.  It may end a tick of the system's clock early, which is how exact a
 * socket's own limit is. */
static void interruptions_do_not_lengthen_a_limit(struct contract *c)
{
    char told[16];

    contract_serve(c, interrupted_wait_handle);
    fault_alarms();
    contract_connect(c);
    trace_next(&c->trace, told, sizeof told);
    assert_int_equal(told[0], '1');
}

/* --- short transfers --- */

static void one_byte_at_a_time_is_enough(struct contract *c)
{
    fault_shorten(1);
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    contract_echo(c);
}

static int file_of_case;

static int files_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    sks_wfile *wfile = sks_request_wfile(request);
    off_t n = sks_rfile_recvfile(rfile, file_of_case, 3000);

    if (n < 0)
        return (int)n;
    sks_wfile_printf(wfile, "%d\n", (int)n);
    return sks_wfile_sendfile(wfile, file_of_case, 0, n);
}

/* A file through the server and back. */
static void send_file_through(struct contract *c)
{
    char sent[3000], came[3000];
    int fd;

    contract_fill(sent, sizeof sent);
    file_of_case = contract_file(c, 0);
    contract_serve(c, files_handle);
    fd = contract_connect(c);
    client_send(fd, sent, sizeof sent);
    client_expect(fd, "3000\n");
    client_receive(fd, came, sizeof came);
    assert_memory_equal(came, sent, sizeof sent);
    client_expect_eof(fd);
    client_close(fd);
    contract_close(c);
    close(file_of_case);
}

static void files_are_moved_in_short_pieces_too(struct contract *c)
{
    fault_shorten(7);
    send_file_through(c);
}

static void files_are_moved_through_interruptions(struct contract *c)
{
    fault_shorten(100);
    fault_interrupt(2);
    send_file_through(c);
}

static void
files_are_moved_where_splice_and_sendfile_are_missing(struct contract *c)
{
    fault_set(FAULT_SPLICE, 0, FAULT_ALWAYS, EINVAL);
    fault_set(FAULT_SENDFILE, 0, FAULT_ALWAYS, EINVAL);
    send_file_through(c);
}

static void files_are_moved_where_no_pipe_can_be_had(struct contract *c)
{
    file_of_case = -1;
    contract_serve(c, files_handle);
    contract_close(c);
    contract_free(c);
    c->port = 0;
    fault_set(FAULT_SPLICE, 1, FAULT_ALWAYS, ENOSYS);
    send_file_through(c);
}

static void large_messages_survive_all_of_it(struct contract *c)
{
    static char message[20000];
    int fd;

    contract_fill(message, sizeof message);
    contract_serve(c, contract_echo_handle);
    fault_shorten(97);
    fault_interrupt(3);
    fd = contract_connect(c);
    client_exchange(fd, message, sizeof message);
    client_finish(fd);
    client_expect_eof(fd);
}

/* --- transfers that fail --- */

static int failing_read_handle(sks_request *request)
{
    char byte;
    ssize_t n;

    contract_wait(request);
    n = sks_rfile_read(sks_request_rfile(request), &byte, 1);
    return n < 0 ? (int)n : contract_lines_handle(request);
}

static void make_telling(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_start(c);
}

static void a_read_that_fails_is_told_to_handle_error(struct contract *c)
{
    int fd;

    make_telling(c, failing_read_handle);
    fd = contract_connect(c);
    client_say(fd, "x");
    fault_set(FAULT_RECV, 0, 1, EIO);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "error:-5 ");
    client_expect_gone(fd);
    client_close(fd);
    fault_clear();
    trace_let(&c->trace, 1);
    fd = contract_connect(c);
    client_say(fd, "xhello\n");
    client_expect(fd, "hello\n");
}

static int failing_write_handle(sks_request *request)
{
    contract_wait(request);
    return sks_wfile_puts(sks_request_wfile(request), "hello\n");
}

static void a_write_that_fails_is_told_to_handle_error(struct contract *c)
{
    int fd;

    make_telling(c, failing_write_handle);
    fd = contract_connect(c);
    client_say(fd, "x");
    fault_set(FAULT_SEND, 0, 1, EIO);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "error:-5 ");
    client_close(fd);
    fault_clear();
    trace_let(&c->trace, 1);
    fd = contract_connect(c);
    client_say(fd, "x");
    client_expect(fd, "hello\n");
}

static void a_packet_that_cannot_be_received_stops_nobody(struct contract *c)
{
    int errors[] = {ENOMEM, ENOBUFS, ECONNREFUSED, EINTR, EAGAIN, EHOSTUNREACH};

    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        fault_set(FAULT_RECV, 0, 1, errors[i]);
        assert_true(contract_try_echo(c));
    }
}

/* --- each call failing once --- */

/* Serves until the thread ends, or a client had its answer.  Returns 1 for an
 * answer, 0 for a client that got none, -1 if serving came to an end. */
static int serve_one(struct contract *c)
{
    int fd = contract_connect(c), result = -1;
    struct pollfd ends[2] = {{.fd = fd, .events = POLLIN},
                             {.fd = c->serving.done[0], .events = POLLIN}};
    long long start = deadline_now_ms();
    char came[8];

    do {
        assert_true(deadline_left_ms(start) > 0);
        client_try_send(fd, "hello\n", 6);
    } while (poll(ends, 2, c->traits & CONTRACT_STREAM ? DEADLINE_MS : 20) <=
             0);
    if (ends[0].revents)
        result = client_receive_some(fd, came, sizeof came) == 6;
    client_close(fd);
    return result;
}

/* Serving that ended must say why; it may be tried again. */
static void serve_until_answered(struct contract *c)
{
    int answered = 0;

    for (int i = 0; i < 4 && answered != 1; i++) {
        answered = serve_one(c);
        if (answered < 0) {
            assert_true(contract_join(&c->serving) < 0);
            assert_true(strlen(sks_server_error(c->server)) > 0);
            contract_start(c);
        }
    }
    assert_int_equal(answered, 1);
}

static int make_server(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    c->port = 0;
    c->server = contract_new_server(c, &handler);
    if (!c->server)
        return -ENOMEM;
    contract_set_up(c);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    return 0;
}

/* Of a failed bind nothing is left, and it may be tried again; a fault of the
 * constructor's stays with its server. */
static int bind_in_two_tries(struct contract *c)
{
    int before = contract_descriptors_open(), rc = sks_server_bind(c->server);

    if (rc == 0)
        return 0;
    assert_int_equal(contract_descriptors_open(), before);
    assert_true(strlen(sks_server_error(c->server)) > 0);
    assert_true(strlen(sks_strerror(rc)) > 0);
    return sks_server_bind(c->server);
}

/* A server is gone when its last request is, which a thread of its own may be
 * about to tell. */
static void await_descriptors(int n)
{
    long long start = deadline_now_ms();

    while (contract_descriptors_open() != n)
        assert_true(deadline_nap(start));
}

/* The whole life of a server. */
static void live(struct contract *c)
{
    int before = contract_descriptors_open();

    if (make_server(c) < 0)
        make_server(c);
    assert_non_null(c->server);
    if (bind_in_two_tries(c) < 0) {
        contract_free(c);
        assert_int_equal(make_server(c), 0);
    }
    contract_start(c);
    serve_until_answered(c);
    contract_close(c);
    contract_free(c);
    await_descriptors(before);
}

/* Lives once for each call of a kind, which then fails. */
static void outlive(struct contract *c, enum fault_call call, int error)
{
    long hits, skip = 0;

    do {
        fault_set(call, skip++, 1, error);
        live(c);
        hits = fault_hits(call);
        fault_clear();
        assert_true(skip < 1000);
    } while (hits > 0);
}

static void memory_may_run_out_at_any_point(struct contract *c)
{
    outlive(c, FAULT_MALLOC, ENOMEM);
}

static void pages_may_run_out_at_any_point(struct contract *c)
{
    outlive(c, FAULT_MMAP, ENOMEM);
}

static void sockets_may_run_out_at_any_point(struct contract *c)
{
    outlive(c, FAULT_SOCKET, EMFILE);
}

static void any_bind_may_fail(struct contract *c)
{
    outlive(c, FAULT_BIND, EACCES);
}

static void any_listen_may_fail(struct contract *c)
{
    outlive(c, FAULT_LISTEN, EACCES);
}

static void pipes_and_eventfds_may_run_out_at_any_point(struct contract *c)
{
    outlive(c, FAULT_WAKEUP, EMFILE);
}

static void epoll_may_fail_at_any_point(struct contract *c)
{
    outlive(c, FAULT_EPOLL, ENOSPC);
}

static void any_fork_may_fail(struct contract *c)
{
    outlive(c, FAULT_FORK, EAGAIN);
}

static void any_thread_may_fail_to_start(struct contract *c)
{
    outlive(c, FAULT_PTHREAD_CREATE, EAGAIN);
}

/* While no worker can be had, requests fail one by one, and are told; the
 * server goes on. */
static void serve_without_workers(struct contract *c, enum fault_call call)
{
    int fd;

    make_telling(c, contract_lines_handle);
    fault_set(call, 0, 2, EAGAIN);
    for (int i = 0; i < 2; i++) {
        fd = contract_connect(c);
        client_try_send(fd, "hello\n", 6);
        trace_expect(&c->trace, "error:-11 ");
        if (c->traits & CONTRACT_STREAM)
            client_expect_gone(fd);
        client_close(fd);
    }
    assert_int_equal(fault_hits(call), 2);
    contract_echo(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void no_process_for_a_request_is_told_to_handle_error(struct contract *c)
{
    serve_without_workers(c, FAULT_FORK);
}

static void no_thread_for_a_request_is_told_to_handle_error(struct contract *c)
{
    serve_without_workers(c, FAULT_PTHREAD_CREATE);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(every_other_call_may_be_interrupted),
    CONTRACT_CASE(handle_request_goes_on_through_interruptions),
    CONTRACT_CASE(signals_from_outside_disturb_nobody),
    CONTRACT_CASE(one_byte_at_a_time_is_enough),
    CONTRACT_CASE(memory_may_run_out_at_any_point),
    CONTRACT_CASE(pages_may_run_out_at_any_point),
    CONTRACT_CASE(sockets_may_run_out_at_any_point),
    CONTRACT_CASE(any_bind_may_fail),
    CONTRACT_CASE(any_listen_may_fail),
    CONTRACT_CASE(pipes_and_eventfds_may_run_out_at_any_point),
    CONTRACT_CASE(epoll_may_fail_at_any_point),
    CONTRACT_CASE(any_fork_may_fail),
    CONTRACT_CASE(any_thread_may_fail_to_start),
};

static const struct contract_case stream[] = {
    CONTRACT_CASE(interruptions_do_not_shorten_a_limit),
    CONTRACT_CASE(interruptions_do_not_lengthen_a_limit),
    CONTRACT_CASE(files_are_moved_in_short_pieces_too),
    CONTRACT_CASE(files_are_moved_through_interruptions),
    CONTRACT_CASE(files_are_moved_where_splice_and_sendfile_are_missing),
    CONTRACT_CASE(files_are_moved_where_no_pipe_can_be_had),
    CONTRACT_CASE(large_messages_survive_all_of_it),
    CONTRACT_CASE(a_read_that_fails_is_told_to_handle_error),
    CONTRACT_CASE(a_write_that_fails_is_told_to_handle_error),
};

static const struct contract_case datagram[] = {
    CONTRACT_CASE(a_packet_that_cannot_be_received_stops_nobody),
};

static const struct contract_case processes[] = {
    CONTRACT_CASE(no_process_for_a_request_is_told_to_handle_error),
};

static const struct contract_case threads[] = {
    CONTRACT_CASE(no_thread_for_a_request_is_told_to_handle_error),
};

const struct contract_list contract_faults[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    CONTRACT_LIST(CONTRACT_DATAGRAM, datagram),
    CONTRACT_LIST(CONTRACT_DISPATCHES | CONTRACT_PROCESSES, processes),
    CONTRACT_LIST(CONTRACT_DISPATCHES | CONTRACT_PARALLEL | CONTRACT_SHARED,
                  threads),
    {0},
};
