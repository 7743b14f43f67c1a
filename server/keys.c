/* See keys.h.
 *
 * Owns: the order of a rotation. Happy path: the new key is durable in the file before anything is
 * sealed with it; the old ones go from the file when nothing is sealed with them any more. Failure
 * modes: a file that cannot be written refuses the rotation, or keeps its old keys, which does no
 * harm. Refuses: a rotation while another is under way. */
#include "server/keys.h"

#include "dispatcher/dispatch.h"
#include "dispatcher/log.h"

bool keys_start(struct keys *keys, const struct config *config, struct store *store,
                struct clock *clock, char *error, size_t error_bytes)
{
    bool sealed;
    if (!reseal_is_sealed(store, &sealed, error, error_bytes) ||
        !key_file_open(&keys->file, config, !sealed, error, error_bytes))
        return false;
    keys->sealer = sealer_new(keys->file.keys, keys->file.count);
    if (keys->sealer == NULL) {
        snprintf(error, error_bytes, "not enough memory");
        return false;
    }
    return reseal_start(store, clock, keys->sealer, keys->file.path, error, error_bytes);
}

void keys_serve(struct keys *keys, struct dispatch *dispatch)
{
    keys->dispatch = dispatch;
    if (keys->file.count > 1)
        dispatch_reseal(dispatch);
}

bool keys_rotate(struct keys *keys, uint32_t *version, char *error, size_t error_bytes)
{
    if (keys->file.count > 1 && !keys->file.credential) {
        snprintf(error, error_bytes,
                 "a rotation is under way, or waits for the next start of the service; try again "
                 "when %.300s has one key",
                 keys->file.path);
        return false;
    }
    if (!key_file_add(&keys->file, error, error_bytes))
        return false;
    *version = keys->file.keys[keys->file.count - 1].version;
    if (keys->sealer != NULL)
        sealer_set(keys->sealer, keys->file.keys, keys->file.count);
    if (keys->dispatch != NULL)
        dispatch_reseal(keys->dispatch);
    return true;
}

void keys_resealed(void *ctx)
{
    struct keys *keys = ctx;
    char error[512];
    if (keys->file.credential || keys->file.count == 1)
        return; /* whoever made it takes the old lines out */
    if (key_file_keep_newest(&keys->file, error, sizeof(error)))
        sealer_set(keys->sealer, keys->file.keys, keys->file.count);
    else
        LOG(fault, LOG_TEXT("where", "key file"), LOG_TEXT("error", error));
}

void keys_stop(struct keys *keys)
{
    sealer_free(keys->sealer);
    key_file_wipe(&keys->file);
}
