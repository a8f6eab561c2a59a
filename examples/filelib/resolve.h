/* The system's calls that reach a name beneath a folder and nothing else, each
 * with what does the same where the system lacks it.  Names are single
 * components. */
#ifndef FILELIB_RESOLVE_H
#define FILELIB_RESOLVE_H

/** Opens what name is beneath the folder; a symbolic link is refused, and a
 * fifo or device does not wait.
 * @return a descriptor, or an errno negated: -ELOOP for a link */
int resolve_open(int folder, const char *name, int flags);

/** Renames without replacing; here names may be paths, and folder AT_FDCWD.
 * @return 0, or an errno negated: -EEXIST */
int resolve_rename(int folder, const char *from, const char *to);

/** Gives the open file fd, which has no name, a name that is free.
 * @return 0, or an errno negated: -EEXIST */
int resolve_link(int folder, int fd, const char *name);

#endif
