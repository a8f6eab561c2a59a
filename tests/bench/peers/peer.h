/* What the bare servers share: the command line, the listener and the
 * blocking echo.
 *
 * Each takes PORT [WORKERS], listens on 127.0.0.1, says one line, and serves
 * until a signal ends it.  A fault ends the program with a line on standard
 * error. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

enum { PEER_BUFFER = 16384, PEER_BACKLOG = 4096 };

/* Ends the program with the system's error. */
_Noreturn void peer_fail(const char *what);

/* A socket of the type (SOCK_STREAM, perhaps with SOCK_NONBLOCK, or
 * SOCK_DGRAM) bound to the port of the command line, and announced. */
int peer_open(int argc, char **argv, int type);

/* The number of workers from the command line, or 4. */
unsigned peer_workers(int argc, char **argv);

/* The next connection, blocking. */
int peer_accept(int listener);

/* Echoes with blocking calls until the client closes; closes fd. */
void peer_echo(int fd);

#endif
