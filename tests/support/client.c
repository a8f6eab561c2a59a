#include "client.h"
#include "check.h"
#include "deadline.h"
#include "real.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

enum { MOST = 4096 };

/* The open clients, by descriptor.  The lock keeps a fork from happening
 * between a socket's birth and its entry. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char is_open[MOST];

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void close_each(void)
{
    for (int fd = 0; fd < MOST; fd++) {
        if (is_open[fd])
            close(fd);
        is_open[fd] = 0;
    }
}

static void in_child(void)
{
    close_each();
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, in_child);
}

/* --- opening and closing --- */

int client_open(int family, int type)
{
    int fd;

    pthread_mutex_lock(&lock);
    fd = __real_socket(family, type, 0);
    if (fd >= 0 && fd < MOST)
        is_open[fd] = 1;
    pthread_mutex_unlock(&lock);
    assert_in_range(fd, 0, MOST - 1);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

/* Waits for a connection under way.  Returns 0, or an errno. */
static int await_connection(int fd)
{
    int error = ETIMEDOUT;
    socklen_t len = sizeof error;

    if (deadline_poll(fd, POLLOUT, DEADLINE_MS))
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

/* The same with the call that begins it.  A Unix socket whose queue is full
 * says so at once, and cannot be waited for. */
static int connect_in_time(int fd, const struct sockaddr *address,
                           socklen_t len)
{
    long long start = deadline_now_ms();

    while (connect(fd, address, len) != 0) {
        if (errno == EINPROGRESS || errno == EINTR)
            return await_connection(fd);
        if (errno != EAGAIN || !deadline_nap(start))
            return errno;
    }
    return 0;
}

int client_try_connect(int type, const struct sockaddr *address, socklen_t len)
{
    int fd = client_open(address->sa_family, type), error;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    error = connect_in_time(fd, address, len);
    fcntl(fd, F_SETFL, 0);
    if (error == 0)
        return fd;
    client_close(fd);
    return -error;
}

int client_connect(int type, const struct sockaddr *address, socklen_t len)
{
    int fd = client_try_connect(type, address, len);

    if (fd < 0)
        fail_msg("cannot connect: %s", strerror(-fd));
    return fd;
}

void client_close(int fd)
{
    pthread_mutex_lock(&lock);
    close(fd);
    is_open[fd] = 0;
    pthread_mutex_unlock(&lock);
}

void client_close_all(void)
{
    pthread_mutex_lock(&lock);
    close_each();
    pthread_mutex_unlock(&lock);
}

void client_reset(int fd)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    client_close(fd);
}

void client_finish(int fd)
{
    assert_return_code(shutdown(fd, SHUT_WR), errno);
}

/* --- sending --- */

/* Sends once, when there is room.  Returns the bytes sent, or -1. */
static ssize_t send_some(int fd, const void *buf, size_t n, int ms)
{
    ssize_t sent;

    do {
        if (!deadline_poll(fd, POLLOUT, ms))
            fail_msg("the peer takes no more");
        sent = __real_send(fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && (errno == EINTR || errno == EAGAIN));
    return sent;
}

int client_try_send(int fd, const void *buf, size_t n)
{
    const char *next = buf;
    ssize_t sent;

    do {
        sent = send_some(fd, next, n, DEADLINE_MS);
        if (sent < 0)
            return 0;
        next += sent;
        n -= (size_t)sent;
    } while (n > 0);
    return 1;
}

void client_send(int fd, const void *buf, size_t n)
{
    if (!client_try_send(fd, buf, n))
        fail_msg("cannot send: %s", strerror(errno));
}

void client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

/* --- receiving --- */

long client_receive_some(int fd, void *buf, size_t n)
{
    ssize_t got;

    do {
        if (!deadline_poll(fd, POLLIN, DEADLINE_MS))
            fail_msg("nothing came");
        got = __real_recv(fd, buf, n, MSG_DONTWAIT);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    return got;
}

void client_receive(int fd, void *buf, size_t n)
{
    char *next = buf;
    long got;

    while (n > 0) {
        got = client_receive_some(fd, next, n);
        if (got <= 0)
            fail_msg("%s with %zu bytes to come",
                     got == 0 ? "end of file" : "an error", n);
        next += got;
        n -= (size_t)got;
    }
}

/* A stream's bytes come in any portions, a packet's all at once. */
static size_t receive_text(int fd, char *buf, size_t n)
{
    int type = SOCK_STREAM;
    socklen_t len = sizeof type;
    long got;

    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
    if (type == SOCK_STREAM) {
        client_receive(fd, buf, n);
        return n;
    }
    got = client_receive_some(fd, buf, n + 1);
    assert_true(got >= 0);
    return (size_t)got;
}

void client_expect(int fd, const char *text)
{
    size_t n = strlen(text);
    char came[4096];

    assert_true(n < sizeof came - 1);
    n = receive_text(fd, came, n);
    came[n] = '\0';
    assert_string_equal(came, text);
}

void client_expect_eof(int fd)
{
    char byte;

    assert_int_equal(client_receive_some(fd, &byte, 1), 0);
}

void client_expect_gone(int fd)
{
    char buf[4096];

    while (client_receive_some(fd, buf, sizeof buf) > 0)
        continue;
}

long client_waiting(int fd)
{
    char buf[65536];

    return __real_recv(fd, buf, sizeof buf, MSG_PEEK | MSG_DONTWAIT);
}

void client_expect_silence(int fd)
{
    assert_int_equal(client_waiting(fd), -1);
    assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
}

/* --- both at once --- */

/* Moves a little in either direction, as there is room or something comes. */
static void exchange_some(int fd, const char *buf, size_t n, size_t *sent,
                          size_t *received)
{
    short events = (short)(POLLIN | (*sent < n ? POLLOUT : 0));
    int ready = deadline_poll(fd, events, DEADLINE_MS);
    char came[16384];
    ssize_t moved;

    assert_true(ready);
    if (ready & POLLOUT) {
        moved = __real_send(fd, buf + *sent, n - *sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        *sent += moved > 0 ? (size_t)moved : 0;
    }
    if (ready & (POLLIN | POLLHUP | POLLERR)) {
        moved = __real_recv(fd, came, sizeof came, MSG_DONTWAIT);
        assert_true(moved > 0 && (size_t)moved <= n - *received);
        assert_memory_equal(came, buf + *received, (size_t)moved);
        *received += (size_t)moved;
    }
}

void client_exchange(int fd, const void *buf, size_t n)
{
    size_t sent = 0, received = 0;

    while (received < n)
        exchange_some(fd, buf, n, &sent, &received);
}
