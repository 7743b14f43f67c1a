/* Memory that cannot be had: malloc and its relatives for a test program that is linked with
 * --wrap (see CMakeLists.txt), so that each block that our own code asks for passes here, and so
 * that libraries that take an allocator can be given this one. Counts and fails as its `faults` say
 * (tests/crash/disk.h), and knows how many blocks are held. What libc takes for itself (a FILE's
 * buffer) does not come here. One thread. */
#ifndef REVHOOK_TESTS_FAULTS_ALLOCATOR_H
#define REVHOOK_TESTS_FAULTS_ALLOCATOR_H

#include "tests/crash/disk.h"

extern struct faults allocator_faults;
extern int64_t allocator_held; /* blocks */

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void __wrap_free(void *block);
char *__wrap_strdup(const char *text);

#endif
