#include "fault.h"
#include "real.h"
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

/* Defines the wrapper of a call, and declares what it stands in front of. */
#define WRAP(type, name, ...)                                                  \
    type __real_##name(__VA_ARGS__);                                           \
    type __wrap_##name(__VA_ARGS__);                                           \
    type __wrap_##name(__VA_ARGS__)

struct countdown {
    atomic_long skip, times; /* calls to let through, then to fail */
    atomic_long seen, hits;  /* calls made, calls failed */
    atomic_int error;        /* the errno of those */
};

/* In memory shared with forked children, so that the counts are of all. */
struct faults {
    struct countdown calls[FAULT_CALLS];
    atomic_size_t shorten;     /* the most that one call moves; 0: any */
    atomic_long every, chance; /* each every-th call is interrupted */
};

static struct faults early; /* of what runs before the constructor */
static struct faults *faults = &early;

/* Of this process alone. */
static atomic_long blocks, alarms_seen;
static atomic_int last_wait;
static _Thread_local int watched;

/* Runs before main, because the library may allocate as early. */
__attribute__((constructor)) static void share(void)
{
    void *memory = __real_mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    faults = memory;
}

/* --- deciding --- */

/* Counts a call.  Returns the errno that it fails with, 0 to let it be. */
static int decide(enum fault_call call)
{
    struct countdown *c = &faults->calls[call];
    long seen = atomic_fetch_add(&c->seen, 1);
    long times = atomic_load(&c->times);
    long skip = atomic_load(&c->skip);

    if (times == 0 || seen < skip || (times > 0 && seen - skip >= times))
        return 0;
    atomic_fetch_add(&c->hits, 1);
    return atomic_load(&c->error);
}

/* True, with errno set, if the call is to fail. */
static int fails(enum fault_call call)
{
    int error = decide(call);

    if (error)
        errno = error;
    return error != 0;
}

/* True, with errno set, if a call that may wait is to be interrupted. */
static int interrupted(void)
{
    long every = atomic_load(&faults->every);

    if (every == 0 || (atomic_fetch_add(&faults->chance, 1) + 1) % every != 0)
        return 0;
    errno = EINTR;
    return 1;
}

static int waiting_fails(enum fault_call call)
{
    return interrupted() || fails(call);
}

/* The socket's type, 0 of any other descriptor.  Leaves errno alone. */
static int socket_type(int fd)
{
    int saved = errno, type = 0;
    socklen_t len = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
        type = 0;
    errno = saved;
    return type;
}

/* The same for calls that are about sockets here, and about wake-ups and files
 * elsewhere. */
static int moving_fails(enum fault_call call, int fd)
{
    return interrupted() || (socket_type(fd) != 0 && fails(call));
}

/* --- shortening --- */

static size_t at_most(size_t n)
{
    size_t limit = atomic_load(&faults->shorten);

    return limit > 0 && limit < n ? limit : n;
}

/* A datagram is never cut: that would change what it says.  Nor is a read
 * without waiting, because a short one says that there is no more: see
 * epoll(7). */
static int may_be_cut(int fd, int reading)
{
    return socket_type(fd) == SOCK_STREAM &&
           !(reading && (fcntl(fd, F_GETFL) & O_NONBLOCK));
}

static size_t cut(int fd, int reading, size_t n)
{
    return may_be_cut(fd, reading) ? at_most(n) : n;
}

/* Cuts a scattered transfer down to a part of its first piece, in *first.
 * Returns how many pieces are left, at *pieces. */
static int cut_pieces(int fd, int reading, const struct iovec **pieces, int n,
                      struct iovec *first)
{
    if (!may_be_cut(fd, reading) || atomic_load(&faults->shorten) == 0)
        return n;
    while (n > 1 && (*pieces)->iov_len == 0) {
        ++*pieces;
        n--;
    }
    if (n == 0)
        return 0;
    *first = **pieces;
    first->iov_len = at_most(first->iov_len);
    *pieces = first;
    return 1;
}

/* The same of a message. */
static struct msghdr cut_message(int fd, int reading,
                                 const struct msghdr *message,
                                 struct iovec *first)
{
    struct msghdr result = *message;
    const struct iovec *pieces = message->msg_iov;
    int n = cut_pieces(fd, reading, &pieces, (int)message->msg_iovlen, first);

    if (pieces == first) {
        result.msg_iov = first;
        result.msg_iovlen = (size_t)n;
    }
    return result;
}

/* --- memory --- */

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add(&blocks, 1);
    return memory;
}

WRAP(void *, malloc, size_t size)
{
    return fails(FAULT_MALLOC) ? NULL : counted(__real_malloc(size));
}

WRAP(void *, aligned_alloc, size_t alignment, size_t n)
{
    return fails(FAULT_MALLOC) ? NULL
                               : counted(__real_aligned_alloc(alignment, n));
}

WRAP(void *, calloc, size_t n, size_t size)
{
    return fails(FAULT_MALLOC) ? NULL : counted(__real_calloc(n, size));
}

WRAP(void *, realloc, void *memory, size_t size)
{
    void *moved;

    if (fails(FAULT_MALLOC))
        return NULL;
    moved = __real_realloc(memory, size);
    return memory ? moved : counted(moved);
}

WRAP(void, free, void *memory)
{
    if (memory)
        atomic_fetch_sub(&blocks, 1);
    __real_free(memory);
}

WRAP(char *, strdup, const char *s)
{
    return fails(FAULT_MALLOC) ? NULL : counted(__real_strdup(s));
}

WRAP(void *, mmap, void *at, size_t len, int protection, int flags, int fd,
     off_t offset)
{
    return fails(FAULT_MMAP)
               ? MAP_FAILED
               : __real_mmap(at, len, protection, flags, fd, offset);
}

/* What mmap is called where off_t is made 64 bits wide. */
void *__wrap_mmap64(void *at, size_t len, int protection, int flags, int fd,
                    off_t offset);
void *__wrap_mmap64(void *at, size_t len, int protection, int flags, int fd,
                    off_t offset)
{
    return __wrap_mmap(at, len, protection, flags, fd, offset);
}

/* --- sockets --- */

WRAP(int, socket, int family, int type, int protocol)
{
    return fails(FAULT_SOCKET) ? -1 : __real_socket(family, type, protocol);
}

WRAP(int, socketpair, int family, int type, int protocol, int ends[2])
{
    return fails(FAULT_SOCKET)
               ? -1
               : __real_socketpair(family, type, protocol, ends);
}

WRAP(int, bind, int fd, const struct sockaddr *address, socklen_t len)
{
    return fails(FAULT_BIND) ? -1 : __real_bind(fd, address, len);
}

WRAP(int, listen, int fd, int backlog)
{
    return fails(FAULT_LISTEN) ? -1 : __real_listen(fd, backlog);
}

WRAP(int, accept, int fd, struct sockaddr *address, socklen_t *len)
{
    return waiting_fails(FAULT_ACCEPT) ? -1 : __real_accept(fd, address, len);
}

WRAP(int, accept4, int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    return waiting_fails(FAULT_ACCEPT)
               ? -1
               : __real_accept4(fd, address, len, flags);
}

/* --- receiving --- */

WRAP(ssize_t, read, int fd, void *buf, size_t n)
{
    return moving_fails(FAULT_RECV, fd) ? -1
                                        : __real_read(fd, buf, cut(fd, 1, n));
}

WRAP(ssize_t, readv, int fd, const struct iovec *pieces, int n)
{
    struct iovec first;

    if (moving_fails(FAULT_RECV, fd))
        return -1;
    n = cut_pieces(fd, 1, &pieces, n, &first);
    return __real_readv(fd, pieces, n);
}

WRAP(ssize_t, recv, int fd, void *buf, size_t n, int flags)
{
    return moving_fails(FAULT_RECV, fd)
               ? -1
               : __real_recv(fd, buf, cut(fd, 1, n), flags);
}

WRAP(ssize_t, recvfrom, int fd, void *buf, size_t n, int flags,
     struct sockaddr *from, socklen_t *len)
{
    return moving_fails(FAULT_RECV, fd)
               ? -1
               : __real_recvfrom(fd, buf, cut(fd, 1, n), flags, from, len);
}

WRAP(ssize_t, recvmsg, int fd, struct msghdr *message, int flags)
{
    struct iovec first;
    struct msghdr part;
    ssize_t got;

    if (moving_fails(FAULT_RECV, fd))
        return -1;
    part = cut_message(fd, 1, message, &first);
    got = __real_recvmsg(fd, &part, flags);
    message->msg_namelen = part.msg_namelen;
    message->msg_controllen = part.msg_controllen;
    message->msg_flags = part.msg_flags;
    return got;
}

/* A call for several datagrams moves no more of them than bytes elsewhere. */
WRAP(int, recvmmsg, int fd, struct mmsghdr *messages, unsigned n, int flags,
     struct timespec *timeout)
{
    return moving_fails(FAULT_RECV, fd)
               ? -1
               : __real_recvmmsg(fd, messages, (unsigned)at_most(n), flags,
                                 timeout);
}

/* What the system received ahead: the bytes stay where they are. */
WRAP(ssize_t, sks__ring_receive, struct sks__ring *ring,
     struct sks__reception *r, int fd, void *buf, size_t n)
{
    return n > 0 && sks__ring_has_news(r) && moving_fails(FAULT_RECV, fd)
               ? -errno
               : __real_sks__ring_receive(ring, r, fd, buf, n);
}

/* --- sending --- */

WRAP(ssize_t, write, int fd, const void *buf, size_t n)
{
    return moving_fails(FAULT_SEND, fd) ? -1
                                        : __real_write(fd, buf, cut(fd, 0, n));
}

WRAP(ssize_t, writev, int fd, const struct iovec *pieces, int n)
{
    struct iovec first;

    if (moving_fails(FAULT_SEND, fd))
        return -1;
    n = cut_pieces(fd, 0, &pieces, n, &first);
    return __real_writev(fd, pieces, n);
}

WRAP(ssize_t, send, int fd, const void *buf, size_t n, int flags)
{
    return moving_fails(FAULT_SEND, fd)
               ? -1
               : __real_send(fd, buf, cut(fd, 0, n), flags);
}

WRAP(ssize_t, sendto, int fd, const void *buf, size_t n, int flags,
     const struct sockaddr *to, socklen_t len)
{
    return moving_fails(FAULT_SEND, fd)
               ? -1
               : __real_sendto(fd, buf, cut(fd, 0, n), flags, to, len);
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags)
{
    struct iovec first;
    struct msghdr part;

    if (moving_fails(FAULT_SEND, fd))
        return -1;
    part = cut_message(fd, 0, message, &first);
    return __real_sendmsg(fd, &part, flags);
}

WRAP(int, sendmmsg, int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    return moving_fails(FAULT_SEND, fd)
               ? -1
               : __real_sendmmsg(fd, messages, (unsigned)at_most(n), flags);
}

WRAP(ssize_t, sendfile, int to, int from, off_t *offset, size_t n)
{
    return waiting_fails(FAULT_SENDFILE)
               ? -1
               : __real_sendfile(to, from, offset, at_most(n));
}

ssize_t __wrap_sendfile64(int to, int from, off_t *offset, size_t n);
ssize_t __wrap_sendfile64(int to, int from, off_t *offset, size_t n)
{
    return __wrap_sendfile(to, from, offset, n);
}

WRAP(ssize_t, splice, int from, off_t *from_offset, int to, off_t *to_offset,
     size_t n, unsigned flags)
{
    return waiting_fails(FAULT_SPLICE)
               ? -1
               : __real_splice(from, from_offset, to, to_offset, at_most(n),
                               flags);
}

/* --- waiting and waking --- */

WRAP(int, eventfd, unsigned value, int flags)
{
    return fails(FAULT_WAKEUP) ? -1 : __real_eventfd(value, flags);
}

WRAP(int, pipe, int ends[2])
{
    return fails(FAULT_WAKEUP) ? -1 : __real_pipe(ends);
}

WRAP(int, pipe2, int ends[2], int flags)
{
    return fails(FAULT_WAKEUP) ? -1 : __real_pipe2(ends, flags);
}

WRAP(int, epoll_create1, int flags)
{
    return fails(FAULT_EPOLL) ? -1 : __real_epoll_create1(flags);
}

WRAP(int, epoll_ctl, int epoll, int what, int fd, struct epoll_event *event)
{
    return fails(FAULT_EPOLL) ? -1 : __real_epoll_ctl(epoll, what, fd, event);
}

static void note_wait(int ms)
{
    if (watched)
        atomic_store(&last_wait, ms);
}

WRAP(int, poll, struct pollfd *fds, nfds_t n, int ms)
{
    note_wait(ms);
    return waiting_fails(FAULT_POLL) ? -1 : __real_poll(fds, n, ms);
}

WRAP(int, epoll_wait, int epoll, struct epoll_event *events, int n, int ms)
{
    note_wait(ms);
    return waiting_fails(FAULT_POLL) ? -1
                                     : __real_epoll_wait(epoll, events, n, ms);
}

/* Is interrupted only where it goes on to the poller. */
WRAP(int, sks__ring_wait, struct sks__ring *ring, struct sks__poller_event *out,
     size_t n, int ms)
{
    note_wait(ms);
    return __real_sks__ring_wait(ring, out, n, ms);
}

/* --- workers --- */

pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    return fails(FAULT_FORK) ? -1 : __real_fork();
}

WRAP(pid_t, waitpid, pid_t pid, int *status, int options)
{
    return waiting_fails(FAULT_WAIT) ? -1
                                     : __real_waitpid(pid, status, options);
}

WRAP(int, waitid, idtype_t type, id_t id, siginfo_t *info, int options)
{
    return waiting_fails(FAULT_WAIT) ? -1
                                     : __real_waitid(type, id, info, options);
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes,
     void *(*run)(void *), void *arg)
{
    int error = decide(FAULT_PTHREAD_CREATE);

    return error ? error : __real_pthread_create(thread, attributes, run, arg);
}

/* --- what the tests say and ask --- */

void fault_set(enum fault_call call, long skip, long times, int error)
{
    struct countdown *c = &faults->calls[call];

    atomic_store(&c->times, 0);
    atomic_store(&c->skip, skip);
    atomic_store(&c->error, error);
    atomic_store(&c->hits, 0);
    atomic_store(&c->seen, 0);
    atomic_store(&c->times, times < 0 ? LONG_MAX : times);
}

long fault_calls(enum fault_call call)
{
    return atomic_load(&faults->calls[call].seen);
}

long fault_hits(enum fault_call call)
{
    return atomic_load(&faults->calls[call].hits);
}

void fault_shorten(size_t n)
{
    atomic_store(&faults->shorten, n);
}

void fault_interrupt(long n)
{
    atomic_store(&faults->every, n);
}

static void count_alarm(int number)
{
    (void)number;
    atomic_fetch_add(&alarms_seen, 1);
}

static void mask_alarm(int how)
{
    sigset_t alarm_only;

    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(how, &alarm_only, NULL);
}

static void set_alarm(long microseconds)
{
    struct itimerval timer = {.it_value.tv_usec = microseconds,
                              .it_interval.tv_usec = microseconds};

    setitimer(ITIMER_REAL, &timer, NULL);
}

void fault_alarms(void)
{
    struct sigaction action = {.sa_handler = count_alarm};

    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    mask_alarm(SIG_BLOCK);
    set_alarm(500);
}

long fault_alarms_seen(void)
{
    return atomic_load(&alarms_seen);
}

void fault_watch(void)
{
    watched = 1;
    atomic_store(&last_wait, 0);
}

int fault_waits_for_ever(void)
{
    return atomic_load(&last_wait) < 0;
}

long fault_blocks(void)
{
    return atomic_load(&blocks);
}

void fault_clear(void)
{
    for (int call = 0; call < FAULT_CALLS; call++)
        fault_set((enum fault_call)call, 0, 0, 0);
    fault_shorten(0);
    fault_interrupt(0);
    if (fault_alarms_seen() > 0) {
        set_alarm(0);
        mask_alarm(SIG_UNBLOCK);
        atomic_store(&alarms_seen, 0);
    }
}
