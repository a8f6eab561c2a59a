#include "fd.h"

#include "clock.h"
#include "sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

void sks__fd_close(int fd)
{
    /* After EINTR the state is unspecified, and on Linux fd is gone: a second
     * try could close another thread's descriptor. */
    if (fd >= 0)
        close(fd);
}

int sks__fd_set_mode(int fd, enum sks__fd_mode mode)
{
    int flags = fcntl(fd, F_GETFL);
    int wanted;

    if (flags < 0)
        return -errno;
    wanted =
        mode == SKS__FD_NONBLOCKING ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
        return -errno;
    return 0;
}

int sks__fd_set_cloexec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int sks__fd_poll(struct pollfd *fds, size_t n, int64_t until)
{
    for (;;) {
        int ready = poll(fds, (nfds_t)n, sks__clock_left_ms(until));

        if (ready >= 0)
            return ready;
        if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

int sks__fd_wait(int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int rc = sks__fd_poll(&p, 1, sks__clock_after(ms));

    return rc > 0 && (p.revents & POLLNVAL) ? -EBADF : rc;
}

int sks__fd_spin(int fd, short events, int us)
{
    int64_t until = us > 0 ? sks__clock_us() + us : 0;
    int rc = 0;

    while (rc == 0 && us > 0) {
        rc = sks__fd_wait(fd, events, 0);
        if (sks__clock_us() >= until)
            break;
    }
    return rc;
}

int sks__fd_set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

int sks__fd_set_time_limit(int fd, int name, int ms)
{
    struct timeval limit = {0, 0};

    if (ms > 0) {
        int64_t all = (int64_t)ms + SKS__FD_TICK_MS;

        limit.tv_sec = (time_t)(all / 1000);
        limit.tv_usec = (suseconds_t)(all % 1000 * 1000);
    } else if (ms == 0) {
        limit.tv_usec = 1;
    }
    return setsockopt(fd, SOL_SOCKET, name, &limit, sizeof limit) < 0 ? -errno
                                                                      : 0;
}

ssize_t sks__fd_send(int fd, const struct iovec *iov, int count, int flags)
{
    ssize_t n;

    if (count == 1) {
        n = send(fd, iov->iov_base, iov->iov_len, flags | MSG_NOSIGNAL);
    } else {
        struct msghdr msg = {.msg_iov = (struct iovec *)iov,
                             .msg_iovlen = (size_t)count};

        n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
    }
    return n < 0 ? -errno : n;
}

int sks__fd_receive(int fd, struct sks__fd_message *m)
{
    ssize_t n;

    do
        n = recvmsg(fd, &m->header, 0);
    while (n < 0 && errno == EINTR);
    m->len = n < 0 ? 0 : (unsigned)n;
    return n < 0 ? -errno : 0;
}

int sks__fd_send_message(int fd, struct sks__fd_message *m)
{
    ssize_t n;

    do
        n = sendmsg(fd, &m->header, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    m->len = n < 0 ? 0 : (unsigned)n;
    return n < 0 ? -errno : 0;
}

ssize_t sks__fd_pread(int file, void *buf, size_t n, off_t offset)
{
    ssize_t got;

    do
        got = pread(file, buf, n, offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t sks__fd_copy_out(int socket, int file, off_t offset, size_t n)
{
    char bytes[16384];
    ssize_t got, sent;

    got =
        sks__fd_pread(file, bytes, n < sizeof bytes ? n : sizeof bytes, offset);
    if (got <= 0)
        return got;
    sent = send(socket, bytes, (size_t)got, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

ssize_t sks__fd_read_all(int fd, void *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got = read(fd, (char *)buf + done, n - done);

        if (got == 0)
            break;
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            return -errno;
    }
    return (ssize_t)done;
}

/* write(2) without SIGPIPE, which a pipe raises. */
static ssize_t write_some(int file, const void *buf, size_t n)
{
    struct sks__sigpipe held;
    ssize_t wrote;

    sks__sigpipe_hold(&held);
    wrote = write(file, buf, n);
    if (wrote < 0)
        wrote = -errno;
    sks__sigpipe_release(&held, wrote == -EPIPE);
    return wrote;
}

ssize_t sks__fd_write_all(int file, const void *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t wrote = write_some(file, (const char *)buf + done, n - done);

        if (wrote >= 0)
            done += (size_t)wrote;
        else if (wrote != -EINTR)
            return done > 0 ? (ssize_t)done : wrote;
    }
    return (ssize_t)done;
}
