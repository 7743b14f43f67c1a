/* The event catalogue: every sample is what the check accepts; each required field, one by one, is
 * missed by its path when it is gone and told when it has another kind; nothing else is judged. */
#include "core/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The rows of payload.def as the test reads them. */
struct row {
    const char *name;
    enum canon_kind kind;
    bool required;
    const char *inner;
};

struct shape {
    const char *owner;
    const char *field; /* of a variant, with `value`; else NULL */
    const char *value;
    size_t count;
    struct row rows[8];
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STRING(name)                    \
    {                                   \
#name, CANON_STRING, true, NULL \
    }
#define NUMBER(name)                    \
    {                                   \
#name, CANON_NUMBER, true, NULL \
    }
#define BOOL(name)                    \
    {                                 \
#name, CANON_BOOL, true, NULL \
    }
#define ARRAY(name)                    \
    {                                  \
#name, CANON_ARRAY, true, NULL \
    }
#define NESTED(name, object)               \
    {                                      \
#name, CANON_OBJECT, true, #object \
    }
#define OPTIONAL(name, object)              \
    {                                       \
#name, CANON_OBJECT, false, #object \
    }
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

/* One value of each kind. */
static const char *const values[] = {
    [CANON_OBJECT] = "{}", [CANON_ARRAY] = "[]",   [CANON_STRING] = "\"x\"",
    [CANON_NUMBER] = "7",  [CANON_BOOL] = "false", [CANON_NULL] = "null",
};

static struct canon_span span(const char *text)
{
    return (struct canon_span){text, strlen(text)};
}

static enum catalogue_problem_kind check(enum event_type type, const char *payload,
                                         struct catalogue_problem *problem)
{
    return catalogue_check(type, span(payload), problem);
}

static void assert_accepted(enum event_type type, const char *payload)
{
    struct catalogue_problem problem = {.path = ""};
    if (check(type, payload, &problem) != CATALOGUE_OK)
        fail_msg("%s is refused at %s: %s", event_type_name(type), problem.path, payload);
}

static void assert_missing(enum event_type type, const char *payload, const char *path)
{
    struct catalogue_problem problem = {.path = ""};
    assert_int_equal(check(type, payload, &problem), CATALOGUE_MISSING_FIELD);
    assert_string_equal(problem.path, path);
}

static void assert_wrong(enum event_type type, const char *payload, const char *path,
                         enum canon_kind expected, enum canon_kind actual)
{
    struct catalogue_problem problem = {.path = ""};
    assert_int_equal(check(type, payload, &problem), CATALOGUE_WRONG_KIND);
    assert_string_equal(problem.path, path);
    assert_int_equal(problem.expected, expected);
    assert_int_equal(problem.actual, actual);
}

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

/* A field that no schema has, first in every object of every sample. */
static void unknown_fields_pass(void **state)
{
    (void)state;
    static const char unknown[] = "\"tnt__unknown\":[null,{\"id\":7}]";
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct canon_span sample = catalogue_sample(type);
        char *text = malloc(sample.bytes * sizeof(unknown)), *to = text;
        bool in_string = false;
        assert_non_null(text);
        for (size_t i = 0; i < sample.bytes; i++) {
            *to++ = sample.at[i];
            if (sample.at[i] == '"' && (i == 0 || sample.at[i - 1] != '\\'))
                in_string = !in_string;
            if (sample.at[i] == '{' && !in_string)
                to += sprintf(to, "%s,", unknown);
        }
        *to = '\0';
        assert_accepted(type, text);
        free(text);
    }
}

/* Neither values nor formats are judged, nor what arrays hold. */
static void the_least_that_is_accepted(void **state)
{
    (void)state;
    assert_accepted(EVENT_work_created,
                    "{\"work\":{\"type\":\"issue\",\"id\":\"\",\"owned_by\":[],\"title\":\"\"}}");
    assert_accepted(EVENT_work_deleted, "{\"id\":\"x\"}");
    assert_accepted(EVENT_job_created,
                    "{\"job\":{\"id\":\"x\",\"job_category\":\"x\",\"job_id\":\"x\","
                    "\"progress\":0.5,\"state\":\"x\",\"title\":\"x\"}}");
    assert_accepted(EVENT_account_created, "{\"account\":{\"id\":\"x\",\"owned_by\":[7,null]}}");
    assert_accepted(EVENT_webhook_created, "{\"webhook\":{\"id\":\"x\",\"secret\":\"\","
                                           "\"status\":\"x\",\"url\":\"x\"}}");
}

/* Ends of links: what each kind requires besides type and id. */
static void ends_of_links(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        const char *first; /* in the order of the rows */
        const char *second;
    } ends[] = {
        {"account", NULL, NULL},
        {"article", NULL, NULL},
        {"capability", "name", "owned_by"},
        {"code_change", NULL, NULL},
        {"conversation", NULL, NULL},
        {"custom_object", NULL, NULL},
        {"dev_user", NULL, NULL},
        {"enhancement", "name", "owned_by"},
        {"feature", "name", "owned_by"},
        {"incident", "title", NULL},
        {"issue", "owned_by", "title"},
        {"linkable", "name", "owned_by"},
        {"meeting", NULL, NULL},
        {"opportunity", "owned_by", "title"},
        {"product", "name", "owned_by"},
        {"rev_org", NULL, NULL},
        {"rev_user", NULL, NULL},
        {"runnable", "name", "owned_by"},
        {"task", "owned_by", "title"},
        {"ticket", "owned_by", "title"},
        {"widget", "title", NULL},
        {"spaceship", NULL, NULL},
        {"", NULL, NULL},
        {"issue\\n", NULL, NULL},
    };
    static const char form[] = "{\"link\":{\"id\":\"x\",\"link_type\":\"x\",\"source\":{\"id\":"
                               "\"x\",\"type\":\"account\"},\"target\":{%s\"type\":\"%s\"}}}";
    for (size_t i = 0; i < COUNT(ends); i++) {
        char text[512], members[256] = "", path[64];
        const char *names[] = {"id", ends[i].first, ends[i].second};
        for (size_t n = 0; n < COUNT(names) && names[n] != NULL; n++) {
            size_t used = strlen(members);
            snprintf(text, sizeof(text), form, members, ends[i].kind);
            snprintf(path, sizeof(path), "link_created.link.target.%s", names[n]);
            assert_missing(EVENT_link_created, text, path);
            snprintf(members + used, sizeof(members) - used, "\"%s\":%s,", names[n],
                     strcmp(names[n], "owned_by") == 0 ? "[]" : "\"x\"");
        }
        snprintf(text, sizeof(text), form, members, ends[i].kind);
        assert_accepted(EVENT_link_created, text);
    }
    assert_wrong(EVENT_link_created,
                 "{\"link\":{\"id\":\"x\",\"link_type\":\"x\",\"source\":{\"id\":\"x\",\"name\":7,"
                 "\"owned_by\":[],\"type\":\"product\"},\"target\":{\"id\":\"x\",\"type\":\"x\"}}}",
                 "link_created.link.source.name", CANON_STRING, CANON_NUMBER);
}

/* Words of the discriminator that are not in the catalogue: what all kinds have is required. */
static void kinds_that_are_new(void **state)
{
    (void)state;
    static const char *const kinds[] = {"issue", "ticket", "opportunity", "task", "epic", ""};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"work\":{\"type\":\"%s\",\"id\":\"x\",\"owned_by\":[],\"title\":\"x\"}}",
                 kinds[i]);
        assert_accepted(EVENT_work_created, text);
        snprintf(text, sizeof(text), "{\"work\":{\"type\":\"%s\",\"id\":\"x\",\"owned_by\":[]}}",
                 kinds[i]);
        assert_missing(EVENT_work_created, text, "work_created.work.title");
    }
    assert_accepted(EVENT_group_member_added,
                    "{\"group\":{\"id\":\"x\"},\"member\":{\"type\":\"bot\",\"id\":\"x\"}}");
    assert_missing(EVENT_group_member_added, "{\"group\":{\"id\":\"x\"},\"member\":{\"id\":\"x\"}}",
                   "group_member_added.member.type");
}

/* What was fetched is only there, and only looked at, if the result is ok. */
static void fetched(void **state)
{
    (void)state;
    assert_accepted(EVENT_work_fetched, "{\"id\":\"x\",\"result\":\"not_found\"}");
    assert_accepted(EVENT_work_fetched, "{\"id\":\"x\",\"result\":\"not_found\",\"work\":7}");
    assert_accepted(EVENT_work_fetched, "{\"id\":\"x\",\"result\":\"forbidden\"}");
    assert_accepted(EVENT_work_fetched, "{\"id\":\"x\",\"result\":\"later\",\"work\":7}");
    assert_accepted(EVENT_work_fetched, "{\"id\":\"x\",\"result\":\"ok\"}");
    assert_wrong(EVENT_work_fetched, "{\"id\":\"x\",\"result\":\"ok\",\"work\":7}",
                 "work_fetched.work", CANON_OBJECT, CANON_NUMBER);
    assert_missing(EVENT_work_fetched,
                   "{\"id\":\"x\",\"result\":\"ok\",\"work\":{\"type\":\"task\",\"id\":\"x\","
                   "\"owned_by\":[]}}",
                   "work_fetched.work.title");
    assert_missing(EVENT_sla_tracker_fetched,
                   "{\"id\":\"x\",\"result\":\"ok\",\"sla_tracker\":{\"id\":\"x\"}}",
                   "sla_tracker_fetched.sla_tracker.metric_target_summaries");
}

static void an_agents_answer(void **state)
{
    (void)state;
#define AGENT "{\"agent\":\"x\",\"session\":\"x\",\"session_object\":\"x\""
    static const char *const parts[][2] = {
        {"error", "\"error\":\"x\""},
        {"message_generation_started", "\"request_id\":\"x\""},
        {"suggestions", "\"suggestions\":[]"},
    };
    static const char *const paths[] = {
        "ai_agent_response.error.error",
        "ai_agent_response.message_generation_started.request_id",
        "ai_agent_response.suggestions.suggestions",
    };
    for (size_t i = 0; i < COUNT(parts); i++) {
        char text[256];
        snprintf(text, sizeof(text), AGENT ",\"%s\":{%s}}", parts[i][0], parts[i][1]);
        assert_accepted(EVENT_ai_agent_response, text);
        snprintf(text, sizeof(text), AGENT ",\"%s\":{}}", parts[i][0]);
        assert_missing(EVENT_ai_agent_response, text, paths[i]);
    }
    assert_accepted(EVENT_ai_agent_response, AGENT ",\"message\":7,\"progress\":null}");
}

/* Which of several problems is told. */
static void the_first_problem(void **state)
{
    (void)state;
    assert_wrong(EVENT_work_created, "{\"work\":{\"title\":7}}", "work_created.work.title",
                 CANON_STRING, CANON_NUMBER);
    assert_wrong(EVENT_work_created, "{\"work\":{\"title\":7,\"type\":null}}",
                 "work_created.work.type", CANON_STRING, CANON_NULL);
    assert_missing(EVENT_work_created, "{\"work\":{}}", "work_created.work.type");
    assert_missing(EVENT_work_updated, "{\"old_work\":{}}", "work_updated.work");
    assert_missing(EVENT_work_updated, "{\"old_work\":{},\"work\":{\"type\":\"issue\"}}",
                   "work_updated.work.id");
    assert_missing(EVENT_work_created, "{}", "work_created.work");
    assert_missing(EVENT_work_created, "{\"worker\":1,\"wor\":2}", "work_created.work");
    for (size_t kind = CANON_ARRAY; kind < COUNT(values); kind++)
        assert_wrong(EVENT_tag_created, values[kind], "tag_created", CANON_OBJECT, kind);
}

/* However deep and however wide: arrays and objects inside one another, many members. */
static void deep_and_wide(void **state)
{
    (void)state;
    enum { DEPTH = 100000, MEMBERS = 50000 };
    char *text = malloc(16 * MEMBERS + 16 * DEPTH), *to = text;
    assert_non_null(text);
    to += sprintf(to, "{\"work\":");
    for (int i = 0; i < DEPTH; i++)
        to += sprintf(to, "{\"work\":");
    to += sprintf(to, "{}");
    for (int i = 0; i < DEPTH; i++)
        *to++ = '}';
    strcpy(to, "}");
    assert_missing(EVENT_work_created, text, "work_created.work.type");

    to = text + sprintf(text, "{\"work\":{\"type\":\"issue\",\"id\":\"x\",\"owned_by\":");
    memset(to, '[', DEPTH);
    memset(to + DEPTH, ']', DEPTH);
    strcpy(to + 2 * DEPTH, ",\"title\":\"x\"}}");
    assert_accepted(EVENT_work_created, text);

    to = text + sprintf(text, "{\"tag\":{\"name\":\"x\"");
    for (int i = 0; i < MEMBERS; i++)
        to += sprintf(to, ",\"%d\":1", i);
    strcpy(to, "}}");
    assert_missing(EVENT_tag_created, text, "tag_created.tag.id");
    strcpy(to, ",\"id\":\"x\"}}");
    assert_accepted(EVENT_tag_created, text);
    free(text);
}

/* Bytes of the samples changed at random: what is still JSON gets an answer, whatever it is. */
static void changed_samples(void **state)
{
    (void)state;
    static const char bytes[] = "{}[]\",:0n\\ a";
    uint32_t seed = 20250702;
    static char in[16384], out[65536];
    static struct canon_key keys[8192];
    int checked = 0;
    for (int round = 0; round < 20000; round++) {
        enum event_type type = round % EVENT_TYPE_COUNT;
        struct canon_span sample = catalogue_sample(type);
        struct catalogue_problem problem;
        assert_true(sample.bytes < sizeof(in));
        memcpy(in, sample.at, sample.bytes);
        for (int n = 0; n < 3; n++) {
            seed = seed * 1664525 + 1013904223;
            size_t at = (size_t)(seed >> 8) % sample.bytes;
            in[at] = bytes[(seed >> 4) % (sizeof(bytes) - 1)];
        }
        struct canon canon = {.in = in,
                              .in_bytes = sample.bytes,
                              .out = out,
                              .out_capacity_bytes = sizeof(out),
                              .keys = keys,
                              .keys_max = COUNT(keys)};
        if (canon_document(&canon) != CANON_OK)
            continue;
        checked++;
        switch (catalogue_check(type, (struct canon_span){out, canon.out_bytes}, &problem)) {
        case CATALOGUE_OK: break;
        case CATALOGUE_WRONG_KIND: assert_int_not_equal(problem.actual, problem.expected);
        /* fall through */
        case CATALOGUE_MISSING_FIELD:
            assert_memory_equal(problem.path, event_type_name(type), strlen(event_type_name(type)));
        }
    }
    assert_true(checked > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_valid_and_canonical),
        cmocka_unit_test(every_required_field_of_every_sample),
        cmocka_unit_test(unknown_fields_pass),
        cmocka_unit_test(the_least_that_is_accepted),
        cmocka_unit_test(ends_of_links),
        cmocka_unit_test(kinds_that_are_new),
        cmocka_unit_test(fetched),
        cmocka_unit_test(an_agents_answer),
        cmocka_unit_test(the_first_problem),
        cmocka_unit_test(deep_and_wide),
        cmocka_unit_test(changed_samples),
    };
    return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
