/* What handlers and hooks tell a test, and how the test holds them up.
 *
 * Both ways are pipes, because a handler may run in a thread or in a forked
 * process: whatever it puts into the trace, the test reads in that order; and
 * each opening of the gate lets one waiting handler on. */
#ifndef SUPPORT_TRACE_H
#define SUPPORT_TRACE_H

#include <stddef.h>

struct trace {
    int told[2]; /* the trace, from handlers to the test */
    int gate[2]; /* a byte for each handler that may pass */
};

/* Makes both pipes.  Returns 0, or -1. */
int trace_open(struct trace *trace);

/* Closes them; the gate opens for all who still wait. */
void trace_close(struct trace *trace);

/* Tells the test one event: a formatted word, to which a space is added.  Any
 * thread, any process, any signal handler if it is plain text. */
void trace_put(const struct trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Waits at the gate.  Returns 0 when it was opened, -1 after the deadline. */
int trace_wait(const struct trace *trace);

/* Lets n handlers pass, now or when they come. */
void trace_let(const struct trace *trace, int n);

/* --- for the test's own thread, which these fail --- */

/* Waits until exactly these events came, "setup handle finish ", and takes
 * them. */
void trace_expect(const struct trace *trace, const char *events);

/* Waits for the next event and takes it, without its space, into word. */
void trace_next(const struct trace *trace, char *word, size_t size);

/* Takes all that came until now.  For when nothing runs any more: fails if
 * that is not exactly these events. */
void trace_expect_rest(const struct trace *trace, const char *events);

/* Takes events until this one, without its space, came times times. */
void trace_until(const struct trace *trace, const char *event, int times);

#endif
