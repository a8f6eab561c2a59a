/** @file sockserver/strategy.h
 * For those who write a strategy of their own: how requests run.
 *
 * The built-in strategies include this and nothing else of the server.
 * Members are only ever appended, each marked with the version that brought
 * it; what lies beyond .size counts as NULL.  This header promises less than
 * sockserver.h: it may grow with each release.
 *
 * A request is *taken* when sks_server_get_request() hands it out or
 * process_request returns 0 for it.  Who took it ends it with exactly one of
 * sks_request_run() (or its two halves, sks_request_handle() and
 * sks_requests_finish()), sks_request_close(), sks_request_fail() and
 * sks_request_hand_over(), in each process that holds it. */
#ifndef SOCKSERVER_STRATEGY_H
#define SOCKSERVER_STRATEGY_H

#include <sockserver.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a strategy's handlers may count on. */
enum sks_strategy_flag {
    SKS_SHARES_MEMORY = 1 << 0, /**< handlers see each other's writes */
    SKS_PARALLEL = 1 << 1,      /**< handlers may run at once */
    SKS_STREAM_ONLY = 1 << 2,   /**< refuses datagram servers at bind */
    SKS_MULTIPLEXES = 1 << 3    /**< a worker runs many requests at once:
                                     max_workers does not limit those */
};

/** A strategy.  self is its zeroed memory of self_size bytes, one for each
 * server, freed with the server.  Except where it says otherwise, a member is
 * called by the thread that serves. */
struct sks_strategy {
    size_t size;          /**< sizeof(sks_strategy) */
    const char *name;     /**< lower case, words joined by '-'; static */
    unsigned flags;       /**< of ::sks_strategy_flag */
    unsigned max_workers; /**< the default of that option; 0: no limit */
    size_t self_size;     /**< zeroed bytes a server: self below */
    size_t request_size;  /**< zeroed bytes a request: sks_request_slot() */

    /** Optional.  Once, after bind and before the first request.  On failure
     * it undoes what it did, and serving returns its error. */
    int (*start)(void *self, sks_server *server, void *config);

    /** Required.  Runs the request, now or later.  0 takes it; an error
     * leaves it with the server, which calls handle_error and closes it. */
    int (*process_request)(void *self, sks_request *request);

    /** Optional.  Replaces the default loop, which waits for a request, gets
     * it and processes it; returns once sks_server_stopping(), or an error
     * that keeps it from serving. */
    int (*serve)(void *self, sks_server *server);

    /** Optional.  In each turn of the default loop, and of close while
     * requests are under way: reap, rebalance. */
    void (*service_actions)(void *self, sks_server *server);

    /** Optional.  The i-th descriptor, from 0, that the default loop and close
     * wait for beside the server's own; -1 past the last.  A turn follows when
     * it is readable. */
    int (*fileno)(void *self, size_t i);

    /** Optional.  Waits on the calling worker's behalf until fd has one of the
     * poll(2) events, or ms milliseconds passed (-1: for ever).  Every wait of
     * rfile, wfile and sks_server_get_request() comes here, and descriptors
     * are non-blocking.  It is called when a read or a write would block, or
     * when the last read took all there was: news since then is all that
     * counts, so that edge-triggered notification will do.  NULL: the thread
     * itself blocks, in the read or write where that saves a system call.
     * @return 1, 0 when the time is over, or an error */
    int (*wait)(void *self, int fd, short events, int ms);

    /** Optional.  When the drain time is over: end by force what still runs,
     * whose connections are shut down already. */
    void (*kill)(void *self, sks_server *server);

    /** Optional.  By the thread that closes, after start succeeded and nothing
     * serves any more: join if block, which is said only when no request is
     * under way, else let go; see sks_server_hold(). */
    void (*stop)(void *self, sks_server *server, int block);

    /** The most that max_workers may be, which bind checks; 0: no limit. */
    unsigned most_workers;

    /** Optional.  Returns what fn(arg) returns, which may block and does not
     * wait through the library: on some other thread, so that the calling
     * worker may run other requests.  By whoever runs a request, under
     * sks_request_offload().  NULL: the worker itself makes the call. */
    int (*offload)(void *self, int (*fn)(void *arg), void *arg);

    /** Optional.  How many milliseconds from now service_actions should be
     * called again at the latest, though nothing happened; -1: never.  Asked in
     * each turn. */
    int (*turn_ms)(void *self);

    /** Optional.  The request whose stack's guard the address lies in, so that
     * it has overflowed if an access there faulted; NULL: none.  Any signal
     * handler, maybe before start, under sks_server_report_stack_overflow();
     * such a handler runs on a stack of its own where the thread has one. */
    sks_request *(*overflowed)(void *self, const void *address);

    /** Optional.  By bind, with the config: in how many sets it opens each TCP
     * and UDP address, with SO_REUSEPORT, so that each worker process may have
     * one of its own: see sks_worker.number.  0 or 1: as without this. */
    unsigned (*listener_sets)(const sks_server *server, const void *config);

    /** Optional, for a strategy with a wait that has the system receive input
     * before it is asked for.  Each read of rfile comes here first, once
     * input was not there by itself, with the connection's descriptor; n 0
     * takes nothing.  It does not wait; now: nothing will, so that it looks
     * once more what has come.
     * @return up to n bytes, 0 at end of file or if n is 0 and there is
     *         something; -EAGAIN: nothing yet, which the next wait for POLLIN
     *         waits for; -EOPNOTSUPP: the library reads from fd itself; or an
     *         error of the connection */
    ssize_t (*receive)(void *self, int fd, void *buf, size_t n, int now);

    /** Optional.  Tells the requests that were handed over to end: their
     * connections' reading sides are shut down, so that who reads sees end of
     * file; or, if both, all of them.  Maybe twice, by any thread and with the
     * server's lock: it calls no function of the server. */
    void (*interrupt)(void *self, int both);

    /** Optional, for a strategy with a wait that sends together what several
     * requests write.  Small writes of wfile come here first, with the
     * connection's descriptor, as does n 0, which takes nothing, before the
     * library itself sends or closes.  It does not wait.  What it took leaves
     * in order, when the request waits for something or ends at the latest.
     * @return 0: taken, or all taken before is with the system if n is 0;
     *         -EOPNOTSUPP: not taken, and the rest is with the system, so that
     *         the library sends itself; -EAGAIN: not taken, as the system has
     *         no room for what was taken before, which the next wait for
     *         POLLOUT waits for; or an error of the connection */
    int (*send)(void *self, int fd, const void *buf, size_t n);
};

/** Gets the next request: accepted, and verified by verify_request.  Waits ms
 * milliseconds (-1: for ever, 0: not at all).  Any worker may call.
 * @param out receives the request, taken
 * @return 0; SKS_ETIMEDOUT if none came; SKS_ECLOSED once stopping; -EAGAIN if
 *         one came and was refused; -EMFILE or the like if ms is 0 and the
 *         system lacks something, so that the listeners should rest a while;
 *         or what keeps the server from getting any */
SKS_API int sks_server_get_request(sks_server *server, sks_request **out,
                                   int ms);

/** Gets what has come to the i-th listener, up to n requests and without
 * waiting, for a worker that knows which listener is ready: packets in one
 * system call, where the system has one for that.  Any worker may call.
 * @param out receives the requests, taken
 * @return how many, 0 if all that came were refused; SKS_ETIMEDOUT if none
 *         came; else as sks_server_get_request() with ms 0 */
SKS_API int sks_server_get_requests(sks_server *server, size_t i,
                                    sks_request **out, size_t n);

/** The i-th listener, from 0, for an event loop of the strategy's own: readable
 * when sks_server_get_request() would not wait.  -1 past the last. */
SKS_API int sks_server_listener_fileno(const sks_server *server, size_t i);

/** How many sets of listeners bind opened; 1 unless the strategy asked for
 * more.  Any thread. */
SKS_API unsigned sks_server_listener_sets(const sks_server *server);

/** For a serve whose workers get their requests themselves: waits until
 * stopping, and meanwhile does what else the default loop does, by calling
 * service_actions of the strategy and of the user.
 * @return 0 or an error */
SKS_API int sks_server_supervise(sks_server *server);

/** One turn of that, without waiting, for a serve whose thread is a worker
 * itself and waits in an event loop of its own.
 * @return 0, or an error that ends serving */
SKS_API int sks_server_supervise_once(sks_server *server);

/** The i-th descriptor, from 0, that is readable when that turn should come;
 * -1 past the last.  Lives until stop. */
SKS_API int sks_server_supervise_fileno(const sks_server *server, size_t i);

/** How many milliseconds from now it should come though none is; -1: never.
 * To be asked when serving begins, and after each such turn. */
SKS_API int sks_server_supervise_ms(sks_server *server);

/** By a worker to which the thread that serves hands over the requests that it
 * ran itself so far, and which that thread meanwhile waits for. */
SKS_API void sks_server_take_over(sks_server *server);

/** By service_actions: ends serving, which returns the error; the format says
 * it in words for sks_server_error(). */
SKS_API void sks_server_give_up(sks_server *server, int error,
                                const char *format, ...) SKS_PRINTF(3, 4);

/** By service_actions: has it called again within so many milliseconds, even
 * if nothing happens.  To be asked for each time. */
SKS_API void sks_server_want_turn(sks_server *server, int ms);

/** Adds to #SKS_COUNT_WORKERS or #SKS_COUNT_RESPAWNS.  Any thread. */
SKS_API void sks_server_add_count(sks_server *server, int what, int change);

/** True once serving should end.  Any thread, any signal handler. */
SKS_API int sks_server_stopping(const sks_server *server);

/** The option, or the strategy's default; 0: no limit.  Any thread. */
SKS_API unsigned sks_server_max_workers(const sks_server *server);

/** The option, for a strategy whose workers wait by themselves: microseconds
 * for which they poll before they sleep.  Any thread. */
SKS_API int sks_server_spin_us(const sks_server *server);

/** The strategy's self for this server.  Any thread. */
SKS_API void *sks_server_strategy_self(const sks_server *server);

/** Keeps the server's memory, self included, until sks_server_release(): for
 * a worker that may outlive close.  Any thread. */
SKS_API void sks_server_hold(sks_server *server);

/** Ends one sks_server_hold(); the last one frees a server that its owner
 * freed.  Any thread. */
SKS_API void sks_server_release(sks_server *server);

/** In a forked child: closes its copies of the listeners and of all requests
 * but keep, so that they live on in the parent alone, and makes the server
 * fit for running keep and for sks_server_free(). */
SKS_API void sks_server_detach(sks_server *server, sks_request *keep);

/** How many processes of a server may be workers. */
#define SKS_PROCESSES_MAX 1024

/** What a forked child that gets requests itself is told.  Zeroed members
 * are defaults. */
typedef struct sks_worker {
    size_t size;     /**< sizeof(sks_worker) */
    unsigned number; /**< from 1 to #SKS_PROCESSES_MAX; no other living one's:
                          of several sets of listeners it has that one, and
                          those that cannot be opened twice */

    /** A descriptor, of a pipe's reading end for one, that becomes readable
     * once the worker should end, and is at end of file once nobody waits for
     * its requests to end: they then have the drain time left, and ten
     * seconds if that has no end. */
    int leash;

    const sks_strategy *strategy; /**< how it runs requests (one by one) */
    void *config;                 /**< that strategy's */
    unsigned max_workers;         /**< that option there (its default) */
    unsigned long max_requests;   /**< to get; then it ends (0: no limit) */
} sks_worker;

/** In a child that was forked by the thread that serves: makes its copy of the
 * server serve by itself.  Returns when told by the leash, by a shutdown or a
 * signal, or after max_requests, and the last request has ended; the child then
 * ends with `_exit`.  Until then it has a thread of its own that watches the
 * leash.
 * @return 0 or an error */
SKS_API int sks_server_work(sks_server *server, const sks_worker *worker);

/** In the parent, of a worker whose process has ended: the requests that it had
 * under way have failed, and handle_error is told, with the client's address if
 * the worker ran one request at a time.
 * @return how many requests the workers of this number got so far */
SKS_API unsigned long sks_server_end_worker(sks_server *server, unsigned number,
                                            int error);

/** Writes a line to the server's log; cut at 511 bytes.  Any thread. */
SKS_API void sks_server_log(sks_server *server, int level, const char *format,
                            ...) SKS_PRINTF(3, 4);

/** The strategy's request_size bytes in a request. */
SKS_API void *sks_request_slot(sks_request *request);

/** Python's finish_request, shutdown_request and close_request: setup, handle,
 * finish, flush, close; handle_error if it failed.  Waits for the peer.
 * @return 0, or the error that the handler ended with */
SKS_API int sks_request_run(sks_request *request);

/** sks_request_run() for n requests of one server, one after the other.  The
 * replies to packets leave after the last of them, in one system call where
 * the system has one for that. */
SKS_API void sks_requests_run(sks_request *const *requests, size_t n);

/** The first half of sks_request_run(): setup, handle, finish.  The request is
 * still to be ended, by sks_requests_finish().
 * @return 0, or the error that the handler ended with */
SKS_API int sks_request_handle(sks_request *request);

/** The second half, for n requests of one server that were handled, maybe by
 * several workers: sends their replies, those to packets in one system call
 * where the system has one for that; then handle_error for those that failed,
 * and close.  Waits for the peers. */
SKS_API void sks_requests_finish(sks_request *const *requests, size_t n);

/** close_request: drops this process's hold.  The conversation goes on where
 * else it is held: a child that was forked for it. */
SKS_API void sks_request_close(sks_request *request);

/** In the parent of a process that runs the request from now on: closes this
 * process's half and frees the struct, of which only the slot stays.  The
 * request counts as under way until sks_slot_end(), and interrupt is how it
 * hears of a shutdown. */
SKS_API void sks_request_hand_over(sks_request *request);

/** In the child, after sks_server_detach(): the parent surely calls
 * sks_request_hand_over() for this request, and this process ends once the
 * request has run.  So that end closes the connection, which is neither shut
 * down nor closed before. */
SKS_API void sks_request_take_over(sks_request *request);

/** Ends a request that was handed over, by the slot that was its own.
 * @param error 0; or what handle_error is told, with a request that knows its
 *              client's address and has neither input nor output */
SKS_API void sks_slot_end(sks_server *server, void *slot, int error);

/** Ends a request that could not be run: handle_error, then shut down and
 * close.  Does not wait. */
SKS_API void sks_request_fail(sks_request *request, int error);

#ifdef __cplusplus
}
#endif

#endif /* SOCKSERVER_STRATEGY_H */
