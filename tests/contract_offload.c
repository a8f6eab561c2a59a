/* Calls that block: what sks_request_offload() makes. */
#include "contract.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* More than the helpers of any strategy. */
enum { MANY = 100 };

static int answer(void *arg)
{
    return *(const int *)arg;
}

/* Blocks in earnest until the test opens the gate. */
static int block(void *arg)
{
    struct contract *c = arg;

    trace_put(&c->trace, "in");
    return trace_wait(&c->trace);
}

/* --- results --- */

static int results_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    int numbers[] = {42, 0, -EIO};

    for (int i = 0; i < 3; i++)
        trace_put(&c->trace, "%d",
                  sks_request_offload(request, answer, &numbers[i]));
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void a_call_returns_what_its_function_says(struct contract *c)
{
    int fd = contract_serve_one(c, results_handle, "x");

    trace_expect(&c->trace, "42 0 -5 ");
    client_expect(fd, "done\n");
}

/* --- others meanwhile --- */

/* Blocks if it is told to. */
static int told_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    char what;
    int rc = 0;

    if (sks_rfile_read1(sks_request_rfile(request), &what, 1) != 1)
        return -EIO;
    if (what == 'b') {
        rc = sks_request_offload(request, block, c);
        trace_put(&c->trace, "out");
    }
    return rc != 0 ? -EIO
                   : sks_wfile_puts(sks_request_wfile(request), "done\n");
}

/* In one thread, where the strategy runs several requests there. */
static void make_narrow(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
    if (!(c->traits & CONTRACT_LIMITS))
        sks_server_set_max_workers(c->server, 1);
}

static int begin_blocking(struct contract *c)
{
    int fd = contract_connect(c);

    client_say(fd, "b");
    trace_expect(&c->trace, "in ");
    return fd;
}

static void ask_quickly(struct contract *c)
{
    int fd = contract_connect(c);

    client_say(fd, "q");
    client_expect(fd, "done\n");
    client_close(fd);
}

static void others_run_while_a_call_blocks(struct contract *c)
{
    int blocked;

    make_narrow(c, told_handle);
    contract_start(c);
    blocked = begin_blocking(c);
    for (int i = 0; i < 3; i++)
        ask_quickly(c);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "out ");
    client_expect(blocked, "done\n");
}

/* Elsewhere each call holds one of so many workers. */
static int has_coroutines(const struct contract *c)
{
    return strstr(sks_strategy_name(c->strategy), "coroutine") != NULL;
}

static void any_number_of_calls_may_block(struct contract *c)
{
    int fds[MANY];

    if (!has_coroutines(c))
        return;
    make_narrow(c, told_handle);
    contract_start(c);
    for (int i = 0; i < MANY; i++) {
        fds[i] = contract_connect(c);
        client_say(fds[i], "b");
    }
    trace_let(&c->trace, MANY);
    trace_until(&c->trace, "in", MANY);
    for (int i = 0; i < MANY; i++) {
        client_expect(fds[i], "done\n");
        client_close(fds[i]);
    }
}

static void a_call_is_made_where_no_helper_can_be_had(struct contract *c)
{
    int fd;

    if (!has_coroutines(c))
        return;
    make_narrow(c, told_handle);
    contract_start(c);
    ask_quickly(c);
    fault_set(FAULT_PTHREAD_CREATE, 0, FAULT_ALWAYS, EAGAIN);
    fd = begin_blocking(c);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "out ");
    client_expect(fd, "done\n");
    client_close(fd);
    fault_clear();
    fd = begin_blocking(c);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "out ");
    client_expect(fd, "done\n");
}

/* --- stopping --- */

static void a_shutdown_waits_for_a_call_that_blocks(struct contract *c)
{
    int fd;

    make_narrow(c, told_handle);
    sks_server_set_drain_timeout_ms(c->server, -1);
    contract_start(c);
    fd = begin_blocking(c);
    sks_server_shutdown(c->server);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "out ");
    client_expect(fd, "done\n");
    contract_close(c);
}

/* The server is freed, and what still runs keeps what it needs. */
static void a_close_that_does_not_wait_lets_a_call_end(struct contract *c)
{
    int fd;

    make_narrow(c, told_handle);
    sks_server_set_block_on_close(c->server, 0);
    contract_start(c);
    fd = begin_blocking(c);
    contract_stop(c);
    assert_int_equal(sks_server_close(c->server), 0);
    contract_free(c);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "out ");
    client_expect(fd, "done\n");
}

static void a_call_that_outlasts_the_drain_time_is_told(struct contract *c)
{
    int fd;

    make_narrow(c, told_handle);
    sks_server_set_drain_timeout_ms(c->server, 20);
    contract_start(c);
    fd = begin_blocking(c);
    contract_stop(c);
    assert_int_equal(sks_server_close(c->server), SKS_ETIMEDOUT);
    contract_free(c);
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "out ");
    client_expect_gone(fd);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(a_call_returns_what_its_function_says),
    CONTRACT_CASE(a_shutdown_waits_for_a_call_that_blocks),
    CONTRACT_CASE(any_number_of_calls_may_block),
    CONTRACT_CASE(a_call_is_made_where_no_helper_can_be_had),
};

static const struct contract_case parallel[] = {
    CONTRACT_CASE(others_run_while_a_call_blocks),
};

static const struct contract_case threads[] = {
    CONTRACT_CASE(a_close_that_does_not_wait_lets_a_call_end),
    CONTRACT_CASE(a_call_that_outlasts_the_drain_time_is_told),
};

const struct contract_list contract_offload[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_PARALLEL, parallel),
    CONTRACT_LIST(CONTRACT_STREAM | CONTRACT_PARALLEL | CONTRACT_SHARED,
                  threads),
    {0},
};
