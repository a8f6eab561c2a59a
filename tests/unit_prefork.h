/* A server of prefork's processes, which say who they are, and its clients. */
#ifndef UNIT_PREFORK_H
#define UNIT_PREFORK_H

#include "unit_serving.h"

#include <sockserver/strategy.h>

/* What a test has beside its server. */
struct prefork_test {
    sks_prefork_config config;
    int refuses; /* every request */
};

extern struct prefork_test prefork_test;

/* Says which process answers, and does what it is told. */
int prefork_handle(sks_request *request);

/* Binds a server of so many processes, or serves with it, too. */
void prefork_make_over(const sks_strategy *strategy, unsigned workers);
void prefork_serve(unsigned workers);

/* serving_begin(), with a config of defaults. */
int prefork_begin(void **state);

/* A client that has said something. */
int prefork_say(const char *line);

/* The process that answers it, 0 if the connection is lost. */
long prefork_answer(int fd);

/* Both: who answers? */
long prefork_ask(void);

/* Holds a worker up in a request.  Returns its process. */
long prefork_hold_up(int *fd);

/* sks_server_count(), and until it is n. */
unsigned long prefork_count(int what);
void prefork_expect_count(int what, unsigned long n);

#endif /* UNIT_PREFORK_H */
