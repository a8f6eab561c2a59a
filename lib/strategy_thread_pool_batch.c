/* Where a batch is, in one atomic: how many of its requests have begun, of how
 * many, and the batch's number, by which one place is not taken for that of
 * another batch.  The worker adds one to it before each request, and one more
 * after the last.  Whoever finds it where it was adds the flag TAKEN instead:
 * all but the request that runs is theirs then, and the worker learns of it by
 * its next addition. */
#include "strategy_thread_pool_batch.h"

#include <string.h>

enum { BEGUN = 0x7f, TAKEN = 0x80, COUNT_AT = 8, NUMBER_AT = 16 };

void sks__batch_init(struct sks__batch *b)
{
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
}

void sks__batch_destroy(struct sks__batch *b)
{
    pthread_mutex_destroy(&b->lock);
}

static size_t begun_at(unsigned place)
{
    return place & BEGUN;
}

static size_t count_at(unsigned place)
{
    return place >> COUNT_AT & BEGUN;
}

/* --- the worker --- */

static void begin(struct sks__batch *b, size_t n)
{
    unsigned number = (atomic_load(&b->place) >> NUMBER_AT) + 1;

    atomic_store_explicit(&b->place,
                          number << NUMBER_AT | (unsigned)n << COUNT_AT,
                          memory_order_release);
}

/* The place of the step. */
static unsigned step(struct sks__batch *b)
{
    return atomic_fetch_add_explicit(&b->place, 1, memory_order_acq_rel);
}

/* What the batch holds will be used again: whoever takes it away has it now. */
static void await_taker(struct sks__batch *b)
{
    pthread_mutex_lock(&b->lock);
    pthread_mutex_unlock(&b->lock);
}

void sks__batch_run(struct sks__batch *b, size_t n)
{
    unsigned place;

    begin(b, n);
    while (place = step(b), !(place & TAKEN) && begun_at(place) < n)
        sks_request_handle(b->requests[begun_at(place)]);
    if (place & TAKEN) {
        await_taker(b);
        sks_requests_finish(&b->requests[begun_at(place) - 1], 1);
    } else {
        sks_requests_finish(b->requests, n);
    }
}

/* --- who watches --- */

/* With the lock: true unless the worker has come on from the place. */
static int take(struct sks__batch *b, unsigned place)
{
    return atomic_compare_exchange_strong(&b->place, &place, place | TAKEN);
}

static void give_away(struct sks__batch *b, unsigned place,
                      struct sks__batch_rest *rest)
{
    size_t begun = begun_at(place);

    rest->handled_count = begun - 1;
    memcpy(rest->handled, b->requests,
           rest->handled_count * sizeof *rest->handled);
    rest->waiting_count = count_at(place) - begun;
    memcpy(rest->waiting, b->requests + begun,
           rest->waiting_count * sizeof *rest->waiting);
}

/* Of a batch that has not come on from the place. */
static int has_handler(unsigned place)
{
    return !(place & TAKEN) && begun_at(place) > 0 &&
           begun_at(place) <= count_at(place);
}

enum sks__batch_state sks__batch_watch(struct sks__batch *b,
                                       struct sks__batch_rest *rest)
{
    unsigned place = atomic_load(&b->place);
    int taken;

    rest->waiting_count = rest->handled_count = 0;
    if (place != b->seen) {
        b->seen = place;
        return SKS__BATCH_UNDER_WAY;
    }
    if (!has_handler(place))
        return SKS__BATCH_AT_REST;
    pthread_mutex_lock(&b->lock);
    taken = take(b, place);
    if (taken) {
        give_away(b, place, rest);
        b->seen = place | TAKEN;
    }
    pthread_mutex_unlock(&b->lock);
    return taken ? SKS__BATCH_STUCK : SKS__BATCH_UNDER_WAY;
}
