/* The event catalogue and its samples: every sample is canonical and accepted; each required field,
 * one by one, is missed by its path when it is gone and told when it has another kind. What else
 * the check does is in test_catalogue_rules.c. */
#include "catalogue_assert.h"

/* The rows of payload.def as the test reads them. */
struct row {
    enum canon_kind kind;
    bool required;
    const char *inner;
    const char *name;
};

struct shape {
    const char *owner;
    const char *field; /* of a variant, with `value`; else NULL */
    const char *value;
    size_t count;
    struct row rows[8];
};

#define ROW(kind, required, inner, name) \
    {                                    \
        kind, required, inner, #name     \
    }
#define STRING(name)           ROW(CANON_STRING, true, NULL, name)
#define NUMBER(name)           ROW(CANON_NUMBER, true, NULL, name)
#define BOOL(name)             ROW(CANON_BOOL, true, NULL, name)
#define ARRAY(name)            ROW(CANON_ARRAY, true, NULL, name)
#define NESTED(name, object)   ROW(CANON_OBJECT, true, #object, name)
#define OPTIONAL(name, object) ROW(CANON_OBJECT, false, #object, name)
#define ROWS(...)                               \
    COUNT(((const struct row[]){__VA_ARGS__})), \
    {                                           \
        __VA_ARGS__                             \
    }

static const struct shape shapes[] = {
#define OBJECT(name, ...)                 {#name, NULL, NULL, ROWS(__VA_ARGS__)},
#define EVENT(type, ...)                  {#type, NULL, NULL, ROWS(__VA_ARGS__)},
#define VARIANT(owner, field, value, ...) {#owner, #field, #value, ROWS(__VA_ARGS__)},
#include "../../schema/payload.def"
};

/* How many fields DevRev's schemas require of each payload: always, and within objects that may be
 * absent. A row that is lost or gained fails here. */
static const struct {
    const char *type;
    int always;
    int optional;
} counts[] = {
    {"account_created", 3, 0},
    {"account_deleted", 1, 2},
    {"account_updated", 3, 2},
    {"ai_agent_response", 3, 3},
    {"article_created", 3, 0},
    {"article_deleted", 1, 2},
    {"article_updated", 3, 2},
    {"artifact_created", 2, 0},
    {"artifact_deleted", 1, 1},
    {"artifact_updated", 2, 1},
    {"conversation_created", 3, 0},
    {"conversation_deleted", 1, 2},
    {"conversation_updated", 3, 2},
    {"dashboard_created", 2, 0},
    {"dashboard_deleted", 1, 1},
    {"dashboard_updated", 2, 1},
    {"dev_user_created", 2, 0},
    {"dev_user_deleted", 1, 1},
    {"dev_user_updated", 2, 1},
    {"group_created", 3, 0},
    {"group_deleted", 1, 2},
    {"group_member_added", 5, 0},
    {"group_member_removed", 5, 0},
    {"group_updated", 3, 2},
    {"incident_created", 3, 0},
    {"incident_deleted", 1, 2},
    {"incident_updated", 3, 2},
    {"job_created", 7, 0},
    {"job_deleted", 1, 6},
    {"job_updated", 7, 6},
    {"link_created", 9, 0},
    {"link_deleted", 1, 8},
    {"link_updated", 9, 8},
    {"part_created", 5, 0},
    {"part_deleted", 1, 4},
    {"part_updated", 5, 4},
    {"question_answer_created", 2, 0},
    {"question_answer_deleted", 1, 1},
    {"question_answer_updated", 2, 1},
    {"rev_org_created", 2, 0},
    {"rev_org_deleted", 1, 1},
    {"rev_org_updated", 2, 1},
    {"rev_user_created", 2, 0},
    {"rev_user_deleted", 1, 1},
    {"rev_user_updated", 2, 1},
    {"sla_tracker_created", 3, 0},
    {"sla_tracker_deleted", 1, 2},
    {"sla_tracker_fetched", 2, 0},
    {"sla_tracker_updated", 3, 2},
    {"survey_created", 2, 0},
    {"survey_deleted", 1, 1},
    {"survey_response_created", 2, 0},
    {"survey_response_deleted", 1, 1},
    {"survey_response_updated", 2, 1},
    {"survey_updated", 2, 1},
    {"sync_history_created", 2, 0},
    {"sync_history_deleted", 1, 0},
    {"sync_history_updated", 2, 1},
    {"sync_unit_updated", 2, 1},
    {"tag_created", 3, 0},
    {"tag_deleted", 1, 2},
    {"tag_updated", 3, 2},
    {"timeline_entry_created", 5, 0},
    {"timeline_entry_deleted", 1, 4},
    {"timeline_entry_updated", 5, 4},
    {"verify", 1, 0},
    {"webhook_created", 5, 0},
    {"webhook_deleted", 1, 0},
    {"webhook_updated", 5, 0},
    {"widget_created", 6, 0},
    {"widget_deleted", 1, 5},
    {"widget_updated", 6, 5},
    {"work_created", 5, 0},
    {"work_deleted", 1, 4},
    {"work_fetched", 2, 0},
    {"work_updated", 5, 4},
};

/* The payload as a C string with the bytes from `at` on replaced. The caller frees it. */
static char *spliced(struct canon_span payload, const char *at, size_t bytes, const char *with)
{
    size_t before = (size_t)(at - payload.at), after = payload.bytes - before - bytes;
    char *text = malloc(payload.bytes + strlen(with) + 1);
    assert_non_null(text);
    memcpy(text, payload.at, before);
    memcpy(text + before, with, strlen(with));
    memcpy(text + before + strlen(with), at + bytes, after);
    text[before + strlen(with) + after] = '\0';
    return text;
}

/* The payload without a member: the member's key, value and one comma are cut. */
static char *without(struct canon_span payload, struct canon_item member)
{
    const char *from = member.key.at - 1, *to = member.value.at + member.value.bytes;
    if (*to == ',')
        to++;
    else if (from[-1] == ',')
        from--;
    return spliced(payload, from, (size_t)(to - from), "");
}

static bool find(struct canon_span object, const char *name, struct canon_item *member)
{
    for (bool more = canon_member_first(object, member); more; more = canon_member_next(member))
        if (canon_span_equals(member->key, name))
            return true;
    return false;
}

/* What is counted while the fields of a sample are tried. */
struct tried {
    int always;
    int optional;
    int variant;
};

/* Takes one field away, and gives it each other kind. */
static void try_field(enum event_type type, struct canon_span payload, const struct row *row,
                      struct canon_item member, const char *path)
{
    char *text = without(payload, member);
    if (row->required)
        assert_missing(type, text, path);
    else
        assert_accepted(type, text);
    free(text);
    for (size_t kind = 0; kind < COUNT(values); kind++) {
        if (kind == row->kind)
            continue;
        text = spliced(payload, member.value.at, member.value.bytes, values[kind]);
        assert_wrong(type, text, path, row->kind, kind);
        free(text);
    }
}

/* Every row that applies to an object of the sample. `counter` takes the required ones. */
static void try_object(enum event_type type, struct canon_span payload, struct canon_span object,
                       const char *name, const char *path, int *counter, struct tried *tried)
{
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const struct shape *shape = &shapes[i];
        struct canon_item member;
        if (strcmp(shape->owner, name) != 0)
            continue;
        if (shape->field != NULL && (!find(object, shape->field, &member) ||
                                     !canon_string_equals(member.value, shape->value)))
            continue;
        int *required = shape->field != NULL ? &tried->variant : counter;
        for (size_t n = 0; n < shape->count; n++) {
            const struct row *row = &shape->rows[n];
            char inner[CATALOGUE_PATH_BYTES_MAX];
            *required += row->required;
            snprintf(inner, sizeof(inner), "%s.%s", path, row->name);
            if (!find(object, row->name, &member)) {
                assert_false(row->required);
                assert_int_equal(type, EVENT_ai_agent_response); /* see its own test */
                continue;
            }
            try_field(type, payload, row, member, inner);
            if (row->inner != NULL)
                try_object(type, payload, member.value, row->inner, inner,
                           row->required ? required : &tried->optional, tried);
        }
    }
}

static void every_required_field_of_every_sample(void **state)
{
    (void)state;
    assert_int_equal(COUNT(counts), EVENT_TYPE_COUNT);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct canon_span sample = catalogue_sample(type);
        const char *name = event_type_name(type);
        struct tried tried = {0, 0, 0};
        assert_string_equal(counts[type].type, name);
        try_object(type, sample, sample, name, name, &tried.always, &tried);
        assert_int_equal(tried.always, counts[type].always);
        /* An agent's answer is one of several things; the sample has one. */
        if (type != EVENT_ai_agent_response && strstr(name, "_fetched") == NULL)
            assert_int_equal(tried.optional, counts[type].optional);
    }
}

static void every_sample_is_valid_and_canonical(void **state)
{
    (void)state;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct canon_span sample = catalogue_sample(type);
        size_t capacity = canon_out_max(sample.bytes);
        struct canon canon = {
            .in = sample.at,
            .in_bytes = sample.bytes,
            .out = malloc(capacity),
            .out_capacity_bytes = capacity,
            .keys = calloc(canon_keys_max(sample.bytes), sizeof(struct canon_key)),
            .keys_max = canon_keys_max(sample.bytes),
        };
        struct catalogue_problem problem;
        assert_int_equal(canon_document(&canon), CANON_OK);
        assert_int_equal(canon.out_bytes, sample.bytes);
        assert_memory_equal(canon.out, sample.at, sample.bytes);
        assert_int_equal(canon_kind(sample), CANON_OBJECT);
        assert_int_equal(catalogue_check(type, sample, &problem), CATALOGUE_OK);
        free(canon.out);
        free(canon.keys);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_valid_and_canonical),
        cmocka_unit_test(every_required_field_of_every_sample),
    };
    return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
