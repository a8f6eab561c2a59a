/* A child process for each request. */
#include "strategy_errand.h"

#include <sockserver/strategy.h>

#include <signal.h>

struct forking {
    struct sks__children children;
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

    return sks__errand_run(&f->children, request);
}

static void service_actions(void *self, sks_server *server)
{
    struct forking *f = self;

    sks__errand_reap(&f->children, server);
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

static void stop(void *self, sks_server *server, int block)
{
    struct forking *f = self;

    (void)server, (void)block;
    sks__errand_let_go(&f->children);
}

static const sks_strategy forking = {
    .size = sizeof forking,
    .name = "forking",
    .flags = SKS_PARALLEL,
    .max_workers = 40,
    .self_size = sizeof(struct forking),
    .request_size = sizeof(struct sks__errand),
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
