#include "unit.h"

#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

/* --- modes and options --- */

static void closing_nothing_is_allowed(void **state)
{
    (void)state;
    sks__fd_close(-1);
}

static void the_mode_changes_and_other_flags_stay(void **state)
{
    int fd = unit_file(0);

    (void)state;
    fcntl(fd, F_SETFL, O_APPEND);
    assert_int_equal(sks__fd_set_mode(fd, SKS__FD_NONBLOCKING), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFL) & O_APPEND);
    assert_int_equal(sks__fd_set_mode(fd, SKS__FD_NONBLOCKING), 0);
    assert_int_equal(sks__fd_set_mode(fd, SKS__FD_BLOCKING), 0);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFL) & O_APPEND);
    close(fd);
}

static void what_is_not_open_is_told(void **state)
{
    struct iovec iov = {(void *)"x", 1};
    char byte;

    (void)state;
    assert_int_equal(sks__fd_set_mode(-1, SKS__FD_BLOCKING), -EBADF);
    assert_int_equal(sks__fd_set_cloexec(-1), -EBADF);
    assert_int_equal(sks__fd_set_option(-1, SOL_SOCKET, SO_REUSEADDR, 1),
                     -EBADF);
    assert_int_equal(sks__fd_set_time_limit(-1, SO_RCVTIMEO, 1), -EBADF);
    assert_int_equal(sks__fd_send(-1, &iov, 1, 0), -EBADF);
    assert_int_equal(sks__fd_pread(-1, &byte, 1, 0), -EBADF);
    assert_int_equal(sks__fd_read_all(-1, &byte, 1), -EBADF);
    assert_int_equal(sks__fd_write_all(-1, &byte, 1), -EBADF);
    assert_int_equal(sks__fd_accept(-1, NULL, NULL, SKS__FD_BLOCKING), -EBADF);
}

static void close_on_exec_is_set(void **state)
{
    int fd = dup(0);

    (void)state;
    assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(sks__fd_set_cloexec(fd), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static struct timeval time_limit(int fd, int name)
{
    struct timeval limit = {-1, -1};
    socklen_t len = sizeof limit;

    getsockopt(fd, SOL_SOCKET, name, &limit, &len);
    return limit;
}

static void time_limits_are_set_for_each_direction(void **state)
{
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__fd_set_time_limit(fds[0], SO_RCVTIMEO, 61500), 0);
    assert_int_equal(time_limit(fds[0], SO_RCVTIMEO).tv_sec, 61);
    assert_in_range(time_limit(fds[0], SO_RCVTIMEO).tv_usec,
                    500000 + SKS__FD_TICK_MS * 1000, 520000);
    assert_int_equal(time_limit(fds[0], SO_SNDTIMEO).tv_sec, 0);
    assert_int_equal(time_limit(fds[0], SO_SNDTIMEO).tv_usec, 0);
    assert_int_equal(sks__fd_set_time_limit(fds[0], SO_RCVTIMEO, -1), 0);
    assert_int_equal(time_limit(fds[0], SO_RCVTIMEO).tv_sec, 0);
    assert_int_equal(time_limit(fds[0], SO_RCVTIMEO).tv_usec, 0);
    close(fds[0]);
    close(fds[1]);
}

/* To the system 0 would mean: for ever. */
static void no_time_at_all_is_a_short_time_limit(void **state)
{
    int fds[2];
    char byte;

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__fd_set_time_limit(fds[0], SO_RCVTIMEO, 0), 0);
    assert_int_equal(time_limit(fds[0], SO_RCVTIMEO).tv_sec, 0);
    assert_true(time_limit(fds[0], SO_RCVTIMEO).tv_usec > 0);
    assert_int_equal(__real_recv(fds[0], &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    close(fds[0]);
    close(fds[1]);
}

/* --- waiting --- */

static void a_wait_goes_on_when_interrupted(void **state)
{
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    fault_set(FAULT_POLL, 0, 3, EINTR);
    assert_int_equal(sks__fd_wait(fds[0], POLLOUT, DEADLINE_MS), 1);
    assert_int_equal(fault_calls(FAULT_POLL), 4);
    close(fds[0]);
    close(fds[1]);
}

static void a_wait_that_cannot_be_says_why(void **state)
{
    (void)state;
    fault_set(FAULT_POLL, 0, 1, EINVAL);
    assert_int_equal(sks__fd_wait(0, POLLIN, -1), -EINVAL);
}

static void a_wait_ends_in_time(void **state)
{
    long long before = deadline_now_ms();

    (void)state;
    assert_int_equal(sks__fd_wait(-1, 0, 0), 0);
    assert_int_equal(sks__fd_wait(-1, 0, 20), 0);
    assert_true(deadline_now_ms() - before >= 20);
}

static void several_descriptors_are_waited_for(void **state)
{
    struct pollfd p[2];
    int a[2], b[2];

    (void)state;
    unit_pair(SOCK_STREAM, a);
    unit_pair(SOCK_STREAM, b);
    __real_send(b[1], "x", 1, 0);
    p[0] = (struct pollfd){.fd = a[0], .events = POLLIN};
    p[1] = (struct pollfd){.fd = b[0], .events = POLLIN};
    assert_int_equal(sks__fd_poll(p, 2, SKS__NEVER), 1);
    assert_int_equal(p[0].revents, 0);
    assert_int_equal(p[1].revents, POLLIN);
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
}

static void *wait_a_while(void *arg)
{
    const int *done = arg;

    sks__fd_wait(-1, 0, 100);
    __real_write(done[1], "", 1);
    return NULL;
}

/* If each interruption began the wait anew, it would never end. */
static void interruptions_do_not_make_a_wait_longer(void **state)
{
    pthread_t waiting;
    int done[2];

    (void)state;
    assert_return_code(__real_pipe(done), errno);
    assert_int_equal(__real_pthread_create(&waiting, NULL, wait_a_while, done),
                     0);
    fault_alarms();
    assert_true(deadline_poll(done[0], POLLIN, DEADLINE_MS));
    pthread_join(waiting, NULL);
    assert_true(fault_alarms_seen() > 0);
    close(done[0]);
    close(done[1]);
}

/* --- new descriptors --- */

static int has(int fd, int nonblocking)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) &&
           !(fcntl(fd, F_GETFL) & O_NONBLOCK) == !nonblocking;
}

static void
new_sockets_and_pipes_do_not_block_and_are_not_inherited(void **state)
{
    int fd = sks__fd_socket(AF_UNIX, SOCK_STREAM), ends[2];

    (void)state;
    assert_true(fd >= 0 && has(fd, 1));
    assert_int_equal(sks__fd_pipe(ends), 0);
    assert_true(has(ends[0], 1) && has(ends[1], 1));
    close(fd);
    close(ends[0]);
    close(ends[1]);
    fault_set(FAULT_SOCKET, 0, 1, EMFILE);
    assert_int_equal(sks__fd_socket(AF_UNIX, SOCK_STREAM), -EMFILE);
    fault_set(FAULT_WAKEUP, 0, 1, ENFILE);
    assert_int_equal(sks__fd_pipe(ends), -ENFILE);
}

/* A listening socket without a name in the file system. */
static int listening(struct sockaddr_in *in)
{
    socklen_t len = sizeof *in;
    int fd = __real_socket(AF_INET, SOCK_STREAM, 0);

    *in = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_return_code(__real_bind(fd, (struct sockaddr *)in, len), errno);
    assert_return_code(__real_listen(fd, 5), errno);
    getsockname(fd, (struct sockaddr *)in, &len);
    return fd;
}

static void accept_in(enum sks__fd_mode mode)
{
    struct sockaddr_in in, peer, mine;
    socklen_t len = sizeof peer, mine_len = sizeof mine;
    int fd = listening(&in), client = __real_socket(AF_INET, SOCK_STREAM, 0);
    int got;

    assert_return_code(connect(client, (struct sockaddr *)&in, sizeof in),
                       errno);
    fault_set(FAULT_ACCEPT, 0, 2, EINTR);
    got = sks__fd_accept(fd, (struct sockaddr *)&peer, &len, mode);
    assert_true(got >= 0 && has(got, mode == SKS__FD_NONBLOCKING));
    assert_int_equal(fault_calls(FAULT_ACCEPT), 3);
    getsockname(client, (struct sockaddr *)&mine, &mine_len);
    assert_int_equal(peer.sin_port, mine.sin_port);
    close(got);
    close(client);
    close(fd);
}

static void an_accepted_connection_has_the_mode_asked_for(void **state)
{
    (void)state;
    accept_in(SKS__FD_BLOCKING);
    accept_in(SKS__FD_NONBLOCKING);
}

static void a_failed_accept_says_why(void **state)
{
    struct sockaddr_in in;
    int fd = listening(&in);

    (void)state;
    fault_set(FAULT_ACCEPT, 0, 1, EMFILE);
    assert_int_equal(sks__fd_accept(fd, NULL, NULL, SKS__FD_BLOCKING), -EMFILE);
    sks__fd_set_mode(fd, SKS__FD_NONBLOCKING);
    assert_int_equal(sks__fd_accept(fd, NULL, NULL, SKS__FD_BLOCKING), -EAGAIN);
    close(fd);
}

#ifdef SKS_PLAIN_POSIX

static void what_posix_lacks_is_not_pretended(void **state)
{
    struct sks__fd_tunnel t;
    int fd = 0;

    (void)state;
    assert_false(sks__fd_has_time_limits);
    assert_false(sks__fd_accept_inherits);
    assert_int_equal(sks__fd_tunnel_open(&t), -ENOTSUP);
    assert_int_equal(sks__fd_tunnel_fill(&t, 0, 1), -EINVAL);
    assert_int_equal(sks__fd_tunnel_drain(&t, 0, 1), -EINVAL);
    assert_int_equal(sks__fd_gather(&fd, 1), -ENOTSUP);
    assert_int_equal(sks__fd_defer_accept(0, 1), -ENOTSUP);
}

#else

static void accepted_sockets_inherit_as_was_said(void **state)
{
    struct sockaddr_in in;
    int fd = listening(&in), client = __real_socket(AF_INET, SOCK_STREAM, 0);
    int got;

    (void)state;
    assert_true(sks__fd_accept_inherits && sks__fd_has_time_limits);
    sks__fd_set_time_limit(fd, SO_RCVTIMEO, 61000);
    connect(client, (struct sockaddr *)&in, sizeof in);
    got = sks__fd_accept(fd, NULL, NULL, SKS__FD_BLOCKING);
    assert_int_equal(time_limit(got, SO_RCVTIMEO).tv_sec, 61);
    close(got);
    close(client);
    close(fd);
}

/* --- what a socket holds --- */

/* A client's connection, and the server's. */
static void connect_tcp(int fds[2])
{
    struct sockaddr_in in;
    int fd = listening(&in);

    fds[0] = __real_socket(AF_INET, SOCK_STREAM, 0);
    connect(fds[0], (struct sockaddr *)&in, sizeof in);
    fds[1] = sks__fd_accept(fd, NULL, NULL, SKS__FD_NONBLOCKING);
    close(fd);
}

static void unread_input_is_held(void **state)
{
    int fds[2];
    char byte;

    (void)state;
    connect_tcp(fds);
    assert_false(sks__fd_holds_bytes(fds[1]));
    send(fds[0], "x", 1, 0);
    deadline_poll(fds[1], POLLIN, DEADLINE_MS);
    assert_true(sks__fd_holds_bytes(fds[1]));
    assert_int_equal(recv(fds[1], &byte, 1, 0), 1);
    assert_false(sks__fd_holds_bytes(fds[1]));
    close(fds[0]);
    close(fds[1]);
}

static void unsent_output_is_held(void **state)
{
    static char bytes[65536];
    int fds[2];

    (void)state;
    connect_tcp(fds);
    while (send(fds[1], bytes, sizeof bytes, 0) > 0)
        continue;
    assert_true(sks__fd_holds_bytes(fds[1]));
    close(fds[0]);
    close(fds[1]);
}

static void what_is_no_socket_may_hold_anything(void **state)
{
    int fd = unit_file(0);

    (void)state;
    assert_true(sks__fd_holds_bytes(fd));
    close(fd);
}

/* --- gathering --- */

static void a_gathering_is_readable_while_one_of_its_own_is(void **state)
{
    int a[2], b[2], all;
    char byte;

    (void)state;
    unit_pair(SOCK_STREAM, a);
    unit_pair(SOCK_STREAM, b);
    all = sks__fd_gather((int[]){a[0], b[0]}, 2);
    assert_true(all >= 0 && (fcntl(all, F_GETFD) & FD_CLOEXEC));
    assert_false(deadline_poll(all, POLLIN, 0));
    __real_send(b[1], "x", 1, 0);
    assert_true(deadline_poll(all, POLLIN, 0));
    assert_true(deadline_poll(all, POLLIN, 0));
    __real_recv(b[0], &byte, 1, 0);
    assert_false(deadline_poll(all, POLLIN, 0));
    __real_send(a[1], "x", 1, 0);
    assert_true(deadline_poll(all, POLLIN, 0));
    close(all);
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
}

static void a_failed_gathering_leaves_nothing_open(void **state)
{
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    fault_set(FAULT_EPOLL, 0, 1, EMFILE);
    assert_int_equal(sks__fd_gather(fds, 2), -EMFILE);
    fault_set(FAULT_EPOLL, 2, 1, ENOSPC);
    assert_int_equal(sks__fd_gather(fds, 2), -ENOSPC);
    close(fds[0]);
    close(fds[1]);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(closing_nothing_is_allowed),
        UNIT_TEST(the_mode_changes_and_other_flags_stay),
        UNIT_TEST(what_is_not_open_is_told),
        UNIT_TEST(close_on_exec_is_set),
        UNIT_TEST(time_limits_are_set_for_each_direction),
        UNIT_TEST(no_time_at_all_is_a_short_time_limit),
        UNIT_TEST(a_wait_goes_on_when_interrupted),
        UNIT_TEST(a_wait_that_cannot_be_says_why),
        UNIT_TEST(a_wait_ends_in_time),
        UNIT_TEST(several_descriptors_are_waited_for),
        UNIT_TEST(interruptions_do_not_make_a_wait_longer),
        UNIT_TEST(new_sockets_and_pipes_do_not_block_and_are_not_inherited),
        UNIT_TEST(an_accepted_connection_has_the_mode_asked_for),
        UNIT_TEST(a_failed_accept_says_why),
#ifdef SKS_PLAIN_POSIX
        UNIT_TEST(what_posix_lacks_is_not_pretended),
#else
        UNIT_TEST(accepted_sockets_inherit_as_was_said),
        UNIT_TEST(unread_input_is_held),
        UNIT_TEST(unsent_output_is_held),
        UNIT_TEST(what_is_no_socket_may_hold_anything),
        UNIT_TEST(a_gathering_is_readable_while_one_of_its_own_is),
        UNIT_TEST(a_failed_gathering_leaves_nothing_open),
#endif
    };

    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
