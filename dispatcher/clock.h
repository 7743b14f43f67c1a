/* The clock: the only place that asks the operating system for the time.
 *
 * Owns: the service's time line (mono_ms) and the two kinds of clock. Refuses: to wait; whoever
 * waits asks for a deadline.
 *
 * The mono line. Within one boot of the machine it advances with CLOCK_BOOTTIME, which does not
 * step and counts while the machine sleeps. Each commit keeps the reading (mono, wall), the boot id
 * and the offset to boot time. A start in the same boot takes the same offset again. After a
 * reboot the line goes on by wall time: mono = mono of the last commit + wall time passed since,
 * or + 0 if the wall clock now lies before the last commit, so that what was still to wait is
 * waited from the start. So a schedule kept in mono_ms is never early, whatever is done to the
 * wall clock.
 *
 * The virtual clock stands still until clock_set moves it; it starts where the last commit stood (a
 * new store: at the real wall time). */
#ifndef REVHOOK_DISPATCHER_CLOCK_H
#define REVHOOK_DISPATCHER_CLOCK_H

#include "core/time.h"

#include <stdbool.h>

struct clock;

/* A clock that goes on from `last`, a reading taken in boot `boot` ("" if there is none). NULL for
 * want of memory. */
struct clock *clock_real(struct instant last, const char *boot);
struct clock *clock_virtual(struct instant last, const char *boot);
void clock_free(struct clock *clock);

/* Now. Any thread. */
struct instant clock_now(struct clock *clock);

/* Moves a virtual clock to `mono`, which is not before now; the wall time moves as far. One thread.
 */
void clock_set(struct clock *clock, mono_ms mono);

bool clock_is_virtual(const struct clock *clock);

/* What to keep with a commit: boot id and offset, or "virtual"; below 64 bytes. */
const char *clock_boot(const struct clock *clock);

/* Milliseconds that only measure spans (durations, time-outs of real sockets): CLOCK_MONOTONIC,
 * real under either clock. */
int64_t clock_span_ms(void);

/* The real wall time, for log lines, under either clock. */
wall_us clock_wall_real(void);

#endif
