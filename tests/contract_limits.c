/* How many requests run at once. */
#include "contract.h"

#include <errno.h>
#include <stdio.h>

/* Runs at the gate, and counts how many do. */
static int counted_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    int now = atomic_fetch_add(&c->shared->running, 1) + 1;
    int most = atomic_load(&c->shared->most), rc;

    while (most < now &&
           !atomic_compare_exchange_weak(&c->shared->most, &most, now))
        continue;
    trace_put(&c->trace, "enter");
    rc = contract_wait(request);
    atomic_fetch_sub(&c->shared->running, 1);
    return rc != 0 ? rc : sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void make_limited(struct contract *c, unsigned n)
{
    sks_handler handler = contract_handler(counted_handle);

    contract_make(c, &handler);
    sks_server_set_max_workers(c->server, n);
    contract_count_turns(c);
    contract_start(c);
}

static void bring_clients(struct contract *c, int *fds, int n)
{
    for (int i = 0; i < n; i++) {
        fds[i] = contract_connect(c);
        client_say(fds[i], "x");
    }
}

/* --- the limit --- */

static void no_more_than_max_workers_run_and_the_others_wait(struct contract *c)
{
    int fds[6];

    make_limited(c, 2);
    bring_clients(c, fds, 6);
    trace_expect(&c->trace, "enter enter ");
    contract_turns(c, 5);
    trace_let(&c->trace, 6);
    for (int i = 0; i < 6; i++) {
        client_expect(fds[i], "done\n");
        client_close(fds[i]);
    }
    trace_expect(&c->trace, "enter enter enter enter ");
    assert_int_equal(atomic_load(&c->shared->most), 2);
}

static void a_limit_of_one_runs_one_after_the_other(struct contract *c)
{
    int fds[4];

    make_limited(c, 1);
    bring_clients(c, fds, 4);
    trace_expect(&c->trace, "enter ");
    for (int i = 0; i < 4; i++) {
        trace_let(&c->trace, 1);
        client_expect(fds[i], "done\n");
        client_close(fds[i]);
        if (i < 3)
            trace_expect(&c->trace, "enter ");
    }
    assert_int_equal(atomic_load(&c->shared->most), 1);
}

static void requests_run_at_once_up_to_the_limit(struct contract *c)
{
    int fds[8];

    make_limited(c, 8);
    bring_clients(c, fds, 8);
    trace_expect(&c->trace, "enter enter enter enter enter enter enter enter ");
    trace_let(&c->trace, 8);
    for (int i = 0; i < 8; i++)
        client_expect(fds[i], "done\n");
    assert_int_equal(atomic_load(&c->shared->most), 8);
}

static void shutdown_at_the_limit_is_at_once(struct contract *c)
{
    int fds[4];

    make_limited(c, 1);
    bring_clients(c, fds, 4);
    trace_expect(&c->trace, "enter ");
    contract_turns(c, 2);
    contract_stop(c);
    trace_let(&c->trace, 1);
    client_expect(fds[0], "done\n");
    contract_close(c);
}

/* A server that polled a listener which it does not accept from would turn as
 * fast as it can: far more often than once a millisecond. */
static void waiting_at_the_limit_takes_no_time(struct contract *c)
{
    long long start;
    int fds[3], turns;

    make_limited(c, 1);
    bring_clients(c, fds, 3);
    trace_expect(&c->trace, "enter ");
    contract_turns(c, 2);
    start = deadline_now_ms();
    turns = atomic_load(&c->shared->turns);
    contract_turns(c, 60);
    turns = atomic_load(&c->shared->turns) - turns;
    assert_true(turns <= deadline_now_ms() - start + 20);
    trace_let(&c->trace, 3);
    for (int i = 0; i < 3; i++) {
        client_expect(fds[i], "done\n");
        client_close(fds[i]);
    }
}

/* --- what is counted --- */

static void a_request_and_its_worker_are_counted(struct contract *c)
{
    long long start = deadline_now_ms();
    int fd = contract_serve_one(c, contract_gate_handle, "x");

    trace_expect(&c->trace, "enter ");
    assert_int_equal(sks_server_count(c->server, SKS_COUNT_TAKEN), 1);
    assert_int_equal(sks_server_count(c->server, SKS_COUNT_ACTIVE), 1);
    /* A forked one may begin before its parent counts it. */
    while (sks_server_count(c->server, SKS_COUNT_WORKERS) < 1)
        assert_true(deadline_nap(start));
    trace_let(&c->trace, 1);
    client_expect(fd, "done\n");
    contract_close(c);
    assert_int_equal(sks_server_count(c->server, SKS_COUNT_ACTIVE), 0);
    assert_int_equal(sks_server_count(c->server, SKS_COUNT_WORKERS), 0);
}

/* --- what the limit is --- */

static void the_limit_is_the_strategys_unless_set(struct contract *c)
{
    sks_handler handler = contract_handler(counted_handle);

    contract_make(c, &handler);
    assert_int_equal(sks_server_max_workers(c->server),
                     c->strategy->max_workers);
    sks_server_set_max_workers(c->server, 3);
    assert_int_equal(sks_server_max_workers(c->server), 3);
}

/* A strategy that starts its workers at once must not start a million. */
static void more_workers_than_the_strategy_has_are_refused(struct contract *c)
{
    unsigned most = c->strategy->most_workers;
    sks_handler handler = contract_handler(counted_handle);
    int descriptors;

    contract_make(c, &handler);
    descriptors = contract_descriptors_open();
    sks_server_set_max_workers(c->server, most ? most + 1 : 1048576);
    assert_int_equal(sks_server_bind(c->server), most ? -EINVAL : 0);
    if (!most)
        return;
    assert_non_null(strstr(sks_server_error(c->server), "max_workers is over"));
    assert_non_null(strstr(sks_server_error(c->server), c->strategy->name));
    assert_int_equal(contract_descriptors_open(), descriptors);
    sks_server_set_max_workers(c->server, 1);
    assert_int_equal(sks_server_bind(c->server), 0);
}

static void a_strategy_is_found_by_its_name(struct contract *c)
{
    const char *name = sks_strategy_name(c->strategy);

    assert_ptr_equal(sks_strategy_find(name), c->strategy);
    assert_string_equal(name, c->strategy->name);
}

static void the_built_in_strategies_are_in_the_list(struct contract *c)
{
    size_t i = 0;

    while (sks_strategy_names(i) &&
           strcmp(sks_strategy_names(i), c->strategy->name) != 0)
        i++;
    assert_non_null(sks_strategy_names(i));
    assert_null(sks_strategy_find("no-such-strategy"));
    assert_ptr_equal(sks_strategy_find("synchronous"), sks_synchronous());
    assert_ptr_equal(sks_strategy_find("forking"), sks_forking());
    assert_ptr_equal(sks_strategy_find("threading"), sks_threading());
    assert_int_equal(sks_forking()->max_workers, 40);
    assert_int_equal(sks_threading()->max_workers, 512);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(the_limit_is_the_strategys_unless_set),
    CONTRACT_CASE(more_workers_than_the_strategy_has_are_refused),
};

static const struct contract_case parallel[] = {
    CONTRACT_CASE(requests_run_at_once_up_to_the_limit),
};

static const struct contract_case limited[] = {
    CONTRACT_CASE(a_limit_of_one_runs_one_after_the_other),
};

static const struct contract_case limited_parallel[] = {
    CONTRACT_CASE(no_more_than_max_workers_run_and_the_others_wait),
    CONTRACT_CASE(shutdown_at_the_limit_is_at_once),
    CONTRACT_CASE(waiting_at_the_limit_takes_no_time),
};

static const struct contract_case built_in_parallel[] = {
    CONTRACT_CASE(a_request_and_its_worker_are_counted),
};

static const struct contract_case built_in[] = {
    CONTRACT_CASE(a_strategy_is_found_by_its_name),
    CONTRACT_CASE(the_built_in_strategies_are_in_the_list),
};

const struct contract_list contract_limits[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_PARALLEL, parallel),
    CONTRACT_LIST(CONTRACT_LIMITS, limited),
    CONTRACT_LIST(CONTRACT_LIMITS | CONTRACT_PARALLEL, limited_parallel),
    CONTRACT_LIST(CONTRACT_BUILT_IN, built_in),
    CONTRACT_LIST(CONTRACT_BUILT_IN | CONTRACT_PARALLEL, built_in_parallel),
    {0},
};
