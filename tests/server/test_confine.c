/* What is given up is gone: each test gives it up in a child process and tries to use it. */
#define _GNU_SOURCE
#include "server/confine.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CANNOT 77 /* exit status of a child that could not give anything up */

struct folders {
    char root[64], data[80], other[80];
};

static int start(void **state)
{
    struct folders *folders = calloc(1, sizeof(*folders));
    snprintf(folders->root, sizeof(folders->root), "/tmp/revhook-confine-XXXXXX");
    assert_non_null(mkdtemp(folders->root));
    assert_int_equal(chmod(folders->root, 0755), 0);
    snprintf(folders->data, sizeof(folders->data), "%s/data", folders->root);
    snprintf(folders->other, sizeof(folders->other), "%s/other", folders->root);
    *state = folders;
    return 0;
}

static int stop(void **state)
{
    struct folders *folders = *state;
    char file[100];
    snprintf(file, sizeof(file), "%s/f", folders->data);
    unlink(file);
    snprintf(file, sizeof(file), "%s/s", folders->data);
    unlink(file);
    snprintf(file, sizeof(file), "%s/d", folders->data);
    rmdir(file);
    rmdir(folders->data);
    rmdir(folders->other);
    unlink(folders->other);
    assert_int_equal(rmdir(folders->root), 0);
    free(folders);
    return 0;
}

/* What `body` returns, run in a process of its own. */
static int in_child(int (*body)(const struct folders *folders), const struct folders *folders)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body(folders));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool can_make(const char *folder, const char *name)
{
    char path[120];
    snprintf(path, sizeof(path), "%s%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    bool good = fd >= 0 && write(fd, "x", 1) == 1;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool can_listen(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    bool good = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return good;
}

static bool can_execute(const char *program)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execl(program, program, (char *)NULL);
        _exit(1);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Exit status: the number of the first thing that is not as it should be. */
static int write_here_and_there(const struct folders *folders)
{
    char made[100];
    snprintf(made, sizeof(made), "%s/d", folders->data);
    if (confine_files(folders->data, NULL) != NULL)
        return CANNOT;
    if (!can_make(folders->data, "/f") || mkdir(made, 0700) != 0 || !can_listen(folders->data))
        return 1;
    if (!can_make("/dev", "/null"))
        return 2;
    if (can_make(folders->other, "") || can_make(folders->root, "/f") ||
        mkdir(folders->other, 0700) == 0)
        return 3;
    if (can_execute("/bin/true"))
        return 4;
    return open("/etc/passwd", O_RDONLY) >= 0 && open("/etc/passwd", O_WRONLY) < 0 ? 0 : 5;
}

static void files_can_be_written_in_the_data_directory_alone(void **state)
{
    struct folders *folders = *state;
    assert_int_equal(mkdir(folders->data, 0700), 0);
    assert_true(can_execute("/bin/true"));
    int result = in_child(write_here_and_there, folders);
    if (result == CANNOT)
        skip();
    assert_int_equal(result, 0);
}

static int confine_to_nothing(const struct folders *folders)
{
    return confine_files(folders->other, NULL) != NULL && can_make(folders->root, "/other") ? 0 : 1;
}

static int write_the_keys(const struct folders *folders)
{
    if (confine_files(folders->data, folders->other) != NULL)
        return CANNOT;
    return can_make(folders->data, "/f") && can_make(folders->other, "/k") &&
                   !can_make(folders->root, "/f")
               ? 0
               : 1;
}

static void keys_may_be_in_a_directory_of_their_own(void **state)
{
    struct folders *folders = *state;
    char made[100];
    assert_int_equal(mkdir(folders->data, 0700), 0);
    assert_int_equal(mkdir(folders->other, 0700), 0);
    int result = in_child(write_the_keys, folders);
    snprintf(made, sizeof(made), "%s/k", folders->other);
    unlink(made);
    if (result == CANNOT)
        skip();
    assert_int_equal(result, 0);
}

static void a_directory_that_is_not_there_confines_to_nothing(void **state)
{
    assert_int_equal(in_child(confine_to_nothing, *state), 0);
}

static int become_nobody(const struct folders *folders)
{
    char error[300];
    struct stat status;
    if (!confine_user("nobody", folders->data, error, sizeof(error)))
        return 1;
    if (geteuid() == 0 || getuid() == 0 || getegid() == 0 || setuid(0) == 0 ||
        getgroups(0, NULL) > 1)
        return 2;
    if (stat(folders->data, &status) != 0 || status.st_uid != geteuid() ||
        (status.st_mode & 0777) != 0700)
        return 3;
    if (!can_make(folders->data, "/f") || can_make(folders->root, "/f"))
        return 4;
    /* It is that user already: fine. Another one: not any more. */
    return confine_user("nobody", folders->data, error, sizeof(error)) &&
                   !confine_user("root", folders->data, error, sizeof(error)) &&
                   strstr(error, "only root can become") != NULL
               ? 0
               : 5;
}

static void root_is_given_up_for_good(void **state)
{
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_child(become_nobody, *state), 0);
}

static void a_directory_of_somebody_else_is_refused(void **state)
{
    struct folders *folders = *state;
    char error[300];
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(folders->data, 0700), 0);
    assert_false(confine_user("nobody", folders->data, error, sizeof(error)));
    assert_non_null(strstr(error, "does not belong to nobody; chown"));
    assert_int_equal(geteuid(), 0);
}

static void a_user_that_does_not_exist_is_refused(void **state)
{
    struct folders *folders = *state;
    char error[300];
    assert_false(confine_user("no-such-user", folders->data, error, sizeof(error)));
    assert_non_null(strstr(error, "there is no user \"no-such-user\""));
    assert_true(confine_user("", folders->data, error, sizeof(error)));
    assert_int_equal(access(folders->data, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_can_be_written_in_the_data_directory_alone, start,
                                        stop),
        cmocka_unit_test_setup_teardown(keys_may_be_in_a_directory_of_their_own, start, stop),
        cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_confines_to_nothing, start,
                                        stop),
        cmocka_unit_test_setup_teardown(root_is_given_up_for_good, start, stop),
        cmocka_unit_test_setup_teardown(a_directory_of_somebody_else_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_user_that_does_not_exist_is_refused, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
