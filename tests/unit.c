#include "unit.h"
#include "support/leak.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int unit_begin(void **state)
{
    (void)state;
    leak_begin();
    return 0;
}

int unit_end(void **state)
{
    (void)state;
    fault_clear();
    unit_limit_files(-1);
    unit_forget_pipes();
    return leak_end();
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 256 * 13 + i / 65536);
}

void unit_fill(void *buf, size_t n, size_t from)
{
    unsigned char *bytes = buf;

    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(from + i);
}

void unit_expect(const void *buf, size_t n, size_t from)
{
    const unsigned char *bytes = buf;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_at(from + i))
            fail_msg("byte %zu of %zu, from %zu on, is another", i, n, from);
}

void unit_pair(int type, int fds[2])
{
    assert_return_code(socketpair(AF_UNIX, type, 0, fds), errno);
}

int unit_file(size_t n)
{
    char name[] = "/tmp/sockserver-unit-XXXXXX";
    char bytes[4096];
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    unlink(name);
    for (size_t done = 0; done < n;) {
        size_t piece = n - done < sizeof bytes ? n - done : sizeof bytes;

        unit_fill(bytes, piece, done);
        assert_int_equal(__real_write(fd, bytes, piece), piece);
        done += piece;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

void unit_limit_files(long n)
{
    struct rlimit limit;

    signal(SIGXFSZ, n < 0 ? SIG_DFL : SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = n < 0 ? limit.rlim_max : (rlim_t)n;
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* cmocka's handlers of these would go on with the tests in the child. */
static void die_of_crashes(void)
{
    static const int crashes[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};

    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        signal(crashes[i], SIG_DFL);
}

int unit_fork(int (*run)(void *), void *arg)
{
    long long start = deadline_now_ms();
    int status = 0;
    pid_t pid, got;

    fflush(NULL);
    pid = __real_fork();
    if (pid == 0) {
        die_of_crashes();
        alarm(DEADLINE_MS / 1000);
        _exit(run(arg));
    }
    assert_true(pid > 0);
    do
        got = __real_waitpid(pid, &status, WNOHANG);
    while (got == 0 && deadline_nap(start));
    if (got == 0) {
        kill(pid, SIGKILL);
        __real_waitpid(pid, &status, 0);
    }
    assert_int_equal(got, pid);
    return status;
}

static volatile sig_atomic_t pipes;

static void count_pipe(int signal)
{
    (void)signal;
    pipes++;
}

void unit_count_pipes(void)
{
    struct sigaction action = {.sa_handler = count_pipe};

    pipes = 0;
    sigaction(SIGPIPE, &action, NULL);
}

int unit_pipes(void)
{
    return pipes;
}

void unit_forget_pipes(void)
{
    signal(SIGPIPE, SIG_DFL);
}

static int do_nothing(sks_request *request)
{
    (void)request;
    return 0;
}

const sks_handler *unit_handler(void)
{
    static const sks_handler handler = {.size = sizeof handler,
                                        .handle = do_nothing};

    return &handler;
}

int unit_process_none(void *self, sks_request *request)
{
    (void)self, (void)request;
    return -EIO;
}

sks_server *unit_server(void)
{
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, unit_handler());

    assert_non_null(server);
    return server;
}

int unit_client(int listener)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    int fd = __real_socket(AF_INET, SOCK_STREAM, 0);

    getsockname(listener, (struct sockaddr *)&in, &len);
    assert_return_code(connect(fd, (struct sockaddr *)&in, len), errno);
    return fd;
}

void unit_expect_fault(sks_server *server, int error, const char *words)
{
    assert_int_equal(sks_server_bind(server), error);
    assert_int_equal(sks_server_handle_request(server), error);
    assert_int_equal(sks_server_serve_forever(server), error);
    assert_string_equal(sks_server_error(server), words);
    assert_null(sks_server_address(server, 0));
    assert_int_equal(sks_server_close(server), error);
    sks_server_free(server);
}
