/* What is counted of requests in all processes, and known of those that others
 * have: lib/server_tally.c and lib/server_elsewhere.c. */
#include "unit.h"

#include "request.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The place of a worker process in the books. */
enum { NUMBER = 2 };

static struct {
    sks_server *server;
    struct sks__tally *worker;
    char told[256]; /* to handle_error, and to the log */
} test;

/* Of a request that is not here. */
static void expect_neither_input_nor_output(sks_request *r)
{
    char byte;

    assert_int_equal(sks_request_fileno(r), -1);
    assert_int_equal(sks_rfile_read(sks_request_rfile(r), &byte, 1), 0);
    sks_wfile_puts(sks_request_wfile(r), "x");
    assert_true(sks_wfile_flush(sks_request_wfile(r)) < 0);
}

static void tell_error(void *arg, const sks_request *request, int error)
{
    size_t len = strlen(test.told);

    (void)arg;
    snprintf(test.told + len, sizeof test.told - len, "%s:%d ",
             sks_request_client_address(request), error);
    expect_neither_input_nor_output((sks_request *)request);
}

static void tell_log(void *arg, int level, const char *text)
{
    (void)arg, (void)level;
    snprintf(test.told, sizeof test.told, "%s", text);
}

static int begin(void **state)
{
    int rc = unit_begin(state);

    memset(&test, 0, sizeof test);
    test.server = unit_server();
    sks_server_set_handle_error(test.server, tell_error, NULL);
    sks_server_set_log(test.server, tell_log, NULL);
    test.worker = &test.server->shared->tally[NUMBER];
    atomic_store(&test.server->shared->tallies, NUMBER + 1);
    return rc != 0 ? rc : sks_server_bind(test.server);
}

static int end(void **state)
{
    sks_server_free(test.server);
    return unit_end(state);
}

static unsigned long count(int what)
{
    return sks_server_count(test.server, what);
}

static sks_request *request_from(const char *address, int port)
{
    sks_request *r = sks__request_new(test.server, &test.server->listeners[0]);

    assert_non_null(r);
    sks__request_peer(r)->of.in = (struct sockaddr_in){.sin_family = AF_INET};
    sks__request_peer(r)->of.in.sin_port = htons((uint16_t)port);
    sks__request_peer(r)->of.in.sin_addr.s_addr = inet_addr(address);
    sks__request_peer(r)->len = sizeof sks__request_peer(r)->of.in;
    return r;
}

/* As the worker does, of n requests from one client. */
static void take_as_worker(unsigned n, int flags)
{
    sks_request *request = request_from("192.0.2.7", 77);

    test.server->worker = 1;
    test.server->tally = test.worker;
    test.server->strategy.flags = (unsigned)flags;
    for (unsigned i = 0; i < n; i++)
        sks__tally_take(test.server, &request, 1);
    test.server->worker = 0;
    test.server->tally = &test.server->shared->tally[0];
    sks__request_free(request);
}

/* --- counting --- */

static void all_processes_are_added_up(void **state)
{
    struct sks__tally *own = test.server->tally;

    (void)state;
    atomic_store(&own->taken, 5);
    atomic_store(&test.worker->taken, 37);
    atomic_store(&test.worker->refused, 3);
    atomic_store(&own->failed, 2);
    atomic_store(&test.worker->failed, 4);
    assert_int_equal(count(SKS_COUNT_TAKEN), 42);
    assert_int_equal(count(SKS_COUNT_REFUSED), 3);
    assert_int_equal(count(SKS_COUNT_FAILED), 6);
    assert_int_equal(count(SKS_COUNT_ACTIVE), 0);
    assert_int_equal(count(-1), 0);
    assert_int_equal(sks_server_count(NULL, SKS_COUNT_TAKEN), 0);
}

static void a_worker_sees_its_own_requests_alone_as_active(void **state)
{
    (void)state;
    atomic_store(&test.server->tally->active, 1);
    atomic_store(&test.worker->active, 2);
    assert_int_equal(sks__server_active(test.server), 3);
    test.server->worker = 1;
    assert_int_equal(sks__server_active(test.server), 1);
    assert_int_equal(count(SKS_COUNT_ACTIVE), 3);
    test.server->worker = 0;
    atomic_store(&test.server->tally->active, 0);
    atomic_store(&test.worker->active, 0);
}

static void a_process_that_lives_keeps_a_server_busy(void **state)
{
    (void)state;
    assert_false(sks__server_is_busy(test.server));
    atomic_store(&test.worker->alive, 1);
    assert_true(sks__server_is_busy(test.server));
    test.server->worker = 1;
    assert_false(sks__server_is_busy(test.server));
    test.server->worker = 0;
    sks_server_end_worker(test.server, NUMBER, SKS_ECRASHED);
    assert_false(sks__server_is_busy(test.server));
}

static void threads_of_a_worker_are_not_counted_as_workers(void **state)
{
    (void)state;
    sks_server_add_count(test.server, SKS_COUNT_WORKERS, 3);
    sks_server_add_count(test.server, SKS_COUNT_WORKERS, -1);
    sks_server_add_count(test.server, SKS_COUNT_RESPAWNS, 1);
    sks_server_add_count(test.server, SKS_COUNT_TAKEN, 1);
    test.server->worker = 1;
    sks_server_add_count(test.server, SKS_COUNT_WORKERS, 1);
    test.server->worker = 0;
    assert_int_equal(count(SKS_COUNT_WORKERS), 2);
    assert_int_equal(count(SKS_COUNT_RESPAWNS), 1);
    assert_int_equal(count(SKS_COUNT_TAKEN), 0);
}

static void a_worker_retires_with_its_last_request(void **state)
{
    (void)state;
    test.server->taken_max = 3;
    take_as_worker(2, 0);
    assert_false(sks_server_stopping(test.server));
    take_as_worker(1, 0);
    assert_true(sks_server_stopping(test.server));
    assert_int_equal(deadline_poll(test.server->stop.read_fd, POLLIN, 0),
                     POLLIN);
    atomic_store(&test.worker->active, 0);
}

/* --- the end of a worker --- */

static void a_lost_request_is_told_with_its_client(void **state)
{
    char words[64];

    (void)state;
    snprintf(words, sizeof words, "192.0.2.7:77:%d ", SKS_ECRASHED);
    take_as_worker(1, 0);
    assert_int_equal(sks_server_end_worker(test.server, NUMBER, SKS_ECRASHED),
                     1);
    assert_string_equal(test.told, words);
    assert_int_equal(count(SKS_COUNT_ACTIVE), 0);
    assert_int_equal(count(SKS_COUNT_FAILED), 1);
    assert_int_equal(sks_server_end_worker(test.server, NUMBER, SKS_ECRASHED),
                     1);
    assert_string_equal(test.told, words);
}

static void of_several_at_once_no_client_is_told(void **state)
{
    char words[64];

    (void)state;
    snprintf(words, sizeof words, "unknown:%d unknown:%d ", SKS_ECRASHED,
             SKS_ECRASHED);
    take_as_worker(2, SKS_PARALLEL);
    sks_server_end_worker(test.server, NUMBER, SKS_ECRASHED);
    assert_string_equal(test.told, words);
    assert_int_equal(count(SKS_COUNT_FAILED), 2);
}

static void without_memory_the_log_tells_of_a_loss(void **state)
{
    (void)state;
    take_as_worker(1, 0);
    sks__requests_free_spares(test.server);
    fault_set(FAULT_MALLOC, 0, FAULT_ALWAYS, ENOMEM);
    sks_server_end_worker(test.server, NUMBER, SKS_ECRASHED);
    fault_clear();
    assert_non_null(strstr(test.told, "a request failed: "));
}

static void nobody_has_a_place_beyond_the_books(void **state)
{
    (void)state;
    assert_int_equal(sks_server_end_worker(test.server, 0, SKS_ECRASHED), 0);
    assert_int_equal(sks_server_end_worker(test.server, SKS_PROCESSES_MAX + 1,
                                           SKS_ECRASHED),
                     0);
    assert_string_equal(test.told, "");
}

/* --- handed over --- */

/* A request under way whose input is one end of a pair; the other is in
 * fds[1]. */
static sks_request *request_with(int fds[2])
{
    sks_request *r;

    test.server->strategy.request_size = sizeof(int);
    r = request_from("192.0.2.7", 77);
    unit_pair(SOCK_STREAM, fds);
    sks__stream_init(&r->stream, &sks__socket_layer, fds[0],
                     sks__request_waiter(r), 0, -1);
    sks__server_list(test.server, &r, 1);
    return r;
}

static void a_request_handed_over_is_under_way_until_its_slot_ends(void **state)
{
    int fds[2], *slot;
    sks_request *r;

    (void)state;
    r = request_with(fds);
    slot = sks_request_slot(r);
    *slot = 42;
    sks_request_hand_over(r);
    assert_int_equal(*slot, 42);
    assert_true(deadline_poll(fds[1], POLLHUP, 0));
    assert_int_equal(count(SKS_COUNT_ACTIVE), 1);
    sks__server_interrupt(test.server, 1);
    sks_slot_end(test.server, slot, 0);
    assert_int_equal(count(SKS_COUNT_ACTIVE), 0);
    assert_string_equal(test.told, "");
    close(fds[1]);
}

static void what_one_handed_over_failed_with_is_told(void **state)
{
    char words[64];
    sks_request *r;
    void *slot;
    int fds[2];

    (void)state;
    snprintf(words, sizeof words, "192.0.2.7:77:%d ", SKS_ECRASHED);
    r = request_with(fds);
    slot = sks_request_slot(r);
    sks_request_hand_over(r);
    sks_slot_end(test.server, slot, SKS_ECRASHED);
    assert_string_equal(test.told, words);
    assert_int_equal(count(SKS_COUNT_FAILED), 1);
    close(fds[1]);
}

/* A connection that another process keeps must be shut down at its end. */
static int take_over(void *arg)
{
    sks_request *r = arg;
    int fd = r->stream.fd;

    sks_server_detach(test.server, r);
    if (!r->stream.shared)
        return 1;
    sks_request_take_over(r);
    if (r->stream.shared)
        return 2;
    sks_request_close(r);
    return fcntl(fd, F_GETFD) < 0 ? 3 : 0;
}

static int detach_and_close(void *arg)
{
    sks_request *r = arg;
    int fd = r->stream.fd;

    sks_server_detach(test.server, r);
    sks_request_close(r);
    return fcntl(fd, F_GETFD) < 0 ? 0 : 1;
}

static void one_that_a_child_took_over_ends_with_the_process(void **state)
{
    sks_request *r;
    int fds[2];

    (void)state;
    r = request_with(fds);
    assert_int_equal(unit_fork(take_over, r), 0);
    assert_int_equal(unit_fork(detach_and_close, r), 0);
    sks_request_close(r);
    close(fds[1]);
}

#define TALLY_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TALLY_TEST(all_processes_are_added_up),
        TALLY_TEST(a_worker_sees_its_own_requests_alone_as_active),
        TALLY_TEST(a_process_that_lives_keeps_a_server_busy),
        TALLY_TEST(threads_of_a_worker_are_not_counted_as_workers),
        TALLY_TEST(a_worker_retires_with_its_last_request),
        TALLY_TEST(a_lost_request_is_told_with_its_client),
        TALLY_TEST(of_several_at_once_no_client_is_told),
        TALLY_TEST(without_memory_the_log_tells_of_a_loss),
        TALLY_TEST(nobody_has_a_place_beyond_the_books),
        TALLY_TEST(a_request_handed_over_is_under_way_until_its_slot_ends),
        TALLY_TEST(what_one_handed_over_failed_with_is_told),
        TALLY_TEST(one_that_a_child_took_over_ends_with_the_process),
    };

    return cmocka_run_group_tests_name("server_tally", tests, NULL, NULL);
}
