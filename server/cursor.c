/* A cursor is the key of the last row of a page and a check number, in the form of an id. The check
 * number is no secret: it tells a cursor of ours, and of the right list, from any other text, so
 * that a mix-up is an error instead of a strange page. */
#include "server/cursor.h"

static uint64_t check_number(enum cursor_list list, int64_t key)
{
    uint64_t mixed = ((uint64_t)key + (uint64_t)list) * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 29;
    mixed *= UINT64_C(0xbf58476d1ce4e5b9) + (uint64_t)list;
    return (mixed ^ (mixed >> 32)) % IDS_SALT_END;
}

void cursor_write(char out[CURSOR_BYTES + 1], enum cursor_list list, int64_t key)
{
    ids_short(out, key, check_number(list, key));
}

bool cursor_read(struct text text, enum cursor_list list, int64_t *key)
{
    uint64_t check;
    return ids_short_parse(text.at, text.bytes, key, &check) && check == check_number(list, *key);
}
