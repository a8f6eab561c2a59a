/* Time limits, and a handler's own waits.
 *
 * A limit is seen to work because the event that it brings comes while the
 * peer does nothing that would end the wait otherwise; what is measured is
 * only that it does not come too early. */
#include "contract.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

enum { SHORT_MS = 40 };

/* Serves with a limit for each wait, which is -1 for "for ever". */
static void serve_patiently(struct contract *c, int (*handle)(sks_request *),
                            int ms)
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
    sks_server_set_request_timeout_ms(c->server, ms);
    contract_start(c);
}

/* Tells what a read says, and whether it took as long as it should. */
static ssize_t tell_read(sks_request *request, char *buf, size_t n,
                         int least_ms)
{
    struct contract *c = contract_of(request);
    long long start = deadline_now_ms();
    ssize_t result = sks_rfile_read(sks_request_rfile(request), buf, n);
    int early = deadline_now_ms() - start < least_ms - 1;

    if (result == SKS_ETIMEDOUT)
        trace_put(&c->trace, early ? "early" : "late");
    else
        trace_put(&c->trace, "%zd", result);
    return result;
}

/* --- a limit for each wait --- */

static int silent_handle(sks_request *request)
{
    char buf[8];

    return (int)tell_read(request, buf, sizeof buf, SHORT_MS);
}

static void a_silent_client_is_given_up(struct contract *c)
{
    int fd;

    serve_patiently(c, silent_handle, SHORT_MS);
    fd = contract_connect(c);
    trace_expect(&c->trace, "late ");
    client_expect_eof(fd);
}

static int own_limit_handle(sks_request *request)
{
    sks_request_set_timeout_ms(request, SHORT_MS);
    return silent_handle(request);
}

static void a_request_may_set_a_limit_of_its_own(struct contract *c)
{
    int fd;

    serve_patiently(c, own_limit_handle, -1);
    fd = contract_connect(c);
    trace_expect(&c->trace, "late ");
    client_expect_eof(fd);
}

static void a_timed_out_request_is_told_to_handle_error(struct contract *c)
{
    sks_handler handler = contract_handler(silent_handle);
    char expected[32];

    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    sks_server_set_request_timeout_ms(c->server, SHORT_MS);
    contract_start(c);
    contract_connect(c);
    snprintf(expected, sizeof expected, "late error:%d ", SKS_ETIMEDOUT);
    trace_expect(&c->trace, expected);
}

static int again_handle(sks_request *request)
{
    char buf[8];

    sks_request_set_timeout_ms(request, SHORT_MS);
    tell_read(request, buf, 5, SHORT_MS);
    sks_request_set_timeout_ms(request, -1);
    tell_read(request, buf, 5, 0);
    return sks_wfile_write(sks_request_wfile(request), buf, 5);
}

static void a_read_that_timed_out_may_be_tried_again(struct contract *c)
{
    int fd;

    serve_patiently(c, again_handle, -1);
    fd = contract_connect(c);
    trace_expect(&c->trace, "late ");
    client_say(fd, "later");
    trace_expect(&c->trace, "5 ");
    client_expect(fd, "later");
}

static int partly_handle(sks_request *request)
{
    char buf[8];

    sks_request_set_timeout_ms(request, SHORT_MS);
    tell_read(request, buf, 5, SHORT_MS);
    tell_read(request, buf, 5, 0);
    sks_request_set_timeout_ms(request, -1);
    tell_read(request, buf, 5, 0);
    return 0;
}

/* What came is returned, then the error, and no byte is lost. */
static void
a_read_that_times_out_half_way_says_so_in_the_next_call(struct contract *c)
{
    int fd;

    serve_patiently(c, partly_handle, -1);
    fd = contract_connect(c);
    client_say(fd, "abc");
    trace_expect(&c->trace, "3 late ");
    client_say(fd, "defgh");
    trace_expect(&c->trace, "5 ");
}

static int no_time_handle(sks_request *request)
{
    char buf[8];

    sks_request_set_timeout_ms(request, 0);
    tell_read(request, buf, 3, 0);
    contract_wait(request);
    tell_read(request, buf, 3, 0);
    return 0;
}

static void a_limit_of_nothing_takes_what_is_there(struct contract *c)
{
    int fd;

    serve_patiently(c, no_time_handle, -1);
    fd = contract_connect(c);
    trace_expect(&c->trace, "late ");
    client_say(fd, "abc");
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "3 ");
}

/* --- polling before sleeping --- */

static int spinning_handle(sks_request *request)
{
    char byte;

    for (int i = 0; i < 20; i++) {
        if (sks_rfile_read(sks_request_rfile(request), &byte, 1) != 1)
            return -EIO;
        sks_wfile_write(sks_request_wfile(request), &byte, 1);
    }
    return silent_handle(request);
}

static long polls(void)
{
    return fault_calls(FAULT_RECV) + fault_calls(FAULT_POLL);
}

/* Until nothing of this process polls any more. */
static void expect_sleep(void)
{
    long long start = deadline_now_ms();
    long before;

    do {
        before = polls();
        assert_true(deadline_nap(start));
    } while (polls() != before);
}

static void who_spins_answers_then_sleeps_and_gives_up(struct contract *c)
{
    sks_handler handler = contract_handler(spinning_handle);
    int fd;

    contract_make(c, &handler);
    sks_server_set_spin_us(c->server, 200);
    sks_server_set_request_timeout_ms(c->server, 300);
    contract_start(c);
    fd = contract_connect(c);
    for (int i = 0; i < 20; i++) {
        client_say(fd, "x");
        client_expect(fd, "x");
    }
    expect_sleep();
    client_expect_eof(fd);
    trace_expect(&c->trace, "late ");
}

/* --- peers that do not read --- */

static char much[1 << 20];

static int flood_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_wfile *wfile = sks_request_wfile(request);
    int rc = 0;

    while (rc == 0)
        rc = sks_wfile_write(wfile, much, sizeof much);
    trace_put(&c->trace, "%d", rc == SKS_ETIMEDOUT);
    trace_put(&c->trace, "%d", sks_wfile_puts(wfile, "x") == rc);
    return 0;
}

static void a_client_that_does_not_read_is_given_up(struct contract *c)
{
    serve_patiently(c, flood_handle, SHORT_MS);
    contract_connect(c);
    trace_expect(&c->trace, "1 1 ");
}

static int file_of_case;

static int flood_file_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    sks_wfile *wfile = sks_request_wfile(request);
    int rc = 0;

    while (rc == 0)
        rc = sks_wfile_sendfile(wfile, file_of_case, 0, 1 << 20);
    trace_put(&c->trace, "%d", rc == SKS_ETIMEDOUT);
    return 0;
}

static void a_client_that_does_not_read_a_file_is_given_up(struct contract *c)
{
    file_of_case = contract_file(c, 1 << 20);
    serve_patiently(c, flood_file_handle, SHORT_MS);
    contract_connect(c);
    trace_expect(&c->trace, "1 ");
    contract_close(c);
    close(file_of_case);
}

/* --- a deadline for all waits --- */

static int total_handle(sks_request *request)
{
    char buf[4096];
    ssize_t n;

    sks_request_set_deadline_ms(request, 2 * SHORT_MS);
    do {
        n = sks_rfile_read(sks_request_rfile(request), buf, sizeof buf);
    } while (n > 0);
    return (int)n;
}

/* Each byte would satisfy a limit for each wait. */
static void a_client_that_trickles_is_given_up(struct contract *c)
{
    long long start = deadline_now_ms();
    int fd;

    serve_patiently(c, total_handle, 10 * DEADLINE_MS);
    fd = contract_connect(c);
    while (!deadline_poll(fd, POLLIN, 2)) {
        assert_true(deadline_left_ms(start) > 0);
        client_try_send(fd, "x", 1);
    }
    client_expect_gone(fd);
}

static int total_flood_handle(sks_request *request)
{
    sks_request_set_deadline_ms(request, 2 * SHORT_MS);
    return flood_handle(request);
}

/* The reader takes a little again and again, so that there is progress. */
static void a_client_that_reads_in_trickles_is_given_up(struct contract *c)
{
    long long start = deadline_now_ms();
    char some[16384];
    int fd;

    serve_patiently(c, total_flood_handle, 10 * DEADLINE_MS);
    fd = contract_connect(c);
    while (!deadline_poll(c->trace.told[0], POLLIN, 1)) {
        assert_true(deadline_left_ms(start) > 0);
        client_receive_some(fd, some, sizeof some);
    }
    trace_expect(&c->trace, "1 1 ");
}

static int lifted_handle(sks_request *request)
{
    char buf[8];

    sks_request_set_deadline_ms(request, SHORT_MS);
    tell_read(request, buf, 3, SHORT_MS);
    sks_request_set_deadline_ms(request, -1);
    tell_read(request, buf, 3, 0);
    return 0;
}

static void a_deadline_can_be_lifted(struct contract *c)
{
    int fd;

    serve_patiently(c, lifted_handle, -1);
    fd = contract_connect(c);
    trace_expect(&c->trace, "late ");
    client_say(fd, "abc");
    trace_expect(&c->trace, "3 ");
}

static int over_handle(sks_request *request)
{
    char buf[8];

    sks_request_set_deadline_ms(request, 0);
    tell_read(request, buf, 3, 0);
    contract_wait(request);
    tell_read(request, buf, 3, 0);
    return 0;
}

static void what_is_there_is_read_even_past_the_deadline(struct contract *c)
{
    int fd;

    serve_patiently(c, over_handle, -1);
    fd = contract_connect(c);
    trace_expect(&c->trace, "late ");
    client_say(fd, "abc");
    trace_let(&c->trace, 1);
    trace_expect(&c->trace, "3 ");
}

/* --- waits of the handler's own --- */

static int wait_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    int ends[2];
    char byte;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    trace_put(&c->trace, "%d", sks_request_wait(request, ends[0], POLLIN, 0));
    trace_put(&c->trace, "%d", sks_request_wait(request, ends[0], POLLIN, 20));
    trace_put(&c->trace, "%d", sks_request_wait(request, ends[1], POLLOUT, -1));
    if (write(ends[1], "x", 1) == 1)
        trace_put(&c->trace, "%d",
                  sks_request_wait(request, ends[0], POLLIN, -1));
    close(ends[1]);
    if (read(ends[0], &byte, 1) == 1)
        trace_put(&c->trace, "%d",
                  sks_request_wait(request, ends[0], POLLIN, -1));
    close(ends[0]);
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void a_handler_may_wait_for_descriptors_of_its_own(struct contract *c)
{
    int fd = contract_serve_one(c, wait_handle, "x");

    trace_expect(&c->trace, "0 0 1 1 1 ");
    client_expect(fd, "done\n");
}

static int same_handle(sks_request *request)
{
    struct contract *c = contract_of(request);

    trace_put(&c->trace, "waits");
    trace_put(&c->trace, "%d",
              sks_request_wait(request, (int)c->number, POLLIN, -1));
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

/* In one thread, where the strategy runs several requests there. */
static void handlers_may_wait_for_the_same_descriptor(struct contract *c)
{
    sks_handler handler = contract_handler(same_handle);
    int ends[2], fds[3];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    c->number = ends[0];
    contract_make(c, &handler);
    if (!(c->traits & CONTRACT_LIMITS))
        sks_server_set_max_workers(c->server, 1);
    contract_need_workers(c, 3);
    contract_start(c);
    for (int i = 0; i < 3; i++) {
        fds[i] = contract_connect(c);
        client_say(fds[i], "x");
    }
    trace_expect(&c->trace, "waits waits waits ");
    assert_int_equal(write(ends[1], "x", 1), 1);
    trace_expect(&c->trace, "1 1 1 ");
    for (int i = 0; i < 3; i++)
        client_expect(fds[i], "done\n");
    contract_close(c);
    close(ends[0]);
    close(ends[1]);
}

static const struct contract_case parallel[] = {
    CONTRACT_CASE(handlers_may_wait_for_the_same_descriptor),
};

static const struct contract_case any[] = {
    CONTRACT_CASE(a_handler_may_wait_for_descriptors_of_its_own),
};

static const struct contract_case stream[] = {
    CONTRACT_CASE(a_silent_client_is_given_up),
    CONTRACT_CASE(a_request_may_set_a_limit_of_its_own),
    CONTRACT_CASE(a_timed_out_request_is_told_to_handle_error),
    CONTRACT_CASE(a_read_that_timed_out_may_be_tried_again),
    CONTRACT_CASE(a_read_that_times_out_half_way_says_so_in_the_next_call),
    CONTRACT_CASE(who_spins_answers_then_sleeps_and_gives_up),
    CONTRACT_CASE(a_limit_of_nothing_takes_what_is_there),
    CONTRACT_CASE(a_client_that_does_not_read_is_given_up),
    CONTRACT_CASE(a_client_that_does_not_read_a_file_is_given_up),
    CONTRACT_CASE(a_client_that_trickles_is_given_up),
    CONTRACT_CASE(a_client_that_reads_in_trickles_is_given_up),
    CONTRACT_CASE(a_deadline_can_be_lifted),
    CONTRACT_CASE(what_is_there_is_read_even_past_the_deadline),
};

const struct contract_list contract_waits[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_PARALLEL, parallel),
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    {0},
};
