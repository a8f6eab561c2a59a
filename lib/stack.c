/* A stack is in one of three states: taken; kept, in its cache's list, with
 * its pages; or cold, without pages, as all are in a new slab. */
#include "stack.h"
#include "stack_slab.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKS__STACK_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SKS__STACK_ASAN
#endif
#ifdef SKS__STACK_ASAN
#include <sanitizer/asan_interface.h>
#endif

/* A stack has no fewer, its guard included. */
enum { LEAST_PAGES = 4 };

/* A slab is not larger than this, unless one stack is. */
#define MOST_BYTES ((size_t)64 * 1024 * 1024)

/* Made and freed by the loop whose thread uses it. */
struct sks__stack_cache {
    size_t stack_size;
    unsigned slab_stacks;
    unsigned idle_slabs;        /* slabs whose stacks are all cold */
    struct sks__list with_cold; /* slabs that have cold stacks */
    size_t keep, kept_count;
    struct sks__stack *kept; /* the last one given first */
};

static uint64_t all_of(const struct sks__stack_cache *cache)
{
    return UINT64_MAX >> (SKS__SLAB_STACKS - cache->slab_stacks);
}

void *sks__stack_low(const struct sks__stack *stack)
{
    return sks__slab_low(stack->slab, stack->index);
}

/* --- what is not taken must not be touched --- */

#ifdef SKS__STACK_ASAN
static size_t room(const struct sks__slab *slab, unsigned i)
{
    return (size_t)((char *)sks__slab_stack(slab, i) - sks__slab_low(slab, i));
}

static void forbid(const struct sks__slab *slab, unsigned i)
{
    ASAN_POISON_MEMORY_REGION(sks__slab_low(slab, i), room(slab, i));
}

static void allow(const struct sks__slab *slab, unsigned i)
{
    ASAN_UNPOISON_MEMORY_REGION(sks__slab_low(slab, i), room(slab, i));
}
#else
static void forbid(const struct sks__slab *slab, unsigned i)
{
    (void)slab, (void)i;
}

static void allow(const struct sks__slab *slab, unsigned i)
{
    (void)slab, (void)i;
}
#endif

/* --- slabs --- */

static struct sks__slab *slab_new(struct sks__stack_cache *cache)
{
    struct sks__slab *slab =
        sks__slab_new(cache->stack_size, cache->slab_stacks);

    if (slab == NULL)
        return NULL;
    slab->cache = cache;
    slab->cold = all_of(cache);
    sks__list_append(&cache->with_cold, &slab->with_cold);
    cache->idle_slabs++;
    return slab;
}

static void slab_free(struct sks__slab *slab)
{
    struct sks__stack_cache *cache = slab->cache;

    assert(slab->cold == all_of(cache));
    sks__list_remove(&slab->with_cold);
    cache->idle_slabs--;
    for (unsigned i = 0; i < cache->slab_stacks; i++)
        allow(slab, i);
    sks__slab_free(slab, cache->slab_stacks);
}

static struct sks__slab *slab_with_cold(struct sks__stack_cache *cache)
{
    if (sks__list_is_empty(&cache->with_cold))
        return slab_new(cache);
    return SKS__LIST_ENTRY(cache->with_cold.next, struct sks__slab, with_cold);
}

/* --- taking and giving --- */

static struct sks__stack *take_kept(struct sks__stack_cache *cache)
{
    struct sks__stack *stack = cache->kept;

    cache->kept = stack->next;
    cache->kept_count--;
    return stack;
}

static struct sks__stack *take_cold(struct sks__stack_cache *cache)
{
    struct sks__slab *slab = slab_with_cold(cache);
    struct sks__stack *stack;
    unsigned i;

    if (slab == NULL)
        return NULL;
    if (slab->cold == all_of(cache))
        cache->idle_slabs--;
    i = (unsigned)__builtin_ctzll(slab->cold);
    stack = sks__slab_stack(slab, i);
    stack->slab = slab;
    stack->index = i;
    slab->cold &= slab->cold - 1;
    if (slab->cold == 0)
        sks__list_remove(&slab->with_cold);
    return stack;
}

struct sks__stack *sks__stack_take(struct sks__stack_cache *cache)
{
    struct sks__stack *stack =
        cache->kept != NULL ? take_kept(cache) : take_cold(cache);
    unsigned i;

    if (stack == NULL)
        return NULL;
    i = stack->index;
    allow(stack->slab, i);
    sks__slab_set_taken(stack->slab, i, 1);
    return stack;
}

/* Joins the other cold stacks of its slab. */
static void cool(struct sks__slab *slab, unsigned i)
{
    struct sks__stack_cache *cache = slab->cache;

    sks__slab_discard(slab, i);
    if (slab->cold == 0)
        sks__list_append(&cache->with_cold, &slab->with_cold);
    slab->cold |= UINT64_C(1) << i;
    if (slab->cold != all_of(cache))
        return;
    /* The last one to be taken from, so that it may be unmapped. */
    sks__list_remove(&slab->with_cold);
    sks__list_append(&cache->with_cold, &slab->with_cold);
    cache->idle_slabs++;
    /* One may stay, lest a loop with few coroutines map a slab for each. */
    if (cache->idle_slabs > 1)
        slab_free(slab);
}

void sks__stack_give(struct sks__stack *stack)
{
    struct sks__slab *slab = stack->slab;
    struct sks__stack_cache *cache = slab->cache;
    unsigned i = stack->index;

    sks__slab_set_taken(slab, i, 0);
    forbid(slab, i);
    if (cache->kept_count == cache->keep) {
        cool(slab, i);
        return;
    }
    stack->next = cache->kept;
    cache->kept = stack;
    cache->kept_count++;
}

/* --- caches --- */

struct sks__stack_cache *sks__stack_cache_new(size_t size, size_t keep)
{
    size_t page = sks__slab_page();
    struct sks__stack_cache *cache;

    if (size > SIZE_MAX / 4)
        return NULL;
    if (size < LEAST_PAGES * page)
        size = LEAST_PAGES * page;
    cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->stack_size = (size + page - 1) / page * page;
    cache->slab_stacks = SKS__SLAB_STACKS;
    while (cache->slab_stacks > 1 &&
           cache->stack_size > MOST_BYTES / cache->slab_stacks)
        cache->slab_stacks /= 2;
    cache->keep = keep;
    sks__list_init(&cache->with_cold);
    return cache;
}

void sks__stack_cache_free(struct sks__stack_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->kept != NULL) {
        struct sks__stack *stack = take_kept(cache);

        cool(stack->slab, stack->index);
    }
    while (!sks__list_is_empty(&cache->with_cold))
        slab_free(slab_with_cold(cache));
    free(cache);
}
