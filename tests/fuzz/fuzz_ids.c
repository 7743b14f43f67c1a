/*
 * fuzz_ids.c - ids and cursors on arbitrary bytes.
 *
 * Checked for every input:
 *   - an id that is taken holds only the bytes of words and separators, and its parts lie inside of
 *     it; put together again from them it is the same text, but for the older word of an event;
 *   - x of an id is read to exactly one (key, salt), from which the same x is made;
 *   - id_check refuses what is no id with invalid_id, another kind with unexpected_id_type, and
 * lets through with a key only what names our own organisation;
 *   - a cursor of one list is none of the other, and is written again as it was.
 */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "server/cursor.h"
#include "server/id.h"
#include "tests/fuzz/fuzz.h"

static struct text span(const char *at, size_t bytes)
{
    return (struct text){at, bytes};
}

static void copy(char out[IDS_DON_BYTES_MAX], struct text from)
{
    assert(from.bytes < IDS_DON_BYTES_MAX);
    memcpy(out, from.at, from.bytes);
    out[from.bytes] = '\0';
}

/* Writes what `don` names, as we write it. */
static void write_don(char out[IDS_DON_BYTES_MAX], enum ids_kind kind, const struct ids_don *don)
{
    char partition[IDS_DON_BYTES_MAX], org[IDS_DON_BYTES_MAX], id[IDS_DON_BYTES_MAX],
        webhook[IDS_DON_BYTES_MAX];
    copy(partition, span(don->partition, don->partition_bytes));
    copy(org, span(don->org, don->org_bytes));
    if (don->webhook != NULL) {
        copy(id, span(don->webhook, don->webhook_bytes));
        ids_webhook(webhook, partition, org, id);
    }
    if (kind == IDS_WEBHOOK)
        memcpy(out, webhook, strlen(webhook) + 1);
    else if (kind == IDS_DELIVERY)
        ids_delivery(out, webhook, don->key, don->salt);
    else if (don->webhook != NULL)
        ids_wire_event(out, webhook, don->key, don->salt);
    else
        ids_event(out, partition, org, don->key, don->salt);
}

static void check_parts(struct text text, enum ids_kind kind, const struct ids_don *don)
{
    char again[IDS_DON_BYTES_MAX], old[IDS_DON_BYTES_MAX];
    for (size_t i = 0; i < text.bytes; i++)
        assert(isalnum((unsigned char)text.at[i]) || strchr("_-.+:/", text.at[i]) != NULL);
    assert(don->partition >= text.at && don->org > don->partition);
    assert(don->org + don->org_bytes <= text.at + text.bytes);
    if (kind == IDS_OTHER || don->partition_bytes + don->org_bytes >= 128)
        return;
    write_don(again, kind, don);
    copy(old, text);
    char *word = strstr(old, ":webhook_event/");
    if (kind == IDS_EVENT && word != NULL)
        memmove(word + 1, word + 9, strlen(word + 9) + 1);
    assert(strcmp(again, old) == 0);
}

static void check_judgement(struct text text, enum ids_kind kind, enum ids_kind wanted)
{
    const struct org ours = {.id = "dev0", .partition = "dvrv-us-1"};
    struct ids_don don = {0};
    struct error error = {0};
    if (!id_check(text, "id", wanted, &ours, &don, &error)) {
        assert(error.type == (kind == IDS_MALFORMED ? ERROR_invalid_id : ERROR_unexpected_id_type));
        assert(kind != wanted);
        return;
    }
    assert(kind == wanted || kind == IDS_OTHER);
    if (don.key != 0 || don.webhook_bytes != 0) {
        assert(text_is(span(don.org, don.org_bytes), ours.id));
        assert(text_is(span(don.partition, don.partition_bytes), ours.partition));
    }
}

static void check_short(struct text text)
{
    char again[IDS_SHORT_BYTES + 1];
    int64_t key;
    uint64_t salt;
    if (ids_short_parse(text.at, text.bytes, &key, &salt)) {
        assert(key > 0 && key < IDS_KEY_END && salt < IDS_SALT_END);
        ids_short(again, key, salt);
        assert(text_is(text, again));
        cursor_write(again, CURSOR_EVENTS, key);
        assert(cursor_read(text_of(again), CURSOR_EVENTS, &key));
        assert(!cursor_read(text_of(again), CURSOR_DELIVERIES, &key));
    }
    if (cursor_read(text, CURSOR_EVENTS, &key)) {
        cursor_write(again, CURSOR_EVENTS, key);
        assert(text_is(text, again));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct text text = {(const char *)data, bytes};
    struct ids_don don = {0};
    enum ids_kind kind = ids_parse(text.at, text.bytes, &don);
    if (kind != IDS_MALFORMED)
        check_parts(text, kind, &don);
    check_judgement(text, kind, IDS_WEBHOOK);
    check_judgement(text, kind, IDS_EVENT);
    check_judgement(text, kind, IDS_DELIVERY);
    check_short(text);
    return 0;
}
