/* A server that a test runs in a thread of its own, and its clients. */
#ifndef UNIT_SERVING_H
#define UNIT_SERVING_H

#include "support/serverthread.h"
#include "support/trace.h"

#include <sockserver.h>

#include <netinet/in.h>

/* The test's own; what it needs beside this it keeps itself. */
struct unit_serving {
    sks_server *server; /* freed at the test's end */
    struct server_thread thread;
    struct trace trace;
    struct sockaddr_in address; /* of the server, once it is bound */
};

extern struct unit_serving serving;

/* As unit_begin() and unit_end(), for a test with a server. */
int serving_begin(void **state);
int serving_end(void **state);

/* Binds the server, which has a port of 127.0.0.1. */
void serving_bind(sks_server *server);

/* The address of a server at the port. */
void serving_set_port(int port);

/* Serves in the thread. */
void serving_start(void);

/* Waits until that has ended.  Returns what it returned. */
int serving_join(void);

/* Shuts the server down, and waits for that. */
void serving_stop(void);

/* A client that is connected to the server. */
int serving_client(int type);

#endif
