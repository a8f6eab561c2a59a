#include "coro.h"
#include "coro_notes.h"
#include "coro_switch.h"

#include <assert.h>
#include <stdlib.h>

/* Lies right below its struct sks__stack, and goes with it.  What a switch
 * needs comes first, and so shares a cache line. */
struct sks__coro {
    struct sks__context context; /* the side that does not run */
    struct sks__coro *outer;     /* who resumed it, while it runs */
    void *arg;
    int finished;
    struct sks__notes notes;
    struct sks__stack *stack;
    void (*run)(void *arg);
};

/* What lies at the top, as the stack must begin at a multiple of 16. */
#define TOP_BYTES ((sizeof(struct sks__coro) + 15) / 16 * 16)

static _Thread_local struct sks__coro *current;

static struct sks__coro *coro_on(struct sks__stack *stack)
{
    return (struct sks__coro *)(void *)((char *)stack - TOP_BYTES);
}

static void leave(struct sks__coro *co)
{
    sks__notes_leave(&co->notes, co->finished);
    sks__context_swap(&co->context);
    sks__notes_entered(&co->notes);
}

static void start(void *arg)
{
    struct sks__coro *co = arg;

    sks__notes_entered(&co->notes);
    co->run(co->arg);
    co->finished = 1;
    leave(co);
    abort();
}

struct sks__coro *sks__coro_new(struct sks__stack_cache *cache,
                                void (*run)(void *arg), void *arg)
{
    struct sks__stack *stack = sks__stack_take(cache);
    struct sks__coro *co;
    char *low;

    if (stack == NULL)
        return NULL;
    co = coro_on(stack);
    low = sks__stack_low(stack);
    sks__notes_begin(&co->notes, low, (char *)co);
    co->outer = NULL;
    co->stack = stack;
    co->run = run;
    co->arg = arg;
    co->finished = 0;
    sks__context_make(&co->context, low, co, start, co);
    return co;
}

void sks__coro_free(struct sks__coro *co)
{
    if (co == NULL)
        return;
    sks__notes_end(&co->notes);
    sks__stack_give(co->stack);
}

const void *sks__coro_resume(struct sks__coro *co)
{
    assert(!co->finished);
    co->outer = current;
    current = co;
    sks__notes_enter(&co->notes);
    sks__context_swap(&co->context);
    sks__notes_left(&co->notes);
    current = co->outer;
    return co->finished ? NULL : sks__context_frames(&co->context);
}

void sks__coro_yield(void)
{
    assert(current != NULL);
    leave(current);
}

int sks__coro_finished(const struct sks__coro *co)
{
    return co->finished;
}

struct sks__coro *sks__coro_current(void)
{
    return current;
}

void *sks__coro_arg(const struct sks__coro *co)
{
    return co->arg;
}

void *sks__coro_current_arg(void)
{
    return current != NULL ? current->arg : NULL;
}

struct sks__coro *sks__coro_guarded_at(const void *address)
{
    struct sks__stack *stack = sks__stack_guard_owner(address);

    return stack == NULL ? NULL : coro_on(stack);
}
