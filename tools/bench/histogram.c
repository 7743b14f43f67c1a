/* A histogram with logarithmic buckets, see histogram.h.
 *
 * Owns: which bucket a value is in. Values below HISTOGRAM_STEPS have a bucket each; above, the
 * leading bits choose: the power of two and the six bits behind it. Refuses: to interpolate inside
 * of a bucket; what is told is an upper bound. */
#include "tools/bench/histogram.h"

#define STEP_BITS 6

_Static_assert(1 << STEP_BITS == HISTOGRAM_STEPS, "the steps are a power of two");

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    unsigned step = (unsigned)(ns >> (power - STEP_BITS)) & (HISTOGRAM_STEPS - 1);
    unsigned bucket = (power - STEP_BITS + 1) * HISTOGRAM_STEPS + step;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_end(unsigned n)
{
    if (n < HISTOGRAM_STEPS)
        return n;
    unsigned shift = n / HISTOGRAM_STEPS - 1;
    uint64_t lead = HISTOGRAM_STEPS + n % HISTOGRAM_STEPS;
    return ((lead + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->buckets[bucket_of(ns)]++;
    if (ns > histogram->largest_ns)
        histogram->largest_ns = ns;
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    histogram->count += from->count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += from->buckets[i];
    if (from->largest_ns > histogram->largest_ns)
        histogram->largest_ns = from->largest_ns;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
    if (histogram->count == 0)
        return 0;
    double wanted = share * (double)histogram->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return histogram_end(i) < histogram->largest_ns ? histogram_end(i)
                                                            : histogram->largest_ns;
    }
    return histogram->largest_ns;
}
