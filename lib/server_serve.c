/* Getting requests, and the default loop.
 *
 * The loop waits for the listeners, for the strategy's own descriptors, and
 * for two wake-ups: `stop`, raised by sks_server_shutdown(), and `turn`, raised
 * when a request ends while the loop waits for just that.  It waits for that at
 * the limit of requests, where the listeners are left alone, and when the
 * system lacks descriptors or memory: accept(2) would fail at once, again and
 * again, so the listeners rest until a request ends or a moment has passed. */
#include "clock.h"
#include "error.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long the listeners rest: descriptors also free elsewhere. */
enum { PAUSE_MS = 100 };

/* A shortage is over when there was none for so long. */
enum { RECOVERED_MS = 5000 };

/* How many descriptors of a strategy are waited for.  Of further ones the loop
 * hears at the next turn, PAUSE_MS later at most. */
enum { WATCHED_MAX = 64 };

/* True once requests under way should end, too. */
static int is_told(const sks_server *server)
{
    return atomic_load(&server->shared->stops) !=
               atomic_load(&server->stops_served) ||
           atomic_load(&server->stopped_here);
}

int sks_server_stopping(const sks_server *server)
{
    return is_told(server) || atomic_load(&server->retired);
}

/* --- asking for shutdown --- */

/* Instead of a descriptor: none, or somebody is just shutting it down. */
enum { EXPOSED_NONE = -1, EXPOSED_BUSY = -2 };

static void interrupt_exposed(sks_server *server)
{
    int fd = atomic_load(&server->exposed_fd);

    if (fd < 0 ||
        !atomic_compare_exchange_strong(&server->exposed_fd, &fd, EXPOSED_BUSY))
        return;
    sks__fd_end_input(fd);
    atomic_store(&server->exposed_fd, fd);
}

void sks__server_expose(sks_server *server, int fd)
{
    atomic_store(&server->exposed_fd, fd);
    if (sks_server_stopping(server))
        interrupt_exposed(server);
}

void sks__server_conceal(sks_server *server)
{
    int fd = atomic_load(&server->exposed_fd);

    while (
        fd == EXPOSED_BUSY ||
        !atomic_compare_exchange_weak(&server->exposed_fd, &fd, EXPOSED_NONE)) {
        sched_yield();
        fd = atomic_load(&server->exposed_fd);
    }
}

void sks_server_shutdown(sks_server *server)
{
    int kept = errno;

    if (server == NULL)
        return;
    atomic_fetch_add(&server->shared->stops, 1);
    interrupt_exposed(server);
    sks__wakeup_raise(&server->stop);
    if (server->worker)
        sks__wakeup_raise(&server->above);
    errno = kept;
}

void sks__server_stop_here(sks_server *server)
{
    int kept = errno;

    atomic_store(&server->stopped_here, 1);
    interrupt_exposed(server);
    sks__wakeup_raise(&server->stop);
    errno = kept;
}

/* --- the books --- */

void sks__server_list(sks_server *server, sks_request *const *requests,
                      size_t n)
{
    unsigned served = atomic_load(&server->stops_served);

    atomic_fetch_add(&server->holds, (unsigned)n);
    sks__tally_take(server, requests, n);
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < n; i++) {
        requests[i]->stops_at_birth = served;
        sks__list_append(&server->requests, &requests[i]->booking->node);
        if (is_told(server))
            requests[i]->listener->transport->interrupt(requests[i], 0);
    }
    pthread_mutex_unlock(&server->lock);
}

void sks__server_unlist(sks_server *server, sks_request *const *requests,
                        size_t n)
{
    if (server->detached)
        return; /* the books are the parent's */
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < n; i++)
        sks__list_remove(&requests[i]->booking->node);
    pthread_mutex_unlock(&server->lock);
}

void sks__server_ended(sks_server *server, size_t n)
{
    atomic_fetch_sub(&server->tally->active, (unsigned)n);
    if (atomic_load(&server->wants_turn))
        sks__wakeup_raise(&server->turn);
    sks__server_release(server, n);
}

void sks__server_interrupt(sks_server *server, int both)
{
    pthread_mutex_lock(&server->lock);
    for (struct sks__list *n = server->requests.next; n != &server->requests;
         n = n->next) {
        sks_request *r = SKS__BOOKED(n);

        r->listener->transport->interrupt(r, both);
    }
    pthread_mutex_unlock(&server->lock);
}

static int is_full(const sks_server *server)
{
    unsigned most = sks_server_max_workers(server);

    if (server->strategy.flags & SKS_MULTIPLEXES)
        return 0;
    return most != 0 && atomic_load(&server->tally->active) >= most;
}

/* --- pausing --- */

static int is_paused(const sks_server *server)
{
    long long until = atomic_load(&server->paused_until);

    return until != 0 && sks__clock_ms() < until;
}

/* One line for each shortage, however long it lasts and however many processes
 * it is told. */
static void pause_listeners(sks_server *server, int why)
{
    long long now = sks__clock_ms();

    atomic_store(&server->pause_reason, why);
    atomic_store(&server->paused_until, now + PAUSE_MS);
    if (atomic_exchange(&server->shared->short_until, now + RECOVERED_MS) < now)
        sks_server_log(server, SKS_ERROR, "new requests must wait: %s",
                       sks_strerror(why));
}

static void resume_listeners(sks_server *server)
{
    atomic_store(&server->paused_until, 0);
}

/* --- getting requests --- */

static int is_verified(sks_server *server, const sks_request *r)
{
    const struct sks__hooks *hooks = &server->hooks;

    return hooks->verify_request == NULL ||
           hooks->verify_request(hooks->verify_request_arg, r);
}

static void refuse(sks_server *server, sks_request *r)
{
    atomic_fetch_add(&server->tally->refused, 1);
    sks__request_refuse(r);
}

/* How many of the n requests are to be served, which then come first; the
 * others are closed. */
static size_t verify(sks_server *server, sks_request **requests, size_t n)
{
    size_t good = 0;

    for (size_t i = 0; i < n; i++)
        if (is_verified(server, requests[i]))
            requests[good++] = requests[i];
        else
            refuse(server, requests[i]);
    return good;
}

/* A new request of the listener: 1, or an error. */
static int accept_one(sks_server *server, struct sks__listener *l,
                      sks_request **out)
{
    int rc = -ENOMEM;

    *out = sks__request_new(server, l);
    if (*out != NULL)
        rc = l->transport->get_request(l, *out);
    if (rc == 0)
        return 1;
    sks__request_free(*out);
    return rc;
}

/* Up to n of them: how many, or why not even one. */
static int accept_some(sks_server *server, struct sks__listener *l,
                       sks_request **out, size_t n)
{
    size_t got = 0;
    int rc = 1;

    if (l->transport->get_requests != NULL)
        return l->transport->get_requests(l, server, out, n);
    while (rc > 0 && got < n) {
        rc = accept_one(server, l, &out[got]);
        got += rc > 0 ? 1 : 0;
    }
    return got > 0 ? (int)got : rc;
}

/* From one listener, up to n: how many are to be served, -EAGAIN if none came
 * or they must wait, or an error that will not pass. */
static int take_from(sks_server *server, struct sks__listener *l,
                     sks_request **out, size_t n)
{
    int rc = accept_some(server, l, out, n);

    if (rc > 0) {
        sks__server_list(server, out, (size_t)rc);
        return (int)verify(server, out, (size_t)rc);
    }
    if (rc == -EAGAIN || sks_server_stopping(server))
        return -EAGAIN;
    if (!sks__error_is_shortage(rc))
        return sks__server_fail(server, rc, "cannot get requests on %s: %s",
                                l->text, sks_strerror(rc));
    pause_listeners(server, rc);
    return -EAGAIN;
}

/* From any listener, one after the other. */
static int take(sks_server *server, sks_request **out)
{
    int rc = -EAGAIN;

    for (size_t i = 0; rc == -EAGAIN && i < server->listener_count; i++)
        rc = take_from(server, &server->listeners[i], out, 1);
    return rc;
}

/* Why there is no request now. */
static int reason(const sks_server *server)
{
    return is_paused(server) ? atomic_load(&server->pause_reason)
                             : SKS_ETIMEDOUT;
}

int sks_server_get_requests(sks_server *server, size_t i, sks_request **out,
                            size_t n)
{
    int rc = -EAGAIN;

    if (sks_server_stopping(server))
        return SKS_ECLOSED;
    if (i >= server->listener_count || n == 0)
        return -EINVAL;
    if (!is_paused(server))
        rc = take_from(server, &server->listeners[i], out, n);
    return rc == -EAGAIN ? reason(server) : rc;
}

/* In the calling thread itself. */
static int poll_listeners(sks_server *server, int64_t until)
{
    struct pollfd fds[1 + SKS__LISTENERS_MAX];
    size_t n = 0;

    fds[n++] = (struct pollfd){.fd = server->stop.read_fd, .events = POLLIN};
    for (size_t i = 0; i < server->listener_count && !is_paused(server); i++)
        fds[n++] =
            (struct pollfd){.fd = server->listeners[i].fd, .events = POLLIN};
    return sks__fd_poll(fds, n, until);
}

/* Through the strategy, which waits for one descriptor. */
static int await_listeners(sks_server *server, int64_t until)
{
    struct sks__waiter waiter = {server->strategy.wait, server->strategy_self};
    int fd =
        is_paused(server) ? server->stop.read_fd : sks_server_fileno(server);

    if (fd < 0)
        return fd;
    return sks__waiter_wait(&waiter, fd, POLLIN, sks__clock_left_ms(until));
}

/* Until a listener or a wake-up is ready, or the moment has come. */
static int wait_for_listeners(sks_server *server, int64_t until)
{
    int64_t resumes = atomic_load(&server->paused_until);

    if (is_paused(server) && resumes < until)
        until = resumes;
    return server->strategy.wait == NULL ? poll_listeners(server, until)
                                         : await_listeners(server, until);
}

int sks_server_get_request(sks_server *server, sks_request **out, int ms)
{
    int64_t until = sks__clock_after(ms);

    for (;;) {
        int rc;

        if (sks_server_stopping(server))
            return SKS_ECLOSED;
        rc = is_paused(server) ? -EAGAIN : take(server, out);
        if (rc != -EAGAIN)
            return rc > 0 ? 0 : rc == 0 ? -EAGAIN : rc;
        if (ms == 0)
            return reason(server);
        if (sks__clock_left_ms(until) == 0)
            return SKS_ETIMEDOUT;
        rc = wait_for_listeners(server, until);
        if (rc < 0)
            return rc;
    }
}

/* --- the default loop --- */

/* What a turn waits for: first the wake-ups, then the listeners, then the
 * strategy's descriptors. */
struct watch {
    struct pollfd fds[2 + SKS__LISTENERS_MAX + WATCHED_MAX];
    size_t n;
    size_t listeners; /* where they begin */
    size_t listener_count;
    int64_t until;
};

static void add(struct watch *w, int fd)
{
    w->fds[w->n++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void add_strategys(struct watch *w, sks_server *server)
{
    int64_t soon;
    int fd;

    if (server->strategy.fileno == NULL)
        return;
    for (size_t i = 0; i < WATCHED_MAX; i++) {
        fd = server->strategy.fileno(server->strategy_self, i);
        if (fd < 0)
            return;
        add(w, fd);
    }
    soon = sks__clock_after(PAUSE_MS);
    if (soon < w->until)
        w->until = soon;
}

static void until_no_later_than(struct watch *w, int64_t moment)
{
    if (moment < w->until)
        w->until = moment;
}

/* Whether a request may be taken in this turn.  That it waits for the end of
 * another is said before it looks: an end that comes in between is heard. */
static int may_take(sks_server *server, struct watch *w)
{
    long long resumes = atomic_load(&server->paused_until);

    atomic_store(&server->wants_turn, is_full(server) || is_paused(server));
    if (server->held != NULL) {
        until_no_later_than(w, is_paused(server) ? resumes : 0);
        return 0;
    }
    if (is_paused(server))
        until_no_later_than(w, resumes);
    return !is_full(server) && !is_paused(server);
}

static void until_strategys_turn(sks_server *server, struct watch *w)
{
    const sks_strategy *s = &server->strategy;

    if (s->turn_ms != NULL)
        until_no_later_than(w, sks__clock_after(
                                   s->turn_ms(server->strategy_self)));
}

static void look_around(sks_server *server, struct watch *w,
                        enum sks__server_turn turn)
{
    until_strategys_turn(server, w);
    add(w, server->turn.read_fd);
    if (turn != SKS__TURN_DRAINING)
        add(w, server->stop.read_fd);
    w->listeners = w->n;
    if (turn == SKS__TURN_TAKING)
        w->listener_count = may_take(server, w) ? server->listener_count : 0;
    else
        atomic_store(&server->wants_turn, turn == SKS__TURN_DRAINING);
    /* The last one may have ended before anybody asked to hear of it. */
    if (turn == SKS__TURN_DRAINING && !sks__server_is_busy(server))
        w->until = 0;
    until_no_later_than(w, server->turn_by);
    server->turn_by = SKS__NEVER;
    for (size_t i = 0; i < w->listener_count; i++)
        add(w, server->listeners[i].fd);
    add_strategys(w, server);
}

/* The next ready listener, taking turns; NULL if none is. */
static struct sks__listener *ready_listener(sks_server *server,
                                            const struct watch *w)
{
    for (size_t i = 0; i < w->listener_count; i++) {
        size_t at = (server->next_listener + i) % w->listener_count;

        if (w->fds[w->listeners + at].revents != 0) {
            server->next_listener = at + 1;
            return &server->listeners[at];
        }
    }
    return NULL;
}

/* Has a request processed.  Without descriptors it is held, and tried again
 * when one may be free: its client has waited in the queue for that already. */
static void process(sks_server *server, sks_request *r)
{
    int rc;

    server->held = NULL;
    rc = server->strategy.process_request(server->strategy_self, r);
    if (rc == -EMFILE || rc == -ENFILE) {
        server->held = r;
        pause_listeners(server, rc);
    } else if (rc < 0) {
        sks_request_fail(r, rc);
    }
}

/* Takes a request and has it processed: 1 if one came, 0, or an error. */
static int process_from(sks_server *server, struct sks__listener *l)
{
    sks_request *r;
    int rc = take_from(server, l, &r, 1);

    if (rc > 0)
        process(server, r);
    return rc == -EAGAIN ? 0 : rc < 0 ? rc : 1;
}

/* What follows the wait of a turn: 1 if a request came, 0, or an error. */
static int process_next(sks_server *server, const struct watch *w)
{
    struct sks__listener *l = ready_listener(server, w);

    if (sks_server_stopping(server))
        return 0;
    if (l != NULL)
        return process_from(server, l);
    if (server->held != NULL && !is_paused(server))
        process(server, server->held);
    return 0;
}

int sks__server_turn(sks_server *server, enum sks__server_turn turn,
                     int64_t until)
{
    struct watch w = {.until = until};
    int rc;

    look_around(server, &w, turn);
    rc = sks__fd_poll(w.fds, w.n, w.until);
    if (rc < 0)
        return sks__server_fail(server, rc, "cannot wait for requests: %s",
                                sks_strerror(rc));
    if (w.fds[0].revents != 0) {
        sks__wakeup_clear(&server->turn);
        resume_listeners(server);
    }
    rc = process_next(server, &w);
    if (server->strategy.service_actions != NULL)
        server->strategy.service_actions(server->strategy_self, server);
    return rc;
}

/* Turns until stopping. */
static int loop(sks_server *server, enum sks__server_turn turn)
{
    const struct sks__hooks *hooks = &server->hooks;

    while (!sks_server_stopping(server)) {
        int rc = sks__server_turn(server, turn,
                                  sks__clock_after(
                                      server->options.poll_interval_ms));

        if (rc == 0 || rc == 1)
            rc = server->serve_error;
        if (rc < 0)
            return rc;
        if (hooks->service_actions != NULL)
            hooks->service_actions(hooks->service_actions_arg, server);
    }
    return 0;
}

void sks_server_want_turn(sks_server *server, int ms)
{
    int64_t moment = sks__clock_after(ms);

    if (moment < server->turn_by)
        server->turn_by = moment;
}

void sks_server_give_up(sks_server *server, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(server->error, sizeof server->error, format, args);
    va_end(args);
    server->serve_error = error;
}

int sks_server_supervise(sks_server *server)
{
    return loop(server, SKS__TURN_SUPERVISING);
}

/* --- entering and leaving --- */

int sks__server_start_strategy(sks_server *server)
{
    const sks_strategy *s = &server->strategy;
    int rc;

    if (server->strategy_started)
        return 0;
    if (s->self_size <= sizeof server->small_self)
        server->strategy_self = server->small_self;
    if (server->strategy_self == NULL) {
        server->strategy_self = calloc(1, s->self_size);
        if (server->strategy_self == NULL)
            return sks__server_fail(server, -ENOMEM, "out of memory");
    }
    rc = s->start != NULL
             ? s->start(server->strategy_self, server, server->strategy_config)
             : 0;
    if (rc < 0)
        return sks__server_fail(server, rc, "cannot start the %s strategy: %s",
                                s->name, sks_strerror(rc));
    if (!(s->flags & SKS_SHARES_MEMORY))
        sks__buffer_reserve(&server->childs_buffer, server->options.rbufsize);
    server->strategy_started = 1;
    return 0;
}

/* Makes the calling thread the one that serves.  A close that has begun in
 * another thread wins, so that nothing starts behind its back. */
static int claim(sks_server *server)
{
    int rc = 0;

    pthread_mutex_lock(&server->lock);
    if (server->closing || server->closed)
        rc = SKS_ECLOSED;
    else if (server->serving)
        rc = SKS_ESTATE;
    if (rc == 0) {
        server->serving = 1;
        server->server_thread = pthread_self();
        server->owner = getpid();
    }
    pthread_mutex_unlock(&server->lock);
    if (rc == SKS_ECLOSED)
        sks__server_fail(server, rc, "the server is closed");
    else if (rc < 0)
        sks__server_fail(server, rc, "another thread serves already");
    return rc;
}

int sks__server_enter(sks_server *server)
{
    int rc;

    if (server == NULL)
        return -ENOMEM;
    if (server->fault != 0)
        return server->fault;
    rc = claim(server);
    if (rc < 0)
        return rc;
    sks_server_hold(server);
    rc = sks_server_bind(server);
    if (rc == 0)
        rc = sks__server_start_strategy(server);
    if (rc < 0)
        sks__server_leave(server);
    return rc;
}

void sks__server_leave(sks_server *server)
{
    int orphaned;

    pthread_mutex_lock(&server->lock);
    server->serving = 0;
    orphaned = server->orphaned;
    pthread_cond_broadcast(&server->left);
    pthread_mutex_unlock(&server->lock);
    if (orphaned)
        sks_server_close(server);
    sks_server_release(server);
}

/* The shutdowns asked for so far are obeyed; the next serve_forever serves. */
static void obey(sks_server *server)
{
    sks__wakeup_clear(&server->stop);
    atomic_store(&server->stops_served, atomic_load(&server->shared->stops));
}

void sks__server_give_up_held(sks_server *server)
{
    sks_request *r = server->held;

    server->held = NULL;
    if (r != NULL)
        sks_request_fail(r, atomic_load(&server->pause_reason));
}

int sks__server_run_strategy(sks_server *server)
{
    return server->strategy.serve != NULL
               ? server->strategy.serve(server->strategy_self, server)
               : loop(server, SKS__TURN_TAKING);
}

int sks_server_serve_forever(sks_server *server)
{
    int rc = sks__server_enter(server);

    if (rc < 0)
        return rc;
    server->serve_error = 0;
    rc = sks__server_run_strategy(server);
    if (rc == 0) {
        sks__server_interrupt(server, 0);
        obey(server);
    }
    sks__server_give_up_held(server);
    sks__server_leave(server);
    return rc;
}

int sks_server_handle_request(sks_server *server)
{
    int64_t until;
    int rc = sks__server_enter(server);

    if (rc < 0)
        return rc;
    until = sks__clock_after(server->options.timeout_ms);
    do {
        rc = sks_server_stopping(server)
                 ? SKS_ECLOSED
                 : sks__server_turn(server, SKS__TURN_TAKING, until);
    } while (rc == 0 && sks__clock_left_ms(until) != 0);
    if (rc == 0 && server->hooks.handle_timeout != NULL)
        server->hooks.handle_timeout(server->hooks.handle_timeout_arg, server);
    sks__server_leave(server);
    return rc;
}
