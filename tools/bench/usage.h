/* What a process has used: processor time by thread, memory. From /proc, to the nanosecond. */
#ifndef REVHOOK_BENCH_USAGE_H
#define REVHOOK_BENCH_USAGE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* The daemon's threads by their names (the senders together). */
enum part { PART_API, PART_WRITER, PART_SENDERS, PART_REST, PART_COUNT };
extern const char *const part_names[PART_COUNT];

/* Nanoseconds on a processor since the process began, by part; all zero if it is gone. */
struct usage {
    uint64_t ns[PART_COUNT];
};

struct usage usage_of(pid_t pid);
uint64_t usage_total(const struct usage *usage);

/* Resident memory now, and the most so far, in MB (10^6 bytes); 0 if the process is gone. */
double usage_rss_mb(pid_t pid);
double usage_rss_peak_mb(pid_t pid);

/* How long the first `processors` processors had nothing to do, all together, as `stat` (the text
 * of /proc/stat) tells. Of its columns idle and iowait are kept by the clock, the others counted in
 * ticks. */
uint64_t usage_idle_ns(FILE *stat, int processors);

/* CLOCK_MONOTONIC, which all processes of a machine read alike. */
uint64_t now_ns(void);

#endif
