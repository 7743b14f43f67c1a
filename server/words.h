/* Lists of allowed words, as errors show them. Each ends with NULL. */
#ifndef REVHOOK_SERVER_WORDS_H
#define REVHOOK_SERVER_WORDS_H

#include "dispatcher/text.h"

extern const char *const words_event_types[];            /* every row of schema/event_type.def */
extern const char *const words_publishable_types[];      /* those that clients may publish */
extern const char *const words_statuses[];               /* of a webhook, DevRev's three */
extern const char *const words_statuses_with_degraded[]; /* with the setting that shows it */
extern const char *const words_actions[];                /* of webhooks.update */
extern const char *const words_delivery_states[];
extern const char *const words_advance_to[]; /* of clock.advance */

/* The index of `word` in a list, or -1. */
int words_find(const char *const *words, struct text word);

#endif
