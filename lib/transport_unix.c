/* Binding paths of Unix sockets.
 *
 * A socket file outlives the process that bound it.  One that nobody serves is
 * stale and gets replaced; everything else at the path is left alone.  Between
 * finding it stale and replacing it another server could do the same, so both
 * happen under a lock on the directory, which leaves nothing behind. */
#include "address.h"
#include "fd.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif

/* Made when a path is bound, with the directory open: the process may change
 * its own directory before it closes. */
struct sks__unix_path {
    int dir;
    dev_t device;
    ino_t inode;
    char *base; /* in name */
    char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* Where the last component of a path begins. */
static char *base_of(char *path)
{
    char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* Without the right to read it, as far as that goes. */
static int open_directory(const char *name)
{
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 && errno == EACCES
               ? open(name, O_PATH | O_DIRECTORY | O_CLOEXEC)
               : fd;
}

static struct sks__unix_path *path_new(const char *name)
{
    struct sks__unix_path *p = calloc(1, sizeof *p);
    char dir[sizeof p->name];

    if (p == NULL)
        return NULL;
    strcpy(p->name, name);
    p->base = base_of(p->name);
    strcpy(dir, name);
    *base_of(dir) = '\0';
    p->dir = open_directory(*dir != '\0' ? dir : ".");
    return p;
}

/* Without the right to read the directory there is no lock, and no harm but in
 * the race. */
static void lock(const struct sks__unix_path *p, int operation)
{
    while (flock(p->dir, operation) < 0 && errno == EINTR)
        ;
}

static int is_ours(const struct sks__unix_path *p)
{
    struct stat st;

    return p->inode != 0 &&
           fstatat(p->dir, p->base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_dev == p->device && st.st_ino == p->inode;
}

void sks__unix_path_free(struct sks__unix_path *p, int remove)
{
    if (p == NULL)
        return;
    if (remove && p->dir >= 0) {
        lock(p, LOCK_EX);
        if (is_ours(p))
            unlinkat(p->dir, p->base, 0);
        lock(p, LOCK_UN);
    }
    sks__fd_close(p->dir);
    free(p);
}

/* True if what is at the path is a socket that nobody serves.  A server whose
 * queue is full (EAGAIN) or that we may not reach (EACCES) is alive. */
static int is_stale(const struct sks__unix_path *p,
                    const struct sks__address *a, int type)
{
    struct stat st;
    int fd, rc;

    if (fstatat(p->dir, p->base, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISSOCK(st.st_mode))
        return 0;
    fd = sks__fd_socket(AF_UNIX, type);
    if (fd < 0)
        return 0;
    rc = connect(fd, &a->of.any, a->len) < 0 ? -errno : 0;
    sks__fd_close(fd);
    return rc == -ECONNREFUSED;
}

static int bind_path(struct sks__listener *l, const struct sks__address *a,
                     int type)
{
    struct sks__unix_path *p = l->path;
    int rc = bind(l->fd, &a->of.any, a->len) < 0 ? -errno : 0;

    if (rc == -EADDRINUSE && is_stale(p, a, type)) {
        unlinkat(p->dir, p->base, 0);
        rc = bind(l->fd, &a->of.any, a->len) < 0 ? -errno : 0;
    }
    return rc;
}

/* Knows the socket file again by its inode. */
static void remember(struct sks__unix_path *p)
{
    struct stat st;

    if (fstatat(p->dir, p->base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        p->device = st.st_dev;
        p->inode = st.st_ino;
    }
}

static int bind_locked(struct sks__listener *l, const struct sks__address *a,
                       int type, int backlog)
{
    int rc;

    lock(l->path, LOCK_EX);
    rc = bind_path(l, a, type);
    if (rc == 0) {
        remember(l->path);
        if (type == SOCK_STREAM && listen(l->fd, backlog) < 0)
            rc = -errno;
    }
    lock(l->path, LOCK_UN);
    return rc;
}

static int listen_at(sks_server *server, const struct sks__address *a)
{
    int type = server->socktype;
    struct sks__listener *l = sks__server_new_listener(server);
    int rc;

    if (l == NULL)
        return -E2BIG;
    l->family = AF_UNIX;
    l->transport =
        type == SOCK_STREAM ? &sks__stream_transport : &sks__datagram_transport;
    sks__address_text(a, l->text);
    l->path = path_new(a->of.un.sun_path);
    if (l->path == NULL)
        rc = -ENOMEM;
    else if (l->path->dir < 0)
        rc = -errno;
    else
        rc = l->fd = sks__fd_socket(AF_UNIX, type);
    if (rc >= 0)
        rc = bind_locked(l, a, type, server->options.backlog);
    if (rc < 0)
        sks__server_drop_listeners(server, server->listener_count - 1);
    return rc;
}

static int is_socket(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

int sks__unix_bind(sks_server *server, const struct sks__endpoint *e)
{
    struct sks__address a;
    int rc = sks__address_set_path(&a, e->name);

    if (rc == -EINVAL)
        return sks__server_fail(server, rc, "the path of a socket is empty");
    if (rc < 0)
        return sks__server_fail(server, rc,
                                "the path '%.40s...' has %zu bytes, and a "
                                "socket's at most %zu",
                                e->name, strlen(e->name),
                                sizeof a.of.un.sun_path - 1);
    rc = listen_at(server, &a);
    if (rc == -EADDRINUSE && !is_socket(e->name))
        return sks__server_fail(server, rc,
                                "cannot listen on %s: there is something else "
                                "than a socket",
                                e->name);
    if (rc < 0)
        return sks__server_fail(server, rc, "cannot listen on %s: %s", e->name,
                                sks_strerror(rc));
    return 0;
}
