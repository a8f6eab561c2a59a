/** @file sockserver.h
 * Network servers in C, after Python's socketserver.
 *
 * A server is a transport (its constructor) x a strategy (how requests run)
 * x a handler (what a request does).  Python's obj.method(x) is
 * sks_obj_method(obj, x) here.
 *
 * **Errors.**  An int, ssize_t or off_t result is 0 or a count on success and
 * negative on failure: an errno negated, or one of ::sks_error.  errno itself
 * is neither read nor promised.
 *
 * **Ownership.**  What you pass in is borrowed for the call, unless its comment
 * says *keeps*: then it must outlive the server.  What you are handed belongs
 * to what gave it.  Only *_new results are yours; the *_free of their noun ends
 * them, and accepts NULL.
 *
 * **Threads.**  Functions of a request, its rfile and its wfile are for the
 * thread that runs the request.  Setters of a server are for one thread,
 * before sks_server_bind().  What else may be called from other threads or
 * from signal handlers says so.
 *
 * **Forks.**  A child process may use the request that it was forked for, call
 * sks_server_shutdown(), and free its copy of a server, which leaves the
 * parent's untouched.
 *
 * **Blocking.**  Functions that wait for a peer or for requests say so; all
 * others return at once. */
#ifndef SOCKSERVER_H
#define SOCKSERVER_H

#include <stddef.h>
#include <sys/types.h> /* ssize_t, off_t */

#if defined(__GNUC__)
/** Marks what the shared library exports. */
#define SKS_API __attribute__((visibility("default")))
/** Lets the compiler check a printf-like function's arguments. */
#define SKS_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SKS_API
#define SKS_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the library that runs, as "1.2.3".  Static.  Any thread. */
SKS_API const char *sks_version(void);

/** @name Errors
 * @{ */

/** Errors that no errno names. */
enum sks_error {
    SKS_OK = 0,
    SKS_ECLOSED = -4001,   /**< the peer, or the server, is gone */
    SKS_ETIMEDOUT = -4002, /**< nothing came in the time allowed */
    SKS_ETOOLONG = -4003,  /**< a line or packet over its limit */
    SKS_ERESOLVE = -4004,  /**< no such host */
    SKS_ESTATE = -4005,    /**< not allowed now: an option after bind */
    SKS_EVTABLE = -4006,   /**< .size or a required member unset */
    SKS_ECRASHED = -4007   /**< the process that ran the request died */
};

/** What an error means, in a few English words: static, never NULL.
 * Any thread, any signal handler. */
SKS_API const char *sks_strerror(int error);

/** @} */

/** @name Objects
 * @{ */

typedef struct sks_server sks_server;     /**< a server */
typedef struct sks_request sks_request;   /**< a handler's "self" */
typedef struct sks_rfile sks_rfile;       /**< what the client sends */
typedef struct sks_wfile sks_wfile;       /**< what the client receives */
typedef struct sks_handler sks_handler;   /**< what a request does */
typedef struct sks_strategy sks_strategy; /**< sockserver/strategy.h */

/** @} */

/** @name Handlers: class EchoHandler(StreamRequestHandler)
 * @{ */

/** A request handler.  Its members run on the thread or in the process that
 * the strategy chose, one after the other, for each request.  The table is
 * copied by the server's constructor. */
struct sks_handler {
    size_t size;                   /**< sizeof(sks_handler) */
    size_t self_size;              /**< zeroed bytes for each request */
    int (*setup)(sks_request *);   /**< optional; < 0 skips the others */
    int (*handle)(sks_request *);  /**< required; < 0: see handle_error */
    void (*finish)(sks_request *); /**< optional; iff setup succeeded */
};

/** The same for callers that cannot lay out a C struct.
 * @return a handler to sks_handler_free(); NULL when out of memory */
SKS_API sks_handler *sks_handler_new(size_t self_size,
                                     int (*setup)(sks_request *),
                                     int (*handle)(sks_request *),
                                     void (*finish)(sks_request *));

/** Frees what sks_handler_new() made; servers made with it live on. */
SKS_API void sks_handler_free(sks_handler *handler);

/** @} */

/** @name Requests: self.server, self.client_address, self.rfile
 * @{ */

/** The handler's own self_size bytes, zeroed before setup, aligned for any
 * type, freed after finish.  NULL if self_size is 0. */
SKS_API void *sks_request_self(sks_request *request);

/** The server that the request came to. */
SKS_API sks_server *sks_request_server(const sks_request *request);

/** What the client sends; lives as long as the request. */
SKS_API sks_rfile *sks_request_rfile(sks_request *request);

/** What the client receives; lives as long as the request. */
SKS_API sks_wfile *sks_request_wfile(sks_request *request);

/** The connection's descriptor, or a datagram server's own; for getsockopt
 * and the like, not to close.  Non-blocking or not as the strategy needs:
 * wait with sks_request_wait().  If the handler asks, what it wrote to wfile
 * has been sent, for which this may wait as wfile does. */
SKS_API int sks_request_fileno(const sks_request *request);

/** "127.0.0.1:51234", "[::1]:51234", "unix:/path"; "unix:" if unnamed.
 * Lives as long as the request.  Also in a signal handler. */
SKS_API const char *sks_request_client_address(const sks_request *request);

/** Bounds each wait for the peer, in milliseconds; starts as the server's
 * request timeout.  -1: for ever; 0: not at all. */
SKS_API void sks_request_set_timeout_ms(sks_request *request, int ms);

/** Bounds all waits from now on together, in milliseconds: a total, against
 * peers that send one byte a minute.  -1 lifts it.  From then on each wait may
 * cost a system call more, as the connection becomes non-blocking. */
SKS_API void sks_request_set_deadline_ms(sks_request *request, int ms);

/** How long the end of a connection waits for the peer to close its side, in
 * milliseconds (2000; -1: for ever), throwing away what still comes: closing
 * with unread input resets a connection, and that can take the last reply with
 * it (RFC 9112, section 9.6).  0: not at all, for a peer that has nothing more
 * to say.  Under a strategy without SKS_PARALLEL, everybody waits meanwhile. */
SKS_API void sks_request_set_linger_ms(sks_request *request, int ms);

/** True once the server is stopping: end after the reply under way. */
SKS_API int sks_request_stopping(const sks_request *request);

/** Waits until a descriptor of the handler's own has one of the poll(2)
 * events, ms milliseconds at most (-1: for ever).  A strategy that runs many
 * requests in one thread runs others meanwhile.
 * @return 1, 0 when the time is over, or an error */
SKS_API int sks_request_wait(sks_request *request, int fd, short events,
                             int ms);

/** Makes a call that blocks: returns what fn(arg) returns, however long that
 * takes.  A strategy that runs many requests in one thread has a helper thread
 * make it (64 for each server at most, then calls wait for their turn), and
 * runs others meanwhile; other strategies, and one that can start no helper,
 * make it right here.  So fn may use what arg leads to, but nothing of the
 * request and no variable of the thread's, and must not close the server.  No
 * time limit and no shutdown ends it. */
SKS_API int sks_request_offload(sks_request *request, int (*fn)(void *arg),
                                void *arg);

/** The packet itself, of a datagram server; NULL for a stream.  Lives as long
 * as the request.  A handler need not know the kind of its server: rfile reads
 * the packet, and what was written to wfile leaves as one datagram after
 * finish, from the address that the packet came to.
 * @param len receives the packet's bytes; may be NULL */
SKS_API const void *sks_request_packet(const sks_request *request, size_t *len);

/** True if the packet was longer than the server's maximum and its end is
 * lost.  rfile then ends with ::SKS_ETOOLONG instead of end of file. */
SKS_API int sks_request_packet_truncated(const sks_request *request);

/** @} */

/** @name rfile
 * Each of these waits for the peer when it must, bounded by the request's
 * timeout and deadline, and sends first what wfile still holds back.  Counts
 * are in bytes; 0 is end of file.  Errors: SKS_ETIMEDOUT (may be tried again),
 * SKS_ECLOSED (the connection was reset), -ENOMEM, or the system's.
 * @{ */

/** Reads n bytes; fewer only at end of file or when an error follows, which
 * the next call returns. */
SKS_API ssize_t sks_rfile_read(sks_rfile *rfile, void *buf, size_t n);

/** Reads what is there, up to n bytes; waits once at most. */
SKS_API ssize_t sks_rfile_read1(sks_rfile *rfile, void *buf, size_t n);

/** Shows what comes next without taking it.  Waits until min bytes are there;
 * returns more if they are, fewer only at end of file.
 * @param min  at least 1; beyond the server's rbufsize the buffer grows
 * @param data receives the bytes: yours until the next call on this rfile
 * @return the number of bytes at *data */
SKS_API ssize_t sks_rfile_peek(sks_rfile *rfile, size_t min, const void **data);

/** Takes n bytes and forgets them; fewer only as in sks_rfile_read(). */
SKS_API off_t sks_rfile_skip(sks_rfile *rfile, off_t n);

/** Reads a line with its newline and adds a NUL.  The last line of a stream
 * may lack the newline.
 * @param size of buf, at least 2
 * @return the line's length; SKS_ETOOLONG if it has more than size - 1 bytes,
 *         all of which stay unread */
SKS_API ssize_t sks_rfile_readline(sks_rfile *rfile, char *buf, size_t size);

/** Moves n bytes, or all to end of file if n is -1, into the file fd at its
 * own offset; without a copy where the system can.
 * @return the bytes moved; an error of the file or of the peer only if none
 *         were, otherwise the next call returns it */
SKS_API off_t sks_rfile_recvfile(sks_rfile *rfile, int fd, off_t n);

/** @} */

/** @name wfile
 * Each of these sends all of it or returns an error, which sticks: later calls
 * return it and do nothing, so that a handler may check once, at the end.
 * They wait as rfile's do.  SKS_ECLOSED: the peer is gone.  Unbuffered, unless
 * the server has a wbufsize.  A strategy may send what is small together with
 * what other requests write: when the request waits for something or ends at
 * the latest; so that an error may be told by a later call.  On a datagram
 * server they collect the reply: SKS_ETOOLONG if it outgrows the largest
 * datagram.
 * @{ */

/** Sends n bytes. */
SKS_API int sks_wfile_write(sks_wfile *wfile, const void *buf, size_t n);

/** Sends a string, without its NUL. */
SKS_API int sks_wfile_puts(sks_wfile *wfile, const char *s);

/** Sends formatted text, as one write. */
SKS_API int sks_wfile_printf(sks_wfile *wfile, const char *format, ...)
    SKS_PRINTF(2, 3);

/** Sends n bytes of the file fd from offset on, after what wfile still holds
 * back; without a copy where the system can.  The descriptor's own offset
 * stays.  -EIO if the file ends early.  A large one clears the connection's
 * TCP_CORK. */
SKS_API int sks_wfile_sendfile(sks_wfile *wfile, int fd, off_t offset, off_t n);

/** Sends what is held back, as a write does.  Happens by itself when rfile must
 * wait and after finish.  Of a datagram server: does nothing. */
SKS_API int sks_wfile_flush(sks_wfile *wfile);

/** @} */

/** @name Servers: TCPServer((host, port), EchoHandler)
 * Constructors return NULL only when out of memory; any other fault waits for
 * bind.  They copy their handler.
 * @{ */

/** A server of TCP connections.
 * @param host a name or an address; each address of a name is bound.
 *             NULL: every address of the machine, IPv6 and IPv4
 * @param port 0: the system's choice, see sks_server_port() */
SKS_API sks_server *sks_tcp_server_new(const char *host, int port,
                                       const sks_handler *handler);

/** A server of UDP packets; host and port as with sks_tcp_server_new(). */
SKS_API sks_server *sks_udp_server_new(const char *host, int port,
                                       const sks_handler *handler);

/** A server of connections to a Unix socket.  A stale socket at path, which
 * no process serves, is replaced; anything else there is left alone and bind
 * returns -EADDRINUSE.  The path is removed on close if it is still ours. */
SKS_API sks_server *sks_unix_stream_server_new(const char *path,
                                               const sks_handler *handler);

/** The same for Unix datagrams. */
SKS_API sks_server *sks_unix_datagram_server_new(const char *path,
                                                 const sks_handler *handler);

/** A server over a socket that was bound elsewhere (and, of a stream, may
 * listen already): of any of the kinds above.  Keeps fd, and closes it with
 * the server; the path of a Unix socket stays.  When this returns NULL fd
 * stays with the caller. */
SKS_API sks_server *sks_fd_server_new(int fd, const sks_handler *handler);

/** Closes the server as sks_server_close() does, then frees it.  Any thread;
 * requests that still run keep what they need until they end. */
SKS_API void sks_server_free(sks_server *server);

/** @} */

/** @name Options, before bind; (their default)
 * Each is copied.  A bad value, or an option after bind, is remembered: the
 * next of the four calls that return a fault returns it, and
 * sks_server_error() says it in words.
 * @{ */

/** One more address for a TCP or UDP server, as the constructor's. */
SKS_API void sks_server_add_address(sks_server *server, const char *host,
                                    int port);
/** One more path for a server of Unix sockets, as the constructor's. */
SKS_API void sks_server_add_path(sks_server *server, const char *path);
/** One more bound socket, as sks_fd_server_new()'s, for any server. */
SKS_API void sks_server_add_fd(sks_server *server, int fd);

/** How requests run (synchronous).  The table is copied.
 * @param config for the strategy's start; *keeps* it */
SKS_API void sks_server_set_strategy(sks_server *server,
                                     const sks_strategy *strategy,
                                     void *config);
/** SO_REUSEADDR (1; TCP only). */
SKS_API void sks_server_set_reuse_address(sks_server *server, int on);
/** SO_REUSEPORT (0). */
SKS_API void sks_server_set_reuse_port(sks_server *server, int on);
/** Python's request_queue_size: how many connections may wait to be accepted
 * (the most that the system allows). */
SKS_API void sks_server_set_backlog(sks_server *server, int n);
/** For how many milliseconds the system keeps a new connection whose client has
 * sent nothing yet (0; TCP, on Linux: elsewhere this does nothing).  For
 * protocols in which the client speaks first: its first bytes are there when
 * its request begins, and while it is silent it takes no worker.  After that
 * time, which Linux rounds up to 1, 3, 7, 15 ... seconds, it becomes a request
 * as it is; only then do a request's own time limits begin.  Meanwhile it has a
 * place in the backlog; when that is full Linux keeps none back.  An adopted
 * listener gets the option for all who share it. */
SKS_API void sks_server_set_defer_accept_ms(sks_server *server, int ms);
/** How long sks_server_handle_request() waits (-1: for ever). */
SKS_API void sks_server_set_timeout_ms(sks_server *server, int ms);
/** Bounds each wait of a request for its peer (60000; -1: for ever).  A wait
 * that a signal interrupts may take up to twice as long. */
SKS_API void sks_server_set_request_timeout_ms(sks_server *server, int ms);
/** How long requests under way may go on after a shutdown (10000; -1: for
 * ever, but for ten seconds in a worker process that outlives its parent, or
 * that a close without block_on_close let go). */
SKS_API void sks_server_set_drain_timeout_ms(sks_server *server, int ms);
/** Python's poll_interval: calls service_actions at least this often
 * (-1: only when something happened). */
SKS_API void sks_server_set_poll_interval_ms(sks_server *server, int ms);
/** How many requests may run at once (the strategy's own default); at the
 * limit new clients wait in the system's queue. */
SKS_API void sks_server_set_max_workers(sks_server *server, unsigned n);
/** Microseconds for which a worker that waits for its client's next input polls
 * before it sleeps (0; a second at most).  For few clients that answer at once,
 * and a processor to spare for each that waits: to be woken costs more than a
 * round trip.  A client that stays silent costs no more than this. */
SKS_API void sks_server_set_spin_us(sks_server *server, int us);
/** Whether close waits for the requests under way (1).  If not, children that
 * still run are for the program to reap. */
SKS_API void sks_server_set_block_on_close(sks_server *server, int on);
/** The longest packet that a datagram server takes, in bytes (65535). */
SKS_API void sks_server_set_max_packet_size(sks_server *server, size_t n);
/** Bytes that rfile buffers (8192); at first fewer where a thread waits in its
 * reads. */
SKS_API void sks_server_set_rbufsize(sks_server *server, size_t n);
/** Bytes that wfile may hold back (0: none). */
SKS_API void sks_server_set_wbufsize(sks_server *server, size_t n);
/** TCP_NODELAY on connections (1; TCP only). */
SKS_API void sks_server_set_nodelay(sks_server *server, int on);

/** @} */

/** @name What a Python subclass would override; fn NULL: the default
 * Each *keeps* its arg.  verify_request runs where requests are accepted,
 * handle_error where the request runs; under a parallel strategy several at
 * once.
 * @{ */

/** Whether to serve a request: fn returns 0 to refuse it (all are served). */
SKS_API void
sks_server_set_verify_request(sks_server *server,
                              int (*fn)(void *arg, const sks_request *request),
                              void *arg);
/** Told of each request that failed, with its error: setup or handle returned
 * it, the strategy could not run it, or its process died (logged).  A peer
 * that merely went away (SKS_ECLOSED, -EPIPE, -ECONNRESET) is not an error of
 * the server: it is logged at debug level, and fn is not called. */
SKS_API void sks_server_set_handle_error(
    sks_server *server,
    void (*fn)(void *arg, const sks_request *request, int error), void *arg);
/** Called when sks_server_handle_request() waited in vain (nothing). */
SKS_API void sks_server_set_handle_timeout(
    sks_server *server, void (*fn)(void *arg, sks_server *server), void *arg);
/** Called in each turn of sks_server_serve_forever() (nothing): when something
 * happened there, and as often as sks_server_set_poll_interval_ms() says.
 * Under a strategy whose workers get requests themselves (coroutine) nothing
 * happens there but that; and while fn runs, the requests that are the thread's
 * own do not. */
SKS_API void sks_server_set_service_actions(
    sks_server *server, void (*fn)(void *arg, sks_server *server), void *arg);

/** A pointer of yours for handlers to find (NULL); never touched.  Any time
 * before handlers look. */
SKS_API void sks_server_set_data(sks_server *server, void *data);
/** What sks_server_set_data() set.  Any thread. */
SKS_API void *sks_server_data(const sks_server *server);

/** @} */

/** @name Running
 * These four return the first fault of a constructor or a setter, and then
 * their own; of a NULL server, -ENOMEM; of a closed one, SKS_ECLOSED.  Binding
 * is for the thread of the setters, and one thread at a time may serve: others
 * get SKS_ESTATE meanwhile.
 * @{ */

/** Python's server_bind and server_activate: binds every address and listens.
 * A failed bind leaves nothing behind and may be tried again.  May wait for
 * the name service. */
SKS_API int sks_server_bind(sks_server *server);

/** Serves until sks_server_shutdown(); binds if nobody did.  Requests under
 * way are then told (they see end of file where they wait for their peer's
 * next input) and go on until they end, or sks_server_close() ends them.  May
 * be called again.
 * @return 0 after a shutdown, or a fault that kept it from serving */
SKS_API int sks_server_serve_forever(sks_server *server);

/** Waits for one request and runs it as the strategy runs requests; binds if
 * nobody did.
 * @return 1 if a request came, even one that was refused; 0 after
 *         handle_timeout; SKS_ECLOSED once shutdown was asked for */
SKS_API int sks_server_handle_request(sks_server *server);

/** Closes the listeners, lets requests under way finish within the drain time,
 * shuts down their connections, then joins or reaps what ran them.  Without
 * block_on_close it does not wait.  Any thread but one that runs a request of
 * this server (there SKS_ESTATE: ask for shutdown instead); ends a
 * serve_forever in another thread first, and waits for a close in another one,
 * to return SKS_ECLOSED then.
 * @return 0; SKS_ETIMEDOUT if requests that no connection holds up still run,
 *         which keep what they need until they end */
SKS_API int sks_server_close(sks_server *server);

/** Ends serve_forever, and does not wait for it.  Asked for before
 * serve_forever, it makes that return at once.  Any thread, any handler (in a
 * forked child too), any signal handler.  A fork copies the server, not what
 * this asks for: it is asked of the server in all processes that have a copy.
 * A program whose processes are to serve and end apart makes a server in each,
 * by sks_fd_server_new() if they share a socket. */
SKS_API void sks_server_shutdown(sks_server *server);

/** Opt-in for programs: SIGINT and SIGTERM ask for shutdown, a second one ends
 * the process as if unhandled.  The earlier dispositions come back when the
 * server is freed.  The library touches no signal unless asked here.
 * @return 0, or -ENOSPC if 16 servers asked already */
SKS_API int sks_server_shutdown_on_signals(sks_server *server);

/** Opt-in for programs: when a handler overflows its stack under a strategy
 * that gives it a small one (coroutine), one line to the descriptor fd (2:
 * standard error) names its client before the process dies of it.  A handler
 * of SIGSEGV and SIGBUS does that, and passes these signals on to what was set
 * before, which comes back when the last server that asked is freed.  The log's
 * fn is not called there.  Any time before requests run; *keeps* fd.  A forked
 * child inherits it.
 * @return 0, or -ENOSPC if 16 servers asked already */
SKS_API int sks_server_report_stack_overflow(sks_server *server, int fd);

/** The last fault in one sentence, without a newline: "" if there was none,
 * "out of memory" of a NULL server.  Yours until the next call on the server.
 */
SKS_API const char *sks_server_error(const sks_server *server);

/** The i-th address that the server is bound to, from 0, in the form of
 * sks_request_client_address(); NULL past the last.  Lives until close.  Any
 * thread, once bound. */
SKS_API const char *sks_server_address(const sks_server *server, size_t i);

/** The port of the first address that has one; 0 before bind and of Unix
 * sockets.  Any thread, once bound. */
SKS_API int sks_server_port(const sks_server *server);

/** A descriptor for an event loop of your own: readable when
 * sks_server_handle_request() would not wait for a request; children that end
 * are reaped in that one's turns.  Not to read, write or close; lives until
 * close.  Any thread, once bound.
 * @return -ENOTSUP for several sockets on a system without epoll(7);
 *         SKS_ESTATE before bind */
SKS_API int sks_server_fileno(sks_server *server);

/** @} */

/** @name Statistics
 * @{ */

/** What is counted of a server's requests; see sks_server_count(). */
enum sks_count {
    SKS_COUNT_TAKEN,   /**< requests that came, since the server was made */
    SKS_COUNT_REFUSED, /**< of these, refused by verify_request */
    SKS_COUNT_FAILED,  /**< of these, failed as handle_error is told */
    SKS_COUNT_ACTIVE,  /**< under way now */
    SKS_COUNT_WORKERS, /**< threads or child processes that the strategy has
                            now, beside the thread that serves; of prefork
                            its processes, whatever they run */
    SKS_COUNT_RESPAWNS /**< children that replaced one that had ended */
};

/** One of the counts, of all processes that serve together.  They are taken
 * while requests come and go: two of them need not fit together.  Any thread,
 * any of the server's processes; does not wait.
 * @param what one of ::sks_count; 0 is returned of any other */
SKS_API unsigned long sks_server_count(const sks_server *server, int what);

/** @} */

/** @name Strategies: ForkingMixIn, ThreadingMixIn
 * Their tables are static.  Any thread.
 * @{ */

/** One request at a time, in the thread that serves. */
SKS_API const sks_strategy *sks_synchronous(void);
/** A child process for each request, 40 at once. */
SKS_API const sks_strategy *sks_forking(void);

/** What sks_server_set_strategy() may get as sks_threading()'s config.  A 0 is
 * the default of its member, as everything is without a config. */
typedef struct sks_threading_config {
    size_t size;       /**< sizeof(sks_threading_config) */
    size_t stack_size; /**< bytes of address space that a thread's stack has
                            (524288; from 16384 to 1 GiB); only touched pages
                            cost memory */
} sks_threading_config;

/** A thread for each request, 512 at once.  A thread that has ended one waits
 * for the next for a while. */
SKS_API const sks_strategy *sks_threading(void);

/** What sks_server_set_strategy() may get as sks_thread_pool()'s config.  A 0
 * is the default of its member, as everything is without a config. */
typedef struct sks_thread_pool_config {
    size_t size;          /**< sizeof(sks_thread_pool_config) */
    unsigned min_workers; /**< threads that are always there (one for each
                               processor); at most max_workers */
    int keep_ms;          /**< how long a thread beyond those waits for its
                               next request before it ends (10000; -1: for
                               ever) */
} sks_thread_pool_config;

/** Threads that each accept for themselves, four for each processor unless
 * max_workers says otherwise: they start when all there are have something to
 * do, and end after a while without.  A request holds its thread until it
 * ends; while all are held, clients wait in the system's queue. */
SKS_API const sks_strategy *sks_thread_pool(void);

/** What sks_server_set_strategy() may get as sks_coroutine()'s config.  A 0 is
 * the default of its member, as what lies beyond .size is, and everything
 * without a config. */
typedef struct sks_coroutine_config {
    size_t size;          /**< sizeof(sks_coroutine_config) */
    size_t stack_size;    /**< bytes of address space that a request's stack
                               has, its guard page included (65536; from 16384
                               to 1 GiB); only touched pages cost memory */
    unsigned max_packets; /**< packets that each thread of a datagram server
                               has under way at once (1024); at the limit
                               others wait in the socket's queue */
    int no_io_uring;      /**< 1: even where the library was built with io_uring
                               and the system allows it, epoll alone is used */
} sks_coroutine_config;

/** Threads, one for each processor unless max_workers says otherwise (1024 at
 * most), each of which runs any number of requests as coroutines: whenever one
 * waits for its peer, others go on.  A handler that blocks otherwise holds up
 * its thread.  The thread that serves is one of them; what is under way there
 * when serving ends goes on in another thread after its next wait. */
SKS_API const sks_strategy *sks_coroutine(void);

/** Child processes, one for each processor (two at least) unless max_workers
 * says otherwise, that each accept for themselves: a process that serves is
 * not made anew for each request, and a crash costs one client.  The config is
 * an ::sks_prefork_config or NULL. */
SKS_API const sks_strategy *sks_prefork(void);

/** How sks_prefork() works.  Zeroed members are defaults, and so is what lies
 * beyond .size.  Read by bind, and again when serving starts. */
typedef struct sks_prefork_config {
    size_t size; /**< sizeof(sks_prefork_config) */

    /** How each child runs its requests (one after the other).  Under one that
     * runs many at once a crash costs all clients of that child: handle_error
     * is told of each, but with the address "unknown", as the parent can see
     * only the latest client of each child: a place for each of any number
     * would cost every request. */
    const sks_strategy *inner;
    void *inner_config;         /**< the inner strategy's config */
    unsigned inner_max_workers; /**< the inner strategy's max_workers (its own
                                     default; 1 if it ::SKS_MULTIPLEXES) */

    /** Requests after which a child is replaced (0: never): it gets no more,
     * and ends with its last one. */
    unsigned long max_requests;

    /** How often in a row children may end before they served anything, or
     * cannot be forked (10).  If none is left then, serving fails. */
    unsigned max_failures;

    /** Whether each child has TCP and UDP sockets of its own, bound with
     * SO_REUSEPORT, among which the system spreads clients (0: all share one).
     * The parent keeps them open: what waits in the queue of a child that ends
     * is its successor's.  Unix and adopted sockets stay shared.  Bind fails
     * with `-ENOTSUP` where the system lacks the option, and with `-E2BIG` if
     * addresses times children are more than 64. */
    int own_sockets;
} sks_prefork_config;

/** A strategy by its name: "forking"; "prefork:threading" is a prefork whose
 * children run threading.  NULL if this build has no such one. */
SKS_API const sks_strategy *sks_strategy_find(const char *name);
/** The name of the i-th strategy of this build, from 0; NULL past the last. */
SKS_API const char *sks_strategy_names(size_t i);
/** A strategy's name; lives as long as the strategy. */
SKS_API const char *sks_strategy_name(const sks_strategy *strategy);

/** @} */

/** @name Logging
 * @{ */

/** How much a log line matters. */
enum sks_level { SKS_ERROR, SKS_WARNING, SKS_INFO, SKS_DEBUG };

/** Where log lines go (SKS_WARNING and worse, to standard error).  fn NULL:
 * the default.  *Keeps* arg.  Any worker may call fn, several at once; no
 * signal handler does.
 * @param fn gets one line without a newline, its during the call */
SKS_API void sks_server_set_log(sks_server *server,
                                void (*fn)(void *arg, int level,
                                           const char *text),
                                void *arg);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* SOCKSERVER_H */
