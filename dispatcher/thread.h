/* The start of a thread, with a sentence where it fails, and waiting for another one.
 *
 * Owns: those words. Refuses: to know what the threads do. */
#ifndef REVHOOK_DISPATCHER_THREAD_H
#define REVHOOK_DISPATCHER_THREAD_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts `run(argument)` in a thread of its own, to be joined. False, with a sentence in `error`
 * that names `what` ("the writer") and says what to do, if there can be no more threads. Any
 * thread. */
bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *what,
                  char *error, size_t error_bytes);

/* Waits until another thread has posted; a signal does not end it. Any thread. */
void thread_wait(sem_t *posted);

#endif
