/* Child processes: the strategy's own, and those that are none of its
 * business. */
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

/* --- children of others --- */

/* A child of the test's own that ends at once. */
static pid_t foreign_child(int status)
{
    pid_t child = __real_fork();

    if (child == 0)
        _exit(status);
    assert_true(child > 0);
    return child;
}

static void expect_child(pid_t child, int expected)
{
    int status = 0;

    assert_int_equal(__real_waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static void children_of_others_are_left_alone(struct contract *c)
{
    pid_t before = foreign_child(7), during;

    contract_serve(c, contract_lines_handle);
    during = foreign_child(8);
    for (int i = 0; i < 10; i++)
        contract_echo(c);
    expect_child(during, 8);
    during = foreign_child(9);
    contract_echo(c);
    contract_close(c);
    expect_child(before, 7);
    expect_child(during, 9);
}

static void a_forked_copy_of_a_server_may_be_freed(struct contract *c)
{
    pid_t child;

    make(c, contract_lines_handle);
    contract_bind(c);
    child = __real_fork();
    if (child == 0) {
        sks_server_free(c->server);
        _exit(11);
    }
    expect_child(child, 11);
    contract_start(c);
    contract_echo(c);
}

/* --- what handlers see of each other --- */

static int touched; /* by handlers that share the test's memory */

static int touch_handle(sks_request *request)
{
    touched++;
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void touch(struct contract *c)
{
    touched = 0;
    contract_serve(c, touch_handle);
    for (int i = 0; i < 3; i++) {
        int fd = contract_connect(c);

        client_say(fd, "x");
        client_expect(fd, "done\n");
        client_close(fd);
    }
    contract_close(c);
}

static void handlers_see_each_others_writes(struct contract *c)
{
    touch(c);
    assert_int_equal(touched, 3);
}

static void handlers_leave_the_servers_memory_alone(struct contract *c)
{
    touch(c);
    assert_int_equal(touched, 0);
}

/* --- processes of the strategy's own --- */

/* Ends its own process when told so, as a crash would. */
static int crashing_handle(sks_request *request)
{
    char line[16] = "";

    sks_rfile_readline(sks_request_rfile(request), line, sizeof line);
    if (strcmp(line, "crash\n") == 0)
        kill(getpid(), SIGKILL);
    return sks_wfile_puts(sks_request_wfile(request), line);
}

static void tell_crash(void *arg, const sks_request *request, int error)
{
    struct contract *c = arg;

    trace_put(&c->trace, "%s", sks_request_client_address(request));
    trace_put(&c->trace, "%d", error);
}

static void a_crash_costs_one_client(struct contract *c)
{
    char address[160], expected[16];
    int other = -1, fd;

    make(c, crashing_handle);
    sks_server_set_handle_error(c->server, tell_crash, c);
    contract_start(c);
    if (c->traits & CONTRACT_STREAM)
        other = contract_connect(c);
    fd = contract_connect(c);
    client_say(fd, "crash\n");
    trace_next(&c->trace, address, sizeof address);
    assert_true(strchr(address, ':') != NULL);
    snprintf(expected, sizeof expected, "%d ", SKS_ECRASHED);
    trace_expect(&c->trace, expected);
    if (c->traits & CONTRACT_STREAM)
        client_expect_gone(fd);
    if (other >= 0) {
        client_say(other, "hello\n");
        client_expect(other, "hello\n");
    }
    contract_echo(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void crashes_are_logged_without_a_hook(struct contract *c)
{
    long long start = deadline_now_ms();

    make(c, crashing_handle);
    contract_start(c);
    client_say(contract_connect(c), "crash\n");
    while (atomic_load(&c->shared->logged[SKS_ERROR]) == 0)
        assert_true(deadline_nap(start));
}

/* Where many share a process, others that were just about to end may go with
 * the one that crashed. */
static void the_server_goes_on_after_a_crash(struct contract *c)
{
    char expected[16];
    int fd;

    snprintf(expected, sizeof expected, "error:%d", SKS_ECRASHED);
    make(c, crashing_handle);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_start(c);
    for (int i = 0; i < 3; i++) {
        fd = contract_connect(c);
        client_say(fd, "crash\n");
        trace_until(&c->trace, expected, 1);
        if (c->traits & CONTRACT_STREAM)
            client_expect_gone(fd);
        client_close(fd);
        assert_true(contract_try_echo(c));
    }
    contract_close(c);
}

/* Crashed workers count no more. */
static void crashes_leave_room_for_others(struct contract *c)
{
    make(c, crashing_handle);
    sks_server_set_max_workers(c->server, 1);
    contract_start(c);
    for (int i = 0; i < 5; i++) {
        client_say(contract_connect(c), "crash\n");
        contract_echo(c);
    }
}

/* Tells how many listening sockets the process has. */
static int listeners_handle(sks_request *request)
{
    int n = 0, listening;

    for (int fd = 0; fd < 256; fd++) {
        socklen_t len = sizeof listening;

        listening = 0;
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
        n += listening != 0;
    }
    return sks_wfile_printf(sks_request_wfile(request), "%d\n", n);
}

static void a_process_for_a_request_has_no_listener(struct contract *c)
{
    make(c, listeners_handle);
    contract_add_address(c);
    contract_start(c);
    client_expect(contract_connect(c), "0\n");
}

/* Tells how many connections the process has. */
static int connections_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    struct sockaddr_storage name;
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        socklen_t len = sizeof name;

        n += getpeername(fd, (struct sockaddr *)&name, &len) == 0;
    }
    trace_put(&c->trace, "%d", n);
    return contract_wait(request);
}

static void a_process_for_a_request_has_no_other_connection(struct contract *c)
{
    contract_serve(c, connections_handle);
    contract_connect(c);
    trace_expect(&c->trace, "1 ");
    contract_connect(c);
    trace_expect(&c->trace, "1 ");
    contract_connect(c);
    trace_expect(&c->trace, "1 ");
    trace_let(&c->trace, 3);
}

/* Waits until the process has no child that ended and was not waited for. */
static void processes_are_reaped_while_the_server_idles(struct contract *c)
{
    long long start = deadline_now_ms();
    siginfo_t info;

    contract_serve(c, contract_lines_handle);
    for (int i = 0; i < 3; i++)
        contract_echo(c);
    do {
        memset(&info, 0, sizeof info);
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
            break;
    } while (deadline_nap(start));
    assert_int_equal(errno, ECHILD);
}

/* Once the client has spoken: it could not any more after that. */
static int shutting_handle(sks_request *request)
{
    char byte;

    if (sks_rfile_read(sks_request_rfile(request), &byte, 1) != 1)
        return -EIO;
    sks_server_shutdown(sks_request_server(request));
    return contract_wait(request);
}

static void a_process_for_a_request_may_shut_its_server_down(struct contract *c)
{

    contract_serve_one(c, shutting_handle, "x");
    assert_int_equal(contract_join(&c->serving), 0);
    trace_let(&c->trace, 1);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(children_of_others_are_left_alone),
    CONTRACT_CASE(a_forked_copy_of_a_server_may_be_freed),
};

static const struct contract_case shared[] = {
    CONTRACT_CASE(handlers_see_each_others_writes),
};

static const struct contract_case processes[] = {
    CONTRACT_CASE(handlers_leave_the_servers_memory_alone),
    CONTRACT_CASE(crashes_are_logged_without_a_hook),
    CONTRACT_CASE(the_server_goes_on_after_a_crash),
    CONTRACT_CASE(a_process_for_a_request_may_shut_its_server_down),
};

static const struct contract_case one_by_one[] = {
    CONTRACT_CASE(a_crash_costs_one_client),
    CONTRACT_CASE(crashes_leave_room_for_others),
};

static const struct contract_case forking[] = {
    CONTRACT_CASE(processes_are_reaped_while_the_server_idles),
};

static const struct contract_case forking_stream[] = {
    CONTRACT_CASE(a_process_for_a_request_has_no_listener),
    CONTRACT_CASE(a_process_for_a_request_has_no_other_connection),
};

const struct contract_list contract_processes[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_SHARED, shared),
    CONTRACT_LIST(CONTRACT_PROCESSES, processes),
    CONTRACT_LIST(CONTRACT_PROCESSES | CONTRACT_LIMITS, one_by_one),
    CONTRACT_LIST(CONTRACT_DISPATCHES | CONTRACT_PROCESSES, forking),
    CONTRACT_LIST(CONTRACT_DISPATCHES | CONTRACT_PROCESSES | CONTRACT_STREAM,
                  forking_stream),
    {0},
};
