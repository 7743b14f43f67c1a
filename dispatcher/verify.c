/* What counts as an echo, see verify.h. The answer goes through the same strict scanner as a
 * published event, so an answer with the member twice, or with anything after the object, is none.
 */
#include "dispatcher/verify.h"

#include "core/canon.h"
#include "dispatcher/hook.h"

#include <stdlib.h>
#include <string.h>

bool verify_is_echo(const char *answer, size_t answer_bytes, const char *challenge)
{
    struct canon canon = {
        .in = answer,
        .in_bytes = answer_bytes,
        .out_capacity_bytes = canon_out_max(answer_bytes),
        .keys_max = canon_keys_max(answer_bytes),
    };
    canon.out = hook_alloc(canon.out_capacity_bytes + 1);
    canon.keys = hook_alloc((canon.keys_max + 1) * sizeof(canon.keys[0]));
    bool echoed = false;
    if (canon_document(&canon) == CANON_OK) {
        struct canon_span object = {canon.out, canon.out_bytes}, value;
        echoed = canon_kind(object) == CANON_OBJECT &&
                 canon_member_find(object, "challenge", &value) &&
                 canon_kind(value) == CANON_STRING &&
                 canon_span_equals(canon_string_inner(value), challenge);
    }
    free(canon.keys);
    free(canon.out);
    return echoed;
}
