/* Ids in requests: which are well-formed, of the right kind, and of our organisation. */
#ifndef REVHOOK_SERVER_ID_H
#define REVHOOK_SERVER_ID_H

#include "core/ids.h"
#include "server/errors.h"

enum id_result {
    ID_OURS,   /* may exist: look it up */
    ID_NOBODY, /* well-formed, of the right kind, but nothing here has it; *error is a not_found */
    ID_WRONG,  /* *error says why: invalid_id or unexpected_id_type */
};

/* Judges `id`, which stands in `field`. `wanted` is IDS_WEBHOOK, IDS_EVENT (both forms are taken)
 * or IDS_DELIVERY. The spans in *don point into `id`. */
enum id_result id_check(struct text id, const char *field, enum ids_kind wanted,
                        struct ids_don *don, struct error *error);

#endif
