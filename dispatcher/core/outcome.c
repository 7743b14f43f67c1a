/* What an outcome means: schema/outcome.def as two questions.
 *
 * Owns: nothing but the table. Refuses: to look at status codes or curl errors; dispatcher/sender.c
 * has turned those into an outcome by then. */
#include "core/core.h"

enum outcome_class { ACK, MISS };

struct outcome_row {
    enum outcome_class class;
    bool hurts_health;
};

static const struct outcome_row rows[OUTCOME_COUNT] = {
#define X(name, class, hurts_health, text) [OUTCOME_##name] = {class, hurts_health},
#include "../../schema/outcome.def"
#undef X
};

bool outcome_acknowledged(enum outcome outcome)
{
    return rows[outcome].class == ACK;
}

bool outcome_hurts_health(enum outcome outcome)
{
    return rows[outcome].hurts_health;
}
