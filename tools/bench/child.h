/* The processes and the folder of a bench: what it starts it ends, by pid, whatever happens. */
#ifndef REVHOOK_BENCH_CHILD_H
#define REVHOOK_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Catches SIGINT, SIGTERM and SIGHUP; keeps this process and all that follow on the first two of
 * the processors that it may use. Returns how many processors those are. Once, before anything
 * else. */
int child_begin(void);

/* Whether a signal asked to end. */
bool child_stopped(void);

/* Waits; ends early with false when a signal asks to end. */
bool child_pause(int ms);

/* A process that runs `run` and ends with its result as exit status. It dies with this one; SIGTERM
 * asks it to end (child_stopped). -1 if it cannot be started. */
pid_t child_fork(int (*run)(void *argument), void *argument);

/* Starts a program; its standard output can be read from *out, its standard error goes to the file
 * `log`. */
pid_t child_exec(char *const argv[], const char *log, int *out);

/* Waits up to `ms` for the process to end and returns its exit status; -1 if it did not, or a
 * signal asked to end, or one killed it: then it has been killed. */
int child_wait(pid_t pid, int ms);

/* Stops a process where it is (SIGSTOP), and lets it go on. pid -1 is fine. */
void child_hold(pid_t pid);
void child_go_on(pid_t pid);

/* Asks it to end (SIGTERM), waits up to `ms`, then kills it. pid -1 is fine, and one that is held.
 */
void child_end(pid_t pid, int ms);

/* Runs `run` in a process of its own and waits for it. True if it returned 0 in time. */
bool child_run(int (*run)(void *argument), void *argument, int ms);

/* Kills every process that was started and has not ended. */
void child_end_all(void);

/* Memory that this process and those it forks share, zeroed. Ends the program if there is none. */
void *child_share(size_t bytes);
void child_unshare(void *memory, size_t bytes);

/* Makes a folder for this bench under `parent`; writes its name to `path`. */
bool child_folder(const char *parent, char *path, size_t path_bytes);

/* Removes the files in a folder, and the folder. One level: nothing here makes another. */
void child_remove(const char *path);

#endif
