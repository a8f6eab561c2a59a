#include "signal_stack.h"

#include <signal.h>

void sks__signal_stack_set(struct sks__stack *stack)
{
    char *low = sks__stack_low(stack);
    stack_t own = {.ss_sp = low, .ss_size = (size_t)((char *)stack - low)};
    stack_t now;

    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE))
        sigaltstack(&own, NULL);
}

void sks__signal_stack_unset(struct sks__stack *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    stack_t now;

    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == sks__stack_low(stack))
        sigaltstack(&none, NULL);
}
