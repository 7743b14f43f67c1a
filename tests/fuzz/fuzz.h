/* What a fuzz target is: one function over any bytes. libFuzzer calls it with inputs that it makes,
 * replay.c with those of a corpus. */
#ifndef REVHOOK_TESTS_FUZZ_FUZZ_H
#define REVHOOK_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Judges one input; a property that does not hold ends the program. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
