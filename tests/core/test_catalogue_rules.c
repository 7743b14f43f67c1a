/* What the check of payloads judges and what it lets through: kinds of objects, unknown fields, the
 * order of problems, and payloads that mean harm. */
#include "catalogue_assert.h"

/* Adds a C string to a text of at most `room` bytes. */
static void add(char *text, size_t room, size_t *used, const char *string)
{
    size_t bytes = strlen(string);
    assert_true(*used + bytes < room);
    memcpy(text + *used, string, bytes + 1);
    *used += bytes;
}

/* A field that no schema has, first in every object of every sample. */
static void unknown_fields_pass(void **state)
{
    (void)state;
    static const char unknown[] = "\"tnt__unknown\":[null,{\"id\":7}],";
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct canon_span sample = catalogue_sample(type);
        size_t room = sample.bytes * sizeof(unknown), used = 0;
        char *text = malloc(room);
        bool in_string = false;
        assert_non_null(text);
        for (size_t i = 0; i < sample.bytes; i++) {
            char byte[] = {sample.at[i], '\0'};
            add(text, room, &used, byte);
            if (byte[0] == '"' && sample.at[i - 1] != '\\')
                in_string = !in_string;
            if (byte[0] == '{' && !in_string)
                add(text, room, &used, unknown);
        }
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
    enum { DEPTH = 100000, MEMBERS = 50000, BYTES = 16 * DEPTH };
    char *text = malloc(BYTES);
    size_t used = 0, end;
    assert_non_null(text);
    add(text, BYTES, &used, "{\"work\":");
    for (int i = 0; i < DEPTH; i++)
        add(text, BYTES, &used, "{\"work\":");
    add(text, BYTES, &used, "{}");
    for (int i = 0; i <= DEPTH; i++)
        add(text, BYTES, &used, "}");
    assert_missing(EVENT_work_created, text, "work_created.work.type");

    used = 0;
    add(text, BYTES, &used, "{\"work\":{\"type\":\"issue\",\"id\":\"x\",\"owned_by\":");
    for (int i = 0; i < 2 * DEPTH; i++)
        add(text, BYTES, &used, i < DEPTH ? "[" : "]");
    add(text, BYTES, &used, ",\"title\":\"x\"}}");
    assert_accepted(EVENT_work_created, text);

    used = 0;
    add(text, BYTES, &used, "{\"tag\":{\"name\":\"x\"");
    for (int i = 0; i < MEMBERS; i++) {
        char member[32];
        snprintf(member, sizeof(member), ",\"%d\":1", i);
        add(text, BYTES, &used, member);
    }
    end = used;
    add(text, BYTES, &used, "}}");
    assert_missing(EVENT_tag_created, text, "tag_created.tag.id");
    used = end;
    add(text, BYTES, &used, ",\"id\":\"x\"}}");
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
    return cmocka_run_group_tests_name("catalogue rules", tests, NULL, NULL);
}
