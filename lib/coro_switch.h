/* The switch between two stacks, in one of three versions: assembly for x86-64
 * and for AArch64 on ELF systems, ucontext (SKS_CORO_UCONTEXT) elsewhere.  It
 * knows of stack pointers and registers, and nothing of coroutines.
 *
 * Two sides share a context: one runs, and the context holds the other.  What
 * the ABI lets a call change is lost to the side that swaps, as in any call.
 * Signal masks belong to the thread, except that ucontext keeps one for each
 * side, at the price of two system calls a swap. */
#ifndef SKS__CORO_SWITCH_H
#define SKS__CORO_SWITCH_H

#include <stddef.h>

#ifdef SKS_CORO_UCONTEXT
#include <ucontext.h>

struct sks__context {
    ucontext_t sides[2];
    int waiting; /* which of them the context holds */
};
#else
struct sks__context {
    void *sp; /* of the side that waits; its registers lie there */
};
#endif

/* About where the side that waits has its innermost frames, from there on
 * upwards; never NULL. */
static inline const void *sks__context_frames(const struct sks__context *c)
{
#ifdef SKS_CORO_UCONTEXT
    return c;
#else
    return c->sp;
#endif
}

/* Makes a side that waits, on the stack from low up to top, a multiple of 16:
 * the first swap runs entry(arg), which must not return.  It starts with the
 * floating-point control of the caller. */
void sks__context_make(struct sks__context *context, void *low, void *top,
                       void (*entry)(void *), void *arg);

/* Runs the side that waits; the caller waits in its stead until the other
 * swaps back.  Both on one thread. */
void sks__context_swap(struct sks__context *context);

#endif /* SKS__CORO_SWITCH_H */
