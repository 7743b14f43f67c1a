/* replay.c - a main for a fuzz target without libFuzzer: gives it every file of the folders named,
 * once.
 *
 * So what fuzzing has found stays a test in every build, with gcc, with sanitizers, without clang.
 * An input that breaks a target ends the program, like any assert; the name of the file stands on
 * the last line. Refuses: to make inputs of its own, and to pass without any. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX (1 << 20)

/* In memory of its own length, so that a sanitizer sees a byte read too far. */
static void give(const char *path)
{
    static uint8_t whole[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t bytes = fread(whole, 1, sizeof(whole), file);
    fclose(file);
    uint8_t *data = malloc(bytes > 0 ? bytes : 1);
    if (data == NULL)
        abort();
    memcpy(data, whole, bytes);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, bytes);
    free(data);
}

static unsigned give_folder(const char *folder)
{
    unsigned count = 0;
    struct dirent **names;
    int found = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        char path[1024];
        int length = snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && length > 0 && (size_t)length < sizeof(path)) {
            give(path);
            count++;
        }
        free(names[i]);
    }
    if (found >= 0)
        free(names);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        count += give_folder(argv[i]);
    printf("%u inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
