/*
 * secret.h - randomness for secrets, challenges and ids, and the rule for secrets.
 */
#ifndef REVHOOK_DISPATCHER_SECRET_H
#define REVHOOK_DISPATCHER_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_BYTES_MIN       8
#define SECRET_BYTES_MAX       44 /* the longest text accepted: base64 of 32 bytes */
#define SECRET_PLAIN_BYTES_MAX 32
#define SECRET_GENERATED_CHARS 32

/*
 * Sets up the crypto library, before anything of it is used. False for want of memory, and `error`
 * says so: the library itself would go on half set up, and crash when it is first asked for random
 * bytes. Once, before other threads.
 */
bool secret_start(char *error, size_t error_bytes);

/*
 * Writes `chars` random characters of [A-Za-z0-9], each equally likely, and a NUL; `out` has room
 * for chars + 1. Returns 0, or -1 if the random source failed (`out` is then an empty string: do
 * not go on without it). Any thread.
 */
int secret_random_text(char *out, size_t chars);

/*
 * Random numbers, every value equally likely. Returns 0, or -1 if the random source failed. A call
 * costs a system call however many it is asked for: who needs one after the other takes some at
 * once.
 */
int secret_random_numbers(uint64_t *out, size_t count);

/*
 * Whether a client may use this text as the secret of a webhook: 8 to 32 bytes of any text, or
 * standard base64 of 8 to 32 bytes. DevRev's schema asks for base64; people also pass plain text,
 * and both are kept as they came. A NUL byte is refused, because no header tool could type it.
 */
bool secret_acceptable(const char *secret, size_t bytes);

/*
 * Decodes standard base64 with its padding into `out`. False if it is not base64, or empty, or
 * longer than SECRET_BYTES_MAX; `out` is then unspecified. Spare bits of the last character are
 * ignored, as most decoders do.
 */
bool secret_decode_base64(const char *text, size_t chars, uint8_t out[SECRET_BYTES_MAX],
                          size_t *bytes);

/* Overwrites memory in a way that compilers do not leave out. */
void secret_wipe(void *memory, size_t bytes);

#endif
