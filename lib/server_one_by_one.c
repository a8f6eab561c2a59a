/* A worker's loop: each request in its one thread.
 *
 * The worker waits for the listeners in a poller of its own, of which the
 * system wakes one for each connection: all in poll(2) would be woken for each,
 * and all but one in vain. */
#include "error.h"
#include "poller.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>

/* How long it rests when no requests can be had. */
enum { REST_MS = 100 };

/* Embedded in its loop's frame. */
struct turnstile {
    sks_server *server;
    struct sks__poller poller;
    struct sks__poller_node stop;
    struct sks__poller_node *listeners;
};

static int watch(struct turnstile *t)
{
    sks_server *server = t->server;
    int rc =
        sks__poller_add(&t->poller, &t->stop, server->stop.read_fd, POLLIN);

    for (size_t i = 0; rc == 0 && i < server->listener_count; i++)
        rc = sks__poller_add_shared(&t->poller, &t->listeners[i],
                                    server->listeners[i].fd);
    return rc;
}

static int open_turnstile(struct turnstile *t)
{
    int rc;

    t->listeners = calloc(t->server->listener_count, sizeof *t->listeners);
    if (t->listeners == NULL)
        return -ENOMEM;
    rc = sks__poller_open(&t->poller);
    if (rc == 0) {
        rc = watch(t);
        if (rc == 0)
            return 0;
        sks__poller_close(&t->poller);
    }
    free(t->listeners);
    return rc;
}

static void close_turnstile(struct turnstile *t)
{
    sks__poller_close(&t->poller);
    free(t->listeners);
}

/* The listener that is ready, or -1 to look around again. */
static int await_listener(struct turnstile *t)
{
    struct sks__poller_event event;
    int rc = sks__poller_wait(&t->poller, &event, 1, -1);

    if (rc < 0)
        sks__fd_wait(t->server->stop.read_fd, POLLIN, REST_MS);
    return rc == 1 && event.node != &t->stop ? (int)(event.node - t->listeners)
                                             : -1;
}

/* Runs what the listener has: 0, or why no more can be had. */
static int run_next(sks_server *server, size_t listener)
{
    sks_request *request;
    int rc = sks_server_get_requests(server, listener, &request, 1);

    if (rc == 1)
        sks_request_run(request);
    else if (rc < 0 && sks__error_is_shortage(rc))
        sks__fd_wait(server->stop.read_fd, POLLIN, REST_MS);
    else if (rc < 0 && rc != SKS_ETIMEDOUT && rc != SKS_ECLOSED)
        return rc;
    return 0;
}

int sks__server_run_one_by_one(sks_server *server)
{
    struct turnstile t = {.server = server};
    int rc = open_turnstile(&t);

    if (rc < 0)
        return rc;
    while (rc == 0 && !sks_server_stopping(server)) {
        int listener = await_listener(&t);

        if (listener >= 0)
            rc = run_next(server, (size_t)listener);
    }
    close_turnstile(&t);
    return rc;
}
