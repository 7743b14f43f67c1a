/* The disk's files and the log of what was done to them; see disk.h. What a crash leaves of it is
 * in crash.c, SQLite's side in disk_vfs.c. Memory that cannot be had ends the program: it is a
 * test. */
#include "disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *block, size_t bytes)
{
    void *grown = realloc(block, bytes);
    if (grown == NULL) {
        fprintf(stderr, "disk: out of memory (%zu bytes)\n", bytes);
        abort();
    }
    return grown;
}

void disk_init(struct disk *disk, uint64_t seed)
{
    *disk = (struct disk){.files[DISK_DATABASE].exists = true};
    random_seed(&disk->random, seed);
}

void disk_clear(struct disk *disk)
{
    for (size_t i = 0; i < disk->op_count; i++)
        free(disk->ops[i].data);
    disk->op_count = 0;
    for (unsigned i = 0; i < disk->index_regions; i++)
        free(disk->index[i]);
    disk->index_regions = 0;
}

void disk_free(struct disk *disk)
{
    disk_clear(disk);
    free(disk->ops);
    for (int i = 0; i < DISK_FILES; i++)
        free(disk->files[i].bytes);
    *disk = (struct disk){.op_count = 0};
}

void disk_resize(struct disk_file *file, size_t size)
{
    if (size > file->capacity) {
        file->capacity = size * 2;
        file->bytes = grow(file->bytes, file->capacity);
    }
    if (size > file->size)
        memset(file->bytes + file->size, 0, size - file->size);
    file->size = size;
}

void disk_file_copy(struct disk_file *to, const struct disk_file *from)
{
    disk_resize(to, from->size);
    if (from->size > 0)
        memcpy(to->bytes, from->bytes, from->size);
    to->exists = from->exists;
    to->fresh = false;
}

static void log_op(struct disk *disk, struct disk_op op, const void *data)
{
    if (!disk->recording)
        return;
    if (disk->op_count == disk->op_capacity) {
        disk->op_capacity = disk->op_capacity * 2 + 256;
        disk->ops = grow(disk->ops, disk->op_capacity * sizeof *disk->ops);
    }
    if (op.bytes > 0) {
        op.data = grow(NULL, op.bytes);
        memcpy(op.data, data, op.bytes);
    }
    disk->ops[disk->op_count++] = op;
}

void disk_acknowledge(struct disk *disk)
{
    log_op(disk, (struct disk_op){.kind = DISK_ACKNOWLEDGED}, NULL);
}

bool faults_hit(struct faults *faults)
{
    if (faults->paused)
        return false;
    faults->calls++;
    bool hit = faults->at > 0 && faults->calls >= faults->at &&
               (faults->calls == faults->at || faults->on);
    faults->failed += hit;
    return hit;
}

int disk_call(struct disk *disk, int error)
{
    if (disk->full && error != SQLITE_IOERR_WRITE)
        return 0;
    if (!faults_hit(&disk->faults))
        return 0;
    return disk->full ? SQLITE_FULL : error;
}

void disk_create(struct disk *disk, int file)
{
    disk->files[file].exists = true;
    disk->files[file].fresh = true;
    disk->files[file].size = 0;
    log_op(disk, (struct disk_op){.kind = DISK_CREATE, .file = file}, NULL);
}

void disk_remove(struct disk *disk, int file, bool durable)
{
    disk->files[file].exists = false;
    disk->files[file].size = 0;
    log_op(disk, (struct disk_op){.kind = DISK_REMOVE, .file = file}, NULL);
    if (durable)
        log_op(disk, (struct disk_op){.kind = DISK_NAMES}, NULL);
}

void disk_write(struct disk *disk, int file, size_t at, const void *bytes, size_t count)
{
    struct disk_file *f = &disk->files[file];
    if (disk->off)
        return;
    if (at + count > f->size)
        disk_resize(f, at + count);
    memcpy(f->bytes + at, bytes, count);
    log_op(disk, (struct disk_op){.kind = DISK_WRITE, .file = file, .at = at, .bytes = count},
           bytes);
}

void disk_cut(struct disk *disk, int file, size_t size)
{
    if (disk->off)
        return;
    disk_resize(&disk->files[file], size);
    log_op(disk, (struct disk_op){.kind = DISK_CUT, .file = file, .at = size}, NULL);
}

void disk_sync(struct disk *disk, int file)
{
    disk->syncs++;
    if (disk->drop_every > 0 && disk->syncs % disk->drop_every == 0)
        return;
    if (disk->files[file].fresh)
        log_op(disk, (struct disk_op){.kind = DISK_NAMES}, NULL);
    disk->files[file].fresh = false;
    log_op(disk, (struct disk_op){.kind = DISK_SYNC, .file = file}, NULL);
}
