#include "children.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* waitid(2)'s idtype for pidfds, which older headers lack. */
enum { BY_PIDFD = 3 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int sks__children_open(struct sks__children *c)
{
    sks__list_init(&c->running);
    c->spare_fd = -1;
    c->ready_fd = epoll_create1(EPOLL_CLOEXEC);
    return c->ready_fd < 0 ? -errno : 0;
}

/* Without a trace, which would copy a page in a forked child. */
static void close_all(const struct sks__children *c)
{
    sks__fd_close(c->ready_fd);
    sks__fd_close(c->spare_fd);
    for (struct sks__list *n = c->running.next; n != &c->running; n = n->next)
        close(SKS__LIST_ENTRY(n, struct sks__child, node)->fd);
}

void sks__children_close(struct sks__children *c)
{
    close_all(c);
    c->ready_fd = c->spare_fd = -1;
    sks__list_init(&c->running);
}

struct sks__child *sks__children_first(const struct sks__children *c)
{
    return sks__list_is_empty(&c->running)
               ? NULL
               : SKS__LIST_ENTRY(c->running.next, struct sks__child, node);
}

/* Closing is not enough to forget a descriptor: another process may have a copy
 * of it. */
void sks__children_drop(struct sks__children *c, struct sks__child *child)
{
    sks__list_remove(&child->node);
    if (c->ready_fd >= 0)
        epoll_ctl(c->ready_fd, EPOLL_CTL_DEL, child->fd, NULL);
    close_fd(&child->fd);
}

/* A forked child that cannot be watched must not be: nobody would reap it. */
static int give_up(struct sks__child *child, int rc)
{
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close_fd(&child->fd);
    return rc;
}

static int watch(struct sks__children *c, struct sks__child *child)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = child};

    child->fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->fd < 0 && errno == EMFILE) {
        close_fd(&c->spare_fd);
        child->fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    }
    if (child->fd < 0)
        return give_up(child, -errno);
    if (epoll_ctl(c->ready_fd, EPOLL_CTL_ADD, child->fd, &event) < 0)
        return give_up(child, -errno);
    sks__list_append(&c->running, &child->node);
    return 1;
}

int sks__children_fork(struct sks__children *c, struct sks__child *child)
{
    pid_t pid;

    if (c->spare_fd < 0)
        c->spare_fd = fcntl(c->ready_fd, F_DUPFD_CLOEXEC, 0);
    if (c->spare_fd < 0)
        return -errno;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        close_all(c);
        return 0;
    }
    child->pid = pid;
    child->signal = child->status = 0;
    return watch(c, child);
}

/* True if the child has ended, which reaps it. */
static int has_ended(struct sks__child *child)
{
    siginfo_t info = {0};
    int rc;

    do
        rc = waitid((idtype_t)BY_PIDFD, (id_t)child->fd, &info,
                    WEXITED | WNOHANG);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return 1; /* somebody else reaped it */
    if (info.si_pid == 0)
        return 0;
    if (info.si_code == CLD_EXITED)
        child->status = info.si_status;
    else
        child->signal = info.si_status;
    return 1;
}

/* One that may have ended, or NULL. */
static struct sks__child *ready_child(const struct sks__children *c)
{
    struct epoll_event event;
    int n;

    do
        n = epoll_wait(c->ready_fd, &event, 1, 0);
    while (n < 0 && errno == EINTR);
    return n > 0 ? event.data.ptr : NULL;
}

struct sks__child *sks__children_reap(struct sks__children *c)
{
    struct sks__child *child =
        sks__list_is_empty(&c->running) ? NULL : ready_child(c);

    if (child == NULL || !has_ended(child))
        return NULL;
    sks__children_drop(c, child);
    return child;
}

int sks__children_fileno(const struct sks__children *c, size_t i)
{
    return i == 0 ? c->ready_fd : -1;
}

void sks__children_kill(struct sks__children *c, int signal)
{
    for (struct sks__list *n = c->running.next; n != &c->running; n = n->next)
        syscall(SYS_pidfd_send_signal,
                SKS__LIST_ENTRY(n, struct sks__child, node)->fd, signal, NULL,
                0);
}
