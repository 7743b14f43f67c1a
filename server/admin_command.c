/* The command line `revhookd admin GROUP VERB ...`.
 *
 * Owns: what the words of the command line mean, and whom to ask. Happy path: they become a
 * request; a daemon is asked through its socket; where none runs the store is opened here. Failure
 * modes: a wrong option is exit status 2 with what to do; a refusal is 1 with the sentence of the
 * answer. A daemon that has the store open and does not listen is starting or stopping (or another
 * command like this one is at work): it is tried again for a while. A daemon that does not answer
 * is given up after a minute. Refuses: to write to a store that a daemon has open. */
#include "server/admin.h"
#include "server/admin_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_USAGE         2
#define ARGUMENTS_MAX      256
#define ERROR_BYTES        512
#define BUSY_PATIENCE_MS   5000
#define ANSWER_PATIENCE_MS 60000 /* others may be asked for before this one */
#define BUSY_RETRY_MS      50
#define ANSWER_MAX         (64 << 20)

struct command {
    const char *group, *verb;
    const struct admin_operation *operation;
    char *settings[ARGUMENTS_MAX]; /* for config_load: the program's name first */
    int setting_count;
    struct json_out request;
    bool taken[ADMIN_OPTIONS_MAX]; /* options that were given */
    bool json, help;
    char error[ERROR_BYTES];
};

/* ---- words ---- */

/* An option that revhookd itself has, and that names its data directory. */
static bool is_setting(const char *name, size_t bytes)
{
    static const char *const names[] = {"--data", "--config", "--set"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == bytes && memcmp(names[i], name, bytes) == 0)
            return true;
    return false;
}

static const struct admin_option *find_option(const struct command *command, const char *name,
                                              size_t bytes)
{
    for (const struct admin_option *at = command->operation->options; at->name != NULL; at++)
        if (!at->plain && strlen(at->name) == bytes && memcmp(at->name, name, bytes) == 0)
            return at;
    return NULL;
}

/* The first option that stands without its name and has no value yet. */
static const struct admin_option *next_plain(const struct command *command)
{
    for (const struct admin_option *at = command->operation->options; at->name != NULL; at++)
        if (at->plain && !command->taken[at - command->operation->options])
            return at;
    return NULL;
}

static bool give(struct command *command, const struct admin_option *option, const char *value)
{
    bool *taken = &command->taken[option - command->operation->options];
    if (*taken) {
        snprintf(command->error, ERROR_BYTES, "--%s is there twice", option->name);
        return false;
    }
    *taken = true;
    json_out_pair_string(&command->request, option->name, value);
    return true;
}

/* One option, with its value in the same word or the next. *used is how many words it took. */
static bool take_option(struct command *command, char *word, char *next, int *used)
{
    size_t bytes = strcspn(word, "=");
    char *value = word[bytes] == '=' ? word + bytes + 1 : next;
    const struct admin_option *option =
        command->operation != NULL ? find_option(command, word + 2, bytes - 2) : NULL;
    bool setting = is_setting(word, bytes);
    *used = word[bytes] == '=' ? 1 : 2;
    if (!setting && option == NULL) {
        snprintf(command->error, ERROR_BYTES, "there is no option \"%.100s\" here; see --help",
                 word);
        return false;
    }
    if (value == NULL) {
        snprintf(command->error, ERROR_BYTES, "%.100s needs a value", word);
        return false;
    }
    if (!setting)
        return give(command, option, value);
    if (command->setting_count + *used > ARGUMENTS_MAX) {
        snprintf(command->error, ERROR_BYTES, "more options than %d", ARGUMENTS_MAX);
        return false;
    }
    command->settings[command->setting_count++] = word;
    if (*used == 2)
        command->settings[command->setting_count++] = value;
    return true;
}

static bool take_plain(struct command *command, const char *word)
{
    const struct admin_option *option = command->operation == NULL ? NULL : next_plain(command);
    if (option != NULL)
        return give(command, option, word);
    snprintf(command->error, ERROR_BYTES, "\"%.100s\" is one word too many; see --help", word);
    return false;
}

/* The first two words that are no options say what is to be done. */
static bool find_operation(struct command *command, int count, char *const *words)
{
    for (int i = 0; i < count; i++) {
        size_t bytes = strcspn(words[i], "=");
        if (words[i][0] == '-')
            i += is_setting(words[i], bytes) && words[i][bytes] == 0;
        else if (command->group == NULL)
            command->group = words[i];
        else if (command->verb == NULL)
            command->verb = words[i];
    }
    if (command->verb != NULL)
        command->operation = admin_operation_find(text_of(command->group), text_of(command->verb));
    return command->operation != NULL;
}

static bool take_words(struct command *command, int count, char *const *words)
{
    for (int i = 0, plain = 0, used; i < count; i += used) {
        used = 1;
        if (strcmp(words[i], "--json") == 0)
            command->json = true;
        else if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            command->help = true;
        else if (words[i][0] == '-' && words[i][1] != 0) {
            if (!take_option(command, words[i], i + 1 < count ? words[i + 1] : NULL, &used))
                return false;
        } else if (plain++ >= 2 && !take_plain(command, words[i]))
            return false;
    }
    return true;
}

static bool check_required(struct command *command)
{
    const struct admin_option *options = command->operation->options;
    for (size_t i = 0; options[i].name != NULL; i++) {
        if (!options[i].required || command->taken[i])
            continue;
        snprintf(command->error, ERROR_BYTES,
                 options[i].plain ? "%s%s is missing; see --help"
                                  : "--%s %s is missing; see --help",
                 options[i].plain ? "" : options[i].name, options[i].value);
        return false;
    }
    return true;
}

/* ---- whom to ask ---- */

/* Asks a daemon. False if none runs, with errno; or, with `error` set, if asking failed. */
static bool ask_daemon(const struct config *config, struct text request, struct json_out *answer,
                       char *error)
{
    int connection = admin_socket_connect(config->data);
    if (connection < 0 && errno == EACCES)
        snprintf(error, ERROR_BYTES,
                 "the service in %.200s runs as another user; run this as that user, or as root",
                 config->data);
    if (connection < 0)
        return false;
    bool asked =
        admin_socket_write(connection, request, (struct admin_wait){ADMIN_PATIENCE_MS, -1}) &&
        admin_socket_read(connection, answer, ANSWER_MAX,
                          (struct admin_wait){ANSWER_PATIENCE_MS, -1}) &&
        answer->bytes > 0;
    if (!asked)
        snprintf(error, ERROR_BYTES,
                 "the service in %.200s took the request and did not answer; "
                 "look at the list before you ask again",
                 config->data);
    close(connection);
    return asked;
}

static bool ask(const struct config *config, struct command *command, struct json_out *answer)
{
    const struct text request = {command->request.at, command->request.bytes};
    int64_t end_ms = clock_span_ms() + BUSY_PATIENCE_MS;
    for (;;) {
        bool busy = false;
        if (ask_daemon(config, request, answer, command->error))
            return true;
        if (command->error[0] != 0)
            return false;
        if (admin_offline(config, command->operation, request, answer, &busy, command->error,
                          ERROR_BYTES))
            return true;
        if (!busy || clock_span_ms() >= end_ms)
            return false;
        command->error[0] = 0;
        poll(NULL, 0, BUSY_RETRY_MS);
    }
}

/* ---- the answer ---- */

static int fail(const char *error, int status)
{
    fprintf(stderr, "revhookd admin: %s\n", error);
    return status;
}

static int tell_refused(const struct json_t *error)
{
    char text[ERROR_BYTES] = "refused";
    const struct json_t *detail = tree_member(error, "detail"),
                        *reason = tree_member(error, "reason"),
                        *field = tree_member(error, "field_name"),
                        *type = tree_member(error, "type");
    if (detail != NULL)
        snprintf(text, sizeof(text), "%s", tree_text(detail).at);
    else if (reason != NULL && field != NULL)
        snprintf(text, sizeof(text), "%s: %s", tree_text(field).at, tree_text(reason).at);
    else if (type != NULL)
        snprintf(text, sizeof(text), "%s%s%s", tree_text(type).at, field != NULL ? ": " : "",
                 field != NULL ? tree_text(field).at : "");
    return fail(text, EXIT_FAILURE);
}

static int show(const struct command *command, struct text answer)
{
    struct json_t *root;
    struct error error;
    int status = EXIT_SUCCESS;
    if (!tree_read(answer, 16, &root, &error))
        return fail("the answer of the service cannot be read", EXIT_FAILURE);
    if (tree_member(root, "error") != NULL)
        status = tell_refused(tree_member(root, "error"));
    else if (command->json)
        printf("%.*s\n", (int)answer.bytes, answer.at);
    else
        admin_print(stdout, command->operation, root);
    if (status == EXIT_SUCCESS && !command->json && command->operation->note != NULL)
        fprintf(stderr, "%s\n", command->operation->note);
    tree_free(root);
    return fflush(stdout) == 0 ? status : fail("the answer cannot be written", EXIT_FAILURE);
}

static int carry_out(struct command *command, char *const *environment)
{
    struct config config;
    struct json_out answer = {0};
    enum config_action action;
    int status = EXIT_FAILURE;
    if (!config_load(&config, command->setting_count, command->settings, environment, &action,
                     command->error, ERROR_BYTES))
        return fail(command->error, EXIT_USAGE);
    if (ask(&config, command, &answer))
        status = show(command, (struct text){answer.at, answer.bytes});
    else
        fail(command->error, status);
    if (answer.bytes > 0)
        explicit_bzero(answer.at, answer.bytes);
    json_out_free(&answer);
    config_free(&config);
    return status;
}

static int run(struct command *command, int count, char *const *words, char *const *environment)
{
    bool found = find_operation(command, count, words);
    if (found) {
        json_out_object(&command->request);
        json_out_pair_string(&command->request, "group", command->group);
        json_out_pair_string(&command->request, "verb", command->verb);
    }
    if (!take_words(command, count, words) && !(command->help && found))
        return found || command->group == NULL
                   ? fail(command->error, EXIT_USAGE)
                   : fail("there is no such command; see --help", EXIT_USAGE);
    if (command->help || !found) {
        bool known = admin_help(command->help ? stdout : stderr, command->group, command->verb);
        if (!known)
            return fail("there is no such command; see `revhookd admin --help`", EXIT_USAGE);
        return command->help ? EXIT_SUCCESS : EXIT_USAGE;
    }
    if (!check_required(command))
        return fail(command->error, EXIT_USAGE);
    json_out_object_end(&command->request);
    return carry_out(command, environment);
}

int admin_command(int count, char *const *arguments, char *const *environment)
{
    static char program[] = "revhookd";
    struct command command = {.settings = {program}, .setting_count = 1};
    int status = run(&command, count, arguments, environment);
    json_out_free(&command.request);
    return status;
}
