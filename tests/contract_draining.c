/* What becomes of the requests under way when a server stops. */
#include "contract.h"
#include "support/real.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHORT_MS = 30 };

static void make(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
}

/* No limit but what a case sets ends a request by itself. */
static void make_patient(struct contract *c, int (*handle)(sks_request *))
{
    make(c, handle);
    sks_server_set_request_timeout_ms(c->server, -1);
    sks_server_set_drain_timeout_ms(c->server, -1);
}

/* Serves, with a client whose request has begun.  Returns the client. */
static int begin(struct contract *c)
{
    int fd;

    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "x\n");
    trace_expect(&c->trace, "enter ");
    return fd;
}

static void start_closing(struct contract *c)
{
    assert_int_equal(server_thread_start(&c->closing, sks_server_close,
                                         c->server),
                     0);
}

/* --- replies under way --- */

static void a_reply_under_way_at_a_shutdown_is_finished(struct contract *c)
{
    int fd;

    make_patient(c, contract_gate_handle);
    fd = begin(c);
    sks_server_shutdown(c->server);
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
    client_close(fd);
    assert_int_equal(contract_join(&c->serving), 0);
    contract_close(c);
}

static void serve_forever_does_not_wait_for_requests(struct contract *c)
{
    int fd;

    make_patient(c, contract_gate_handle);
    fd = begin(c);
    contract_stop(c);
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
    contract_close(c);
}

static void close_waits_for_the_requests_under_way(struct contract *c)
{
    int fd;

    make_patient(c, contract_gate_handle);
    fd = begin(c);
    start_closing(c);
    assert_false(server_thread_ended(&c->closing));
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
    assert_int_equal(contract_join(&c->closing), 0);
    assert_int_equal(contract_join(&c->serving), 0);
}

/* Whatever happens first, close must not wait for an end that has been. */
static void close_hears_of_a_request_that_ends_just_then(struct contract *c)
{
    for (int i = 0; i < 20; i++) {
        int fd;

        c->port = 0;
        make_patient(c, contract_gate_handle);
        fd = begin(c);
        start_closing(c);
        trace_let(&c->trace, 1);
        client_expect(fd, "done\n");
        client_close(fd);
        assert_int_equal(contract_join(&c->closing), 0);
        assert_int_equal(contract_join(&c->serving), 0);
        trace_expect(&c->trace, "leave ");
        contract_free(c);
    }
}

static int free_it(sks_server *server)
{
    sks_server_free(server);
    return 0;
}

static void free_waits_for_the_requests_under_way(struct contract *c)
{
    int fd;

    make_patient(c, contract_gate_handle);
    fd = begin(c);
    assert_int_equal(server_thread_start(&c->closing, free_it, c->server), 0);
    assert_false(server_thread_ended(&c->closing));
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
    assert_int_equal(contract_join(&c->closing), 0);
    assert_int_equal(contract_join(&c->serving), 0);
    c->server = NULL;
}

static char large[1 << 20];

static int large_handle(sks_request *request)
{
    trace_put(&contract_of(request)->trace, "enter");
    return sks_wfile_write(sks_request_wfile(request), large, sizeof large);
}

static void a_large_reply_under_way_is_written_to_its_end(struct contract *c)
{
    static char came[sizeof large];
    int fd;

    contract_fill(large, sizeof large);
    make_patient(c, large_handle);
    fd = begin(c);
    assert_true(deadline_poll(fd, POLLIN, DEADLINE_MS));
    sks_server_shutdown(c->server);
    client_receive(fd, came, sizeof came);
    assert_memory_equal(came, large, sizeof came);
    client_expect_eof(fd);
    client_close(fd);
    contract_close(c);
}

/* --- requests that wait for their peer --- */

/* A client that has had an answer and might ask again. */
static int idle_client(struct contract *c)
{
    int fd = contract_connect(c);

    client_say(fd, "hello\n");
    client_expect(fd, "hello\n");
    return fd;
}

static void an_idle_client_sees_end_of_file_at_a_shutdown(struct contract *c)
{
    int fd;

    make_patient(c, contract_lines_handle);
    contract_start(c);
    fd = idle_client(c);
    sks_server_shutdown(c->server);
    client_expect_eof(fd);
    client_close(fd);
    contract_close(c);
}

static void an_idle_client_sees_end_of_file_at_close(struct contract *c)
{
    int fd;

    make_patient(c, contract_lines_handle);
    contract_start(c);
    fd = idle_client(c);
    start_closing(c);
    client_expect_eof(fd);
    assert_int_equal(contract_join(&c->closing), 0);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void a_client_that_never_spoke_sees_end_of_file_too(struct contract *c)
{
    int fd;

    make_patient(c, contract_lines_handle);
    contract_start(c);
    contract_echo(c);
    fd = idle_client(c);
    client_say(fd, "half a li");
    sks_server_shutdown(c->server);
    client_expect(fd, "half a li");
    client_expect_eof(fd);
    client_close(fd);
    contract_close(c);
}

static void all_idle_clients_see_end_of_file(struct contract *c)
{
    int fds[10];

    make_patient(c, contract_lines_handle);
    sks_server_set_max_workers(c->server, 10);
    contract_start(c);
    for (int i = 0; i < 10; i++)
        fds[i] = idle_client(c);
    sks_server_shutdown(c->server);
    for (int i = 0; i < 10; i++)
        client_expect_eof(fds[i]);
    assert_int_equal(contract_join(&c->serving), 0);
    contract_close(c);
}

/* Waits until the request is told, as a handler with work of its own may. */
static int attentive_handle(sks_request *request)
{
    int gate = contract_of(request)->trace.gate[0];
    long long start = deadline_now_ms();

    if (sks_request_stopping(request))
        return -EIO;
    trace_put(&contract_of(request)->trace, "enter");
    while (!sks_request_stopping(request) && deadline_left_ms(start) > 0)
        sks_request_wait(request, gate, POLLIN, 1);
    return sks_wfile_puts(sks_request_wfile(request),
                          sks_request_stopping(request) ? "stopping\n"
                                                        : "serving\n");
}

static void requests_are_told_that_the_server_is_stopping(struct contract *c)
{
    int fd;

    make_patient(c, attentive_handle);
    fd = begin(c);
    sks_server_shutdown(c->server);
    client_expect(fd, "stopping\n");
    client_close(fd);
    contract_close(c);
}

static int told_handle(sks_request *request)
{
    return sks_wfile_puts(sks_request_wfile(request),
                          sks_request_stopping(request) ? "stopping\n"
                                                        : "serving\n");
}

static void
requests_of_a_server_that_serves_again_are_not_told(struct contract *c)
{
    int fd;

    make(c, told_handle);
    contract_start(c);
    contract_stop(c);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "x");
    client_expect(fd, "serving\n");
}

/* --- force --- */

static int flood_handle(sks_request *request)
{
    sks_wfile *wfile = sks_request_wfile(request);
    int rc = 0;

    trace_put(&contract_of(request)->trace, "enter");
    while (rc == 0)
        rc = sks_wfile_write(wfile, large, sizeof large);
    return rc;
}

static void
a_client_that_does_not_read_is_cut_off_after_the_drain_time(struct contract *c)
{
    make_patient(c, flood_handle);
    sks_server_set_drain_timeout_ms(c->server, SHORT_MS);
    begin(c);
    assert_int_equal(sks_server_close(c->server), 0);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void no_drain_time_cuts_off_at_once(struct contract *c)
{
    make_patient(c, flood_handle);
    sks_server_set_drain_timeout_ms(c->server, 0);
    begin(c);
    assert_int_equal(sks_server_close(c->server), 0);
    assert_int_equal(contract_join(&c->serving), 0);
}

/* Nothing but the gate can end this handler, unless its process is ended. */
static void close_tells_of_a_request_that_cannot_be_ended(struct contract *c)
{
    make_patient(c, contract_gate_handle);
    sks_server_set_drain_timeout_ms(c->server, SHORT_MS);
    begin(c);
    assert_int_equal(sks_server_close(c->server), SKS_ETIMEDOUT);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "leave ");
    assert_int_equal(contract_join(&c->serving), 0);
}

/* What the request needs, it keeps until it ends. */
static void
free_leaves_a_request_that_cannot_be_ended_its_own(struct contract *c)
{
    make_patient(c, contract_gate_handle);
    sks_server_set_drain_timeout_ms(c->server, SHORT_MS);
    begin(c);
    contract_free(c);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "leave ");
    assert_int_equal(contract_join(&c->serving), 0);
}

static void close_kills_processes_after_the_drain_time(struct contract *c)
{
    int fd;

    make_patient(c, contract_gate_handle);
    sks_server_set_drain_timeout_ms(c->server, SHORT_MS);
    fd = begin(c);
    assert_int_equal(sks_server_close(c->server), 0);
    if (c->traits & CONTRACT_STREAM)
        client_expect_gone(fd);
}

/* --- without waiting --- */

/* A child that outlives its server is for the program to wait for. */
static void wait_for_children(const struct contract *c)
{
    if (c->traits & CONTRACT_PROCESSES)
        while (__real_waitpid(-1, NULL, 0) > 0)
            continue;
}

static void close_does_not_wait_without_block_on_close(struct contract *c)
{
    int fd;

    make_patient(c, contract_gate_handle);
    sks_server_set_block_on_close(c->server, 0);
    fd = begin(c);
    contract_stop(c);
    assert_int_equal(sks_server_close(c->server), 0);
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
    trace_expect(&c->trace, "leave ");
    client_close(fd);
    wait_for_children(c);
}

static void free_does_not_wait_without_block_on_close(struct contract *c)
{
    int fd;

    make_patient(c, contract_gate_handle);
    sks_server_set_block_on_close(c->server, 0);
    fd = begin(c);
    contract_stop(c);
    contract_free(c);
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
    trace_expect(&c->trace, "leave ");
    client_close(fd);
    wait_for_children(c);
}

/* --- the listener --- */

/* Those who come before it has closed the listener are let through the gate. */
static void clients_are_refused_while_close_waits(struct contract *c)
{
    struct sockaddr_storage address;
    socklen_t len;
    long long start = deadline_now_ms();
    int fd, late;

    make_patient(c, contract_gate_handle);
    fd = begin(c);
    len = contract_address(c, &address);
    start_closing(c);
    do {
        assert_true(deadline_nap(start));
        late =
            client_try_connect(SOCK_STREAM, (struct sockaddr *)&address, len);
        if (late >= 0)
            client_close(late);
    } while (late >= 0 || late == -ECONNRESET);
    assert_true(late == -ECONNREFUSED || late == -ENOENT);
    trace_let(&c->trace, 1000);
    client_expect(fd, "done\n");
    assert_int_equal(contract_join(&c->closing), 0);
    assert_int_equal(contract_join(&c->serving), 0);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(a_reply_under_way_at_a_shutdown_is_finished),
    CONTRACT_CASE(close_waits_for_the_requests_under_way),
    CONTRACT_CASE(close_hears_of_a_request_that_ends_just_then),
    CONTRACT_CASE(free_waits_for_the_requests_under_way),
    CONTRACT_CASE(requests_are_told_that_the_server_is_stopping),
    CONTRACT_CASE(requests_of_a_server_that_serves_again_are_not_told),
};

static const struct contract_case parallel[] = {
    CONTRACT_CASE(serve_forever_does_not_wait_for_requests),
    CONTRACT_CASE(close_does_not_wait_without_block_on_close),
    CONTRACT_CASE(free_does_not_wait_without_block_on_close),
};

static const struct contract_case stream[] = {
    CONTRACT_CASE(a_large_reply_under_way_is_written_to_its_end),
    CONTRACT_CASE(an_idle_client_sees_end_of_file_at_a_shutdown),
    CONTRACT_CASE(an_idle_client_sees_end_of_file_at_close),
    CONTRACT_CASE(a_client_that_never_spoke_sees_end_of_file_too),
    CONTRACT_CASE(a_client_that_does_not_read_is_cut_off_after_the_drain_time),
    CONTRACT_CASE(no_drain_time_cuts_off_at_once),
};

static const struct contract_case parallel_stream[] = {
    CONTRACT_CASE(all_idle_clients_see_end_of_file),
    CONTRACT_CASE(clients_are_refused_while_close_waits),
};

/* These take as long as close waits for requests after it cut them off, which
 * is why they run over one transport each. */
static const struct contract_case one_stream[] = {
    CONTRACT_CASE(close_tells_of_a_request_that_cannot_be_ended),
};

static const struct contract_case one_datagram[] = {
    CONTRACT_CASE(free_leaves_a_request_that_cannot_be_ended_its_own),
};

static const struct contract_case processes[] = {
    CONTRACT_CASE(close_kills_processes_after_the_drain_time),
};

const struct contract_list contract_draining[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_PARALLEL, parallel),
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    CONTRACT_LIST(CONTRACT_PARALLEL | CONTRACT_STREAM, parallel_stream),
    CONTRACT_LIST(CONTRACT_SHARED | CONTRACT_STREAM | CONTRACT_ADOPTED,
                  one_stream),
    CONTRACT_LIST(CONTRACT_SHARED | CONTRACT_DATAGRAM | CONTRACT_ADOPTED,
                  one_datagram),
    CONTRACT_LIST(CONTRACT_PROCESSES, processes),
    {0},
};
