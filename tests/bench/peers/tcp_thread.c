/* Bare echo server: a new detached thread for each connection, blocking. */
#include "peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

static void *serve(void *arg)
{
    peer_echo((int)(intptr_t)arg);
    return NULL;
}

int main(int argc, char **argv)
{
    int listener = peer_open(argc, argv, SOCK_STREAM);
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = peer_accept(listener);

        errno =
            pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd);
        if (errno != 0)
            peer_fail("pthread_create");
    }
}
