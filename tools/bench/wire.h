/* Where an HTTP/1.1 message ends, and how fast that can be known. For the bench's own sender and
 * receiver alone: it looks at what is needed to tell messages apart and judges nothing. Pure. */
#ifndef REVHOOK_BENCH_WIRE_H
#define REVHOOK_BENCH_WIRE_H

#include <stddef.h>
#include <sys/types.h>

/* How many bytes the first message in `at` has in all, 0 if more must come, -1 if it can never be
 * read. *head_bytes: of its head, the empty line included. Bodies by Content-Length or chunked. */
ssize_t wire_length(const char *at, size_t bytes, size_t *head_bytes);

/* The status of an answer whose head is complete; 0 if that is none. */
int wire_status(const char *at, size_t bytes);

#endif
