/* Asking for shutdown, and who must hear of it. */
#include "server.h"

#include <errno.h>
#include <sched.h>

int sks__server_is_told(const sks_server *server)
{
    return atomic_load(&server->shared->stops) !=
               atomic_load(&server->stops_served) ||
           atomic_load(&server->stopped_here);
}

int sks_server_stopping(const sks_server *server)
{
    return sks__server_is_told(server) || atomic_load(&server->retired);
}

/* Instead of a descriptor: none, or somebody is just shutting it down. */
enum { EXPOSED_NONE = -1, EXPOSED_BUSY = -2 };

static void interrupt_exposed(sks_server *server)
{
    int fd = atomic_load(&server->exposed_fd);

    if (fd < 0 ||
        !atomic_compare_exchange_strong(&server->exposed_fd, &fd, EXPOSED_BUSY))
        return;
    sks__fd_end_input(fd);
    atomic_store(&server->exposed_fd, fd);
}

void sks__server_expose(sks_server *server, int fd)
{
    atomic_store(&server->exposed_fd, fd);
    if (sks__server_is_told(server))
        interrupt_exposed(server);
}

void sks__server_conceal(sks_server *server)
{
    int fd = atomic_load(&server->exposed_fd);

    while (
        fd == EXPOSED_BUSY ||
        !atomic_compare_exchange_weak(&server->exposed_fd, &fd, EXPOSED_NONE)) {
        sched_yield();
        fd = atomic_load(&server->exposed_fd);
    }
}

void sks_server_shutdown(sks_server *server)
{
    int kept = errno;

    if (server == NULL)
        return;
    atomic_fetch_add(&server->shared->stops, 1);
    interrupt_exposed(server);
    sks__wakeup_raise(&server->stop);
    if (server->worker)
        sks__wakeup_raise(&server->above);
    errno = kept;
}

void sks__server_stop_here(sks_server *server)
{
    int kept = errno;

    atomic_store(&server->stopped_here, 1);
    interrupt_exposed(server);
    sks__wakeup_raise(&server->stop);
    errno = kept;
}

void sks__server_calm(sks_server *server)
{
    if (sks_server_stopping(server))
        return;
    sks__wakeup_clear(&server->stop);
    if (sks_server_stopping(server))
        sks__wakeup_raise(&server->stop);
}

void sks__server_obey(sks_server *server)
{
    sks__wakeup_clear(&server->stop);
    atomic_store(&server->stops_served, atomic_load(&server->shared->stops));
}
