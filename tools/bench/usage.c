/* What a process has used, see usage.h.
 *
 * Owns: the reading of /proc. The times are those of schedstat, which the kernel keeps to the
 * nanosecond; utime and stime are counted in ticks and too coarse for runs of a second. */
#include "tools/bench/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *const part_names[PART_COUNT] = {"api", "writer", "senders", "rest"};

static size_t read_file(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "re");
    size_t got = file != NULL ? fread(text, 1, bytes - 1, file) : 0;
    text[got] = '\0';
    if (file != NULL)
        fclose(file);
    return got;
}

static enum part part_of(pid_t pid, const char *thread)
{
    char path[128], name[32];
    snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", (int)pid, thread);
    read_file(path, name, sizeof(name));
    name[strcspn(name, "\n")] = '\0';
    if (strcmp(name, "api") == 0)
        return PART_API;
    if (strcmp(name, "writer") == 0)
        return PART_WRITER;
    return strncmp(name, "sender", 6) == 0 ? PART_SENDERS : PART_REST;
}

struct usage usage_of(pid_t pid)
{
    struct usage usage = {{0}};
    char path[128], text[128];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (struct dirent *thread; threads != NULL && (thread = readdir(threads)) != NULL;) {
        if (thread->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)pid, thread->d_name);
        if (read_file(path, text, sizeof(text)) > 0)
            usage.ns[part_of(pid, thread->d_name)] += strtoull(text, NULL, 10);
    }
    if (threads != NULL)
        closedir(threads);
    return usage;
}

uint64_t usage_total(const struct usage *usage)
{
    uint64_t ns = 0;
    for (int i = 0; i < PART_COUNT; i++)
        ns += usage->ns[i];
    return ns;
}

/* A row of /proc/PID/status that counts KiB, in MB. */
static double status_mb(pid_t pid, const char *row)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    read_file(path, text, sizeof(text));
    const char *at = strstr(text, row);
    return at != NULL ? strtod(at + strlen(row), NULL) * 1024 / 1e6 : 0;
}

double usage_rss_mb(pid_t pid)
{
    return status_mb(pid, "VmRSS:");
}

double usage_rss_peak_mb(pid_t pid)
{
    return status_mb(pid, "VmHWM:");
}

uint64_t usage_idle_ns(FILE *stat, int processors)
{
    char line[512];
    unsigned long long ticks = 0;
    for (int seen = 0; seen < processors && fgets(line, sizeof(line), stat) != NULL;) {
        unsigned long long idle, wait;
        /* The line of all processors has no number. */
        if (sscanf(line, "cpu%*[0-9] %*u %*u %*u %llu %llu", &idle, &wait) != 2)
            continue;
        ticks += idle + wait;
        seen++;
    }
    return ticks * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK));
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
