/*
 * test_egress_network.c - what an operator allows beyond public addresses, and where plain http may
 * go. Nothing here connects or resolves.
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

#include "dispatcher/egress.h"

static struct egress_networks networks(const char *text)
{
    struct egress_networks read;
    char error[200] = "";

    if (!egress_read_networks(text, &read, error, sizeof(error))) {
        fail_msg("%s: %s", text, error);
    }
    return read;
}

static void expect(const struct egress_policy *policy, bool http, const char *text, bool want)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    bool four = inet_pton(AF_INET, text, &in.sin_addr) == 1;
    const char *why = "unset";

    assert_true(four || inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
    if (egress_allowed(policy, http,
                       four ? (const struct sockaddr *)&in : (const struct sockaddr *)&in6,
                       &why) != want) {
        fail_msg("%s: %s", text, want ? why : "allowed");
    }
    assert_true(want == (why == NULL));
}

static void refuse(const char *text, const char *want)
{
    struct egress_networks read;
    char error[200] = "";

    if (egress_read_networks(text, &read, error, sizeof(error))) {
        fail_msg("\"%s\" was taken", text);
    }
    if (strstr(error, want) == NULL) {
        fail_msg("\"%s\": %s, expected: %s", text, error, want);
    }
}

static void test_lists_are_read(void **state)
{
    char many[EGRESS_NETWORKS_MAX * 16] = "";
    struct egress_networks read =
        networks(" 10.1.0.0/16 ,fd00:1::/64, 10.2.0.7,::ffff:10.3.0.0/112");

    (void)state;
    assert_int_equal(read.count, 4);
    assert_int_equal(read.at[0].bits, 112);
    assert_int_equal(read.at[1].bits, 64);
    assert_int_equal(read.at[2].bits, 128);
    assert_int_equal(read.at[3].bits, 112);
    assert_memory_equal(read.at[3].first + 12, "\x0a\x03\0\0", 4);
    assert_int_equal(networks("").count, 0);
    assert_int_equal(networks("  ").count, 0);
    assert_int_equal(networks("0.0.0.0/0").at[0].bits, 96);
    assert_int_equal(networks("::/0").at[0].bits, 0);
    for (int i = 0; i < EGRESS_NETWORKS_MAX; i++) {
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%s10.0.0.%d", i ? "," : "", i);
    }
    assert_int_equal(networks(many).count, EGRESS_NETWORKS_MAX);
    strcat(many, ",10.1.1.1");
    refuse(many, "more than 64");
}

static void test_what_is_no_list_is_refused(void **state)
{
    (void)state;
    refuse("10.1.0.0/33", "at most 32");
    refuse("10.1.0.0/", "number of bits");
    refuse("10.1.0.0/-1", "number of bits");
    refuse("10.1.0.0/+8", "number of bits");
    refuse("10.1.0.0/8x", "number of bits");
    refuse("10.1.0.0/0008", "number of bits");
    refuse("fd00::/129", "128 for IPv6");
    refuse("10.1.2.3/16", "behind its prefix");
    refuse("fd00::1/64", "behind its prefix");
    refuse("10.1", "an address like");
    refuse("010.1.0.0/16", "an address like");
    refuse("0x0a010000", "an address like");
    refuse("example.com", "an address like");
    refuse("[fd00::]/64", "an address like");
    refuse("fe80::%eth0/64", "an address like");
    refuse("10.0.0.0/8 10.1.0.0/16", "number of bits");
    refuse("10.0.0.0/8,", "ends with a comma");
    refuse(",10.0.0.0/8", "an address like");
    refuse("10.0.0.0/8,,10.1.0.0/16", "an address like");
    refuse("1111111111111111111111111111111111111111111111111111111111111111111111", "longer");
}

static void test_allowed_networks(void **state)
{
    struct egress_policy policy = {
        .allowed = networks("10.1.0.0/16,fd00:1::/64,169.254.10.0/31,198.51.100.7")};

    (void)state;
    expect(&policy, false, "10.1.0.0", true);
    expect(&policy, false, "10.1.255.255", true);
    expect(&policy, false, "::ffff:10.1.2.3", true);
    expect(&policy, false, "10.0.255.255", false);
    expect(&policy, false, "10.2.0.0", false);
    expect(&policy, false, "fd00:1::", true);
    expect(&policy, false, "fd00:1:0:0:ffff:ffff:ffff:ffff", true);
    expect(&policy, false, "fd00:1:0:1::", false);
    expect(&policy, false, "fd00:0:ffff::", false);
    expect(&policy, false, "169.254.10.1", true);
    expect(&policy, false, "169.254.10.2", false);
    expect(&policy, false, "169.254.169.254", false);
    expect(&policy, false, "198.51.100.7", true);
    expect(&policy, false, "198.51.100.6", false);
    expect(&policy, false, "8.8.8.8", true); /* what is public stays so */
    expect(&policy, false, "::10.1.0.1", false);
    expect(&policy, false, "64:ff9b::10.1.0.1", false);
}

/* A network that is allowed may have this host in it; that is not what was meant. */
static void test_own_addresses_are_allowed_one_by_one(void **state)
{
    static const struct egress_address own[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 0, 5}},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}},
    };
    struct egress_policy policy = {.allowed = networks("0.0.0.0/0"), .own = own, .own_count = 2};

    (void)state;
    expect(&policy, false, "10.1.0.4", true);
    expect(&policy, false, "10.1.0.5", false);
    expect(&policy, false, "127.0.0.1", false);
    policy.allowed = networks("10.1.0.0/31,10.1.0.5/32");
    expect(&policy, false, "10.1.0.5", true);
    expect(&policy, false, "127.0.0.1", false);
}

static void test_plain_http(void **state)
{
    struct egress_policy policy = {.allowed = networks("10.0.0.0/8"),
                                   .http = networks("10.1.0.0/16")};
    char normalised[EGRESS_URL_MAX + 1];
    const char *reason;

    (void)state;
    expect(&policy, true, "10.1.0.1", true);
    expect(&policy, true, "10.2.0.1", false);
    expect(&policy, false, "10.2.0.1", true);
    expect(&policy, true, "8.8.8.8", false);
    expect(&policy, false, "8.8.8.8", true);
    assert_true(egress_check_url(&policy, "http://10.1.0.1/", 16, normalised, &reason));
    assert_true(egress_check_url(&policy, "http://a.example/", 17, normalised, &reason));
    assert_false(egress_check_url(&policy, "http://10.2.0.1/", 16, normalised, &reason));
    assert_non_null(strstr(reason, "must be https for this address"));
    assert_false(egress_check_url(&policy, "HTTP://8.8.8.8/", 15, normalised, &reason));
    assert_true(egress_check_url(&policy, "https://10.2.0.1/", 17, normalised, &reason));
    policy.http = networks("0.0.0.0/0"); /* opens no address by itself */
    expect(&policy, true, "192.168.0.1", false);
    expect(&policy, true, "8.8.8.8", true);
    policy = (struct egress_policy){.allow_http = true};
    expect(&policy, true, "8.8.8.8", true);
    expect(&policy, true, "10.1.0.1", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_are_read),
        cmocka_unit_test(test_what_is_no_list_is_refused),
        cmocka_unit_test(test_allowed_networks),
        cmocka_unit_test(test_own_addresses_are_allowed_one_by_one),
        cmocka_unit_test(test_plain_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
