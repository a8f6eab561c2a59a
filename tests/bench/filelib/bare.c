#include "bare.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

void bare_fail(const char *what)
{
    perror(what);
    exit(1);
}

int bare_listen(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) < 0 ||
        listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) < 0)
        bare_fail("listen");
    printf("bare: 127.0.0.1:%u \n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}
