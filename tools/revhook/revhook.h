/*
 * revhook.h - what the files of the command line program share.
 *
 * The program is one table of commands (main.c). A command gets a `struct cli` with its parsed
 * options and positional arguments, makes calls (call.h), prints (print.h) and returns the exit
 * status: 0 done, 1 the service or the system said no, 2 the command line was wrong.
 */
#ifndef REVHOOK_H
#define REVHOOK_H

#include <stdbool.h>
#include <stddef.h>

#ifndef REVHOOK_VERSION
#define REVHOOK_VERSION "0.1.0"
#endif

#define EXIT_REFUSED 1
#define EXIT_USAGE   2

#define POSITIONAL_MAX 2  /* positional arguments of one command */
#define OPTIONS_MAX    64 /* options given on one command line, repeats included */

/* One option of a command; a list ends with a row whose name is NULL. */
struct option_row {
    const char *name;  /* without the dashes */
    const char *value; /* what stands for the value in the help, NULL for a plain switch */
    const char *help;
    bool repeated; /* may be given more than once */
};

struct cli;

/* One command; the table of main.c ends with a row whose name is NULL. */
struct command {
    const char *name;        /* "publish" or "webhooks create" */
    const char *positionals; /* how they look in the help, "" for none */
    int positionals_min;
    int positionals_max;
    const char *help;  /* one line */
    const char *notes; /* more lines for the command's own help, or NULL */
    const struct option_row *options;
    int (*run)(const struct cli *cli);
};

struct given_option {
    const struct option_row *row;
    const char *value; /* NULL for a switch */
};

/* A parsed command line. All strings belong to argv, the environment or the program text. */
struct cli {
    const char *url;     /* of the service, without a slash at the end */
    const char *token;   /* sent as bearer token */
    const char *ca_file; /* trusted besides the system's authorities, or NULL */
    bool json;           /* print raw answers */
    const struct command *command;
    const char *group; /* with ARGS_HELP alone: the first word of the commands to show, or NULL */
    const char *positionals[POSITIONAL_MAX];
    int positional_count;
    struct given_option given[OPTIONS_MAX];
    int given_count;
};

/* --- args.c ----------------------------------------------------------------------------------- */

/* The options that every command understands (a command's own option of the same name wins). */
extern const struct option_row global_options[];

enum args_result { ARGS_RUN, ARGS_HELP, ARGS_VERSION, ARGS_WRONG };

/* Reads argv into *cli. ARGS_HELP: help is wanted, of cli->command, else of the commands that begin
 * with cli->group, else (both NULL) of the program.
 * ARGS_WRONG: the error has been printed on stderr. */
enum args_result args_parse(struct cli *cli, const struct command *commands, int argc, char **argv);

/* Value of option `name`, or NULL when it was not given. For a switch use args_has. */
const char *args_value(const struct cli *cli, const char *name);

/* Whether option `name` was given. */
bool args_has(const struct cli *cli, const char *name);

/* The n-th value (from 0) of a repeated option, or NULL when there are not so many. */
const char *args_nth(const struct cli *cli, const char *name, int n);

/* Reads option `name` as a whole number between min and max into *out; leaves *out alone when the
 * option was not given. Returns false after printing what is wrong. */
bool args_number(const struct cli *cli, const char *name, long min, long max, long *out);

/* Prints "revhook: <message>" and which help to read on stderr. Returns EXIT_USAGE. */
int usage_error(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints "revhook: <message>" on stderr. Returns EXIT_REFUSED. */
int refused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program: memory is exhausted. */
void out_of_memory(void) __attribute__((noreturn));

/* --- the commands ----------------------------------------------------------------------------- */

int publish_run(const struct cli *cli);
int trigger_run(const struct cli *cli);
int webhooks_create_run(const struct cli *cli);
int webhooks_get_run(const struct cli *cli);
int webhooks_list_run(const struct cli *cli);
int webhooks_update_run(const struct cli *cli);
int webhooks_delete_run(const struct cli *cli);
int webhooks_wait_run(const struct cli *cli);
int events_get_run(const struct cli *cli);
int events_list_run(const struct cli *cli);
int deliveries_get_run(const struct cli *cli);
int deliveries_list_run(const struct cli *cli);
int deliveries_redeliver_run(const struct cli *cli);
int clock_get_run(const struct cli *cli);
int clock_advance_run(const struct cli *cli);
int listen_run(const struct cli *cli);
int simulate_run(const struct cli *cli); /* tools/sim/simulate.c */
int bench_run(const struct cli *cli);    /* tools/bench/bench.c */

#endif
