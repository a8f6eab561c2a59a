/* Stacks for coroutines: address space of which only touched pages cost
 * memory, a guard at the low end of each, kept for the next coroutine.
 *
 * Stacks come out of slabs, one mapping for up to 64 of them.  Where the
 * kernel can guard pages inside a mapping (MADV_GUARD_INSTALL of Linux 6.13)
 * the number of stacks is bounded by memory alone; elsewhere each stack costs
 * two mappings of vm.max_map_count, and taking fails once they are used up.
 *
 * A cache is for one thread, an event loop's: nothing here locks.  After a
 * fork the child has copies of the caches, to use or free if it runs what was
 * that thread. */
#ifndef SKS__STACK_H
#define SKS__STACK_H

#include <stdalign.h>
#include <stddef.h>

/* What a stack has of address space unless told otherwise: bytes. */
#define SKS__STACK_SIZE ((size_t)64 * 1024)

struct sks__stack_cache;
struct sks__slab;

/* The highest bytes of a stack, which grows down from here.  Belongs to the
 * cache; aligned to 16 bytes; lives until it is given back. */
struct sks__stack {
    struct sks__stack *next; /* in the cache, while it is kept */
    struct sks__slab *slab;
    alignas(16) unsigned index; /* which of the slab's stacks it is */
};

/* A cache of stacks of size bytes each, guard included: rounded up to whole
 * pages and to the least that is of use.  Of those given back, up to keep are
 * kept as they are, for the next ones taken; the memory of others goes back to
 * the system.  NULL when out of memory. */
struct sks__stack_cache *sks__stack_cache_new(size_t size, size_t keep);

/* Every stack must have been given back.  NULL is allowed. */
void sks__stack_cache_free(struct sks__stack_cache *cache);

/* A stack, the one given back last if any is kept; its contents are whatever
 * the one before left.  NULL when the system has no memory or mappings left. */
struct sks__stack *sks__stack_take(struct sks__stack_cache *cache);

/* Ends a stack that was taken.  A kept one costs no system call. */
void sks__stack_give(struct sks__stack *stack);

/* The lowest byte above the guard. */
void *sks__stack_low(const struct sks__stack *stack);

/* The stack into whose guard the address points, if that stack is taken now,
 * of any cache of the process; else NULL.  Neither locks nor allocates: any
 * thread, any signal handler. */
struct sks__stack *sks__stack_guard_owner(const void *address);

#endif /* SKS__STACK_H */
