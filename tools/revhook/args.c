/*
 * args.c - reads a command line by the rows of the command table.
 *
 * Happy path: global options, the command's one or two words, then its options and positional
 * arguments in any order; `--name value` and `--name=value` mean the same, `--` ends the options.
 * A command's own option hides a global one of the same name: after `webhooks create`, --url is the
 * webhook's address, and the service's --url stands before the command.
 *
 * Failure modes: an unknown word or option, a missing or superfluous value, too many or too few
 * arguments. Each prints one line that says which, and one that names the help to read.
 *
 * Refuses: abbreviations, and a second value for an option that takes one.
 */
#include "revhook.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option_row global_options[] = {
    {"url", "URL", "the service (environment: REVHOOK_URL; default http://127.0.0.1:8080)", false},
    {"token", "T", "access token (environment: REVHOOK_TOKEN; default dev-token)", false},
    {"ca-file", "FILE",
     "PEM file of authorities to trust for https besides the system's (environment: "
     "REVHOOK_CA_FILE)",
     false},
    {"json", NULL, "print the service's answer as it came", false},
    {"help", NULL, "show help and exit", false},
    {"version", NULL, "show the version and exit", false},
    {NULL, NULL, NULL, false},
};

int usage_error(const struct cli *cli, const char *format, ...)
{
    va_list list;
    fputs("revhook: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    if (cli->command != NULL)
        fprintf(stderr, "\nsee: revhook %s --help\n", cli->command->name);
    else
        fputs("\nsee: revhook --help\n", stderr);
    return EXIT_USAGE;
}

int refused(const char *format, ...)
{
    va_list list;
    fputs("revhook: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    return EXIT_REFUSED;
}

void out_of_memory(void)
{
    fputs("revhook: out of memory\n", stderr);
    abort();
}

const char *args_nth(const struct cli *cli, const char *name, int n)
{
    for (int i = 0; i < cli->given_count; i++)
        if (strcmp(cli->given[i].row->name, name) == 0 && n-- == 0)
            return cli->given[i].value;
    return NULL;
}

const char *args_value(const struct cli *cli, const char *name)
{
    return args_nth(cli, name, 0);
}

bool args_has(const struct cli *cli, const char *name)
{
    for (int i = 0; i < cli->given_count; i++)
        if (strcmp(cli->given[i].row->name, name) == 0)
            return true;
    return false;
}

bool args_number(const struct cli *cli, const char *name, long min, long max, long *out)
{
    const char *text = args_value(cli, name);
    if (text == NULL)
        return true;
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    bool digits = text[0] >= '0' && text[0] <= '9' && *end == '\0';
    if (!digits || errno != 0 || value < min || value > max) {
        usage_error(cli, "--%s must be a whole number from %ld to %ld, not '%s'", name, min, max,
                    text);
        return false;
    }
    *out = value;
    return true;
}

static const struct option_row *find_row(const struct option_row *rows, const char *name, size_t n)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if (strlen(rows->name) == n && memcmp(rows->name, name, n) == 0)
            return rows;
    return NULL;
}

static bool is_global(const struct option_row *row)
{
    const struct option_row *end = global_options;
    while (end->name != NULL)
        end++;
    return row >= global_options && row < end;
}

/* Takes the option at argv[*i], its value included, and moves *i past it. */
static bool take_option(struct cli *cli, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t n = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = NULL;
    if (cli->command != NULL)
        row = find_row(cli->command->options, name, n);
    if (row == NULL)
        row = find_row(global_options, name, n);
    if (row == NULL) {
        usage_error(cli, "unknown option --%.*s", (int)n, name);
        return false;
    }
    const char *value = NULL;
    if (row->value == NULL && equals != NULL) {
        usage_error(cli, "--%s takes no value", row->name);
        return false;
    }
    if (row->value != NULL) {
        if (equals == NULL && *i + 1 >= argc) {
            usage_error(cli, "--%s needs a value (%s)", row->name, row->value);
            return false;
        }
        value = equals != NULL ? equals + 1 : argv[++*i];
    }
    ++*i;
    if (is_global(row)) {
        if (strcmp(row->name, "url") == 0)
            cli->url = value;
        else if (strcmp(row->name, "token") == 0)
            cli->token = value;
        else if (strcmp(row->name, "ca-file") == 0)
            cli->ca_file = value;
        else if (strcmp(row->name, "json") == 0)
            cli->json = true;
        if (row->value != NULL)
            return true;
    } else if (!row->repeated && args_has(cli, row->name)) {
        usage_error(cli, "--%s is given twice", row->name);
        return false;
    }
    if (cli->given_count == OPTIONS_MAX) {
        usage_error(cli, "more than %d options", OPTIONS_MAX);
        return false;
    }
    cli->given[cli->given_count++] = (struct given_option){row, value};
    return true;
}

/* Writes the second words of a group's commands, ", " between them, cut to the room. */
static void list_group(const struct command *commands, const char *group, char *room, size_t bytes)
{
    size_t n = strlen(group), used = 0;
    room[0] = '\0';
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strncmp(c->name, group, n) == 0 && c->name[n] == ' ' && used < bytes)
            used += (size_t)snprintf(room + used, bytes - used, "%s%s", used > 0 ? ", " : "",
                                     c->name + n + 1);
}

/* Finds the command whose words stand at argv[*i] and moves *i past them. A group's word before
 * --help is taken alone, as cli->group. */
static bool take_command(struct cli *cli, const struct command *commands, int argc, char **argv,
                         int *i)
{
    const char *word = argv[*i];
    bool is_group = false;
    for (const struct command *c = commands; c->name != NULL; c++) {
        const char *space = strchr(c->name, ' ');
        size_t n = space != NULL ? (size_t)(space - c->name) : strlen(c->name);
        if (strlen(word) != n || memcmp(c->name, word, n) != 0)
            continue;
        if (space == NULL) {
            cli->command = c;
            ++*i;
            return true;
        }
        is_group = true;
        if (*i + 1 < argc && strcmp(space + 1, argv[*i + 1]) == 0) {
            cli->command = c;
            *i += 2;
            return true;
        }
    }
    const char *next = *i + 1 < argc ? argv[*i + 1] : "";
    if (is_group && (strcmp(next, "--help") == 0 || strcmp(next, "-h") == 0)) {
        cli->group = word;
        ++*i;
        return true;
    }
    char words[128];
    list_group(commands, word, words, sizeof words);
    if (!is_group)
        usage_error(cli, "unknown command '%s'", word);
    else if (*next != '\0' && *next != '-')
        usage_error(cli, "unknown command '%s %s'; after '%s' comes one of: %s", word, next, word,
                    words);
    else
        usage_error(cli, "after '%s' comes one of: %s", word, words);
    return false;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] == '-' && word[2] != '\0';
}

/* The address of the service must be one that libcurl and the hints can be built from. */
static bool check_url(struct cli *cli)
{
    size_t n = strlen(cli->url);
    if (strncmp(cli->url, "http://", 7) != 0 && strncmp(cli->url, "https://", 8) != 0) {
        usage_error(cli, "the service's address must begin with http:// or https://, not '%s'",
                    cli->url);
        return false;
    }
    if (n > 2048) {
        usage_error(cli, "the service's address is longer than 2048 bytes");
        return false;
    }
    return true;
}

enum args_result args_parse(struct cli *cli, const struct command *commands, int argc, char **argv)
{
    const char *url = getenv("REVHOOK_URL");
    const char *token = getenv("REVHOOK_TOKEN");
    const char *ca_file = getenv("REVHOOK_CA_FILE");
    *cli = (struct cli){
        .url = url != NULL && *url != '\0' ? url : "http://127.0.0.1:8080",
        .token = token != NULL && *token != '\0' ? token : "dev-token",
        .ca_file = ca_file != NULL && *ca_file != '\0' ? ca_file : NULL,
    };
    bool options = true;
    for (int i = 1; i < argc;) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            i++;
        } else if (options && strcmp(argv[i], "-h") == 0) {
            return ARGS_HELP;
        } else if (options && is_option(argv[i])) {
            if (!take_option(cli, argc, argv, &i))
                return ARGS_WRONG;
            if (args_has(cli, "help"))
                return ARGS_HELP;
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            usage_error(cli, "unknown option %s", argv[i]);
            return ARGS_WRONG;
        } else if (cli->command == NULL) {
            if (!take_command(cli, commands, argc, argv, &i))
                return ARGS_WRONG;
        } else if (cli->positional_count == cli->command->positionals_max) {
            usage_error(cli, "'%s' is one argument too many", argv[i]);
            return ARGS_WRONG;
        } else {
            cli->positionals[cli->positional_count++] = argv[i++];
        }
    }
    if (args_has(cli, "version"))
        return ARGS_VERSION;
    if (cli->command == NULL) {
        usage_error(cli, "which command?");
        return ARGS_WRONG;
    }
    if (cli->positional_count < cli->command->positionals_min) {
        usage_error(cli, "%s needs: %s", cli->command->name, cli->command->positionals);
        return ARGS_WRONG;
    }
    return check_url(cli) ? ARGS_RUN : ARGS_WRONG;
}
