/* A store and its keys: from plain text to sealed, from one key to the next, and what does not fit.
 * Against both back-ends; what stays in the files is looked for in their bytes. */
#define _GNU_SOURCE /* memmem */
#include "dispatcher/reseal.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WEBHOOKS 700 /* more than two steps */

static const struct seal_key keys[] = {{1, "key one"}, {2, "key two"}, {1, "a stranger's"}};

struct world {
    char directory[64]; /* "": the memory back-end */
    struct store *store;
    struct clock *clock;
    struct sealer *sealer;
    char error[300];
};

static struct store_bytes text(const char *at)
{
    return (struct store_bytes){at, strlen(at)};
}

static void open_store(struct world *w)
{
    const struct store_options options = {w->directory, 0};
    assert_int_equal(store_open_sqlite(&options, &w->store, w->error, sizeof(w->error)), STORE_OK);
}

static struct world *make(bool sqlite)
{
    struct world *w = calloc(1, sizeof(*w));
    w->sealer = sealer_new(keys, 1);
    w->clock = clock_virtual((struct instant){0, 0}, "");
    if (sqlite) {
        snprintf(w->directory, sizeof(w->directory), "/tmp/revhook-reseal-XXXXXX");
        assert_non_null(mkdtemp(w->directory));
        open_store(w);
    } else {
        assert_int_equal(store_open_memory(&w->store), STORE_OK);
    }
    return w;
}

static int setup_memory(void **state)
{
    *state = make(false);
    return 0;
}

static int setup_sqlite(void **state)
{
    *state = make(true);
    return 0;
}

/* Calls `visit` with the path of each file of the store. */
static void each_file(const struct world *w, void (*visit)(void *ctx, const char *path), void *ctx)
{
    DIR *directory = opendir(w->directory);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", w->directory, entry->d_name);
        if (entry->d_name[0] != '.')
            visit(ctx, path);
    }
    if (directory)
        closedir(directory);
}

static void remove_file(void *ctx, const char *path)
{
    (void)ctx;
    unlink(path);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    store_close(w->store);
    clock_free(w->clock);
    sealer_free(w->sealer);
    if (w->directory[0]) {
        each_file(w, remove_file, NULL);
        rmdir(w->directory);
    }
    free(w);
    return 0;
}

/* How often the canary stands in the file. */
static void count_canary(void *ctx, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(64 << 20);
    size_t count = file ? fread(bytes, 1, 64 << 20, file) : 0;
    for (char *at = bytes; (at = memmem(at, (size_t)(bytes + count - at), "canary", 6)); at++)
        ++*(unsigned *)ctx;
    free(bytes);
    if (file)
        fclose(file);
}

static unsigned canaries(const struct world *w)
{
    unsigned count = 0;
    each_file(w, count_canary, &count);
    return count;
}

static void commit(struct world *w)
{
    assert_int_equal(store_commit(w->store, clock_now(w->clock), ""), STORE_OK);
}

/* Webhooks as versions before this one wrote them; every tenth is deleted. */
static void insert_plain(struct world *w)
{
    assert_int_equal(store_begin(w->store), STORE_OK);
    for (int i = 0; i < WEBHOOKS; i++) {
        char id[16], secret[32], headers[600];
        snprintf(id, sizeof(id), "w%d", i);
        snprintf(secret, sizeof(secret), "canary-secret-%d", i);
        snprintf(headers, sizeof(headers), "x-key: canary-%0*d\n", i % 400 + 1, i);
        struct store_webhook row = {
            .id = text(id),
            .org = text("dev0"),
            .partition = text("dvrv-us-1"),
            .url = text("https://example.com/"),
            .target = text("https://example.com/"),
            .secret = text(i % 10 == 9 ? "" : secret),
            .headers = text(i % 10 == 9 || i % 3 == 0 ? "" : headers),
            .status = {.state = i % 10 == 9 ? WEBHOOK_DELETED : WEBHOOK_ACTIVE,
                       .generation = (uint32_t)i + 1,
                       .verify_next = MONO_NEVER,
                       .verify_until = MONO_NEVER},
        };
        assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    }
    commit(w);
}

struct seen {
    struct world *w;
    uint32_t version; /* that all must be sealed under; 0: any */
    unsigned count, old;
};

static bool see(void *ctx, const struct store_webhook *row)
{
    struct seen *seen = ctx;
    struct sealed_row opened;
    char expected[32];
    int i = atoi(row->id.at + 1);
    seen->count++;
    assert_int_equal(seal_row_open(seen->w->sealer, row, &opened), SEAL_OK);
    snprintf(expected, sizeof(expected), "canary-secret-%d", i);
    assert_int_equal(opened.secret.bytes, i % 10 == 9 ? 0 : strlen(expected));
    assert_memory_equal(opened.secret.at, expected, opened.secret.bytes);
    assert_int_equal(opened.headers.bytes > 0, !(i % 10 == 9 || i % 3 == 0));
    seen->old += row->secret.bytes > 0 && seal_version_of(row->secret) != seen->version;
    sealed_row_free(&opened);
    return true;
}

/* Everything opens; returns how many are sealed under another version. */
static unsigned check_all(struct world *w, uint32_t version)
{
    struct seen seen = {w, version, 0, 0};
    assert_int_equal(store_begin(w->store), STORE_OK);
    assert_int_equal(store_webhook_walk(w->store, 0, WEBHOOKS + 1, see, &seen), STORE_OK);
    store_rollback(w->store);
    assert_int_equal(seen.count, WEBHOOKS);
    return seen.old;
}

static bool start(struct world *w)
{
    w->error[0] = '\0';
    return reseal_start(w->store, w->clock, w->sealer, "the.key", w->error, sizeof(w->error));
}

static void plain_text_is_sealed_at_once(void **state)
{
    struct world *w = *state;
    bool sealed;
    insert_plain(w);
    if (w->directory[0])
        assert_true(canaries(w) > WEBHOOKS); /* the search finds what is there */
    assert_true(reseal_is_sealed(w->store, &sealed, w->error, sizeof(w->error)));
    assert_false(sealed);
    assert_true(start(w));
    assert_true(reseal_is_sealed(w->store, &sealed, w->error, sizeof(w->error)));
    assert_true(sealed);
    assert_int_equal(check_all(w, 1), 0);
    assert_int_equal(canaries(w), 0); /* not in free space, not in the log */
    assert_true(start(w));            /* and again, as at the next start */
    assert_int_equal(check_all(w, 1), 0);
}

/* Step by step; between two of them everything opens, and a new start goes on. */
static void a_rotation_in_steps(void **state)
{
    struct world *w = *state;
    struct reseal_step step = {0};
    uint64_t resealed = 0;
    unsigned steps = 0, left, before = WEBHOOKS;
    insert_plain(w);
    assert_true(start(w));
    sealer_set(w->sealer, keys, 2);
    while (!step.done) {
        assert_int_equal(reseal_step(w->store, w->clock, w->sealer, &step), STORE_OK);
        resealed += step.resealed;
        left = check_all(w, 2);
        assert_true(left <= before);
        before = left;
        steps++;
        if (steps == 1) { /* the service ends and starts */
            assert_true(start(w));
            step = (struct reseal_step){0};
        }
    }
    assert_int_equal(left, 0);
    assert_int_equal(resealed, WEBHOOKS - WEBHOOKS / 10);
    assert_true(steps >= 3);
    sealer_set(w->sealer, keys + 1, 1); /* the old key is not needed for anything */
    assert_true(start(w));
    assert_int_equal(check_all(w, 2), 0);
}

static void keys_that_do_not_fit_are_told(void **state)
{
    struct world *w = *state;
    assert_true(start(w)); /* no webhook at all */
    sealer_set(w->sealer, keys + 1, 1);
    assert_false(start(w));
    assert_non_null(strstr(w->error, "sealed under key 1, which the.key does not have"));
    sealer_set(w->sealer, keys + 2, 1);
    assert_false(start(w));
    assert_non_null(strstr(w->error, "key 1 in the.key is not the one"));
    sealer_set(w->sealer, keys, 1);
    assert_true(start(w));
}

/* A row that somebody has changed ends the walk and changes nothing: the old keys must stay. */
static void one_that_does_not_open_ends_the_walk(void **state)
{
    struct world *w = *state;
    struct reseal_step step = {0};
    uint8_t mark[STORE_SEAL_BYTES_MAX];
    size_t bytes;
    insert_plain(w);
    assert_true(start(w));
    assert_int_equal(store_begin(w->store), STORE_OK);
    assert_int_equal(store_webhook_reseal(
                         w->store, 3, text("forty bytes that are sealed by nobody..."), text("")),
                     STORE_OK);
    commit(w);
    sealer_set(w->sealer, keys, 2);
    assert_int_equal(reseal_step(w->store, w->clock, w->sealer, &step), STORE_CORRUPT);
    assert_false(step.done);
    assert_int_equal(store_seal_get(w->store, mark, &bytes), STORE_OK);
    assert_int_equal(seal_version_of((struct store_bytes){(char *)mark, bytes}), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define BOTH(test)                                                  \
    cmocka_unit_test_setup_teardown(test, setup_memory, tear_down), \
        cmocka_unit_test_setup_teardown(test, setup_sqlite, tear_down)
        BOTH(plain_text_is_sealed_at_once),
        BOTH(a_rotation_in_steps),
        BOTH(keys_that_do_not_fit_are_told),
        BOTH(one_that_does_not_open_ends_the_walk),
#undef BOTH
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
