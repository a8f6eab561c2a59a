/* Bare UDP echo server: batches of up to 64 packets by recvmmsg and sendmmsg.
 * A packet that cannot be sent back is dropped, as UDP allows. */
#include "peer.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

enum { BATCH = 64, PACKET = 65536 };

static struct mmsghdr headers[BATCH];
static struct iovec vectors[BATCH];
static struct sockaddr_storage addresses[BATCH];
static char packets[BATCH][PACKET];

static void prepare(void)
{
    for (unsigned i = 0; i < BATCH; i++) {
        vectors[i].iov_base = packets[i];
        headers[i].msg_hdr.msg_name = &addresses[i];
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
}

/* The lengths tell the call what fits, and afterwards what came. */
static void reset(int n)
{
    for (int i = 0; i < n; i++) {
        vectors[i].iov_len = PACKET;
        headers[i].msg_hdr.msg_namelen = sizeof addresses[i];
    }
}

static void send_back(int fd, int n)
{
    for (int i = 0; i < n; i++)
        vectors[i].iov_len = headers[i].msg_len;
    for (int sent = 0; sent < n;) {
        int rc = sendmmsg(fd, headers + sent, (unsigned)(n - sent), 0);

        sent += rc > 0 ? rc : 1;
    }
}

int main(int argc, char **argv)
{
    int fd = peer_open(argc, argv, SOCK_DGRAM);

    prepare();
    reset(BATCH);
    for (;;) {
        int n = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);

        if (n > 0) {
            send_back(fd, n);
            reset(n);
        }
    }
}
