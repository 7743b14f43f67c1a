/* Calls that fail: for revhookd_calls and revhook_calls, which are revhookd and revhook with each
 * call of calls.def that our own code makes going through here (ld --wrap).
 *
 * FAIL_CALL=N in the environment lets the N-th of them fail, FAIL_CALL=NAME:N the N-th of that
 * name; that is told on stderr, with the name. Without FAIL_CALL none fails. Refuses: to let more
 * than one fail, and to do anything but answer as the call would. */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#undef json_array_append_new
#undef json_object_set_new

ssize_t __real_write(int fd, const void *at, size_t bytes);

static atomic_long counted;
static atomic_bool over;

/* What is called after main, as a build for coverage does, is not the program's. */
__attribute__((destructor)) static void after_main(void)
{
    over = true;
}

static bool fails(const char *name)
{
    const char *wanted = getenv("FAIL_CALL"), *colon;
    if (wanted == NULL || over)
        return false;
    colon = strchr(wanted, ':');
    if (colon != NULL && ((size_t)(colon - wanted) != strlen(name) ||
                          strncmp(wanted, name, (size_t)(colon - wanted)) != 0))
        return false;
    if (atomic_fetch_add(&counted, 1) + 1 != atol(colon != NULL ? colon + 1 : wanted))
        return false;
    char line[80];
    int bytes = snprintf(line, sizeof(line), "refused call %s\n", name);
    return __real_write(STDERR_FILENO, line, (size_t)bytes) == bytes;
}

#define X(type, name, parameters, arguments, failure, reason) \
    type __real_##name parameters;                            \
    type __wrap_##name parameters;                            \
    type __wrap_##name parameters                             \
    {                                                         \
        if (!fails(#name))                                    \
            return __real_##name arguments;                   \
        errno = reason;                                       \
        return failure;                                       \
    }
#include "calls.def"
#undef X

/* ---- those that take one more argument, or not ---- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (!fails("open"))
        return __real_open(path, flags, mode);
    errno = EMFILE;
    return -1;
}

int __wrap_prctl(int option, ...)
{
    va_list more;
    va_start(more, option);
    unsigned long a = va_arg(more, unsigned long), b = va_arg(more, unsigned long);
    va_end(more);
    if (!fails("prctl"))
        return __real_prctl(option, a, b, 0ul, 0ul);
    errno = EINVAL;
    return -1;
}

long __wrap_syscall(long number, ...)
{
    va_list more;
    va_start(more, number);
    long a = va_arg(more, long), b = va_arg(more, long), c = va_arg(more, long);
    long d = va_arg(more, long);
    va_end(more);
    if (!fails("syscall"))
        return __real_syscall(number, a, b, c, d);
    errno = ENOSYS;
    return -1;
}

/* Whatever the option takes, a number or a pointer, it is as wide as a pointer. */
CURLcode(__wrap_curl_easy_setopt)(CURL *easy, CURLoption option, ...)
{
    va_list more;
    va_start(more, option);
    void *value = va_arg(more, void *);
    va_end(more);
    return fails("curl_easy_setopt") ? CURLE_OUT_OF_MEMORY
                                     : __real_curl_easy_setopt(easy, option, value);
}
