/* The dispatcher, and every call to the store that may fail.
 *
 * Method. A story (story.c) is played by the real dispatcher, with its threads, over sockets
 * to a receiver, under the virtual clock, with the SQLite store; in the n-th run the n-th call of a
 * writing verb (begin, each verb, commit, and those at start) fails, n = 1, 2, 3 ... until a run
 * has fewer calls. That twice: the call alone, and it with the next three. Each call of the API
 * that is answered "unavailable" is made again, as a client would. Then
 *   - every call has been answered, and within a few tries with success: the service resumes by
 *     itself (L7),
 *   - what stands in the store and what the receiver got is exactly what a run without failures
 *     leaves: nothing acknowledged is lost, nothing refused is there (S14), no attempt is made
 * twice because its outcome could not be written (S3), every delivery has its end (S12).
 *
 * Command: build/tests/fail_writer [FIRST]; TEST_SCALE=quick|plain|full takes every 15th, 5th or
 * each call, of four in a row a third of that. Prints `N of N injected, 0 lost`, at last
 * `N passed, N failed`. */
#include "story.h"

#include "store/store_ops.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a store whose calls fail ---- */

static struct {
    atomic_ullong calls, failed;
    unsigned long long at, count; /* calls at .. at + count - 1 fail; at 0: none */
    const char *verb;             /* the first that failed */
    const struct store_ops *real;
} faults;

static bool hit(struct store *store, const char *verb)
{
    unsigned long long call = atomic_fetch_add(&faults.calls, 1) + 1;
    if (faults.at == 0 || call < faults.at || call >= faults.at + faults.count)
        return false;
    if (atomic_fetch_add(&faults.failed, 1) == 0)
        faults.verb = verb;
    store_set_error(store, "%s fails on purpose", verb);
    return true;
}

#define FAILING(verb, parameters, arguments)                                   \
    static enum store_result fail_##verb parameters                            \
    {                                                                          \
        return hit(store, #verb) ? STORE_FAILED : faults.real->verb arguments; \
    }

FAILING(begin, (struct store * store), (store))
FAILING(commit, (struct store * store, struct instant now, const char *boot), (store, now, boot))
FAILING(webhook_insert, (struct store * store, struct store_webhook *row), (store, row))
FAILING(webhook_configure, (struct store * store, const struct store_webhook *row), (store, row))
FAILING(webhook_status,
        (struct store * store, int64_t webhook, const struct webhook_status *status),
        (store, webhook, status))
FAILING(webhook_look,
        (struct store * store, int64_t webhook, store_visit_webhook *visit, void *ctx),
        (store, webhook, visit, ctx))
FAILING(settle,
        (struct store * store, int64_t webhook, enum delivery_state state, enum reason reason,
         const int64_t *except, size_t count, uint64_t *settled),
        (store, webhook, state, reason, except, count, settled))
FAILING(accept,
        (struct store * store, struct store_event *event, const struct store_target *targets,
         uint32_t count),
        (store, event, targets, count))
FAILING(object_get, (struct store * store, int64_t number, store_visit_object *visit, void *ctx),
        (store, number, visit, ctx))
FAILING(object_remove, (struct store * store, int64_t number), (store, number))
FAILING(idempotency_find,
        (struct store * store, struct store_bytes org, struct store_bytes key, mono_ms now,
         struct store_idempotency *found),
        (store, org, key, now, found))
FAILING(idempotency_insert,
        (struct store * store, struct store_bytes org, struct store_bytes key,
         const struct store_idempotency *row),
        (store, org, key, row))
FAILING(record, (struct store * store, const struct store_record *record), (store, record))
FAILING(reopen, (struct store * store, int64_t delivery, mono_ms due), (store, delivery, due))
FAILING(pending_after,
        (struct store * store, int64_t webhook, mono_ms due, int64_t key, unsigned limit,
         store_visit_pending *visit, void *ctx, bool *more),
        (store, webhook, due, key, limit, visit, ctx, more))
FAILING(purge,
        (struct store * store, wall_us before_us, mono_ms now, unsigned limit, unsigned *removed),
        (store, before_us, now, limit, removed))
FAILING(recover, (struct store * store, store_visit_recover *visit, void *ctx), (store, visit, ctx))
FAILING(open_count, (struct store * store, uint64_t *count), (store, count))

static void make_failing(struct store *store)
{
    static struct store_ops failing;
    faults.real = store->ops;
    failing = *store->ops;
#define USE(verb) failing.verb = fail_##verb
    USE(begin);
    USE(commit);
    USE(webhook_insert);
    USE(webhook_configure);
    USE(webhook_status);
    USE(webhook_look);
    USE(settle);
    USE(accept);
    USE(object_get);
    USE(object_remove);
    USE(idempotency_find);
    USE(idempotency_insert);
    USE(record);
    USE(reopen);
    USE(pending_after);
    USE(purge);
    USE(recover);
    USE(open_count);
#undef USE
    store->ops = &failing;
}

/* ---- the loop ---- */

static struct story_end play(unsigned long long at, unsigned long long count)
{
    faults.calls = faults.failed = 0;
    faults.at = at;
    faults.count = count;
    return story_play(make_failing);
}

/* Plays with the n-th call and `count` - 1 after it failing, for each n; false on a finding. */
static bool run_loop(const char *name, unsigned long long first, unsigned long long step,
                     unsigned long long count, const struct story_end *expected)
{
    unsigned long long runs = 0, injected = 0, lost = 0, refused = 0;
    for (unsigned long long n = first;; n += step) {
        struct story_end end = play(n, count);
        if (faults.failed == 0)
            break;
        runs++;
        injected += faults.failed > 0;
        refused += end.refused;
        if (story_same(&end, expected))
            continue;
        lost++;
        printf("  %s, call %llu (%s): ", name, n, faults.verb);
        story_print(&end);
    }
    printf("%s: %llu of %llu injected, %llu lost (%llu calls refused and made again)\n", name,
           injected, runs, lost, refused);
    return runs > 0 && lost == 0;
}

int main(int argc, char **argv)
{
    const char *scale = getenv("TEST_SCALE");
    unsigned long long first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, step = 5;
    if (scale != NULL && strcmp(scale, "plain") != 0)
        step = strcmp(scale, "full") == 0 ? 1 : 15;
    setvbuf(stdout, NULL, _IOLBF, 0);
    story_begin();
    struct story_end expected = play(0, 0);
    printf("without failures, %llu calls: ", (unsigned long long)faults.calls);
    story_print(&expected);
    bool sane = story_whole(&expected);
    bool once = run_loop("one store call", first, step, 1, &expected);
    bool more = run_loop("four store calls in a row", first, step * 3, 4, &expected);
    story_finish();
    printf("%d passed, %d failed\n", sane + once + more, 3 - sane - once - more);
    return sane && once && more ? 0 : 1;
}
