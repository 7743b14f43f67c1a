/* The table of operations, and what they have in common.
 *
 * Owns: names, options and help of every operation, the check of a request, the two forms of an
 * answer. Happy path: the operation is found, its options have the right kind and none is missing;
 * the operation writes the members of one object. Failure modes: what is wrong with a request is
 * its answer, {"error":{...}} in the form of the API's errors. Refuses: to touch a store; who runs
 * an operation has that. */
#include "server/admin.h"

#include <assert.h>

#define DEPTH_MAX 4

static const struct admin_option org_create_options[] = {
    {"name", "NAME", "what people call it", true, true},
    {"id", "ID", "its part of all ids, letters and digits; drawn if it is not given", false, false},
    {"partition", "PARTITION", "the third part of all its ids; default: dvrv-us-1", false, false},
    {0},
};

static const struct admin_option org_revoke_options[] = {
    {"id", "ID", "id of the organisation", true, true},
    {0},
};

static const struct admin_option token_create_options[] = {
    {"org", "ORG", "id of the organisation", true, false},
    {"scopes", "LIST", "what it is for, with commas between; default: publish,manage,read", false,
     false},
    {"expires", "WHEN",
     "after a time (90s, 30m, 12h, 30d), at one (2027-01-31T00:00:00Z), or never", true, false},
    {"name", "NAME", "what people call it", false, false},
    {0},
};

static const struct admin_option token_list_options[] = {
    {"org", "ORG", "only those of this organisation", false, false},
    {0},
};

static const struct admin_option token_revoke_options[] = {
    {"id", "ID", "number of the token, as `token list` shows it", true, true},
    {0},
};

static const struct admin_option no_options[] = {{0}};

static const char *const key_columns[] = {"version", "file", NULL};
static const char *const org_columns[] = {"id", "partition", "name", "created_date", NULL};
static const char *const revoked_org_columns[] = {"id", "tokens_revoked", NULL};
static const char *const new_token_columns[] = {"id",           "org",   "name", "scopes",
                                                "expires_date", "token", NULL};
static const char *const token_columns[] = {
    "id", "org", "name", "scopes", "state", "created_date", "expires_date", "revoked_date", NULL};

const struct admin_operation admin_operations[] = {
    {.group = "org",
     .verb = "create",
     .help = "make an organisation; it has no token yet",
     .options = org_create_options,
     .apply = admin_org_create,
     .makes_store = true,
     .shown = "org",
     .columns = org_columns},
    {.group = "org",
     .verb = "list",
     .help = "show all organisations",
     .options = no_options,
     .list = admin_org_list,
     .shown = "orgs",
     .columns = org_columns},
    {.group = "org",
     .verb = "revoke",
     .help = "make all tokens of an organisation worthless, at once",
     .options = org_revoke_options,
     .apply = admin_org_revoke,
     .shown = "org",
     .columns = revoked_org_columns,
     .note = "What was accepted is still delivered. The service's own token (REVHOOK_TOKEN) is a "
             "setting, and stays."},
    {.group = "token",
     .verb = "create",
     .help = "make a token and show it, this once",
     .options = token_create_options,
     .apply = admin_token_create,
     .makes_store = true,
     .shown = "token",
     .columns = new_token_columns,
     .note = "Keep the token now: only its hash is stored, and it is not shown again."},
    {.group = "token",
     .verb = "list",
     .help = "show all tokens, without what they are",
     .options = token_list_options,
     .list = admin_token_list,
     .shown = "tokens",
     .columns = token_columns},
    {.group = "token",
     .verb = "revoke",
     .help = "make a token worthless, at once",
     .options = token_revoke_options,
     .apply = admin_token_revoke,
     .shown = "token",
     .columns = token_columns},
    {.group = "keys",
     .verb = "rotate",
     .help = "make a new key that seals secrets at rest",
     .options = no_options,
     .apply = admin_keys_rotate,
     .shown = "key",
     .columns = key_columns,
     .note =
         "A running service seals everything again under this key and then drops the old one; "
         "otherwise the next start does. Copies of the store from before need the old key file."},
    {0},
};

const struct admin_operation *admin_operation_find(struct text group, struct text verb)
{
    for (const struct admin_operation *at = admin_operations; at->group != NULL; at++)
        if (text_is(group, at->group) && text_is(verb, at->verb))
            return at;
    return NULL;
}

/* ---- a request ---- */

/* Whether the request has the options of its operation and no others. */
static bool check_options(struct admin_call *call)
{
    struct tree_field fields[ADMIN_OPTIONS_MAX + 3] = {{.name = "group", .kind = CANON_STRING},
                                                       {.name = "verb", .kind = CANON_STRING}};
    size_t count = 2;
    for (const struct admin_option *at = call->operation->options; at->name != NULL; at++) {
        assert(count < ADMIN_OPTIONS_MAX + 2);
        fields[count++] =
            (struct tree_field){.name = at->name, .kind = CANON_STRING, .required = at->required};
    }
    return tree_check(call->root, fields, &call->refused);
}

static bool read_request(struct admin_call *call, struct text request)
{
    if (!tree_read(request, DEPTH_MAX, &call->root, &call->refused))
        return false;
    if (tree_kind(call->root) != CANON_OBJECT) {
        error_kind(&call->refused, "", canon_kind_name(tree_kind(call->root)),
                   canon_kind_name(CANON_OBJECT));
        return false;
    }
    struct text group = admin_call_option(call, "group"), verb = admin_call_option(call, "verb");
    if (group.at == NULL || verb.at == NULL) {
        error_field(&call->refused, ERROR_missing_required_field,
                    group.at == NULL ? "group" : "verb");
        return false;
    }
    call->operation = admin_operation_find(group, verb);
    if (call->operation != NULL)
        return check_options(call);
    error_plain(&call->refused, ERROR_bad_request, "this version has no such operation");
    return false;
}

void admin_call_begin(struct admin_call *call, struct text request, const struct config *config)
{
    memset(call, 0, sizeof(*call));
    call->config = config;
    if (!read_request(call, request)) {
        admin_call_refuse(call);
        return;
    }
    call->store.apply = call->operation->apply;
    json_out_object(&call->out);
}

void admin_call_refuse(struct admin_call *call)
{
    call->is_refused = true;
}

void admin_call_end(struct admin_call *call)
{
    if (call->is_refused) {
        json_out_free(&call->out);
        json_out_object(&call->out);
        json_out_key(&call->out, "error");
        error_render(&call->out, &call->refused);
    }
    json_out_object_end(&call->out);
    tree_free(call->root);
    call->root = NULL;
}

struct text admin_call_option(const struct admin_call *call, const char *name)
{
    const struct json_t *value = tree_member(call->root, name);
    return value != NULL && tree_kind(value) == CANON_STRING ? tree_text(value)
                                                             : (struct text){NULL, 0};
}

bool admin_call_check_name(struct admin_call *call, const char *option, struct text name)
{
    bool good = name.bytes > 0 && name.bytes <= STORE_NAME_BYTES_MAX;
    for (size_t i = 0; i < name.bytes; i++)
        good = good && (unsigned char)name.at[i] >= ' ' && name.at[i] != 0x7f;
    if (good)
        return true;
    error_value(&call->refused, option, "1 to 128 bytes without control characters are needed");
    admin_call_refuse(call);
    return false;
}
