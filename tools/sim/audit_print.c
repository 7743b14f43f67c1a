/* How an event of the auditor's stream looks as a line of text.
 *
 *     12.345 POST post=7 webhook=2 event=5 url=3 secret=4
 *
 * Owns: the form. Fields that are 0 are left out, but for those that make a kind. */
#include "tools/sim/audit.h"

#include <inttypes.h>

static const char *const kinds[] = {
#define X(name, fields) #name,
    AUDIT_KINDS(X)
#undef X
};

static void number(FILE *out, const char *name, int64_t value)
{
    if (value != 0)
        fprintf(out, " %s=%" PRId64, name, value);
}

static void print_ids(FILE *out, const struct audit_event *event)
{
    number(out, "call", event->call);
    number(out, "post", event->post);
    number(out, "webhook", event->webhook);
    number(out, "delivery", event->delivery);
    number(out, "event", event->event);
    number(out, "number", event->number);
    number(out, "count", event->count);
    number(out, "limit", event->limit);
    number(out, "generation", event->generation);
    number(out, "url", event->url_tag);
    number(out, "secret", event->secret_tag);
}

static void print_states(FILE *out, const struct audit_event *event)
{
    if (event->kind == AUDIT_SHOWN_WEBHOOK) {
        fprintf(out, " %s", webhook_state_name(event->state));
        if (event->until != MONO_NEVER)
            fprintf(out, " until=%" PRId64, event->until);
        number(out, "failures", event->failures);
    }
    if (event->kind == AUDIT_SHOWN_DELIVERY || event->kind == AUDIT_KEPT_DELIVERY)
        fprintf(out, " %s%s", delivery_state_name(event->state), event->open ? " open" : "");
    if (event->reason != REASON_none)
        fprintf(out, " reason=%s", reason_name(event->reason));
    if (event->redelivery)
        fprintf(out, " redelivery");
    number(out, "attempts", event->attempts);
    number(out, "redelivered", event->redelivered);
    number(out, "acknowledged", event->acknowledged);
    number(out, "command", event->command);
}

void audit_print(FILE *out, const struct audit_event *event)
{
    fprintf(out, "%8" PRId64 ".%03d %s", event->at_ms / 1000, (int)(event->at_ms % 1000),
            kinds[event->kind]);
    print_ids(out, event);
    print_states(out, event);
    switch (event->kind) {
    case AUDIT_TOLD_PUBLISH:
    case AUDIT_TOLD_CREATE:
    case AUDIT_TOLD_REDELIVERY:
    case AUDIT_POST_ENDED:
    case AUDIT_VERIFY_ENDED: fprintf(out, event->ok ? " ok" : " failed"); break;
    case AUDIT_TOLD_CHANGE:
        fprintf(out, event->ok ? " ok" : event->gone ? " gone" : " failed");
        break;
    case AUDIT_STARTED:
        fprintf(out, event->reboot ? " after a reboot" : " in the same boot");
        break;
    default: break;
    }
    number(out, "ms", event->duration_ms);
    if (event->kind == AUDIT_STARTED || event->kind == AUDIT_WALL_STEPPED)
        number(out, "wall_us", event->wall);
    if (event->text[0] != '\0')
        fprintf(out, " \"%s\"", event->text);
    fputc('\n', out);
}
