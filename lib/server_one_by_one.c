/* A worker's loop: each request in its one thread.
 *
 * The worker waits for the listeners in a lookout of its own, so that the
 * system wakes one for each connection: all in poll(2) would be woken for each,
 * and all but one in vain. */
#include "buffer.h"
#include "error.h"
#include "lookout.h"
#include "server.h"

#include <errno.h>

/* How long it rests when no requests can be had. */
enum { REST_MS = 100 };

/* How many buffers it keeps for the next request: for a packet and its reply,
 * or for a connection's input. */
enum { BUFFERS_KEPT = 2 };

static int open_lookout(struct sks__lookout *l, const sks_server *server)
{
    int fds[SKS__LISTENERS_MAX];

    for (size_t i = 0; i < server->listener_count; i++)
        fds[i] = server->listeners[i].fd;
    return sks__lookout_open(l, server->stop.read_fd, fds,
                             server->listener_count);
}

static void rest(const sks_server *server)
{
    sks__fd_wait(server->stop.read_fd, POLLIN, REST_MS);
}

/* Runs what the listener has: 1 if there was something, 0, or why no more can
 * be had. */
static int run_next(sks_server *server, size_t listener)
{
    sks_request *request;
    int rc = sks_server_get_requests(server, listener, &request, 1);

    if (rc == 1)
        sks_request_run(request);
    else if (rc < 0 && sks__error_is_shortage(rc))
        rest(server);
    else if (rc < 0 && rc != SKS_ETIMEDOUT && rc != SKS_ECLOSED)
        return rc;
    return rc == 1;
}

/* Waits, and runs what comes: 0 or an error that lasts. */
static int take_turn(sks_server *server, struct sks__lookout *l)
{
    int listener, rc = sks__lookout_wait(l, &listener, -1);

    if (rc < 0)
        rest(server);
    if (rc < 0 || listener < 0)
        return 0;
    rc = run_next(server, (size_t)listener);
    sks__lookout_note(l, rc > 0);
    return rc < 0 ? rc : 0;
}

int sks__server_run_one_by_one(sks_server *server)
{
    struct sks__lookout lookout;
    int rc = open_lookout(&lookout, server);

    if (rc < 0)
        return rc;
    sks__buffer_keep(BUFFERS_KEPT);
    while (rc == 0 && !sks_server_stopping(server))
        rc = take_turn(server, &lookout);
    sks__buffer_keep(0);
    sks__lookout_close(&lookout);
    return rc;
}
