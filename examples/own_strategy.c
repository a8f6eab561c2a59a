/* A strategy of one's own: each request runs in a new detached thread.  It
 * needs the installed headers only.  Build it, run it (a port may follow), and
 * try it in another terminal:
 *   cc own_strategy.c $(pkg-config --cflags --libs libsockserver) -pthread
 *   ./a.out
 *   nc 127.0.0.1 7777 */
#include <sockserver.h>
#include <sockserver/strategy.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

//! [self]
/* The strategy's memory, one for each server. */
struct detached {
    pthread_attr_t attr;
};
//! [self]

//! [start]
static int start(void *self, sks_server *server, void *config)
{
    struct detached *detached = self;
    int rc = pthread_attr_init(&detached->attr);

    (void)server;
    (void)config;
    if (rc == 0)
        rc = pthread_attr_setdetachstate(&detached->attr,
                                         PTHREAD_CREATE_DETACHED);
    return -rc;
}
//! [start]

//! [process_request]
static void *run(void *arg)
{
    sks_request *request = arg;
    sks_server *server = sks_request_server(request);

    sks_request_run(request);
    sks_server_release(server);
    return NULL;
}

static int process_request(void *self, sks_request *request)
{
    struct detached *detached = self;
    sks_server *server = sks_request_server(request);
    pthread_t thread;
    int rc;

    /* Nobody joins the thread, so it may outlive the server's close. */
    sks_server_hold(server);
    rc = pthread_create(&thread, &detached->attr, run, request);
    if (rc)
        sks_server_release(server);
    return -rc;
}
//! [process_request]

//! [stop]
static void stop(void *self, sks_server *server, int block)
{
    struct detached *detached = self;

    (void)server;
    (void)block;
    pthread_attr_destroy(&detached->attr);
}
//! [stop]

//! [table]
static const sks_strategy detached_threads = {
    .size = sizeof detached_threads,
    .name = "detached-threads",
    .flags = SKS_SHARES_MEMORY | SKS_PARALLEL,
    .max_workers = 64,
    .self_size = sizeof(struct detached),
    .start = start,
    .process_request = process_request,
    .stop = stop,
};
//! [table]

static int shout(sks_request *request)
{
    char line[256];
    ssize_t n;

    while ((n = sks_rfile_readline(sks_request_rfile(request), line,
                                   sizeof line)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (line[i] >= 'a' && line[i] <= 'z')
                line[i] = (char)(line[i] - 'a' + 'A');
        sks_wfile_write(sks_request_wfile(request), line, (size_t)n);
    }
    return (int)n;
}

int main(int argc, char **argv)
{
    const sks_handler handler = {.size = sizeof handler, .handle = shout};
    int port = argc > 1 ? atoi(argv[1]) : 7777;
    sks_server *server = sks_tcp_server_new("127.0.0.1", port, &handler);
    int rc;

    sks_server_set_strategy(server, &detached_threads, NULL);
    sks_server_shutdown_on_signals(server);
    rc = sks_server_bind(server);
    if (rc == 0) {
        printf("own_strategy: shout on tcp %s (%s)\n",
               sks_server_address(server, 0),
               sks_strategy_name(&detached_threads));
        fflush(stdout);
        rc = sks_server_serve_forever(server);
    }
    if (rc < 0)
        fprintf(stderr, "own_strategy: %s\n", sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
