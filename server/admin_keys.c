/* `revhookd admin keys`: what an operator does to the keys that seal secrets at rest.
 *
 * Happy path: the daemon adds a key to its file and seals everything again in the background; where
 * none runs the key is added here, and the next start does the rest. Failure modes: a file that
 * cannot be written, a rotation under way. Refuses: to show a key. */
#include "server/admin.h"
#include "server/keys.h"

#include <inttypes.h>

enum store_result admin_keys_rotate(struct store_call *store_call, struct store *store,
                                    struct instant now)
{
    struct admin_call *call = (struct admin_call *)store_call;
    struct keys own = {.sealer = NULL}, *keys = call->keys != NULL ? call->keys : &own;
    char error[512];
    uint32_t version = 0;
    bool good =
        call->keys != NULL || key_file_open(&own.file, call->config, false, error, sizeof(error));
    (void)store; /* held, so that no daemon uses the file meanwhile */
    (void)now;
    good = good && keys_rotate(keys, &version, error, sizeof(error));
    if (good) {
        snprintf(call->changed, sizeof(call->changed), "%" PRIu32, version);
        json_out_key(&call->out, "key");
        json_out_object(&call->out);
        json_out_pair_number(&call->out, "version", version);
        json_out_pair_string(&call->out, "file", keys->file.path);
        json_out_object_end(&call->out);
    } else {
        error_plain(&call->refused, ERROR_conflict, error);
        admin_call_refuse(call);
    }
    keys_stop(&own);
    return STORE_OK;
}
