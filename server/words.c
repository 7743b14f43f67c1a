/* Words that requests may use, from the same rows as the enums they stand for. No state, no
 * failure. */
#include "server/words.h"

const char *const words_event_types[] = {
#define X(name, publishable) #name,
#include "../schema/event_type.def"
#undef X
    NULL};

#define WORD_IF_0(name)
#define WORD_IF_1(name) #name,
const char *const words_publishable_types[] = {
#define X(name, publishable) WORD_IF_##publishable(name)
#include "../schema/event_type.def"
#undef X
    NULL};

const char *const words_statuses[] = {"active", "inactive", "unverified", NULL};
const char *const words_statuses_with_degraded[] = {"active", "degraded", "inactive", "unverified",
                                                    NULL};
const char *const words_actions[] = {"activate", "deactivate", NULL};
const char *const words_delivery_states[] = {"pending", "in_flight", "held", "delivered",
                                             "failed",  "dropped",   NULL};
const char *const words_advance_to[] = {"next", NULL};

int words_find(const char *const *words, struct text word)
{
    for (int i = 0; words[i] != NULL; i++)
        if (text_is(word, words[i]))
            return i;
    return -1;
}
