/* The opt-in for programs: who overflowed the stack of a coroutine.
 *
 * A coroutine's stack ends in a guard page, which makes an overflow a fault of
 * the one thread that runs it, at an address that tells whose stack it was.
 * The handler of such faults looks through the slots, asks each server's
 * strategy whose address it is, and writes a line; then what was there before
 * takes its course.  As with signals.c, a slot is emptied by a thread that
 * waits until no handler is at work that may have seen it. */
#include "request.h"
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 16 };

struct slot {
    _Atomic(sks_server *) server; /* NULL: empty */
    atomic_int fd;
};

/* Systems differ in which one they send. */
static const int sent_by[] = {SIGSEGV, SIGBUS};
enum { SIGNALS = sizeof sent_by / sizeof sent_by[0] };

static struct slot slots[SLOTS];
static atomic_int at_work; /* handlers */

/* Guards what follows, and who fills and empties slots. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction earlier[SIGNALS];
static int used; /* slots */
static int installed;

/* --- the handler --- */

static void write_line(int fd, const sks_request *request)
{
    const char *pieces[] = {"sockserver: the request from ",
                            sks_request_client_address(request),
                            " overflowed its stack\n"};
    char line[64 + SKS__ADDRESS_TEXT];
    size_t n = 0;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t len = strlen(pieces[i]);

        memcpy(line + n, pieces[i], len);
        n += len;
    }
    while (write(fd, line, n) < 0 && errno == EINTR)
        ;
}

/* Of one server, if the address is in the guard of one of its stacks. */
static void tell_if_its(sks_server *server, int fd, const void *address)
{
    const sks_strategy *s = &server->strategy;
    sks_request *request;

    if (s->overflowed == NULL)
        return;
    request = s->overflowed(server->strategy_self, address);
    if (request != NULL && request->server == server)
        write_line(fd, request);
}

static void tell(const void *address)
{
    atomic_fetch_add(&at_work, 1);
    for (size_t i = 0; i < SLOTS; i++) {
        sks_server *server = atomic_load(&slots[i].server);

        if (server != NULL)
            tell_if_its(server, atomic_load(&slots[i].fd), address);
    }
    atomic_fetch_sub(&at_work, 1);
}

/* As if nothing had been caught: what faulted will fault again. */
static void let_die(int signal, const siginfo_t *info)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    sigaction(signal, &action, NULL);
    if (info->si_code <= 0)
        raise(signal); /* somebody sent it */
}

static void pass_on(const struct sigaction *to, int signal, siginfo_t *info,
                    void *context)
{
    int by_system = info->si_code > 0;

    if (to->sa_flags & SA_SIGINFO)
        to->sa_sigaction(signal, info, context);
    else if (to->sa_handler == SIG_DFL ||
             (to->sa_handler == SIG_IGN && by_system))
        let_die(signal, info);
    else if (to->sa_handler != SIG_IGN)
        to->sa_handler(signal);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    int kept = errno;

    if (info->si_code > 0)
        tell(info->si_addr);
    errno = kept;
    for (size_t i = 0; i < SIGNALS; i++)
        if (sent_by[i] == signal)
            pass_on(&earlier[i], signal, info, context);
}

/* --- slots, with the lock --- */

static void install(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(sent_by[i], NULL, &earlier[i]);
        sigaction(sent_by[i], &action, NULL);
    }
    installed = 1;
}

/* A handler that was set after ours, and maybe passes on to it, stays. */
static void restore(void)
{
    struct sigaction now;

    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(sent_by[i], NULL, &now);
        if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_fault)
            return;
    }
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(sent_by[i], &earlier[i], NULL);
    installed = 0;
}

/* The slot that holds the server, or the first empty one for NULL; NULL if
 * there is none. */
static struct slot *slot_of(const sks_server *server)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (atomic_load(&slots[i].server) == server)
            return &slots[i];
    return NULL;
}

static int occupy(sks_server *server, int fd)
{
    struct slot *slot = slot_of(server);

    if (slot != NULL) {
        atomic_store(&slot->fd, fd);
        return 0;
    }
    slot = slot_of(NULL);
    if (slot == NULL)
        return -ENOSPC;
    atomic_store(&slot->fd, fd);
    atomic_store(&slot->server, server);
    used++;
    if (!installed)
        install();
    return 0;
}

int sks_server_report_stack_overflow(sks_server *server, int fd)
{
    int rc;

    if (server == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&lock);
    rc = occupy(server, fd);
    pthread_mutex_unlock(&lock);
    return rc < 0 ? sks__server_fail(server, rc,
                                     "too many servers ask for overflows")
                  : 0;
}

/* A forked child has one thread: nobody else has the lock or is at work, though
 * what it copied may say so. */
static void begin_alone(const sks_server *server)
{
    if (sks__server_is_copy(server)) {
        pthread_mutex_init(&lock, NULL);
        atomic_store(&at_work, 0);
    }
}

void sks__overflow_forget(sks_server *server)
{
    struct slot *slot;

    begin_alone(server);
    pthread_mutex_lock(&lock);
    slot = slot_of(server);
    if (slot != NULL) {
        atomic_store(&slot->server, NULL);
        while (atomic_load(&at_work) > 0)
            sched_yield();
        if (--used == 0)
            restore();
    }
    pthread_mutex_unlock(&lock);
}
