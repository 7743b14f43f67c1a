/* A bench against an earlier one, see baseline.h. */
#include "tools/bench/baseline.h"

#include <string.h>

/* The row of that name in a list of ratios, or NULL. */
static const json_t *find_ratio(const json_t *ratios, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach(ratios, i, row)
    {
        const char *own = json_string_value(json_object_get(row, "name"));
        if (own != NULL && strcmp(own, name) == 0)
            return row;
    }
    return NULL;
}

static double value_of(const json_t *row)
{
    return json_number_value(json_object_get(row, "value"));
}

bool baseline_kept(const json_t *before, const json_t *now, FILE *to)
{
    unsigned compared = 0, worse = 0;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(before, "ratios"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *better = json_string_value(json_object_get(row, "better"));
        if (name == NULL || better == NULL || value_of(row) <= 0) {
            fprintf(to, "baseline: row %zu is no ratio\n", i);
            worse++;
            continue;
        }
        const json_t *own = find_ratio(json_object_get(now, "ratios"), name);
        if (own == NULL) {
            fprintf(to, "baseline: %-28s not measured this time\n", name);
            continue;
        }
        bool lower = strcmp(better, "lower") == 0;
        double limit = value_of(row) * (lower ? 1 / (1 - BASELINE_SLACK) : 1 - BASELINE_SLACK);
        bool good = lower ? value_of(own) <= limit : value_of(own) >= limit;
        fprintf(to, "baseline: %-28s %.3f, was %.3f, limit %.3f: %s\n", name, value_of(own),
                value_of(row), limit, good ? "kept" : "WORSE");
        compared++;
        worse += !good;
    }
    if (compared == 0)
        fputs("baseline: nothing to compare\n", to);
    return compared > 0 && worse == 0;
}
