#include "wakeup.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int sks__wakeup_open(struct sks__wakeup *w)
{
    w->read_fd = w->write_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w->read_fd < 0 ? -errno : 0;
}

void sks__wakeup_close(struct sks__wakeup *w)
{
    if (w->read_fd >= 0)
        close(w->read_fd);
    w->read_fd = w->write_fd = -1;
}

void sks__wakeup_raise(const struct sks__wakeup *w)
{
    int kept = errno;
    uint64_t one = 1;

    /* EAGAIN means that it is raised already. */
    while (write(w->write_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = kept;
}

void sks__wakeup_clear(const struct sks__wakeup *w)
{
    uint64_t count;

    while (read(w->read_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}
