/* The three clock types. Nothing here reads a clock: time is an argument everywhere but in
 * dispatcher/clock.c. */
#ifndef REVHOOK_CORE_TIME_H
#define REVHOOK_CORE_TIME_H

#include <stdint.h>

/* Milliseconds on the service's own time line: it never steps, counts while the machine sleeps, and
 * goes on from where it stood when the service starts again, after a reboot too (dispatcher/clock.h
 * says how). Schedules are kept in it. */
typedef int64_t mono_ms;

/* Microseconds since 1970-01-01T00:00:00Z. For people and receivers; it may step, so no schedule
 * depends on it. */
typedef int64_t wall_us;

/* A span of time in milliseconds. */
typedef int64_t dur_ms;

/* "No such time" for a mono_ms that may be absent: later than every real one. */
#define MONO_NEVER INT64_MAX

/* One reading of the clock. */
struct instant {
    mono_ms mono;
    wall_us wall;
};

#define TIMESTAMP_BYTES 27 /* of "2026-01-31T12:00:00.000000Z", without the final zero */

/* Writes `wall` as RFC 3339 in UTC with exactly six digits of a second (older Pythons parse only
 * three or six) and a final zero. Years 1970 to 9999; what lies outside is written as the nearest
 * that does not. Pure. */
void timestamp_format(char out[TIMESTAMP_BYTES + 1], wall_us wall);

#endif
