/* Median, least and most of a few values, see sample.h. */
#include "tools/bench/sample.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sample_add(struct sample *sample, double value)
{
    assert(sample->count < SAMPLE_MAX);
    sample->values[sample->count++] = value;
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double sample_median(const struct sample *sample)
{
    double sorted[SAMPLE_MAX];
    unsigned count = sample->count;
    if (count == 0)
        return 0;
    memcpy(sorted, sample->values, count * sizeof(sorted[0]));
    qsort(sorted, count, sizeof(sorted[0]), ascending);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double sample_least(const struct sample *sample)
{
    double least = sample->count > 0 ? sample->values[0] : 0;
    for (unsigned i = 1; i < sample->count; i++)
        least = sample->values[i] < least ? sample->values[i] : least;
    return least;
}

double sample_most(const struct sample *sample)
{
    double most = sample->count > 0 ? sample->values[0] : 0;
    for (unsigned i = 1; i < sample->count; i++)
        most = sample->values[i] > most ? sample->values[i] : most;
    return most;
}

struct sample sample_ratio(const struct sample *a, const struct sample *b)
{
    struct sample ratio = {0};
    for (unsigned i = 0; i < a->count && i < b->count; i++)
        if (b->values[i] > 0)
            sample_add(&ratio, a->values[i] / b->values[i]);
    return ratio;
}
