/* What the process gives up before it serves anybody: root, and nearly all of the file system.
 * Called once, before other threads exist; what is given up does not come back. */
#ifndef REVHOOK_SERVER_CONFINE_H
#define REVHOOK_SERVER_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

/* Makes the directory `data` if it is missing, and becomes `user` for good, with the groups of that
 * user; a directory that was made is the user's. "" stays who it is. False, with `error`, if there
 * is no such user, this process may not become it, or the directory cannot be made. */
bool confine_user(const char *user, const char *data, char *error, size_t error_bytes);

/* From now on this process and what it starts can write and make files below the directory `data`,
 * and below `keys` if it is not NULL, alone (and write /dev/null), and execute none. What is open
 * stays so. Returns NULL, or why the kernel could not be asked for it, as static text: then nothing
 * has changed. */
const char *confine_files(const char *data, const char *keys);

/* Secrets are in memory: none of it goes to a file when the process crashes, and no other process
 * of its user may look into it. */
void confine_memory(void);

#endif
