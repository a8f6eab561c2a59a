/* What a Python subclass would override. */
#include "contract.h"

#include <errno.h>
#include <stdio.h>

static void make(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
}

/* --- verify_request --- */

static int tell_address(void *arg, const sks_request *request)
{
    struct contract *c = arg;

    trace_put(&c->trace, "%s", sks_request_client_address(request));
    trace_put(&c->trace, "%d", sks_request_server(request) == c->server);
    return 1;
}

static int address_handle(sks_request *request)
{
    const char *address = sks_request_client_address(request);

    return sks_wfile_puts(sks_request_wfile(request), address);
}

static void
verify_request_sees_the_client_that_the_handler_sees(struct contract *c)
{
    char address[160];
    int fd;

    make(c, address_handle);
    sks_server_set_verify_request(c->server, tell_address, c);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "x");
    trace_next(&c->trace, address, sizeof address);
    trace_expect(&c->trace, "1 ");
    client_expect(fd, address);
}

static int refuse_all(void *arg, const sks_request *request)
{
    struct contract *c = arg;

    (void)request;
    trace_put(&c->trace, "refused");
    return 0;
}

static void verify_request_null_serves_all(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_set_verify_request(c->server, refuse_all, c);
    sks_server_set_verify_request(c->server, NULL, NULL);
    contract_start(c);
    contract_echo(c);
    trace_expect_rest(&c->trace, "");
}

/* --- handle_error --- */

static int failing_handle(sks_request *request)
{
    struct contract *c = contract_of(request);

    trace_put(&c->trace, "%s", sks_request_client_address(request));
    return (int)c->number;
}

static void tell_failure(void *arg, const sks_request *request, int error)
{
    struct contract *c = arg;

    trace_put(&c->trace, "%s", sks_request_client_address(request));
    trace_put(&c->trace, "%d", error);
    trace_put(&c->trace, "%d", contract_of(request) == c);
}

static void handle_error_gets_the_request_and_its_error(struct contract *c)
{
    char handled[160], failed[160];

    c->number = -EDOM;
    make(c, failing_handle);
    sks_server_set_handle_error(c->server, tell_failure, c);
    contract_start(c);
    client_say(contract_connect(c), "x");
    trace_next(&c->trace, handled, sizeof handled);
    trace_next(&c->trace, failed, sizeof failed);
    assert_string_equal(failed, handled);
    trace_expect(&c->trace, "-33 1 ");
}

/* Runs one request that fails with an error, and closes. */
static void fail_once(struct contract *c, int error)
{
    char address[160];
    int fd;

    c->number = error;
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "x");
    trace_next(&c->trace, address, sizeof address);
    client_close(fd);
    contract_close(c);
}

static void a_failed_request_is_logged_without_handle_error(struct contract *c)
{
    make(c, failing_handle);
    fail_once(c, -EDOM);
    assert_int_equal(atomic_load(&c->shared->logged[SKS_ERROR]) +
                         atomic_load(&c->shared->logged[SKS_WARNING]),
                     1);
}

/* A peer that went away is no error of the server. */
static void fail_quietly(struct contract *c, int error)
{
    make(c, failing_handle);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    fail_once(c, error);
    trace_expect_rest(&c->trace, "");
    assert_int_equal(atomic_load(&c->shared->logged[SKS_ERROR]), 0);
    assert_int_equal(atomic_load(&c->shared->logged[SKS_WARNING]), 0);
    assert_int_equal(atomic_load(&c->shared->logged[SKS_INFO]), 0);
    assert_true(atomic_load(&c->shared->logged[SKS_DEBUG]) > 0);
}

static void a_closed_peer_is_not_an_error(struct contract *c)
{
    fail_quietly(c, SKS_ECLOSED);
}

static void a_broken_pipe_is_not_an_error(struct contract *c)
{
    fail_quietly(c, -EPIPE);
}

static void a_reset_connection_is_not_an_error(struct contract *c)
{
    fail_quietly(c, -ECONNRESET);
}

/* --- service_actions and handle_timeout --- */

static void service_actions_runs_each_poll_interval(struct contract *c)
{
    make(c, contract_lines_handle);
    contract_count_turns(c);
    contract_start(c);
    contract_turns(c, 5);
    contract_echo(c);
    contract_turns(c, 5);
}

static void tell_turn(void *arg, sks_server *server)
{
    struct contract *c = arg;

    if (atomic_fetch_add(&c->shared->turns, 1) == 0)
        trace_put(&c->trace, "%d", server == c->server);
}

static void
service_actions_runs_in_each_turn_without_an_interval(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_set_service_actions(c->server, tell_turn, c);
    contract_start(c);
    contract_echo(c);
    trace_expect(&c->trace, "1 ");
}

static void tell_timeout(void *arg, sks_server *server)
{
    struct contract *c = arg;

    trace_put(&c->trace, "timeout:%d", server == c->server);
}

static void handle_timeout_is_called_when_no_request_came(struct contract *c)
{
    long long start;

    make(c, contract_lines_handle);
    sks_server_set_timeout_ms(c->server, 20);
    sks_server_set_handle_timeout(c->server, tell_timeout, c);
    contract_bind(c);
    start = deadline_now_ms();
    assert_int_equal(sks_server_handle_request(c->server), 0);
    assert_true(deadline_now_ms() - start >= 19);
    trace_expect_rest(&c->trace, "timeout:1 ");
}

static void handle_request_of_no_time_does_not_wait(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_set_timeout_ms(c->server, 0);
    sks_server_set_handle_timeout(c->server, tell_timeout, c);
    contract_bind(c);
    assert_int_equal(sks_server_handle_request(c->server), 0);
    trace_expect_rest(&c->trace, "timeout:1 ");
}

static void handle_request_times_out_without_a_hook(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_set_timeout_ms(c->server, 1);
    assert_int_equal(sks_server_handle_request(c->server), 0);
    assert_int_equal(sks_server_handle_request(c->server), 0);
}

/* --- data and log --- */

static int data_handle(sks_request *request)
{
    int *datum = sks_server_data(sks_request_server(request));

    return sks_wfile_printf(sks_request_wfile(request), "%d\n", *datum);
}

static void handlers_find_the_servers_data(struct contract *c)
{
    int datum = 1234, fd;

    make(c, data_handle);
    assert_ptr_equal(sks_server_data(c->server), c);
    sks_server_set_data(c->server, &datum);
    assert_ptr_equal(sks_server_data(c->server), &datum);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "x");
    client_expect(fd, "1234\n");
    client_close(fd);
    contract_close(c);
}

static void data_is_null_at_first(struct contract *c)
{
    sks_handler handler = contract_handler(data_handle);

    c->server = contract_new_server(c, &handler);
    assert_null(sks_server_data(c->server));
}

static int failing_when_asked(sks_request *request)
{
    char line[32] = "";

    sks_rfile_readline(sks_request_rfile(request), line, sizeof line);
    return strcmp(line, "fail\n") == 0
               ? -EDOM
               : sks_wfile_puts(sks_request_wfile(request), line);
}

static void tell_log(void *arg, int level, const char *text)
{
    struct contract *c = arg;

    if (level <= SKS_WARNING)
        trace_put(&c->trace, "%s", strchr(text, '\n') ? "lines" : "a-line");
}

static void log_lines_go_to_the_hook_without_a_newline(struct contract *c)
{
    int fd;

    make(c, failing_when_asked);
    sks_server_set_log(c->server, tell_log, c);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "fail\n");
    trace_expect(&c->trace, "a-line ");
    client_close(fd);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void log_a_long_line(void *arg, sks_server *server)
{
    struct contract *c = arg;

    if (atomic_fetch_add(&c->shared->seen, 1) == 0)
        sks_server_log(server, SKS_ERROR, "%s %0900d", "long", 7);
}

static void tell_length(void *arg, int level, const char *text)
{
    struct contract *c = arg;

    trace_put(&c->trace, "%d,%d", level, (int)strlen(text));
}

static void a_long_log_line_is_cut(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_set_log(c->server, tell_length, c);
    sks_server_set_poll_interval_ms(c->server, 1);
    sks_server_set_service_actions(c->server, log_a_long_line, c);
    contract_start(c);
    trace_expect(&c->trace, "0,511 ");
}

static const struct contract_case any[] = {
    CONTRACT_CASE(verify_request_sees_the_client_that_the_handler_sees),
    CONTRACT_CASE(verify_request_null_serves_all),
    CONTRACT_CASE(handle_error_gets_the_request_and_its_error),
    CONTRACT_CASE(a_failed_request_is_logged_without_handle_error),
    CONTRACT_CASE(a_closed_peer_is_not_an_error),
    CONTRACT_CASE(a_broken_pipe_is_not_an_error),
    CONTRACT_CASE(a_reset_connection_is_not_an_error),
    CONTRACT_CASE(service_actions_runs_each_poll_interval),
    CONTRACT_CASE(handle_timeout_is_called_when_no_request_came),
    CONTRACT_CASE(handle_request_of_no_time_does_not_wait),
    CONTRACT_CASE(handle_request_times_out_without_a_hook),
    CONTRACT_CASE(handlers_find_the_servers_data),
    CONTRACT_CASE(data_is_null_at_first),
    CONTRACT_CASE(log_lines_go_to_the_hook_without_a_newline),
    CONTRACT_CASE(a_long_log_line_is_cut),
};

/* Where the server's own loop gets the requests. */
static const struct contract_case looping[] = {
    CONTRACT_CASE(service_actions_runs_in_each_turn_without_an_interval),
};

const struct contract_list contract_hooks[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_DISPATCHES, looping),
    {0},
};
