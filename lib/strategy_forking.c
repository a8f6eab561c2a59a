/* A child process for each request. */
#include "strategy_errand.h"

#include <sockserver/strategy.h>

struct forking {
    struct sks__errands errands;
};

static int start(void *self, sks_server *server, void *config)
{
    struct forking *f = self;

    (void)server, (void)config;
    return sks__errands_open(&f->errands);
}

static int process_request(void *self, sks_request *request)
{
    struct forking *f = self;

    return sks__errands_run(&f->errands, request);
}

static void service_actions(void *self, sks_server *server)
{
    struct forking *f = self;

    sks__errands_tend(&f->errands, server);
}

static int watched_fileno(void *self, size_t i)
{
    struct forking *f = self;

    return sks__errands_fileno(&f->errands, i);
}

static void interrupt(void *self, int both)
{
    struct forking *f = self;

    sks__errands_interrupt(&f->errands, both);
}

static void kill_all(void *self, sks_server *server)
{
    struct forking *f = self;

    (void)server;
    sks__errands_kill(&f->errands);
}

static void stop(void *self, sks_server *server, int block)
{
    struct forking *f = self;

    (void)block;
    sks__errands_close(&f->errands, server);
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
    .interrupt = interrupt,
};

const sks_strategy *sks_forking(void)
{
    return &forking;
}
