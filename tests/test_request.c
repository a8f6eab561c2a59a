/* Requests of a transport that only writes down what it is asked for. */
#include "unit.h"

#include "clock.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

/* What happened, word by word, and what is to be returned. */
static char events[200];
static int setup_result, handle_result, reply_result;

static void note(const char *event)
{
    strncat(events, event, sizeof events - strlen(events) - 1);
}

static int note_setup(sks_request *r)
{
    (void)r;
    note("setup ");
    return setup_result;
}

static int note_handle(sks_request *r)
{
    (void)r;
    note("handle ");
    return handle_result;
}

static void note_finish(sks_request *r)
{
    (void)r;
    note("finish ");
}

static void note_reply(sks_request *const *requests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        note("reply ");
        if (requests[i]->result == 0)
            requests[i]->result = reply_result;
    }
}

static void note_shutdown(sks_request *r, int wait)
{
    (void)r;
    note(wait ? "shutdown-waiting " : "shutdown ");
}

static void note_interrupt(sks_request *r, int both)
{
    (void)r, (void)both;
    note("interrupt ");
}

static void note_close(sks_request *r)
{
    (void)r;
    note("close ");
}

static const struct sks__transport transport = {
    .name = "noting",
    .socktype = SOCK_DGRAM,
    .reply = note_reply,
    .shutdown_request = note_shutdown,
    .interrupt = note_interrupt,
    .close_request = note_close,
};

static struct sks__listener listener = {.transport = &transport, .fd = -1};

static const sks_handler noting = {.size = sizeof noting,
                                   .self_size = 100,
                                   .setup = note_setup,
                                   .handle = note_handle,
                                   .finish = note_finish};

static void note_error(void *arg, const sks_request *r, int error)
{
    char text[30];

    (void)arg, (void)r;
    snprintf(text, sizeof text, "error(%d) ", error);
    note(text);
}

static sks_server *server_new(const sks_handler *handler)
{
    sks_server *server = sks_udp_server_new("127.0.0.1", 0, handler);

    assert_non_null(server);
    sks_server_set_handle_error(server, note_error, NULL);
    events[0] = '\0';
    setup_result = handle_result = reply_result = 0;
    return server;
}

/* A request that is in the server's books. */
static sks_request *request_new(sks_server *server)
{
    sks_request *r = sks__request_new(server, &listener);

    assert_non_null(r);
    sks__server_list(server, &r, 1);
    return r;
}

/* --- its parts --- */

static void a_request_has_zeroed_memory_for_handler_and_strategy(void **state)
{
    sks_server *server = server_new(&noting);
    static const char zero[100];
    sks_request *r;

    (void)state;
    server->strategy.request_size = 33;
    r = sks__request_new(server, &listener);
    assert_memory_equal(sks_request_self(r), zero, 100);
    assert_memory_equal(sks_request_slot(r), zero, 33);
    assert_int_equal((uintptr_t)sks_request_self(r) % alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)sks_request_slot(r) % alignof(max_align_t), 0);
    memset(sks_request_slot(r), 'x', 33);
    memset(sks_request_self(r), 'y', 100);
    assert_ptr_equal(sks_request_server(r), server);
    assert_int_equal(((char *)sks_request_slot(r))[32], 'x');
    sks__request_free(r);
    sks_server_free(server);
}

static void without_self_size_there_is_no_self(void **state)
{
    sks_server *server = server_new(unit_handler());
    sks_request *r = sks__request_new(server, &listener);

    (void)state;
    assert_null(sks_request_self(r));
    sks__request_free(r);
    sks_server_free(server);
}

static void without_memory_there_is_no_request(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *first = sks__request_new(server, &listener);

    (void)state;
    assert_non_null(first); /* which lies on the server's page */
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_null(sks__request_new(server, &listener));
    sks__request_free(first);
    sks__request_free(NULL);
    sks_server_free(server);
}

static void it_gives_away_what_it_is_made_of(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = sks__request_new(server, &listener);
    size_t len = 7;

    (void)state;
    r->stream.fd = 42;
    assert_int_equal(sks_request_fileno(r), 42);
    assert_ptr_equal(sks_request_rfile(r), &r->rfile);
    assert_ptr_equal(sks_request_wfile(r), &r->wfile);
    assert_null(sks_request_packet(r, &len));
    assert_int_equal(len, 0);
    r->packet.bytes = events;
    r->packet.len = 5;
    r->packet.truncated = 1;
    assert_ptr_equal(sks_request_packet(r, &len), events);
    assert_int_equal(len, 5);
    assert_ptr_equal(sks_request_packet(r, NULL), events);
    assert_true(sks_request_packet_truncated(r));
    sks__request_free(r);
    sks_server_free(server);
}

static int settled;

static int send_later(void *self, int fd, const void *buf, size_t n)
{
    (void)self, (void)fd, (void)buf;
    settled += n == 0;
    return 0;
}

/* But not before it runs: only its handler sends by itself. */
static void who_gets_its_descriptor_may_send_by_itself(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = sks__request_new(server, &listener);
    struct sks__waiter waiter = {.send = send_later};

    (void)state;
    sks__stream_init(&r->stream, &sks__socket_layer, 42, waiter, 0, -1);
    sks__wfile_open(&r->wfile, &r->stream, 0);
    settled = 0;
    assert_int_equal(sks_request_fileno(r), 42);
    assert_false(r->stream.direct);
    r->running = 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sks_request_fileno(r), 42);
        assert_true(r->stream.direct);
        assert_int_equal(settled, 1);
    }
    sks__request_free(r);
    sks_server_free(server);
}

static void the_clients_address_is_told_once_and_for_all(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = sks__request_new(server, &listener);
    const char *text;

    (void)state;
    sks__request_peer(r)->of.un.sun_family = AF_UNIX;
    sks__request_peer(r)->len = sizeof(sa_family_t);
    text = sks_request_client_address(r);
    assert_string_equal(text, "unix:");
    sks__request_peer(r)->len = 0;
    assert_ptr_equal(sks_request_client_address(r), text);
    sks__request_free(r);
    sks_server_free(server);
}

/* --- its waits --- */

static void its_time_limits_are_those_of_its_stream(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = sks__request_new(server, &listener);
    int64_t before = sks__clock_ms();

    (void)state;
    sks_request_set_timeout_ms(r, 77);
    assert_int_equal(r->stream.timeout_ms, 77);
    sks_request_set_timeout_ms(r, 0);
    assert_int_equal(r->stream.timeout_ms, 0);
    sks_request_set_timeout_ms(r, -5);
    assert_int_equal(r->stream.timeout_ms, -1);
    sks_request_set_deadline_ms(r, 1000);
    assert_true(r->stream.deadline >= before + 1000);
    assert_true(r->stream.deadline <= sks__clock_ms() + 1000);
    sks_request_set_deadline_ms(r, -1);
    assert_true(r->stream.deadline == SKS__NEVER);
    sks__request_free(r);
    sks_server_free(server);
}

static int wait_result;

static int strategys_wait(void *self, int fd, short wanted, int ms)
{
    char text[60];

    (void)self;
    snprintf(text, sizeof text, "wait(%s,%d,%d) ", fd < 0 ? "-" : "fd", wanted,
             ms);
    note(text);
    return wait_result;
}

static void a_wait_is_the_strategys(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = sks__request_new(server, &listener);
    char wanted[60];
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    server->strategy.wait = strategys_wait;
    r->stream.waiter = sks__request_waiter(r);
    wait_result = -EIO;
    assert_int_equal(sks_request_wait(r, fds[0], POLLIN, 500), -EIO);
    snprintf(wanted, sizeof wanted, "wait(fd,%d,500) ", POLLIN);
    assert_string_equal(events, wanted);
    wait_result = 0;
    assert_int_equal(sks_request_wait(r, -1, 0, 5), 0);
    close(fds[0]);
    close(fds[1]);
    sks__request_free(r);
    sks_server_free(server);
}

static void what_is_ready_is_not_waited_for(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = sks__request_new(server, &listener);
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    wait_result = 1;
    assert_int_equal(sks_request_wait(r, fds[0], POLLOUT, -1), 1);
    assert_int_equal(sks_request_wait(r, fds[0], POLLIN, 0), 0);
    assert_int_equal(sks_request_wait(r, fds[0], POLLIN, 1), 0);
    close(fds[0]);
    close(fds[1]);
    sks__request_free(r);
    sks_server_free(server);
}

/* --- its run --- */

static void expect_run(int setup, int handle, int reply, int result,
                       const char *wanted)
{
    sks_server *server = server_new(&noting);
    sks_request *r = request_new(server);

    setup_result = setup;
    handle_result = handle;
    reply_result = reply;
    assert_int_equal(sks_request_run(r), result);
    assert_string_equal(events, wanted);
    assert_int_equal(server->tally->active, 0);
    assert_true(sks__list_is_empty(&server->requests));
    sks_server_free(server);
}

static void a_run_is_setup_handle_finish_reply_and_close(void **state)
{
    (void)state;
    expect_run(0, 0, 0, 0, "setup handle finish reply shutdown-waiting close ");
    expect_run(3, 5, 0, 0, "setup handle finish reply shutdown-waiting close ");
}

static void after_a_failed_setup_nothing_of_the_handler_runs(void **state)
{
    (void)state;
    expect_run(-EIO, 0, 0, -EIO,
               "setup reply error(-5) shutdown-waiting close ");
}

static void a_failed_handle_is_finished_and_told(void **state)
{
    (void)state;
    expect_run(0, -EIO, 0, -EIO,
               "setup handle finish reply error(-5) shutdown-waiting close ");
}

static void a_failed_reply_is_told(void **state)
{
    (void)state;
    expect_run(0, 0, -EIO, -EIO,
               "setup handle finish reply error(-5) shutdown-waiting close ");
}

static void of_two_errors_the_first_is_told(void **state)
{
    (void)state;
    expect_run(0, -EIO, -EPERM, -EIO,
               "setup handle finish reply error(-5) shutdown-waiting close ");
}

static void setup_and_finish_may_be_missing(void **state)
{
    static const sks_handler least = {.size = sizeof least,
                                      .handle = note_handle};
    sks_server *server = server_new(&least);

    (void)state;
    assert_int_equal(sks_request_run(request_new(server)), 0);
    assert_string_equal(events, "handle reply shutdown-waiting close ");
    sks_server_free(server);
}

/* --- ends without a handler --- */

static void a_refused_request_is_shut_down_and_closed(void **state)
{
    sks_server *server = server_new(&noting);

    (void)state;
    sks__request_refuse(request_new(server));
    assert_string_equal(events, "shutdown close ");
    assert_int_equal(server->tally->active, 0);
    sks_server_free(server);
}

static void a_request_that_cannot_run_is_told_and_refused(void **state)
{
    sks_server *server = server_new(&noting);

    (void)state;
    sks_request_fail(request_new(server), -EAGAIN);
    assert_string_equal(events, "error(-11) shutdown close ");
    sks_server_free(server);
}

static void closing_alone_shuts_nothing_down(void **state)
{
    sks_server *server = server_new(&noting);

    (void)state;
    sks_request_close(request_new(server));
    assert_string_equal(events, "close ");
    sks_server_free(server);
}

/* --- the server's end --- */

static void a_request_learns_that_the_server_stops(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = request_new(server);

    (void)state;
    assert_false(sks_request_stopping(r));
    sks_server_shutdown(server);
    assert_true(sks_request_stopping(r));
    sks_request_close(r);
    sks_server_free(server);
}

/* Once for all requests that were under way; the next ones live on. */
static void a_shutdown_that_was_obeyed_is_past(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *before = request_new(server), *after;

    (void)state;
    sks_server_shutdown(server);
    assert_int_equal(sks_server_serve_forever(server), 0);
    assert_true(sks_request_stopping(before));
    after = request_new(server);
    assert_false(sks_request_stopping(after));
    assert_true(sks_request_stopping(before));
    sks_request_close(before);
    sks_request_close(after);
    sks_server_free(server);
}

static void a_request_may_outlive_its_server(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r;

    (void)state;
    sks_server_set_block_on_close(server, 0);
    r = request_new(server);
    sks_server_free(server);
    assert_int_equal(sks_request_run(r), 0);
    assert_string_equal(events, "interrupt setup handle finish reply "
                                "shutdown-waiting close ");
}

/* --- several at once --- */

static void many_run_one_by_one_and_are_answered_together(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *rs[2];

    (void)state;
    rs[0] = request_new(server);
    rs[1] = request_new(server);
    handle_result = -EIO;
    sks_requests_run(rs, 2);
    assert_string_equal(events, "setup handle finish setup handle finish "
                                "reply reply "
                                "error(-5) shutdown-waiting "
                                "error(-5) shutdown-waiting close close ");
    assert_int_equal(atomic_load(&server->tally->active), 0);
    sks_server_free(server);
}

static void the_halves_of_a_run_are_a_run(void **state)
{
    sks_server *server = server_new(&noting);
    sks_request *r = request_new(server);

    (void)state;
    assert_int_equal(sks_request_handle(r), 0);
    assert_string_equal(events, "setup handle finish ");
    reply_result = -EPROTO;
    sks_requests_finish(&r, 1);
    assert_string_equal(events, "setup handle finish reply error(-71) "
                                "shutdown-waiting close ");
    sks_server_free(server);
}

static void none_at_all_is_nothing_to_do(void **state)
{
    (void)state;
    sks_requests_run(NULL, 0);
    sks_requests_finish(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_request_has_zeroed_memory_for_handler_and_strategy),
        UNIT_TEST(without_self_size_there_is_no_self),
        UNIT_TEST(without_memory_there_is_no_request),
        UNIT_TEST(it_gives_away_what_it_is_made_of),
        UNIT_TEST(who_gets_its_descriptor_may_send_by_itself),
        UNIT_TEST(the_clients_address_is_told_once_and_for_all),
        UNIT_TEST(its_time_limits_are_those_of_its_stream),
        UNIT_TEST(a_wait_is_the_strategys),
        UNIT_TEST(what_is_ready_is_not_waited_for),
        UNIT_TEST(a_run_is_setup_handle_finish_reply_and_close),
        UNIT_TEST(after_a_failed_setup_nothing_of_the_handler_runs),
        UNIT_TEST(a_failed_handle_is_finished_and_told),
        UNIT_TEST(a_failed_reply_is_told),
        UNIT_TEST(of_two_errors_the_first_is_told),
        UNIT_TEST(setup_and_finish_may_be_missing),
        UNIT_TEST(a_refused_request_is_shut_down_and_closed),
        UNIT_TEST(a_request_that_cannot_run_is_told_and_refused),
        UNIT_TEST(closing_alone_shuts_nothing_down),
        UNIT_TEST(a_request_learns_that_the_server_stops),
        UNIT_TEST(a_shutdown_that_was_obeyed_is_past),
        UNIT_TEST(a_request_may_outlive_its_server),
        UNIT_TEST(many_run_one_by_one_and_are_answered_together),
        UNIT_TEST(the_halves_of_a_run_are_a_run),
        UNIT_TEST(none_at_all_is_nothing_to_do),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
