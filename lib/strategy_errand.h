/* A child process for one request: what the forking strategy does for each, and
 * prefork for one that the program asks for.
 *
 * A child that runs a request is told of a shutdown by its connection, whose
 * reading side is shut down, so that no read need wait for anything else.  Any
 * process may do that which has the socket.  Where the system lets a parent
 * borrow a descriptor of its child, the parent does so just then, and closes
 * its half once the child is there; else it keeps that half. */
#ifndef SKS__STRATEGY_ERRAND_H
#define SKS__STRATEGY_ERRAND_H

#include "children.h"

#include <sockserver/strategy.h>

#include <pthread.h>

/* What a request holds while a child runs it: its slot. */
struct sks__errand {
    struct sks__child child;
    sks_request *request; /* NULL: handed over */
    int fd;               /* the connection in the child; -1: a packet */
};

/* The errands of one process.  All but sks__errands_interrupt() are for one
 * thread at a time. */
struct sks__errands {
    struct sks__children children;
    pthread_mutex_t lock; /* guards the children against interrupts */
    enum sks__lending { SKS__UNTRIED, SKS__LENDS, SKS__LENDS_NOT } lending;
    int forked; /* a child, in this turn: one is reaped in return */
};

/* 0 or an error.  Ended with sks__errands_close(). */
int sks__errands_open(struct sks__errands *errands);

/* Forks a child, which runs the request: 0, or an error that leaves the request
 * with the caller. */
int sks__errands_run(struct sks__errands *errands, sks_request *request);

/* Ends the requests of the children that have ended; for each turn of the
 * server. */
void sks__errands_tend(struct sks__errands *errands, sks_server *server);

/* Tells the requests of all children to end: see sks_strategy.interrupt.  Any
 * thread. */
void sks__errands_interrupt(struct sks__errands *errands, int both);

/* Ends all children by force. */
void sks__errands_kill(struct sks__errands *errands);

/* The i-th descriptor to wait for, -1 past the last. */
int sks__errands_fileno(const struct sks__errands *errands, size_t i);

/* Ends the set.  What still runs goes on by itself. */
void sks__errands_close(struct sks__errands *errands, sks_server *server);

#endif /* SKS__STRATEGY_ERRAND_H */
