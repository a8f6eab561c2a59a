/* What the contract suite runs over.  Add a strategy of your own, a transport
 * or a list of cases here. */
#include "contract.h"

#include <pthread.h>

/* --- strategies --- */

/* The least that a strategy can be: the only member is the required one. */
static int run_here(void *self, sks_request *request)
{
    (void)self;
    sks_request_run(request);
    return 0;
}

static const sks_strategy least = {
    .size = sizeof(sks_strategy),
    .name = "users-least",
    .flags = SKS_SHARES_MEMORY,
    .process_request = run_here,
};

/* A thread for each request, which nobody joins. */
static void *run_there(void *arg)
{
    sks_request *request = arg;
    sks_server *server = sks_request_server(request);

    sks_request_run(request);
    sks_server_release(server);
    return NULL;
}

static int start_thread(void *self, sks_request *request)
{
    sks_server *server = sks_request_server(request);
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    (void)self;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sks_server_hold(server);
    error = pthread_create(&thread, &attributes, run_there, request);
    pthread_attr_destroy(&attributes);
    if (error)
        sks_server_release(server);
    return -error;
}

static const sks_strategy threads = {
    .size = sizeof(sks_strategy),
    .name = "users-threads",
    .flags = SKS_SHARES_MEMORY | SKS_PARALLEL,
    .max_workers = 64,
    .process_request = start_thread,
};

/* A built-in strategy with options, under a name of its own.  One whose
 * processes run one request each would keep clients waiting for a busy one. */
static sks_prefork_config own_sockets = {.size = sizeof own_sockets,
                                         .own_sockets = 1};
static sks_strategy prefork;

static sks_coroutine_config no_io_uring = {.size = sizeof no_io_uring,
                                           .no_io_uring = 1};
static sks_strategy coroutine;

__attribute__((constructor)) static void name_variants(void)
{
    prefork = *sks_strategy_find("prefork:coroutine");
    prefork.name = "prefork-own-sockets";
    coroutine = *sks_coroutine();
    coroutine.name = "coroutine-without-io-uring";
}

const struct contract_strategy contract_strategies[] = {
    {&least, NULL},
    {&threads, NULL},
    {&prefork, &own_sockets},
    {&coroutine, &no_io_uring},
    {NULL, NULL},
};

/* --- transports --- */

const struct contract_transport contract_transports[] = {
    {"tcp",
     CONTRACT_STREAM | CONTRACT_IP | CONTRACT_IPV4 | CONTRACT_TCP |
         CONTRACT_BINDS,
     AF_INET, SOCK_STREAM, "127.0.0.1"},
    {"tcp6", CONTRACT_STREAM | CONTRACT_IP | CONTRACT_TCP | CONTRACT_BINDS,
     AF_INET6, SOCK_STREAM, "::1"},
    {"unix-stream", CONTRACT_STREAM | CONTRACT_UNIX | CONTRACT_BINDS, AF_UNIX,
     SOCK_STREAM, NULL},
    {"udp",
     CONTRACT_DATAGRAM | CONTRACT_IP | CONTRACT_IPV4 | CONTRACT_UDP |
         CONTRACT_BINDS,
     AF_INET, SOCK_DGRAM, "127.0.0.1"},
    {"udp6", CONTRACT_DATAGRAM | CONTRACT_IP | CONTRACT_UDP | CONTRACT_BINDS,
     AF_INET6, SOCK_DGRAM, "::1"},
    {"unix-datagram", CONTRACT_DATAGRAM | CONTRACT_UNIX | CONTRACT_BINDS,
     AF_UNIX, SOCK_DGRAM, NULL},
    {"fd-stream",
     CONTRACT_STREAM | CONTRACT_IP | CONTRACT_IPV4 | CONTRACT_TCP |
         CONTRACT_ADOPTED,
     AF_INET, SOCK_STREAM, "127.0.0.1"},
    {"fd-datagram",
     CONTRACT_DATAGRAM | CONTRACT_IP | CONTRACT_IPV4 | CONTRACT_UDP |
         CONTRACT_ADOPTED,
     AF_INET, SOCK_DGRAM, "127.0.0.1"},
    {0},
};

/* --- cases --- */

const struct contract_list *const contract_lists[] = {
    contract_life,        contract_hooks,     contract_server,
    contract_paths,       contract_input,     contract_output,
    contract_waits,       contract_offload,   contract_datagrams,
    contract_stopping,    contract_draining,  contract_limits,
    contract_descriptors, contract_faults,    contract_peers,
    contract_processes,   contract_bad_input, NULL,
};
