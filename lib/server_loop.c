/* The default loop.
 *
 * It waits for the listeners, for the strategy's own descriptors, and for two
 * wake-ups: `stop`, raised by sks_server_shutdown(), and `turn`, raised when a
 * request ends while the loop waits for just that.  It waits for that at the
 * limit of requests and while the listeners rest, which are left alone then. */
#include "clock.h"
#include "server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* How many descriptors of a strategy are waited for.  Of further ones the loop
 * hears at the next turn, WATCH_MS later at most. */
enum { WATCHED_MAX = 64, WATCH_MS = 100 };

static int is_full(const sks_server *server)
{
    unsigned most = sks_server_max_workers(server);

    if (server->strategy.flags & SKS_MULTIPLEXES)
        return 0;
    return most != 0 && atomic_load(&server->tally->active) >= most;
}

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

static void until_no_later_than(struct watch *w, int64_t moment)
{
    if (moment < w->until)
        w->until = moment;
}

static void add_strategys(struct watch *w, sks_server *server)
{
    int fd;

    if (server->strategy.fileno == NULL)
        return;
    for (size_t i = 0; i < WATCHED_MAX; i++) {
        fd = server->strategy.fileno(server->strategy_self, i);
        if (fd < 0)
            return;
        add(w, fd);
    }
    until_no_later_than(w, sks__clock_after(WATCH_MS));
}

/* Whether a request may be taken in this turn.  That it waits for the end of
 * another is said before it looks: an end that comes in between is heard. */
static int may_take(sks_server *server, struct watch *w)
{
    long long resumes = atomic_load(&server->paused_until);

    atomic_store(&server->wants_turn,
                 is_full(server) || sks__server_is_paused(server));
    if (server->held != NULL) {
        until_no_later_than(w, sks__server_is_paused(server) ? resumes : 0);
        return 0;
    }
    if (sks__server_is_paused(server))
        until_no_later_than(w, resumes);
    return !is_full(server) && !sks__server_is_paused(server);
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
    size_t first = atomic_load(&server->next_listener);

    for (size_t i = 0; i < w->listener_count; i++) {
        size_t at = (first + i) % w->listener_count;

        if (w->fds[w->listeners + at].revents != 0) {
            atomic_store(&server->next_listener, at + 1);
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
        sks__server_pause(server, rc);
    } else if (rc < 0) {
        sks_request_fail(r, rc);
    }
}

/* Takes a request and has it processed: 1 if one came, 0, or an error. */
static int process_from(sks_server *server, struct sks__listener *l)
{
    sks_request *r;
    int rc = sks__server_take_from(server, l, &r, 1);

    if (rc > 0)
        process(server, r);
    return rc == -EAGAIN ? 0 : rc < 0 ? rc : 1;
}

/* What follows the wait of a turn, which found a listener ready, or none: 1 if
 * a request came, 0, or an error. */
static int process_next(sks_server *server, struct sks__listener *l)
{
    if (sks_server_stopping(server))
        return 0;
    if (l != NULL)
        return process_from(server, l);
    if (server->held != NULL && !sks__server_is_paused(server))
        process(server, server->held);
    return 0;
}

/* A further request of the listener that had one, without a wait: 1 if there
 * was one, 0, or an error. */
static int try_next(sks_server *server)
{
    size_t latest = atomic_load(&server->next_listener) - 1;
    int rc;

    if (server->held != NULL || is_full(server) ||
        sks_server_stopping(server) || sks__server_is_paused(server) ||
        !sks__optimism_tries(&server->optimism, 1))
        return 0;
    rc = process_from(server,
                      &server->listeners[latest % server->listener_count]);
    sks__optimism_note(&server->optimism, rc > 0);
    return rc;
}

/* The wait of a turn: 0, with a ready listener or NULL, or an error.  By
 * itself, since what it lays on the stack would lie there below each forked
 * child. */
static __attribute__((noinline)) int await_next(sks_server *server,
                                                enum sks__server_turn turn,
                                                int64_t until,
                                                struct sks__listener **ready)
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
        sks__server_resume(server);
    }
    if (turn != SKS__TURN_DRAINING && w.fds[1].revents != 0)
        sks__server_calm(server);
    *ready = ready_listener(server, &w);
    return 0;
}

/* What a turn is about: 1 if a request came, 0, or an error. */
static int wait_for_next(sks_server *server, enum sks__server_turn turn,
                         int64_t until)
{
    struct sks__listener *ready = NULL;
    int rc = await_next(server, turn, until, &ready);

    if (rc < 0)
        return rc;
    rc = process_next(server, ready);
    sks__optimism_note(&server->optimism, rc > 0);
    return rc;
}

int sks__server_turn(sks_server *server, enum sks__server_turn turn,
                     int64_t until)
{
    int rc = turn == SKS__TURN_TAKING ? try_next(server) : 0;

    if (rc == 0)
        rc = wait_for_next(server, turn, until);
    if (server->strategy.service_actions != NULL)
        server->strategy.service_actions(server->strategy_self, server);
    return rc;
}

/* A turn, with what the user has to do in each: 0, or an error. */
static int whole_turn(sks_server *server, enum sks__server_turn turn,
                      int64_t until)
{
    const struct sks__hooks *hooks = &server->hooks;
    int rc = sks__server_turn(server, turn, until);

    if (rc == 0 || rc == 1)
        rc = server->serve_error;
    if (rc < 0)
        return rc;
    if (hooks->service_actions != NULL)
        hooks->service_actions(hooks->service_actions_arg, server);
    return 0;
}

int sks__server_loop(sks_server *server, enum sks__server_turn turn)
{
    int rc = 0;

    while (rc == 0 && !sks_server_stopping(server))
        rc = whole_turn(server, turn,
                        sks__clock_after(server->options.poll_interval_ms));
    return rc;
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
    vsnprintf(server->error, SKS__ERROR_SIZE, format, args);
    va_end(args);
    server->serve_error = error;
}

int sks_server_supervise(sks_server *server)
{
    return sks__server_loop(server, SKS__TURN_SUPERVISING);
}

int sks_server_supervise_once(sks_server *server)
{
    return whole_turn(server, SKS__TURN_SUPERVISING, 0);
}

int sks_server_supervise_ms(sks_server *server)
{
    struct watch w = {.until =
                          sks__clock_after(server->options.poll_interval_ms)};

    until_strategys_turn(server, &w);
    until_no_later_than(&w, server->turn_by);
    return sks__clock_left_ms(w.until);
}

int sks_server_supervise_fileno(const sks_server *server, size_t i)
{
    const sks_strategy *s = &server->strategy;

    switch (i) {
    case 0:
        return server->stop.read_fd;
    case 1:
        return server->turn.read_fd;
    default:
        return s->fileno != NULL ? s->fileno(server->strategy_self, i - 2) : -1;
    }
}

void sks__server_give_up_held(sks_server *server)
{
    sks_request *r = server->held;

    server->held = NULL;
    if (r != NULL)
        sks_request_fail(r, atomic_load(&server->pause_reason));
}
