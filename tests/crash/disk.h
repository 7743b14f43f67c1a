/* A disk in memory that can lose power, and SQLite's way to it.
 *
 * Owns: the files that SQLite makes of one database (the database, its write-ahead log, its
 * rollback journal), as the running program sees them; the log of everything that was done to them,
 * with the marks of what was acknowledged in between; what may be left of them after a crash; calls
 * that fail on request.
 *
 * Happy path: disk_use makes a disk the one that SQLite's default VFS works on. While `recording`
 * is set each write, cut, creation, removal and sync is logged with its bytes. A `struct crash`
 * walks along that log: crash_next takes one more operation, crash_rebuild fills another disk with
 * one of the states that the medium may be in at this boundary.
 *
 * What may be left: everything that a completed sync covers is there. Of what came later each
 * operation by itself, in any combination, is there, is missing, is there up to a sector, in some
 * sectors, as noise, or as zeros (the file has grown, its bytes have not arrived). The first sync
 * of a new file, and of a log or journal that was opened, syncs the directory too, as in SQLite's
 * unix VFS: names that were made or removed until then stay so.
 * The bytes beside a write stay as they were (SQLITE_IOCAP_POWERSAFE_OVERWRITE, which the unix VFS
 * promises too). The log's index (shm) is memory: it does not outlive the power, and the unix VFS
 * empties what it finds of it, so it begins empty here.
 *
 * Refuses: a second connection to the same disk at the same time, so locks have nothing to do. All
 * of it belongs to one thread. */
#ifndef REVHOOK_TESTS_CRASH_DISK_H
#define REVHOOK_TESTS_CRASH_DISK_H

#include "tools/sim/random.h"

#include <stddef.h>
#include <stdint.h>

enum { DISK_DATABASE, DISK_LOG, DISK_JOURNAL, DISK_FILES };

/* Calls of some kind that may fail on purpose. */
struct faults {
    uint64_t calls, failed; /* made so far; how many of them have failed */
    uint64_t at;            /* the call with this number fails, from 1; 0: none */
    bool on;                /* and every one after it */
    bool paused;            /* the test looks for itself: nothing is counted, nothing fails */
};

struct disk_file {
    bool exists;
    bool fresh; /* its next sync syncs the directory, too */
    uint8_t *bytes;
    size_t size, capacity;
};

enum disk_kind {
    DISK_CREATE,
    DISK_WRITE,
    DISK_CUT,
    DISK_REMOVE,
    DISK_SYNC,
    DISK_NAMES,
    DISK_ACKNOWLEDGED
};

struct disk_op {
    enum disk_kind kind;
    int file;
    size_t at, bytes; /* WRITE; CUT: the size that is left in `at` */
    uint8_t *data;
};

struct disk {
    struct disk_file files[DISK_FILES];
    struct disk_op *ops;
    size_t op_count, op_capacity;
    bool recording;
    bool off;            /* what is written goes nowhere: for closing what has crashed */
    unsigned drop_every; /* n: every n-th sync is answered and not done; 0: none */
    unsigned syncs;
    struct faults faults; /* of its calls */
    bool full;            /* only writes may fail: for want of space */
    uint8_t *index[16];   /* regions of the log's index */
    unsigned index_regions;
    struct random random; /* SQLite's own */
};

/* An empty disk with an empty database file on it (the store makes that before SQLite is asked). */
void disk_init(struct disk *disk, uint64_t seed);
void disk_free(struct disk *disk);
/* Registers the VFS as SQLite's default (the first time) and makes it work on this disk. */
void disk_use(struct disk *disk);
/* Forgets the log and the index; the files stay. */
void disk_clear(struct disk *disk);
/* Logs that what was done up to here has been acknowledged. */
void disk_acknowledge(struct disk *disk);

/* Counts a call; true if it has to fail. */
bool faults_hit(struct faults *faults);

/* How a call goes, for disk_vfs.c: 0, or the code that it has to fail with. */
int disk_call(struct disk *disk, int error);
void disk_create(struct disk *disk, int file);
void disk_remove(struct disk *disk, int file, bool durable);
void disk_write(struct disk *disk, int file, size_t at, const void *bytes, size_t count);
void disk_cut(struct disk *disk, int file, size_t size);
void disk_sync(struct disk *disk, int file);

/* For crash.c: sets the size of a file (new bytes are 0), and makes one a copy of another. */
void disk_resize(struct disk_file *file, size_t size);
void disk_file_copy(struct disk_file *to, const struct disk_file *from);

/* A place in a disk's log, with what is durable there and what is not yet. */
struct crash {
    const struct disk *disk;
    size_t taken;        /* operations of the log */
    size_t acknowledged; /* marks among them */
    struct disk_file durable[DISK_FILES];
    size_t *pending, pending_count; /* operations that no sync covers */
    uint64_t *seen;                 /* states that were rebuilt since the last sync: their hashes */
    size_t seen_count, seen_capacity;
};

/* `base` is what was on the disk when its log began; it is copied. */
void crash_begin(struct crash *crash, const struct disk *disk, const struct disk *base);
/* Takes one more operation; false at the end of the log. */
bool crash_next(struct crash *crash);
/* Fills `to` with a state that this boundary may leave. `how` below CRASH_PLAIN are the plain ones
 * (all there, nothing there, ...), above are mixtures by `random`. False if there is no such state,
 * or if it has been rebuilt before with the same promises. */
enum { CRASH_PLAIN = 6 };
bool crash_rebuild(struct crash *crash, unsigned how, struct random *random, struct disk *to);
void crash_end(struct crash *crash);

#endif
