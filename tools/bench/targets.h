/* The targets and how far a bench is from them. Pure. */
#ifndef REVHOOK_BENCH_TARGETS_H
#define REVHOOK_BENCH_TARGETS_H

#include "tools/bench/bench.h"

#define TARGET_REASON_BYTES 512

enum target {
#define X(name, ...) TARGET_##name,
#include "tools/bench/targets.def"
#undef X
    TARGET_COUNT
};

enum target_kind { AT_LEAST, AT_MOST };

struct target_row {
    const char *name;
    enum target_kind kind;
    double bound;
    const char *unit, *definition;
};
extern const struct target_row target_rows[TARGET_COUNT];

/* What was measured for a target; count 0 if this bench did not. */
struct sample target_value(const struct bench *bench, enum target target);

/* Whether the median keeps the target. */
bool target_met(enum target target, const struct sample *value);

/* Why it is not met, from what was measured. */
void target_reason(const struct bench *bench, enum target target, char reason[TARGET_REASON_BYTES]);

/* Deliveries a second that the ceilings allow, round by round. */
struct sample target_allowed(const struct bench *bench);

#endif
