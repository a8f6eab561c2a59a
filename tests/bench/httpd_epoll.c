/* The floor of the benchmark: a bare epoll loop that answers each request with
 * a reply made beforehand, head and content together, and whose connections
 * come with their first bytes and with their options from the listener.  Its
 * arguments are a port and files, each served under its last name; it
 * understands nothing else, and trusts its clients. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPLIES = 8, EVENTS = 256 };

struct reply {
    const char *name;
    char *bytes;
    size_t len;
};

/* What is left to be sent, and whether that ends the connection. */
struct connection {
    int fd;
    int close;
    const char *bytes;
    size_t len;
};

static struct reply replies[REPLIES];
static int reply_count;

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void load(const char *path)
{
    struct reply *r = &replies[reply_count++];
    int fd = open(path, O_RDONLY);
    struct stat st;
    int head;

    if (fd < 0 || fstat(fd, &st) < 0)
        give_up(path);
    r->name = strrchr(path, '/') + 1;
    r->bytes = malloc((size_t)st.st_size + 256);
    head = sprintf(r->bytes,
                   "HTTP/1.1 200 OK\r\nServer: floor\r\n"
                   "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                   "Content-Type: application/octet-stream\r\n"
                   "Content-Length: %lld\r\n\r\n",
                   (long long)st.st_size);
    for (r->len = (size_t)head; r->len < (size_t)head + (size_t)st.st_size;) {
        ssize_t n = read(fd, r->bytes + r->len,
                         (size_t)head + (size_t)st.st_size - r->len);

        if (n <= 0)
            give_up(path);
        r->len += (size_t)n;
    }
    close(fd);
}

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 4096) < 0)
        give_up("listening");
    getsockname(fd, (struct sockaddr *)&address, &len);
    printf("floor: on http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void finish(struct connection *c)
{
    close(c->fd);
    free(c);
}

/* Sends on: 1 if all of it is sent and the connection goes on. */
static int send_rest(int epoll, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    ssize_t n = send(c->fd, c->bytes, c->len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        finish(c);
        return 0;
    }
    c->bytes += n > 0 ? n : 0;
    c->len -= n > 0 ? (size_t)n : 0;
    if (c->len > 0) {
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
        return 0;
    }
    if (!c->close)
        return 1;
    finish(c);
    return 0;
}

static void answer(int epoll, struct connection *c)
{
    char request[4096];
    ssize_t n = recv(c->fd, request, sizeof request - 1, 0);

    if (n <= 0) {
        finish(c);
        return;
    }
    request[n] = '\0';
    c->close = strstr(request, "Connection: close") != NULL;
    for (int i = 0; i < reply_count; i++) {
        size_t len = strlen(replies[i].name);

        if (strncmp(request + 5, replies[i].name, len) == 0 &&
            request[5 + len] == ' ') {
            c->bytes = replies[i].bytes;
            c->len = replies[i].len;
        }
    }
    send_rest(epoll, c);
}

static void admit(int epoll, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        c->fd = fd;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void handle(int epoll, const struct epoll_event *event)
{
    struct connection *c = event->data.ptr;
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = c};

    if (c->len == 0)
        answer(epoll, c);
    else if (send_rest(epoll, c))
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &input);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};
    int epoll = epoll_create1(0);
    int listener;

    for (int i = 2; i < argc && reply_count < REPLIES; i++)
        load(argv[i]);
    listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                admit(epoll, listener);
            else
                handle(epoll, &events[i]);
        }
    }
}
