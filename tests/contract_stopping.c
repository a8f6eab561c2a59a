/* Ending serve_forever: from anywhere, at once, and again; closing and freeing
 * at any time. */
#include "contract.h"
#include "support/real.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void make(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
}

/* --- from a thread, a handler, a hook, a signal --- */

static void shutdown_ends_serve_forever_from_another_thread(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    sks_server_shutdown(c->server);
    assert_int_equal(contract_join(&c->serving), 0);
}

/* Its client has nothing more to say: a shutdown ends what it may send. */
static int shutting_handle(sks_request *request)
{
    char byte;

    if (sks_rfile_read(sks_request_rfile(request), &byte, 1) != 1)
        return -EIO;
    sks_server_shutdown(sks_request_server(request));
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void shutdown_ends_serve_forever_from_a_handler(struct contract *c)
{
    int fd = contract_serve_one(c, shutting_handle, "x");

    client_expect(fd, "done\n");
    client_close(fd);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void shut_in_a_turn(void *arg, sks_server *server)
{
    (void)arg;
    sks_server_shutdown(server);
}

static void shutdown_ends_serve_forever_from_a_hook(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_set_poll_interval_ms(c->server, 1);
    sks_server_set_service_actions(c->server, shut_in_a_turn, NULL);
    contract_start(c);
    assert_int_equal(contract_join(&c->serving), 0);
}

static int shut_and_verify(void *arg, const sks_request *request)
{
    (void)arg;
    sks_server_shutdown(sks_request_server(request));
    return 1;
}

static int tell_end_handle(sks_request *request)
{
    char byte;

    if (sks_rfile_read(sks_request_rfile(request), &byte, 1) != 0)
        return -EIO;
    return sks_wfile_puts(sks_request_wfile(request), "end\n");
}

/* It waits for its client only after everybody was told to end. */
static void a_request_under_a_shutdown_sees_end_of_file(struct contract *c)
{
    int fd;

    make(c, tell_end_handle);
    sks_server_set_verify_request(c->server, shut_and_verify, NULL);
    contract_start(c);
    fd = contract_connect(c);
    client_expect(fd, "end\n");
    client_close(fd);
    assert_int_equal(contract_join(&c->serving), 0);
}

static _Atomic(sks_server *) signalled; /* what the signal handler shuts down */
static atomic_int caught;               /* it has run */

static void shut_on_signal(int number)
{
    (void)number;
    sks_server_shutdown(signalled);
    caught = 1;
}

static void
shutdown_ends_serve_forever_from_a_signal_handler(struct contract *c)
{
    struct sigaction action = {.sa_handler = shut_on_signal}, before;

    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, &before);
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    signalled = c->server;
    raise(SIGUSR1);
    assert_int_equal(contract_join(&c->serving), 0);
    sigaction(SIGUSR1, &before, NULL);
}

static void a_signal_in_the_serving_thread_may_shut_down(struct contract *c)
{
    struct sigaction action = {.sa_handler = shut_on_signal}, before;
    long long start = deadline_now_ms();

    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, &before);
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    signalled = c->server;
    caught = 0;
    /* Again only until the handler runs, which ThreadSanitizer may put off. */
    do
        pthread_kill(c->serving.thread, SIGUSR1);
    while (!caught && deadline_nap(start));
    assert_int_equal(contract_join(&c->serving), 0);
    sigaction(SIGUSR1, &before, NULL);
}

/* --- before, and again --- */

static void
shutdown_before_serve_forever_makes_it_return_at_once(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_shutdown(c->server);
    contract_start(c);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void shutdown_before_bind_makes_serve_forever_return(struct contract *c)
{
    make(c, contract_lines_handle);
    sks_server_shutdown(c->server);
    server_thread_start(&c->serving, sks_server_serve_forever, c->server);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void a_server_serves_again_after_a_shutdown(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    for (int i = 0; i < 5; i++) {
        contract_echo(c);
        contract_stop(c);
        contract_start(c);
    }
    contract_echo(c);
}

/* Who comes between two serve_forever waits in the system's queue. */
static void
a_client_that_comes_after_a_shutdown_is_served_next_time(struct contract *c)
{
    int fd;

    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    contract_stop(c);
    fd = contract_connect(c);
    client_say(fd, "patience\n");
    contract_start(c);
    client_expect(fd, "patience\n");
}

static void shutting_down_twice_is_shutting_down_once(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    sks_server_shutdown(c->server);
    sks_server_shutdown(c->server);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void serving_starts_and_ends_many_times(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    for (int i = 0; i < 50; i++) {
        contract_stop(c);
        contract_start(c);
    }
    contract_stop(c);
}

/* Python wakes up twice a second to see whether it should stop. */
static void an_idle_server_sleeps_without_a_time_limit(struct contract *c)
{
    long long start = deadline_now_ms();

    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    while (!fault_waits_for_ever())
        assert_true(deadline_nap(start));
    contract_stop(c);
}

/* --- closing and freeing --- */

static void a_server_may_be_closed_before_bind(struct contract *c)
{
    make(c, contract_lines_handle);
    assert_int_equal(sks_server_close(c->server), 0);
    assert_int_equal(sks_server_bind(c->server), SKS_ECLOSED);
}

static void nothing_works_after_close(struct contract *c)
{
    make(c, contract_lines_handle);
    contract_bind(c);
    assert_int_equal(sks_server_close(c->server), 0);
    assert_int_equal(sks_server_close(c->server), SKS_ECLOSED);
    assert_int_equal(sks_server_bind(c->server), SKS_ECLOSED);
    assert_int_equal(sks_server_serve_forever(c->server), SKS_ECLOSED);
    assert_int_equal(sks_server_handle_request(c->server), SKS_ECLOSED);
    assert_null(sks_server_address(c->server, 0));
    sks_server_shutdown(c->server);
}

static void close_after_a_failed_bind_leaves_nothing(struct contract *c)
{
    make(c, contract_lines_handle);
    fault_set(FAULT_SOCKET, 0, FAULT_ALWAYS, EACCES);
    assert_int_equal(sks_server_bind(c->server), -EACCES);
    sks_server_close(c->server);
    contract_free(c);
}

static void a_server_may_be_freed_at_any_time(struct contract *c)
{
    make(c, contract_lines_handle);
    contract_free(c);
    make(c, contract_lines_handle);
    contract_bind(c);
    contract_free(c);
    sks_server_free(NULL);
}

static void closing_ends_serve_forever_in_another_thread(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    assert_int_equal(sks_server_close(c->server), 0);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void freeing_ends_serve_forever_in_another_thread(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    contract_free(c);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void close_ends_handle_request_in_another_thread(struct contract *c)
{
    make(c, contract_lines_handle);
    contract_bind(c);
    server_thread_start(&c->serving, sks_server_handle_request, c->server);
    assert_int_equal(sks_server_close(c->server), 0);
    assert_int_equal(contract_join(&c->serving), SKS_ECLOSED);
}

static int closing_handle(sks_request *request)
{
    sks_server *server = sks_request_server(request);

    return sks_wfile_printf(sks_request_wfile(request), "%d\n",
                            sks_server_close(server));
}

static void a_handler_may_not_close_its_server(struct contract *c)
{
    char expected[16];
    int fd;

    snprintf(expected, sizeof expected, "%d\n", SKS_ESTATE);
    contract_serve(c, closing_handle);
    for (int i = 0; i < 2; i++) {
        fd = contract_connect(c);
        client_say(fd, "x");
        client_expect(fd, expected);
        client_close(fd);
    }
}

/* --- signals of the whole program --- */

static void make_with_signals(struct contract *c)
{
    make(c, contract_lines_handle);
    assert_int_equal(sks_server_shutdown_on_signals(c->server), 0);
}

static void sigterm_ends_serve_forever_if_asked_for(struct contract *c)
{
    struct sigaction before, after;

    sigaction(SIGTERM, NULL, &before);
    make_with_signals(c);
    contract_start(c);
    contract_echo(c);
    kill(getpid(), SIGTERM);
    assert_int_equal(contract_join(&c->serving), 0);
    contract_free(c);
    sigaction(SIGTERM, NULL, &after);
    assert_true(after.sa_handler == before.sa_handler);
}

static void ignore_signal(int number)
{
    (void)number;
}

static void the_earlier_dispositions_come_back_with_free(struct contract *c)
{
    struct sigaction own = {.sa_handler = ignore_signal}, before, after;

    sigemptyset(&own.sa_mask);
    sigaction(SIGTERM, &own, &before);
    for (int signals = 0; signals < 2; signals++) {
        make_with_signals(c);
        if (signals > 0)
            raise(SIGTERM);
        contract_free(c);
        sigaction(SIGTERM, NULL, &after);
        assert_true(after.sa_handler == ignore_signal);
    }
    sigaction(SIGTERM, &before, NULL);
}

static void sigint_ends_serve_forever_too(struct contract *c)
{
    make_with_signals(c);
    contract_start(c);
    contract_echo(c);
    kill(getpid(), SIGINT);
    assert_int_equal(contract_join(&c->serving), 0);
}

static void one_signal_ends_several_servers(struct contract *c)
{
    struct server_thread other = {0};
    sks_server *first;

    make_with_signals(c);
    first = c->server;
    contract_bind(c);
    assert_int_equal(server_thread_start(&other, sks_server_serve_forever,
                                         first),
                     0);
    c->port = 0;
    snprintf(c->path, sizeof c->path, "%s/other", c->directory);
    make_with_signals(c);
    contract_start(c);
    kill(getpid(), SIGTERM);
    assert_int_equal(contract_join(&c->serving), 0);
    assert_int_equal(contract_join(&other), 0);
    sks_server_free(first);
}

/* In a child, because it is to die of it. */
static void die_of_two(struct contract *c)
{
    make(c, contract_gate_handle);
    if (sks_server_shutdown_on_signals(c->server) != 0)
        _exit(1);
    contract_bind(c);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGTERM);
    _exit(2);
}

static void a_second_signal_ends_the_process(struct contract *c)
{
    int status = 0;
    pid_t child = __real_fork();

    if (child == 0)
        die_of_two(c);
    assert_int_equal(__real_waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void sixteen_servers_may_ask_for_signals(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);
    sks_server *servers[17];

    for (int i = 0; i < 17; i++) {
        servers[i] = contract_new_server(c, &handler);
        assert_int_equal(sks_server_shutdown_on_signals(servers[i]),
                         i < 16 ? 0 : -ENOSPC);
    }
    sks_server_free(servers[3]);
    assert_int_equal(sks_server_shutdown_on_signals(servers[16]), 0);
    for (int i = 0; i < 17; i++)
        if (i != 3)
            sks_server_free(servers[i]);
}

static void no_signal_is_touched_unless_asked(struct contract *c)
{
    struct sigaction before[32], after;

    for (int i = 1; i < 32; i++)
        sigaction(i, NULL, &before[i]);
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
    for (int i = 1; i < 32; i++) {
        memset(&after, 0, sizeof after);
        if (sigaction(i, NULL, &after) == 0)
            assert_true(after.sa_handler == before[i].sa_handler);
    }
    contract_stop(c);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(shutdown_ends_serve_forever_from_another_thread),
    CONTRACT_CASE(shutdown_ends_serve_forever_from_a_handler),
    CONTRACT_CASE(shutdown_ends_serve_forever_from_a_hook),
    CONTRACT_CASE(shutdown_ends_serve_forever_from_a_signal_handler),
    CONTRACT_CASE(a_signal_in_the_serving_thread_may_shut_down),
    CONTRACT_CASE(shutdown_before_serve_forever_makes_it_return_at_once),
    CONTRACT_CASE(shutdown_before_bind_makes_serve_forever_return),
    CONTRACT_CASE(a_server_serves_again_after_a_shutdown),
    CONTRACT_CASE(a_client_that_comes_after_a_shutdown_is_served_next_time),
    CONTRACT_CASE(shutting_down_twice_is_shutting_down_once),
    CONTRACT_CASE(serving_starts_and_ends_many_times),
    CONTRACT_CASE(an_idle_server_sleeps_without_a_time_limit),
    CONTRACT_CASE(a_server_may_be_closed_before_bind),
    CONTRACT_CASE(nothing_works_after_close),
    CONTRACT_CASE(a_server_may_be_freed_at_any_time),
    CONTRACT_CASE(closing_ends_serve_forever_in_another_thread),
    CONTRACT_CASE(freeing_ends_serve_forever_in_another_thread),
    CONTRACT_CASE(close_ends_handle_request_in_another_thread),
    CONTRACT_CASE(a_handler_may_not_close_its_server),
    CONTRACT_CASE(sigterm_ends_serve_forever_if_asked_for),
    CONTRACT_CASE(the_earlier_dispositions_come_back_with_free),
    CONTRACT_CASE(sigint_ends_serve_forever_too),
    CONTRACT_CASE(one_signal_ends_several_servers),
    CONTRACT_CASE(a_second_signal_ends_the_process),
    CONTRACT_CASE(sixteen_servers_may_ask_for_signals),
    CONTRACT_CASE(no_signal_is_touched_unless_asked),
};

static const struct contract_case stream[] = {
    CONTRACT_CASE(a_request_under_a_shutdown_sees_end_of_file),
};

static const struct contract_case bound_by_itself[] = {
    CONTRACT_CASE(close_after_a_failed_bind_leaves_nothing),
};

const struct contract_list contract_stopping[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    CONTRACT_LIST(CONTRACT_BINDS, bound_by_itself),
    {0},
};
