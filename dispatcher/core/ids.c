/* Public ids: DONs are made and taken apart here, and nowhere else.
 *
 * Owns: the base62 text x of (key, salt), and the grammar of a DON:
 *
 *     don:<service>:<partition>:devo/<org>[:<type>/<id>]...       at least one <type>/<id>
 *
 * Words are letters, digits, '_', '-', '.' and '+'; so no id that is taken can carry a quote, a
 * control byte or a separator into a log line or a statement. Happy path: split at ':' and '/',
 * look at the last two types. Failure modes: text that does not follow the grammar is
 * IDS_MALFORMED; text that does, but names nothing of ours, is IDS_OTHER. Refuses: to say whether
 * the object exists, or whether partition and org are ours; the caller knows that. */
#include "core/ids.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* In the order of ASCII, so that texts of equal length sort like their numbers. */
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#define KEY_DIGITS  8
#define SALT_DIGITS (IDS_SHORT_BYTES - KEY_DIGITS)

static void put_base62(char *out, unsigned count, uint64_t number)
{
    for (unsigned i = count; i-- > 0; number /= 62)
        out[i] = digits[number % 62];
    assert(number == 0);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 36;
    return -1;
}

static bool get_base62(const char *text, unsigned count, uint64_t *number)
{
    *number = 0;
    for (unsigned i = 0; i < count; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return false;
        *number = *number * 62 + (unsigned)value;
    }
    return true;
}

void ids_short(char out[IDS_SHORT_BYTES + 1], int64_t key, uint64_t salt)
{
    assert(key > 0 && key < IDS_KEY_END && salt < IDS_SALT_END);
    put_base62(out, KEY_DIGITS, (uint64_t)key);
    put_base62(out + KEY_DIGITS, SALT_DIGITS, salt);
    out[IDS_SHORT_BYTES] = 0;
}

bool ids_short_parse(const char *text, size_t bytes, int64_t *key, uint64_t *salt)
{
    uint64_t first, second;
    if (bytes != IDS_SHORT_BYTES || !get_base62(text, KEY_DIGITS, &first) || first == 0 ||
        !get_base62(text + KEY_DIGITS, SALT_DIGITS, &second))
        return false;
    *key = (int64_t)first;
    *salt = second;
    return true;
}

static bool is_word_byte(char c)
{
    return digit_value(c) >= 0 || c == '_' || c == '-' || c == '.' || c == '+';
}

/* A part of the text that is left to read. */
struct span {
    const char *at;
    size_t bytes;
};

static bool is(struct span span, const char *word)
{
    return span.bytes == strlen(word) && memcmp(span.at, word, span.bytes) == 0;
}

/* Takes a word off the front of *rest; false if there is none. */
static bool take_word(struct span *rest, struct span *word)
{
    word->at = rest->at;
    word->bytes = 0;
    while (word->bytes < rest->bytes && is_word_byte(rest->at[word->bytes]))
        word->bytes++;
    rest->at += word->bytes;
    rest->bytes -= word->bytes;
    return word->bytes > 0;
}

static bool take_byte(struct span *rest, char c)
{
    if (rest->bytes == 0 || *rest->at != c)
        return false;
    rest->at++;
    rest->bytes--;
    return true;
}

/* Takes "<type>/<id>". */
static bool take_pair(struct span *rest, struct span *type, struct span *id)
{
    return take_word(rest, type) && take_byte(rest, '/') && take_word(rest, id);
}

/* What "<last type>/<id>" below an optional webhook is. */
static enum ids_kind classify(struct ids_don *don, struct span type, struct span id)
{
    bool event = is(type, "event") || is(type, "webhook_event");
    bool delivery = is(type, "delivery") && don->webhook != NULL;
    if (!event && !delivery)
        return IDS_OTHER;
    if (!ids_short_parse(id.at, id.bytes, &don->key, &don->salt))
        return IDS_OTHER;
    return event ? IDS_EVENT : IDS_DELIVERY;
}

enum ids_kind ids_parse(const char *text, size_t bytes, struct ids_don *don)
{
    struct span rest = {text, bytes}, word, service, partition, type, org, id;
    unsigned pairs = 0;
    enum ids_kind kind = IDS_OTHER;

    memset(don, 0, sizeof(*don));
    if (bytes == 0 || bytes >= IDS_DON_BYTES_MAX)
        return IDS_MALFORMED;
    if (!take_word(&rest, &word) || !is(word, "don") || !take_byte(&rest, ':') ||
        !take_word(&rest, &service) || !take_byte(&rest, ':') || !take_word(&rest, &partition) ||
        !take_byte(&rest, ':') || !take_pair(&rest, &type, &org) || !is(type, "devo"))
        return IDS_MALFORMED;
    don->partition = partition.at;
    don->partition_bytes = partition.bytes;
    don->org = org.at;
    don->org_bytes = org.bytes;
    for (; rest.bytes > 0; pairs++) {
        if (!take_byte(&rest, ':') || !take_pair(&rest, &type, &id))
            return IDS_MALFORMED;
        if (pairs == 0 && is(type, "webhook")) {
            don->webhook = id.at;
            don->webhook_bytes = id.bytes;
            kind = IDS_WEBHOOK;
        } else if (pairs == 0 || (pairs == 1 && don->webhook != NULL)) {
            kind = classify(don, type, id);
        } else {
            kind = IDS_OTHER;
        }
    }
    if (pairs == 0)
        return IDS_MALFORMED;
    return is(service, "integration") ? kind : IDS_OTHER;
}

size_t ids_webhook(char *out, const char *partition, const char *org, const char *id)
{
    int bytes = snprintf(out, IDS_DON_BYTES_MAX, "don:integration:%s:devo/%s:webhook/%s", partition,
                         org, id);
    assert(bytes > 0 && bytes < IDS_DON_BYTES_MAX);
    return (size_t)bytes;
}

size_t ids_event(char *out, const char *partition, const char *org, int64_t key, uint64_t salt)
{
    char x[IDS_SHORT_BYTES + 1];
    ids_short(x, key, salt);
    int bytes =
        snprintf(out, IDS_DON_BYTES_MAX, "don:integration:%s:devo/%s:event/%s", partition, org, x);
    assert(bytes > 0 && bytes < IDS_DON_BYTES_MAX);
    return (size_t)bytes;
}

/* "<webhook DON>:<type>/<x>" */
static size_t below_webhook(char *out, const char *webhook_don, const char *type, int64_t key,
                            uint64_t salt)
{
    char x[IDS_SHORT_BYTES + 1];
    ids_short(x, key, salt);
    int bytes = snprintf(out, IDS_DON_BYTES_MAX, "%s:%s/%s", webhook_don, type, x);
    assert(bytes > 0 && bytes < IDS_DON_BYTES_MAX);
    return (size_t)bytes;
}

size_t ids_wire_event(char *out, const char *webhook_don, int64_t key, uint64_t salt)
{
    return below_webhook(out, webhook_don, "event", key, salt);
}

size_t ids_delivery(char *out, const char *webhook_don, int64_t key, uint64_t salt)
{
    return below_webhook(out, webhook_don, "delivery", key, salt);
}
