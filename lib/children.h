/* Child processes: forked, waited for beside other descriptors, and reaped by
 * name, so that children of somebody else are left alone.  No SIGCHLD handler.
 * Works also where SIGCHLD is ignored or where somebody else reaps.
 *
 * children_linux.c has a pidfd for each child that lives longer, gathered in
 * one epoll descriptor; children_posix.c a pipe for each, which closes with the
 * child.
 * One thread at a time. */
#ifndef SKS__CHILDREN_H
#define SKS__CHILDREN_H

#include "list.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Embedded in whatever its owner keeps for a child. */
struct sks__child {
    struct sks__list node;
    pid_t pid;
    int fd;       /* readable, or at end of file, once the child has ended; -1:
                     not watched yet */
    int64_t born; /* when */
    int signal;   /* that killed it, once reaped; 0: none */
    int status;   /* that it exited with otherwise */
};

/* The owner ends it with sks__children_close(). */
struct sks__children {
    struct sks__list running;
    int ready_fd;             /* Linux: readable when some child has ended */
    struct sks__child *young; /* Linux: the first that is not watched, nor are
                                 those that follow; or NULL */
};

/* 0 or an error. */
int sks__children_open(struct sks__children *c);

/* Forgets all children that still run, whose structs it does not touch. */
void sks__children_close(struct sks__children *c);

/* The next child that was not reaped, or NULL. */
struct sks__child *sks__children_first(const struct sks__children *c);

/* The one after it, or NULL. */
struct sks__child *sks__children_next(const struct sks__children *c,
                                      const struct sks__child *child);

/* A copy, close-on-exec and the caller's, of the descriptor that a running
 * child has under that number.  An error: -ESRCH or -EBADF if the child has it
 * no more, any other where the system does not allow that. */
int sks__children_borrow(const struct sks__child *child, int number);

/* Takes a running child out of the set: nobody will reap it. */
void sks__children_drop(struct sks__children *c, struct sks__child *child);

/* 1 in the parent, 0 in the child, or an error.  The child has none of the
 * set's descriptors, and no use for the set: it is left as it is, because each
 * page that the child writes to would be copied. */
int sks__children_fork(struct sks__children *c, struct sks__child *child);

/* Watches the children that have lived for so many milliseconds: only of those
 * sks__children_fileno() tells.  Returns after how many milliseconds it should
 * be called again; -1: not before the next fork. */
int sks__children_watch(struct sks__children *c, int age_ms);

/* A child that has ended, reaped and out of the set; NULL if there is none. One
 * that is not watched may have to wait for those that were forked before it.
 * Does not wait. */
struct sks__child *sks__children_reap(struct sks__children *c);

/* The i-th descriptor to wait for, -1 past the last. */
int sks__children_fileno(const struct sks__children *c, size_t i);

/* Sends all of them a signal. */
void sks__children_kill(struct sks__children *c, int signal);

#endif /* SKS__CHILDREN_H */
