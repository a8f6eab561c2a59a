/* Transports: where requests come from, and how their conversation is held.
 *
 * A stream transport accepts connections and gives each a stream whose layer
 * is a socket; a TLS layer would be put between the two here.  A datagram
 * transport receives packets and sends what was collected. */
#ifndef SKS__TRANSPORT_H
#define SKS__TRANSPORT_H

#include "address.h"

#include <sockserver.h>

#include <sys/types.h>

struct sks__listener;

enum sks__endpoint_kind {
    SKS__ENDPOINT_INET,
    SKS__ENDPOINT_PATH,
    SKS__ENDPOINT_FD
};

/* What was asked for, before bind; the server owns it and its text. */
struct sks__endpoint {
    enum sks__endpoint_kind kind;
    char *name; /* of a host, or a path; NULL: every address */
    int number; /* port or descriptor */
};

/* How connections and packets come; static tables. */
struct sks__transport {
    const char *name;
    int socktype; /* SOCK_STREAM or SOCK_DGRAM */
    /* Fills a new request with the next connection or packet.  -EAGAIN: there
     * is none; or an error. */
    int (*get_request)(struct sks__listener *, sks_request *);
    /* Optional, in its place: makes up to n requests of what has come.  How
     * many, -EAGAIN, or an error. */
    int (*get_requests)(struct sks__listener *, sks_server *, sks_request **,
                        size_t n);
    /* Optional: sends what n requests collected, SKS__PACKETS_MAX at most; each
     * one's result becomes an error if it was none and its reply could not be
     * sent. */
    void (*reply)(sks_request *const *, size_t n);
    /* The end of the conversation; wait: for the peer to take the reply. */
    void (*shutdown_request)(sks_request *, int wait);
    /* Ends the reading side, so that who reads sees end of file; or, if
     * `both`, all of it.  By another thread than the request's. */
    void (*interrupt)(sks_request *, int both);
    /* Frees what get_request gave. */
    void (*close_request)(sks_request *);
};

extern const struct sks__transport sks__stream_transport;
extern const struct sks__transport sks__datagram_transport;

/* Of an adopted socket: no time limit that a stream may have. */
enum { SKS__LIMIT_UNKNOWN = -2 };

/* A bound socket.  The server owns it. */
struct sks__listener {
    const struct sks__transport *transport;
    int fd;
    int family;
    int port;     /* 0 of Unix sockets */
    unsigned set; /* whose: see sks_strategy.listener_sets; 0: everybody's */
    struct sks__endpoint *adopted; /* bound elsewhere; NULL: by us */
    int limit_ms;          /* time limits that accepted sockets have; -1: none;
                              SKS__LIMIT_UNKNOWN */
    int knows_destination; /* packets tell which address they came to */
    struct sks__unix_path *path;  /* to remove on close; NULL: none */
    char text[SKS__ADDRESS_TEXT]; /* the address */
};

/* Each binds what its endpoint says and appends the listeners to the server's:
 * 0, or an error that sks__server_fail() has put into words. */
int sks__inet_bind(sks_server *server, const struct sks__endpoint *e);
int sks__unix_bind(sks_server *server, const struct sks__endpoint *e);
int sks__fd_bind(sks_server *server, struct sks__endpoint *e);

/* Binds a listener's address once more, as the set's: 0 or such an error. */
int sks__inet_bind_again(sks_server *server, size_t i, unsigned set);

/* Allows that to a bound socket: 0 or an error. */
int sks__inet_share_port(const struct sks__listener *l);

/* Makes a bound socket, whose transport and family are set, get requests. */
int sks__inet_activate(sks_server *server, struct sks__listener *l);

/* Removes the socket at a path, if it is still the one that was bound and
 * `remove` says so, and frees path.  NULL is allowed. */
void sks__unix_path_free(struct sks__unix_path *path, int remove);

#endif /* SKS__TRANSPORT_H */
