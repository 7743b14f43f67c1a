/*
 * test_egress.c - which addresses and URLs may be dialled.
 *
 * The ranges are tested at their first and last address and at both neighbours, from a table of
 * its own. Nothing here connects or resolves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "dispatcher/egress.h"

static const struct egress_policy strict;
static const struct egress_policy dev = {.allow_loopback = true, .allow_http = true};

static bool allowed(const struct egress_policy *policy, const char *text, const char **why)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return egress_allowed(policy, false, (const struct sockaddr *)&in, why);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return egress_allowed(policy, false, (const struct sockaddr *)&in6, why);
}

static void expect_address(const struct egress_policy *policy, const char *text, bool want)
{
    const char *why = "unset";

    if (allowed(policy, text, &why) != want) {
        fail_msg("%s: %s", text, want ? why : "allowed");
    }
    assert_true(want == (why == NULL));
    assert_true(allowed(policy, text, NULL) == want);
}

/* An IPv4 address also in its IPv6 form. */
static void expect_both_forms(const struct egress_policy *policy, const char *text, bool want)
{
    char mapped[64];

    expect_address(policy, text, want);
    if (strchr(text, ':') == NULL) {
        snprintf(mapped, sizeof(mapped), "::ffff:%s", text);
        expect_address(policy, mapped, want);
    }
}

/* First and last address of each denied range, and the neighbours that are not denied. */
static const char *const ranges[][4] = {
    {"0.0.0.0", "0.255.255.255", NULL, "1.0.0.0"},
    {"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
    {"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
    {"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
    {"168.63.129.16", "168.63.129.16", "168.63.129.15", "168.63.129.17"},
    {"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
    {"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
    {"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
    {"192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
    {"192.31.196.0", "192.31.196.255", "192.31.195.255", "192.31.197.0"},
    {"192.52.193.0", "192.52.193.255", "192.52.192.255", "192.52.194.0"},
    {"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
    {"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
    {"192.175.48.0", "192.175.48.255", "192.175.47.255", "192.175.49.0"},
    {"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
    {"198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
    {"203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
    {"224.0.0.0", "239.255.255.255", "223.255.255.255", NULL},
    {"240.0.0.0", "255.255.255.255", NULL, NULL},
    {"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:200::"},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2003::"},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::"},
    {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
     "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
    {"::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2000::"},
    {"4000::", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     NULL},
    {"8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
};

static void test_every_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        expect_both_forms(&strict, ranges[i][0], false);
        expect_both_forms(&strict, ranges[i][1], false);
        for (int neighbour = 2; neighbour < 4; neighbour++) {
            if (ranges[i][neighbour] != NULL) {
                expect_both_forms(&strict, ranges[i][neighbour], true);
            }
        }
    }
}

static void test_public_addresses(void **state)
{
    (void)state;
    expect_both_forms(&strict, "8.8.8.8", true);
    expect_both_forms(&strict, "93.184.216.34", true);
    expect_both_forms(&strict, "2606:4700::1111", true);
    expect_both_forms(&strict, "2a00:1450:4001:81b::200e", true);
}

/* Forms of IPv6 that carry an IPv4 address are no way around the list. */
static void test_embedded_addresses(void **state)
{
    (void)state;
    expect_address(&dev, "::10.0.0.1", false);          /* IPv4-compatible */
    expect_address(&dev, "::8.8.8.8", false);           /* the same, of a public one */
    expect_address(&dev, "64:ff9b::10.0.0.1", false);   /* NAT64 */
    expect_address(&dev, "64:ff9b:1::10.0.0.1", false); /* NAT64, local use */
    expect_address(&dev, "2002:0a00:0001::", false);    /* 6to4 */
    expect_address(&dev, "2001:0:4136:e378:8000:63bf:3fff:fdd2", false); /* Teredo */
    expect_address(&dev, "::fffe:8.8.8.8", false); /* next to the mapped range */
    expect_address(&dev, "::1:0:808:808", false);
    expect_address(&dev, "fe80::1", false);
    expect_address(&dev, "fc00::1", false);
    expect_address(&dev, "ff02::1", false);
}

static void test_loopback_for_development(void **state)
{
    (void)state;
    expect_both_forms(&dev, "127.0.0.0", true);
    expect_both_forms(&dev, "127.0.0.1", true);
    expect_both_forms(&dev, "127.255.255.255", true);
    expect_both_forms(&dev, "::1", true);
    expect_both_forms(&dev, "::", false);
    expect_both_forms(&dev, "::2", false);
    expect_both_forms(&dev, "0.0.0.0", false);
    expect_both_forms(&dev, "8.8.8.8", true);
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (strncmp(ranges[i][0], "127.", 4) != 0) {
            expect_both_forms(&dev, ranges[i][0], false);
            expect_both_forms(&dev, ranges[i][1], false);
        }
    }
}

static void test_own_addresses(void **state)
{
    static const struct egress_address own[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 8, 8, 4, 4}},
        {{0x26, 0x06, 0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}},
    };
    struct egress_policy policy = {.own = own, .own_count = 3};

    (void)state;
    expect_both_forms(&policy, "8.8.4.4", false);
    expect_both_forms(&policy, "8.8.4.5", true);
    expect_both_forms(&policy, "2606:4700::7", false);
    expect_both_forms(&policy, "2606:4700::8", true);
    policy.allow_loopback = true; /* loopback is an address of this host, and allowed */
    expect_both_forms(&policy, "127.0.0.1", true);
    expect_both_forms(&policy, "8.8.4.4", false);
}

static void test_own_addresses_are_read(void **state)
{
    static const uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    struct egress_address list[64];
    int count = egress_own_addresses(list, 64);
    bool found = false;

    (void)state;
    assert_true(count >= 1);
    for (int i = 0; i < count && i < 64; i++) {
        found = found || memcmp(list[i].bytes, loopback, 16) == 0;
    }
    assert_true(found);
    assert_int_equal(egress_own_addresses(NULL, 0), count);
}

static void test_other_families(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    const char *why;

    (void)state;
    assert_false(egress_allowed(&dev, false, (const struct sockaddr *)&local, &why));
    assert_non_null(why);
    assert_false(egress_allowed(&dev, false, &none, NULL));
}

static void expect_url(const struct egress_policy *policy, const char *url, const char *want)
{
    char normalised[EGRESS_URL_MAX + 1];
    const char *reason = "unset";

    if (!egress_check_url(policy, url, strlen(url), normalised, &reason)) {
        fail_msg("%s: %s", url, reason);
    }
    assert_null(reason);
    assert_string_equal(normalised, want);
    /* what is dialled is normal already */
    assert_true(egress_check_url(policy, want, strlen(want), normalised, &reason));
    assert_string_equal(normalised, want);
}

static void refuse_url_bytes(const struct egress_policy *policy, const char *url, size_t bytes,
                             const char *want)
{
    char normalised[EGRESS_URL_MAX + 1];
    const char *reason = NULL;

    if (egress_check_url(policy, url, bytes, normalised, &reason)) {
        fail_msg("%s became %s", url, normalised);
    }
    assert_non_null(reason);
    if (strstr(reason, want) == NULL) {
        fail_msg("%s: %s, expected: %s", url, reason, want);
    }
}

static void refuse_url(const struct egress_policy *policy, const char *url, const char *want)
{
    refuse_url_bytes(policy, url, strlen(url), want);
}

static void test_urls_accepted(void **state)
{
    (void)state;
    expect_url(&strict, "https://example.com", "https://example.com/");
    expect_url(&strict, "HTTPS://Example.COM/Hook?A=b", "https://example.com/Hook?A=b");
    expect_url(&strict, "https://example.com?x=/?", "https://example.com/?x=/?");
    expect_url(&strict, "https://example.com:8443/a", "https://example.com:8443/a");
    expect_url(&strict, "https://example.com:65535/", "https://example.com:65535/");
    expect_url(&strict, "https://example.com:00443/", "https://example.com:443/");
    expect_url(&strict, "https://a-b_c.d1.example/~u/%20;x=1,2?q=%41&r[]=@:",
               "https://a-b_c.d1.example/~u/%20;x=1,2?q=%41&r[]=@:");
    expect_url(&strict, "https://example.com/a/../b/./c", "https://example.com/b/c");
    expect_url(&strict, "https://example.com/caf\xc3\xa9?x=\xc3\xa9",
               "https://example.com/caf%c3%a9?x=%c3%a9");
    expect_url(&strict, "https://8.8.8.8/", "https://8.8.8.8/");
    expect_url(&strict, "https://0x08080808/", "https://8.8.8.8/");
    expect_url(&strict, "https://134744072/", "https://8.8.8.8/");
    expect_url(&strict, "https://010.8.2056/", "https://8.8.8.8/");
    expect_url(&strict, "https://[2606:4700:0:0::1111]/", "https://[2606:4700::1111]/");
    expect_url(&strict, "https://8.8.8.8.example.com/", "https://8.8.8.8.example.com/");
    expect_url(&strict, "https://1e3/", "https://1e3/");
    expect_url(&strict, "https://localhost/",
               "https://localhost/"); /* a name, judged when dialled */
    expect_url(&dev, "http://localhost:3000/hook", "http://localhost:3000/hook");
    expect_url(&dev, "http://127.0.0.1:3000/", "http://127.0.0.1:3000/");
    expect_url(&dev, "http://2130706433:3000/", "http://127.0.0.1:3000/");
    expect_url(&dev, "http://0x7f.1/", "http://127.0.0.1/");
    expect_url(&dev, "http://[::1]:3000/", "http://[::1]:3000/");
    expect_url(&dev, "http://[0:0:0:0:0:0:0:1]/", "http://[::1]/");
    expect_url(&dev, "https://127.0.0.1:8443/x", "https://127.0.0.1:8443/x");
    expect_url(&dev, "http://[::FFFF:127.0.0.1]/", "http://[::ffff:127.0.0.1]/");
}

static void test_schemes_refused(void **state)
{
    (void)state;
    refuse_url(&strict, "http://example.com/", "must be https");
    refuse_url(&strict, "ftp://example.com/", "must be https");
    refuse_url(&dev, "ftp://example.com/", "http or https");
    refuse_url(&dev, "file:///etc/passwd", "http or https");
    refuse_url(&dev, "gopher://example.com/", "http or https");
    refuse_url(&dev, "javascript:alert(1)", "http or https");
    refuse_url(&dev, "example.com/x", "http or https");
    refuse_url(&dev, "//example.com/x", "http or https");
    refuse_url(&dev, "/x", "http or https");
    refuse_url(&dev, "", "http or https");
    refuse_url(&dev, "http", "http or https");
    refuse_url(&dev, "httpx://a/", "http or https");
    refuse_url(&dev, "http:", "two slashes");
    refuse_url(&dev, "http:/h", "two slashes");
    refuse_url(&dev, "http:h", "two slashes");
}

static void test_bytes_refused(void **state)
{
    (void)state;
    refuse_url(&dev, "http://example.com/a b", "space");
    refuse_url(&dev, " http://example.com/", "space");
    refuse_url(&dev, "http://example.com/ ", "space");
    refuse_url(&dev, "http://example.com/\r\nX: y", "control");
    refuse_url(&dev, "http://example.com/\t", "control");
    refuse_url(&dev, "http://example.com/\x7f", "control");
    refuse_url(&dev, "http://exam\nple.com/", "control");
    refuse_url_bytes(&dev, "http://example.com/\0x", 21, "control");
    refuse_url_bytes(&dev, "http://127.0.0.1\0.example.com/", 30, "control");
    refuse_url(&dev, "http:\\\\example.com\\", "backslash");
    refuse_url(&dev, "http://example.com\\@8.8.8.8/", "backslash");
    refuse_url(&dev, "http://example.com/#x", "fragment");
    refuse_url(&dev, "http://example.com/#", "fragment");
    refuse_url(&dev, "http://example.com#@8.8.8.8/", "fragment");
}

static void test_hosts_refused(void **state)
{
    (void)state;
    refuse_url(&dev, "http://", "no host");
    refuse_url(&dev, "http:///h", "no host");
    refuse_url(&dev, "http://?x", "no host");
    refuse_url(&dev, "http://:80/", "no host");
    refuse_url(&dev, "http://user@example.com/", "user info");
    refuse_url(&dev, "http://user:pw@example.com/", "user info");
    refuse_url(&dev, "http://@example.com/", "user info");
    refuse_url(&dev, "http://ex\xc3\xa4mple.com/", "not ASCII");
    refuse_url(&dev,
               "http://127\xe3\x80\x82"
               "0.0.1/",
               "not ASCII"); /* an ideographic full stop */
    refuse_url(&dev,
               "http://\xef\xbc\x91"
               "27.0.0.1/",
               "not ASCII"); /* a full-width digit */
    refuse_url(&dev, "http://%31%32%37.0.0.1/", "no name has");
    refuse_url(&dev, "http://example%2ecom/", "no name has");
    refuse_url(&dev, "http://a*b/", "no name has");
    refuse_url(&dev, "http://a,b/", "no name has");
    refuse_url(&dev, "http://a..b/", "empty label");
    refuse_url(&dev, "http://.a/", "empty label");
    refuse_url(&dev, "http://./", "dot");
    refuse_url(&dev, "http://example.com./", "dot");
    refuse_url(&dev, "http://localhost./", "dot");
    refuse_url(&dev, "http://127.0.0.1./", "dot");
    refuse_url(&dev, "http://0x7f000001./", "dot");
    refuse_url(&dev, "http://a.b../", "dot");
}

static void test_ports_refused(void **state)
{
    (void)state;
    refuse_url(&dev, "http://example.com:/", "port is empty");
    refuse_url(&dev, "http://example.com:", "port is empty");
    refuse_url(&dev, "http://example.com:0/", "port is 0");
    refuse_url(&dev, "http://example.com:000/", "port is 0");
    refuse_url(&dev, "http://example.com:65536/", "above 65535");
    refuse_url(&dev, "http://example.com:99999999999999999999/", "above 65535");
    refuse_url(&dev, "http://example.com:+80/", "not a number");
    refuse_url(&dev, "http://example.com:-1/", "not a number");
    refuse_url(&dev, "http://example.com:8a/", "not a number");
    refuse_url(&dev, "http://example.com:80:80/", "not a number");
    refuse_url(&dev, "http://[::1]:/", "port is empty");
    refuse_url(&dev, "http://[::1]:0/", "port is 0");
}

/* Every way to write an address that is not allowed. */
static void test_literals_refused(void **state)
{
    (void)state;
    refuse_url(&strict, "https://127.0.0.1/", "127.0.0.0/8");
    refuse_url(&strict, "https://127.1/", "127.0.0.0/8");
    refuse_url(&strict, "https://2130706433/", "127.0.0.0/8");
    refuse_url(&strict, "https://0x7f000001/", "127.0.0.0/8");
    refuse_url(&strict, "https://0X7F.0.0.1/", "127.0.0.0/8");
    refuse_url(&strict, "https://0177.0.0.01/", "127.0.0.0/8");
    refuse_url(&strict, "https://017700000001/", "127.0.0.0/8");
    refuse_url(&strict, "https://[::1]/", "loopback");
    refuse_url(&strict, "https://[::ffff:127.0.0.1]/", "127.0.0.0/8");
    refuse_url(&strict, "https://[::ffff:7f00:1]/", "127.0.0.0/8");
    refuse_url(&strict, "https://[0:0:0:0:0:FFFF:7F00:1]/", "127.0.0.0/8");
    refuse_url(&dev, "http://10.0.0.1/", "10.0.0.0/8");
    refuse_url(&dev, "http://167772161/", "10.0.0.0/8");
    refuse_url(&dev, "http://0xa.1/", "10.0.0.0/8");
    refuse_url(&dev, "http://012.0.0.1/", "10.0.0.0/8");
    refuse_url(&dev, "http://192.168.257/", "192.168.0.0/16");
    refuse_url(&dev, "http://169.254.169.254/latest/meta-data/", "169.254.0.0/16");
    refuse_url(&dev, "http://0/", "0.0.0.0/8");
    refuse_url(&dev, "http://0.0.0.0:80/", "0.0.0.0/8");
    refuse_url(&dev, "http://255.255.255.255/", "240.0.0.0/4");
    refuse_url(&dev, "http://4294967295/", "240.0.0.0/4");
    refuse_url(&dev, "http://[::]/", "2000::/3");
    refuse_url(&dev, "http://[::ffff:10.0.0.1]/", "10.0.0.0/8");
    refuse_url(&dev, "http://[::10.0.0.1]/", "2000::/3");
    refuse_url(&dev, "http://[64:ff9b::a00:1]/", "2000::/3");
    refuse_url(&dev, "http://[fe80::1]/", "link-local");
    refuse_url(&dev, "http://[fd00::1]/", "private");
    refuse_url(&dev, "http://[2001:db8::1]:80/", "documentation");
    refuse_url(&dev, "http://[fe80::1%25eth0]/", "zone");
    refuse_url(&dev, "http://[fe80::1%eth0]/", "zone");
    refuse_url(&dev, "http://[::1%25lo]/", "zone");
}

/* Hosts that a resolver might take for an address although they are none. */
static void test_bad_literals_refused(void **state)
{
    static const char *const bad[] = {
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "1.2.65536",
        "4294967296",
        "08.1.1.1",
        "0x",
        "0x7g.1",
        "1.0x",
        "127.0.0.0x",
        "foo.1",
        "foo.0x7f",
        "example.127",
        "0x.0x.0x",
        "0x100000000",
        "1..2",
        "00000000000400",
        "[1.2.3.4]",
        "[::1",
        "[]",
        "[::1]x",
        "[:::1]",
        "[::g]",
        "[1::2::3]",
        "[1:2:3:4:5:6:7:8:9]",
        "[v1.a]",
        "[::ffff:256.0.0.1]",
        "[ffff]",
    };
    char url[128];
    char normalised[EGRESS_URL_MAX + 1];
    const char *reason;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(url, sizeof(url), "http://%s/", bad[i]);
        if (egress_check_url(&dev, url, strlen(url), normalised, &reason)) {
            fail_msg("%s became %s", url, normalised);
        }
    }
    refuse_url(&dev, "http://1.2.3.4.5/", "not a valid IP address");
    refuse_url(&dev, "http://256.1.1.1/", "not a valid IP address");
    refuse_url(&dev, "http://foo.0x7f/", "not a valid IP address");
    refuse_url(&dev, "http://[::1]x/", "not a valid IP address");
    refuse_url(&dev, "http://[::1/", "not a valid IP address");
}

static void test_lengths(void **state)
{
    char label[80];
    char url[EGRESS_URL_MAX * 2];
    char normalised[EGRESS_URL_MAX + 1];
    const char *reason;
    size_t bytes;

    (void)state;
    memset(label, 'a', sizeof(label));
    snprintf(url, sizeof(url), "http://%.63s.example/", label);
    expect_url(&dev, url, url);
    snprintf(url, sizeof(url), "http://%.64s.example/", label);
    refuse_url(&dev, url, "63 bytes");
    snprintf(url, sizeof(url), "http://%.63s.%.63s.%.63s.%.61s/", label, label, label, label);
    expect_url(&dev, url, url);
    snprintf(url, sizeof(url), "http://%.63s.%.63s.%.63s.%.62s/", label, label, label, label);
    refuse_url(&dev, url, "253 bytes");

    bytes = (size_t)sprintf(url, "http://example.com/");
    memset(url + bytes, 'x', sizeof(url) - bytes);
    assert_true(egress_check_url(&dev, url, EGRESS_URL_MAX, normalised, &reason));
    assert_int_equal(strlen(normalised), EGRESS_URL_MAX);
    refuse_url_bytes(&dev, url, EGRESS_URL_MAX + 1, "2048");
    memset(url + bytes, '\xc3', EGRESS_URL_MAX); /* three times as long when encoded */
    refuse_url_bytes(&dev, url, 1000, "2048");
    bytes = (size_t)sprintf(url, "http://example.com"); /* the path / makes it one byte longer */
    url[bytes++] = '?';
    memset(url + bytes, 'x', sizeof(url) - bytes);
    refuse_url_bytes(&dev, url, EGRESS_URL_MAX, "2048");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_range),
        cmocka_unit_test(test_public_addresses),
        cmocka_unit_test(test_embedded_addresses),
        cmocka_unit_test(test_loopback_for_development),
        cmocka_unit_test(test_own_addresses),
        cmocka_unit_test(test_own_addresses_are_read),
        cmocka_unit_test(test_other_families),
        cmocka_unit_test(test_urls_accepted),
        cmocka_unit_test(test_schemes_refused),
        cmocka_unit_test(test_bytes_refused),
        cmocka_unit_test(test_hosts_refused),
        cmocka_unit_test(test_ports_refused),
        cmocka_unit_test(test_literals_refused),
        cmocka_unit_test(test_bad_literals_refused),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
