/* Latencies as a histogram with buckets of a constant relative width: 64 to each power of two, so a
 * percentile is at most 1.6 % above the true one. Lives in memory that processes share; one writes.
 * Pure. */
#ifndef REVHOOK_BENCH_HISTOGRAM_H
#define REVHOOK_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS   64 /* to each power of two */
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 42)

/* Zeroed: empty. Values are nanoseconds, up to about an hour; larger ones count as that. */
struct histogram {
    uint64_t count;
    uint64_t largest_ns;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* Adds what `from` holds. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* The value that `share` (0 to 1) of all values are not above, in nanoseconds: the upper end of its
 * bucket, but never above the largest value. 0 if empty. */
uint64_t histogram_at(const struct histogram *histogram, double share);

/* The largest value that bucket `n` holds, in nanoseconds. */
uint64_t histogram_end(unsigned n);

#endif
