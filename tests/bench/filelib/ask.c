/* Many connections on which the same line is sent again and again, each time
 * after the whole reply to the one before: a LIST, or a line to echo.
 *     ask PORT CONNECTIONS SECONDS GREETING_BYTES LINE
 * prints how many replies came, and how long one is.  The length of the reply
 * is found out by the first one, so it has to stay the same. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct asking {
    int fd;
    size_t missing; /* bytes of the reply */
};

static char line[256], buf[1 << 16];
static size_t line_n, reply_n;

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void send_line(int fd)
{
    if (send(fd, line, line_n, 0) != (ssize_t)line_n)
        fail("send");
}

static int open_connection(int port, size_t greeting)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (greeting > 0) {
        ssize_t n = recv(fd, buf, greeting, 0);

        if (n <= 0)
            fail("greeting");
        greeting -= (size_t)n;
    }
    return fd;
}

/* Takes the first reply to be over when nothing came for a moment. */
static size_t measure_reply(int fd)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    size_t sum = 0;

    send_line(fd);
    while (poll(&waited, 1, sum ? 300 : 10000) > 0) {
        ssize_t n = recv(fd, buf, sizeof buf, 0);

        if (n <= 0)
            fail("reply");
        sum += (size_t)n;
    }
    return sum;
}

static void receive(struct asking *asking, unsigned long *replies)
{
    ssize_t n = recv(asking->fd, buf, asking->missing, 0);

    if (n <= 0)
        fail("reply");
    asking->missing -= (size_t)n;
    if (asking->missing > 0)
        return;
    ++*replies;
    asking->missing = reply_n;
    send_line(asking->fd);
}

static unsigned long run(int epoll, double seconds)
{
    struct epoll_event events[64];
    double end = now_s() + seconds;
    unsigned long replies = 0;

    while (now_s() < end) {
        int n = epoll_wait(epoll, events, 64, 1000);

        for (int i = 0; i < n; i++)
            receive(events[i].data.ptr, &replies);
    }
    return replies;
}

int main(int argc, char **argv)
{
    size_t connections = argc == 6 ? strtoul(argv[2], NULL, 10) : 0;
    struct asking *all = calloc(connections + 1, sizeof *all);
    int epoll = epoll_create1(0);

    if (connections == 0 || !all)
        fail("usage");
    line_n = (size_t)snprintf(line, sizeof line, "%s\n", argv[5]);
    for (size_t i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN,
                                    .data = {.ptr = &all[i]}};

        all[i].fd = open_connection(atoi(argv[1]), strtoul(argv[4], NULL, 10));
        if (i == 0)
            reply_n = measure_reply(all[i].fd);
        all[i].missing = reply_n;
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    for (size_t i = 0; i < connections; i++)
        send_line(all[i].fd);
    printf("%lu %zu\n", run(epoll, strtod(argv[3], NULL)), reply_n);
    return 0;
}
