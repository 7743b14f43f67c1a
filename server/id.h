/* Ids in requests: which are well-formed, and of the right kind. */
#ifndef REVHOOK_SERVER_ID_H
#define REVHOOK_SERVER_ID_H

#include "core/ids.h"
#include "server/errors.h"
#include "server/tenants.h"

/* Judges `id`, which stands in `field`. `wanted` is IDS_WEBHOOK, IDS_EVENT (both forms are taken)
 * or IDS_DELIVERY. On true *don is what to look up; its spans point into `id`. An id that names
 * another organisation or partition than `org`, or that we never gave out, comes out as one that
 * nothing has, so that it is looked up, and not found, like any other. On false *error says why:
 * invalid_id or unexpected_id_type. */
bool id_check(struct text id, const char *field, enum ids_kind wanted, const struct org *org,
              struct ids_don *don, struct error *error);

#endif
