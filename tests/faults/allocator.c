/* See allocator.h. */
#include "allocator.h"

#include <errno.h>
#include <string.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);

struct faults allocator_faults;
int64_t allocator_held;

static bool refused(void)
{
    if (!faults_hit(&allocator_faults))
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    allocator_held += block != NULL;
    return block;
}

void *__wrap_malloc(size_t bytes)
{
    return refused() ? NULL : counted(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refused() ? NULL : counted(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *block, size_t bytes)
{
    if (refused())
        return NULL;
    void *grown = __real_realloc(block, bytes);
    allocator_held += block == NULL && grown != NULL;
    return grown;
}

void __wrap_free(void *block)
{
    allocator_held -= block != NULL;
    __real_free(block);
}

char *__wrap_strdup(const char *text)
{
    char *copy = __wrap_malloc(strlen(text) + 1);
    return copy == NULL ? NULL : strcpy(copy, text);
}
