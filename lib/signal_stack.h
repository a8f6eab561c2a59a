/* A stack for signal handlers, so that one can run in a thread whose coroutine
 * has used up its own (sigaltstack(2)). */
#ifndef SKS__SIGNAL_STACK_H
#define SKS__SIGNAL_STACK_H

#include "stack.h"

/* The calling thread's signal handlers, if they ask for it, run on the stack
 * from now on; where the thread has one already, such as a sanitizer's, that
 * stays. */
void sks__signal_stack_set(struct sks__stack *stack);

/* No handler of the thread's will run on the stack any more. */
void sks__signal_stack_unset(struct sks__stack *stack);

#endif /* SKS__SIGNAL_STACK_H */
