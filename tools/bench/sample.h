/* The same figure measured several times. Pure. */
#ifndef REVHOOK_BENCH_SAMPLE_H
#define REVHOOK_BENCH_SAMPLE_H

#define SAMPLE_MAX 256

/* Zeroed: not measured. */
struct sample {
    unsigned count;
    double values[SAMPLE_MAX]; /* in the order of the rounds */
};

/* Adds a value; more than SAMPLE_MAX are a fault of the caller (asserted). */
void sample_add(struct sample *sample, double value);

/* The middle one (of an even count the mean of the two in the middle); 0 if not measured. */
double sample_median(const struct sample *sample);
double sample_least(const struct sample *sample);
double sample_most(const struct sample *sample);

/* Round by round a / b, so that what slows a whole round down falls out; rounds where b is not
 * above 0 are left out, and those that only one of them had. */
struct sample sample_ratio(const struct sample *a, const struct sample *b);

#endif
