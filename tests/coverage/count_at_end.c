/* Part of every program of a build for coverage: a process that ends by _exit, as a forked one
 * does, or by abort, as one without memory does, writes what it has counted before it ends. Only a
 * process that is killed writes nothing. */
#include <gcov.h>

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void __real_abort(void);
_Noreturn void __wrap_abort(void);

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

void __wrap_abort(void)
{
    __gcov_dump();
    __real_abort();
}
