/* A bench against an earlier one: ratios only, so that machines may differ. Pure. */
#ifndef REVHOOK_BENCH_BASELINE_H
#define REVHOOK_BENCH_BASELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define BASELINE_SLACK 0.25 /* a ratio may be so much worse */

/* Whether `now` keeps what `before` had. Both are what --json writes, of which "ratios" is looked
 * at: [{"name","value","better":"higher"|"lower"}]. A ratio of `before` that `now` has not measured
 * is told and does not count; if none is left to compare, that fails. Each line of the verdict is
 * printed on `to`. */
bool baseline_kept(const json_t *before, const json_t *now, FILE *to);

#endif
