/* The server's own struct.  server.c makes and ends it, server_options.c fills
 * it before bind, server_bind.c gives it listeners, server_requests.c gets
 * requests from them, server_books.c and server_tally.c remember those,
 * server_serve.c has what serves, server_loop.c the default loop,
 * server_shutdown.c what ends it, server_close.c the drain, server_detach.c
 * what every forked child lets go of, server_worker.c what one does that gets
 * requests itself, server_elsewhere.c what the parent knows of theirs,
 * signals.c and overflow.c the opt-ins for signals. */
#ifndef SKS__SERVER_H
#define SKS__SERVER_H

#include "buffer.h"
#include "cpu.h"
#include "fd.h"
#include "list.h"
#include "optimism.h"
#include "pool.h"
#include "transport.h"
#include "wakeup.h"

#include <sockserver/strategy.h>

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

/* What went wrong, in words. */
enum { SKS__ERROR_SIZE = 256 };

/* No server needs more, and arrays of descriptors to poll fit on a stack. */
enum { SKS__LISTENERS_MAX = 64 };

/* How many ended requests' memory is kept. */
enum { SKS__SPARES_MAX = 128 };

/* A page, or a part of one, on machines with larger ones; and the room for what
 * a forked child reads, of which the beginning lies on that page. */
enum {
    SKS__SERVER_SIZE = 4096,
    SKS__CHILDS_START = 256,
    SKS__CHILDS_ROOM = 8192
};

/* More workers are a mistake. */
enum { SKS__WORKERS_MAX = 1024 * 1024 };

/* How long requests may take to end whose connections were shut down. */
enum { SKS__FORCED_MS = 2000 };

/* Microseconds: who polls for longer has lost count of the zeros. */
enum { SKS__SPIN_MAX = 1000000 };

struct sks__options {
    int reuse_address, reuse_port, backlog, nodelay;
    int timeout_ms, request_timeout_ms, drain_timeout_ms, poll_interval_ms;
    int block_on_close;
    int spin_us;
    int defer_accept_ms;
    unsigned max_workers; /* 0: the strategy's default */
    size_t max_packet_size, rbufsize, wbufsize;
};

struct sks__hooks {
    int (*verify_request)(void *, const sks_request *);
    void *verify_request_arg;
    void (*handle_error)(void *, const sks_request *, int);
    void *handle_error_arg;
    void (*handle_timeout)(void *, sks_server *);
    void *handle_timeout_arg;
    void (*service_actions)(void *, sks_server *);
    void *service_actions_arg;
    void (*log)(void *, int, const char *);
    void *log_arg;
};

/* Where the parts of a request lie in its memory, and in its booking. */
struct sks__layout {
    size_t self_at;  /* of the handler */
    size_t rooms_at; /* for a small packet, and a small reply */
    size_t size;
    size_t peer_at; /* in the booking: the peer's address */
    size_t booking_size;
    socklen_t peer_max; /* the longest address */
};

/* What one process counts of its requests: on cache lines of its own, so that
 * processes do not slow each other down. */
struct sks__tally {
    alignas(SKS__CACHE_LINE) atomic_ulong taken; /* all that came */
    atomic_ulong refused, failed;
    atomic_uint active;       /* taken and not ended */
    atomic_int alive;         /* of a worker: its process has not ended */
    struct sks__address peer; /* of a worker: of the latest one taken */
};

/* What a forked child shares with its parent: so that a handler in a child can
 * ask for a shutdown, a request in a child hears of one, and the parent knows
 * what its children do. */
struct sks__shared {
    atomic_uint stops;        /* shutdowns asked for so far */
    atomic_uint tallies;      /* how many of these are used; one at least */
    atomic_llong short_until; /* a shortage until then is not a new one */
    atomic_ulong workers, respawns;
    struct sks__tally tally[1 + SKS_PROCESSES_MAX]; /* 0: the server's own */
};

/* Made by a constructor.  Freed when the last hold is released: its owner has
 * one, and so has each request under way.
 *
 * It has a page of its own with a desk at its end, where the first request and
 * the first bookings lie: a parent of forked children, which pays for each page
 * that it writes to between two forks, writes to this one alone.  A child pays
 * likewise, so what it reads begins at the end of the page, and goes on in
 * memory that nobody touched before. */
struct sks_server {
    sks_handler handler;
    sks_strategy strategy;
    void *strategy_config;
    void *strategy_self; /* allocated when it starts, unless small */
    max_align_t small_self[6];
    int strategy_started;   /* written with the lock */
    unsigned listener_sets; /* 0: as 1 */
    struct sks__options options;
    struct sks__hooks hooks;
    void *data;

    struct sks__endpoint *endpoints;
    size_t endpoint_count;
    size_t listener_count;
    sks_request *held;             /* taken, and waiting for a descriptor */
    atomic_size_t next_listener;   /* who looks at several takes turns */
    struct sks__optimism optimism; /* of the default loop */
    int gathered_fd; /* for sks_server_fileno(); -1: not asked for */
    int socktype;    /* 0: of adopted sockets */

    struct sks__shared *shared; /* a shared mapping */
    struct sks__tally *tally;   /* in there: of this process */
    atomic_uint stops_served;   /* shutdowns that serve_forever obeyed */
    atomic_int stopped_here;    /* this process alone should stop */
    atomic_int retired;         /* a worker that gets no further requests */
    atomic_int exposed_fd;      /* see sks__server_expose() */
    struct sks__wakeup stop;    /* raised: look at shared->stops */
    struct sks__wakeup turn;    /* raised: look around again */
    atomic_int wants_turn;      /* raise turn when a request ends */
    atomic_int pause_reason;    /* the error */
    atomic_llong paused_until;  /* for want of resources; a moment */
    int64_t turn_by;            /* the strategy wants a turn until then */
    int serve_error;            /* the strategy cannot go on */
    struct sks__packets *_Atomic handy_room; /* needs no lock */

    int fault; /* the first setter's; sticks */
    int bound, closed;
    atomic_int owner;  /* the process that made it, bound it or serves */
    int detached;      /* in a forked child, for one request */
    sks_request *kept; /* which, or NULL */
    atomic_uint holds;

    int worker;               /* in a forked child that gets requests itself */
    int leash;                /* of a worker: see sks_server_work() */
    int has_loops;            /* of a worker: its strategy has the listeners */
    struct sks__wakeup above; /* of a worker: the parent's stop */
    unsigned long taken_max;  /* of a worker: it retires then; 0: never */

    pthread_mutex_t lock;      /* guards what follows */
    pthread_cond_t left;       /* serving or has_closer became 0 */
    struct sks__pool bookings; /* of struct sks__booking */
    struct sks__layout layout; /* set once, with the first booking */
    struct sks__list requests; /* bookings of those that may be interrupted */
    void *spares; /* memory of requests that ended, linked by its first word */
    struct sks__packets *rooms; /* that nobody receives into just now, beside
                                   the handy one */
    unsigned spare_count;
    int serving;             /* a thread is in the default loop or serve */
    pthread_t server_thread; /* which */
    int closing;             /* nothing may begin to serve any more */
    int has_closer;          /* a thread is closing it */
    int orphaned;            /* freed by its owner while a thread serves */
    const struct sks__listener *broken; /* the first that failed a worker */
    int broken_by;                      /* its error */

    struct sks__listener *listeners; /* room for SKS__LISTENERS_MAX */
    char *error;                     /* SKS__ERROR_SIZE bytes */
    alignas(SKS__CACHE_LINE) char desk[];
};

/* Remembers what went wrong in words, and returns rc.  By the thread that
 * binds, serves or closes: it tells what its workers met, too. */
int sks__server_fail(sks_server *server, int rc, const char *format, ...)
    SKS_PRINTF(3, 4);

/* A new listener without a socket; NULL if there are too many. */
struct sks__listener *sks__server_new_listener(sks_server *server);

/* Closes a listener, and removes its path unless this is a forked child. */
void sks__listener_close(sks_server *server, struct sks__listener *l);

/* In a forked child: closes the listeners that other sets have. */
void sks__server_keep_set(sks_server *server, unsigned set);

/* True if the listener was closed when this copy of the server was detached. */
int sks__server_has_let_go(const sks_server *server,
                           const struct sks__listener *l);

/* Closes the listeners from the n-th on. */
void sks__server_drop_listeners(sks_server *server, size_t n);

/* How a request's or listener's sockets should be. */
enum sks__fd_mode sks__server_mode(const sks_server *server);

/* What the constructors end with; as a setter, each remembers its fault. */
void sks__server_set_handler(sks_server *server, const sks_handler *handler);
void sks__server_open_wakeups(sks_server *server);

/* True in a forked child of the process that made the server, unless the child
 * itself binds or serves it. */
int sks__server_is_copy(const sks_server *server);

/* In a forked child: locks that nobody holds, since another thread of the
 * parent may have held the copied ones; and no copy of a request but keep. */
void sks__server_renew_locks(sks_server *server);
void sks__server_drop_requests(sks_server *server, sks_request *keep);

/* Whether the strategy may be told to interrupt requests. */
void sks__server_set_started(sks_server *server, int started);

/* Starts the strategy, unless it has started. */
int sks__server_start_strategy(sks_server *server);

/* The strategy's serve, or the default loop. */
int sks__server_run_strategy(sks_server *server);

/* Of a worker without a strategy of its own: until stopping, runs each request
 * in this thread: 0 or an error. */
int sks__server_run_one_by_one(sks_server *server);

/* This process alone should stop.  Any thread, any signal handler. */
void sks__server_stop_here(sks_server *server);

/* True once requests under way should end, too. */
int sks__server_is_told(const sks_server *server);

/* The shutdowns asked for so far are obeyed; the next serve_forever serves. */
void sks__server_obey(sks_server *server);

/* For who was woken by `stop`: a shutdown may raise it only after serve_forever
 * has obeyed it, and nobody would sleep any more. */
void sks__server_calm(sks_server *server);

/* Requests under way: of a worker its own, else of all processes. */
unsigned sks__server_active(const sks_server *server);

/* True while something is under way that a close waits for. */
int sks__server_is_busy(const sks_server *server);

/* Binds if nobody did, starts the strategy, and makes the calling thread the
 * one that serves: 0, and sks__server_leave() must follow; or an error. */
int sks__server_enter(sks_server *server);
void sks__server_leave(sks_server *server);

/* What a turn of the default loop is for. */
enum sks__server_turn {
    SKS__TURN_TAKING,      /* takes one request */
    SKS__TURN_SUPERVISING, /* leaves that to workers */
    SKS__TURN_DRAINING     /* waits for the end of those under way */
};

/* Waits until the moment, or until something happens.  1 if a request came, 0
 * if none, or an error that keeps it from getting any. */
int sks__server_turn(sks_server *server, enum sks__server_turn turn,
                     int64_t until);

/* Turns of that kind until stopping: 0, or an error that keeps the server from
 * serving. */
int sks__server_loop(sks_server *server, enum sks__server_turn turn);

/* The listeners rest for a moment, or until the system may have what it lacks:
 * why is the error that says so. */
void sks__server_pause(sks_server *server, int why);
void sks__server_resume(sks_server *server);
int sks__server_is_paused(const sks_server *server);

/* Gets up to n requests from one listener: how many are to be served, -EAGAIN
 * if none came or they must wait, or an error that will not pass. */
int sks__server_take_from(sks_server *server, struct sks__listener *l,
                          sks_request **out, size_t n);

/* Counts n new requests. */
void sks__tally_take(sks_server *server, sks_request *const *requests,
                     size_t n);

/* Enters new requests of one listener in the books; they are the calling
 * thread's to run, as far as anybody knows. */
void sks__server_list(sks_server *server, sks_request *const *requests,
                      size_t n);
/* Takes them out of the list: nobody interrupts them any more. */
void sks__server_unlist(sks_server *server, sks_request *const *requests,
                        size_t n);
/* Fails the request that waits for a descriptor: nobody will try again. */
void sks__server_give_up_held(sks_server *server);
/* So many requests less: others may be taken.  The server may end with them. */
void sks__server_ended(sks_server *server, size_t n);

/* Ends n holds at once: see sks_server_release(). */
void sks__server_release(sks_server *server, size_t n);

/* Tells all requests under way to end: see sks__transport.interrupt. */
void sks__server_interrupt(sks_server *server, int both);

/* The connection of a request that the serving thread itself runs: that thread
 * cannot look at the list while it waits in a read, so sks_server_shutdown(),
 * maybe in a signal handler, ends the reading side without the lock.  Concealed
 * before the descriptor is closed; waits for whoever is just at it. */
void sks__server_expose(sks_server *server, int fd);
void sks__server_conceal(sks_server *server);

/* Forgets that signals ask for the server's shutdown. */
void sks__signals_forget(sks_server *server);

/* Forgets that overflows of the server's stacks are to be told. */
void sks__overflow_forget(sks_server *server);
/* Takes over a strategy's table: 0, or an error and why. */
int sks__server_copy_strategy(sks_server *server, const sks_strategy *strategy,
                              const char **why);

/* handle_error, or a debug line if only the peer went away. */
void sks__server_handle_error(sks_server *server, const sks_request *request,
                              int error);

#endif /* SKS__SERVER_H */
