/* The opt-in for programs: SIGINT and SIGTERM ask for shutdown.
 *
 * The handler looks through a few slots that it shares with everybody; a slot
 * is emptied by sks__signals_forget(), which then waits until no handler that
 * may have seen it is still at work in another thread. */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

enum { SLOTS = 16 };

static const int asked_by[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof asked_by / sizeof asked_by[0] };

static _Atomic(sks_server *) slots[SLOTS];
static atomic_int at_work; /* handlers */

/* Guards what follows, and who fills and empties slots. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction earlier[SIGNALS];
static int used; /* slots */

/* The next signal of either kind ends the process. */
static void set_default(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(asked_by[i], &action, NULL);
}

static void ask(int signal)
{
    int kept = errno, asked = 0;

    (void)signal;
    atomic_fetch_add(&at_work, 1);
    for (size_t i = 0; i < SLOTS; i++) {
        sks_server *server = atomic_load(&slots[i]);

        if (server == NULL)
            continue;
        asked = 1;
        /* A terminal signals forked children too, whose parent decides. */
        if (server->worker)
            sks__server_stop_here(server);
        else if (server->detached)
            atomic_store(&server->stopped_here, 1);
        else
            sks_server_shutdown(server);
    }
    if (asked)
        set_default();
    atomic_fetch_sub(&at_work, 1);
    errno = kept;
}

static void install(void)
{
    struct sigaction action = {.sa_handler = ask, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&action.sa_mask, asked_by[i]);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(asked_by[i], &action, &earlier[i]);
}

static void restore(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(asked_by[i], &earlier[i], NULL);
}

/* The slot that holds the server, or the first empty one for NULL; SLOTS if
 * there is none. */
static size_t slot_of(const sks_server *server)
{
    size_t i = 0;

    while (i < SLOTS && atomic_load(&slots[i]) != server)
        i++;
    return i;
}

int sks_server_shutdown_on_signals(sks_server *server)
{
    int rc = 0;

    if (server == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&lock);
    if (slot_of(server) == SLOTS) {
        size_t i = slot_of(NULL);

        if (i == SLOTS) {
            rc = -ENOSPC;
        } else {
            atomic_store(&slots[i], server);
            if (used++ == 0)
                install();
        }
    }
    pthread_mutex_unlock(&lock);
    return rc < 0 ? sks__server_fail(server, rc,
                                     "too many servers ask for signals")
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

void sks__signals_forget(sks_server *server)
{
    size_t i;

    begin_alone(server);
    pthread_mutex_lock(&lock);
    i = slot_of(server);
    if (i < SLOTS) {
        atomic_store(&slots[i], NULL);
        while (atomic_load(&at_work) > 0)
            sched_yield();
        if (--used == 0)
            restore();
    }
    pthread_mutex_unlock(&lock);
}
