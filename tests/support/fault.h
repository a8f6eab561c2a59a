/* Faults, injected between the library and the system.
 *
 * The test programs are linked with --wrap for each call in fault.cmake, so
 * that the library's calls, and no one else's, come through here.  A fault is
 * a countdown: the first skip calls of a kind go through, the next times calls
 * fail, all others go through again.  The counts live in memory that forked
 * children share.  Everything here may be called from any thread. */
#ifndef SUPPORT_FAULT_H
#define SUPPORT_FAULT_H

#include <stddef.h>

/* The kinds of calls.  RECV and SEND fail on sockets only. */
enum fault_call {
    FAULT_MALLOC,         /* malloc, calloc, aligned_alloc, realloc, strdup */
    FAULT_MMAP,           /* mmap */
    FAULT_SOCKET,         /* socket, socketpair */
    FAULT_BIND,           /* bind */
    FAULT_LISTEN,         /* listen */
    FAULT_ACCEPT,         /* accept, accept4 */
    FAULT_RECV,           /* recv, recvfrom, recvmsg, recvmmsg, read,
                             readv, and io_uring's */
    FAULT_SEND,           /* send, sendto, sendmsg, sendmmsg, write,
                             writev */
    FAULT_SENDFILE,       /* sendfile */
    FAULT_SPLICE,         /* splice */
    FAULT_WAKEUP,         /* eventfd, pipe, pipe2 */
    FAULT_EPOLL,          /* epoll_create1, epoll_ctl */
    FAULT_POLL,           /* poll, epoll_wait */
    FAULT_FORK,           /* fork */
    FAULT_WAIT,           /* waitpid, waitid */
    FAULT_PTHREAD_CREATE, /* pthread_create */
    FAULT_CALLS           /* how many kinds there are */
};

/* times: for ever. */
#define FAULT_ALWAYS (-1)

/* Lets skip calls through, then times calls fail with error, an errno.
 * Starts the kind's count of calls again. */
void fault_set(enum fault_call call, long skip, long times, int error);

/* How often a call of the kind was made, since fault_set() or fault_clear(). */
long fault_calls(enum fault_call call);

/* How often a call of the kind was made to fail. */
long fault_hits(enum fault_call call);

/* No stream socket's call moves more than n bytes; 0: no limit.  Reads of
 * sockets that do not block are left alone. */
void fault_shorten(size_t n);

/* Every n-th call that may wait fails with EINTR instead; 0: none. */
void fault_interrupt(long n);

/* Interrupts the process's other threads with a real SIGALRM, whose handler
 * does not restart calls, again and again; blocked in the calling thread. */
void fault_alarms(void);

/* How many alarms came. */
long fault_alarms_seen(void);

/* Remembers how long the calling thread's calls of FAULT_POLL wait, for
 * fault_waits_for_ever(). */
void fault_watch(void);

/* True while the latest wait of the watched thread has no time limit. */
int fault_waits_for_ever(void);

/* The memory blocks that the library allocated and has not freed. */
long fault_blocks(void);

/* Lifts all faults and starts all counts again. */
void fault_clear(void);

#endif
