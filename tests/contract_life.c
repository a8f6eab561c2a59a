/* The life of a request: which calls happen, in which order, on what. */
#include "contract.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

/* --- what happens, told --- */

/* The first request of a server may be told to fail: ->number says how. */
enum { ALL_WELL, SETUP_FAILS, HANDLE_FAILS, REFUSED, NOT_PROCESSED };

/* True of the first request only, if that is to fail in this way. */
static int unlucky(struct contract *c, int way)
{
    return c->number == way && atomic_fetch_add(&c->shared->seen, 1) == 0;
}

static int telling_verify(void *arg, const sks_request *request)
{
    struct contract *c = arg;
    int refused = unlucky(c, REFUSED);

    /* Told last: the next client may come as soon as that is read. */
    (void)request;
    trace_put(&c->trace, "verify");
    return !refused;
}

static int telling_setup(sks_request *request)
{
    struct contract *c = contract_of(request);
    int fails = unlucky(c, SETUP_FAILS);

    trace_put(&c->trace, "setup");
    return fails ? -EACCES : 0;
}

static int telling_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    char line[32];
    ssize_t n = sks_rfile_readline(sks_request_rfile(request), line, 32);

    trace_put(&c->trace, "handle");
    if (unlucky(c, HANDLE_FAILS))
        return -EIO;
    return n < 0 ? (int)n : sks_wfile_puts(sks_request_wfile(request), line);
}

static void telling_finish(sks_request *request)
{
    trace_put(&contract_of(request)->trace, "finish");
}

static const sks_handler telling = {
    .size = sizeof(sks_handler),
    .setup = telling_setup,
    .handle = telling_handle,
    .finish = telling_finish,
};

/* The pair's strategy with its process_request told of. */
static const sks_strategy *told_strategy;

static int telling_process(void *self, sks_request *request)
{
    struct contract *c = contract_of(request);

    trace_put(&c->trace, "process");
    if (unlucky(c, NOT_PROCESSED))
        return -EAGAIN;
    return told_strategy->process_request(self, request);
}

/* Replaces the strategy by one that tells.  Strategies with a loop of their
 * own need no process_request in it. */
static void tell_of_strategy(struct contract *c)
{
    static sks_strategy copy;

    told_strategy = c->strategy;
    copy = *c->strategy;
    copy.process_request = telling_process;
    c->strategy = &copy;
}

static void serve_telling(struct contract *c, int way)
{
    c->number = way;
    contract_make(c, &telling);
    sks_server_set_verify_request(c->server, telling_verify, c);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_start(c);
}

/* What stands between verify and setup, in the loop that the strategy has. */
static const char *processed(const struct contract *c)
{
    return c->strategy->serve ? "" : "process ";
}

/* Expects what a request tells, with the word for its process_request put
 * where the format has %s. */
static void expect_told(struct contract *c, const char *format)
{
    char events[128];
    const char *place = strstr(format, "%s");

    if (place)
        snprintf(events, sizeof events, "%.*s%s%s", (int)(place - format),
                 format, processed(c), place + 2);
    else
        snprintf(events, sizeof events, "%s", format);
    trace_expect(&c->trace, events);
}

/* A client whose request comes to nothing. */
static void be_unlucky(struct contract *c)
{
    int fd = contract_connect(c);

    client_try_send(fd, "hello\n", 6);
    if (c->traits & CONTRACT_STREAM)
        client_expect_gone(fd);
    client_close(fd);
}

static void expect_normal_request(struct contract *c)
{
    contract_echo(c);
    expect_told(c, "verify %ssetup handle finish ");
}

/* --- the rows of the table --- */

static void
a_request_is_verified_processed_set_up_handled_and_finished(struct contract *c)
{
    tell_of_strategy(c);
    serve_telling(c, ALL_WELL);
    expect_normal_request(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void finish_runs_when_handle_fails(struct contract *c)
{
    tell_of_strategy(c);
    serve_telling(c, HANDLE_FAILS);
    be_unlucky(c);
    expect_told(c, "verify %ssetup handle finish error:-5 ");
    expect_normal_request(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void neither_handle_nor_finish_run_when_setup_fails(struct contract *c)
{
    tell_of_strategy(c);
    serve_telling(c, SETUP_FAILS);
    be_unlucky(c);
    expect_told(c, "verify %ssetup error:-13 ");
    expect_normal_request(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void no_handler_runs_for_a_refused_request(struct contract *c)
{
    tell_of_strategy(c);
    serve_telling(c, REFUSED);
    be_unlucky(c);
    trace_expect(&c->trace, "verify ");
    expect_normal_request(c);
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

/* Through handle_request, which every strategy's process_request serves. */
static void handle_error_is_told_when_process_request_fails(struct contract *c)
{
    int fd;

    tell_of_strategy(c);
    c->number = NOT_PROCESSED;
    contract_make(c, &telling);
    sks_server_set_timeout_ms(c->server, DEADLINE_MS);
    sks_server_set_handle_error(c->server, contract_tell_error, c);
    contract_bind(c);
    fd = contract_connect(c);
    client_say(fd, "hello\n");
    assert_int_equal(sks_server_handle_request(c->server), 1);
    trace_expect(&c->trace, "process error:-11 ");
    if (c->traits & CONTRACT_STREAM)
        client_expect_gone(fd);
    fd = contract_connect(c);
    client_say(fd, "again\n");
    if (c->traits & CONTRACT_STREAM)
        client_finish(fd);
    assert_int_equal(sks_server_handle_request(c->server), 1);
    client_expect(fd, "again\n");
    trace_expect(&c->trace, "process setup handle finish ");
    contract_close(c);
    trace_expect_rest(&c->trace, "");
}

static void held_error(void *arg, const sks_request *request, int error)
{
    struct contract *c = arg;

    (void)request;
    trace_put(&c->trace, "error:%d", error);
    trace_wait(&c->trace);
}

static int failing_handle(sks_request *request)
{
    sks_wfile_puts(sks_request_wfile(request), "sorry\n");
    return -EIO;
}

static void
the_connection_is_open_until_handle_error_returns(struct contract *c)
{
    sks_handler handler = contract_handler(failing_handle);
    int fd;

    contract_make(c, &handler);
    sks_server_set_handle_error(c->server, held_error, c);
    contract_start(c);
    fd = contract_connect(c);
    trace_expect(&c->trace, "error:-5 ");
    client_expect(fd, "sorry\n");
    client_expect_silence(fd);
    trace_let(&c->trace, 1);
    client_expect_eof(fd);
}

static void setup_and_finish_are_optional(struct contract *c)
{
    contract_serve(c, contract_lines_handle);
    contract_echo(c);
}

/* --- what a handler is given --- */

static int describe_handle(sks_request *request)
{
    struct contract *c = contract_of(request);

    trace_put(&c->trace, "%s", sks_request_client_address(request));
    trace_put(&c->trace, "%d", sks_request_server(request) == c->server);
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

/* A client's own name in the form of sks_request_client_address(). */
static void describe_client(int fd, char *text, size_t size)
{
    struct sockaddr_storage name = {0};
    const struct sockaddr_in *in = (const struct sockaddr_in *)&name;
    const struct sockaddr_un *local = (const struct sockaddr_un *)&name;
    socklen_t len = sizeof name;
    int port;

    assert_return_code(getsockname(fd, (struct sockaddr *)&name, &len), errno);
    port = ntohs(in->sin_port);
    if (name.ss_family == AF_INET)
        snprintf(text, size, "127.0.0.1:%d", port);
    else if (name.ss_family == AF_INET6)
        snprintf(text, size, "[::1]:%d", port);
    else
        snprintf(text, size, "unix:%s", local->sun_path);
}

static void a_handler_sees_its_server_and_its_client(struct contract *c)
{
    char expected[160], came[160];
    int fd = contract_serve_one(c, describe_handle, "x");

    describe_client(fd, expected, sizeof expected);
    trace_next(&c->trace, came, sizeof came);
    assert_string_equal(came, expected);
    trace_expect(&c->trace, "1 ");
    client_expect(fd, "done\n");
}

enum { SELF_SIZE = 200 };

/* Tells whether the request's memory is clean and aligned, and soils it. */
static int self_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    unsigned char *self = sks_request_self(request);
    int dirty = 0;

    for (int i = 0; i < SELF_SIZE; i++)
        dirty |= self[i];
    memset(self, 0xff, SELF_SIZE);
    trace_put(&c->trace, "%s,%d", dirty ? "dirty" : "clean",
              (int)((uintptr_t)self % alignof(max_align_t)));
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void a_requests_memory_is_zeroed_and_aligned(struct contract *c)
{
    sks_handler handler = contract_handler(self_handle);

    handler.self_size = SELF_SIZE;
    contract_make(c, &handler);
    contract_start(c);
    for (int i = 0; i < 5; i++) {
        int fd = contract_connect(c);

        client_say(fd, "x");
        client_expect(fd, "done\n");
        trace_expect(&c->trace, "clean,0 ");
        client_close(fd);
    }
}

static int remembering_setup(sks_request *request)
{
    *(int *)sks_request_self(request) = 17;
    return 0;
}

static int remembering_handle(sks_request *request)
{
    *(int *)sks_request_self(request) *= 2;
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void remembering_finish(sks_request *request)
{
    trace_put(&contract_of(request)->trace, "%d",
              *(int *)sks_request_self(request));
}

static void a_requests_memory_lives_from_setup_to_finish(struct contract *c)
{
    sks_handler handler = {.size = sizeof handler,
                           .self_size = sizeof(int),
                           .setup = remembering_setup,
                           .handle = remembering_handle,
                           .finish = remembering_finish};
    int fd;

    contract_make(c, &handler);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "x");
    client_expect(fd, "done\n");
    trace_expect(&c->trace, "34 ");
}

static int without_self_handle(sks_request *request)
{
    trace_put(&contract_of(request)->trace, "%s",
              sks_request_self(request) ? "something" : "nothing");
    return 0;
}

static void a_request_without_self_size_has_no_memory(struct contract *c)
{
    contract_serve(c, without_self_handle);
    client_say(contract_connect(c), "x");
    trace_expect(&c->trace, "nothing ");
}

static void the_handler_is_copied(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    contract_make(c, &handler);
    memset(&handler, 0xff, sizeof handler);
    contract_start(c);
    contract_echo(c);
}

static void
a_handler_from_handler_new_serves_after_handler_free(struct contract *c)
{
    sks_handler *handler =
        sks_handler_new(sizeof(int), remembering_setup, remembering_handle,
                        remembering_finish);
    int fd;

    assert_non_null(handler);
    contract_make(c, handler);
    sks_handler_free(handler);
    sks_handler_free(NULL);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "x");
    client_expect(fd, "done\n");
    trace_expect(&c->trace, "34 ");
}

/* --- descriptors --- */

/* Tells whether the request's socket has the client at its other end. */
static int fileno_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    int type = 0, fd = sks_request_fileno(request);
    socklen_t type_len = sizeof type;

    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len);
    trace_put(&c->trace, "%s,%d",
              type == c->transport->type ? "its-type" : "another-type",
              getpeername(fd, (struct sockaddr *)&name, &len));
    return sks_wfile_puts(sks_request_wfile(request), "done\n");
}

static void fileno_is_the_connection_or_the_datagram_socket(struct contract *c)
{
    int fd = contract_serve_one(c, fileno_handle, "x");

    client_expect(fd, "done\n");
    trace_expect(&c->trace,
                 c->traits & CONTRACT_STREAM ? "its-type,0 " : "its-type,-1 ");
}

static void a_hundred_clients_come_and_go(struct contract *c)
{
    unsigned long workers;
    int before;

    contract_serve(c, contract_echo_handle);
    contract_echo(c);
    workers = sks_server_count(c->server, SKS_COUNT_WORKERS);
    before = contract_descriptors_open();
    for (int i = 0; i < 100; i++)
        contract_echo(c);
    /* Each that was started since may have one of its own. */
    workers = sks_server_count(c->server, SKS_COUNT_WORKERS) - workers;
    contract_stop(c);
    assert_true(contract_descriptors_open() <= before + 2 + (int)workers);
}

static const struct contract_case any[] = {
    CONTRACT_CASE(a_request_is_verified_processed_set_up_handled_and_finished),
    CONTRACT_CASE(finish_runs_when_handle_fails),
    CONTRACT_CASE(neither_handle_nor_finish_run_when_setup_fails),
    CONTRACT_CASE(no_handler_runs_for_a_refused_request),
    CONTRACT_CASE(handle_error_is_told_when_process_request_fails),
    CONTRACT_CASE(setup_and_finish_are_optional),
    CONTRACT_CASE(a_handler_sees_its_server_and_its_client),
    CONTRACT_CASE(a_requests_memory_is_zeroed_and_aligned),
    CONTRACT_CASE(a_requests_memory_lives_from_setup_to_finish),
    CONTRACT_CASE(a_request_without_self_size_has_no_memory),
    CONTRACT_CASE(the_handler_is_copied),
    CONTRACT_CASE(a_handler_from_handler_new_serves_after_handler_free),
    CONTRACT_CASE(fileno_is_the_connection_or_the_datagram_socket),
    CONTRACT_CASE(a_hundred_clients_come_and_go),
};

static const struct contract_case stream[] = {
    CONTRACT_CASE(the_connection_is_open_until_handle_error_returns),
};

const struct contract_list contract_life[] = {
    CONTRACT_LIST(0, any),
    CONTRACT_LIST(CONTRACT_STREAM, stream),
    {0},
};
