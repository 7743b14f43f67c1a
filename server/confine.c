/* What the process gives up, see confine.h.
 *
 * Owns: the change of user, and a Landlock ruleset. Happy path: started as root for a low port or
 * to read keys, it becomes a user who owns the data directory and nothing else; then the kernel is
 * told that this process writes below that directory only. Whoever takes the process over through a
 * bug gets no more than that. Reading is not limited: name look-up, certificates and the settings
 * lie in many places, and none of them is a secret to that user. Landlock costs a look-up when a
 * file is opened, which the service does at its start.
 *
 * Failure modes: a user that does not exist or a directory of somebody else's is an error at
 * start; a kernel without Landlock is not, the caller says so in the log. Refuses: to go on as root
 * when it was asked not to. */
#define _GNU_SOURCE
#include "server/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the user ---- */

static bool fail(char *error, size_t error_bytes, const char *what, const char *of)
{
    snprintf(error, error_bytes, "%s %s: %s", what, of, strerror(errno));
    return false;
}

/* Makes the directory for the user, or sees that an old one is the user's. */
static bool prepare_data(const struct passwd *user, const char *data, char *error,
                         size_t error_bytes)
{
    struct stat status;
    if (mkdir(data, 0700) == 0) {
        if (chown(data, user->pw_uid, user->pw_gid) == 0)
            return true;
        rmdir(data);
        return fail(error, error_bytes, "cannot give away the directory", data);
    }
    if (errno != EEXIST || stat(data, &status) != 0)
        return fail(error, error_bytes, "cannot make the directory", data);
    if (status.st_uid == user->pw_uid)
        return true;
    snprintf(error, error_bytes, "%s does not belong to %s; chown -R %s %s, or use another", data,
             user->pw_name, user->pw_name, data);
    return false;
}

static bool become(const struct passwd *user, char *error, size_t error_bytes)
{
    if (initgroups(user->pw_name, user->pw_gid) != 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
        return fail(error, error_bytes, "cannot become the user", user->pw_name);
    if (user->pw_uid != 0 && setuid(0) == 0) {
        snprintf(error, error_bytes, "still root after becoming %s", user->pw_name);
        return false;
    }
    return true;
}

bool confine_user(const char *name, const char *data, char *error, size_t error_bytes)
{
    const struct passwd *user;
    if (name[0] == 0)
        return true;
    user = getpwnam(name);
    if (user == NULL) {
        snprintf(error, error_bytes, "user: there is no user \"%s\" on this system", name);
        return false;
    }
    if (geteuid() == user->pw_uid)
        return true;
    if (geteuid() != 0) {
        snprintf(error, error_bytes, "user: only root can become \"%s\"; start as root, or as %s",
                 name, name);
        return false;
    }
    return prepare_data(user, data, error, error_bytes) && become(user, error, error_bytes);
}

/* ---- files ---- */

#define MAKES                                                         \
    (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define NOWHERE                                                                                 \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static bool allow(int ruleset, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };
    if (rule.parent_fd < 0)
        return false;
    long failed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
    return failed == 0;
}

const char *confine_files(const char *data, const char *keys)
{
    const struct landlock_ruleset_attr handled = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | MAKES | NOWHERE,
    };
    const char *why = NULL;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return "the kernel does not know no_new_privs";
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
    if (ruleset < 0)
        return "the kernel has no Landlock";
    if (!allow(ruleset, data, LANDLOCK_ACCESS_FS_WRITE_FILE | MAKES) ||
        (keys != NULL && !allow(ruleset, keys, LANDLOCK_ACCESS_FS_WRITE_FILE | MAKES)) ||
        !allow(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE))
        why = "a rule could not be added";
    else if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        why = "the kernel refused the rules";
    close(ruleset);
    return why;
}

/* ---- memory ---- */

void confine_memory(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
