/* Deadlines for the tests' waits.
 *
 * A test waits for an event, never for a time: DEADLINE_MS only bounds how
 * long a broken library can hold the suite up, so that it is long enough for
 * the slowest machine and no test depends on its value. */
#ifndef SUPPORT_DEADLINE_H
#define SUPPORT_DEADLINE_H

/* How long an event may take before the test fails, in milliseconds. */
#define DEADLINE_MS 10000

/* Milliseconds of the monotonic clock. */
long long deadline_now_ms(void);

/* What is left of DEADLINE_MS since start, a time of deadline_now_ms(): for
 * poll(2); 0 once it is over. */
int deadline_left_ms(long long start);

/* Waits until fd has one of the poll(2) events, through signals.
 * Returns the events, 0 after ms milliseconds. */
int deadline_poll(int fd, short events, int ms);

/* Sleeps a millisecond, between two looks at something that cannot be polled.
 * Returns 0 once DEADLINE_MS since start are over. */
int deadline_nap(long long start);

#endif
