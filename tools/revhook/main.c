/*
 * main.c - the command line of revhook: the table of commands, help, and nothing else.
 *
 * Everything about a command's shape stands in the table once: the parser (args.c), the help texts
 * and the error messages are made from it. A new command is a row here, a declaration in revhook.h
 * and a function in the file of its noun. The program speaks to the service only over its public
 * HTTP API; `listen` and `simulate` need no service.
 */
#include "revhook.h"

#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END                     \
    {                           \
        NULL, NULL, NULL, false \
    }

static const struct option_row publish_options[] = {
    {"data", "JSON", "the event's object: JSON text, @FILE, or - for standard input; default {}",
     false},
    {"file", "FILE", "publish the events of a file, one JSON object a line; - for standard input",
     false},
    {"count", "N", "publish the same event N times", false},
    {"batch", "N", "events in one request, at most 1000 (the default)", false},
    {"idempotency-key", "K", "a repeated request with this key publishes nothing new", false},
    {"quiet", NULL, "do not print a line for each event", false},
    END,
};

static const struct option_row trigger_options[] = {
    {"set", "PATH=VALUE", "set or add a field of the sample, like work.title=Hello", true},
    {"count", "N", "publish the event N times", false},
    END,
};

static const struct option_row create_options[] = {
    {"url", "URL", "where to deliver (required)", false},
    {"event-types", "A,B,C", "event types to deliver; none by default", false},
    {"secret", "S", "8 to 32 bytes; generated when left out", false},
    {"header", "'NAME: VALUE'", "sent with every request, up to 8", true},
    {"signature", "FORM", "hex, base64 or devrev-live; ,key=base64 and ,prefix=sha256= may follow",
     false},
    END,
};

static const struct option_row show_options[] = {
    {"show-secret", NULL, "print the secret and the values of the headers too", false},
    END,
};

static const struct option_row webhook_list_options[] = {
    {"status", "A,B", "only these: active, inactive, unverified", false},
    END,
};

static const struct option_row update_options[] = {
    {"url", "URL", "deliver there from now on; has to be verified again", false},
    {"secret", "S", "sign with this from now on; has to be verified again", false},
    {"rotate-secret", NULL, "let the service generate a new secret", false},
    {"add-event-types", "A,B", "deliver these too", false},
    {"remove-event-types", "A,B", "no longer deliver these", false},
    {"set-event-types", "A,B", "deliver exactly these; '' for none", false},
    {"add-header", "'NAME: VALUE'", "add a header or replace its value", true},
    {"remove-header", "NAME", "remove a header", true},
    {"set-header", "'NAME: VALUE'", "exactly these headers; '' for none", true},
    {"signature", "FORM", "like with create; default: as the service signs", false},
    {"activate", NULL, "make it active again, or verify it again", false},
    {"deactivate", NULL, "stop delivering; what is queued is dropped", false},
    {"show-secret", NULL, "print the secret and the values of the headers too", false},
    END,
};

static const struct option_row wait_options[] = {
    {"status", "S", "the status, or state of health, to wait for; default active", false},
    {"timeout", "SECONDS", "give up after this; default 30", false},
    END,
};

static const struct option_row event_list_options[] = {
    {"type", "TYPE", "only of this type", false},
    {"limit", "N", "so many a page, at most 100", false},
    {"cursor", "C", "go on where an earlier page ended", false},
    {"all", NULL, "every page", false},
    END,
};

static const struct option_row delivery_list_options[] = {
    {"webhook", "ID", "only to this webhook", false},
    {"event", "ID", "only of this event", false},
    {"state", "S", "only these: pending, in_flight, held, delivered, failed, dropped", false},
    {"limit", "N", "so many a page, at most 100", false},
    {"cursor", "C", "go on where an earlier page ended", false},
    {"all", NULL, "every page", false},
    END,
};

static const struct option_row listen_options[] = {
    {"port", "N", "default 9000; 0 chooses a free one", false},
    {"host", "ADDRESS", "default 127.0.0.1", false},
    {"secret", "S", "the webhook's secret, to check signatures", false},
    {"signature", "FORM", "how they are made, if not hex; like with webhooks create", false},
    {"status", "CODE", "answer events with this; default 200", false},
    {"delay", "MS", "wait this long before answering an event", false},
    {"body", "TEXT", "answer events with this text", false},
    {"count", "N", "end after N events", false},
    {"no-verify", NULL, "treat verify requests like events instead of echoing the challenge",
     false},
    {"show-body", NULL, "print what was received under each line", false},
    {"quiet", NULL, "print only the first and the last line", false},
    END,
};

static const struct option_row simulate_options[] = {
    {"seed", "N", "play these worlds; drawn from the time when left out", false},
    {"deliveries", "N", "go on until so many deliveries have ended; default 100000", false},
    {"world", "N", "play one world of this seed alone", false},
    {"trace", NULL, "print everything that happens", false},
    END,
};

static const struct option_row bench_options[] = {
    {"quick", NULL, "the main runs alone, in less than 90 seconds", false},
    {"guard", NULL, "fewer still, in about 20 seconds", false},
    {"long", NULL, "also with 10,000,000 rows in the store", false},
    {"only", "A,B", "these runs and ceilings alone, see --list", false},
    {"list", NULL, "list the runs and ceilings, and end", false},
    {"rounds", "N",
     "measure everything at most so many times; default 5, with --quick as many as fit", false},
    {"measure-ms", "MS", "measured time of each in a round; default 4000, with --quick 800", false},
    {"json", "FILE", "write everything that was measured as JSON", false},
    {"check", "FILE", "end with 1 if a ratio is more than 25 % worse than in this earlier JSON",
     false},
    {"daemon", "PROGRAM", "revhookd; default the one beside this program", false},
    {"dir", "DIR", "for the stores, several GB with --long; default $TMPDIR or /tmp", false},
    {"peer", "NAME", "measure another service in the same rounds, too", false},
    {"url", "URL", "its publish call, http://ADDRESS:PORT/PATH", false},
    {"header", "'NAME: VALUE'", "of its publish call", true},
    {"body", "TEMPLATE", "of its publish call; {event}, {payload}, {type} are replaced", false},
    {"sink-port", "N", "where it must deliver to: http://127.0.0.1:N/; default 9900", false},
    END,
};

static const struct command commands[] = {
    {"publish", "[TYPE]", 0, 1, "publish an event, or a file of events",
     "The text of --data is sent as it is given; numbers keep their digits.\n"
     "Each line of --file is a full event: {\"type\":\"work_created\",\"work_created\":{...}}.\n"
     "Many events go in requests of --batch; a request is published whole or not at all.\n"
     "When several requests are needed, the second uses the idempotency key K-2, and so on.\n"
     "Printed for each event: its id, its type, and to how many webhooks it goes.",
     publish_options, publish_run},
    {"trigger", "TYPE", 1, 1, "publish a realistic sample event of a type",
     "PATH names a field of the payload, with dots between the names of objects inside one\n"
     "another; objects that are not there are made. VALUE is taken as JSON if it is JSON, else\n"
     "as a string: --set work.priority=p0 --set work.tags=[] --set 'work.external_ref=\"17\"'.\n"
     "Printed for the event: its id, its type, and to how many webhooks it goes.",
     trigger_options, trigger_run},
    {"webhooks create", "", 0, 0, "register a webhook",
     "--url is the webhook's address here; the service's own --url goes before the command:\n"
     "    revhook --url http://127.0.0.1:8081 webhooks create --url http://127.0.0.1:9000/",
     create_options, webhooks_create_run},
    {"webhooks get", "ID", 1, 1, "show a webhook and its health", NULL, show_options,
     webhooks_get_run},
    {"webhooks list", "", 0, 0, "list webhooks", NULL, webhook_list_options, webhooks_list_run},
    {"webhooks update", "ID", 1, 1, "change, activate or deactivate a webhook",
     "--url is the webhook's address here; the service's own --url goes before the command.",
     update_options, webhooks_update_run},
    {"webhooks delete", "ID", 1, 1, "delete a webhook; what is queued for it is dropped", NULL,
     NULL, webhooks_delete_run},
    {"webhooks wait", "ID", 1, 1, "wait until a webhook is active (or another status)",
     "Asks five times a second. Ends with 0 when it is reached, with 1 when the time is over.",
     wait_options, webhooks_wait_run},
    {"events get", "ID", 1, 1, "show an event and its object", NULL, NULL, events_get_run},
    {"events list", "", 0, 0, "list events, newest first", NULL, event_list_options,
     events_list_run},
    {"deliveries get", "ID", 1, 1, "show a delivery and each of its attempts", NULL, NULL,
     deliveries_get_run},
    {"deliveries list", "", 0, 0, "list deliveries, newest first", NULL, delivery_list_options,
     deliveries_list_run},
    {"deliveries redeliver", "ID", 1, 1, "send a delivery once more, now", NULL, NULL,
     deliveries_redeliver_run},
    {"clock get", "", 0, 0, "show the virtual clock", "Needs a service with --clock virtual.", NULL,
     clock_get_run},
    {"clock advance", "MS|30s|3m|next", 1, 1, "move the virtual clock",
     "By milliseconds, by a duration (ms, s, m, h, d), or to the next deadline. Ends when\n"
     "everything that is due on the way has happened. Needs a service with --clock virtual.",
     NULL, clock_advance_run},
    {"listen", "", 0, 0, "receive webhooks on this machine and print what arrives",
     "Echoes verify challenges with 200, whatever --status says, and checks each signature.\n"
     "With --json each line is a JSON object. Ends on Ctrl-C with a summary.",
     listen_options, listen_run},
    {"simulate", "", 0, 0, "run the service in simulated worlds that go wrong, and check its rules",
     "Real core, writer and senders; virtual time, receivers, disk and clocks. Needs no service.\n"
     "Standard output is the same for the same seed. Ends with 1 if a rule was violated.",
     simulate_options, simulate_run},
    {"bench", "", 0, 0, "measure the service: speed, latency, growth, isolation, memory",
     "Starts its own service, receiver and publisher on loopback, on two processors, and removes\n"
     "what it made. Needs no service. Prints each figure beside its target; ends with 0 if it ran.",
     bench_options, bench_run},
    {NULL, NULL, 0, 0, NULL, NULL, NULL, NULL},
};

static void print_option(const struct option_row *row)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s%s", row->name, row->value != NULL ? " " : "",
             row->value != NULL ? row->value : "", row->repeated ? " ..." : "");
    printf("  %-28s  %s\n", left, row->help);
}

static bool hidden_by(const struct option_row *rows, const char *name)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if (strcmp(rows->name, name) == 0)
            return true;
    return false;
}

static void print_command_help(const struct command *command)
{
    bool has_positionals = *command->positionals != '\0';
    printf("usage: revhook %s%s%s%s\n\n%s\n", command->name, has_positionals ? " " : "",
           command->positionals, command->options != NULL ? " [options]" : "", command->help);
    if (command->notes != NULL)
        printf("\n%s\n", command->notes);
    if (command->options != NULL)
        puts("\noptions:");
    for (const struct option_row *row = command->options; row != NULL && row->name != NULL; row++)
        print_option(row);
    puts("\noptions of every command:");
    for (const struct option_row *row = global_options; row->name != NULL; row++)
        if (!hidden_by(command->options, row->name))
            print_option(row);
}

/* Prints a line for each command, or for those whose first word is `group`. */
static void print_commands(const char *group)
{
    size_t n = group != NULL ? strlen(group) : 0;
    puts("commands:");
    for (const struct command *c = commands; c->name != NULL; c++) {
        char left[64];
        if (group != NULL && (strncmp(c->name, group, n) != 0 || c->name[n] != ' '))
            continue;
        snprintf(left, sizeof left, "%s %s", c->name, c->positionals);
        printf("  %-30s  %s\n", left, c->help);
    }
}

static void print_group_help(const char *group)
{
    printf("usage: revhook %s COMMAND ...\n\n", group);
    print_commands(group);
    printf("\nrevhook %s COMMAND --help shows the options of a command.\n", group);
}

static void print_help(void)
{
    puts("usage: revhook [options] COMMAND ...\n\n"
         "Publishes events to a revhook service and looks after its webhooks.\n");
    print_commands(NULL);
    puts("\noptions, before the command or after it:");
    for (const struct option_row *row = global_options; row->name != NULL; row++)
        print_option(row);
    puts("\nrevhook COMMAND --help shows the options of a command.\n"
         "Exit status: 0 done, 1 refused or failed, 2 wrong command line.");
}

int main(int argc, char **argv)
{
    struct cli cli;
    int status = 0;
    switch (args_parse(&cli, commands, argc, argv)) {
    case ARGS_WRONG: return EXIT_USAGE;
    case ARGS_VERSION: puts("revhook " REVHOOK_VERSION); break;
    case ARGS_HELP:
        if (cli.command != NULL)
            print_command_help(cli.command);
        else if (cli.group != NULL)
            print_group_help(cli.group);
        else
            print_help();
        break;
    case ARGS_RUN: status = cli.command->run(&cli); break;
    }
    call_end();
    if (fflush(stdout) != 0 && status == 0)
        status = refused("cannot write to standard output");
    return status;
}
