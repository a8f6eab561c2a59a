/* Coroutines: functions that can be left in their middle and gone on with
 * later, on the thread that made them.
 *
 * One side resumes, the coroutine yields back to it.  A coroutine may resume
 * others, as any function may.  Its memory is its stack's: below the struct,
 * which lies at the stack's top, run's frames begin.  Making a coroutine, and
 * ending it, allocates nothing but the stack.
 *
 * The thread's stack limit, and what the C library keeps for each thread, know
 * nothing of coroutines: cancelling the thread or leaving it from inside one
 * is not allowed. */
#ifndef SKS__CORO_H
#define SKS__CORO_H

#include "stack.h"

struct sks__coro;

/* A coroutine that will run(arg) once it is resumed.  The caller frees it.
 * NULL when there is no stack for it. */
struct sks__coro *sks__coro_new(struct sks__stack_cache *cache,
                                void (*run)(void *arg), void *arg);

/* Gives the stack back.  What has not finished is dropped where it waits: its
 * frames are not left in order, so that it must own nothing.  Not for one that
 * runs.  NULL is allowed. */
void sks__coro_free(struct sks__coro *co);

/* Runs it until it yields or finishes.  Not for one that finished, or that
 * runs already.  Returns about where its innermost frames wait, upwards from
 * there, for who wants them fetched before it goes on; NULL: it finished. */
const void *sks__coro_resume(struct sks__coro *co);

/* Leaves the coroutine that runs, until it is resumed. */
void sks__coro_yield(void);

/* True once run returned. */
int sks__coro_finished(const struct sks__coro *co);

/* The coroutine that the thread runs; NULL outside of any. */
struct sks__coro *sks__coro_current(void);

/* What run was given.  Any thread, any signal handler. */
void *sks__coro_arg(const struct sks__coro *co);

/* The same of the one that the thread runs; NULL outside of any. */
void *sks__coro_current_arg(void);

/* The coroutine whose stack's guard the address points into, of any thread:
 * who overflowed, when that touched it.  NULL if none.  Any thread, any signal
 * handler, which needs a stack of its own (sigaltstack(2)). */
struct sks__coro *sks__coro_guarded_at(const void *address);

#endif /* SKS__CORO_H */
