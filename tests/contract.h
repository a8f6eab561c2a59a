/* The contract suite: what every strategy owes on every transport.
 *
 * A case is a function that gets a struct contract with a strategy and a
 * transport in it, makes a server of them and plays its clients.  Cases stand
 * in lists, each list with the traits of what it is for; contract_table.c
 * names the lists, the transports, and the strategies beside the built-in ones,
 * which are found by themselves.
 *
 * To run the suite over a strategy of your own, add it there. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "support/check.h"
#include "support/client.h"
#include "support/deadline.h"
#include "support/fault.h"
#include "support/serverthread.h"
#include "support/trace.h"

#include <sockserver.h>
#include <sockserver/strategy.h>

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a pair of a strategy and a transport is like. */
enum contract_trait {
    CONTRACT_STREAM = 1 << 0,
    CONTRACT_DATAGRAM = 1 << 1,
    CONTRACT_IP = 1 << 2,   /* has a port */
    CONTRACT_IPV4 = 1 << 3, /* has 127.0.0.1 and its neighbours */
    CONTRACT_TCP = 1 << 4,
    CONTRACT_UDP = 1 << 5,
    CONTRACT_UNIX = 1 << 6,        /* has a path */
    CONTRACT_BINDS = 1 << 7,       /* is bound by the server itself */
    CONTRACT_ADOPTED = 1 << 8,     /* was bound by the test */
    CONTRACT_PARALLEL = 1 << 9,    /* runs several requests at once */
    CONTRACT_SHARED = 1 << 10,     /* runs them in this process */
    CONTRACT_PROCESSES = 1 << 11,  /* runs them in processes of their own */
    CONTRACT_DISPATCHES = 1 << 12, /* starts a worker for each request */
    CONTRACT_LIMITS = 1 << 13,     /* max_workers limits the requests at once */
    CONTRACT_BUILT_IN = 1 << 14    /* the strategy is found by its name */
};

struct contract_transport {
    const char *name;
    unsigned traits;
    int family, type;
    const char *host; /* NULL: of a Unix socket */
};

/* What handlers in any process and the test see alike. */
struct contract_shared {
    atomic_int running, most; /* handlers at once: now, and ever */
    atomic_int turns;         /* of the serving loop */
    atomic_int logged[SKS_DEBUG + 1];
    atomic_int seen; /* whatever a case's handler counts */
};

/* One case's world, made anew for each. */
struct contract {
    const struct contract_transport *transport;
    const sks_strategy *strategy;
    void *config; /* the strategy's */
    unsigned traits;

    sks_server *server;
    struct server_thread serving, closing;
    struct trace trace;
    struct contract_shared *shared;
    char directory[64]; /* empty but for what the case makes */
    char path[96];      /* of the Unix socket, in directory */
    int port;           /* what to bind; 0: any.  Then what was bound */
    int clients;        /* how many there were */
    long number;        /* whatever a case tells its handler */
};

struct contract_case {
    const char *name;
    void (*run)(struct contract *);
};

struct contract_list {
    unsigned traits; /* what a pair must have; a list ends with no cases */
    const struct contract_case *cases;
    size_t n;
};

/* An entry of a list's cases; and a list, of an array of them. */
#define CONTRACT_CASE(function)                                                \
    {                                                                          \
        .name = #function, .run = function                                     \
    }
#define CONTRACT_LIST(needed, array)                                           \
    {                                                                          \
        .traits = (needed), .cases = (array),                                  \
        .n = sizeof(array) / sizeof *(array)                                   \
    }

/* A strategy that no library function finds. */
struct contract_strategy {
    const sks_strategy *table;
    void *config;
};

/* In contract_table.c; each ends with an entry of zeroes. */
extern const struct contract_list *const contract_lists[];
extern const struct contract_transport contract_transports[];
extern const struct contract_strategy contract_strategies[];

/* The lists, one array for each file of cases. */
extern const struct contract_list contract_life[];
extern const struct contract_list contract_hooks[];
extern const struct contract_list contract_server[];
extern const struct contract_list contract_paths[];
extern const struct contract_list contract_input[];
extern const struct contract_list contract_output[];
extern const struct contract_list contract_waits[];
extern const struct contract_list contract_offload[];
extern const struct contract_list contract_datagrams[];
extern const struct contract_list contract_stopping[];
extern const struct contract_list contract_draining[];
extern const struct contract_list contract_limits[];
extern const struct contract_list contract_descriptors[];
extern const struct contract_list contract_faults[];
extern const struct contract_list contract_peers[];
extern const struct contract_list contract_processes[];
extern const struct contract_list contract_bad_input[];

/* --- servers --- */

/* The table of a handler with handle alone. */
sks_handler contract_handler(int (*handle)(sks_request *));

/* Makes the pair's server, in ->server.  Its data is the contract; what it
 * logs is counted. */
void contract_make(struct contract *c, const sks_handler *handler);

/* The same in two steps, for cases that look at the constructor: NULL when out
 * of memory; and what contract_make() sets. */
sks_server *contract_new_server(struct contract *c, const sks_handler *handler);
void contract_set_up(struct contract *c);

/* Adds one more address of the pair's kind to the server.  Returns the path of
 * a Unix socket, good until the next call. */
const char *contract_add_address(struct contract *c);

/* For cases that have so many clients at once: sets max_workers, if the
 * strategy's own may be lower. */
void contract_need_workers(struct contract *c, unsigned n);

/* Binds, and learns the port. */
void contract_bind(struct contract *c);

/* Binds if nobody did, then serves in a thread. */
void contract_start(struct contract *c);

/* Makes a server of a handler with handle alone, and starts it. */
void contract_serve(struct contract *c, int (*handle)(sks_request *));

/* The same, and has a client of it say something.  Returns the client. */
int contract_serve_one(struct contract *c, int (*handle)(sks_request *),
                       const char *text);

/* Asks for shutdown, and waits until serve_forever returned 0. */
void contract_stop(struct contract *c);

/* Waits until serve_forever, or close, in its thread has ended; returns its
 * result. */
int contract_join(struct server_thread *thread);

/* Stops, if it serves, then closes: 0.  The server is still to be freed, which
 * happens after each case. */
void contract_close(struct contract *c);

/* Frees the server now. */
void contract_free(struct contract *c);

/* Waits until the serving loop has turned n times more.  Needs a
 * contract_count_turns() before the bind. */
void contract_turns(struct contract *c, int n);
void contract_count_turns(struct contract *c);

/* --- clients --- */

/* Where clients find the server, of the pair's first address. */
socklen_t contract_address(const struct contract *c,
                           struct sockaddr_storage *address);

/* An address of the pair's kind by port or path. */
socklen_t contract_address_of(const struct contract *c, int port,
                              const char *path,
                              struct sockaddr_storage *address);

/* A client of the server.  Of Unix datagrams it has a name of its own, so that
 * it can be answered. */
int contract_connect(struct contract *c);

/* A client of an address, likewise. */
int contract_connect_to(struct contract *c, const struct sockaddr_storage *to,
                        socklen_t len);

/* Connects, sends a word to an echo server, expects it back and leaves. */
void contract_echo(struct contract *c);

/* The same word by word: a datagram may get lost with a fault, so that it is
 * sent until an answer comes.  Returns 1 if the word came back, 0 if a stream
 * ended first. */
int contract_try_echo(struct contract *c);

/* --- handlers --- */

/* The contract that a request's server was made for. */
struct contract *contract_of(const sks_request *request);

/* Sends back what comes until end of file. */
int contract_echo_handle(sks_request *request);

/* Sends back line by line, until end of file. */
int contract_lines_handle(sks_request *request);

/* Waits at the trace's gate as a handler should: the strategy may run others
 * meanwhile.  0 when it was opened, -EIO after the deadline. */
int contract_wait(sks_request *request);

/* Tells "enter", waits at the gate, answers "done\n", tells "leave". */
int contract_gate_handle(sks_request *request);

/* handle_error for a server's set_handle_error(): tells "error:CODE". */
void contract_tell_error(void *arg, const sks_request *request, int error);

/* --- small things --- */

/* A file of n bytes that has no name any more, filled by contract_fill(). */
int contract_file(struct contract *c, size_t n);

/* Fills n bytes so that no two places look alike. */
void contract_fill(void *buf, size_t n);

/* How many descriptors the process has open. */
int contract_descriptors_open(void);

#endif
