/* What the files of the world share among themselves; tests include world.h. */
#ifndef REVHOOK_TESTS_LIB_WORLD_PARTS_H
#define REVHOOK_TESTS_LIB_WORLD_PARTS_H

#include "tests/lib/world.h"

/* ---- world.c ---- */

void world_put(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_put_time(struct world *world, mono_ms at);
/* A line of the transcript, with the time in front. */
void world_put_line(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A delivery for the core, as its row stands. */
struct delivery *world_allocate(struct world *world, const struct world_row *row);
void world_free_delivery(struct world *world, struct delivery *delivery);
/* Steps the core with an event, and again while `more`; carries out the effects; checks. */
void world_feed(struct world *world, struct core_event event);
/* Feeds what came from outside, and works everything off unless `held`. */
void world_happen(struct world *world, struct core_event event);

/* ---- world_store.c ---- */

struct world_report *world_add_report(struct world *world, enum core_event_kind kind,
                                      struct world_webhook *webhook);
/* Ends a row that is open. */
void world_write_end(struct world *world, struct world_row *row, uint8_t state, uint8_t reason);
/* Ends every open row of a webhook with a reason; `op` NULL: also those in flight. */
void world_settle(struct world *world, struct world_webhook *webhook, enum reason reason,
                  const struct world_op *op);

#endif
