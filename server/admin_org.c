/* Organisations: making and listing them, and taking all their tokens away.
 *
 * Owns: the rules for ids and partitions. Happy path: one row. Failure modes: a value that breaks
 * its rule, an id that was used before, and one organisation more than orgs_max are refused.
 * Refuses: to remove or rename one; its id stands in every id that it gave out. */
#include "server/admin.h"

#include "dispatcher/secret.h"

#define ID_CHARS 10 /* as DevRev's have 8 to 10 */

static const char letters_and_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* Whether text is 1 to `most` characters of `alphabet`. */
static bool is_of(struct text text, const char *alphabet, size_t most)
{
    bool good = text.bytes > 0 && text.bytes <= most;
    for (size_t i = 0; good && i < text.bytes; i++)
        good = text.at[i] != 0 && strchr(alphabet, text.at[i]) != NULL;
    return good;
}

static bool check(struct admin_call *call, struct text id, struct text partition, struct text name)
{
    if (!is_of(id, letters_and_digits, STORE_ORG_ID_BYTES_MAX))
        error_value(&call->refused, "id", "1 to 32 letters and digits are needed");
    else if (!is_of(partition, "abcdefghijklmnopqrstuvwxyz0123456789-", STORE_PARTITION_BYTES_MAX))
        error_value(&call->refused, "partition",
                    "1 to 32 small letters, digits and hyphens are needed");
    else
        return admin_call_check_name(call, "name", name);
    admin_call_refuse(call);
    return false;
}

/* Whether there is room for one more. If not, the call is refused. */
static enum store_result check_room(struct admin_call *call, struct store *store)
{
    uint64_t orgs, tokens;
    enum store_result result = store_org_count(store, &orgs, &tokens);
    if (result == STORE_OK && orgs >= (uint64_t)call->config->orgs_max) {
        error_plain(&call->refused, ERROR_bad_request,
                    "there are as many organisations as orgs_max allows");
        admin_call_refuse(call);
    }
    return result;
}

static struct store_bytes bytes_of(struct text text)
{
    return (struct store_bytes){text.at, text.bytes};
}

static struct text text_from(struct store_bytes bytes)
{
    return (struct text){bytes.at, bytes.bytes};
}

static void put_org(struct json_out *out, const struct store_org *row)
{
    json_out_object(out);
    json_out_pair_text(out, "id", text_from(row->id));
    json_out_pair_text(out, "partition", text_from(row->partition));
    json_out_pair_text(out, "name", text_from(row->name));
    json_out_pair_date(out, "created_date", row->created_us);
    json_out_object_end(out);
}

enum store_result admin_org_create(struct store_call *store_call, struct store *store,
                                   struct instant now)
{
    struct admin_call *call = (struct admin_call *)store_call;
    struct text name = admin_call_option(call, "name"), id = admin_call_option(call, "id"),
                partition = admin_call_option(call, "partition");
    char drawn[ID_CHARS + 1];
    if (id.at == NULL && secret_random_text(drawn, ID_CHARS) != 0) {
        error_plain(&call->refused, ERROR_service_unavailable, "there are no random numbers");
        admin_call_refuse(call);
        return STORE_OK;
    }
    if (id.at == NULL)
        id = text_of(drawn);
    if (partition.at == NULL)
        partition = text_of(STORE_FIRST_PARTITION);
    if (!check(call, id, partition, name))
        return STORE_OK;
    enum store_result result = check_room(call, store);
    if (result != STORE_OK || call->is_refused)
        return result;
    struct store_org row = {.id = bytes_of(id),
                            .partition = bytes_of(partition),
                            .name = bytes_of(name),
                            .created_us = now.wall};
    result = store_org_insert(store, &row);
    if (result == STORE_CONFLICT) {
        error_plain(&call->refused, ERROR_conflict, "there is an organisation with this id");
        admin_call_refuse(call);
        return STORE_OK;
    }
    snprintf(call->changed, sizeof(call->changed), "%.*s", (int)id.bytes, id.at);
    json_out_key(&call->out, "org");
    put_org(&call->out, &row);
    return result;
}

enum store_result admin_org_revoke(struct store_call *store_call, struct store *store,
                                   struct instant now)
{
    struct admin_call *call = (struct admin_call *)store_call;
    struct text id = admin_call_option(call, "id");
    uint64_t tokens;
    enum store_result result = store_org_revoke(store, bytes_of(id), now.wall, &tokens);
    if (result == STORE_NOT_FOUND) {
        error_plain(&call->refused, ERROR_not_found,
                    "there is no such organisation; `revhookd admin org list` shows all");
        admin_call_refuse(call);
        return STORE_OK;
    }
    snprintf(call->changed, sizeof(call->changed), "%.*s", (int)id.bytes, id.at);
    json_out_key(&call->out, "org");
    json_out_object(&call->out);
    json_out_pair_text(&call->out, "id", id);
    json_out_pair_number(&call->out, "tokens_revoked", (int64_t)tokens);
    json_out_object_end(&call->out);
    return result;
}

static bool list_org(void *ctx, const struct store_org *row)
{
    put_org(ctx, row);
    return true;
}

enum store_result admin_org_list(struct admin_call *call, struct store_reader *reader,
                                 struct instant now)
{
    (void)now;
    json_out_key(&call->out, "orgs");
    json_out_array(&call->out);
    enum store_result result = store_org_list(reader, list_org, &call->out);
    json_out_array_end(&call->out);
    return result;
}
