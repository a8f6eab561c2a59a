#include "coro_switch.h"

#include <stdint.h>
#include <stdlib.h>

/* makecontext(3) hands on ints alone, so that pointers come in halves. */
static void *joined(unsigned high, unsigned low)
{
    return (void *)(uintptr_t)((uint64_t)high << 32 | low);
}

static void start(unsigned entry_high, unsigned entry_low, unsigned arg_high,
                  unsigned arg_low)
{
    void (*entry)(void *);

    *(void **)&entry = joined(entry_high, entry_low);
    entry(joined(arg_high, arg_low));
    abort();
}

void sks__context_make(struct sks__context *context, void *low, void *top,
                       void (*entry)(void *), void *arg)
{
    ucontext_t *side = &context->sides[0];
    uint64_t e = (uintptr_t)entry, a = (uintptr_t)arg;

    context->waiting = 0;
    getcontext(side);
    side->uc_stack.ss_sp = low;
    side->uc_stack.ss_size = (size_t)((char *)top - (char *)low);
    side->uc_link = NULL;
    makecontext(side, (void (*)(void))start, 4, (unsigned)(e >> 32),
                (unsigned)e, (unsigned)(a >> 32), (unsigned)a);
}

void sks__context_swap(struct sks__context *context)
{
    int to = context->waiting;

    context->waiting = !to;
    swapcontext(&context->sides[!to], &context->sides[to]);
}
