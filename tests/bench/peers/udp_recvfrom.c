/* Bare UDP echo server: one recvfrom and one sendto a packet. */
#include "peer.h"

#include <netinet/in.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    static char buf[65536];
    int fd = peer_open(argc, argv, SOCK_DGRAM);

    for (;;) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        ssize_t n =
            recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&peer, &len);

        if (n >= 0)
            sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&peer, len);
    }
}
