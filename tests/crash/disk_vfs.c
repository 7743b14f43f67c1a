/* SQLite's way to a disk in memory (disk.h): a VFS that is registered as the default one, so that
 * the store opens its database on it without knowing. Each call that reaches the medium passes
 * disk_call, where it may fail.
 *
 * Names are told apart by their ends: what SQLite appends for its log and journal. */
#include "disk.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static struct disk *in_use;

struct handle {
    sqlite3_file base;
    struct disk *disk;
    int file;
};

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)file;
}

static int file_of(const char *name)
{
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, "-wal") == 0)
        return DISK_LOG;
    if (length > 8 && strcmp(name + length - 8, "-journal") == 0)
        return DISK_JOURNAL;
    return DISK_DATABASE;
}

/* ---- an open file ---- */

static int file_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at)
{
    struct handle *h = handle_of(file);
    const struct disk_file *f = &h->disk->files[h->file];
    int code = disk_call(h->disk, SQLITE_IOERR_READ);
    if (code != 0)
        return code;
    size_t have = (size_t)at < f->size ? f->size - (size_t)at : 0;
    have = have < (size_t)count ? have : (size_t)count;
    if (have > 0)
        memcpy(bytes, f->bytes + at, have);
    memset((char *)bytes + have, 0, (size_t)count - have);
    return have == (size_t)count ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    struct handle *h = handle_of(file);
    int code = disk_call(h->disk, SQLITE_IOERR_WRITE);
    if (code == 0)
        disk_write(h->disk, h->file, (size_t)at, bytes, (size_t)count);
    return code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct handle *h = handle_of(file);
    int code = disk_call(h->disk, SQLITE_IOERR_TRUNCATE);
    if (code == 0)
        disk_cut(h->disk, h->file, (size_t)size);
    return code;
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct handle *h = handle_of(file);
    (void)flags;
    int code = disk_call(h->disk, SQLITE_IOERR_FSYNC);
    if (code == 0)
        disk_sync(h->disk, h->file);
    return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct handle *h = handle_of(file);
    *size = (sqlite3_int64)h->disk->files[h->file].size;
    return disk_call(h->disk, SQLITE_IOERR_FSTAT);
}

static int file_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int file_reserved(sqlite3_file *file, int *reserved)
{
    (void)file;
    *reserved = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
    (void)file;
    (void)what;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
    (void)file;
    return 4096; /* what the unix VFS says */
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the log's index ---- */

static int index_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **at)
{
    struct disk *disk = handle_of(file)->disk;
    *at = NULL;
    int code = disk_call(disk, SQLITE_IOERR_SHMMAP);
    if (code != 0)
        return code;
    if (region >= (int)(sizeof disk->index / sizeof disk->index[0]))
        return SQLITE_IOERR_SHMSIZE;
    while (extend && (int)disk->index_regions <= region) {
        disk->index[disk->index_regions] = calloc(1, (size_t)bytes);
        if (disk->index[disk->index_regions] == NULL)
            return SQLITE_IOERR_NOMEM;
        disk->index_regions++;
    }
    if ((int)disk->index_regions > region)
        *at = disk->index[region];
    return SQLITE_OK;
}

static int index_lock(sqlite3_file *file, int offset, int count, int flags)
{
    (void)file;
    (void)offset;
    (void)count;
    (void)flags;
    return SQLITE_OK;
}

static void index_barrier(sqlite3_file *file)
{
    (void)file;
}

static int index_unmap(sqlite3_file *file, int remove)
{
    struct disk *disk = handle_of(file)->disk;
    (void)remove;
    while (disk->index_regions > 0)
        free(disk->index[--disk->index_regions]);
    return SQLITE_OK;
}

/* ---- the file system ---- */

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = index_map,
    .xShmLock = index_lock,
    .xShmBarrier = index_barrier,
    .xShmUnmap = index_unmap,
};

static int system_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct handle *h = handle_of(file);
    (void)vfs;
    *h = (struct handle){.disk = in_use};
    if (name == NULL) /* temporary ones are in memory */
        return SQLITE_CANTOPEN;
    h->file = file_of(name);
    int code = disk_call(in_use, SQLITE_CANTOPEN);
    if (code != 0)
        return code;
    if (!in_use->files[h->file].exists) {
        if (!(flags & SQLITE_OPEN_CREATE))
            return SQLITE_CANTOPEN;
        disk_create(in_use, h->file);
    }
    /* The unix VFS marks a log or journal that it may make, whether or not it had to: it cannot
     * know whether the names of the directory are durable since a crash, a journal's removal among
     * them. */
    if ((flags & SQLITE_OPEN_CREATE) && h->file != DISK_DATABASE)
        in_use->files[h->file].fresh = true;
    if (out != NULL)
        *out = flags;
    h->base.pMethods = &methods;
    return SQLITE_OK;
}

static int system_delete(sqlite3_vfs *vfs, const char *name, int durable)
{
    int file = file_of(name);
    (void)vfs;
    int code = disk_call(in_use, SQLITE_IOERR_DELETE);
    if (code != 0)
        return code;
    if (!in_use->files[file].exists)
        return SQLITE_IOERR_DELETE_NOENT;
    disk_remove(in_use, file, durable != 0);
    return SQLITE_OK;
}

static int system_access(sqlite3_vfs *vfs, const char *name, int flags, int *yes)
{
    const struct disk_file *file = &in_use->files[file_of(name)];
    (void)vfs;
    /* The unix VFS says of an empty file that it does not exist. */
    *yes = file->exists && (flags != SQLITE_ACCESS_EXISTS || file->size > 0);
    return disk_call(in_use, SQLITE_IOERR_ACCESS);
}

static int system_path(sqlite3_vfs *vfs, const char *name, int count, char *path)
{
    (void)vfs;
    sqlite3_snprintf(count, path, "%s", name);
    return SQLITE_OK;
}

static int system_random(sqlite3_vfs *vfs, int count, char *bytes)
{
    (void)vfs;
    for (int i = 0; i < count; i++)
        bytes[i] = (char)random_u64(&in_use->random);
    return count;
}

static int system_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int system_time(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    (void)vfs;
    *now = INT64_C(212577825600000); /* nothing of the store asks */
    return SQLITE_OK;
}

void disk_use(struct disk *disk)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct handle),
        .mxPathname = 4096,
        .zName = "disk-in-memory",
        .xOpen = system_open,
        .xDelete = system_delete,
        .xAccess = system_access,
        .xFullPathname = system_path,
        .xRandomness = system_random,
        .xSleep = system_sleep,
        .xCurrentTimeInt64 = system_time,
    };
    if (in_use == NULL)
        sqlite3_vfs_register(&vfs, 1);
    in_use = disk;
    sqlite3_randomness(0, NULL); /* the next ones begin with this disk's */
}
