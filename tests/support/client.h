/* The other end of a connection, as a test plays it.
 *
 * Each function that may wait does so against the deadline and fails the test
 * after it: they are for the test's own thread.  Server and client live in one
 * process here, so that a forked child would keep copies of the clients' ends:
 * it closes them as it is born. */
#ifndef SUPPORT_CLIENT_H
#define SUPPORT_CLIENT_H

#include <stddef.h>
#include <sys/socket.h>

/* A new socket, closed on exec. */
int client_open(int family, int type);

/* Connects a new socket.  Returns it. */
int client_connect(int type, const struct sockaddr *address, socklen_t len);

/* The same for a server that may not be there.  Returns the socket, or the
 * errno negated. */
int client_try_connect(int type, const struct sockaddr *address, socklen_t len);

/* Closes a client, or all there are. */
void client_close(int fd);
void client_close_all(void);

/* Closes a connection so that its peer is told of an error: a reset where the
 * protocol has one. */
void client_reset(int fd);

/* Says that the client has no more to send. */
void client_finish(int fd);

/* Sends n bytes, or a string.  A datagram client sends one packet. */
void client_send(int fd, const void *buf, size_t n);
void client_say(int fd, const char *text);

/* Sends as client_send() does, up to n bytes.  Returns 0 once the peer takes
 * no more, or 1. */
int client_try_send(int fd, const void *buf, size_t n);

/* Receives exactly n bytes of a stream. */
void client_receive(int fd, void *buf, size_t n);

/* Receives what comes next, up to n bytes.  Returns how many: 0 is the end of
 * a stream, -1 its reset. */
long client_receive_some(int fd, void *buf, size_t n);

/* Receives exactly this string; from a datagram client, as one packet. */
void client_expect(int fd, const char *text);

/* Waits for the end of the stream, which nothing may precede. */
void client_expect_eof(int fd);

/* Waits until the peer is gone, in whatever way, and forgets what it said. */
void client_expect_gone(int fd);

/* Fails if something is there to receive now. */
void client_expect_silence(int fd);

/* Sends n bytes to an echo server and receives them back, both at once. */
void client_exchange(int fd, const void *buf, size_t n);

/* Shows what is there to receive now, without taking it: the number of bytes,
 * -1 if there is nothing. */
long client_waiting(int fd);

#endif
