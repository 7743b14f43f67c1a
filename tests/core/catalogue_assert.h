/* What the tests of the event catalogue share: one value of each JSON kind, and the answers that a
 * payload gets. */
#ifndef REVHOOK_TESTS_CATALOGUE_ASSERT_H
#define REVHOOK_TESTS_CATALOGUE_ASSERT_H

#include "core/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One value of each kind. */
static const char *const values[] = {
    [CANON_OBJECT] = "{}", [CANON_ARRAY] = "[]",   [CANON_STRING] = "\"x\"",
    [CANON_NUMBER] = "7",  [CANON_BOOL] = "false", [CANON_NULL] = "null",
};

static inline struct canon_span span(const char *text)
{
    return (struct canon_span){text, strlen(text)};
}

static inline enum catalogue_problem_kind check(enum event_type type, const char *payload,
                                                struct catalogue_problem *problem)
{
    return catalogue_check(type, span(payload), problem);
}

static inline void assert_accepted(enum event_type type, const char *payload)
{
    struct catalogue_problem problem = {.path = ""};
    if (check(type, payload, &problem) != CATALOGUE_OK)
        fail_msg("%s is refused at %s: %s", event_type_name(type), problem.path, payload);
}

static inline void assert_missing(enum event_type type, const char *payload, const char *path)
{
    struct catalogue_problem problem = {.path = ""};
    assert_int_equal(check(type, payload, &problem), CATALOGUE_MISSING_FIELD);
    assert_string_equal(problem.path, path);
}

static inline void assert_wrong(enum event_type type, const char *payload, const char *path,
                                enum canon_kind expected, enum canon_kind actual)
{
    struct catalogue_problem problem = {.path = ""};
    assert_int_equal(check(type, payload, &problem), CATALOGUE_WRONG_KIND);
    assert_string_equal(problem.path, path);
    assert_int_equal(problem.expected, expected);
    assert_int_equal(problem.actual, actual);
}

#endif
