#include "unit.h"

#include "request.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The lines of the log, each with its level before it. */
static char lines[2000];
static int told; /* to handle_error */

static void keep_line(void *arg, int level, const char *text)
{
    size_t n = strlen(lines);

    assert_ptr_equal(arg, lines);
    snprintf(lines + n, sizeof lines - n, "%d:%s\n", level, text);
}

static void keep_error(void *arg, const sks_request *request, int error)
{
    assert_ptr_equal(arg, &told);
    assert_non_null(request);
    told = error;
}

static sks_server *server_new(void)
{
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());

    assert_non_null(server);
    lines[0] = '\0';
    told = 0;
    return server;
}

/* A request that came from 127.0.0.1:7. */
static sks_request *request_new(sks_server *server)
{
    sks_request *r = sks__request_new(server, NULL);

    assert_non_null(r);
    sks__request_peer(r)->len = sizeof sks__request_peer(r)->of.in;
    sks__request_peer(r)->of.in.sin_family = AF_INET;
    sks__request_peer(r)->of.in.sin_port = htons(7);
    sks__request_peer(r)->of.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return r;
}

static void a_line_goes_where_it_was_told_to(void **state)
{
    sks_server *server = server_new();

    (void)state;
    sks_server_set_log(server, keep_line, lines);
    sks_server_log(server, SKS_ERROR, "%s %d", "one", 1);
    sks_server_log(server, SKS_DEBUG, "two");
    assert_string_equal(lines, "0:one 1\n3:two\n");
    sks_server_free(server);
}

static void a_line_is_cut_at_511_bytes(void **state)
{
    sks_server *server = server_new();

    (void)state;
    sks_server_set_log(server, keep_line, lines);
    sks_server_log(server, SKS_INFO, "%0600d", 7);
    assert_int_equal(strlen(lines), 2 + 511 + 1);
    sks_server_free(server);
}

/* Puts a pipe in the place of standard error, or standard error back. */
static int divert(int ends[2])
{
    int kept = dup(STDERR_FILENO);

    assert_return_code(__real_pipe(ends), errno);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    return kept;
}

static void revert(int kept, int ends[2])
{
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
}

static void without_a_hook_warnings_and_worse_go_to_standard_error(void **state)
{
    static const char wanted[] = "sockserver: an error 1\n"
                                 "sockserver: a warning\n";
    sks_server *server = server_new();
    char came[200] = "";
    int ends[2], kept = divert(ends);

    (void)state;
    fault_interrupt(2);
    fault_set(FAULT_SEND, 0, 0, 0);
    sks_server_log(server, SKS_ERROR, "an error %d", 1);
    sks_server_log(server, SKS_WARNING, "a warning");
    sks_server_log(server, SKS_INFO, "no news");
    sks_server_log(server, SKS_DEBUG, "nothing");
    fault_interrupt(0);
    assert_int_equal(__real_read(ends[0], came, sizeof came - 1),
                     sizeof wanted - 1);
    revert(kept, ends);
    assert_string_equal(came, wanted);
    sks_server_free(server);
}

/* So that lines of several processes do not mix. */
static void a_line_is_written_in_one_piece(void **state)
{
    sks_server *server = server_new();
    char came[1000], packet[] = "sockserver: 0000";
    int kept = dup(STDERR_FILENO), ends[2];

    (void)state;
    unit_pair(SOCK_DGRAM, ends);
    dup2(ends[1], STDERR_FILENO);
    sks_server_log(server, SKS_ERROR, "%0600d", 7);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(__real_recv(ends[0], came, sizeof came, MSG_DONTWAIT),
                     12 + 511 + 1);
    assert_memory_equal(came, packet, sizeof packet - 1);
    assert_int_equal(came[12 + 511], '\n');
    close(ends[0]);
    close(ends[1]);
    sks_server_free(server);
}

static void nobody_dies_of_a_log_that_nobody_reads(void **state)
{
    sks_server *server = server_new();
    int ends[2], kept = divert(ends);

    (void)state;
    unit_count_pipes();
    close(ends[0]);
    sks_server_log(server, SKS_ERROR, "an error");
    ends[0] = dup(kept);
    revert(kept, ends);
    assert_int_equal(unit_pipes(), 0);
    unit_forget_pipes();
    sks_server_free(server);
}

/* --- errors of requests --- */

static void an_error_is_told_to_the_hook_alone(void **state)
{
    sks_server *server = server_new();
    sks_request *r = request_new(server);

    (void)state;
    sks_server_set_log(server, keep_line, lines);
    sks_server_set_handle_error(server, keep_error, &told);
    sks__server_handle_error(server, r, -EINVAL);
    assert_int_equal(told, -EINVAL);
    assert_string_equal(lines, "");
    sks__request_free(r);
    sks_server_free(server);
}

static void without_a_hook_an_error_is_logged(void **state)
{
    sks_server *server = server_new();
    sks_request *r = request_new(server);

    (void)state;
    sks_server_set_log(server, keep_line, lines);
    sks__server_handle_error(server, r, SKS_ECRASHED);
    assert_string_equal(lines, "0:request from 127.0.0.1:7 failed: the process "
                               "that ran the request died (-4007)\n");
    sks__request_free(r);
    sks_server_free(server);
}

static void a_peer_that_went_away_is_no_error(void **state)
{
    static const int gone[] = {SKS_ECLOSED, -EPIPE, -ECONNRESET};

    (void)state;
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        sks_server *server = server_new();
        sks_request *r = request_new(server);

        sks_server_set_log(server, keep_line, lines);
        sks_server_set_handle_error(server, keep_error, &told);
        sks__server_handle_error(server, r, gone[i]);
        assert_int_equal(told, 0);
        assert_string_equal(lines, "3:127.0.0.1:7 went away\n");
        sks__request_free(r);
        sks_server_free(server);
    }
}

/* Of a connection of the handler's own, to some other server. */
static void another_peer_that_is_not_there_is_an_error(void **state)
{
    static const int errors[] = {-ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH,
                                 -ENETUNREACH, SKS_ETIMEDOUT};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        sks_server *server = server_new();
        sks_request *r = request_new(server);

        sks_server_set_handle_error(server, keep_error, &told);
        sks__server_handle_error(server, r, errors[i]);
        assert_int_equal(told, errors[i]);
        sks__request_free(r);
        sks_server_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_line_goes_where_it_was_told_to),
        UNIT_TEST(a_line_is_cut_at_511_bytes),
        UNIT_TEST(without_a_hook_warnings_and_worse_go_to_standard_error),
        UNIT_TEST(a_line_is_written_in_one_piece),
        UNIT_TEST(nobody_dies_of_a_log_that_nobody_reads),
        UNIT_TEST(an_error_is_told_to_the_hook_alone),
        UNIT_TEST(without_a_hook_an_error_is_logged),
        UNIT_TEST(a_peer_that_went_away_is_no_error),
        UNIT_TEST(another_peer_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
