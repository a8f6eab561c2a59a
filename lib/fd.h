/* System calls on descriptors, as this library wants them: close-on-exec, no
 * SIGPIPE, and errors returned as negated errnos.
 *
 * fd.c holds what is the same everywhere, fd_linux.c and fd_posix.c the same
 * functions for Linux and for any POSIX system. */
#ifndef SKS__FD_H
#define SKS__FD_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* How an accepted connection or a new socket should behave. */
enum sks__fd_mode { SKS__FD_BLOCKING, SKS__FD_NONBLOCKING };

/* --- fd.c --- */

/* Closes a descriptor that was opened; -1 is allowed. */
void sks__fd_close(int fd);

int sks__fd_set_mode(int fd, enum sks__fd_mode mode);

int sks__fd_set_cloexec(int fd);

/* poll(2) until the moment, retried when signals interrupt it.
 * Returns how many are ready, 0 when the time is over, or an error. */
int sks__fd_poll(struct pollfd *fds, size_t n, int64_t until);

/* Waits for one descriptor; fd -1 lets only the time pass.  Returns 1, 0 when
 * the time is over, or an error. */
int sks__fd_wait(int fd, short events, int ms);

/* Asks again and again for up to us microseconds, not at all if that is 0,
 * whether fd has one of the events: as sks__fd_wait(). */
int sks__fd_spin(int fd, short events, int us);

/* setsockopt for an int; 0 or an error. */
int sks__fd_set_option(int fd, int level, int name, int value);

/* The system counts time limits in ticks of its clock, which take so long at
 * most; a wait begins within one. */
enum { SKS__FD_TICK_MS = 10 };

/* SO_RCVTIMEO or SO_SNDTIMEO; ms -1: no limit; 0 becomes the shortest one.  The
 * limit gets a tick more, so that no wait is shorter than ms. */
int sks__fd_set_time_limit(int fd, int name, int ms);

/* send(2) and writev(2) in one, without SIGPIPE.  flags as in send(2). */
struct iovec;
ssize_t sks__fd_send(int fd, const struct iovec *iov, int count, int flags);

/* A message as recvmsg(2) and sendmsg(2) take it, and how many
 * bytes it has. */
struct sks__fd_message {
    struct msghdr header;
    unsigned len;
};

/* recvmsg(2), and sendmsg(2) without SIGPIPE, retried when signals interrupt
 * them: 0 or an error. */
int sks__fd_receive(int fd, struct sks__fd_message *message);
int sks__fd_send_message(int fd, struct sks__fd_message *message);

/* pread(2); -EINTR is retried. */
ssize_t sks__fd_pread(int file, void *buf, size_t n, off_t offset);

/* Reads n bytes of a file at offset, and sends them: for descriptors that
 * cannot do without a copy.  Returns what was sent, 0 at end of file. */
ssize_t sks__fd_copy_out(int socket, int file, off_t offset, size_t n);

/* Reads n bytes; fewer at end of file, or an error. */
ssize_t sks__fd_read_all(int fd, void *buf, size_t n);

/* Writes n bytes to a file: how many were written, or an error if none were;
 * -EAGAIN of one that is non-blocking and full. */
ssize_t sks__fd_write_all(int file, const void *buf, size_t n);

/* --- fd_linux.c, fd_posix.c --- */

/* The same in a forked child, of what it inherited. */
void sks__fd_close_inherited(int fd);

/* True where a blocking read or write can wait with a time limit in itself,
 * so that no poll(2) is needed before it. */
extern const int sks__fd_has_time_limits;

/* True where accepted TCP sockets have the options of their listener. */
extern const int sks__fd_accept_inherits;

/* A non-blocking socket, or an error. */
int sks__fd_socket(int family, int type);

/* A non-blocking pipe. */
int sks__fd_pipe(int fds[2]);

/* accept(2); -EINTR is retried. */
int sks__fd_accept(int fd, struct sockaddr *address, socklen_t *len,
                   enum sks__fd_mode mode);

/* Receives up to n messages that are there, in one system call where there is
 * one for that: how many, at least 1, or an error.  fd is non-blocking. */
int sks__fd_receive_many(int fd, struct sks__fd_message *messages, size_t n);

/* Sends n messages likewise: how many, at least 1, or the first one's error.
 * No SIGPIPE. */
int sks__fd_send_many(int fd, struct sks__fd_message *messages, size_t n);

/* Has a listening TCP socket keep connections to itself until input has come,
 * for about ms milliseconds.  0, or an error of what is none, or where the
 * system has no such thing. */
int sks__fd_defer_accept(int socket, int ms);

/* From on to off a TCP socket sends full packets only.  0, or an error of what
 * is none, or where the system has no such thing. */
int sks__fd_cork(int socket, int on);

/* Sends n bytes of a file from offset on, or fewer; 0 at end of file. */
ssize_t sks__fd_sendfile(int socket, int file, off_t offset, size_t n);

/* A pipe through which bytes go from a socket into a file without passing
 * through this process.  Its owner closes it. */
struct sks__fd_tunnel {
    int read_fd, write_fd;
};

/* 0, or -ENOTSUP or another error: read and write then. */
int sks__fd_tunnel_open(struct sks__fd_tunnel *t);
/* Takes up to n bytes from the socket, 0 at end of file; -EINVAL if these two
 * cannot do it.  All of them must be drained before the next fill. */
ssize_t sks__fd_tunnel_fill(struct sks__fd_tunnel *t, int socket, size_t n);
/* Moves up to n of the bytes taken into the file. */
ssize_t sks__fd_tunnel_drain(struct sks__fd_tunnel *t, int file, size_t n);
void sks__fd_tunnel_close(struct sks__fd_tunnel *t);

/* How much of what was sent the peer's system has not acknowledged; 0 where the
 * system does not tell. */
int sks__fd_unsent(int socket);

/* False if the socket has neither input that nobody read nor unsent bytes. */
int sks__fd_holds_bytes(int socket);

/* Ends reading, in each process that has the connection.  On Linux one that has
 * ended writing, too, is reset by the next input, so that it is left alone as
 * long as its output is under way.  Also in a signal handler. */
void sks__fd_end_input(int socket);

/* A descriptor that is readable while one of fds is, or -ENOTSUP. */
int sks__fd_gather(const int *fds, size_t n);

#endif /* SKS__FD_H */
