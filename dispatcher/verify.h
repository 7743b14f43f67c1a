/* Verifying: the challenge that is sent, and what counts as its echo. */
#ifndef REVHOOK_DISPATCHER_VERIFY_H
#define REVHOOK_DISPATCHER_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `answer` is JSON whose top level is an object with the member "challenge" equal, byte for
 * byte, to `challenge` (letters and digits). Other members and any white space are fine, and no
 * content type is asked for: DevRev's sample receiver answers text/plain with a line feed. Pure but
 * for its own scratch memory; any thread. */
bool verify_is_echo(const char *answer, size_t answer_bytes, const char *challenge);

#endif
