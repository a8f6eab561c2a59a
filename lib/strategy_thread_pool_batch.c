#include "strategy_thread_pool_batch.h"

#include <string.h>

void sks__batch_init(struct sks__batch *b)
{
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
}

void sks__batch_destroy(struct sks__batch *b)
{
    pthread_mutex_destroy(&b->lock);
}

/* Puts away the request that was handled, if any, and returns the next; NULL if
 * none waits any more: *n are handled, and nobody takes them away. */
static sks_request *step(struct sks__batch *b, sks_request *handled, size_t *n)
{
    sks_request *next = NULL;

    pthread_mutex_lock(&b->lock);
    b->progress++;
    if (handled != NULL)
        b->handled[b->handled_count++] = handled;
    if (b->next < b->count) {
        next = b->requests[b->next++];
    } else {
        *n = b->handled_count;
        b->next = b->count = b->handled_count = 0;
    }
    b->running = next != NULL;
    pthread_mutex_unlock(&b->lock);
    return next;
}

static void begin(struct sks__batch *b, size_t n)
{
    pthread_mutex_lock(&b->lock);
    b->count = n;
    pthread_mutex_unlock(&b->lock);
}

void sks__batch_run(struct sks__batch *b, size_t n)
{
    sks_request *r = NULL;

    begin(b, n);
    while ((r = step(b, r, &n)) != NULL)
        sks_request_handle(r);
    sks_requests_finish(b->handled, n);
}

static void give_away(struct sks__batch *b, struct sks__batch_rest *rest)
{
    rest->waiting_count = b->count - b->next;
    memcpy(rest->waiting, b->requests + b->next,
           rest->waiting_count * sizeof *rest->waiting);
    rest->handled_count = b->handled_count;
    memcpy(rest->handled, b->handled,
           rest->handled_count * sizeof *rest->handled);
    b->next = b->count;
    b->handled_count = 0;
}

static enum sks__batch_state state_of(struct sks__batch *b)
{
    if (b->progress != b->seen) {
        b->seen = b->progress;
        b->told = 0;
        return SKS__BATCH_UNDER_WAY;
    }
    if (!b->running || b->told)
        return SKS__BATCH_AT_REST;
    b->told = 1;
    return SKS__BATCH_STUCK;
}

enum sks__batch_state sks__batch_watch(struct sks__batch *b,
                                       struct sks__batch_rest *rest)
{
    enum sks__batch_state state;

    rest->waiting_count = rest->handled_count = 0;
    pthread_mutex_lock(&b->lock);
    state = state_of(b);
    if (state == SKS__BATCH_STUCK)
        give_away(b, rest);
    pthread_mutex_unlock(&b->lock);
    return state;
}
