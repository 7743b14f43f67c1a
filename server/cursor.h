/* Cursors of lists: opaque text that says where the next page begins. */
#ifndef REVHOOK_SERVER_CURSOR_H
#define REVHOOK_SERVER_CURSOR_H

#include "core/ids.h"
#include "dispatcher/text.h"

#include <stdint.h>

#define CURSOR_BYTES IDS_SHORT_BYTES

/* Each list has cursors of its own. */
enum cursor_list { CURSOR_EVENTS = 1, CURSOR_DELIVERIES = 2 };

/* Writes the cursor behind which the page after row `key` lies, with a final zero. */
void cursor_write(char out[CURSOR_BYTES + 1], enum cursor_list list, int64_t key);

/* Reads one back; false if it is none of this list. Pure. */
bool cursor_read(struct text text, enum cursor_list list, int64_t *key);

#endif
