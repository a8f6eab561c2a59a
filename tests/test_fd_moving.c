/* What lib/fd*.c has for moving bytes, and SIGPIPE. */
#include "unit.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>

static void gathered_bytes_are_sent_in_order(void **state)
{
    struct iovec iov[3] = {{(void *)"one ", 4},
                           {(void *)"", 0},
                           {(void *)"two", 3}};
    char came[8] = "";
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__fd_send(fds[0], iov, 3, 0), 7);
    assert_int_equal(sks__fd_send(fds[0], iov, 1, 0), 4);
    assert_int_equal(__real_read(fds[1], came, 7), 7);
    assert_string_equal(came, "one two");
    close(fds[0]);
    close(fds[1]);
}

static void sending_to_a_closed_peer_raises_no_signal(void **state)
{
    struct iovec iov[2] = {{(void *)"x", 1}, {(void *)"y", 1}};
    int file = unit_file(10), fds[2];

    (void)state;
    unit_count_pipes();
    unit_pair(SOCK_STREAM, fds);
    close(fds[1]);
    assert_int_equal(sks__fd_send(fds[0], iov, 1, 0), -EPIPE);
    assert_int_equal(sks__fd_send(fds[0], iov, 2, 0), -EPIPE);
    assert_int_equal(sks__fd_copy_out(fds[0], file, 0, 10), -EPIPE);
    assert_int_equal(sks__fd_sendfile(fds[0], file, 0, 10), -EPIPE);
    assert_int_equal(unit_pipes(), 0);
    close(fds[0]);
    close(file);
}

static void a_part_of_a_file_is_sent(void **state)
{
    int file = unit_file(100000), fds[2];
    char came[100];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__fd_sendfile(fds[0], file, 12345, 100), 100);
    assert_int_equal(__real_read(fds[1], came, 100), 100);
    unit_expect(came, 100, 12345);
    assert_int_equal(sks__fd_sendfile(fds[0], file, 99990, 100), 10);
    assert_int_equal(__real_read(fds[1], came, 100), 10);
    unit_expect(came, 10, 99990);
    assert_int_equal(sks__fd_sendfile(fds[0], file, 100000, 1), 0);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
    close(fds[0]);
    close(fds[1]);
    close(file);
}

static void copying_out_sends_the_same(void **state)
{
    int file = unit_file(50000), fds[2];
    static char came[50000];
    ssize_t n;

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    n = sks__fd_copy_out(fds[0], file, 7, 40000);
    assert_in_range(n, 1, 40000);
    assert_int_equal(__real_read(fds[1], came, sizeof came), n);
    unit_expect(came, (size_t)n, 7);
    assert_int_equal(sks__fd_copy_out(fds[0], file, 50000, 9), 0);
    assert_int_equal(sks__fd_copy_out(fds[0], -1, 0, 9), -EBADF);
    close(fds[0]);
    close(fds[1]);
    close(file);
}

static void a_full_socket_is_told(void **state)
{
    int file = unit_file(1 << 20), fds[2];
    ssize_t n;

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__fd_set_mode(fds[0], SKS__FD_NONBLOCKING), 0);
    do
        n = sks__fd_sendfile(fds[0], file, 0, 1 << 20);
    while (n > 0);
    assert_int_equal(n, -EAGAIN);
    close(fds[0]);
    close(fds[1]);
    close(file);
}

static void all_is_read_or_what_there_is(void **state)
{
    char came[8] = "";
    int ends[2];

    (void)state;
    assert_return_code(__real_pipe(ends), errno);
    __real_write(ends[1], "12345", 5);
    fault_interrupt(2);
    assert_int_equal(sks__fd_read_all(ends[0], came, 2), 2);
    assert_int_equal(sks__fd_read_all(ends[0], came + 2, 2), 2);
    fault_interrupt(0);
    close(ends[1]);
    assert_int_equal(sks__fd_read_all(ends[0], came + 4, 4), 1);
    assert_string_equal(came, "12345");
    assert_int_equal(sks__fd_read_all(ends[0], came, 4), 0);
    close(ends[0]);
}

/* Who waits for it is the caller's affair. */
static void a_file_that_is_full_takes_what_it_can(void **state)
{
    static char bytes[1 << 20];
    int ends[2];

    (void)state;
    assert_return_code(__real_pipe(ends), errno);
    assert_int_equal(sks__fd_set_mode(ends[1], SKS__FD_NONBLOCKING), 0);
    fault_interrupt(3);
    assert_in_range(sks__fd_write_all(ends[1], bytes, sizeof bytes), 1,
                    sizeof bytes - 1);
    assert_int_equal(sks__fd_write_all(ends[1], bytes, sizeof bytes), -EAGAIN);
    fault_interrupt(0);
    close(ends[0]);
    close(ends[1]);
}

static void what_a_file_took_before_it_failed_is_told(void **state)
{
    char bytes[100] = "";
    int file = unit_file(0);

    (void)state;
    unit_limit_files(60);
    assert_int_equal(sks__fd_write_all(file, bytes, sizeof bytes), 60);
    assert_int_equal(sks__fd_write_all(file, bytes, sizeof bytes), -EFBIG);
    unit_limit_files(-1);
    close(file);
}

#ifndef SKS_PLAIN_POSIX

/* As the system refuses files of which it has no pages. */
static void a_file_that_sendfile_refuses_is_copied(void **state)
{
    static const int refusals[] = {EINVAL, ENOSYS};
    int file = unit_file(1000), fds[2];
    char came[100];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    for (size_t i = 0; i < 2; i++) {
        fault_set(FAULT_SENDFILE, 0, 1, refusals[i]);
        assert_int_equal(sks__fd_sendfile(fds[0], file, 500, 100), 100);
        assert_int_equal(__real_read(fds[1], came, 100), 100);
        unit_expect(came, 100, 500);
    }
    fault_set(FAULT_SENDFILE, 0, 1, EIO);
    assert_int_equal(sks__fd_sendfile(fds[0], file, 500, 100), -EIO);
    close(fds[0]);
    close(fds[1]);
    close(file);
}

/* --- tunnels --- */

static void a_tunnel_moves_bytes_from_a_socket_to_a_file(void **state)
{
    struct sks__fd_tunnel t;
    char bytes[1000];
    int file = unit_file(0), fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    unit_fill(bytes, sizeof bytes, 0);
    __real_send(fds[1], bytes, sizeof bytes, 0);
    close(fds[1]);
    assert_int_equal(sks__fd_tunnel_open(&t), 0);
    assert_int_equal(sks__fd_tunnel_fill(&t, fds[0], 600), 600);
    fault_set(FAULT_SPLICE, 0, 2, EINTR);
    assert_int_equal(sks__fd_tunnel_drain(&t, file, 200), 200);
    assert_int_equal(sks__fd_tunnel_drain(&t, file, 400), 400);
    assert_int_equal(sks__fd_tunnel_fill(&t, fds[0], 600), 400);
    assert_int_equal(sks__fd_tunnel_drain(&t, file, 400), 400);
    assert_int_equal(sks__fd_tunnel_fill(&t, fds[0], 600), 0);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(pread(file, bytes, sizeof bytes, 0), sizeof bytes);
    unit_expect(bytes, sizeof bytes, 0);
    assert_true(fcntl(t.read_fd, F_GETFD) & FD_CLOEXEC);
    sks__fd_tunnel_close(&t);
    close(fds[0]);
    close(file);
}

static void a_tunnel_that_does_not_suit_says_so(void **state)
{
    struct sks__fd_tunnel t;
    int file = unit_file(10), fds[2];

    (void)state;
    fault_set(FAULT_WAKEUP, 0, 1, EMFILE);
    assert_int_equal(sks__fd_tunnel_open(&t), -EMFILE);
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__fd_tunnel_open(&t), 0);
    __real_send(fds[1], "0123", 4, 0);
    assert_int_equal(sks__fd_tunnel_fill(&t, fds[0], 4), 4);
    fcntl(file, F_SETFL, O_APPEND);
    assert_int_equal(sks__fd_tunnel_drain(&t, file, 4), -EINVAL);
    fault_set(FAULT_SPLICE, 0, 1, EINTR);
    assert_int_equal(sks__fd_tunnel_fill(&t, fds[0], 4), -EINTR);
    sks__fd_tunnel_close(&t);
    close(fds[0]);
    close(fds[1]);
    close(file);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(gathered_bytes_are_sent_in_order),
        UNIT_TEST(sending_to_a_closed_peer_raises_no_signal),
        UNIT_TEST(a_part_of_a_file_is_sent),
        UNIT_TEST(copying_out_sends_the_same),
        UNIT_TEST(a_full_socket_is_told),
        UNIT_TEST(all_is_read_or_what_there_is),
        UNIT_TEST(a_file_that_is_full_takes_what_it_can),
        UNIT_TEST(what_a_file_took_before_it_failed_is_told),
#ifndef SKS_PLAIN_POSIX
        UNIT_TEST(a_file_that_sendfile_refuses_is_copied),
        UNIT_TEST(a_tunnel_moves_bytes_from_a_socket_to_a_file),
        UNIT_TEST(a_tunnel_that_does_not_suit_says_so),
#endif
    };

    return cmocka_run_group_tests_name("fd_moving", tests, NULL, NULL);
}
