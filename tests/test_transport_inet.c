/* Names here are resolved by the test: getaddrinfo(3) is wrapped. */
#include "unit.h"

#include "fd.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

/* What "test.invalid" means just now: addresses, or a result of
 * getaddrinfo(3) as often as it says. */
static const char *const *meaning;
static int failure, failures, system_error;
static int lent; /* answers that were not given back */

enum { MOST = 80 };
static struct addrinfo answers[MOST];
static struct sockaddr_storage addresses[MOST];

int __real_getaddrinfo(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);
void __real_freeaddrinfo(struct addrinfo *all);
int __wrap_getaddrinfo(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *all);

static socklen_t fill_address(struct sockaddr_storage *a, const char *text)
{
    struct sockaddr_in *in = (struct sockaddr_in *)a;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)a;

    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        return sizeof *in;
    }
    if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        return sizeof *in6;
    }
    a->ss_family = AF_UNIX;
    return sizeof(sa_family_t);
}

int __wrap_getaddrinfo(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out)
{
    size_t n = 0;

    if (name == NULL || strcmp(name, "test.invalid") != 0)
        return __real_getaddrinfo(name, service, hints, out);
    if (failures > 0) {
        failures--;
        errno = system_error;
        return failure;
    }
    for (; meaning[n] != NULL; n++) {
        socklen_t len = fill_address(&addresses[n], meaning[n]);

        answers[n] =
            (struct addrinfo){.ai_family = addresses[n].ss_family,
                              .ai_socktype = hints->ai_socktype,
                              .ai_addr = (struct sockaddr *)&addresses[n],
                              .ai_addrlen = len,
                              .ai_next = meaning[n + 1] != NULL
                                             ? &answers[n + 1]
                                             : NULL};
    }
    lent++;
    *out = answers;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *all)
{
    if (all == answers)
        lent--;
    else
        __real_freeaddrinfo(all);
}

static int end(void **state)
{
    int rc = unit_end(state);

    failures = 0;
    return lent != 0 ? -1 : rc;
}

#define NAME_TEST(test) cmocka_unit_test_setup_teardown(test, unit_begin, end)

static sks_server *named_server(const char *const *means)
{
    meaning = means;
    return sks_tcp_server_new("test.invalid", 0, unit_handler());
}

static const char *const both[] = {"127.0.0.1", "::1", NULL};

static size_t count(const sks_server *server)
{
    size_t n = 0;

    while (sks_server_address(server, n) != NULL)
        n++;
    return n;
}

/* The i-th address, but for its port, which is that of all. */
static void expect_address(const sks_server *server, size_t i, const char *host)
{
    char text[100];

    snprintf(text, sizeof text, "%s:%d", host, sks_server_port(server));
    assert_non_null(sks_server_address(server, i));
    assert_string_equal(sks_server_address(server, i), text);
}

static void expect_refused(sks_server *server, int error, const char *words)
{
    assert_int_equal(sks_server_bind(server), error);
    assert_string_equal(sks_server_error(server), words);
    assert_int_equal(count(server), 0);
    assert_int_equal(sks_server_port(server), 0);
    sks_server_free(server);
}

/* --- addresses --- */

static void each_address_of_a_name_is_bound_to_one_port(void **state)
{
    sks_server *server = named_server(both);

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_in_range(sks_server_port(server), 1, 65535);
    assert_int_equal(count(server), 2);
    expect_address(server, 0, "127.0.0.1");
    expect_address(server, 1, "[::1]");
    sks_server_free(server);
}

static void no_host_means_every_address_of_both_families(void **state)
{
    sks_server *server = sks_tcp_server_new(NULL, 0, unit_handler());
    char in[60], in6[60];

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(count(server), 2);
    snprintf(in, sizeof in, "0.0.0.0:%d", sks_server_port(server));
    snprintf(in6, sizeof in6, "[::]:%d", sks_server_port(server));
    for (size_t i = 0; i < 2; i++)
        assert_true(strcmp(sks_server_address(server, i), in) == 0 ||
                    strcmp(sks_server_address(server, i), in6) == 0);
    assert_string_not_equal(sks_server_address(server, 0),
                            sks_server_address(server, 1));
    sks_server_free(server);
}

/* As a host file with the same line twice makes of it. */
static void an_address_that_a_name_has_twice_is_bound_once(void **state)
{
    static const char *const twice[] = {"127.0.0.1", "::1", "127.0.0.1", "::1",
                                        NULL};
    sks_server *server = named_server(twice);

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(count(server), 2);
    sks_server_free(server);
}

static void each_endpoint_has_a_port_of_its_own(void **state)
{
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());

    (void)state;
    sks_server_add_address(server, "127.0.0.1", 0);
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(count(server), 2);
    assert_string_not_equal(sks_server_address(server, 0),
                            sks_server_address(server, 1));
    expect_address(server, 0, "127.0.0.1");
    sks_server_free(server);
}

static void other_families_are_not_for_us(void **state)
{
    static const char *const mixed[] = {"unix", "127.0.0.1", NULL};
    static const char *const none[] = {"unix", NULL};
    sks_server *server = named_server(mixed);

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(count(server), 1);
    sks_server_free(server);
    expect_refused(named_server(none), SKS_ERESOLVE,
                   "cannot listen on test.invalid:0: no such host");
}

static void there_is_an_end_to_addresses(void **state)
{
    static const char *many[SKS__LISTENERS_MAX + 2];
    static char texts[SKS__LISTENERS_MAX + 1][20];

    (void)state;
    for (int i = 0; i <= SKS__LISTENERS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "127.0.0.%d", i + 1);
        many[i] = texts[i];
    }
    expect_refused(named_server(many), -E2BIG,
                   "cannot listen on test.invalid:0: too many");
}

/* --- ports --- */

static void
a_port_that_is_taken_on_one_address_is_given_up_for_another(void **state)
{
    sks_server *server = named_server(both);

    (void)state;
    fault_set(FAULT_BIND, 1, 1, EADDRINUSE);
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(fault_calls(FAULT_BIND), 4);
    assert_int_equal(count(server), 2);
    expect_address(server, 1, "[::1]");
    sks_server_free(server);
}

static void the_search_for_a_port_ends(void **state)
{
    (void)state;
    fault_set(FAULT_BIND, 0, FAULT_ALWAYS, EADDRINUSE);
    expect_refused(named_server(both), -EADDRINUSE,
                   "cannot listen on test.invalid:0: address already in use");
    assert_in_range(fault_calls(FAULT_BIND), 2, 100);
}

static void a_port_that_was_asked_for_is_tried_once(void **state)
{
    sks_server *first = sks_tcp_server_new("127.0.0.1", 0, unit_handler());
    sks_server *second;
    char words[100];
    int port;

    (void)state;
    assert_int_equal(sks_server_bind(first), 0);
    port = sks_server_port(first);
    second = sks_tcp_server_new("127.0.0.1", port, unit_handler());
    snprintf(words, sizeof words,
             "cannot listen on 127.0.0.1:%d: address already in use", port);
    fault_set(FAULT_BIND, 0, 0, 0);
    expect_refused(second, -EADDRINUSE, words);
    assert_int_equal(fault_calls(FAULT_BIND), 1);
    sks_server_free(first);
}

static void a_port_lies_between_0_and_65535(void **state)
{
    (void)state;
    expect_refused(sks_tcp_server_new("127.0.0.1", -1, unit_handler()), -EINVAL,
                   "port -1 is not between 0 and 65535");
    expect_refused(sks_udp_server_new("127.0.0.1", 65536, unit_handler()),
                   -EINVAL, "port 65536 is not between 0 and 65535");
    fault_set(FAULT_BIND, 0, 1, EACCES);
    expect_refused(sks_tcp_server_new("127.0.0.1", 65535, unit_handler()),
                   -EACCES,
                   "cannot listen on 127.0.0.1:65535: permission denied");
    fault_set(FAULT_BIND, 0, 1, EACCES);
    expect_refused(sks_tcp_server_new(NULL, 80, unit_handler()), -EACCES,
                   "cannot listen on :80: permission denied");
}

/* --- families that a machine lacks --- */

static void without_one_family_the_other_serves(void **state)
{
    sks_server *server;

    (void)state;
    for (long lacking = 0; lacking < 2; lacking++) {
        server = named_server(both);
        fault_set(FAULT_SOCKET, lacking, 1, EAFNOSUPPORT);
        assert_int_equal(sks_server_bind(server), 0);
        assert_int_equal(count(server), 1);
        expect_address(server, 0, lacking == 0 ? "[::1]" : "127.0.0.1");
        sks_server_free(server);
        server = named_server(both);
        fault_set(FAULT_BIND, lacking, 1, EADDRNOTAVAIL);
        assert_int_equal(sks_server_bind(server), 0);
        assert_int_equal(count(server), 1);
        sks_server_free(server);
    }
}

static void without_either_family_bind_says_so(void **state)
{
    (void)state;
    fault_set(FAULT_SOCKET, 0, FAULT_ALWAYS, EAFNOSUPPORT);
    expect_refused(named_server(both), -EAFNOSUPPORT,
                   "cannot listen on test.invalid:0: address family not "
                   "supported");
}

static void any_other_fault_of_one_address_is_one_of_all(void **state)
{
    (void)state;
    fault_set(FAULT_BIND, 1, 1, EACCES);
    expect_refused(named_server(both), -EACCES,
                   "cannot listen on test.invalid:0: permission denied");
    fault_set(FAULT_LISTEN, 1, 1, EACCES);
    expect_refused(named_server(both), -EACCES,
                   "cannot listen on test.invalid:0: permission denied");
    fault_set(FAULT_SOCKET, 1, 1, EMFILE);
    expect_refused(named_server(both), -EMFILE,
                   "cannot listen on test.invalid:0: out of descriptors in "
                   "this process");
}

static void a_failed_bind_may_be_tried_again(void **state)
{
    sks_server *server = named_server(both);

    (void)state;
    fault_set(FAULT_BIND, 1, 1, EACCES);
    assert_int_equal(sks_server_bind(server), -EACCES);
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(count(server), 2);
    sks_server_free(server);
}

/* --- names --- */

static void fail_to_resolve(int result, int error, int times)
{
    failure = result;
    system_error = error;
    failures = times;
}

static void a_name_that_is_not_found_is_told(void **state)
{
    (void)state;
    fail_to_resolve(EAI_NONAME, 0, 1);
    expect_refused(named_server(both), SKS_ERESOLVE,
                   "cannot find host 'test.invalid': no such host");
    fail_to_resolve(EAI_AGAIN, 0, 1);
    expect_refused(named_server(both), SKS_ERESOLVE,
                   "cannot find host 'test.invalid': the name server does not "
                   "answer");
    fail_to_resolve(EAI_MEMORY, 0, 1);
    expect_refused(named_server(both), -ENOMEM,
                   "cannot find host 'test.invalid': out of memory");
    fail_to_resolve(EAI_SYSTEM, EMFILE, 1);
    expect_refused(named_server(both), -EMFILE,
                   "cannot find host 'test.invalid': out of descriptors in "
                   "this process");
    expect_refused(sks_tcp_server_new("", 0, unit_handler()), SKS_ERESOLVE,
                   "cannot find host '': no such host");
}

static void an_interrupted_search_is_made_again(void **state)
{
    sks_server *server = named_server(both);

    (void)state;
    fail_to_resolve(EAI_SYSTEM, EINTR, 3);
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(failures, 0);
    sks_server_free(server);
}

static void a_long_name_makes_a_sentence_all_the_same(void **state)
{
    char name[2000];
    sks_server *server;

    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    server = sks_tcp_server_new(name, 0, unit_handler());
    assert_int_equal(sks_server_bind(server), SKS_ERESOLVE);
    assert_int_equal(strncmp(sks_server_error(server), "cannot find host 'xx",
                             20),
                     0);
    sks_server_free(server);
}

/* --- options of the sockets --- */

static int option(const sks_server *server, size_t i, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    getsockopt(server->listeners[i].fd, level, name, &value, &len);
    return value;
}

static void sockets_have_the_options_that_were_set(void **state)
{
    sks_server *server = named_server(both);

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_true(option(server, 0, SOL_SOCKET, SO_REUSEADDR));
    assert_false(option(server, 0, SOL_SOCKET, SO_REUSEPORT));
    assert_true(option(server, 1, IPPROTO_IPV6, IPV6_V6ONLY));
    assert_true(option(server, 0, SOL_SOCKET, SO_ACCEPTCONN));
    sks_server_free(server);
    server = named_server(both);
    sks_server_set_reuse_address(server, 0);
    sks_server_set_reuse_port(server, 1);
    assert_int_equal(sks_server_bind(server), 0);
    assert_false(option(server, 0, SOL_SOCKET, SO_REUSEADDR));
    assert_true(option(server, 0, SOL_SOCKET, SO_REUSEPORT));
    sks_server_free(server);
}

static void sockets_of_packets_do_not_share_their_address(void **state)
{
    sks_server *server = sks_udp_server_new("127.0.0.1", 0, unit_handler());

    (void)state;
    assert_int_equal(sks_server_bind(server), 0);
    assert_false(option(server, 0, SOL_SOCKET, SO_REUSEADDR));
    assert_ptr_equal(server->listeners[0].transport, &sks__datagram_transport);
    assert_int_equal(sks_server_port(server), server->listeners[0].port);
    sks_server_free(server);
}

/* Replies of a socket with one address leave from there by themselves. */
static void only_sockets_of_every_address_are_told_destinations(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "0.0.0.0"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        sks_server *server = sks_udp_server_new(hosts[i], 0, unit_handler());

        assert_int_equal(sks_server_bind(server), 0);
        assert_int_equal(server->listeners[0].knows_destination, i);
        sks_server_free(server);
    }
}

static long limit_ms(const sks_server *server, int name)
{
    struct timeval limit = {-1, 0};
    socklen_t len = sizeof limit;

    getsockopt(server->listeners[0].fd, SOL_SOCKET, name, &limit, &len);
    return (long)limit.tv_sec * 1000 + (long)limit.tv_usec / 1000;
}

static sks_server *bound_with(int request_timeout_ms, int nodelay)
{
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());

    sks_server_set_request_timeout_ms(server, request_timeout_ms);
    sks_server_set_nodelay(server, nodelay);
    assert_int_equal(sks_server_bind(server), 0);
    return server;
}

/* That saves a system call or two for each of them. */
static void what_connections_inherit_is_set_on_the_listener(void **state)
{
    static const int timeouts[] = {61000, -1, 0};

    (void)state;
    if (!sks__fd_accept_inherits)
        skip();
    for (int nodelay = 0; nodelay < 2; nodelay++) {
        for (size_t i = 0; i < 3; i++) {
            sks_server *server = bound_with(timeouts[i], nodelay);

            assert_int_equal(!option(server, 0, IPPROTO_TCP, TCP_NODELAY),
                             !nodelay);
            if (timeouts[i] != 0)
                assert_int_equal(server->listeners[0].limit_ms, timeouts[i]);
            if (timeouts[i] > 0) {
                long all = timeouts[i] + SKS__FD_TICK_MS;

                assert_in_range(limit_ms(server, SO_RCVTIMEO), all, all + 2);
                assert_in_range(limit_ms(server, SO_SNDTIMEO), all, all + 2);
            }
            sks_server_free(server);
        }
    }
}

#ifndef SKS_PLAIN_POSIX

static void connections_are_kept_back_for_whole_seconds(void **state)
{
    static const int asked[] = {0, 1, 1000, 1001, 7000};
    static const int got[] = {0, 1, 1, 3, 7};

    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        sks_server *server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());

        sks_server_set_defer_accept_ms(server, asked[i]);
        assert_int_equal(sks_server_bind(server), 0);
        assert_int_equal(option(server, 0, IPPROTO_TCP, TCP_DEFER_ACCEPT),
                         got[i]);
        sks_server_free(server);
    }
}

/* Takes what is there, so that the client sees a clean end. */
static int end_at_once(sks_request *request)
{
    char byte;

    sks_request_set_linger_ms(request, 0);
    sks_request_set_timeout_ms(request, 0);
    sks_rfile_read1(sks_request_rfile(request), &byte, 1);
    return 0;
}

static void serve(sks_server *server, int client)
{
    char byte;

    assert_int_equal(sks_server_handle_request(server), 1);
    assert_int_equal(__real_recv(client, &byte, 1, 0), 0);
    close(client);
}

/* The second is served before the first, who gets its turn all the same. */
static void a_silent_connection_is_kept_back_for_a_while(void **state)
{
    const sks_handler handler = {.size = sizeof handler, .handle = end_at_once};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    int silent, speaking;

    (void)state;
    sks_server_set_defer_accept_ms(server, 1000);
    sks_server_set_timeout_ms(server, DEADLINE_MS);
    assert_int_equal(sks_server_bind(server), 0);
    silent = unit_client(server->listeners[0].fd);
    assert_false(deadline_poll(sks_server_fileno(server), POLLIN, 0));
    speaking = unit_client(server->listeners[0].fd);
    assert_int_equal(__real_send(speaking, "x", 1, 0), 1);
    serve(server, speaking);
    serve(server, silent);
    sks_server_free(server);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAME_TEST(each_address_of_a_name_is_bound_to_one_port),
        NAME_TEST(no_host_means_every_address_of_both_families),
        NAME_TEST(an_address_that_a_name_has_twice_is_bound_once),
        NAME_TEST(each_endpoint_has_a_port_of_its_own),
        NAME_TEST(other_families_are_not_for_us),
        NAME_TEST(there_is_an_end_to_addresses),
        NAME_TEST(a_port_that_is_taken_on_one_address_is_given_up_for_another),
        NAME_TEST(the_search_for_a_port_ends),
        NAME_TEST(a_port_that_was_asked_for_is_tried_once),
        NAME_TEST(a_port_lies_between_0_and_65535),
        NAME_TEST(without_one_family_the_other_serves),
        NAME_TEST(without_either_family_bind_says_so),
        NAME_TEST(any_other_fault_of_one_address_is_one_of_all),
        NAME_TEST(a_failed_bind_may_be_tried_again),
        NAME_TEST(a_name_that_is_not_found_is_told),
        NAME_TEST(an_interrupted_search_is_made_again),
        NAME_TEST(a_long_name_makes_a_sentence_all_the_same),
        NAME_TEST(sockets_have_the_options_that_were_set),
        NAME_TEST(sockets_of_packets_do_not_share_their_address),
        NAME_TEST(only_sockets_of_every_address_are_told_destinations),
        NAME_TEST(what_connections_inherit_is_set_on_the_listener),
#ifndef SKS_PLAIN_POSIX
        NAME_TEST(connections_are_kept_back_for_whole_seconds),
        NAME_TEST(a_silent_connection_is_kept_back_for_a_while),
#endif
    };

    return cmocka_run_group_tests_name("transport_inet", tests, NULL, NULL);
}
