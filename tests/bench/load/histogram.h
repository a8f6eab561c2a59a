/* Counts of latencies in logarithmic classes.
 *
 * Each power of two is divided into 64 classes, so a percentile is at most
 * 1.6 % too high.  Nothing here allocates or fails. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS_BITS = 6,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEPS_BITS,
    HISTOGRAM_CLASSES = (64 - HISTOGRAM_STEPS_BITS + 1) * HISTOGRAM_STEPS
};

/* All zero is an empty one. */
struct histogram {
    uint64_t total;
    uint64_t counts[HISTOGRAM_CLASSES];
};

/* Counts one value, in nanoseconds. */
void histogram_add(struct histogram *h, uint64_t ns);

/* The value, in nanoseconds, that the given share (0 to 1) of all values does
 * not exceed; 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *h, double share);

#endif
