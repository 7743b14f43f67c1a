/* Who may call: one token, one organisation. */
#ifndef REVHOOK_SERVER_AUTH_H
#define REVHOOK_SERVER_AUTH_H

#include "dispatcher/text.h"

/* Whether the value of an Authorization header carries `token`: "Bearer <token>", the word in any
 * case (documented), or the bare token (what DevRev's SDK sends). `authorization.at` may be NULL.
 * The time it takes does not depend on how much is right. Pure. */
bool auth_accepts(struct text authorization, const char *token);

#endif
