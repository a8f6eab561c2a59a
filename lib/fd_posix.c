/* What POSIX alone gives.  Between opening a descriptor and marking it
 * close-on-exec another thread's fork and exec can inherit it: POSIX has no
 * way around that. */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const int sks__fd_has_time_limits = 0;
const int sks__fd_accept_inherits = 0;

/* Close-on-exec and the mode; on failure fd is closed. */
static int prepare(int fd, enum sks__fd_mode mode)
{
    int rc = 0;

    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        rc = -errno;
    if (rc == 0)
        rc = sks__fd_set_mode(fd, mode);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

void sks__fd_close_inherited(int fd)
{
    sks__fd_close(fd);
}

int sks__fd_socket(int family, int type)
{
    return prepare(socket(family, type, 0), SKS__FD_NONBLOCKING);
}

int sks__fd_pipe(int fds[2])
{
    int rc;

    if (pipe(fds) < 0)
        return -errno;
    rc = prepare(fds[0], SKS__FD_NONBLOCKING);
    if (rc < 0) {
        close(fds[1]);
        return rc;
    }
    rc = prepare(fds[1], SKS__FD_NONBLOCKING);
    if (rc < 0) {
        close(fds[0]);
        return rc;
    }
    return 0;
}

int sks__fd_accept(int fd, struct sockaddr *address, socklen_t *len,
                   enum sks__fd_mode mode)
{
    int client;

    do
        client = accept(fd, address, len);
    while (client < 0 && errno == EINTR);
    return prepare(client, mode);
}

/* How many went well until the first error; that, if it was the first. */
static int each(int (*move)(int, struct sks__fd_message *), int fd,
                struct sks__fd_message *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = move(fd, &m[i]);

        if (rc < 0)
            return i > 0 ? (int)i : rc;
    }
    return (int)n;
}

int sks__fd_receive_many(int fd, struct sks__fd_message *m, size_t n)
{
    return each(sks__fd_receive, fd, m, n);
}

int sks__fd_send_many(int fd, struct sks__fd_message *m, size_t n)
{
    return each(sks__fd_send_message, fd, m, n);
}

int sks__fd_defer_accept(int socket, int ms)
{
    (void)socket, (void)ms;
    return -ENOTSUP;
}

int sks__fd_cork(int socket, int on)
{
    (void)socket, (void)on;
    return -ENOTSUP;
}

ssize_t sks__fd_sendfile(int socket, int file, off_t offset, size_t n)
{
    return sks__fd_copy_out(socket, file, offset, n);
}

int sks__fd_tunnel_open(struct sks__fd_tunnel *t)
{
    (void)t;
    return -ENOTSUP;
}

ssize_t sks__fd_tunnel_fill(struct sks__fd_tunnel *t, int socket, size_t n)
{
    (void)t, (void)socket, (void)n;
    return -EINVAL;
}

ssize_t sks__fd_tunnel_drain(struct sks__fd_tunnel *t, int file, size_t n)
{
    (void)t, (void)file, (void)n;
    return -EINVAL;
}

void sks__fd_tunnel_close(struct sks__fd_tunnel *t)
{
    (void)t;
}

int sks__fd_gather(const int *fds, size_t n)
{
    (void)fds, (void)n;
    return -ENOTSUP;
}

/* What is unsent, POSIX does not tell. */
int sks__fd_holds_bytes(int socket)
{
    (void)socket;
    return 1;
}

int sks__fd_unsent(int socket)
{
    (void)socket;
    return 0;
}

void sks__fd_end_input(int socket)
{
    shutdown(socket, SHUT_RD);
}
