/* Bare echo server: WORKERS threads that each accept for themselves. */
#include "peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

static void *work(void *arg)
{
    int listener = (int)(intptr_t)arg;

    for (;;)
        peer_echo(peer_accept(listener));
    return NULL;
}

int main(int argc, char **argv)
{
    int listener = peer_open(argc, argv, SOCK_STREAM);
    unsigned workers = peer_workers(argc, argv);
    pthread_t thread;

    for (unsigned i = 1; i < workers; i++) {
        errno = pthread_create(&thread, NULL, work, (void *)(intptr_t)listener);
        if (errno != 0)
            peer_fail("pthread_create");
    }
    work((void *)(intptr_t)listener);
}
