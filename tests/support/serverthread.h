/* A thread that serves, and one that closes: what a test waits for with a
 * deadline, instead of in pthread_join(). */
#ifndef SUPPORT_SERVERTHREAD_H
#define SUPPORT_SERVERTHREAD_H

#include <pthread.h>
#include <sockserver.h>

/* A call of the library in a thread of its own. */
struct server_thread {
    int (*call)(sks_server *); /* sks_server_serve_forever, for one */
    sks_server *server;
    pthread_t thread;
    int result;  /* of the call, once it has ended */
    int done[2]; /* a pipe: readable once it has */
    int running; /* started and not joined */
};

/* Starts the call.  Returns 0, or -1. */
int server_thread_start(struct server_thread *thread, int (*call)(sks_server *),
                        sks_server *server);

/* True once the call has ended. */
int server_thread_ended(const struct server_thread *thread);

/* Waits until it has, and joins the thread.  Returns 0 with the call's result
 * in .result; -1 after the deadline, when the thread is left alone. */
int server_thread_join(struct server_thread *thread);

#endif
