/* Slabs: mappings of up to 64 guarded stacks each, and a lookup of who owns a
 * guard that signal handlers may call.  For stack.c. */
#ifndef SKS__STACK_SLAB_H
#define SKS__STACK_SLAB_H

#include "list.h"
#include "stack.h"

#include <stdatomic.h>
#include <stdint.h>

/* The stacks of a slab at most: the bits of its masks. */
#define SKS__SLAB_STACKS 64

/* Its memory is a page's that is never unmapped, but used again.  Written by
 * the thread of its cache alone; the atomic members are read by signal
 * handlers of any thread. */
struct sks__slab {
    atomic_int owned;
    _Atomic(char *) base; /* NULL while nothing is mapped */
    _Atomic(size_t) stack_size;
    _Atomic(uint64_t) taken; /* a bit for each stack */

    /* stack.c's own */
    uint64_t cold;
    struct sks__list with_cold;
    struct sks__stack_cache *cache;
};

/* The size of the system's pages.  Any thread, any signal handler. */
size_t sks__slab_page(void);

/* Maps count stacks of stack_size bytes, whole pages, and guards the lowest
 * page of each.  NULL when out of memory or mappings. */
struct sks__slab *sks__slab_new(size_t stack_size, unsigned count);

/* Unmaps what sks__slab_new() made of that count. */
void sks__slab_free(struct sks__slab *slab, unsigned count);

/* Where the i-th stack begins, downwards. */
struct sks__stack *sks__slab_stack(const struct sks__slab *slab, unsigned i);

/* The byte above the i-th stack's guard. */
char *sks__slab_low(const struct sks__slab *slab, unsigned i);

/* Gives the i-th stack's memory back and keeps its addresses: what it held is
 * lost. */
void sks__slab_discard(const struct sks__slab *slab, unsigned i);

/* Notes for the lookup that the i-th stack is taken, or no longer. */
void sks__slab_set_taken(struct sks__slab *slab, unsigned i, int taken);

#endif /* SKS__STACK_SLAB_H */
