/* Bare echo server: one connection after the other, blocking. */
#include "peer.h"

#include <sys/socket.h>

int main(int argc, char **argv)
{
    int listener = peer_open(argc, argv, SOCK_STREAM);

    for (;;)
        peer_echo(peer_accept(listener));
}
