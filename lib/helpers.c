#include "helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* How long an idle helper waits for the next job. */
enum { KEEP_SECONDS = 10 };

/* lock guards all but holds, and the helpers. */
struct sks__helpers {
    atomic_uint holds; /* its owners, and each helper */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there is a job, or they are dismissed */
    struct sks__list jobs;
    struct sks__list live;   /* of helper.node */
    struct sks__list done;   /* of helper.node: to be joined and freed */
    unsigned count, most;    /* live ones */
    unsigned idle, queueing; /* helpers and jobs */
    int dismissed;           /* idle helpers end */
    int let_go;              /* nobody joins them */
};

/* Made with its thread; freed by who joins it, or by itself if let go. */
struct helper {
    struct sks__list node;
    struct sks__helpers *crew;
    pthread_t thread;
};

struct sks__helpers *sks__helpers_new(unsigned most)
{
    struct sks__helpers *crew = calloc(1, sizeof *crew);
    pthread_condattr_t monotonic;

    if (crew == NULL)
        return NULL;
    atomic_init(&crew->holds, 1);
    crew->most = most;
    sks__list_init(&crew->jobs);
    sks__list_init(&crew->live);
    sks__list_init(&crew->done);
    if (pthread_condattr_init(&monotonic) != 0) {
        free(crew);
        return NULL;
    }
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&crew->lock, NULL);
    return crew;
}

void sks__helpers_hold(struct sks__helpers *crew)
{
    atomic_fetch_add(&crew->holds, 1);
}

void sks__helpers_release(struct sks__helpers *crew)
{
    if (atomic_fetch_sub(&crew->holds, 1) > 1)
        return;
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->changed);
    free(crew);
}

/* --- a helper, with the crew's lock --- */

/* Waits until there is a job.  0: there will be none. */
static int await_job(struct sks__helpers *crew)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += KEEP_SECONDS;
    while (crew->queueing == 0 && !crew->dismissed && rc != ETIMEDOUT) {
        crew->idle++;
        rc = pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
        crew->idle--;
    }
    return crew->queueing > 0;
}

static void run_next(struct sks__helpers *crew)
{
    struct sks__list *n = crew->jobs.next;
    struct sks__job *job = SKS__LIST_ENTRY(n, struct sks__job, node);

    sks__list_remove(n);
    crew->queueing--;
    pthread_mutex_unlock(&crew->lock);
    job->run(job);
    pthread_mutex_lock(&crew->lock);
}

/* Hands itself to whoever joins it, unless somebody does already, or nobody
 * ever will. */
static void leave(struct helper *h)
{
    struct sks__helpers *crew = h->crew;

    crew->count--;
    if (crew->let_go) {
        sks__list_remove(&h->node);
        free(h);
    } else if (!crew->dismissed) {
        sks__list_remove(&h->node);
        sks__list_append(&crew->done, &h->node);
    }
}

static void *help(void *arg)
{
    struct helper *h = arg;
    struct sks__helpers *crew = h->crew;

    pthread_mutex_lock(&crew->lock);
    while (await_job(crew))
        run_next(crew);
    leave(h);
    pthread_mutex_unlock(&crew->lock);
    sks__helpers_release(crew);
    return NULL;
}

/* --- the crew --- */

/* One helper more, with the lock: 0 or an error. */
static int hire(struct sks__helpers *crew)
{
    struct helper *h = malloc(sizeof *h);
    int rc;

    if (h == NULL)
        return -ENOMEM;
    h->crew = crew;
    sks__helpers_hold(crew);
    rc = pthread_create(&h->thread, NULL, help, h);
    if (rc != 0) {
        atomic_fetch_sub(&crew->holds, 1); /* the caller has one, too */
        free(h);
        return -rc;
    }
    if (crew->let_go)
        pthread_detach(h->thread);
    sks__list_append(&crew->live, &h->node);
    crew->count++;
    return 0;
}

/* The first helper of a list, out of it; NULL if there is none. */
static struct helper *take_first(struct sks__helpers *crew,
                                 struct sks__list *list)
{
    struct helper *h = NULL;

    pthread_mutex_lock(&crew->lock);
    if (!sks__list_is_empty(list)) {
        h = SKS__LIST_ENTRY(list->next, struct helper, node);
        sks__list_remove(&h->node);
    }
    pthread_mutex_unlock(&crew->lock);
    return h;
}

static void join_all(struct sks__helpers *crew, struct sks__list *list)
{
    struct helper *h;

    while ((h = take_first(crew, list)) != NULL) {
        pthread_join(h->thread, NULL);
        free(h);
    }
}

int sks__helpers_do(struct sks__helpers *crew, struct sks__job *job)
{
    int rc = 0;

    join_all(crew, &crew->done);
    pthread_mutex_lock(&crew->lock);
    if (crew->queueing >= crew->idle && crew->count < crew->most)
        rc = hire(crew);
    if (rc == 0 || crew->count > 0) {
        sks__list_append(&crew->jobs, &job->node);
        crew->queueing++;
        pthread_cond_signal(&crew->changed);
        rc = 0;
    }
    pthread_mutex_unlock(&crew->lock);
    return rc;
}

void sks__helpers_dismiss(struct sks__helpers *crew, int join)
{
    pthread_mutex_lock(&crew->lock);
    crew->dismissed = 1;
    crew->let_go = !join;
    pthread_cond_broadcast(&crew->changed);
    for (struct sks__list *n = crew->live.next; !join && n != &crew->live;
         n = n->next)
        pthread_detach(SKS__LIST_ENTRY(n, struct helper, node)->thread);
    pthread_mutex_unlock(&crew->lock);
    join_all(crew, &crew->done);
    if (join)
        join_all(crew, &crew->live);
}
