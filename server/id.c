/* The judgement of ids.
 *
 * Rules: text that is no DON is invalid_id, short forms and display ids too (DevRev takes only full
 * DONs); a DON of another type is unexpected_id_type; one of the right type that names another
 * partition or organisation, or that we never gave out, is like one that does not exist: its parts
 * are put out, and what is left is not found by the same look into the store that finds others, so
 * that neither the answer nor its time tells one from the other. Refuses: to look into the store
 * itself. */
#include "server/id.h"

/* The word for a kind in errors, which is the type in its DON. */
static const char *kind_word(enum ids_kind kind)
{
    return kind == IDS_WEBHOOK ? "webhook" : kind == IDS_EVENT ? "event" : "delivery";
}

/* Whether a well-formed DON of our service ends with "<type>/<id>". */
static bool is_last_type(struct text id, const char *type)
{
    static const char service[] = "don:integration:";
    const char *colon = id.at + id.bytes - 1;
    size_t bytes = strlen(type), left;
    while (*colon != ':')
        colon--; /* there is one: the DON is well-formed */
    left = (size_t)(id.at + id.bytes - colon) - 1;
    return id.bytes > sizeof(service) - 1 && memcmp(id.at, service, sizeof(service) - 1) == 0 &&
           left > bytes && memcmp(colon + 1, type, bytes) == 0 && colon[1 + bytes] == '/';
}

static bool same(const char *at, size_t bytes, const char *word)
{
    return text_is((struct text){at, bytes}, word);
}

bool id_check(struct text id, const char *field, enum ids_kind wanted, const struct org *org,
              struct ids_don *don, struct error *error)
{
    enum ids_kind kind = ids_parse(id.at, id.bytes, don);
    bool unknown_x = kind == IDS_OTHER && wanted != IDS_WEBHOOK &&
                     (is_last_type(id, kind_word(wanted)) ||
                      (wanted == IDS_EVENT && is_last_type(id, "webhook_event")));
    if (kind == IDS_MALFORMED) {
        error_field(error, ERROR_invalid_id, field);
        return false;
    }
    if (kind != wanted && !unknown_x) {
        error_id_type(error, field, id, kind_word(wanted));
        return false;
    }
    if (unknown_x || !same(don->partition, don->partition_bytes, org->partition) ||
        !same(don->org, don->org_bytes, org->id)) {
        don->webhook = "";
        don->webhook_bytes = 0;
        don->key = 0;
        don->salt = 0;
    }
    return true;
}
