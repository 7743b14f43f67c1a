/* Timestamps in text.
 *
 * Owns: the way a wall time is written. Refuses: time zones, locales, parsing. The day arithmetic
 * counts years from March, so that the leap day is the last of its year, and eras of 400 years,
 * which all have the same number of days. */
#include "core/time.h"

static void digits(char *out, int64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void timestamp_format(char out[TIMESTAMP_BYTES + 1], wall_us wall)
{
    const wall_us last = INT64_C(253402300799999999); /* 9999-12-31T23:59:59.999999Z */
    if (wall < 0)
        wall = 0;
    if (wall > last)
        wall = last;
    int64_t second = wall / 1000000;
    int64_t day = second / 86400 + 719468; /* days since 0000-03-01 */
    int64_t era = day / 146097;
    int64_t day_of_era = day - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = era * 400 + year_of_era + (month <= 2);

    digits(out, year, 4);
    out[4] = '-';
    digits(out + 5, month, 2);
    out[7] = '-';
    digits(out + 8, day_of_month, 2);
    out[10] = 'T';
    digits(out + 11, second % 86400 / 3600, 2);
    out[13] = ':';
    digits(out + 14, second % 3600 / 60, 2);
    out[16] = ':';
    digits(out + 17, second % 60, 2);
    out[19] = '.';
    digits(out + 20, wall % 1000000, 6);
    out[26] = 'Z';
    out[27] = '\0';
}
