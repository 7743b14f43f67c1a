/* The key file: where the keys that seal secrets at rest come from, and go to.
 *
 * Lines "VERSION KEY", the key in 64 hexadecimal digits; empty lines and lines that begin with #
 * are nothing. The highest version seals, all open. */
#ifndef REVHOOK_SERVER_KEY_FILE_H
#define REVHOOK_SERVER_KEY_FILE_H

#include "dispatcher/seal.h"
#include "server/config.h"

struct key_file {
    char path[4096];
    bool credential; /* systemd's: read, never written */
    struct seal_key keys[SEAL_KEYS_MAX];
    size_t count;
};

/* Whether nobody else may look into the data directory; one that is not there yet is fine. On false
 * `error` says what to do. */
bool key_file_check_directory(const char *data, char *error, size_t error_bytes);

/* Finds the file of these settings and reads it. One that is not there is made, with a new key, if
 * `may_make`: a store in which something is sealed needs the key that it was sealed with. On error
 * false, and `error` says what to do. key_file_wipe in any case. */
bool key_file_open(struct key_file *file, const struct config *config, bool may_make, char *error,
                   size_t error_bytes);

/* Adds a new key of the next version, here and, durably, in the file. */
bool key_file_add(struct key_file *file, char *error, size_t error_bytes);

/* Drops all keys but the newest, likewise. */
bool key_file_keep_newest(struct key_file *file, char *error, size_t error_bytes);

/* Wipes the keys. */
void key_file_wipe(struct key_file *file);

#endif
