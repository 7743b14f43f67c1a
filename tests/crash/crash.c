/* What the loss of power may leave of a disk, at each boundary of its log; see disk.h.
 *
 * Between two syncs the durable bytes stay the same, so a state is told apart from others by what
 * is done to it since: which operation, whole or how. That is hashed, and a hash that was there
 * before is no new state: what is counted is different states, or the same one under a new promise.
 */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

enum { SECTOR_BYTES = 512 };

enum fate { KEPT, LOST, TORN, SCATTERED, NOISE, ZEROS };

void crash_begin(struct crash *crash, const struct disk *disk, const struct disk *base)
{
    *crash = (struct crash){.disk = disk};
    crash->pending = calloc(disk->op_count + 1, sizeof *crash->pending);
    for (int i = 0; i < DISK_FILES; i++)
        disk_file_copy(&crash->durable[i], &base->files[i]);
}

void crash_end(struct crash *crash)
{
    for (int i = 0; i < DISK_FILES; i++)
        free(crash->durable[i].bytes);
    free(crash->pending);
    free(crash->seen);
}

/* ---- one operation, done in part or not at all ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint64_t state = hash ^ value;
    return random_mix(&state);
}

/* The bytes of one sector of a write, as they are or garbled. */
static void write_sector(struct disk_file *file, const struct disk_op *op, size_t from, size_t to,
                         enum fate fate, struct random *random)
{
    uint8_t *target = file->bytes + op->at;
    if (fate == KEPT)
        memcpy(target + from, op->data + from, to - from);
    else if (fate == ZEROS)
        memset(target + from, 0, to - from);
    else
        for (size_t i = from; i < to; i++)
            target[i] = (uint8_t)random_u64(random);
}

/* Does a write sector by sector. TORN: the first ones only; SCATTERED: some; NOISE and ZEROS: some
 * are garbled, the others there. Gives the hash of what was done. */
static uint64_t write_part(struct disk_file *file, const struct disk_op *op, enum fate fate,
                           struct random *random)
{
    size_t from = 0;
    int64_t sectors =
        (int64_t)((op->at + op->bytes - 1) / SECTOR_BYTES - op->at / SECTOR_BYTES) + 1;
    int64_t end = random_between(random, 0, sectors - 1), number = 0;
    uint64_t hash = fate;
    if (op->at + op->bytes > file->size)
        disk_resize(file, op->at + op->bytes);
    while (from < op->bytes) {
        size_t to = from + SECTOR_BYTES - (op->at + from) % SECTOR_BYTES;
        to = to < op->bytes ? to : op->bytes;
        bool chosen = fate == TORN ? number < end : number == end || random_chance(random, 50);
        bool garbled = fate == NOISE || fate == ZEROS;
        if (garbled || chosen)
            write_sector(file, op, from, to, garbled && chosen ? fate : KEPT, random);
        hash = mix(hash, (uint64_t)chosen);
        number++;
        from = to;
    }
    return hash;
}

/* Does an operation as its fate has it, and gives the hash of that; 0 if it left nothing. */
static uint64_t apply(struct disk_file *file, const struct disk_op *op, enum fate fate,
                      struct random *random)
{
    if (fate == LOST)
        return 0;
    switch (op->kind) {
    case DISK_CREATE: file->exists = true; break;
    case DISK_REMOVE: file->exists = false; break;
    case DISK_CUT: disk_resize(file, op->at); break;
    case DISK_WRITE:
        if (fate != KEPT)
            return write_part(file, op, fate, random);
        if (op->at + op->bytes > file->size)
            disk_resize(file, op->at + op->bytes);
        memcpy(file->bytes + op->at, op->data, op->bytes);
        break;
    default: break;
    }
    if (op->kind == DISK_CREATE || op->kind == DISK_REMOVE)
        disk_resize(file, 0);
    return 1;
}

/* ---- along the log ---- */

/* Whether a sync covers an operation. */
static bool covers(const struct disk_op *sync, const struct disk_op *op)
{
    if (sync->kind == DISK_NAMES)
        return op->kind == DISK_CREATE || op->kind == DISK_REMOVE;
    return op->file == sync->file && (op->kind == DISK_WRITE || op->kind == DISK_CUT);
}

/* Forgets what is pending of a file, in the first `count` that are. Gives how many are left. */
static size_t drop(struct crash *crash, size_t count, int file)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (crash->disk->ops[crash->pending[i]].file != file)
            crash->pending[kept++] = crash->pending[i];
    return kept;
}

/* Makes durable what a sync covers. What was done to a file before it was removed is over. */
static void settle(struct crash *crash, const struct disk_op *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < crash->pending_count; i++) {
        const struct disk_op *op = &crash->disk->ops[crash->pending[i]];
        if (covers(sync, op)) {
            apply(&crash->durable[op->file], op, KEPT, NULL);
            if (op->kind == DISK_REMOVE)
                kept = drop(crash, kept, op->file);
        } else {
            crash->pending[kept++] = crash->pending[i];
        }
    }
    crash->pending_count = kept;
}

bool crash_next(struct crash *crash)
{
    if (crash->taken == crash->disk->op_count)
        return false;
    const struct disk_op *op = &crash->disk->ops[crash->taken];
    bool sync = op->kind == DISK_SYNC || op->kind == DISK_NAMES;
    if (op->kind == DISK_ACKNOWLEDGED)
        crash->acknowledged++;
    else if (sync)
        settle(crash, op);
    else
        crash->pending[crash->pending_count++] = crash->taken;
    if (op->kind == DISK_ACKNOWLEDGED || sync)
        crash->seen_count = 0;
    crash->taken++;
    return true;
}

static enum fate fate_of(unsigned how, bool last, bool write, struct random *random)
{
    static const enum fate of_last[CRASH_PLAIN] = {KEPT, LOST, LOST, TORN, NOISE, ZEROS};
    if (how == 1)
        return LOST;
    if (how < CRASH_PLAIN)
        return !last ? KEPT : of_last[how];
    int64_t roll = random_between(random, 0, write ? 9 : 5);
    return roll < 3 ? KEPT : roll < 6 ? LOST : (enum fate)(TORN + roll - 6);
}

/* Remembers a state; false if it was there before. */
static bool is_new(struct crash *crash, uint64_t hash)
{
    for (size_t i = 0; i < crash->seen_count; i++)
        if (crash->seen[i] == hash)
            return false;
    if (crash->seen_count == crash->seen_capacity) {
        crash->seen_capacity = crash->seen_capacity * 2 + 64;
        crash->seen = realloc(crash->seen, crash->seen_capacity * sizeof *crash->seen);
    }
    crash->seen[crash->seen_count++] = hash;
    return true;
}

bool crash_rebuild(struct crash *crash, unsigned how, struct random *random, struct disk *to)
{
    bool created[DISK_FILES];
    uint64_t hash = 0;
    disk_clear(to);
    for (int i = 0; i < DISK_FILES; i++) {
        disk_file_copy(&to->files[i], &crash->durable[i]);
        created[i] = true;
    }
    for (size_t i = 0; i < crash->pending_count; i++) {
        const struct disk_op *op = &crash->disk->ops[crash->pending[i]];
        bool last = i + 1 == crash->pending_count, write = op->kind == DISK_WRITE;
        enum fate fate = fate_of(how, last, write, random);
        if (fate > LOST && !write)
            return false;
        if (op->kind == DISK_CREATE)
            created[op->file] = fate == KEPT;
        if (!created[op->file]) /* without its name a file has nothing */
            fate = LOST;
        uint64_t done = apply(&to->files[op->file], op, fate, random);
        if (done != 0)
            hash = mix(hash, mix(done, crash->pending[i]));
    }
    return is_new(crash, hash);
}
