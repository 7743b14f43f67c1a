/* Memory that cannot be had anywhere in a daemon: malloc and its relatives, for the program
 * revhookd_faulty, which is revhookd with this file. Being in the program they are taken by every
 * library of it, too (h2o, libcurl, OpenSSL, SQLite, Jansson, libc itself).
 *
 * FAIL_BLOCK=N in the environment refuses the N-th block that is asked for after the start, or,
 * with FAIL_WHEN=signal, after SIGUSR2; that is told on stderr, with the calls that led there and,
 * if it comes to that, those that led to an abort. At the end, if the program comes to one, the
 * number of blocks that were counted is told there, too. */
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);

static atomic_ullong asked;
static unsigned long long refuse;
static atomic_bool armed;

static void tell(const char *what, unsigned long long number)
{
    char line[64], *at = line + sizeof line;
    *--at = '\n';
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    size_t bytes = strlen(what);
    memcpy(at - bytes, what, bytes);
    at -= bytes;
    ssize_t written = write(2, at, (size_t)(line + sizeof line - at));
    (void)written;
}

static void tell_calls(void)
{
    void *calls[40];
    backtrace_symbols_fd(calls, backtrace(calls, 40), 2);
}

static void aborted(int number)
{
    tell("aborted by signal ", (unsigned long long)number);
    tell_calls();
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
}

static bool refused(void)
{
    if (!atomic_load_explicit(&armed, memory_order_relaxed))
        return false;
    unsigned long long block = atomic_fetch_add(&asked, 1) + 1;
    if (block != refuse)
        return false;
    tell("refused block ", block);
    tell_calls();
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return refused() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return refused() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    return refused() ? NULL : __libc_realloc(block, bytes);
}

static void arm(int number)
{
    (void)number;
    atomic_store(&armed, true);
    tell("armed ", refuse);
}

__attribute__((constructor)) static void begin(void)
{
    const char *block = getenv("FAIL_BLOCK"), *when = getenv("FAIL_WHEN");
    void *first[1];
    backtrace(first, 1); /* loads what it needs */
    signal(SIGABRT, aborted);
    refuse = block != NULL ? strtoull(block, NULL, 10) : 0;
    if (when != NULL && strcmp(when, "signal") == 0)
        signal(SIGUSR2, arm);
    else
        atomic_store(&armed, true);
}

__attribute__((destructor)) static void end(void)
{
    atomic_store(&armed, false);
    tell("asked for blocks: ", atomic_load(&asked));
}
