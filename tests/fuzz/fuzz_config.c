/*
 * fuzz_config.c - settings on arbitrary bytes: one value, and a whole file.
 *
 * The first byte chooses a row, the rest is its value and, taken again, the text of a file. Checked
 * for every input:
 *   - a value that is refused changes nothing, and the reason says something;
 *   - a number that is taken lies within the bounds of its row;
 *   - a file that is refused tells its line or its key, and leaves the settings empty;
 *   - a file that is taken, printed as --print-config prints it and read again, gives the same
 *     settings (but for the token, which is never printed).
 */
#define _GNU_SOURCE
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config.h"
#include "tests/fuzz/fuzz.h"

/* All settings as `key = value` lines, without comments and without the token. */
static char *print(const struct config *config)
{
    char *text = NULL;
    size_t bytes, kept = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert(out != NULL);
    config_print(config, out);
    fclose(out);
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        size_t length = end != NULL ? (size_t)(end - line) + 1 : strlen(line);
        if (line[0] != '#' && line[0] != '\n' && strncmp(line, "token ", 6) != 0) {
            memmove(text + kept, line, length);
            kept += length;
        }
        line += length;
    }
    text[kept] = '\0';
    return text;
}

static bool load(struct config *config, const char *text, size_t bytes, char error[512])
{
    char path[64], *nothing[] = {NULL};
    int fd = memfd_create("settings", MFD_CLOEXEC);
    enum config_action action;
    assert(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    char *argv[] = {"revhookd", "--config", path, NULL};
    bool good = config_load(config, 3, argv, nothing, &action, error, 512);
    close(fd);
    return good;
}

static void check_value(const uint8_t *data, size_t bytes)
{
    struct config config = {0};
    char error[512] = "", *text = strndup((const char *)data + 1, bytes - 1);
    enum config_key key = data[0] % CONFIG_KEY_COUNT;
    const struct config_row *row = config_row(key);
    assert(text != NULL && load(&config, "", 0, error));
    assert(config_key_from_name(row->name, strlen(row->name)) == key);
    char *before = print(&config);
    if (!config_set(&config, key, text, error, sizeof(error))) {
        char *after = print(&config);
        assert(error[0] != '\0' && strcmp(before, after) == 0);
        free(after);
    } else if (strcmp(row->type, "INT") == 0) {
        int64_t value = strtoll(text, NULL, 10);
        assert(value >= row->min && value <= row->max);
    }
    free(before);
    config_free(&config);
    free(text);
}

static void check_file(const char *text, size_t bytes)
{
    static const struct config empty;
    struct config config, again;
    char error[512] = "";
    if (!load(&config, text, bytes, error)) {
        assert(error[0] != '\0' && memcmp(&config, &empty, sizeof(config)) == 0);
        return;
    }
    char *first = print(&config);
    if (!load(&again, first, strlen(first), error)) {
        fprintf(stderr, "what was printed is refused: %s\n%s", error, first);
        abort();
    }
    char *second = print(&again);
    assert(strcmp(first, second) == 0);
    free(second);
    free(first);
    config_free(&again);
    config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0 || bytes > 4096)
        return 0;
    check_value(data, bytes);
    check_file((const char *)data + 1, bytes - 1);
    return 0;
}
