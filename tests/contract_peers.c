/* Several clients, and clients that behave badly. */
#include "contract.h"

#include <errno.h>
#include <stdio.h>

enum { MANY = 50 };

static void clients_that_come_all_at_once_are_all_served(struct contract *c)
{
    int fds[MANY];

    contract_serve(c, contract_lines_handle);
    for (int i = 0; i < MANY; i++) {
        fds[i] = contract_connect(c);
        client_say(fds[i], "hello\n");
        if (c->traits & CONTRACT_STREAM)
            client_finish(fds[i]);
        if (c->traits & CONTRACT_DATAGRAM && i % 5 == 4)
            client_expect(fds[i], "hello\n");
    }
    for (int i = 0; i < MANY; i++) {
        if (c->traits & CONTRACT_STREAM || i % 5 != 4)
            client_expect(fds[i], "hello\n");
        client_close(fds[i]);
    }
    contract_close(c);
}

static void two_requests_run_at_once(struct contract *c)
{
    int first, second;

    contract_serve(c, contract_gate_handle);
    first = contract_connect(c);
    client_say(first, "x");
    trace_expect(&c->trace, "enter ");
    second = contract_connect(c);
    client_say(second, "x");
    trace_expect(&c->trace, "enter ");
    trace_let(&c->trace, 2);
    client_expect(first, "done\n");
    client_expect(second, "done\n");
}

static void serve_three(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
    contract_need_workers(c, 3);
    contract_start(c);
}

static void a_silent_client_holds_up_no_other(struct contract *c)
{
    serve_three(c);
    contract_connect(c);
    contract_echo(c);
    contract_connect(c);
    contract_echo(c);
}

/* No other worker may hold a copy of the connection. */
static void
a_finished_client_sees_end_of_file_while_others_run(struct contract *c)
{
    int fds[3];

    serve_three(c);
    for (int i = 0; i < 3; i++) {
        fds[i] = contract_connect(c);
        client_say(fds[i], "hello\n");
        client_expect(fds[i], "hello\n");
    }
    for (int i = 0; i < 3; i++) {
        client_finish(fds[i]);
        client_expect_eof(fds[i]);
    }
}

static void clients_that_leave_at_once_stop_nobody(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_start(c);
    for (int i = 0; i < 10; i++)
        client_close(contract_connect(c));
    contract_echo(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void clients_that_reset_at_once_stop_nobody(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_start(c);
    for (int i = 0; i < 10; i++)
        client_reset(contract_connect(c));
    contract_echo(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

/* They are lost before anybody has accepted them. */
static void clients_that_reset_in_the_queue_stop_nobody(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_bind(c);
    for (int i = 0; i < 10; i++)
        client_reset(contract_connect(c));
    contract_start(c);
    contract_echo(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void clients_that_reset_after_a_line_stop_nobody(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    for (int i = 0; i < 10; i++) {
        int fd = contract_connect(c);

        client_say(fd, "hello\nhello\nhel");
        client_reset(fd);
    }
    contract_echo(c);
    contract_close(c);
}

/* --- a peer that breaks off --- */

static int tell_read_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[16];
    ssize_t n = sks_rfile_read(rfile, buf, 3);

    trace_put(&c->trace, "%zd", n);
    contract_wait(request);
    n = sks_rfile_read(rfile, buf, sizeof buf);
    trace_put(&c->trace, "%zd", n);
    return n < 0 ? (int)n : 0;
}

static void a_reset_while_reading_is_told_as_closed(struct contract *c)
{
    sks_handler handler = contract_handler(tell_read_handle);
    char expected[16];
    int fd;

    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "abc");
    trace_expect(&c->trace, "3 ");
    client_reset(fd);
    trace_let(&c->trace, 1);
    snprintf(expected, sizeof expected, "%d ", SKS_ECLOSED);
    trace_expect(&c->trace, expected);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static int partial_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[16];

    contract_wait(request);
    trace_put(&c->trace, "%zd", sks_rfile_read(rfile, buf, 10));
    trace_put(&c->trace, "%zd", sks_rfile_read(rfile, buf, 10));
    return 0;
}

static void what_came_before_a_reset_is_read_first(struct contract *c)
{
    char expected[32];
    int fd;

    contract_serve(c, partial_handle);
    snprintf(expected, sizeof expected, "3 %d ", SKS_ECLOSED);
    fd = contract_connect(c);
    client_say(fd, "abc");
    client_reset(fd);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, expected);
}

/* --- what system calls a round trip costs --- */

/* One read and one write, where nothing has to be waited for. */
static void a_round_trip_is_one_read_and_one_write(struct contract *c)
{
    long reads, writes;
    int fd = contract_serve_one(c, contract_echo_handle, "hello\n");

    client_expect(fd, "hello\n");
    reads = fault_calls(FAULT_RECV);
    writes = fault_calls(FAULT_SEND);
    for (int i = 0; i < 100; i++) {
        client_say(fd, "hello\n");
        client_expect(fd, "hello\n");
    }
    assert_true(fault_calls(FAULT_RECV) - reads <= 101);
    assert_true(fault_calls(FAULT_SEND) - writes <= 101);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(clients_that_come_all_at_once_are_all_served),
};

static const struct contract_case parallel[] = {
    CONTRACT_CASE(two_requests_run_at_once),
};

static const struct contract_case stream[] = {
    CONTRACT_CASE(clients_that_leave_at_once_stop_nobody),
    CONTRACT_CASE(clients_that_reset_at_once_stop_nobody),
    CONTRACT_CASE(clients_that_reset_in_the_queue_stop_nobody),
    CONTRACT_CASE(clients_that_reset_after_a_line_stop_nobody),
    CONTRACT_CASE(a_round_trip_is_one_read_and_one_write),
};

static const struct contract_case parallel_stream[] = {
    CONTRACT_CASE(a_silent_client_holds_up_no_other),
    CONTRACT_CASE(a_finished_client_sees_end_of_file_while_others_run),
};

static const struct contract_case tcp[] = {
    CONTRACT_CASE(a_reset_while_reading_is_told_as_closed),
    CONTRACT_CASE(what_came_before_a_reset_is_read_first),
};

const struct contract_list contract_peers[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_PARALLEL, parallel),
    CONTRACT_LIST(CONTRACT_TCP, tcp),
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    CONTRACT_LIST(CONTRACT_PARALLEL | CONTRACT_STREAM, parallel_stream),
    {0},
};
