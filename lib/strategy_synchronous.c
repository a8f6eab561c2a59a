/* One request at a time, in the thread that serves. */
#include <sockserver/strategy.h>

static int process_request(void *self, sks_request *request)
{
    (void)self;
    sks_request_run(request);
    return 0;
}

static const sks_strategy synchronous = {
    .size = sizeof synchronous,
    .name = "synchronous",
    .flags = SKS_SHARES_MEMORY,
    .max_workers = 1,
    .process_request = process_request,
};

const sks_strategy *sks_synchronous(void)
{
    return &synchronous;
}
