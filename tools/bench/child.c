/* Processes and folders of a bench, see child.h.
 *
 * Owns: the list of processes that run. Each dies with this one (PR_SET_PDEATHSIG), also when this
 * one is killed, and is ended by its pid otherwise. Failure modes: a process that does not end in
 * its time is killed. Refuses: to end what it did not start, to remove folders below a folder. */
#define _GNU_SOURCE /* sched_setaffinity, pipe2 */
#include "tools/bench/child.h"

#include "tools/bench/usage.h"
#include "tools/revhook/revhook.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 64
#define STEP_MS      5 /* between two looks at a process that is to end */

static pid_t children[CHILDREN_MAX];
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static int keep_two_processors(void)
{
    cpu_set_t all, two;
    int kept = 0;
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        return (int)sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&two);
    for (int i = 0; i < CPU_SETSIZE && kept < 2; i++)
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &two);
            kept++;
        }
    return sched_setaffinity(0, sizeof(two), &two) == 0 ? kept : CPU_COUNT(&all);
}

int child_begin(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit; /* a thousand endpoints, and connections to each */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return keep_two_processors();
}

bool child_stopped(void)
{
    return stopped != 0;
}

static long now_ms(void)
{
    return (long)(now_ns() / 1000000);
}

bool child_pause(int ms)
{
    for (long left, end = now_ms() + ms; !stopped && (left = end - now_ms()) > 0;)
        poll(NULL, 0, (int)left);
    return !stopped;
}

static void remember(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == 0) {
            children[i] = pid;
            return;
        }
    abort(); /* a stage has three, a group ten stages */
}

static void forget(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == pid)
            children[i] = 0;
}

/* In the new process: end with the parent, which must not have ended already. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

pid_t child_fork(int (*run)(void *argument), void *argument)
{
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        die_with(parent);
        signal(SIGINT, SIG_IGN); /* the one at the terminal asks the parent, which ends this one */
        stopped = 0;             /* SIGTERM sets it, as in the parent */
        memset(children, 0, sizeof(children));
        _exit(run(argument));
    }
    if (pid > 0)
        remember(pid);
    return pid;
}

pid_t child_exec(char *const argv[], const char *log, int *out)
{
    char *nothing[] = {NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        die_with(parent);
        setpgid(0, 0); /* not asked by the terminal: this process asks it */
        int errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (errors < 0 || dup2(errors, STDERR_FILENO) < 0 || dup2(ends[1], STDOUT_FILENO) < 0)
            _exit(127);
        execve(argv[0], argv, nothing); /* no REVHOOK_TOKEN of the user's */
        dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -1;
    }
    remember(pid);
    *out = ends[0];
    return pid;
}

int child_wait(pid_t pid, int ms)
{
    int status = 0;
    long end = now_ms() + ms;
    pid_t ended;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && !stopped && now_ms() < end)
        poll(NULL, 0, STEP_MS);
    if (ended == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    forget(pid);
    return ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void child_hold(pid_t pid)
{
    if (pid > 0)
        kill(pid, SIGSTOP);
}

void child_go_on(pid_t pid)
{
    if (pid > 0)
        kill(pid, SIGCONT);
}

void child_end(pid_t pid, int ms)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    child_go_on(pid); /* what is stopped does not see it */
    child_wait(pid, ms);
}

bool child_run(int (*run)(void *argument), void *argument, int ms)
{
    pid_t pid = child_fork(run, argument);
    return pid > 0 && child_wait(pid, ms) == 0;
}

void child_end_all(void)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] > 0) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
            children[i] = 0;
        }
}

void *child_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        out_of_memory();
    return memory;
}

void child_unshare(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

bool child_folder(const char *parent, char *path, size_t path_bytes)
{
    int bytes = snprintf(path, path_bytes, "%s/revhook-bench-XXXXXX", parent);
    return bytes > 0 && (size_t)bytes < path_bytes && mkdtemp(path) != NULL;
}

void child_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(path);
}
