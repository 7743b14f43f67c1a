/*
 * canon_number.c - which numbers may be rewritten, and how they are written.
 *
 * A number becomes what JSON.stringify prints for it if that has exactly the same decimal value.
 * JavaScript reads a number as the nearest double x and prints the decimal with the fewest
 * digits that reads back as x and, among those, the one closest to x. So the question for a
 * number with the significant digits D (no zeros at either end) is whether that decimal is D:
 *
 *   - 18 digits or more: no, 17 always suffice.
 *   - up to 15 digits and far from the ends of the range of a double: yes. Decimals of 15 digits
 *     are further apart than doubles there, so no two of them, and no shorter one, share a double.
 *   - integers of 16 digits up to 2^53 are doubles themselves: yes.
 *   - everything else is computed with strtod and snprintf, see decimal_is_shortest.
 *
 * If the answer is yes, the digits are those of D and only the layout changes (the rules of
 * ECMAScript's Number::toString). Otherwise, and for -0, which JavaScript prints as 0, the
 * number stays as it is. Nothing fails here; the grammar was checked before.
 */
#include "core/canon.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGITS_MAX = 17,         /* no shortest decimal of a double has more */
    DIGITS_ALWAYS_EXACT = 15 /* decimals with no more digits than this survive a double */
};

/* 0.d1d2d3... times ten to the power of `point`, with d1 and the last digit not zero. */
struct decimal {
    bool negative;
    unsigned count; /* 0 for zero */
    int64_t point;
    char digits[DIGITS_MAX];
};

/* Stops growing long before it could overflow; such an exponent is out of any range. */
static int64_t parse_exponent(const char *at, const char *end)
{
    const int64_t huge = INT64_C(1000000000000);
    bool negative = *at == '-';
    int64_t value = 0;

    if (*at == '-' || *at == '+') {
        at++;
    }
    for (; at < end; at++) {
        if (value < huge) {
            value = value * 10 + (*at - '0');
        }
    }
    return negative ? -value : value;
}

/* Splits a number. False if it has more significant digits than a shortest decimal can have. */
static bool decimal_parse(struct decimal *d, const char *at, const char *end)
{
    uint64_t seen = 0; /* digits since the first that is not zero */
    uint64_t last = 0; /* `seen` at the last digit that is not zero */
    bool fraction = false;

    d->negative = *at == '-';
    d->point = 0;
    at += d->negative;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (seen == 0 && *at == '0') {
            d->point -= fraction;
            continue;
        }
        if (seen < DIGITS_MAX) {
            d->digits[seen] = *at;
        }
        seen++;
        d->point += !fraction;
        if (*at != '0') {
            if (seen > DIGITS_MAX) {
                return false;
            }
            last = seen;
        }
    }
    d->count = (unsigned)last;
    if (at < end) {
        d->point += parse_exponent(at + 1, end);
    }
    return true;
}

/* The layout of "%.*e" for the decimal, without its sign: d.ddde+XX. */
static void decimal_print_e(const struct decimal *d, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%c%s%.*se%+03d", d->digits[0], d->count > 1 ? "." : "",
             (int)d->count - 1, d->digits + 1, (int)d->point - 1);
}

/*
 * Adds one to the last digit of d.ddde+XX, which starts at text[1]. If every digit was a nine,
 * the number becomes 10.00e+XX and starts at text[0]. Returns where it starts.
 */
static const char *increment(char *text)
{
    char *at = (char *)memchr(text + 1, 'e', strlen(text + 1)) - 1;

    for (; at > text; at--) {
        if (*at == '.') {
            continue;
        }
        if (*at != '9') {
            (*at)++;
            return text + 1;
        }
        *at = '0';
    }
    *at = '1';
    return text;
}

/*
 * Powers of two have their lower neighbour at half the distance of the upper one. The closest
 * decimal of a given length may then lie below x and read back as that neighbour, while the next
 * one above, further away, reads back as x.
 */
static bool is_power_of_two(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return (bits & ((UINT64_C(1) << 52) - 1)) == 0;
}

/* Whether some decimal with `count` digits or fewer reads back as x (positive, finite). */
static bool fits_in_digits(double x, unsigned count)
{
    char text[40] = " ";

    snprintf(text + 1, sizeof(text) - 1, "%.*e", (int)count - 1, x);
    if (strtod(text + 1, NULL) == x) {
        return true;
    }
    return is_power_of_two(x) && strtod(increment(text), NULL) == x;
}

/*
 * Whether the decimal, written as `wanted` and read back as x, is the one of its length that
 * JavaScript would choose: the closest to x, or at a power of two the next one if that fails.
 */
static bool is_closest(const char *wanted, unsigned count, double x)
{
    char text[40] = " ";

    snprintf(text + 1, sizeof(text) - 1, "%.*e", (int)count - 1, x);
    if (strcmp(text + 1, wanted) == 0) {
        return true;
    }
    return is_power_of_two(x) && strtod(text + 1, NULL) != x &&
           strcmp(increment(text), wanted) == 0;
}

/* Whether JavaScript prints the double nearest to the decimal with exactly these digits. */
static bool decimal_is_shortest(const struct decimal *d)
{
    char wanted[40];
    double x;

    decimal_print_e(d, wanted, sizeof(wanted));
    x = strtod(wanted, NULL);
    if (x == 0 || x - x != 0) { /* too small, or infinite */
        return false;
    }
    return is_closest(wanted, d->count, x) && (d->count == 1 || !fits_in_digits(x, d->count - 1));
}

static bool decimal_survives(const struct decimal *d)
{
    if (d->count <= DIGITS_ALWAYS_EXACT && d->point > -300 && d->point < 300) {
        return true;
    }
    if (d->count == 16 && d->point == 16 && memcmp(d->digits, "9007199254740992", 16) <= 0) {
        return true;
    }
    if (d->point > 309 || d->point < -323) { /* from 1e309 on infinite; below 1e-324 zero */
        return false;
    }
    return decimal_is_shortest(d);
}

static char *put_zeros(char *out, int64_t count)
{
    memset(out, '0', (size_t)count);
    return out + count;
}

static char *put_digits(char *out, const char *digits, size_t count)
{
    memcpy(out, digits, count);
    return out + count;
}

/* Number::toString of ECMAScript, radix 10, for digits that are already the shortest. */
static size_t decimal_write(const struct decimal *d, char out[CANON_NUMBER_BYTES_MAX])
{
    char *at = out;
    int point = (int)d->point;
    int count = (int)d->count;

    if (d->negative) {
        *at++ = '-';
    }
    if (point >= count && point <= 21) {
        at = put_digits(at, d->digits, d->count);
        at = put_zeros(at, point - count);
    } else if (point > 0 && point <= 21) {
        at = put_digits(at, d->digits, (size_t)point);
        *at++ = '.';
        at = put_digits(at, d->digits + point, (size_t)(count - point));
    } else if (point > -6 && point <= 0) {
        *at++ = '0';
        *at++ = '.';
        at = put_zeros(at, -point);
        at = put_digits(at, d->digits, d->count);
    } else {
        *at++ = d->digits[0];
        if (count > 1) {
            *at++ = '.';
            at = put_digits(at, d->digits + 1, d->count - 1);
        }
        at += snprintf(at, 8, "e%+d", point - 1);
    }
    assert(at - out <= CANON_NUMBER_BYTES_MAX);
    return (size_t)(at - out);
}

size_t canon_number(const char *text, size_t bytes, char out[CANON_NUMBER_BYTES_MAX])
{
    struct decimal d;

    assert(bytes > 0);
    if (!decimal_parse(&d, text, text + bytes)) {
        return 0;
    }
    if (d.count == 0) {
        out[0] = '0';
        return d.negative ? 0 : 1;
    }
    return decimal_survives(&d) ? decimal_write(&d, out) : 0;
}
