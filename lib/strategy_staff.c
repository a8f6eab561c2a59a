#include "strategy_staff.h"

#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* The first pause after a failure, and the longest, in milliseconds. */
enum { REST_MS = 10, REST_MAX_MS = 1000 };

/* A process that lived longer was none that failed to begin. */
enum { BEGINNING_MS = 1000 };

/* How long a process may take to end that has nothing to do. */
enum { ENDING_MS = 2000 };

static struct sks__post *post_of(struct sks__child *child)
{
    return SKS__LIST_ENTRY(child, struct sks__post, child);
}

static unsigned number_of(const struct sks__staff *s,
                          const struct sks__post *post)
{
    return (unsigned)(post - s->posts) + 1;
}

int sks__staff_open(struct sks__staff *s, sks_server *server, unsigned count)
{
    int rc = sks__children_open(&s->children);

    if (rc < 0)
        return rc;
    s->server = server;
    s->count = count;
    s->posts = calloc(count, sizeof *s->posts);
    if (s->posts != NULL)
        return 0;
    sks__children_close(&s->children);
    return -ENOMEM;
}

int sks__staff_fileno(const struct sks__staff *s, size_t i)
{
    return sks__children_fileno(&s->children, i);
}

/* --- failures --- */

static int is_anybody_serving(const struct sks__staff *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->posts[i].running && !s->posts[i].dismissed)
            return 1;
    return 0;
}

/* child: the last that ended, or NULL if none could be forked. */
static void give_up(struct sks__staff *s, const struct sks__child *child,
                    int error)
{
    if (child == NULL)
        sks_server_give_up(s->server, error, "cannot fork a process: %s",
                           sks_strerror(error));
    else if (child->signal != 0)
        sks_server_give_up(s->server, error,
                           "processes end before they serve, %u times in a "
                           "row, the last by signal %d",
                           s->failures, child->signal);
    else
        sks_server_give_up(s->server, error,
                           "processes end before they serve, %u times in a "
                           "row, the last with status %d",
                           s->failures, child->status);
}

/* Nothing is forked for a while, which doubles from one failure to the next. */
static void rest(struct sks__staff *s, int64_t now)
{
    unsigned long taken = sks_server_count(s->server, SKS_COUNT_TAKEN);
    int ms = REST_MAX_MS;

    s->failures = taken != s->taken ? 1 : s->failures + 1;
    s->taken = taken;
    if (s->failures <= 7)
        ms = REST_MS << (s->failures - 1);
    s->rests_until = now + ms;
}

/* Several that fail together have failed once. */
static void note_failure(struct sks__staff *s, const struct sks__child *child,
                         int error)
{
    int64_t now = sks__clock_ms();

    if (now >= s->rests_until)
        rest(s, now);
    if (s->failures > s->max_failures && !is_anybody_serving(s))
        give_up(s, child, error);
}

/* --- in the child --- */

static void drop_leashes(struct sks__staff *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->posts[i].running)
            sks__fd_close(s->posts[i].leash);
}

static _Noreturn void work(struct sks__staff *s, const struct sks__post *post,
                           const int leash[2])
{
    sks_worker worker = s->worker;

    drop_leashes(s);
    sks__fd_close(leash[1]);
    worker.number = number_of(s, post);
    worker.leash = leash[0];
    _exit(sks_server_work(s->server, &worker) < 0 ? 1 : 0);
}

/* --- hiring --- */

static int hire(struct sks__staff *s, struct sks__post *post)
{
    int leash[2];
    int rc = sks__fd_pipe(leash);

    if (rc < 0)
        return rc;
    post->since = sks__clock_ms();
    rc = sks__children_fork(&s->children, &post->child);
    if (rc == 0)
        work(s, post, leash);
    sks__fd_close(leash[0]);
    if (rc < 0) {
        sks__fd_close(leash[1]);
        return rc;
    }
    post->leash = leash[1];
    post->running = 1;
    post->dismissed = 0;
    sks_server_add_count(s->server, SKS_COUNT_WORKERS, 1);
    if (post->filled)
        sks_server_add_count(s->server, SKS_COUNT_RESPAWNS, 1);
    post->filled = 1;
    return 0;
}

static void fill(struct sks__staff *s)
{
    int64_t now = sks__clock_ms();

    if (!s->hiring || sks_server_stopping(s->server))
        return;
    for (unsigned i = 0; i < s->count && now >= s->rests_until; i++) {
        int rc = s->posts[i].running ? 0 : hire(s, &s->posts[i]);

        if (rc == 0)
            continue;
        if (s->failures == 0)
            sks_server_log(s->server, SKS_ERROR, "cannot fork a process: %s",
                           sks_strerror(rc));
        note_failure(s, NULL, rc);
        break;
    }
    if (now < s->rests_until)
        sks_server_want_turn(s->server, (int)(s->rests_until - now));
}

/* --- the end of a process --- */

static void log_end(const struct sks__staff *s, const struct sks__child *child)
{
    if (child->signal != 0)
        sks_server_log(s->server, SKS_ERROR,
                       "worker process %ld was ended by signal %d",
                       (long)child->pid, child->signal);
    else if (child->status != 0)
        sks_server_log(s->server, SKS_ERROR,
                       "worker process %ld ended with status %d",
                       (long)child->pid, child->status);
}

static void free_post(struct sks__staff *s, struct sks__post *post)
{
    sks__fd_close(post->leash);
    post->running = 0;
    sks_server_add_count(s->server, SKS_COUNT_WORKERS, -1);
}

static void note_end(struct sks__staff *s, struct sks__post *post)
{
    unsigned long taken =
        sks_server_end_worker(s->server, number_of(s, post), SKS_ECRASHED);
    int has_served = taken != post->taken_before;

    post->taken_before = taken;
    free_post(s, post);
    log_end(s, &post->child);
    if (!s->hiring || post->dismissed || sks_server_stopping(s->server))
        return;
    if (!has_served && sks__clock_ms() - post->since < BEGINNING_MS)
        note_failure(s, &post->child, SKS_ECRASHED);
    else
        s->failures = 0;
}

static void reap(struct sks__staff *s)
{
    struct sks__child *child;

    while ((child = sks__children_reap(&s->children)) != NULL)
        note_end(s, post_of(child));
}

void sks__staff_tend(struct sks__staff *s)
{
    int ms;

    reap(s);
    fill(s);
    ms = sks__children_watch(&s->children, 0);
    if (ms >= 0)
        sks_server_want_turn(s->server, ms);
}

/* --- serving --- */

void sks__staff_begin(struct sks__staff *s)
{
    s->hiring = 1;
    s->failures = 0;
    s->rests_until = 0;
    for (unsigned i = 0; i < s->count; i++)
        s->posts[i].filled = 0;
    sks__staff_tend(s);
}

void sks__staff_dismiss(struct sks__staff *s)
{
    s->hiring = 0;
    for (unsigned i = 0; i < s->count; i++) {
        struct sks__post *post = &s->posts[i];

        if (post->running && !post->dismissed)
            sks__fd_write_all(post->leash, "", 1);
        post->dismissed = 1;
    }
}

void sks__staff_kill(struct sks__staff *s)
{
    sks__children_kill(&s->children, SIGKILL);
}

/* --- closing --- */

static void await_ends(struct sks__staff *s, int ms)
{
    int64_t until = sks__clock_after(ms);
    struct sks__child *child;

    while ((child = sks__children_first(&s->children)) != NULL) {
        if (sks__fd_wait(child->fd, POLLIN, sks__clock_left_ms(until)) <= 0)
            return;
        reap(s);
    }
}

void sks__staff_close(struct sks__staff *s, int block)
{
    struct sks__child *child;

    sks__staff_dismiss(s);
    if (block) {
        await_ends(s, ENDING_MS);
        sks__staff_kill(s);
        await_ends(s, ENDING_MS);
    }
    while ((child = sks__children_first(&s->children)) != NULL) {
        sks__children_drop(&s->children, child);
        free_post(s, post_of(child));
    }
    sks__children_close(&s->children);
    free(s->posts);
}
