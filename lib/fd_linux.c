#include "fd.h"

#include "sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

const int sks__fd_has_time_limits = 1;
const int sks__fd_accept_inherits = 1;

/* Not close(2), which in glibc lies far from whatever else a child calls, and
 * so costs it a page fault more. */
void sks__fd_close_inherited(int fd)
{
    if (fd >= 0)
        syscall(SYS_close, fd);
}

int sks__fd_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

int sks__fd_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

int sks__fd_accept(int fd, struct sockaddr *address, socklen_t *len,
                   enum sks__fd_mode mode)
{
    int flags = mode == SKS__FD_NONBLOCKING ? SOCK_CLOEXEC | SOCK_NONBLOCK
                                            : SOCK_CLOEXEC;
    int client;

    do
        client = accept4(fd, address, len, flags);
    while (client < 0 && errno == EINTR);
    return client < 0 ? -errno : client;
}

/* What recvmmsg(2) and sendmmsg(2) take has the same members. */
_Static_assert(sizeof(struct sks__fd_message) == sizeof(struct mmsghdr) &&
                   offsetof(struct sks__fd_message, len) ==
                       offsetof(struct mmsghdr, msg_len),
               "a message is not what the system takes");

int sks__fd_receive_many(int fd, struct sks__fd_message *m, size_t n)
{
    int got;

    if (n == 1) {
        got = sks__fd_receive(fd, m);
        return got < 0 ? got : 1;
    }
    do
        got = recvmmsg(fd, (struct mmsghdr *)(void *)m, (unsigned)n, 0, NULL);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int sks__fd_send_many(int fd, struct sks__fd_message *m, size_t n)
{
    int sent;

    if (n == 1) {
        sent = sks__fd_send_message(fd, m);
        return sent < 0 ? sent : 1;
    }
    do
        sent = sendmmsg(fd, (struct mmsghdr *)(void *)m, (unsigned)n,
                        MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int sks__fd_defer_accept(int socket, int ms)
{
    return sks__fd_set_option(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT,
                              ms / 1000 + (ms % 1000 != 0));
}

int sks__fd_cork(int socket, int on)
{
    return sks__fd_set_option(socket, IPPROTO_TCP, TCP_CORK, on);
}

ssize_t sks__fd_sendfile(int socket, int file, off_t offset, size_t n)
{
    struct sks__sigpipe held;
    ssize_t sent;

    sks__sigpipe_hold(&held);
    sent = sendfile(socket, file, &offset, n);
    if (sent < 0)
        sent = -errno;
    /* It may be raised after a part was sent, too. */
    sks__sigpipe_release(&held, sent < (ssize_t)n);
    /* Files of special file systems have no pages to send. */
    if (sent == -EINVAL || sent == -ENOSYS)
        return sks__fd_copy_out(socket, file, offset, n);
    return sent;
}

int sks__fd_tunnel_open(struct sks__fd_tunnel *t)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    t->read_fd = fds[0];
    t->write_fd = fds[1];
    return 0;
}

ssize_t sks__fd_tunnel_fill(struct sks__fd_tunnel *t, int socket, size_t n)
{
    ssize_t moved = splice(socket, NULL, t->write_fd, NULL, n, SPLICE_F_MOVE);

    return moved < 0 ? -errno : moved;
}

ssize_t sks__fd_tunnel_drain(struct sks__fd_tunnel *t, int file, size_t n)
{
    struct sks__sigpipe held;
    ssize_t moved;

    sks__sigpipe_hold(&held);
    do
        moved = splice(t->read_fd, NULL, file, NULL, n, SPLICE_F_MOVE);
    while (moved < 0 && errno == EINTR);
    if (moved < 0)
        moved = -errno;
    sks__sigpipe_release(&held, moved < (ssize_t)n);
    return moved;
}

void sks__fd_tunnel_close(struct sks__fd_tunnel *t)
{
    close(t->read_fd);
    close(t->write_fd);
}

int sks__fd_gather(const int *fds, size_t n)
{
    int all = epoll_create1(EPOLL_CLOEXEC);

    if (all < 0)
        return -errno;
    for (size_t i = 0; i < n; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        if (epoll_ctl(all, EPOLL_CTL_ADD, fds[i], &event) < 0) {
            int rc = -errno;

            close(all);
            return rc;
        }
    }
    return all;
}

int sks__fd_unsent(int socket)
{
    int n = 0;

    return ioctl(socket, TIOCOUTQ, &n) < 0 ? 0 : n;
}

/* Places in what SO_MEMINFO gives, as in <linux/sock_diag.h>, which does not
 * come with each C library. */
enum { RECEIVED = 0, UNSENT = 5, BACKLOG = 7, PLACES };

/* Memory of the socket's, which is more than bytes, but none without them. */
int sks__fd_holds_bytes(int socket)
{
    uint32_t held[PLACES];
    socklen_t len = sizeof held;

    return getsockopt(socket, SOL_SOCKET, SO_MEMINFO, held, &len) < 0 ||
           held[RECEIVED] > 0 || held[BACKLOG] > 0 || held[UNSENT] > 0;
}

void sks__fd_end_input(int socket)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
        info.tcpi_state != TCP_FIN_WAIT1)
        shutdown(socket, SHUT_RD);
}
