/* See histogram.h. */
#include "histogram.h"

static unsigned highest_bit(uint64_t value)
{
    unsigned bit = 0;

    while (value >>= 1)
        bit++;
    return bit;
}

/* Values below 64 have a class each; above, the six bits that follow the
 * highest one choose among the 64 classes of its power of two. */
static unsigned class_of(uint64_t ns)
{
    unsigned shift;

    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;
    shift = highest_bit(ns) - HISTOGRAM_STEPS_BITS;
    return shift * HISTOGRAM_STEPS + (unsigned)(ns >> shift);
}

static uint64_t highest_of_class(unsigned class)
{
    unsigned shift;
    uint64_t step;

    if (class < HISTOGRAM_STEPS)
        return class;
    shift = class / HISTOGRAM_STEPS - 1;
    step = class - shift * HISTOGRAM_STEPS;
    return ((step + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->counts[class_of(ns)]++;
    h->total++;
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
    double wanted = share * (double)h->total;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_CLASSES; i++) {
        seen += h->counts[i];
        if (seen > 0 && (double)seen >= wanted)
            return highest_of_class(i);
    }
    return 0;
}
