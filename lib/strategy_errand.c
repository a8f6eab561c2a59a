#include "strategy_errand.h"

#include "error.h"
#include "fd.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Most children of a busy server end sooner, and need not be watched. */
enum { YOUNG_MS = 10 };

static struct sks__errand *errand_of(struct sks__child *child)
{
    return SKS__LIST_ENTRY(child, struct sks__errand, child);
}

int sks__errands_open(struct sks__errands *e)
{
    int rc = sks__children_open(&e->children);

    if (rc < 0)
        return rc;
    e->lending = SKS__UNTRIED;
    rc = -pthread_mutex_init(&e->lock, NULL);
    if (rc < 0)
        sks__children_close(&e->children);
    return rc;
}

/* --- handing over --- */

/* A child that has ended already, or has closed its connection, tells nothing
 * of the system, nor does a lack of descriptors. */
static void try_lending(struct sks__errands *e, struct sks__errand *errand)
{
    int fd = sks__children_borrow(&errand->child, errand->fd);

    if (fd >= 0)
        e->lending = SKS__LENDS;
    else if (fd != -ESRCH && fd != -EBADF && !sks__error_is_shortage(fd))
        e->lending = SKS__LENDS_NOT;
    sks__fd_close(fd);
}

static void hand_over(struct sks__errands *e, struct sks__errand *errand)
{
    sks_request *request = errand->request;

    if (e->lending == SKS__UNTRIED && errand->fd >= 0)
        try_lending(e, errand);
    if (e->lending != SKS__LENDS)
        return;
    /* First, so that an interrupt finds it in one of the two ways. */
    pthread_mutex_lock(&e->lock);
    errand->request = NULL;
    pthread_mutex_unlock(&e->lock);
    sks_request_hand_over(request);
}

int sks__errands_run(struct sks__errands *e, sks_request *request)
{
    struct sks__errand *errand = sks_request_slot(request);
    sks_server *server = sks_request_server(request);
    int rc;

    errand->request = request;
    errand->fd = sks_request_packet(request, NULL) == NULL
                     ? sks_request_fileno(request)
                     : -1;
    pthread_mutex_lock(&e->lock);
    rc = sks__children_fork(&e->children, &errand->child);
    if (rc == 0) {
        sks_server_detach(server, request);
        if (e->lending == SKS__LENDS)
            sks_request_take_over(request);
        rc = sks_request_run(request);
        _exit(rc < 0 ? 1 : 0);
    }
    pthread_mutex_unlock(&e->lock);
    if (rc < 0)
        return rc;
    e->forked = 1;
    sks_server_add_count(server, SKS_COUNT_WORKERS, 1);
    hand_over(e, errand);
    return 0;
}

/* --- the end --- */

static void end(struct sks__errand *errand, sks_server *server, int error)
{
    sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
    if (errand->request == NULL)
        sks_slot_end(server, errand, error);
    else if (error < 0)
        sks_request_fail(errand->request, error);
    else
        sks_request_close(errand->request);
}

static struct sks__child *reap(struct sks__errands *e)
{
    struct sks__child *child;

    pthread_mutex_lock(&e->lock);
    child = sks__children_reap(&e->children);
    pthread_mutex_unlock(&e->lock);
    return child;
}

/* Reaps one, if any has ended: whether. */
static int reap_one(struct sks__errands *e, sks_server *server)
{
    struct sks__child *child = reap(e);

    if (child == NULL)
        return 0;
    if (child->signal != 0)
        sks_server_log(server, SKS_ERROR,
                       "child process %ld was ended by signal %d",
                       (long)child->pid, child->signal);
    end(errand_of(child), server, child->signal != 0 ? SKS_ECRASHED : 0);
    return 1;
}

/* Somebody waits for the next end. */
static int is_awaited(sks_server *server)
{
    unsigned most = sks_server_max_workers(server);

    return sks_server_stopping(server) ||
           (most != 0 && sks_server_count(server, SKS_COUNT_ACTIVE) >= most);
}

void sks__errands_tend(struct sks__errands *e, sks_server *server)
{
    int awaited = is_awaited(server), one = e->forked && !awaited;
    int ms;

    e->forked = 0;
    while (reap_one(e, server) && !one)
        continue;
    pthread_mutex_lock(&e->lock);
    ms = sks__children_watch(&e->children, awaited ? 0 : YOUNG_MS);
    pthread_mutex_unlock(&e->lock);
    if (ms >= 0)
        sks_server_want_turn(server, ms);
}

static void interrupt(struct sks__errand *errand, int both)
{
    int fd = errand->fd < 0 || errand->request != NULL
                 ? -1
                 : sks__children_borrow(&errand->child, errand->fd);

    if (fd < 0)
        return;
    if (both)
        shutdown(fd, SHUT_RDWR);
    else
        sks__fd_end_input(fd);
    sks__fd_close(fd);
}

void sks__errands_interrupt(struct sks__errands *e, int both)
{
    pthread_mutex_lock(&e->lock);
    for (struct sks__child *c = sks__children_first(&e->children); c != NULL;
         c = sks__children_next(&e->children, c))
        interrupt(errand_of(c), both);
    pthread_mutex_unlock(&e->lock);
}

void sks__errands_kill(struct sks__errands *e)
{
    sks__children_kill(&e->children, SIGKILL);
}

int sks__errands_fileno(const struct sks__errands *e, size_t i)
{
    return sks__children_fileno(&e->children, i);
}

void sks__errands_close(struct sks__errands *e, sks_server *server)
{
    struct sks__child *child;

    while ((child = sks__children_first(&e->children)) != NULL) {
        sks__children_drop(&e->children, child);
        end(errand_of(child), server, 0);
    }
    sks__children_close(&e->children);
    pthread_mutex_destroy(&e->lock);
}
