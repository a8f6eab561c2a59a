/* What the tests of single sources share.  Each test fails if it leaves a
 * descriptor, a thread, a child or memory of the library behind. */
#ifndef UNIT_H
#define UNIT_H

#include "support/check.h"
#include "support/deadline.h"
#include "support/fault.h"
#include "support/real.h"

#include <sockserver.h>

/* A test for cmocka's list. */
#define UNIT_TEST(test)                                                        \
    cmocka_unit_test_setup_teardown(test, unit_begin, unit_end)

int unit_begin(void **state);
int unit_end(void **state);

/* The bytes that tests move: byte i of a pattern that repeats late. */
void unit_fill(void *buf, size_t n, size_t from);

/* Fails unless these are the pattern's bytes. */
void unit_expect(const void *buf, size_t n, size_t from);

/* A connected pair of Unix sockets. */
void unit_pair(int type, int fds[2]);

/* A nameless file with n bytes of the pattern. */
int unit_file(size_t n);

/* Lets files grow to n bytes and no further; -1: as large as they like.  No
 * signal tells of it. */
void unit_limit_files(long n);

/* Runs in a forked child, whose result is its exit status.  Nothing may be
 * asserted there.  Returns the status as waitpid(2) tells it. */
int unit_fork(int (*run)(void *), void *arg);

/* Counts the SIGPIPEs that this process gets from here on, until
 * unit_forget_pipes() gives the signal back. */
void unit_count_pipes(void);
int unit_pipes(void);
void unit_forget_pipes(void);

/* A handler that does nothing. */
const sks_handler *unit_handler(void);

/* The process_request of strategies that get their requests themselves. */
int unit_process_none(void *self, sks_request *request);

/* A TCP server on a port of the system's choice, not bound yet. */
sks_server *unit_server(void);

/* A client that is connected to a TCP listener. */
int unit_client(int listener);

/* Fails unless each call that can tells the server's fault, and in these words;
 * frees the server. */
void unit_expect_fault(sks_server *server, int error, const char *words);

#endif
