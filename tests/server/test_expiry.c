/* When a token ends: what people may write, and to the microsecond what it means. */
#include "server/expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define S   INT64_C(1000000)

static bool read_text(const char *text, wall_us *expires)
{
    return expiry_read((struct text){text, strlen(text)}, NOW, expires);
}

static void what_is_an_expiry(void **state)
{
    static const struct {
        const char *text;
        wall_us expires;
    } rows[] = {
        {"never", 0},
        {"1s", NOW + S},
        {"90m", NOW + 5400 * S},
        {"12h", NOW + 43200 * S},
        {"30d", NOW + 30 * 86400 * S},
        {"3650d", NOW + INT64_C(315360000) * S},
        {"2026-01-01T00:00:01Z", NOW + S},
        {"2026-01-01T00:00:00.000001Z", NOW + 1},
        {"2026-01-01T00:00:00.5Z", NOW + S / 2},
        {"2026-01-01T01:30:01+01:30", NOW + S},
        {"2025-12-31T23:30:01-00:30", NOW + S},
        {"2028-02-29T00:00:00Z", NOW + (2 * 365 + 31 + 28) * 86400 * S},
        {"2000-02-29T00:00:00Z", -1}, /* a day of the calendar, and over */
        {"2400-02-29T00:00:00Z", INT64_C(13574563200) * S},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wall_us expires = -1;
        bool good = read_text(rows[i].text, &expires);
        if (good != (rows[i].expires >= 0) || (good && expires != rows[i].expires))
            fail_msg("%s: %d, %lld", rows[i].text, good, (long long)expires);
    }
}

static void what_is_none(void **state)
{
    static const char *const texts[] = {
        "",
        "s",
        "30",
        "0s",
        "-1s",
        "1.5h",
        "1w",
        "3651d",
        "12345678901s",
        "1 d",
        "now",
        "nevers",
        "2026",
        "2026-1-01T00:00:01Z",
        "2026-01+01T00:00:01Z",
        "2026:01-01T00:00:01Z",
        "2026-01-1T00:00:01Z",
        "2026-01-01 00:00:01Z",
        "1969-12-31T23:59:59Z",
        "2027-00-01T00:00:00Z",
        "2027-13-01T00:00:00Z",
        "2027-01-00T00:00:00Z",
        "2027-04-31T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2027-01-01T0:00:00Z",
        "2027-01-01T00.00:00Z",
        "2027-01-01T00:0:00Z",
        "2027-01-01T00:00.00Z",
        "2027-01-01T00:00:0Z",
        "2027-01-01T24:00:00Z",
        "2027-01-01T00:60:00Z",
        "2027-01-01T23:59:60Z",
        "2027-01-01T00:00:00.Z",
        "2027-01-01T00:00:00.1234567Z",
        "2027-01-01T00:00:00",
        "2027-01-01T00:00:00z",
        "2027-01-01T00:00:00 01:00",
        "2027-01-01T00:00:00+1:00",
        "2027-01-01T00:00:00+01.00",
        "2027-01-01T00:00:00+01:0",
        "2027-01-01T00:00:00+24:00",
        "2027-01-01T00:00:00-01:60",
        "2027-01-01T00:00:00ZZ",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:59:59+01:00",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        wall_us expires;
        if (read_text(texts[i], &expires))
            fail_msg("%s is an expiry", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_an_expiry),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
