/* The system's calls as they are behind fault.h's wrappers, for the tests' own
 * side: what a client does is neither counted nor made to fail.
 *
 * The linker makes these names (--wrap), which is why they look reserved. */
#ifndef SUPPORT_REAL_H
#define SUPPORT_REAL_H

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void __real_free(void *memory);
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd,
                  off_t offset);
int __real_socket(int family, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __real_listen(int fd, int backlog);
int __real_accept(int fd, struct sockaddr *address, socklen_t *len);
ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __real_recv(int fd, void *buf, size_t n, int flags);
ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __real_send(int fd, const void *buf, size_t n, int flags);
int __real_pipe(int ends[2]);
int __real_poll(struct pollfd *fds, nfds_t n, int ms);
pid_t __real_fork(void);
pid_t __real_waitpid(pid_t pid, int *status, int options);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *arg);

#endif
