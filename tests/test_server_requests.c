/* Getting requests: lib/server_requests.c. */
#include "unit.h"
#include "support/leak.h"

#include "request.h"
#include "server.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 4 };

/* --- a listener that breaks --- */

static void *get(void *arg)
{
    sks_request *request;

    assert_int_equal(sks_server_get_requests(arg, 0, &request, 1), -EINVAL);
    return NULL;
}

/* Several workers meet the fault, and serving ends with it. */
static int serve_by_workers(void *self, sks_server *server)
{
    pthread_t threads[WORKERS];

    (void)self;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(__real_pthread_create(&threads[i], NULL, get, server),
                         0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_string_equal(sks_server_error(server), "");
    return -EINVAL;
}

static void who_serves_tells_what_its_workers_met(void **state)
{
    static const sks_strategy strategy = {.size = sizeof strategy,
                                          .name = "workers",
                                          .process_request = unit_process_none,
                                          .serve = serve_by_workers};
    sks_server *server = unit_server();
    char words[128];

    (void)state;
    sks_server_set_strategy(server, &strategy, NULL);
    assert_int_equal(sks_server_bind(server), 0);
    snprintf(words, sizeof words, "cannot get requests on %s: %s",
             sks_server_address(server, 0), sks_strerror(-EINVAL));
    fault_set(FAULT_ACCEPT, 0, FAULT_ALWAYS, EINVAL);
    assert_int_equal(sks_server_serve_forever(server), -EINVAL);
    assert_int_equal(fault_hits(FAULT_ACCEPT), WORKERS);
    assert_string_equal(sks_server_error(server), words);
    sks_server_free(server);
}

/* --- several listeners --- */

static void no_listener_waits_for_another_to_be_empty(void **state)
{
    sks_server *server = unit_server();
    const struct sks__listener *last = NULL;
    sks_request *request;
    int clients[4];

    (void)state;
    sks_server_add_address(server, "127.0.0.2", 0);
    assert_int_equal(sks_server_bind(server), 0);
    for (int i = 0; i < 4; i++)
        clients[i] = unit_client(server->listeners[i % 2].fd);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sks_server_get_request(server, &request, DEADLINE_MS),
                         0);
        assert_ptr_not_equal(request->listener, last);
        last = request->listener;
        sks_request_close(request);
        close(clients[i]);
    }
    sks_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(who_serves_tells_what_its_workers_met),
        UNIT_TEST(no_listener_waits_for_another_to_be_empty),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests_name("server_requests", tests, NULL, NULL);
}
