/* Datagram servers. */
#include "contract.h"
#include "support/real.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void make(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
}

/* --- what a handler sees of a packet --- */

/* Answers with the packet by both ways to look at it. */
static int both_ways_handle(sks_request *request)
{
    size_t n = 0;
    const char *packet = sks_request_packet(request, &n);
    char buf[64], rest[8];
    ssize_t got = sks_rfile_read(sks_request_rfile(request), buf, sizeof buf);
    ssize_t end = sks_rfile_read(sks_request_rfile(request), rest, sizeof rest);

    return sks_wfile_printf(sks_request_wfile(request),
                            "%zu:%.*s %zd:%.*s %zd %d", n, (int)n, packet, got,
                            got > 0 ? (int)got : 0, buf, end,
                            sks_request_packet_truncated(request));
}

static void rfile_reads_the_packet_and_then_end_of_file(struct contract *c)
{
    int fd = contract_serve_one(c, both_ways_handle, "hello");

    client_expect(fd, "5:hello 5:hello 0 0");
    client_say(fd, "you");
    client_expect(fd, "3:you 3:you 0 0");
}

static void an_empty_packet_is_a_request(struct contract *c)
{
    int fd;

    contract_serve(c, both_ways_handle);
    fd = contract_connect(c);
    client_send(fd, "", 0);
    client_expect(fd, "0: 0: 0 0");
}

static int null_length_handle(sks_request *request)
{
    return sks_wfile_write(sks_request_wfile(request),
                           sks_request_packet(request, NULL), 2);
}

static void the_packets_length_need_not_be_asked(struct contract *c)
{
    int fd = contract_serve_one(c, null_length_handle, "abc");

    client_expect(fd, "ab");
}

static int all_reads_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    const void *data = "";
    char line[16] = "";
    ssize_t length = sks_rfile_readline(rfile, line, sizeof line);
    int skipped = (int)sks_rfile_skip(rfile, 2);
    ssize_t peeked = sks_rfile_peek(rfile, 9, &data);

    return sks_wfile_printf(sks_request_wfile(request), "%zd:%s%d %zd:%.*s",
                            length, line, skipped, peeked, (int)peeked,
                            (const char *)data);
}

static void every_way_to_read_works_on_a_packet(struct contract *c)
{
    int fd = contract_serve_one(c, all_reads_handle, "line\nxxrest");

    client_expect(fd, "5:line\n2 4:rest");
}

static void packets_of_any_size_come_back(struct contract *c)
{
    static char packet[65536], came[65536];
    size_t sizes[] = {1, 1500, 8191, 8192, 8193, 40000, 65000};
    unsigned seed = (unsigned)time(NULL);
    int fd;

    print_message("seed %u\n", seed);
    srand(seed);
    for (size_t i = 0; i < sizeof packet; i++)
        packet[i] = (char)rand();
    contract_serve(c, contract_echo_handle);
    fd = contract_connect(c);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        client_send(fd, packet, sizes[i]);
        assert_int_equal(client_receive_some(fd, came, sizeof came), sizes[i]);
        assert_memory_equal(came, packet, sizes[i]);
    }
}

/* --- truncation --- */

static int truncated_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    char buf[64];
    size_t n;
    ssize_t got, end;

    sks_request_packet(request, &n);
    got = sks_rfile_read(rfile, buf, sizeof buf);
    end = sks_rfile_read(rfile, buf, sizeof buf);
    return sks_wfile_printf(sks_request_wfile(request), "%d %zu %zd %zd",
                            sks_request_packet_truncated(request), n, got, end);
}

static void a_packet_that_is_too_long_is_told(struct contract *c)
{
    char expected[64];
    int fd;

    make(c, truncated_handle);
    sks_server_set_max_packet_size(c->server, 16);
    contract_start(c);
    fd = contract_connect(c);
    client_say(fd, "0123456789abcdefg");
    snprintf(expected, sizeof expected, "1 16 16 %d", SKS_ETOOLONG);
    client_expect(fd, expected);
    client_say(fd, "0123456789abcdef");
    client_expect(fd, "0 16 16 0");
}

/* --- replies --- */

static int parts_handle(sks_request *request)
{
    sks_wfile *wfile = sks_request_wfile(request);

    sks_wfile_puts(wfile, "one");
    sks_wfile_flush(wfile);
    sks_wfile_write(wfile, ",two,", 5);
    return sks_wfile_printf(wfile, "%d", 3);
}

static void a_reply_in_parts_leaves_as_one_packet(struct contract *c)
{
    int fd = contract_serve_one(c, parts_handle, "x");

    client_expect(fd, "one,two,3");
    contract_close(c);
    client_expect_silence(fd);
}

static int quiet_handle(sks_request *request)
{
    char line[16] = "";

    sks_rfile_readline(sks_request_rfile(request), line, sizeof line);
    return strcmp(line, "quiet") == 0
               ? 0
               : sks_wfile_puts(sks_request_wfile(request), line);
}

static void nothing_is_sent_when_nothing_was_written(struct contract *c)
{
    int fd = contract_serve_one(c, quiet_handle, "quiet");

    client_say(fd, "aloud");
    client_expect(fd, "aloud");
    contract_close(c);
    client_expect_silence(fd);
}

static int failing_reply_handle(sks_request *request)
{
    trace_put(&contract_of(request)->trace, "handle");
    return -EIO;
}

static void a_handler_that_fails_sends_nothing_by_itself(struct contract *c)
{
    int fd = contract_serve_one(c, failing_reply_handle, "x");

    trace_expect(&c->trace, "handle ");
    contract_close(c);
    client_expect_silence(fd);
}

static char much[1 << 16];

/* The most that any kind of datagram carries is less than 16 MiB. */
static int too_long_handle(sks_request *request)
{
    sks_wfile *wfile = sks_request_wfile(request);
    int rc = 0;

    for (int i = 0; rc == 0 && i < 256; i++)
        rc = sks_wfile_write(wfile, much, sizeof much);
    trace_put(&contract_of(request)->trace, "%d", rc);
    trace_put(&contract_of(request)->trace, "%d",
              sks_wfile_puts(wfile, "x") == rc);
    return 0;
}

static void a_reply_that_is_too_long_is_told(struct contract *c)
{
    char expected[32];

    contract_serve_one(c, too_long_handle, "x");
    snprintf(expected, sizeof expected, "%d 1 ", SKS_ETOOLONG);
    trace_expect(&c->trace, expected);
}

static int file_of_case;

static int file_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    off_t n = sks_rfile_recvfile(rfile, file_of_case, -1);

    return n < 0 ? (int)n
                 : sks_wfile_sendfile(sks_request_wfile(request), file_of_case,
                                      0, n);
}

static void files_can_be_received_and_sent(struct contract *c)
{
    int fd;

    file_of_case = contract_file(c, 0);
    fd = contract_serve_one(c, file_handle, "through a file");
    client_expect(fd, "through a file");
    contract_close(c);
    close(file_of_case);
}

static void the_server_goes_on_when_a_client_has_left(struct contract *c)
{
    contract_serve(c, contract_gate_handle);
    for (int i = 0; i < 3; i++) {
        int fd = contract_connect(c);

        client_say(fd, "x");
        trace_expect(&c->trace, "enter ");
        client_close(fd);
        trace_let(&c->trace, 1);
        trace_expect(&c->trace, "leave ");
    }
    contract_close(c);
}

/* --- the address that a reply leaves from --- */

/* Serves every address of the machine by a constructor of its own. */
static void serve_everywhere(struct contract *c, const char *host)
{
    sks_handler handler = contract_handler(contract_lines_handle);

    c->server = sks_udp_server_new(host, 0, &handler);
    assert_non_null(c->server);
    contract_set_up(c);
    contract_start(c);
}

/* A connected client takes packets from that address alone. */
static int client_of(struct contract *c, const char *host)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_port = htons((uint16_t)c->port);
    inet_pton(AF_INET, host, &address.sin_addr);
    return client_connect(SOCK_DGRAM, (struct sockaddr *)&address,
                          sizeof address);
}

static void expect_reply_from(struct contract *c, const char *host)
{
    int fd = client_of(c, host);

    client_say(fd, "hello\n");
    client_expect(fd, "hello\n");
    client_close(fd);
}

/* Packets that wait together may be taken, and answered, in one go. */
static void each_of_many_replies_leaves_from_its_address(struct contract *c)
{
    static const char *const hosts[] = {"127.0.0.2", "127.0.0.1", "127.1.2.3",
                                        "127.9.9.9"};
    int fds[40];

    serve_everywhere(c, "0.0.0.0");
    contract_stop(c);
    for (int i = 0; i < 40; i++) {
        fds[i] = client_of(c, hosts[i % 4]);
        client_say(fds[i], "hello\n");
    }
    contract_start(c);
    for (int i = 0; i < 40; i++) {
        client_expect(fds[i], "hello\n");
        client_close(fds[i]);
    }
}

static void a_reply_leaves_from_the_address_that_was_asked(struct contract *c)
{
    serve_everywhere(c, "0.0.0.0");
    expect_reply_from(c, "127.0.0.2");
    expect_reply_from(c, "127.0.0.1");
    expect_reply_from(c, "127.1.2.3");
}

static void so_it_does_when_both_families_are_served(struct contract *c)
{
    serve_everywhere(c, NULL);
    expect_reply_from(c, "127.0.0.2");
    expect_reply_from(c, "127.0.0.1");
}

static void
an_adopted_socket_answers_from_the_address_that_was_asked(struct contract *c)
{
    sks_handler handler = contract_handler(contract_lines_handle);
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = __real_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_return_code(__real_bind(fd, (struct sockaddr *)&any, sizeof any),
                       errno);
    c->server = sks_fd_server_new(fd, &handler);
    contract_set_up(c);
    contract_start(c);
    expect_reply_from(c, "127.0.0.2");
}

static const struct contract_case datagram[] = {
    CONTRACT_CASE(rfile_reads_the_packet_and_then_end_of_file),
    CONTRACT_CASE(an_empty_packet_is_a_request),
    CONTRACT_CASE(the_packets_length_need_not_be_asked),
    CONTRACT_CASE(every_way_to_read_works_on_a_packet),
    CONTRACT_CASE(packets_of_any_size_come_back),
    CONTRACT_CASE(a_packet_that_is_too_long_is_told),
    CONTRACT_CASE(a_reply_in_parts_leaves_as_one_packet),
    CONTRACT_CASE(nothing_is_sent_when_nothing_was_written),
    CONTRACT_CASE(a_handler_that_fails_sends_nothing_by_itself),
    CONTRACT_CASE(a_reply_that_is_too_long_is_told),
    CONTRACT_CASE(files_can_be_received_and_sent),
    CONTRACT_CASE(the_server_goes_on_when_a_client_has_left),
};

static const struct contract_case udp4[] = {
    CONTRACT_CASE(a_reply_leaves_from_the_address_that_was_asked),
    CONTRACT_CASE(so_it_does_when_both_families_are_served),
    CONTRACT_CASE(each_of_many_replies_leaves_from_its_address),
};

static const struct contract_case adopted[] = {
    CONTRACT_CASE(an_adopted_socket_answers_from_the_address_that_was_asked),
};

const struct contract_list contract_datagrams[] = {
    CONTRACT_LIST(CONTRACT_DATAGRAM, datagram),
    CONTRACT_LIST(CONTRACT_UDP | CONTRACT_IPV4 | CONTRACT_BINDS, udp4),
    CONTRACT_LIST(CONTRACT_UDP | CONTRACT_ADOPTED, adopted),
    {0},
};
