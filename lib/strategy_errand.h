/* A child process for one request: what the forking strategy does for each, and
 * prefork for one that the program asks for.  One thread at a time. */
#ifndef SKS__STRATEGY_ERRAND_H
#define SKS__STRATEGY_ERRAND_H

#include "children.h"

#include <sockserver/strategy.h>

/* What a request holds while a child runs it: its slot. */
struct sks__errand {
    struct sks__child child;
    sks_request *request;
};

/* Forks a child of the set, which runs the request: 0, or an error that leaves
 * the request with the caller. */
int sks__errand_run(struct sks__children *children, sks_request *request);

/* Ends the requests of the children that have ended. */
void sks__errand_reap(struct sks__children *children, sks_server *server);

/* Closes the set.  What still runs goes on without a parent's half. */
void sks__errand_let_go(struct sks__children *children);

#endif /* SKS__STRATEGY_ERRAND_H */
