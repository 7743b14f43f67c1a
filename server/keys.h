/* The keys of a service: the key file, the sealer made of it, and their rotation. */
#ifndef REVHOOK_SERVER_KEYS_H
#define REVHOOK_SERVER_KEYS_H

#include "dispatcher/clock.h"
#include "server/key_file.h"

struct dispatch;

/* Zeroed: not started. */
struct keys {
    struct key_file file;
    struct sealer *sealer;
    struct dispatch *dispatch;
};

/* Opens or makes the key file and checks that it is that of this store, whose secrets are sealed if
 * they are not. On error false, and `error` says what to do. keys_stop in any case. */
bool keys_start(struct keys *keys, const struct config *config, struct store *store,
                struct clock *clock, char *error, size_t error_bytes);

/* The dispatcher seals with them from now on; a rotation that was under way goes on. */
void keys_serve(struct keys *keys, struct dispatch *dispatch);

/* Begins a rotation: a new key seals from now on, and what is sealed under others is sealed again
 * in the background. *version is the new one. The writer's thread. */
bool keys_rotate(struct keys *keys, uint32_t *version, char *error, size_t error_bytes);

/* For dispatch_options.resealed: nothing needs the old keys any more. `ctx` is the struct keys. */
void keys_resealed(void *ctx);

/* Wipes and frees. After the dispatcher has ended. */
void keys_stop(struct keys *keys);

#endif
