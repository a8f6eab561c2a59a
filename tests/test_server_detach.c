/* What a forked child has of its parent's server: lib/server_detach.c.  What it
 * lets go of, the contract sees. */
#include "unit.h"

#include "request.h"
#include "server.h"

#include <sockserver/strategy.h>

#include <sys/socket.h>
#include <unistd.h>

/* Where the room for its input begins and ends. */
static char *room_of(sks_server *server)
{
    return (char *)server + SKS__SERVER_SIZE - SKS__CHILDS_START;
}

static char *end_of(sks_server *server)
{
    return (char *)server + SKS__SERVER_SIZE + SKS__CHILDS_ROOM;
}

/* A request with a buffer of n bytes, whose connection's other end is
 * fds[1]. */
static sks_request *request_with(size_t n, int fds[2])
{
    sks_server *server = unit_server();
    sks_request *r;

    sks_server_set_rbufsize(server, n);
    assert_int_equal(sks_server_bind(server), 0);
    unit_pair(SOCK_STREAM, fds);
    r = sks__request_new(server, &server->listeners[0]);
    sks__stream_init(&r->stream, &sks__socket_layer, fds[0],
                     sks__request_waiter(r), 1, -1);
    sks__rfile_open(&r->rfile, &r->stream, &r->wfile, n);
    sks__wfile_open(&r->wfile, &r->stream, 0);
    sks__server_list(server, &r, 1);
    return r;
}

static void end(sks_request *r, const int fds[2])
{
    sks_server *server = r->server;

    sks_request_close(r);
    sks_server_free(server);
    close(fds[1]);
}

/* --- */

static int read_all_of_the_room(void *arg)
{
    sks_request *r = arg;
    size_t n = r->rfile.bufsize;
    const void *data;

    sks_server_detach(r->server, r);
    if (sks_rfile_peek(&r->rfile, n, &data) != (ssize_t)n)
        return 1;
    if (data != room_of(r->server))
        return 2;
    return (char *)data + n == end_of(r->server) ? 0 : 3;
}

static void what_a_child_reads_begins_on_the_servers_page(void **state)
{
    static char bytes[SKS__CHILDS_START + SKS__CHILDS_ROOM];
    int fds[2];
    sks_request *r;

    (void)state;
    r = request_with(sizeof bytes, fds);
    assert_int_equal(send(fds[1], bytes, sizeof bytes, 0),
                     (ssize_t)sizeof bytes);
    assert_int_equal(unit_fork(read_all_of_the_room, r), 0);
    end(r, fds);
}

static int detach_and_look(void *arg)
{
    sks_request *r = arg;

    sks_server_detach(r->server, r);
    return r->rfile.buffer.data == NULL ? 0 : 1;
}

static void a_buffer_that_does_not_fit_is_allocated(void **state)
{
    int fds[2];
    sks_request *r;

    (void)state;
    r = request_with(SKS__CHILDS_START + SKS__CHILDS_ROOM + 1, fds);
    assert_int_equal(unit_fork(detach_and_look, r), 0);
    end(r, fds);
}

static int detach_and_read(void *arg)
{
    sks_request *r = arg;
    char bytes[3];

    sks_server_detach(r->server, r);
    unit_fill(bytes, sizeof bytes, 0);
    return sks_rfile_read(&r->rfile, bytes, 3) == 3 && bytes[2] == 'c' ? 0 : 1;
}

static void what_the_parent_has_read_already_stays(void **state)
{
    const void *data;
    int fds[2];
    sks_request *r;

    (void)state;
    r = request_with(512, fds);
    assert_int_equal(send(fds[1], "abc", 3, 0), 3);
    assert_int_equal(sks_rfile_peek(&r->rfile, 3, &data), 3);
    assert_int_equal(unit_fork(detach_and_read, r), 0);
    end(r, fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(what_a_child_reads_begins_on_the_servers_page),
        UNIT_TEST(a_buffer_that_does_not_fit_is_allocated),
        UNIT_TEST(what_the_parent_has_read_already_stays),
    };

    return cmocka_run_group_tests_name("server_detach", tests, NULL, NULL);
}
