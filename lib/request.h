/* One request: a connection or a packet, from get_request to its close. */
#ifndef SKS__REQUEST_H
#define SKS__REQUEST_H

#include "address.h"
#include "cpu.h"
#include "list.h"
#include "rfile.h"
#include "stream.h"
#include "wfile.h"

#include <sockserver.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

struct sks__listener;

/* A packet, and where to send the reply from. */
struct sks__packet {
    char *bytes; /* in rfile's buffer, which frees them */
    size_t len;
    int truncated;
    unsigned interface;              /* index; 0: any */
    struct sks__address destination; /* len 0: unknown */
};

/* What the server and its strategy write down about a request, in a pool of its
 * own: a parent of forked children does so after each fork.  The strategy's
 * slot follows it, and then the peer's address, for which there is no more room
 * than the server's peers need. */
struct sks__booking {
    struct sks__list node; /* in server->requests */
    sks_request *request;  /* NULL: handed over to another process */
    max_align_t slot[];
};

/* The request of a node in server->requests. */
#define SKS__BOOKED(n) (SKS__LIST_ENTRY(n, struct sks__booking, node)->request)

/* Made by sks__request_new(); freed when it is closed, by whoever took it.  All
 * of it is for the thread that runs the request, but running and runner, at
 * which others look with the server's lock: runner, and exposed with it, is
 * written with that lock, which its own thread need not have to read it.  What
 * each read and write touches comes first: with thousands of connections each
 * cache line counts. */
struct sks_request {
    alignas(SKS__CACHE_LINE) sks_wfile wfile;
    sks_rfile rfile;
    struct sks__stream stream;
    struct sks__booking *booking;
    sks_server *server;
    struct sks__listener *listener;
    unsigned stops_at_birth; /* see sks_request_stopping() */
    int result;              /* of the handler, and of sending its reply */
    atomic_int running;      /* now or earlier */
    int exposed;             /* while it runs: see sks__server_expose() */
    pthread_t runner;        /* who took it, then who runs it */
    int linger_ms;           /* see sks_request_set_linger_ms() */
    int has_peer_text;
    int closes_at_exit; /* the process ends with it */
    void *self;
    struct sks__packet packet;
    char peer_text[SKS__ADDRESS_TEXT]; /* once it was asked for */
};

/* A request of the listener's server, with neither peer nor descriptor yet,
 * whose stream and files must be opened before they are used, but not to close
 * it; NULL when out of memory. */
sks_request *sks__request_new(sks_server *server,
                              struct sks__listener *listener);

/* The same for n of them, SKS__PACKETS_MAX at most.  Returns how many there
 * are, fewer when out of memory. */
size_t sks__requests_new(sks_server *server, struct sks__listener *listener,
                         sks_request **out, size_t n);

/* The address of the peer, which takes layout.peer_max bytes. */
struct sks__address *sks__request_peer(const sks_request *request);
struct sks__address *sks__booking_peer(const sks_server *server,
                                       struct sks__booking *booking);

/* In a request of a server that gets packets: SKS__BUFFER_SMALL bytes for its
 * packet, and as many for the reply, which are part of its memory. */
char *sks__request_packet_room(sks_request *request);
char *sks__request_reply_room(sks_request *request);

/* Ends a request's struct; its memory may be kept for the next. */
void sks__request_free(sks_request *request);
void sks__requests_free(sks_request *const *requests, size_t n);

/* Frees the memory kept for further requests. */
void sks__requests_free_spares(sks_server *server);

/* Ends a request's struct, but not its booking. */
void sks__request_leave_booking(sks_request *request);

/* Ends the booking of a request that was handed over. */
void sks__booking_free(sks_server *server, struct sks__booking *booking);

/* With the server's lock: whether the requests of a listener are exposed that
 * the calling thread runs: see sks__server_expose(). */
int sks__listener_exposes(const sks_server *server,
                          const struct sks__listener *listener, pthread_t self);

/* What the request's waits go through. */
struct sks__waiter sks__request_waiter(const sks_request *request);

/* Ends a request without a handler: verify_request refused it. */
void sks__request_refuse(sks_request *request);

#endif /* SKS__REQUEST_H */
