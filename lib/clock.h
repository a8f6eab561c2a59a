/* Monotonic time in milliseconds, and moments by which something must end.
 * Cannot fail.  Any thread, any signal handler. */
#ifndef SKS__CLOCK_H
#define SKS__CLOCK_H

#include <stdint.h>

/* The moment that never comes. */
#define SKS__NEVER INT64_MAX

/* Milliseconds since some moment in the past. */
int64_t sks__clock_ms(void);

/* The same in microseconds. */
int64_t sks__clock_us(void);

/* The moment ms milliseconds from now; -1: never. */
int64_t sks__clock_after(int ms);

/* Milliseconds left until the moment, as poll(2) takes them: 0 if it is past,
 * -1 if it never comes. */
int sks__clock_left_ms(int64_t moment);

#endif /* SKS__CLOCK_H */
