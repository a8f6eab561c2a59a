/* A child process for each request.
 *
 * The parent keeps its half of the connection until the child has ended: so
 * that a shutdown can tell the request, in whichever process it is, by shutting
 * down the reading side of the connection that both share. */
#include "children.h"
#include "list.h"

#include <sockserver/strategy.h>

#include <signal.h>
#include <unistd.h>

struct forking {
    struct sks__children children;
};

/* What is written down about a request while a child runs it. */
struct errand {
    struct sks__child child;
    sks_request *request;
};

static int start(void *self, sks_server *server, void *config)
{
    struct forking *f = self;

    (void)server, (void)config;
    return sks__children_open(&f->children);
}

static int process_request(void *self, sks_request *request)
{
    struct forking *f = self;
    struct errand *errand = sks_request_slot(request);
    int rc;

    errand->request = request;
    rc = sks__children_fork(&f->children, &errand->child);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    sks_server_detach(sks_request_server(request), request);
    rc = sks_request_run(request);
    _exit(rc < 0 ? 1 : 0);
}

static void service_actions(void *self, sks_server *server)
{
    struct forking *f = self;
    struct sks__child *child;

    while ((child = sks__children_reap(&f->children)) != NULL) {
        struct errand *errand = SKS__LIST_ENTRY(child, struct errand, child);

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

static int watched_fileno(void *self, size_t i)
{
    struct forking *f = self;

    return sks__children_fileno(&f->children, i);
}

static void kill_all(void *self, sks_server *server)
{
    struct forking *f = self;

    (void)server;
    sks__children_kill(&f->children, SIGKILL);
}

/* What still runs goes on without a parent's half. */
static void stop(void *self, sks_server *server, int block)
{
    struct forking *f = self;
    struct sks__child *child;

    (void)server, (void)block;
    while ((child = sks__children_first(&f->children)) != NULL) {
        sks__children_drop(&f->children, child);
        sks_request_close(
            SKS__LIST_ENTRY(child, struct errand, child)->request);
    }
    sks__children_close(&f->children);
}

static const sks_strategy forking = {
    .size = sizeof forking,
    .name = "forking",
    .flags = SKS_PARALLEL,
    .max_workers = 40,
    .self_size = sizeof(struct forking),
    .request_size = sizeof(struct errand),
    .start = start,
    .process_request = process_request,
    .service_actions = service_actions,
    .fileno = watched_fileno,
    .kill = kill_all,
    .stop = stop,
};

const sks_strategy *sks_forking(void)
{
    return &forking;
}
