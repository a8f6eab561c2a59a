/* See peer.h. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void peer_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static unsigned argument(int argc, char **argv, int i, unsigned fallback)
{
    char *end;
    unsigned long value;

    if (i >= argc)
        return fallback;
    value = strtoul(argv[i], &end, 10);
    if (end == argv[i] || *end != '\0' || value > 65535) {
        fprintf(stderr, "usage: %s PORT [WORKERS]\n", argv[0]);
        exit(2);
    }
    return (unsigned)value;
}

static void announce(const char *program, int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        peer_fail("getsockname");
    printf("%s: echo on 127.0.0.1:%u\n", program, ntohs(address.sin_port));
    fflush(stdout);
}

int peer_open(int argc, char **argv, int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)argument(argc, argv, 1, 0));
    if (fd < 0)
        peer_fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        peer_fail("bind");
    if (!(type & SOCK_DGRAM) && listen(fd, PEER_BACKLOG) < 0)
        peer_fail("listen");
    announce(argv[0], fd);
    return fd;
}

unsigned peer_workers(int argc, char **argv)
{
    return argument(argc, argv, 2, 4);
}

int peer_accept(int listener)
{
    int fd;

    do
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0)
        peer_fail("accept");
    return fd;
}

static int send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

void peer_echo(int fd)
{
    char buf[PEER_BUFFER];
    ssize_t n;

    do
        n = read(fd, buf, sizeof buf);
    while (n > 0 && send_all(fd, buf, (size_t)n) == 0);
    close(fd);
}
