#include "wakeup.h"

#include "fd.h"

#include <errno.h>
#include <unistd.h>

int sks__wakeup_open(struct sks__wakeup *w)
{
    int fds[2];
    int rc = sks__fd_pipe(fds);

    w->read_fd = w->write_fd = -1;
    if (rc < 0)
        return rc;
    w->read_fd = fds[0];
    w->write_fd = fds[1];
    return 0;
}

void sks__wakeup_close(struct sks__wakeup *w)
{
    if (w->read_fd >= 0) {
        close(w->read_fd);
        close(w->write_fd);
    }
    w->read_fd = w->write_fd = -1;
}

void sks__wakeup_raise(const struct sks__wakeup *w)
{
    int kept = errno;

    /* EAGAIN means that it is raised already. */
    while (write(w->write_fd, "", 1) < 0 && errno == EINTR)
        ;
    errno = kept;
}

void sks__wakeup_clear(const struct sks__wakeup *w)
{
    char bytes[256];
    ssize_t n;

    do
        n = read(w->read_fd, bytes, sizeof bytes);
    while (n == (ssize_t)sizeof bytes || (n < 0 && errno == EINTR));
}
