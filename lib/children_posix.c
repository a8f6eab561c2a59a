#include "children.h"

#include "fd.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int sks__children_open(struct sks__children *c)
{
    sks__list_init(&c->running);
    c->ready_fd = -1;
    return 0;
}

static struct sks__child *child_of(struct sks__list *node)
{
    return SKS__LIST_ENTRY(node, struct sks__child, node);
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

/* Each is from the beginning. */
int sks__children_watch(struct sks__children *c, int age_ms)
{
    (void)c, (void)age_ms;
    return -1;
}

/* POSIX knows no way. */
int sks__children_borrow(const struct sks__child *child, int number)
{
    (void)child, (void)number;
    return -ENOSYS;
}

void sks__children_drop(struct sks__children *c, struct sks__child *child)
{
    (void)c;
    sks__list_remove(&child->node);
    sks__fd_close(child->fd);
    child->fd = -1;
}

/* Without a trace, which would copy a page in a forked child. */
static void close_all(const struct sks__children *c)
{
    for (struct sks__list *n = c->running.next; n != &c->running; n = n->next)
        sks__fd_close(child_of(n)->fd);
}

void sks__children_close(struct sks__children *c)
{
    close_all(c);
    sks__list_init(&c->running);
}

int sks__children_fork(struct sks__children *c, struct sks__child *child)
{
    int fds[2];
    int rc = sks__fd_pipe(fds);
    pid_t pid;

    if (rc < 0)
        return rc;
    pid = fork();
    if (pid == 0) {
        /* The other end stays open until the child ends. */
        sks__fd_close(fds[0]);
        close_all(c);
        return 0;
    }
    rc = -errno;
    sks__fd_close(fds[1]);
    if (pid < 0) {
        sks__fd_close(fds[0]);
        return rc;
    }
    child->pid = pid;
    child->signal = child->status = 0;
    child->fd = fds[0];
    sks__list_append(&c->running, &child->node);
    return 1;
}

/* True if the child has ended, which reaps it. */
static int has_ended(struct sks__child *child)
{
    int status;
    pid_t pid;

    do
        pid = waitpid(child->pid, &status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid > 0 && WIFSIGNALED(status))
        child->signal = WTERMSIG(status);
    else if (pid > 0)
        child->status = WEXITSTATUS(status);
    return pid != 0; /* an error: somebody else reaped it */
}

struct sks__child *sks__children_reap(struct sks__children *c)
{
    for (struct sks__list *n = c->running.next; n != &c->running; n = n->next) {
        struct sks__child *child = child_of(n);

        if (has_ended(child)) {
            sks__children_drop(c, child);
            return child;
        }
    }
    return NULL;
}

int sks__children_fileno(const struct sks__children *c, size_t i)
{
    for (struct sks__list *n = c->running.next; n != &c->running; n = n->next)
        if (i-- == 0)
            return child_of(n)->fd;
    return -1;
}

void sks__children_kill(struct sks__children *c, int signal)
{
    for (struct sks__list *n = c->running.next; n != &c->running; n = n->next)
        kill(child_of(n)->pid, signal);
}
