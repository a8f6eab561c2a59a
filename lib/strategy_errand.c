/* The parent keeps its half of the connection until the child has ended: so
 * that a shutdown can tell the request, in whichever process it is, by shutting
 * down the reading side of the connection that both share. */
#include "strategy_errand.h"

#include <unistd.h>

int sks__errand_run(struct sks__children *children, sks_request *request)
{
    struct sks__errand *errand = sks_request_slot(request);
    sks_server *server = sks_request_server(request);
    int rc;

    errand->request = request;
    rc = sks__children_fork(children, &errand->child);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        sks_server_add_count(server, SKS_COUNT_WORKERS, 1);
        return 0;
    }
    sks_server_detach(server, request);
    rc = sks_request_run(request);
    _exit(rc < 0 ? 1 : 0);
}

void sks__errand_reap(struct sks__children *children, sks_server *server)
{
    struct sks__child *child;

    while ((child = sks__children_reap(children)) != NULL) {
        struct sks__errand *errand =
            SKS__LIST_ENTRY(child, struct sks__errand, child);

        sks_server_add_count(server, SKS_COUNT_WORKERS, -1);
        if (child->signal == 0) {
            sks_request_close(errand->request);
            continue;
        }
        sks_server_log(server, SKS_ERROR,
                       "child process %ld was ended by signal %d",
                       (long)child->pid, child->signal);
        sks_request_fail(errand->request, SKS_ECRASHED);
    }
}

void sks__errand_let_go(struct sks__children *children)
{
    struct sks__child *child;

    while ((child = sks__children_first(children)) != NULL) {
        sks_request *request =
            SKS__LIST_ENTRY(child, struct sks__errand, child)->request;

        sks__children_drop(children, child);
        sks_server_add_count(sks_request_server(request), SKS_COUNT_WORKERS,
                             -1);
        sks_request_close(request);
    }
    sks__children_close(children);
}
