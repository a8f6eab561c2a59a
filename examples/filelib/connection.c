#include "connection.h"

#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct connection {
    int fd; /* non-blocking */
    int silence_ms;
    size_t start, end;
    char buf[64 * 1024];
};

const char *connection_strerror(int error)
{
    switch (error) {
    case CONNECTION_LOST:
        return "the server is gone";
    case CONNECTION_SILENT:
        return "the server says nothing";
    case CONNECTION_INTERRUPTED:
        return "interrupted";
    case CONNECTION_BABBLE:
        return "the server does not speak this protocol";
    case CONNECTION_NO_HOST:
        return "no such host";
    default:
        return strerror(-error);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until fd has one of the events.  @return 0 or an error */
static int wait_for(int fd, short events, int ms)
{
    struct pollfd fds[] = {{.fd = fd, .events = events},
                           {.fd = interrupt_fd(), .events = POLLIN}};
    int64_t end = now_ms() + ms;

    for (;;) {
        int64_t left = end - now_ms();
        int n = left < 0 ? 0 : poll(fds, 2, (int)left);

        if (interrupt_seen())
            return CONNECTION_INTERRUPTED;
        if (n == 0)
            return CONNECTION_SILENT;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && fds[0].revents)
            return 0;
    }
}

/* --- connecting --- */

static int finish_connect(int fd, int ms)
{
    int error = 0, rc = wait_for(fd, POLLOUT, ms);
    socklen_t n = sizeof error;

    if (rc < 0)
        return rc == CONNECTION_SILENT ? -ETIMEDOUT : rc;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        return -errno;
    return -error;
}

/* @return a descriptor or an error */
static int connect_to(const struct sockaddr *address, socklen_t n, int ms)
{
    int one = 1, rc = 0;
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, address, n) < 0)
        rc = errno == EINPROGRESS || errno == EINTR ? finish_connect(fd, ms)
                                                    : -errno;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int connect_to_path(const char *path, int ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    return connect_to((const struct sockaddr *)&address, sizeof address, ms);
}

/* The first address of the host that answers. */
static int connect_to_host(const struct target *target)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int64_t end = now_ms() + target->connect_ms;
    int fd = CONNECTION_NO_HOST;

    if (getaddrinfo(target->host, target->port, &hints, &found) != 0)
        return CONNECTION_NO_HOST;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        int64_t left = end - now_ms();

        fd = connect_to(at->ai_addr, at->ai_addrlen, left > 0 ? (int)left : 0);
    }
    freeaddrinfo(found);
    return fd;
}

int connection_open(struct connection **out, const struct target *target)
{
    struct connection *connection = malloc(sizeof *connection);
    int fd;

    if (!connection)
        return -ENOMEM;
    fd = target->path ? connect_to_path(target->path, target->connect_ms)
                      : connect_to_host(target);
    if (fd < 0) {
        free(connection);
        return fd;
    }
    connection->fd = fd;
    connection->silence_ms = target->silence_ms;
    connection->start = connection->end = 0;
    *out = connection;
    return 0;
}

void connection_close(struct connection *connection)
{
    if (connection)
        close(connection->fd);
    free(connection);
}

/* --- bytes --- */

/* After a call that failed: 0 to try again, or an error. */
static int try_again(struct connection *connection, short events)
{
    if (errno == EINTR)
        return interrupt_seen() ? CONNECTION_INTERRUPTED : 0;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return wait_for(connection->fd, events, connection->silence_ms);
    return errno == EPIPE || errno == ECONNRESET ? CONNECTION_LOST : -errno;
}

int connection_write(struct connection *connection, const void *bytes, size_t n)
{
    const char *at = bytes;
    int rc = interrupt_seen() ? CONNECTION_INTERRUPTED : 0;

    while (rc == 0 && n > 0) {
        ssize_t done = send(connection->fd, at, n, MSG_NOSIGNAL);

        if (done < 0) {
            rc = try_again(connection, POLLOUT);
        } else {
            at += done;
            n -= (size_t)done;
        }
    }
    return rc;
}

int connection_printf(struct connection *connection, const char *format, ...)
{
    char line[PROTOCOL_LINE + 1];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line)
        return -ENAMETOOLONG;
    return connection_write(connection, line, (size_t)n);
}

static ssize_t receive(struct connection *connection, void *buf, size_t n)
{
    int rc = interrupt_seen() ? CONNECTION_INTERRUPTED : 0;

    while (rc == 0) {
        ssize_t got = recv(connection->fd, buf, n, 0);

        if (got >= 0)
            return got > 0 ? got : CONNECTION_LOST;
        rc = try_again(connection, POLLIN);
    }
    return rc;
}

/* Takes what is in the buffer. */
static size_t take(struct connection *connection, void *buf, size_t n)
{
    size_t held = connection->end - connection->start;

    if (n > held)
        n = held;
    memcpy(buf, connection->buf + connection->start, n);
    connection->start += n;
    return n;
}

static ssize_t fill(struct connection *connection)
{
    ssize_t got = receive(connection, connection->buf, sizeof connection->buf);

    connection->start = 0;
    connection->end = got > 0 ? (size_t)got : 0;
    return got;
}

ssize_t connection_read(struct connection *connection, void *buf, size_t n)
{
    ssize_t got;

    if (connection->start < connection->end)
        return (ssize_t)take(connection, buf, n);
    if (n >= sizeof connection->buf)
        return receive(connection, buf, n);
    got = fill(connection);
    return got < 0 ? got : (ssize_t)take(connection, buf, n);
}

ssize_t connection_read_line(struct connection *connection, char *line,
                             size_t size)
{
    size_t n = 0;

    while (n < size - 1) {
        if (connection->start == connection->end) {
            ssize_t got = fill(connection);

            if (got < 0)
                return got;
        }
        line[n] = connection->buf[connection->start++];
        if (line[n++] == '\n') {
            line[n] = '\0';
            return (ssize_t)n;
        }
    }
    return CONNECTION_BABBLE;
}

int connection_read_reply(struct connection *connection, struct reply *reply)
{
    char line[PROTOCOL_LINE + 1];
    ssize_t n;

    do {
        n = connection_read_line(connection, line, sizeof line);
        if (n < 0)
            return (int)n;
        if (reply_parse(reply, line, (size_t)n) < 0)
            return CONNECTION_BABBLE;
    } while (reply->code == CODE_WORKING && reply->length == 0);
    return 0;
}

int connection_has_input(struct connection *connection)
{
    struct pollfd fd = {.fd = connection->fd, .events = POLLIN};

    return connection->start < connection->end || poll(&fd, 1, 0) > 0;
}
