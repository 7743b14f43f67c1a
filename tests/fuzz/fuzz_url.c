/*
 * fuzz_url.c - URLs of webhooks, lists of networks, and the policy for addresses, on arbitrary
 * bytes.
 *
 * The first byte chooses the policy, the next sixteen are an address, the rest is the URL, and up
 * to its first line end a list of networks. Checked for every input:
 *   - a URL that is taken is printable ASCII in its dialled form, has a scheme that the policy has,
 *     no user info and no fragment, and the dialled form is taken again and stays the same;
 *   - libcurl finds in the dialled form a host which, if it is an address, may be dialled;
 *   - an address that is allowed without exceptions is public by a second list, written here as
 *     numbers; an IPv4 address and the same one inside of IPv6 get one judgement;
 *   - what a policy without exceptions allows, the one with them allows, too, but for this host;
 *   - a list of networks that is taken holds each network's own first address.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dispatcher/egress.h"
#include "tests/fuzz/fuzz.h"

/* Not public, in IPv4: first and last. */
static const uint32_t denied[][2] = {
    {0x00000000, 0x00ffffff}, {0x0a000000, 0x0affffff}, {0x64400000, 0x647fffff},
    {0x7f000000, 0x7fffffff}, {0xa83f8110, 0xa83f8110}, {0xa9fe0000, 0xa9feffff},
    {0xac100000, 0xac1fffff}, {0xc0000000, 0xc00000ff}, {0xc0000200, 0xc00002ff},
    {0xc01fc400, 0xc01fc4ff}, {0xc034c100, 0xc034c1ff}, {0xc0586300, 0xc05863ff},
    {0xc0a80000, 0xc0a8ffff}, {0xc0af3000, 0xc0af30ff}, {0xc6120000, 0xc613ffff},
    {0xc6336400, 0xc63364ff}, {0xcb007100, 0xcb0071ff}, {0xe0000000, 0xffffffff},
};

static bool is_public_v4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
        if (address >= denied[i][0] && address <= denied[i][1])
            return false;
    return true;
}

static bool is_public_v6(const uint8_t at[16])
{
    uint32_t first = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    if (first >> 29 != 1)
        return false;
    if (first >= 0x20010000 && first <= 0x200101ff)
        return false;
    if (first == 0x20010db8 || first >> 16 == 0x2002 || first >> 12 == 0x3fff0)
        return false;
    return !(first == 0x2620004f && at[4] == 0x80 && at[5] == 0x00);
}

static void check_address(const struct egress_policy *policy, const uint8_t at[16])
{
    const struct egress_policy strict = {0};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6}, mapped = in6;
    struct sockaddr_in in = {.sin_family = AF_INET};
    const char *why;
    memcpy(&in6.sin6_addr, at, 16);
    bool is_mapped = memcmp(at, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
    bool allowed = egress_allowed(&strict, false, (struct sockaddr *)&in6, &why);
    assert(allowed == (why == NULL));
    if (!is_mapped)
        assert(allowed == is_public_v6(at));
    assert(!allowed || egress_allowed(policy, false, (struct sockaddr *)&in6, NULL));

    memcpy(&in.sin_addr, at + 12, 4);
    memcpy(mapped.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    memcpy(mapped.sin6_addr.s6_addr + 12, at + 12, 4);
    assert(egress_allowed(&strict, false, (struct sockaddr *)&in, NULL) ==
           is_public_v4(ntohl(in.sin_addr.s_addr)));
    assert(egress_allowed(policy, false, (struct sockaddr *)&in, NULL) ==
           egress_allowed(policy, false, (struct sockaddr *)&mapped, NULL));
}

/* The host of a dialled URL, if it is an address, may be dialled. */
static void check_host(const struct egress_policy *policy, const char *url)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    bool http = strncmp(url, "http:", 5) == 0;
    CURLU *parsed = curl_url();
    char *host = NULL, *part = NULL;
    assert(parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK);
    assert(curl_url_get(parsed, CURLUPART_USER, &part, 0) == CURLUE_NO_USER);
    assert(curl_url_get(parsed, CURLUPART_FRAGMENT, &part, 0) == CURLUE_NO_FRAGMENT);
    assert(curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    size_t bytes = strlen(host);
    if (host[0] == '[') {
        host[bytes - 1] = '\0';
        assert(inet_pton(AF_INET6, host + 1, &in6.sin6_addr) == 1);
        assert(egress_allowed(policy, http, (struct sockaddr *)&in6, NULL));
    } else if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        assert(egress_allowed(policy, http, (struct sockaddr *)&in, NULL));
    } else {
        assert(host[bytes - 1] != '.');
    }
    curl_free(host);
    curl_url_cleanup(parsed);
}

static void check_url(const struct egress_policy *policy, const char *url, size_t bytes)
{
    char dialled[EGRESS_URL_MAX + 1], again[EGRESS_URL_MAX + 1];
    const char *reason;
    if (!egress_check_url(policy, url, bytes, dialled, &reason)) {
        assert(reason != NULL);
        return;
    }
    assert(reason == NULL);
    bool https = strncmp(dialled, "https://", 8) == 0;
    assert(https || strncmp(dialled, "http://", 7) == 0);
    assert(https || policy->allow_http || policy->http.count > 0);
    for (const char *c = dialled; *c != '\0'; c++)
        assert(*c > ' ' && *c < 0x7f && *c != '#' && *c != '\\');
    assert(egress_check_url(policy, dialled, strlen(dialled), again, &reason));
    assert(strcmp(dialled, again) == 0);
    check_host(policy, dialled);
}

static void check_networks(const uint8_t *data, size_t bytes)
{
    struct egress_networks networks;
    char text[256], error[256];
    const uint8_t *end = memchr(data, '\n', bytes);
    size_t length = end != NULL ? (size_t)(end - data) : bytes;
    if (length >= sizeof(text) || memchr(data, '\0', length) != NULL)
        return;
    memcpy(text, data, length);
    text[length] = '\0';
    if (!egress_read_networks(text, &networks, error, sizeof(error))) {
        assert(error[0] != '\0');
        return;
    }
    assert(networks.count <= EGRESS_NETWORKS_MAX);
    for (size_t i = 0; i < networks.count; i++) {
        struct egress_address first;
        memcpy(first.bytes, networks.at[i].first, sizeof(first.bytes));
        assert(networks.at[i].bits <= 128 && egress_network_has(&networks.at[i], &first));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct egress_policy policy = {0};
    char error[256];
    if (bytes < 17)
        return 0;
    policy.allow_loopback = data[0] & 1;
    policy.allow_http = data[0] & 2;
    if (data[0] & 4)
        assert(egress_read_networks("10.1.0.0/16", &policy.allowed, error, sizeof(error)));
    if (data[0] & 8)
        assert(egress_read_networks("8.8.8.0/24,10.1.0.0/16", &policy.http, error, sizeof(error)));
    check_address(&policy, data + 1);
    check_networks(data + 17, bytes - 17);
    check_url(&policy, (const char *)data + 17, bytes - 17);
    return 0;
}
