/* The reading of an expiry.
 *
 * Owns: the units of spans and the form of a moment. Happy path: a number and a letter, or a date.
 * Failure modes: anything else, a date that no calendar has, and what lies in the past are no
 * expiry. Refuses: leap seconds, dates without a zone, and years beyond 9999. */
#include "server/expiry.h"

#define TEN_YEARS_S INT64_C(315360000)
#define S_PER_DAY   86400

/* Reads exactly `count` digits at *at and moves it behind them. */
static bool digits(const char **at, const char *end, int count, int64_t *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (*at == end || **at < '0' || **at > '9')
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool sign(const char **at, const char *end, char wanted)
{
    if (*at == end || **at != wanted)
        return false;
    (*at)++;
    return true;
}

static int days_in(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01, of a year from 1970 on. */
static int64_t days_until(int64_t year, int64_t month, int64_t day)
{
    int64_t before = year - 1; /* leap days in the years up to it */
    int64_t days = (year - 1970) * 365 + before / 4 - before / 100 + before / 400 - 477;
    for (int64_t at = 1; at < month; at++)
        days += days_in(year, at);
    return days + day - 1;
}

/* "2027-01-31T" */
static bool read_date(const char **at, const char *end, int64_t *day_number)
{
    int64_t year, month, day;
    if (!digits(at, end, 4, &year) || !sign(at, end, '-') || !digits(at, end, 2, &month) ||
        !sign(at, end, '-') || !digits(at, end, 2, &day) || !sign(at, end, 'T'))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *day_number = days_until(year, month, day);
    return true;
}

/* "00:00:00" and perhaps up to six digits of a second. */
static bool read_time(const char **at, const char *end, int64_t *us)
{
    int64_t hour, minute, second, unit = 1000000;
    if (!digits(at, end, 2, &hour) || !sign(at, end, ':') || !digits(at, end, 2, &minute) ||
        !sign(at, end, ':') || !digits(at, end, 2, &second) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *us = ((hour * 60 + minute) * 60 + second) * 1000000;
    if (!sign(at, end, '.'))
        return true;
    for (int64_t digit; unit > 1 && digits(at, end, 1, &digit);) {
        unit /= 10;
        *us += digit * unit;
    }
    return unit < 1000000;
}

/* "Z", or "+01:30": how far the clock of the zone is ahead. */
static bool read_zone(const char **at, const char *end, int64_t *us)
{
    int64_t hour, minute, direction;
    *us = 0;
    if (sign(at, end, 'Z'))
        return true;
    direction = sign(at, end, '-') ? -1 : sign(at, end, '+') ? 1 : 0;
    if (direction == 0 || !digits(at, end, 2, &hour) || !sign(at, end, ':') ||
        !digits(at, end, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *us = direction * (hour * 60 + minute) * 60000000;
    return true;
}

static bool read_moment(struct text text, wall_us *moment)
{
    const char *at = text.at, *end = text.at + text.bytes;
    int64_t day, time, zone;
    if (!read_date(&at, end, &day) || !read_time(&at, end, &time) || !read_zone(&at, end, &zone) ||
        at != end)
        return false;
    *moment = day * S_PER_DAY * 1000000 + time - zone;
    return true;
}

static bool read_span(struct text text, int64_t *span_s)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, S_PER_DAY};
    const char *at = text.at, *unit;
    if (text.bytes < 2 || text.bytes > 10)
        return false;
    unit = strchr(units, text.at[text.bytes - 1]);
    if (unit == NULL || *unit == 0 ||
        !digits(&at, text.at + text.bytes, (int)text.bytes - 1, span_s))
        return false;
    *span_s *= seconds[unit - units];
    return *span_s > 0 && *span_s <= TEN_YEARS_S;
}

bool expiry_read(struct text text, wall_us now, wall_us *expires_us)
{
    int64_t span_s;
    *expires_us = 0;
    if (text_is(text, "never"))
        return true;
    if (read_span(text, &span_s)) {
        *expires_us = now + span_s * 1000000;
        return true;
    }
    return read_moment(text, expires_us) && *expires_us > now;
}
