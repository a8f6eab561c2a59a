/* How the coroutine strategy's workers get requests and run each in a
 * coroutine. */
#include "strategy_coroutine.h"

#include <string.h>

/* How long listeners rest when the system lacks resources. */
enum { REST_MS = 100 };

/* After how many tries that found packets their listener leaves the poller: the
 * system goes through its entries at each packet, as lookout.h says. */
enum { TRIES_TO_LEAVE = 8 };

/* For so many connections in a row, at most, nobody looks for further ones. */
enum { ALONE_MOST = 15 };

/* --- listening --- */

static void accept_some(struct sks__source *source, short events);
static void try_again(struct sks__task *task);

/* One that cannot be waited for now is tried again after a rest: perhaps no
 * other worker has it. */
static void add_listeners(struct sks__coworker *w)
{
    int fd;

    while (w->listener_count < SKS__COLISTENERS_MAX &&
           (fd = sks_server_listener_fileno(w->all->server,
                                            w->listener_count)) >= 0) {
        struct sks__colistener *l = &w->listeners[w->listener_count];

        l->worker = w;
        l->source.ready = accept_some;
        l->task.run = try_again;
        l->optimism = (struct sks__optimism){.found = 0};
        l->away = 0;
        if (sks__poller_add_shared(&w->loop.poller, &l->source.node, fd) < 0) {
            sks__loop_set_alarm(&w->loop, &w->rested, REST_MS);
            break;
        }
        w->listener_count++;
    }
}

static void leave(struct sks__colistener *l)
{
    if (!l->away)
        sks__poller_remove(&l->worker->loop.poller, &l->source.node);
    l->away = 1;
}

static void remove_listeners(struct sks__coworker *w)
{
    while (w->listener_count > 0)
        leave(&w->listeners[--w->listener_count]);
}

/* Requests cannot be had for a while. */
static void rest(struct sks__coworker *w)
{
    remove_listeners(w);
    sks__loop_set_alarm(&w->loop, &w->rested, REST_MS);
}

/* Takes up the listeners again, if none is waited for. */
static void resume_listening(struct sks__coworker *w)
{
    if (w->listening && w->listener_count == 0)
        add_listeners(w);
}

void sks__coworker_rested(struct sks__alarm *alarm)
{
    struct sks__coworker *w =
        SKS__LIST_ENTRY(alarm, struct sks__coworker, rested);

    if (w->listening)
        add_listeners(w);
}

void sks__coworker_set_listening(struct sks__coworker *w, int listening)
{
    struct sks__coroutines *all = w->all;

    if (w->listening == listening)
        return;
    w->listening = listening;
    if (listening)
        add_listeners(w);
    else
        remove_listeners(w);
    pthread_mutex_lock(&all->lock);
    all->listening += listening ? 1 : (size_t)-1;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

/* --- requests --- */

static struct sks__coworker *worker_of(sks_request *request)
{
    struct sks__coslot *slot = sks_request_slot(request);

    return slot->worker;
}

static void set_worker(sks_request *request, struct sks__coworker *w)
{
    struct sks__coslot *slot = sks_request_slot(request);

    slot->worker = w;
}

static void run_connection(void *arg)
{
    sks_request_run(arg);
}

static void spawn_connection(struct sks__coworker *w, sks_request *request)
{
    int rc;

    set_worker(request, w);
    rc = sks__loop_spawn(&w->loop, run_connection, request,
                         sks_request_fileno(request));
    if (rc < 0)
        sks_request_fail(request, rc);
}

/* --- packets --- */

/* Sends the replies of the batch, of which it is given the first request.  That
 * waits for room in the socket, and further ones may be handled meanwhile. */
static void finish_handled(void *first)
{
    struct sks__coworker *w = worker_of(first);
    sks_request *requests[SKS__COBATCH];
    size_t n = w->handled_count;

    memcpy(requests, w->handled, n * sizeof *requests);
    w->handled_count = 0;
    sks_requests_finish(requests, n);
}

/* Replies that are ready before the batch is through leave together. */
static void run_packet(struct sks__coworker *w, sks_request *request)
{
    sks_request_handle(request);
    if (w->running_batch)
        w->handled[w->handled_count++] = request;
    else
        sks_requests_finish(&request, 1);
    if (w->packets-- == w->all->max_packets)
        resume_listening(w);
}

/* One packet, and those that follow it in the batch until a handler waits: the
 * rest is then for another coroutine.  Who has waited goes on when the batch is
 * over. */
static void run_packets(void *arg)
{
    sks_request *request = arg;
    struct sks__coworker *w = worker_of(request);

    run_packet(w, request);
    while (w->running_batch && w->batch_next < w->batch_count) {
        request = w->batch[w->batch_next++];
        sks__loop_set_arg(request);
        run_packet(w, request);
    }
    if (w->running_batch)
        finish_handled(w->handled[0]);
}

static void spawn_packets(struct sks__coworker *w, sks_request *request)
{
    int rc = sks__loop_spawn(&w->loop, run_packets, request, -1);

    if (rc == 0)
        return;
    w->packets--;
    sks_request_fail(request, rc);
}

/* What a request that waits keeps from running runs in another coroutine. */
static void run_batch(struct sks__coworker *w, sks_request **requests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        set_worker(requests[i], w);
    memcpy(w->batch, requests, n * sizeof *requests);
    w->batch_count = n;
    w->batch_next = 0;
    w->packets += (unsigned)n;
    w->running_batch = 1;
    while (w->batch_next < w->batch_count)
        spawn_packets(w, w->batch[w->batch_next++]);
    w->running_batch = 0;
    /* In a coroutine, as it may wait. */
    if (w->handled_count > 0 &&
        sks__loop_spawn(&w->loop, finish_handled, w->handled[0], -1) < 0)
        finish_handled(w->handled[0]);
}

/* --- both --- */

static int is_packet(sks_request *request)
{
    return sks_request_packet(request, NULL) != NULL;
}

void sks__coworker_begin(struct sks__coworker *w, sks_request *request)
{
    if (!is_packet(request)) {
        spawn_connection(w, request);
        return;
    }
    set_worker(request, w);
    w->packets++;
    spawn_packets(w, request);
}

static void begin_all(struct sks__coworker *w, sks_request **requests, size_t n)
{
    if (is_packet(requests[0])) {
        run_batch(w, requests, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        spawn_connection(w, requests[i]);
}

/* --- taking --- */

/* Waits for the listener again: 0 or an error. */
static int come_back(struct sks__colistener *l)
{
    int rc = 0;

    if (l->away)
        rc = sks__poller_add_shared(&l->worker->loop.poller, &l->source.node,
                                    l->source.node.fd);
    if (rc == 0)
        l->away = 0;
    return rc;
}

/* How a listener for packets is looked at the next time, after a look that
 * found something or not. */
static void plan(struct sks__colistener *l, int found)
{
    struct sks__coworker *w = l->worker;

    sks__optimism_note(&l->optimism, found);
    if (l->optimism.tries == TRIES_TO_LEAVE)
        leave(l);
    if (sks__optimism_tries(&l->optimism, 0))
        sks__loop_set_task(&w->loop, &l->task);
    else if (come_back(l) < 0)
        rest(w);
}

/* How many requests to ask a listener for.  Connections are accepted one by
 * one, and that there is no further one costs a system call: after each time
 * that it was in vain the loop looks for a second one more rarely.  A listener
 * that has more of them says so again in the next turn. */
static size_t how_many(struct sks__colistener *l)
{
    const struct sks__coworker *w = l->worker;
    size_t room = w->all->max_packets - w->packets;

    if (l->alone > 0) {
        l->alone--;
        return 1;
    }
    return room < SKS__COBATCH ? room : SKS__COBATCH;
}

/* That many were asked for, and so many came. */
static void learn(struct sks__colistener *l, size_t asked, size_t got,
                  int has_packets)
{
    if (asked == 1)
        return; /* not looked for */
    l->patience = got == 1 && !has_packets ? 2 * l->patience + 1 : 0;
    if (l->patience > ALONE_MOST)
        l->patience = ALONE_MOST;
    l->alone = l->patience;
}

static void take_from(struct sks__colistener *l)
{
    struct sks__coworker *w = l->worker;
    sks_request *requests[SKS__COBATCH];
    size_t n = how_many(l);
    int has_packets = 0;
    int rc = sks_server_get_requests(w->all->server, (size_t)(l - w->listeners),
                                     requests, n);

    if (rc > 0) {
        has_packets = is_packet(requests[0]);
        learn(l, n, (size_t)rc, has_packets);
        begin_all(w, requests, (size_t)rc);
    }
    if (rc < 0 && rc != SKS_ETIMEDOUT)
        rest(w);
    else if (w->packets >= w->all->max_packets)
        remove_listeners(w);
    else if (has_packets || l->optimism.trying)
        plan(l, rc > 0);
}

static void accept_some(struct sks__source *source, short events)
{
    (void)events;
    take_from(SKS__LIST_ENTRY(source, struct sks__colistener, source));
}

/* Unless the listener was given up meanwhile. */
static void try_again(struct sks__task *task)
{
    struct sks__colistener *l =
        SKS__LIST_ENTRY(task, struct sks__colistener, task);

    if (l->optimism.trying &&
        l < l->worker->listeners + l->worker->listener_count)
        take_from(l);
}
