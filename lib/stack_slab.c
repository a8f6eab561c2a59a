/* What describes a slab lives outside of it, in pages that are never unmapped
 * but used again, so that a signal handler of any thread may walk them while
 * the caches' threads change them: no reader can hold up a writer, nor find
 * its memory gone, and a fork leaves nothing locked.
 *
 * Failure modes: no memory for a slab or its description, and no mapping left
 * to guard it.  Either leaves nothing behind. */
#include "stack_slab.h"

#include <sys/mman.h>
#include <unistd.h>

/* OpenBSD lets the stack pointer into no other mapping; FreeBSD would make one
 * that grows by itself. */
#if defined(MAP_STACK) && !defined(__FreeBSD__)
#define STACK_FLAGS MAP_STACK
#else
#define STACK_FLAGS 0
#endif
#ifdef MAP_NORESERVE
#define SLAB_FLAGS (STACK_FLAGS | MAP_NORESERVE)
#else
#define SLAB_FLAGS STACK_FLAGS
#endif

/* The C library's headers may be older than the kernel. */
#if defined(__linux__) && !defined(MADV_GUARD_INSTALL)
#define MADV_GUARD_INSTALL 102
#endif

/* If all stacks began at the same place in a page, their hottest lines would
 * share a few sets of the processor's caches.  They begin at one of several
 * places, this many bytes apart. */
enum { COLOURS = 8, COLOUR_BYTES = 128 };

enum { PAGE_SLABS = 63 };

/* A page of descriptions, in the list for ever. */
struct slab_page {
    struct slab_page *next;
    struct sks__slab slabs[PAGE_SLABS];
};

static _Atomic(struct slab_page *) slab_pages;
static _Atomic(size_t) page_size;

size_t sks__slab_page(void)
{
    size_t size = atomic_load_explicit(&page_size, memory_order_relaxed);

    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&page_size, size, memory_order_relaxed);
    }
    return size;
}

static char *base_of(const struct sks__slab *slab)
{
    return atomic_load_explicit(&slab->base, memory_order_relaxed);
}

static size_t stack_size_of(const struct sks__slab *slab)
{
    return atomic_load_explicit(&slab->stack_size, memory_order_relaxed);
}

static void *map(void *at, size_t n, int flags)
{
    void *mapping = mmap(at, n, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    return mapping == MAP_FAILED ? NULL : mapping;
}

/* --- descriptions --- */

static struct sks__slab *claim_in(struct slab_page *in)
{
    for (size_t i = 0; i < PAGE_SLABS; i++) {
        int none = 0;

        if (atomic_load_explicit(&in->slabs[i].owned, memory_order_relaxed))
            continue;
        if (atomic_compare_exchange_strong(&in->slabs[i].owned, &none, 1))
            return &in->slabs[i];
    }
    return NULL;
}

static struct sks__slab *claim(void)
{
    struct slab_page *in = atomic_load(&slab_pages);
    struct sks__slab *slab;

    for (; in != NULL; in = in->next) {
        slab = claim_in(in);
        if (slab != NULL)
            return slab;
    }
    in = map(NULL, sizeof *in, 0);
    if (in == NULL)
        return NULL;
    slab = claim_in(in);
    in->next = atomic_load(&slab_pages);
    while (!atomic_compare_exchange_weak(&slab_pages, &in->next, in))
        ;
    return slab;
}

static void disclaim(struct sks__slab *slab)
{
    atomic_store_explicit(&slab->owned, 0, memory_order_release);
}

/* --- mappings --- */

#if defined(MADV_GUARD_INSTALL) && !defined(SKS_PLAIN_POSIX)
static int guard_inside(char *low)
{
    return madvise(low, sks__slab_page(), MADV_GUARD_INSTALL);
}
#else
static int guard_inside(char *low)
{
    (void)low;
    return -1;
}
#endif

static int guard_all(char *base, size_t stack_size, unsigned count)
{
    int inside = 1;

    for (unsigned i = 0; i < count; i++) {
        char *low = base + i * stack_size;

        if (inside && guard_inside(low) == 0)
            continue;
        /* An older kernel, or memory that is locked. */
        inside = 0;
        if (mprotect(low, sks__slab_page(), PROT_NONE) < 0)
            return -1;
    }
    return 0;
}

static char *map_guarded(size_t stack_size, unsigned count)
{
    size_t n = stack_size * count;
    char *base = map(NULL, n, SLAB_FLAGS);

    if (base == NULL)
        return NULL;
#if defined(MADV_NOHUGEPAGE) && !defined(SKS_PLAIN_POSIX)
    /* One touched page must not bring in 32 stacks. */
    madvise(base, n, MADV_NOHUGEPAGE);
#endif
    if (guard_all(base, stack_size, count) < 0) {
        munmap(base, n);
        return NULL;
    }
    return base;
}

struct sks__slab *sks__slab_new(size_t stack_size, unsigned count)
{
    struct sks__slab *slab = claim();
    char *base;

    if (slab == NULL)
        return NULL;
    base = map_guarded(stack_size, count);
    if (base == NULL) {
        disclaim(slab);
        return NULL;
    }
    atomic_store_explicit(&slab->taken, 0, memory_order_relaxed);
    atomic_store_explicit(&slab->stack_size, stack_size, memory_order_relaxed);
    atomic_store_explicit(&slab->base, base, memory_order_release);
    return slab;
}

void sks__slab_free(struct sks__slab *slab, unsigned count)
{
    char *base = base_of(slab);

    atomic_store_explicit(&slab->base, NULL, memory_order_relaxed);
    munmap(base, stack_size_of(slab) * count);
    disclaim(slab);
}

/* --- stacks --- */

static struct sks__stack *stack_at(char *base, size_t stack_size, size_t i)
{
    char *end = base + (i + 1) * stack_size - i % COLOURS * COLOUR_BYTES;

    return (struct sks__stack *)(void *)end - 1;
}

struct sks__stack *sks__slab_stack(const struct sks__slab *slab, unsigned i)
{
    return stack_at(base_of(slab), stack_size_of(slab), i);
}

char *sks__slab_low(const struct sks__slab *slab, unsigned i)
{
    return base_of(slab) + i * stack_size_of(slab) + sks__slab_page();
}

void sks__slab_discard(const struct sks__slab *slab, unsigned i)
{
    size_t n = stack_size_of(slab) - sks__slab_page();

    /* If it fails, the stack is but dearer than it should be. */
#if defined(__linux__) && !defined(SKS_PLAIN_POSIX)
    madvise(sks__slab_low(slab, i), n, MADV_DONTNEED);
#else
    map(sks__slab_low(slab, i), n, SLAB_FLAGS | MAP_FIXED);
#endif
}

void sks__slab_set_taken(struct sks__slab *slab, unsigned i, int taken)
{
    uint64_t bit = UINT64_C(1) << i;
    uint64_t mask = atomic_load_explicit(&slab->taken, memory_order_relaxed);

    mask = taken ? mask | bit : mask & ~bit;
    atomic_store_explicit(&slab->taken, mask, memory_order_relaxed);
}

/* --- the lookup --- */

static struct sks__stack *owner_in(const struct sks__slab *slab,
                                   uintptr_t address)
{
    char *base = atomic_load_explicit(&slab->base, memory_order_acquire);
    uintptr_t offset = address - (uintptr_t)base;
    size_t size = stack_size_of(slab);
    uint64_t taken = atomic_load_explicit(&slab->taken, memory_order_relaxed);

    if (base == NULL || address < (uintptr_t)base)
        return NULL;
    if (offset / size >= SKS__SLAB_STACKS || offset % size >= sks__slab_page())
        return NULL;
    if ((taken >> (offset / size) & 1) == 0)
        return NULL;
    return stack_at(base, size, offset / size);
}

struct sks__stack *sks__stack_guard_owner(const void *address)
{
    struct slab_page *in = atomic_load(&slab_pages);
    struct sks__stack *owner = NULL;

    for (; in != NULL && owner == NULL; in = in->next)
        for (size_t i = 0; i < PAGE_SLABS && owner == NULL; i++)
            owner = owner_in(&in->slabs[i], (uintptr_t)address);
    return owner;
}
