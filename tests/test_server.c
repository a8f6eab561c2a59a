/* Making servers: lib/server.c, and the tables that lib/server_options.c
 * copies. */
#include "unit.h"

#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- tables --- */

static void expect_handler_refused(const sks_handler *handler, int error,
                                   const char *words)
{
    unit_expect_fault(sks_tcp_server_new("127.0.0.1", 0, handler), error,
                      words);
}

static void a_handler_must_be_complete(void **state)
{
    sks_handler handler = *unit_handler();

    (void)state;
    expect_handler_refused(NULL, SKS_EVTABLE, "the handler is NULL");
    handler.handle = NULL;
    expect_handler_refused(&handler, SKS_EVTABLE,
                           "the handler has no handle function");
    handler = *unit_handler();
    handler.size = 0;
    expect_handler_refused(&handler, SKS_EVTABLE,
                           "the handler's size is not that of a handler");
    handler.size = sizeof handler - 1;
    expect_handler_refused(&handler, SKS_EVTABLE,
                           "the handler's size is not that of a handler");
    handler.size = (size_t)1 << 40;
    expect_handler_refused(&handler, SKS_EVTABLE,
                           "the handler's size is not that of a handler");
    handler = *unit_handler();
    handler.self_size = (size_t)1 << 40;
    expect_handler_refused(&handler, -EINVAL,
                           "the handler's self_size is over 64 MiB");
}

/* As a program that is newer than the library would have it. */
static void a_handler_may_have_members_yet_unknown_if_unset(void **state)
{
    struct {
        sks_handler known;
        void (*later)(void);
    } handler = {*unit_handler(), NULL};
    sks_server *server;

    (void)state;
    handler.known.size = sizeof handler;
    server = sks_tcp_server_new("127.0.0.1", 0, &handler.known);
    assert_int_equal(sks_server_bind(server), 0);
    sks_server_free(server);
    handler.later = abort;
    expect_handler_refused(&handler.known, SKS_EVTABLE,
                           "the handler's size is not that of a handler");
}

static void the_handler_is_copied(void **state)
{
    sks_handler handler = *unit_handler();
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, &handler);

    (void)state;
    memset(&handler, 0, sizeof handler);
    assert_ptr_equal(server->handler.handle, unit_handler()->handle);
    sks_server_free(server);
}

static void a_handler_is_made_without_its_struct(void **state)
{
    sks_handler *handler =
        sks_handler_new(12, NULL, unit_handler()->handle, NULL);
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, handler);

    (void)state;
    sks_handler_free(handler);
    sks_handler_free(NULL);
    assert_int_equal(server->handler.self_size, 12);
    assert_int_equal(sks_server_bind(server), 0);
    sks_server_free(server);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_null(sks_handler_new(12, NULL, unit_handler()->handle, NULL));
}

static int process(void *self, sks_request *request)
{
    (void)self;
    sks_request_close(request);
    return 0;
}

static void expect_strategy_refused(const sks_strategy *strategy, int error,
                                    const char *words)
{
    sks_server *server = unit_server();

    sks_server_set_strategy(server, strategy, NULL);
    assert_string_equal(server->strategy.name, "synchronous");
    unit_expect_fault(server, error, words);
}

static void a_strategy_must_be_complete(void **state)
{
    const sks_strategy good = {.size = sizeof good,
                               .name = "good",
                               .process_request = process};
    sks_strategy s = good;

    (void)state;
    expect_strategy_refused(NULL, SKS_EVTABLE, "the strategy is NULL");
    s.size = 0;
    expect_strategy_refused(&s, SKS_EVTABLE,
                            "the strategy has not the size of a strategy");
    s = good;
    s.name = NULL;
    expect_strategy_refused(
        &s, SKS_EVTABLE,
        "the strategy has no name or no process_request function");
    s = good;
    s.process_request = NULL;
    expect_strategy_refused(
        &s, SKS_EVTABLE,
        "the strategy has no name or no process_request function");
    s = good;
    s.self_size = (size_t)1 << 40;
    expect_strategy_refused(
        &s, -EINVAL,
        "the strategy has a self_size or request_size over 64 MiB");
    s = good;
    s.request_size = (size_t)1 << 40;
    expect_strategy_refused(
        &s, -EINVAL,
        "the strategy has a self_size or request_size over 64 MiB");
}

/* As a program that is older than the library would have it. */
static void a_shorter_strategy_lacks_its_last_members(void **state)
{
    sks_strategy s = {.name = "short", .process_request = process};
    sks_server *server = unit_server();

    (void)state;
    s.size = offsetof(sks_strategy, serve);
    memset((char *)&s + s.size, 0xff, sizeof s - s.size);
    sks_server_set_strategy(server, &s, &s);
    assert_string_equal(server->strategy.name, "short");
    assert_null(server->strategy.serve);
    assert_null(server->strategy.stop);
    assert_ptr_equal(server->strategy_config, &s);
    assert_int_equal(sks_server_bind(server), 0);
    sks_server_free(server);
}

/* --- constructors --- */

static void without_memory_there_is_no_server(void **state)
{
    long failed = 0;
    sks_server *server;

    (void)state;
    for (;;) {
        fault_set(FAULT_MALLOC, failed, 1, ENOMEM);
        server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());
        if (server != NULL)
            break;
        assert_int_equal(fault_hits(FAULT_MALLOC), 1);
        failed++;
    }
    assert_in_range(failed, 2, 20);
    sks_server_free(server);
    fault_clear();
    fault_set(FAULT_MMAP, 0, 1, ENOMEM);
    assert_null(sks_udp_server_new("127.0.0.1", 0, unit_handler()));
}

static void no_server_is_told_to_be_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(sks_server_bind(NULL), -ENOMEM);
    assert_int_equal(sks_server_serve_forever(NULL), -ENOMEM);
    assert_int_equal(sks_server_handle_request(NULL), -ENOMEM);
    assert_int_equal(sks_server_close(NULL), -ENOMEM);
    assert_string_equal(sks_server_error(NULL), "out of memory");
    assert_null(sks_server_address(NULL, 0));
    assert_int_equal(sks_server_port(NULL), 0);
    assert_int_equal(sks_server_fileno(NULL), SKS_ESTATE);
    sks_server_shutdown(NULL);
    sks_server_free(NULL);
}

static void without_descriptors_bind_says_so(void **state)
{
    (void)state;
    for (long skip = 0; skip < 2; skip++) {
        fault_set(FAULT_WAKEUP, skip, 1, EMFILE);
        unit_expect_fault(
            unit_server(), -EMFILE,
            "a wake-up cannot be made: out of descriptors in this "
            "process");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_handler_must_be_complete),
        UNIT_TEST(a_handler_may_have_members_yet_unknown_if_unset),
        UNIT_TEST(the_handler_is_copied),
        UNIT_TEST(a_handler_is_made_without_its_struct),
        UNIT_TEST(a_strategy_must_be_complete),
        UNIT_TEST(a_shorter_strategy_lacks_its_last_members),
        UNIT_TEST(without_memory_there_is_no_server),
        UNIT_TEST(no_server_is_told_to_be_out_of_memory),
        UNIT_TEST(without_descriptors_bind_says_so),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
