/* `revhookd admin`: what an operator does to a store, whether a daemon runs on it or not.
 *
 * One table (admin_operations.c) has every operation with its options, so that the command line,
 * its help, and the check of what a running daemon is sent are the same rows. An operation is
 * carried out by the daemon's writer, asked through a socket in the data directory (admin_socket.h,
 * admin_serve.c), or, where no daemon has the store open, by the command itself (admin_offline.c):
 * by the same function, so with the same answer. */
#ifndef REVHOOK_SERVER_ADMIN_H
#define REVHOOK_SERVER_ADMIN_H

#include "dispatcher/dispatch.h"
#include "server/config.h"
#include "server/json.h"

#include <stdio.h>

struct keys;

#define ADMIN_OPTIONS_MAX       8
#define ADMIN_REQUEST_BYTES_MAX 65536

/* An option of an operation; its value is text. Lists end with a NULL name. */
struct admin_option {
    const char *name;  /* "expires": --expires on the command line, a member of the request */
    const char *value; /* what stands for its value in the help */
    const char *help;
    bool required;
    bool plain; /* on the command line it stands there without its name */
};

/* An operation under way. */
struct admin_call {
    struct store_call store; /* first */
    const struct admin_operation *operation;
    const struct config *config;
    struct keys *keys;                        /* the daemon's; NULL without one */
    struct json_t *root;                      /* the request's options */
    struct json_out out;                      /* the answer, a JSON object */
    char changed[STORE_ORG_ID_BYTES_MAX + 1]; /* the id of what a change is about, for the log */
    struct error refused;                     /* why, if is_refused */
    bool is_refused;
};

struct admin_operation {
    const char *group, *verb; /* "token", "create" */
    const char *help;
    const struct admin_option *options;
    /* A change: within a transaction, as struct store_call says; writes the members of `out`. NULL:
     * there is `list`. */
    enum store_result (*apply)(struct store_call *call, struct store *store, struct instant now);
    /* A look: likewise. */
    enum store_result (*list)(struct admin_call *call, struct store_reader *reader,
                              struct instant now);
    bool makes_store; /* without a daemon it may make a store that is not there yet */
    /* For people: the member of the answer that is shown, its own members in this order (ends with
     * NULL), and what is said below. */
    const char *shown;
    const char *const *columns;
    const char *note; /* may be NULL */
};

/* All operations; ends with a NULL group. */
extern const struct admin_operation admin_operations[];

/* The operation, or NULL. */
const struct admin_operation *admin_operation_find(struct text group, struct text verb);

/* Begins an operation as `request` asks, {"group":...,"verb":..., options}. The call is zeroed
 * first; is_refused tells that it is over already. In any case admin_call_end must follow. */
void admin_call_begin(struct admin_call *call, struct text request, const struct config *config);

/* Refuses it; `refused` says why. Whatever `out` has is forgotten. */
void admin_call_refuse(struct admin_call *call);

/* Ends the answer: {"error":{...}} if it was refused. `out` is the caller's to free. */
void admin_call_end(struct admin_call *call);

/* An option's text; at == NULL if it is not there. */
struct text admin_call_option(const struct admin_call *call, const char *name);

/* Whether text may be a name for people: 1 to STORE_NAME_BYTES_MAX bytes, no control characters. If
 * not the call is refused. */
bool admin_call_check_name(struct admin_call *call, const char *option, struct text name);

/* The operations. */
enum store_result admin_org_create(struct store_call *call, struct store *store,
                                   struct instant now);
enum store_result admin_org_list(struct admin_call *call, struct store_reader *reader,
                                 struct instant now);
enum store_result admin_token_create(struct store_call *call, struct store *store,
                                     struct instant now);
enum store_result admin_token_list(struct admin_call *call, struct store_reader *reader,
                                   struct instant now);
enum store_result admin_org_revoke(struct store_call *call, struct store *store,
                                   struct instant now);
enum store_result admin_token_revoke(struct store_call *call, struct store *store,
                                     struct instant now);
enum store_result admin_keys_rotate(struct store_call *call, struct store *store,
                                    struct instant now);

/* ---- the command line ---- */

/* Runs `revhookd admin ...`; `arguments` are what follows "admin". Returns the exit status. */
int admin_command(int count, char *const *arguments, char *const *environment);

/* Carries out `request` on a store that no daemon has open. On true *out is the answer, to be
 * freed, and *busy false. On false `error` says why; *busy: because another process has it open. */
bool admin_offline(const struct config *config, const struct admin_operation *operation,
                   struct text request, struct json_out *out, bool *busy, char *error,
                   size_t error_bytes);

/* Prints an answer for people. */
void admin_print(FILE *out, const struct admin_operation *operation, const struct json_t *answer);

/* Prints what there is to know about an operation; about a group if `verb` is NULL; about all if
 * `group` is NULL, too. False if there is none. */
bool admin_help(FILE *out, const char *group, const char *verb);

#endif
