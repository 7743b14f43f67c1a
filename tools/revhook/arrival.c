/*
 * arrival.c - one request that `revhook listen` received, see the header.
 *
 * The body is read as text (jsontext.h): type, id and challenge are cut out, and the challenge goes
 * back byte for byte. The signature is the HMAC-SHA256 of the raw body in the form that was asked
 * for (signature.h). A body that is no JSON object is shown with "?" for type and id.
 */
#include "arrival.h"

#include "print.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const signature_words[] = {"unchecked (give --secret)", "missing", "BAD", "ok"};

static enum signature check_signature(const h2o_req_t *request, const struct arrival_style *style)
{
    static const char name[] = "x-devrev-signature";
    char expected[SIGNATURE_TEXT_BYTES];
    ssize_t at = h2o_find_header_by_str(&request->headers, name, sizeof name - 1, -1);
    if (at == -1)
        return SIGNATURE_MISSING;
    if (style->secret == NULL)
        return SIGNATURE_UNCHECKED;
    signature_expected(&style->form, style->secret, request->entity.base, request->entity.len,
                       expected);
    h2o_iovec_t value = request->headers.entries[at].value;
    bool same =
        value.len == strlen(expected) && CRYPTO_memcmp(value.base, expected, value.len) == 0;
    return same ? SIGNATURE_OK : SIGNATURE_BAD;
}

void arrival_read(struct arrival *arrival, const h2o_req_t *request,
                  const struct arrival_style *style, struct seen *seen)
{
    struct span body = jsontext_object(request->entity.base, request->entity.len);
    *arrival = (struct arrival){.type = "?", .id = "?"};
    jsontext_plain_string(jsontext_member(body, "type"), arrival->type, sizeof arrival->type);
    bool has_id =
        jsontext_plain_string(jsontext_member(body, "id"), arrival->id, sizeof arrival->id);
    arrival->signature = check_signature(request, style);
    if (strcmp(arrival->type, "verify") == 0)
        arrival->challenge = jsontext_member(jsontext_member(body, "verify"), "challenge");
    if (arrival->challenge.at != NULL && arrival->challenge.at[0] != '"')
        arrival->challenge.at = NULL;
    if (arrival->challenge.at == NULL && has_id)
        arrival->times = seen_add(seen, arrival->id, strlen(arrival->id));
}

static const char *time_of_day(char room[32])
{
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    size_t n = strftime(room, 32, "%H:%M:%S", &local);
    snprintf(room + n, 32 - n, ".%03ld", now.tv_nsec / 1000000);
    return room;
}

static const char *ordinal_suffix(uint32_t n)
{
    if (n % 100 >= 11 && n % 100 <= 13)
        return "th";
    return n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
}

static void print_json_line(const struct arrival *arrival, const h2o_req_t *request)
{
    static const char *const words[] = {"unchecked", "missing", "bad", "ok"};
    char room[32];
    json_t *line = json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:i}", "time", time_of_day(room),
                             "type", arrival->type, "event", arrival->id, "seen",
                             (int)arrival->times, "signature", words[arrival->signature],
                             "answered", arrival->status, "bytes", (int)request->entity.len);
    if (line == NULL) /* an id or type that is not UTF-8 */
        line = json_pack("{s:s, s:s, s:i}", "time", time_of_day(room), "type", "?", "answered",
                         arrival->status);
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text == NULL)
        out_of_memory();
    puts(text);
    free(text);
    json_decref(line);
}

void arrival_print(const struct arrival *arrival, const h2o_req_t *request,
                   const struct arrival_style *style)
{
    char room[32];
    if (style->quiet)
        return;
    if (style->json) {
        print_json_line(arrival, request);
        return;
    }
    printf("%s  ", time_of_day(room));
    print_clean(stdout, arrival->type);
    fputs("  ", stdout);
    print_clean(stdout, arrival->id);
    if (arrival->times > 1)
        printf("  (again, %u%s time)", arrival->times, ordinal_suffix(arrival->times));
    printf("  signature %s  answered %d%s\n", signature_words[arrival->signature], arrival->status,
           arrival->echoed ? " with the challenge" : "");
    if (style->show_body) {
        struct span body = jsontext_object(request->entity.base, request->entity.len);
        jsontext_print(stdout, body, 2);
    }
}
