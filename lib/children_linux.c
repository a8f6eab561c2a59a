/* A pidfd costs more than the rest of what the parent does for a child, and
 * most children of a server that is busy end within a few milliseconds, more or
 * less in the order in which they were forked.  So those that were just forked,
 * the young ones at the list's end, have none: only the eldest of them is asked
 * about, and others that have ended wait for it. */
#include "children.h"

#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* waitid(2)'s idtype for pidfds, which older headers lack. */
enum { BY_PIDFD = 3 };

/* How soon to try again when the system lacks a descriptor. */
enum { RETRY_MS = 100 };

static struct sks__child *child_of(struct sks__list *node)
{
    return SKS__LIST_ENTRY(node, struct sks__child, node);
}

int sks__children_open(struct sks__children *c)
{
    sks__list_init(&c->running);
    c->young = NULL;
    c->ready_fd = epoll_create1(EPOLL_CLOEXEC);
    return c->ready_fd < 0 ? -errno : 0;
}

/* Without a trace, which would copy a page in a forked child. */
static void close_all(const struct sks__children *c, void (*close_one)(int fd))
{
    close_one(c->ready_fd);
    for (struct sks__child *child = sks__children_first(c); child != c->young;
         child = sks__children_next(c, child))
        close_one(child->fd);
}

void sks__children_close(struct sks__children *c)
{
    close_all(c, sks__fd_close);
    c->ready_fd = -1;
    c->young = NULL;
    sks__list_init(&c->running);
}

struct sks__child *sks__children_first(const struct sks__children *c)
{
    return sks__list_is_empty(&c->running) ? NULL : child_of(c->running.next);
}

struct sks__child *sks__children_next(const struct sks__children *c,
                                      const struct sks__child *child)
{
    return child->node.next == &c->running ? NULL : child_of(child->node.next);
}

/* Closing is not enough to forget a descriptor: another process may have a copy
 * of it. */
void sks__children_drop(struct sks__children *c, struct sks__child *child)
{
    if (c->young == child)
        c->young = sks__children_next(c, child);
    sks__list_remove(&child->node);
    if (child->fd < 0)
        return;
    epoll_ctl(c->ready_fd, EPOLL_CTL_DEL, child->fd, NULL);
    sks__fd_close(child->fd);
    child->fd = -1;
}

int sks__children_fork(struct sks__children *c, struct sks__child *child)
{
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        close_all(c, sks__fd_close_inherited);
        return 0;
    }
    child->pid = pid;
    child->fd = -1;
    child->born = sks__clock_ms();
    child->signal = child->status = 0;
    sks__list_append(&c->running, &child->node);
    if (c->young == NULL)
        c->young = child;
    return 1;
}

/* --- asking about one --- */

/* waitid(2) without waiting: 1 if it knows of an end, 0, or an error. */
static int ask(idtype_t type, id_t id, siginfo_t *info, int options)
{
    int rc;

    *info = (siginfo_t){0};
    do
        rc = waitid(type, id, info, WEXITED | WNOHANG | options);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : info->si_pid != 0;
}

/* True if the child has ended, which reaps it; maybe somebody else did. */
static int has_ended(struct sks__child *child)
{
    siginfo_t info;
    int rc = child->fd < 0 ? ask(P_PID, (id_t)child->pid, &info, 0)
                           : ask((idtype_t)BY_PIDFD, (id_t)child->fd, &info, 0);

    if (rc <= 0)
        return rc < 0;
    if (info.si_code == CLD_EXITED)
        child->status = info.si_status;
    else
        child->signal = info.si_status;
    return 1;
}

/* A pidfd of a child that has none, or an error: -ESRCH if somebody else has
 * reaped it, so that another process may have its number. */
static int open_pidfd(const struct sks__child *child)
{
    int fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    siginfo_t info;

    if (fd < 0)
        return errno == EINVAL ? -ESRCH : -errno;
    if (ask((idtype_t)BY_PIDFD, (id_t)fd, &info, WNOWAIT) >= 0)
        return fd;
    close(fd);
    return -ESRCH;
}

/* --- watching --- */

/* The eldest of the young. */
static int watch(struct sks__children *c)
{
    struct sks__child *child = c->young;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = child};
    int fd = open_pidfd(child);
    int rc;

    if (fd < 0)
        return fd;
    rc = epoll_ctl(c->ready_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    child->fd = fd;
    c->young = sks__children_next(c, child);
    return 0;
}

int sks__children_watch(struct sks__children *c, int age_ms)
{
    while (c->young != NULL) {
        int64_t left = 0;
        int rc;

        if (age_ms > 0)
            left = c->young->born + age_ms - sks__clock_ms();
        if (left > 0)
            return (int)left;
        rc = watch(c);
        if (rc < 0)
            return rc == -ESRCH ? 0 : RETRY_MS;
    }
    return -1;
}

/* --- reaping --- */

/* A watched one that has ended, or NULL. */
static struct sks__child *ended_watched(const struct sks__children *c)
{
    struct epoll_event event;
    int n;

    if (sks__list_is_empty(&c->running) || child_of(c->running.next)->fd < 0)
        return NULL;
    do
        n = epoll_wait(c->ready_fd, &event, 1, 0);
    while (n < 0 && errno == EINTR);
    return n > 0 && has_ended(event.data.ptr) ? event.data.ptr : NULL;
}

struct sks__child *sks__children_reap(struct sks__children *c)
{
    struct sks__child *child = c->young;

    if (child == NULL || !has_ended(child))
        child = ended_watched(c);
    if (child != NULL)
        sks__children_drop(c, child);
    return child;
}

int sks__children_fileno(const struct sks__children *c, size_t i)
{
    return i == 0 ? c->ready_fd : -1;
}

/* --- what is done to them --- */

/* Linux 5.6; whoever may trace the child may do that. */
int sks__children_borrow(const struct sks__child *child, int number)
{
    int pidfd = child->fd >= 0 ? child->fd : open_pidfd(child);
    int rc;

    if (pidfd < 0)
        return pidfd;
    rc = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (rc < 0)
        rc = -errno;
    if (pidfd != child->fd)
        close(pidfd);
    return rc;
}

static void send_signal(const struct sks__child *child, int signal)
{
    siginfo_t info;

    if (child->fd >= 0)
        syscall(SYS_pidfd_send_signal, child->fd, signal, NULL, 0);
    else if (ask(P_PID, (id_t)child->pid, &info, WNOWAIT) == 0)
        kill(child->pid, signal);
}

void sks__children_kill(struct sks__children *c, int signal)
{
    for (struct sks__list *n = c->running.next; n != &c->running; n = n->next)
        send_signal(child_of(n), signal);
}
