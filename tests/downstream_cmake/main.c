/* A strategy of the user's own, made from the installed headers alone: it
 * takes turns, replacing the server's loop by one of its own, and counts. */
#include <sockserver.h>
#include <sockserver/strategy.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 100

struct turns {
    int started;
    int stopped;
    int taken;
};

static int start(void *self, sks_server *server, void *config)
{
    struct turns **turns = self;

    (void)server;
    *turns = config;
    (*turns)->started++;
    return 0;
}

static int process_request(void *self, sks_request *request)
{
    struct turns **turns = self;

    (*turns)->taken++;
    sks_request_run(request);
    return 0;
}

static int serve(void *self, sks_server *server)
{
    sks_request *request;
    int rc;

    do {
        rc = sks_server_get_request(server, &request, -1);
        if (rc == 0)
            process_request(self, request);
    } while (rc == 0 || rc == -EAGAIN);
    return rc == SKS_ECLOSED ? 0 : rc;
}

static void stop(void *self, sks_server *server, int block)
{
    struct turns **turns = self;

    (void)server;
    (void)block;
    (*turns)->stopped++;
}

static const sks_strategy in_turns = {
    .size = sizeof in_turns,
    .name = "in-turns",
    .flags = SKS_SHARES_MEMORY,
    .max_workers = 1,
    .self_size = sizeof(struct turns *),
    .start = start,
    .process_request = process_request,
    .serve = serve,
    .stop = stop,
};

static int echo_byte(sks_request *request)
{
    char byte;

    if (sks_rfile_read(sks_request_rfile(request), &byte, 1) != 1)
        return SKS_ECLOSED;
    return sks_wfile_write(sks_request_wfile(request), &byte, 1);
}

static void *serve_forever(void *server)
{
    static int rc;

    rc = sks_server_serve_forever(server);
    return &rc;
}

/* True if a client gets its byte back. */
static int is_echoed(int port, char byte)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        write(fd, &byte, 1) != 1 || read(fd, &answer, 1) != 1)
        perror("client");
    close(fd);
    return answer == byte;
}

int main(void)
{
    const sks_handler handler = {.size = sizeof handler, .handle = echo_byte};
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    struct turns turns = {0};
    pthread_t thread;
    void *rc;
    int echoed = 0;

    sks_server_set_strategy(server, &in_turns, &turns);
    if (sks_server_bind(server) < 0) {
        fprintf(stderr, "%s\n", sks_server_error(server));
        return 1;
    }
    pthread_create(&thread, NULL, serve_forever, server);
    for (int i = 0; i < TURNS; i++)
        echoed += is_echoed(sks_server_port(server), (char)('0' + i % 10));
    sks_server_shutdown(server);
    pthread_join(thread, &rc);
    sks_server_free(server);
    printf("%d echoed, %d taken, %d started, %d stopped, returned %d\n", echoed,
           turns.taken, turns.started, turns.stopped, *(int *)rc);
    return !(echoed == TURNS && turns.taken == TURNS && turns.started == 1 &&
             turns.stopped == 1 && *(int *)rc == 0);
}
