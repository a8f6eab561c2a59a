/* One request: a connection or a packet, from get_request to its close. */
#ifndef SKS__REQUEST_H
#define SKS__REQUEST_H

#include "address.h"
#include "list.h"
#include "rfile.h"
#include "stream.h"
#include "wfile.h"

#include <sockserver.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>

struct sks__listener;

/* A packet, and where to send the reply from. */
struct sks__packet {
    char *bytes; /* in rfile's buffer, which frees them */
    size_t len;
    int truncated;
    struct sks__address destination; /* len 0: unknown */
    unsigned interface;              /* index; 0: any */
};

/* What the server and its strategy write down about a request, in a pool of its
 * own: a parent of forked children does so after each fork.  The strategy's
 * slot follows it. */
struct sks__booking {
    struct sks__list node; /* in server->requests */
    sks_request *request;  /* NULL: handed over to another process */
    struct sks__address peer;
    max_align_t slot[];
};

/* The request of a node in server->requests. */
#define SKS__BOOKED(n) (SKS__LIST_ENTRY(n, struct sks__booking, node)->request)

/* Made by sks__request_new(); freed when it is closed, by whoever took it.
 * running and runner are guarded by the server's lock, the rest is for the
 * thread that runs the request. */
struct sks_request {
    struct sks__booking *booking;
    sks_server *server;
    struct sks__listener *listener;
    unsigned stops_at_birth; /* see sks_request_stopping() */
    int running;
    int result;  /* of the handler, and of sending its reply */
    int exposed; /* see sks__server_expose() */
    pthread_t runner;
    struct sks__stream stream;
    sks_rfile rfile;
    sks_wfile wfile;
    int linger_ms; /* see sks_request_set_linger_ms() */
    struct sks__packet packet;
    void *self;
    char peer_text[SKS__ADDRESS_TEXT]; /* "" until asked for */
};

/* A request of the listener's server, with neither peer nor descriptor yet;
 * NULL when out of memory. */
sks_request *sks__request_new(sks_server *server,
                              struct sks__listener *listener);

/* The same for n of them, SKS__PACKETS_MAX at most.  Returns how many there
 * are, fewer when out of memory. */
size_t sks__requests_new(sks_server *server, struct sks__listener *listener,
                         sks_request **out, size_t n);

/* Ends a request's struct; its memory may be kept for the next. */
void sks__request_free(sks_request *request);

/* Frees the memory kept for further requests. */
void sks__requests_free_spares(sks_server *server);

/* Ends a request's struct, but not its booking. */
void sks__request_leave_booking(sks_request *request);

/* Ends the booking of a request that was handed over. */
void sks__booking_free(sks_server *server, struct sks__booking *booking);

/* What the request's waits go through. */
struct sks__waiter sks__request_waiter(const sks_request *request);

/* Ends a request without a handler: verify_request refused it. */
void sks__request_refuse(sks_request *request);

#endif /* SKS__REQUEST_H */
