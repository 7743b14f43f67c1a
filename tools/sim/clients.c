/* Clients of the API.
 *
 * Owns: the calls: what is asked, when, and what was told. They are the calls of dispatch.h, as the
 * server makes them from requests. Refuses: to know more than a client could; it looks up webhooks
 * by what it was told and deliveries by number. */
#include "tools/sim/world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BURST_MAX    300
#define PAYLOAD_ROOM 32
#define TYPES        6

static const enum event_type types[TYPES] = {EVENT_account_created, EVENT_account_deleted,
                                             EVENT_account_updated, EVENT_article_created,
                                             EVENT_article_deleted, EVENT_article_updated};

enum call_kind { ASK_CREATE, ASK_UPDATE, ASK_PUBLISH, ASK_REDELIVER };

struct sim_call {
    union {
        struct dispatch_call call;
        struct create_call create;
        struct update_call update;
        struct publish_call publish;
        struct redeliver_call redeliver;
    };
    enum call_kind kind;
    int64_t number, first;
    uint32_t url_tag, secret_tag;
    unsigned receiver, webhook; /* webhook: place among those that are known */
    struct sim_call *prev, *next;
    char url[64], secret[32], id[24];
    struct publish_event *events;
    char (*payloads)[PAYLOAD_ROOM];
};

static void done(struct dispatch_call *call)
{
    if (the_world->dying)
        return; /* the client hears nothing, and clients_lost frees the call */
    struct parcel parcel = {.kind = PARCEL_ANSWER, .call = call};
    shell_parcel(the_world, &parcel);
}

static struct sim_call *new_call(struct world *world, enum call_kind kind)
{
    struct sim_call *call = hook_alloc(sizeof(*call));
    call->kind = kind;
    call->call.done = done;
    call->number = ++world->call_count;
    call->next = world->calls;
    if (call->next)
        call->next->prev = call;
    world->calls = call;
    return call;
}

static void free_call(struct world *world, struct sim_call *call)
{
    if (call->prev)
        call->prev->next = call->next;
    else
        world->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    free(call->events);
    free(call->payloads);
    free(call);
}

static void send_call(struct world *world, struct sim_call *call)
{
    static const uint8_t kinds[] = {MAIL_CREATE, MAIL_UPDATE, MAIL_PUBLISH, MAIL_REDELIVER};
    struct dispatch *dispatch = world->dispatch;
    struct mailbox *mailbox = &dispatch->writer.mailbox;
    if (call->kind == ASK_UPDATE)
        mailbox = sender_thread_mailbox(
            dispatch->senders[dispatch_sender_of(dispatch, call->update.webhook)]);
    call->call.mail.kind = kinds[call->kind];
    shell_mail(world, mailbox, &call->call.mail);
}

static struct event_set some_types(struct world *world)
{
    struct event_set set = {{0}};
    bool all = random_chance(&world->random, 50);
    for (int i = 0; i < TYPES; i++)
        if (all || random_chance(&world->random, 50))
            event_set_add(&set, types[i]);
    return set;
}

static void new_url(struct world *world, struct sim_call *call)
{
    call->url_tag = ++world->tag_count;
    snprintf(call->url, sizeof(call->url), "http://r%u.sim/%u", call->receiver, call->url_tag);
}

static void new_secret(struct world *world, struct sim_call *call)
{
    call->secret_tag = ++world->tag_count;
    snprintf(call->secret, sizeof(call->secret), "secret-%u", call->secret_tag);
}

/* ---- what is asked ---- */

static void create(struct world *world)
{
    if (world->webhook_count == WEBHOOKS_MAX || world->receiver_count == RECEIVERS_MAX)
        return;
    struct sim_call *call = new_call(world, ASK_CREATE);
    call->receiver = receiver_new(world);
    new_url(world, call);
    new_secret(world, call);
    snprintf(call->id, sizeof(call->id), "w%" PRId64, call->number);
    struct create_call *ask = &call->create;
    ask->org = "dev0";
    ask->partition = "dvrv-us-1";
    ask->id = call->id;
    ask->url = ask->target = call->url;
    ask->secret = call->secret;
    ask->user = "";
    ask->event_types = some_types(world);
    struct audit_event event = {.kind = AUDIT_ASKED_CREATE,
                                .call = call->number,
                                .url_tag = call->url_tag,
                                .secret_tag = call->secret_tag};
    world_tell(world, &event);
    send_call(world, call);
}

static void publish(struct world *world, uint32_t count, bool batch)
{
    struct sim_call *call = new_call(world, ASK_PUBLISH);
    call->events = hook_alloc(count * sizeof(call->events[0]));
    call->payloads = hook_alloc(count * sizeof(call->payloads[0]));
    call->first = world->number_count + 1;
    for (uint32_t i = 0; i < count; i++) {
        int bytes =
            snprintf(call->payloads[i], PAYLOAD_ROOM, "{\"n\":%" PRId64 "}", ++world->number_count);
        call->events[i] = (struct publish_event){
            .type = types[random_between(&world->random, 0, TYPES - 1)],
            .payload = call->payloads[i],
            .payload_bytes = (size_t)bytes,
        };
    }
    call->publish.org = "dev0";
    call->publish.events = call->events;
    call->publish.event_count = count;
    call->publish.batch = batch;
    struct audit_event event = {
        .kind = AUDIT_ASKED_PUBLISH, .call = call->number, .number = call->first, .count = count};
    world_tell(world, &event);
    send_call(world, call);
}

static struct sim_call *new_update(struct world *world)
{
    if (world->webhook_count == 0)
        return NULL;
    unsigned webhook = (unsigned)random_between(&world->random, 0, world->webhook_count - 1);
    if (world->webhooks[webhook].deleted && random_chance(&world->random, 90))
        return NULL;
    struct sim_call *call = new_call(world, ASK_UPDATE);
    call->webhook = webhook;
    call->receiver = world->webhooks[webhook].receiver;
    call->update.webhook = world->webhooks[webhook].key;
    call->update.user = "";
    return call;
}

static void send_update(struct world *world, struct sim_call *call)
{
    if (call->url_tag)
        call->update.url = call->update.target = call->url;
    if (call->secret_tag)
        call->update.secret = call->secret;
    struct audit_event event = {.kind = AUDIT_ASKED_CHANGE,
                                .call = call->number,
                                .webhook = call->update.webhook,
                                .command = (uint8_t)call->update.command,
                                .url_tag = call->url_tag,
                                .secret_tag = call->secret_tag};
    world_tell(world, &event);
    send_call(world, call);
}

static void update(struct world *world, enum fault fault)
{
    struct sim_call *call = new_update(world);
    if (!call)
        return;
    struct update_call *ask = &call->update;
    if (fault == FAULT_updates_url_same) { /* as far as this client knows */
        call->url_tag = world->webhooks[call->webhook].url_tag;
        snprintf(call->url, sizeof(call->url), "http://r%u.sim/%u", call->receiver, call->url_tag);
    }
    if (fault == FAULT_updates_url || fault == FAULT_updates_both ||
        fault == FAULT_updates_and_commands) {
        if (random_chance(&world->random, 40) && world->receiver_count < RECEIVERS_MAX)
            call->receiver = receiver_new(world);
        new_url(world, call);
    }
    if (fault == FAULT_updates_secret || fault == FAULT_updates_both)
        new_secret(world, call);
    if (fault == FAULT_updates_types) {
        ask->set_event_types = true;
        ask->event_types = some_types(world);
    }
    if (fault == FAULT_activates ||
        (fault == FAULT_updates_and_commands && random_chance(&world->random, 70)))
        ask->command = COMMAND_ACTIVATE;
    else if (fault == FAULT_deactivates || fault == FAULT_updates_and_commands)
        ask->command = COMMAND_DEACTIVATE;
    else if (fault == FAULT_deletes)
        ask->command = COMMAND_DELETE;
    send_update(world, call);
}

static void redeliver(struct world *world)
{
    int64_t count = (int64_t)observe_deliveries(world);
    if (count == 0 || world->webhook_count == 0)
        return;
    int64_t key = random_between(&world->random, count > 200 ? count - 200 : 1, count);
    int64_t webhook = observe_webhook_of(world, key);
    if (webhook == 0)
        return;
    struct sim_call *call = new_call(world, ASK_REDELIVER);
    call->redeliver.delivery = key;
    call->redeliver.webhook = webhook;
    struct audit_event event = {
        .kind = AUDIT_ASKED_REDELIVERY, .call = call->number, .delivery = key};
    world_tell(world, &event);
    observe_redelivery(world, key);
    send_call(world, call);
}

static int64_t act(struct world *world, enum fault fault)
{
    struct random *random = &world->random;
    switch (fault) {
    case FAULT_publishes: publish(world, 1, false); break;
    case FAULT_publishes_batch:
        publish(world, (uint32_t)random_between(random, 2, world->plan.batch_max), true);
        break;
    case FAULT_publishes_burst:
        publish(world, (uint32_t)random_between(random, 100, BURST_MAX), true);
        break;
    case FAULT_creates:
        if (world->webhook_count < world->plan.webhooks_max)
            create(world);
        break;
    case FAULT_redelivers: redeliver(world); break;
    case FAULT_pauses: return random_between(random, 3600000, INT64_C(518400000));
    default: update(world, fault); break;
    }
    return 0;
}

void clients_begin(struct world *world)
{
    for (unsigned i = 0; i < world->plan.webhooks_first; i++)
        create(world);
}

void clients_act(struct world *world)
{
    int64_t pause_ms = 0;
    if (world->dispatch) {
        enum fault fault = world_draw(world, GROUP_CLIENT);
        /* calm worlds stay below the load at which anything waits */
        if (!(world->plan.calm && (fault == FAULT_publishes_burst || fault == FAULT_pauses))) {
            world_count(world, fault);
            pause_ms = act(world, fault);
        }
    }
    if (world->calm_now)
        return;
    world->paused_until_ms = world->now_ms + pause_ms;
    world_plan(world,
               world->now_ms + pause_ms + random_wait(&world->random, world->plan.client_mean_ms),
               MOMENT_CLIENT, false, 0, NULL);
}

/* ---- what is told ---- */

static void told_create(struct world *world, const struct sim_call *call, bool ok)
{
    struct audit_event event = {.kind = AUDIT_TOLD_CREATE,
                                .call = call->number,
                                .ok = ok,
                                .webhook = ok ? call->create.key : 0};
    world_tell(world, &event);
    if (!ok || world->webhook_count == WEBHOOKS_MAX)
        return;
    world->webhooks[world->webhook_count++] =
        (struct known_webhook){.key = call->create.key,
                               .receiver = call->receiver,
                               .url_tag = call->url_tag,
                               .secret_tag = call->secret_tag};
}

static void told_update(struct world *world, const struct sim_call *call, bool ok)
{
    struct audit_event event = {.kind = AUDIT_TOLD_CHANGE,
                                .call = call->number,
                                .ok = ok,
                                .gone = call->call.result == DISPATCH_NOT_FOUND};
    world_tell(world, &event);
    struct known_webhook *known = &world->webhooks[call->webhook];
    if (ok && call->url_tag) {
        known->url_tag = call->url_tag;
        known->receiver = call->receiver;
    }
    known->deleted |= ok && call->update.command == COMMAND_DELETE;
}

static void told_publish(struct world *world, const struct sim_call *call, bool ok)
{
    struct audit_event event = {.kind = AUDIT_TOLD_PUBLISH, .call = call->number, .ok = ok};
    world_tell(world, &event);
    for (uint32_t i = 0; ok && i < call->publish.event_count; i++) {
        const struct publish_event *one = &call->events[i];
        struct audit_event told = {.kind = AUDIT_TOLD_EVENT,
                                   .call = call->number,
                                   .number = call->first + i,
                                   .event = one->key,
                                   .salt = one->salt,
                                   .count = one->delivery_count};
        world_tell(world, &told);
    }
}

static void told_redeliver(struct world *world, const struct sim_call *call, bool ok)
{
    struct audit_event event = {.kind = AUDIT_TOLD_REDELIVERY,
                                .call = call->number,
                                .delivery = call->redeliver.delivery,
                                .ok = ok};
    world_tell(world, &event);
}

void clients_told(struct world *world, struct dispatch_call *answered)
{
    struct sim_call *call = (struct sim_call *)(void *)answered; /* the union is its first member */
    bool ok = answered->result == DISPATCH_OK;
    if (ok)
        world->tally->calls_ok++;
    else
        world->tally->calls_refused++;
    switch (call->kind) {
    case ASK_CREATE: told_create(world, call, ok); break;
    case ASK_UPDATE: told_update(world, call, ok); break;
    case ASK_PUBLISH: told_publish(world, call, ok); break;
    case ASK_REDELIVER: told_redeliver(world, call, ok); break;
    }
    if (ok && (call->kind == ASK_CREATE || call->kind == ASK_UPDATE))
        world_plan(world, world->now_ms + random_between(&world->random, 0, 40), MOMENT_ANSWERED,
                   true, call->kind == ASK_CREATE ? call->create.key : call->update.webhook, NULL);
    free_call(world, call);
}

void clients_lost(struct world *world)
{
    while (world->calls) {
        world->tally->calls_lost++;
        free_call(world, world->calls);
    }
}
