/* Servers that run out of descriptors, and other trouble with accepting. */
#include "contract.h"
#include "support/real.h"
#include "support/shortage.h"

#include <errno.h>
#include <stdio.h>

enum { CLIENTS = 5, TURNS = 60 };

static void make_echo(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
    contract_count_turns(c);
}

static void bring_clients(struct contract *c, int *fds)
{
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = contract_connect(c);
        client_say(fds[i], "hello\n");
        client_finish(fds[i]);
    }
}

static void expect_all_served(const int *fds)
{
    for (int i = 0; i < CLIENTS; i++) {
        client_expect(fds[i], "hello\n");
        client_expect_eof(fds[i]);
    }
}

static int lines_logged(struct contract *c)
{
    return atomic_load(&c->shared->logged[SKS_ERROR]) +
           atomic_load(&c->shared->logged[SKS_WARNING]);
}

static void wait_until_logged(struct contract *c, int n)
{
    long long start = deadline_now_ms();

    while (lines_logged(c) < n)
        assert_true(deadline_nap(start));
}

/* Watches the serving loop for a while that it measures in its own turns.  A
 * loop that spins tries far more often than the time gives reason to: it may
 * try once in 5 ms, however slow or fast the machine is. */
static void expect_patience(struct contract *c)
{
    long long start = deadline_now_ms();
    long tries = fault_calls(FAULT_ACCEPT);
    int turns = atomic_load(&c->shared->turns);

    contract_turns(c, TURNS);
    tries = fault_calls(FAULT_ACCEPT) - tries;
    turns = atomic_load(&c->shared->turns) - turns;
    assert_true(tries <= (deadline_now_ms() - start) / 5 + 5);
    assert_true(turns <= deadline_now_ms() - start + 20);
}

/* --- as told by accept --- */

/* While accept fails, clients wait; nothing spins; a line says so, once. */
static void wait_out(struct contract *c, int error)
{
    int fds[CLIENTS];

    make_echo(c);
    contract_start(c);
    fault_set(FAULT_ACCEPT, 0, FAULT_ALWAYS, error);
    bring_clients(c, fds);
    wait_until_logged(c, 1);
    expect_patience(c);
    assert_int_equal(lines_logged(c), 1);
    fault_clear();
    expect_all_served(fds);
    assert_int_equal(lines_logged(c), 1);
}

/* However often it tries. */
static void
a_line_is_logged_once_while_there_are_no_descriptors(struct contract *c)
{
    long long start = deadline_now_ms();
    int fds[CLIENTS];

    make_echo(c);
    contract_start(c);
    fault_set(FAULT_ACCEPT, 0, FAULT_ALWAYS, EMFILE);
    bring_clients(c, fds);
    while (fault_hits(FAULT_ACCEPT) < 4)
        assert_true(deadline_nap(start));
    assert_int_equal(lines_logged(c), 1);
    fault_clear();
    expect_all_served(fds);
}

static void
clients_wait_while_the_process_has_no_descriptors(struct contract *c)
{
    wait_out(c, EMFILE);
}

static void clients_wait_while_the_system_has_no_descriptors(struct contract *c)
{
    wait_out(c, ENFILE);
}

static void clients_wait_while_the_system_has_no_memory(struct contract *c)
{
    wait_out(c, ENOMEM);
}

static void shutdown_without_descriptors_is_at_once(struct contract *c)
{
    int fds[CLIENTS];

    make_echo(c);
    contract_start(c);
    fault_set(FAULT_ACCEPT, 0, FAULT_ALWAYS, EMFILE);
    bring_clients(c, fds);
    wait_until_logged(c, 1);
    contract_stop(c);
    contract_close(c);
}

/* What comes back soon is one shortage, and one line. */
static void the_server_recovers_again_and_again(struct contract *c)
{
    long long start = deadline_now_ms();
    int fds[CLIENTS];

    make_echo(c);
    contract_start(c);
    for (int i = 1; i <= 2; i++) {
        fault_set(FAULT_ACCEPT, 0, FAULT_ALWAYS, EMFILE);
        bring_clients(c, fds);
        while (fault_hits(FAULT_ACCEPT) == 0)
            assert_true(deadline_nap(start));
        fault_clear();
        expect_all_served(fds);
    }
    assert_true(lines_logged(c) == 1 || deadline_now_ms() - start > 5000);
}

/* A connection may be lost before it is accepted, in many ways. */
static void
the_server_goes_on_when_a_connection_is_lost_in_the_queue(struct contract *c)
{
    int errors[] = {ECONNABORTED, EPROTO,    EPERM,        ENETDOWN,
                    ENOPROTOOPT,  EHOSTDOWN, EHOSTUNREACH, ENETUNREACH,
                    EOPNOTSUPP,   EINTR,     EAGAIN};

    make_echo(c);
    contract_start(c);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        fault_set(FAULT_ACCEPT, 0, 1, errors[i]);
        contract_echo(c);
    }
}

/* --- for real --- */

/* Clients that wait at a server which really lacks descriptors: they come while
 * accept only seems to fail, because they need some too. */
static void bring_clients_in_vain(struct contract *c, int *fds, int spare)
{
    long long start = deadline_now_ms();

    fault_set(FAULT_ACCEPT, 0, FAULT_ALWAYS, EMFILE);
    bring_clients(c, fds);
    while (fault_hits(FAULT_ACCEPT) == 0)
        assert_true(deadline_nap(start));
    shortage_begin(spare);
    fault_clear();
    while (fault_calls(FAULT_ACCEPT) == 0 && deadline_nap(start))
        continue;
}

/* However few there are: a request that needs more than one must not fail for
 * the second. */
static void clients_wait_until_there_are_descriptors_again(struct contract *c)
{
    int fds[CLIENTS];

    make_echo(c);
    contract_start(c);
    contract_echo(c);
    for (int spare = 0; spare < 3; spare++) {
        bring_clients_in_vain(c, fds, spare);
        contract_turns(c, 10);
        shortage_end();
        expect_all_served(fds);
    }
}

/* One client leaves, and the others are served in the place that it had. */
static void clients_wait_until_another_leaves(struct contract *c)
{
    int first, fds[CLIENTS];

    make_echo(c);
    contract_start(c);
    first = contract_connect(c);
    client_say(first, "first\n");
    client_expect(first, "first\n");
    bring_clients_in_vain(c, fds, 0);
    client_finish(first);
    client_expect_eof(first);
    for (int i = 0; i < CLIENTS; i++)
        if (client_receive_some(fds[i], (char[8]){0}, 6) != 6)
            break;
    shortage_end();
    for (int i = 0; i < CLIENTS; i++)
        client_expect_eof(fds[i]);
}

static const struct contract_case stream[] = {
    CONTRACT_CASE(clients_wait_while_the_process_has_no_descriptors),
    CONTRACT_CASE(a_line_is_logged_once_while_there_are_no_descriptors),
    CONTRACT_CASE(clients_wait_while_the_system_has_no_descriptors),
    CONTRACT_CASE(clients_wait_while_the_system_has_no_memory),
    CONTRACT_CASE(shutdown_without_descriptors_is_at_once),
    CONTRACT_CASE(the_server_recovers_again_and_again),
    CONTRACT_CASE(the_server_goes_on_when_a_connection_is_lost_in_the_queue),
    CONTRACT_CASE(clients_wait_until_there_are_descriptors_again),
};

static const struct contract_case parallel_shared_stream[] = {
    CONTRACT_CASE(clients_wait_until_another_leaves),
};

const struct contract_list contract_descriptors[] = {
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    CONTRACT_LIST(CONTRACT_PARALLEL | CONTRACT_SHARED | CONTRACT_STREAM,
                  parallel_shared_stream),
    {0},
};
