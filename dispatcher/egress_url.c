/*
 * egress_url.c - the URL of a webhook: one reading, or a refusal that says why.
 *
 * URLs are dangerous where two programs read them differently. So this file looks at the bytes
 * first and refuses what readers disagree on (control bytes, backslashes, user info, fragments,
 * more or fewer than two slashes, empty ports, percent signs in hosts), then lets libcurl's URL
 * API parse the rest once. What libcurl normalised is what the sender dials; nobody parses again.
 *
 * A host in brackets or one that libcurl turned into four dotted numbers (it knows the decimal,
 * octal, hexadecimal and short forms) is a literal and is judged by the address policy. A host
 * whose last label is a number but which is no IPv4 address would go to the resolver as a name,
 * where some resolvers make an address of it: refused. Any other host is a name, and only its
 * form is judged here; what it resolves to is judged when it is dialled.
 */
#include "dispatcher/egress.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>

enum { NAME_BYTES_MAX = 253, LABEL_BYTES_MAX = 63 };

static const char too_long[] = "the URL is longer than 2048 bytes";
static const char no_host[] = "the URL has no host";
static const char bad_address[] = "the host is not a valid IP address";

/* A part of the URL as given. */
struct part {
    const char *at;
    size_t bytes;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *check_bytes(const char *url, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)url[i];

        if (c < 0x20 || c == 0x7f) {
            return "the URL contains a control character";
        }
        if (c == ' ') {
            return "the URL contains a space";
        }
        if (c == '\\') {
            return "the URL contains a backslash";
        }
        if (c == '#') {
            return "the URL has a fragment";
        }
    }
    return NULL;
}

/* Whether the text begins with `prefix` in any case. `prefix` is in lower case. */
static bool begins_with(const char *text, size_t bytes, const char *prefix)
{
    size_t i = 0;

    for (; prefix[i] != '\0'; i++) {
        if (i >= bytes || (is_letter(text[i]) ? text[i] | 0x20 : text[i]) != prefix[i]) {
            return false;
        }
    }
    return true;
}

/* Finds the authority: what stands between // and the path or query. */
static const char *find_authority(const struct egress_policy *policy, const char *url, size_t bytes,
                                  struct part *authority)
{
    bool http_exists = policy->allow_http || policy->http.count > 0;
    size_t start;

    if (begins_with(url, bytes, "https:")) {
        start = strlen("https:");
    } else if (begins_with(url, bytes, "http:")) {
        if (!http_exists) {
            return "the scheme must be https";
        }
        start = strlen("http:");
    } else {
        return http_exists ? "the scheme must be http or https" : "the scheme must be https";
    }
    if (bytes - start < 2 || memcmp(url + start, "//", 2) != 0) {
        return "the scheme must be followed by two slashes";
    }
    start += 2;
    authority->at = url + start;
    authority->bytes = 0;
    while (start + authority->bytes < bytes &&
           strchr("/?", url[start + authority->bytes]) == NULL) {
        authority->bytes++;
    }
    return authority->bytes == 0 ? no_host : NULL;
}

static const char *check_port(const char *port, size_t bytes)
{
    unsigned value = 0;

    if (bytes == 0) {
        return "the port is empty";
    }
    for (size_t i = 0; i < bytes; i++) {
        if (!is_digit(port[i])) {
            return "the port is not a number";
        }
        value = value * 10 + (unsigned)(port[i] - '0');
        if (value > 65535) {
            return "the port is above 65535";
        }
    }
    return value == 0 ? "the port is 0" : NULL;
}

/* Splits off the port and checks what libcurl would be lenient about. */
static const char *check_authority(const struct part *authority)
{
    const char *at = authority->at;
    const char *end = at + authority->bytes;
    const char *host_end;

    if (memchr(at, '@', authority->bytes) != NULL) {
        return "the URL contains user info";
    }
    if (*at == '[') {
        host_end = memchr(at, ']', authority->bytes);
        if (host_end == NULL) {
            return bad_address;
        }
        host_end++;
        if (memchr(at, '%', (size_t)(host_end - at)) != NULL) {
            return "the address has a zone id";
        }
        if (host_end < end && *host_end != ':') {
            return bad_address;
        }
    } else {
        host_end = memchr(at, ':', authority->bytes);
        host_end = host_end == NULL ? end : host_end;
        if (host_end == at) {
            return no_host;
        }
        for (const char *c = at; c < host_end; c++) {
            if ((unsigned char)*c >= 0x80) {
                return "the host contains characters that are not ASCII";
            }
            if (!is_letter(*c) && !is_digit(*c) && *c != '-' && *c != '_' && *c != '.') {
                return "the host contains a character that no name has";
            }
        }
    }
    return host_end == end ? NULL : check_port(host_end + 1, (size_t)(end - host_end - 1));
}

/* Whether the label could be a number of an IPv4 address: decimal, octal or hexadecimal. */
static bool is_numeric_label(const char *label, size_t bytes)
{
    size_t i = 0;
    bool hex = bytes >= 2 && label[0] == '0' && (label[1] | 0x20) == 'x';

    for (i = hex ? 2 : 0; i < bytes; i++) {
        bool hex_letter = (label[i] | 0x20) >= 'a' && (label[i] | 0x20) <= 'f';

        if (!is_digit(label[i]) && !(hex && hex_letter)) {
            return false;
        }
    }
    return true;
}

static const char *check_name(const char *host)
{
    size_t bytes = strlen(host);
    const char *label = host;

    if (bytes == 0) {
        return no_host;
    }
    if (host[bytes - 1] == '.') {
        return "the host ends with a dot";
    }
    if (bytes > NAME_BYTES_MAX) {
        return "the host name is longer than 253 bytes";
    }
    for (;;) {
        size_t label_bytes = strcspn(label, ".");

        if (label_bytes == 0) {
            return "the host name has an empty label";
        }
        if (label_bytes > LABEL_BYTES_MAX) {
            return "a label of the host name is longer than 63 bytes";
        }
        if (label[label_bytes] == '\0') {
            return is_numeric_label(label, label_bytes) ? bad_address : NULL;
        }
        label += label_bytes + 1;
    }
}

/* Judges the host as libcurl normalised it: a literal by the policy, a name by its form. */
static const char *check_host(const struct egress_policy *policy, bool http, const char *host)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    size_t bytes = strlen(host);
    char text[INET6_ADDRSTRLEN];
    const char *why;

    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        egress_allowed(policy, http, (const struct sockaddr *)&in, &why);
        return why;
    }
    if (host[0] != '[') {
        return check_name(host);
    }
    if (bytes < 2 || bytes - 2 >= sizeof(text) || host[bytes - 1] != ']') {
        return bad_address;
    }
    memcpy(text, host + 1, bytes - 2);
    text[bytes - 2] = '\0';
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1) {
        return bad_address;
    }
    egress_allowed(policy, http, (const struct sockaddr *)&in6, &why);
    return why;
}

const char egress_no_memory[] = "out of memory";

static const char *parse_error(CURLUcode code)
{
    switch (code) {
    case CURLUE_BAD_IPV6: return bad_address;
    case CURLUE_NO_HOST: return no_host;
    case CURLUE_OUT_OF_MEMORY: return egress_no_memory;
    default: return "the URL cannot be parsed";
    }
}

/* The one parse. `url` has passed the checks on bytes. */
static const char *normalise(const struct egress_policy *policy, CURLU *parsed, const char *url,
                             char normalised[EGRESS_URL_MAX + 1])
{
    char *text = NULL;
    const char *reason;
    CURLUcode code =
        curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_URLENCODE);

    if (code != CURLUE_OK) {
        return parse_error(code);
    }
    code = curl_url_get(parsed, CURLUPART_HOST, &text, 0);
    if (code != CURLUE_OK) {
        return parse_error(code);
    }
    reason = check_host(policy, begins_with(url, strlen(url), "http:"), text);
    curl_free(text);
    if (reason != NULL) {
        return reason;
    }
    code = curl_url_get(parsed, CURLUPART_URL, &text, 0);
    if (code != CURLUE_OK) {
        return parse_error(code);
    }
    if (strlen(text) > EGRESS_URL_MAX) {
        reason = too_long;
    } else {
        memcpy(normalised, text, strlen(text) + 1);
    }
    curl_free(text);
    return reason;
}

/* All checks in order; the reason of the first that fails. */
static const char *check(const struct egress_policy *policy, const char *url, size_t bytes,
                         char normalised[EGRESS_URL_MAX + 1])
{
    char copy[EGRESS_URL_MAX + 1];
    struct part authority;
    const char *reason;
    CURLU *parsed;

    if (bytes > EGRESS_URL_MAX) {
        return too_long;
    }
    reason = check_bytes(url, bytes);
    if (reason == NULL) {
        reason = find_authority(policy, url, bytes, &authority);
    }
    if (reason == NULL) {
        reason = check_authority(&authority);
    }
    if (reason != NULL) {
        return reason;
    }
    memcpy(copy, url, bytes);
    copy[bytes] = '\0';
    for (size_t i = 0; i < (size_t)(authority.at + authority.bytes - url); i++) {
        copy[i] = is_letter(copy[i]) ? (char)(copy[i] | 0x20) : copy[i];
    }
    parsed = curl_url();
    if (parsed == NULL) {
        return parse_error(CURLUE_OUT_OF_MEMORY);
    }
    reason = normalise(policy, parsed, copy, normalised);
    curl_url_cleanup(parsed);
    return reason;
}

bool egress_check_url(const struct egress_policy *policy, const char *url, size_t bytes,
                      char normalised[EGRESS_URL_MAX + 1], const char **reason)
{
    *reason = check(policy, url, bytes, normalised);
    return *reason == NULL;
}
