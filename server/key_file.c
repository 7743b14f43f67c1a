/* See key_file.h.
 *
 * Happy path: the file is there, nobody but its owner can read it, its keys are read. At the first
 * start it is made, 0600. A change writes a new file beside it, makes it durable and puts it in
 * place, so a crash leaves the old keys or the new ones.
 *
 * Failure modes: each with a sentence that names the file and what to do. Refuses: a file or data
 * directory that group or others can read, an empty or half a key, two keys of one version, and to
 * make a key for a store that was sealed with another. */
#include "server/key_file.h"

#include "dispatcher/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREDENTIAL     "revhook-key"
#define FILE_BYTES_MAX 16384
#define HEAD                                                                            \
    "# Keys of revhook: secrets in the store are sealed with them. Without this file\n" \
    "# the store is of no use; keep a copy, and not beside copies of the store.\n"

static bool fail(char *error, size_t error_bytes, const char *what, const char *path)
{
    snprintf(error, error_bytes, "%s %.300s: %s", what, path, strerror(errno));
    return false;
}

bool key_file_check_directory(const char *data, char *error, size_t error_bytes)
{
    struct stat status;
    if (stat(data, &status) != 0 || !S_ISDIR(status.st_mode) || (status.st_mode & 077) == 0)
        return true; /* whatever else is wrong with it is told by who opens it */
    snprintf(error, error_bytes,
             "others than its owner may look into %.300s (mode %04o); chmod 700 %.300s", data,
             status.st_mode & 07777, data);
    return false;
}

/* ---- reading ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One line; false if it is no key. */
static bool read_line(struct key_file *file, const char *line)
{
    struct seal_key key = {.version = 0};
    char *end;
    unsigned long long version = strtoull(line, &end, 10);
    bool good = *line >= '1' && *line <= '9' && version <= UINT32_MAX && *end == ' ' &&
                strlen(++end) == (size_t)2 * SEAL_KEY_BYTES && file->count < SEAL_KEYS_MAX;
    key.version = (uint32_t)version;
    for (size_t i = 0; good && i < SEAL_KEY_BYTES; i++) {
        int high = digit(end[2 * i]), low = digit(end[2 * i + 1]);
        good = high >= 0 && low >= 0;
        key.bytes[i] = (uint8_t)(high * 16 + low);
    }
    for (size_t i = 0; i < file->count; i++)
        good = good && file->keys[i].version != key.version;
    if (good)
        file->keys[file->count++] = key;
    secret_wipe(&key, sizeof(key));
    return good;
}

static bool read_lines(struct key_file *file, char *text, char *error, size_t error_bytes)
{
    unsigned number = 0;
    for (char *line = text, *end; line != NULL; line = end) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = 0;
        number++;
        if (*line == 0 || *line == '#' || read_line(file, line))
            continue;
        snprintf(error, error_bytes,
                 "%.300s, line %u: a key is its version, a space, and 64 hexadecimal digits; each "
                 "version once, at most %d; put the right key file back",
                 file->path, number, SEAL_KEYS_MAX);
        return false;
    }
    if (file->count > 0)
        return true;
    snprintf(error, error_bytes, "%.300s has no key; put the right key file back", file->path);
    return false;
}

/* Whether only those may read it who should: systemd gives credentials to the service's group, too.
 */
static bool check_mode(const struct key_file *file, int fd, char *error, size_t error_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return fail(error, error_bytes, "cannot read the key file", file->path);
    if (!S_ISREG(status.st_mode)) {
        snprintf(error, error_bytes, "the key file %.300s is no file", file->path);
        return false;
    }
    if ((status.st_mode & (file->credential ? 007 : 077)) == 0)
        return true;
    snprintf(error, error_bytes,
             "others than its owner may read the key file %.300s (mode %04o); chmod 600 %.300s, "
             "and if others have read it: revhookd admin keys rotate",
             file->path, status.st_mode & 07777, file->path);
    return false;
}

static bool read_file(struct key_file *file, int fd, char *error, size_t error_bytes)
{
    char text[FILE_BYTES_MAX + 1];
    size_t bytes = 0;
    ssize_t got;
    bool good = check_mode(file, fd, error, error_bytes);
    if (!good)
        return false;
    while (bytes < FILE_BYTES_MAX && (got = read(fd, text + bytes, FILE_BYTES_MAX - bytes)) > 0)
        bytes += (size_t)got;
    text[bytes] = 0;
    if (bytes == FILE_BYTES_MAX || strlen(text) != bytes) {
        snprintf(error, error_bytes, "%.300s is no key file; put the right one back", file->path);
        good = false;
    }
    good = good && read_lines(file, text, error, error_bytes);
    secret_wipe(text, sizeof(text));
    return good;
}

/* ---- writing ---- */

static bool write_keys(const struct key_file *file, FILE *out)
{
    fputs(HEAD, out);
    for (size_t i = 0; i < file->count; i++) {
        fprintf(out, "%" PRIu32 " ", file->keys[i].version);
        for (size_t at = 0; at < SEAL_KEY_BYTES; at++)
            fprintf(out, "%02x", file->keys[i].bytes[at]);
        fputc('\n', out);
    }
    return fflush(out) == 0 && fsync(fileno(out)) == 0;
}

static bool sync_directory_of(const char *path)
{
    char directory[sizeof(((struct key_file *)0)->path)];
    snprintf(directory, sizeof(directory), "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash != NULL)
        slash[slash == directory] = 0;
    int fd = open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* Writes all keys to a file beside it and puts that in its place. */
static bool store_keys(const struct key_file *file, char *error, size_t error_bytes)
{
    char beside[sizeof(file->path) + 8], buffer[BUFSIZ];
    if (file->credential) {
        snprintf(error, error_bytes,
                 "%.300s is a credential, which this service only reads; add a line there with the "
                 "next version and a key (openssl rand -hex 32) and restart the service",
                 file->path);
        return false;
    }
    snprintf(beside, sizeof(beside), "%s.new", file->path);
    unlink(beside); /* what a crash has left */
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL)
        return fail(error, error_bytes, "cannot write the key file", beside);
    setvbuf(out, buffer, _IOFBF, sizeof(buffer)); /* on the stack, to be wiped */
    bool good = write_keys(file, out);
    fclose(out);
    secret_wipe(buffer, sizeof(buffer));
    good = good && rename(beside, file->path) == 0 && sync_directory_of(file->path);
    return good || fail(error, error_bytes, "cannot write the key file", file->path);
}

static bool draw(struct key_file *file, char *error, size_t error_bytes)
{
    struct seal_key *key = &file->keys[file->count];
    uint32_t newest = 0;
    for (size_t i = 0; i < file->count; i++)
        newest = file->keys[i].version > newest ? file->keys[i].version : newest;
    if (file->count == SEAL_KEYS_MAX || newest == UINT32_MAX) {
        snprintf(error, error_bytes, "%.300s has no room for another key", file->path);
        return false;
    }
    if (RAND_priv_bytes(key->bytes, SEAL_KEY_BYTES) != 1) {
        snprintf(error, error_bytes,
                 "there are no random numbers for a key, or no memory for them");
        return false;
    }
    key->version = newest + 1;
    file->count++;
    return true;
}

bool key_file_add(struct key_file *file, char *error, size_t error_bytes)
{
    if (!draw(file, error, error_bytes))
        return false;
    if (store_keys(file, error, error_bytes))
        return true;
    secret_wipe(&file->keys[--file->count], sizeof(file->keys[0]));
    return false;
}

bool key_file_keep_newest(struct key_file *file, char *error, size_t error_bytes)
{
    size_t newest = 0;
    for (size_t i = 1; i < file->count; i++)
        if (file->keys[i].version > file->keys[newest].version)
            newest = i;
    struct key_file kept = *file;
    kept.keys[0] = file->keys[newest];
    kept.count = 1;
    bool good = store_keys(&kept, error, error_bytes);
    if (good)
        *file = kept;
    key_file_wipe(&kept);
    return good;
}

/* ---- which ---- */

static void find(struct key_file *file, const struct config *config)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    *file = (struct key_file){.count = 0};
    if (config->key_file[0] != 0) {
        snprintf(file->path, sizeof(file->path), "%s", config->key_file);
        return;
    }
    if (credentials != NULL && credentials[0] != 0) {
        snprintf(file->path, sizeof(file->path), "%s/" CREDENTIAL, credentials);
        file->credential = access(file->path, F_OK) == 0;
    }
    if (!file->credential)
        snprintf(file->path, sizeof(file->path), "%s/revhook.key", config->data);
}

bool key_file_open(struct key_file *file, const struct config *config, bool may_make, char *error,
                   size_t error_bytes)
{
    find(file, config);
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        bool good = read_file(file, fd, error, error_bytes);
        close(fd);
        return good;
    }
    if (errno != ENOENT)
        return fail(error, error_bytes, "cannot read the key file", file->path);
    if (!may_make) {
        snprintf(error, error_bytes,
                 "the key file %.300s is missing, and the secrets in the store are sealed with it; "
                 "put it back, or name it with key_file",
                 file->path);
        return false;
    }
    return key_file_add(file, error, error_bytes);
}

void key_file_wipe(struct key_file *file)
{
    secret_wipe(file->keys, sizeof(file->keys));
    file->count = 0;
}
