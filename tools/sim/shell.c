/* The process: writer and senders of the dispatcher, their rounds called one at a time.
 *
 * Owns: when a thread runs, and when what its round made is handed over. Stands in for dispatch.c
 * and for the threads; a round itself is the dispatcher's own (writer_round, loop_round).
 *
 * How threads are simulated. A round takes no time, but nothing that it makes leaves the thread at
 * once: mails, answers to clients and POSTs go into the thread's outbox and are handed over in
 * order, with pauses between them if threads are slow. So another thread may run, and the process
 * may die, between any two of them, as with a real thread that is stopped there; and the order in
 * one mailbox stays the order of sending, whoever is slow. What a round decided is handed over
 * before the same thread begins another one.
 *
 * A thread that runs a thousand rounds without time moving has come to no rest: that is reported.
 */
#include "tools/sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WRITER          0
#define WRITER_RETRY_MS 200 /* as in writer.c */
#define ROUNDS_MAX      1000

/* ---- what dispatch.c does ---- */

void dispatch_send(struct dispatch *dispatch, struct mailbox *mailbox, struct mail *mail)
{
    (void)dispatch;
    struct parcel parcel = {.kind = PARCEL_MAIL, .mailbox = mailbox, .mail = mail};
    shell_parcel(the_world, &parcel);
}

unsigned dispatch_sender_of(const struct dispatch *dispatch, int64_t webhook)
{
    return (unsigned)((uint64_t)webhook % dispatch->options.senders);
}

/* ---- what a round hands over ---- */

void shell_parcel(struct world *world, const struct parcel *parcel)
{
    assert(world->running >= 0);
    struct sim_thread *thread = &world->threads[world->running];
    if (thread->count == thread->capacity) {
        thread->capacity = thread->capacity * 2 + 16;
        thread->parcels = hook_grow(thread->parcels, thread->capacity * sizeof(thread->parcels[0]));
    }
    thread->parcels[thread->count++] = *parcel;
}

static unsigned reader_of(const struct world *world, const struct mailbox *mailbox)
{
    const struct dispatch *dispatch = world->dispatch;
    if (mailbox == &dispatch->writer.mailbox)
        return WRITER;
    unsigned sender = 0;
    while (mailbox != sender_thread_mailbox(dispatch->senders[sender]))
        sender++;
    return sender + 1;
}

void shell_mail(struct world *world, struct mailbox *mailbox, struct mail *mail)
{
    mailbox_send(mailbox, mail);
    shell_poke(world, reader_of(world, mailbox));
}

static void deliver(struct world *world, const struct parcel *parcel)
{
    switch (parcel->kind) {
    case PARCEL_MAIL: shell_mail(world, parcel->mailbox, parcel->mail); break;
    case PARCEL_ANSWER: clients_told(world, parcel->call); break;
    case PARCEL_POST: network_send(world, parcel->post); break;
    }
}

static void sleep_before_handing_over(struct world *world, unsigned thread, int64_t ms)
{
    world_plan(world, world->now_ms + ms, MOMENT_OUTBOX, true, thread, NULL);
}

void shell_hand_over(struct world *world, unsigned number)
{
    struct sim_thread *thread = &world->threads[number];
    bool dies = world->crash == FAULT_crashes_in_sender && number != WRITER;
    dies |= world->crash == FAULT_crashes_after_commit && number == WRITER;
    while (thread->next < thread->count) {
        if (dies && random_chance(&world->random, 50)) {
            shell_crash(world);
            return;
        }
        struct parcel parcel = thread->parcels[thread->next++];
        deliver(world, &parcel);
        if (world->slow_ms > 0 && thread->next < thread->count &&
            random_chance(&world->random, 10)) {
            sleep_before_handing_over(world, number,
                                      random_between(&world->random, 1, world->slow_ms));
            return;
        }
    }
    thread->count = thread->next = 0;
    shell_poke(world, number);
}

/* ---- rounds ---- */

/* When the thread has something to do; MONO_NEVER if nothing. */
static int64_t due(struct world *world, unsigned number)
{
    struct dispatch *dispatch = world->dispatch;
    int64_t to_mono = clock_now(world->clock).mono - world->now_ms;
    if (number == WRITER) {
        const struct writer *writer = &dispatch->writer;
        if (writer->mailbox.head || writer->left)
            return world->now_ms;
        if (writer->retained || writer->failing_since_ms != 0)
            return world->threads[WRITER].rounded_at + WRITER_RETRY_MS;
        return writer->purge_at - to_mono;
    }
    struct sender_thread *sender = dispatch->senders[number - 1];
    if (sender->mailbox.head || network_has_ended(sender->sender))
        return world->now_ms;
    mono_ms deadline = sender_thread_deadline(sender);
    if (deadline == MONO_NEVER || atomic_load(&dispatch->store_failing))
        return MONO_NEVER;
    return deadline - to_mono;
}

/* How long a thread takes to wake up, or a transaction to become durable. */
static int64_t delay(struct world *world, unsigned number)
{
    struct random *random = &world->random;
    if (number == WRITER)
        return world->commit_slow_ms > 0 ? random_between(random, 1, world->commit_slow_ms)
                                         : random_between(random, 1, 6);
    if (world->slow_ms > 0 && random_chance(random, 10))
        return random_between(random, 1, world->slow_ms);
    return random_chance(random, 30) ? random_between(random, 0, 3) : 0;
}

void shell_poke(struct world *world, unsigned number)
{
    struct sim_thread *thread = &world->threads[number];
    if (!world->dispatch || thread->count > 0 || world->running == (int)number)
        return;
    int64_t at = due(world, number);
    if (at == MONO_NEVER)
        return;
    if (at < world->now_ms)
        at = world->now_ms;
    if (thread->wake_at <= at)
        return;
    at += delay(world, number);
    if (thread->wake_at <= at)
        return;
    thread->wake_at = at;
    world_plan(world, at, MOMENT_THREAD, true, number, NULL);
}

static void count_rounds(struct world *world, struct sim_thread *thread)
{
    thread->rounds_now = thread->rounded_at == world->now_ms ? thread->rounds_now + 1 : 0;
    thread->rounded_at = world->now_ms;
    if (thread->rounds_now != ROUNDS_MAX)
        return;
    struct audit_event fault = {.kind = AUDIT_FAULT, .text = "a thread comes to no rest"};
    world_tell(world, &fault);
}

static void run_writer(struct world *world)
{
    bool dies = world->crash == FAULT_crashes_before_commit;
    if (dies) /* the calls of the store up to here were made, and are forgotten */
        store_memory_fail(world->store, (unsigned)random_between(&world->random, 0, 5), UINT32_MAX,
                          STORE_FAILED);
    writer_round(&world->dispatch->writer);
    observe_commits(world);
    if (!dies)
        return;
    store_memory_fail(world->store, 0, world->store_failing ? UINT32_MAX : 0, STORE_FULL);
    world->running = -1;
    shell_crash(world);
}

static void report_memory(struct world *world, unsigned number)
{
    struct sender_thread *sender = world->dispatch->senders[number - 1];
    const struct core_config *config = &sender->core.config;
    struct audit_event event = {.kind = AUDIT_MEMORY,
                                .count = sender_thread_in_memory(sender),
                                .limit = config->memory_max + config->window_max +
                                         64 * (uint32_t)(sender->hooks.count + 1) +
                                         config->in_flight_max};
    if (event.count > event.limit || event.count > config->memory_max)
        world_tell(world, &event);
}

void shell_run(struct world *world, unsigned number)
{
    struct sim_thread *thread = &world->threads[number];
    if (!world->dispatch || thread->wake_at != world->now_ms)
        return; /* planned anew meanwhile */
    thread->wake_at = MONO_NEVER;
    count_rounds(world, thread);
    world->running = (int)number;
    if (number == WRITER) {
        run_writer(world);
    } else {
        loop_round(world->dispatch->senders[number - 1]);
        report_memory(world, number);
    }
    world->running = -1;
    if (!world->dispatch)
        return; /* it died */
    int64_t pause = world->slow_ms > 0 && random_chance(&world->random, 10)
                        ? random_between(&world->random, 1, world->slow_ms)
                        : 0;
    if (pause > 0 && thread->count > 0)
        sleep_before_handing_over(world, number, pause);
    else
        shell_hand_over(world, number);
}

bool shell_at_rest(struct world *world)
{
    if (!world->dispatch || world->posts_under_way > 0 || world->dispatch->writer.retained)
        return false;
    for (unsigned i = 0; i <= world->plan.senders; i++)
        if (world->threads[i].count > 0)
            return false;
    if (world->dispatch->writer.mailbox.head)
        return false;
    for (unsigned i = 0; i < world->plan.senders; i++)
        if (world->dispatch->senders[i]->mailbox.head ||
            network_has_ended(world->dispatch->senders[i]->sender))
            return false;
    uint64_t open;
    store_open_count(world->store, &open);
    return open == 0;
}

/* ---- life and death ---- */

struct sealer *shell_sealer(void)
{
    static struct sealer *sealer;
    if (!sealer)
        sealer = sealer_new(&(struct seal_key){.version = 1}, 1);
    return sealer;
}

static struct dispatch_options options(const struct world *world)
{
    return (struct dispatch_options){
        .core = world->plan.core,
        .senders = world->plan.senders,
        .store = world->store,
        .clock = world->clock,
        .sealer = shell_sealer(),
        .attempt_timeout_ms = 3000,
        .response_bytes_max = 1048576,
        .response_kept_bytes = 64,
        .challenge_bytes_max = 65536,
        .top_level_challenge = true,
        .ca_file = "",
        .user_agent = "revhook",
        .batch_deliveries_max = 100000,
        .backlog_max = 10000000,
        .webhooks_max = 100000,
        .idempotency_ms = 86400000,
        .retention_ms = INT64_C(2592000000),
    };
}

/* What dispatch_start does, without threads. */
static void start_process(struct world *world)
{
    char error[128], boot[64];
    struct instant last;
    store_last_commit(world->store, &last, boot);
    world->clock = clock_real(last, boot);
    struct dispatch *dispatch = hook_alloc(sizeof(*dispatch));
    dispatch->options = options(world);
    dispatch->verify_pace =
        verify_pace_new(0); /* no cap: whom it holds back hangs on a random key */
    quiet_init(&dispatch->quiet, false);
    mailbox_init(&dispatch->writer.mailbox);
    struct core_config config = world->plan.core;
    config.in_flight_max = config.in_flight_max / world->plan.senders;
    config.memory_max /= world->plan.senders;
    for (unsigned i = 0; i < world->plan.senders; i++)
        dispatch->senders[i] = sender_thread_new(dispatch, i, &config, error, sizeof(error));
    world->dispatch = dispatch;
    world->life++;
    for (unsigned i = 0; i <= world->plan.senders; i++) {
        struct sim_thread *thread = &world->threads[i];
        thread->count = thread->next = thread->rounds_now = 0;
        thread->wake_at = MONO_NEVER;
        thread->rounded_at = world->now_ms - WRITER_RETRY_MS;
    }
    world->running = WRITER;
    if (!writer_recover(&dispatch->writer, dispatch, error, sizeof(error)))
        abort();                    /* reading memory does not fail */
    dispatch->writer.linger_ms = 0; /* its rounds come late by themselves, see delay() */
    world->running = -1;
}

void shell_start(struct world *world, bool reboot)
{
    start_process(world);
    if (!world->plan.calm && !world->calm_now &&
        world_draw(world, GROUP_RESTART) == FAULT_recovers_twice) {
        world_count(world, FAULT_recovers_twice);
        struct audit_event twice = {.kind = AUDIT_RECOVERED_TWICE, .hash = observe_hash(world)};
        shell_free(world);
        store_memory_crash(world->store);
        start_process(world);
        twice.hash_again = observe_hash(world);
        world_tell(world, &twice);
    }
    struct audit_event started = {.kind = AUDIT_STARTED, .reboot = reboot};
    world_tell(world, &started);
    shell_hand_over(world, WRITER);
    for (unsigned i = 1; i <= world->plan.senders; i++)
        shell_poke(world, i);
}

static void free_mail(struct mail *mail)
{
    switch ((enum mail_kind)mail->kind) {
    case MAIL_REPORTS: reports_free((struct reports *)(void *)mail); break;
    case MAIL_OPERATIONS: operations_free((struct operations *)(void *)mail); break;
    case MAIL_TICK:
    case MAIL_ANSWERED: free(mail); break;
    default: break; /* a call: it is the client's */
    }
}

static void free_mails(struct mail *mail)
{
    for (struct mail *next; mail; mail = next) {
        next = mail->next;
        free_mail(mail);
    }
}

void shell_free(struct world *world)
{
    struct dispatch *dispatch = world->dispatch;
    if (!dispatch)
        return;
    world->dying = true;
    world->running = WRITER; /* answers of the dying go into an outbox that nobody empties */
    for (unsigned i = 0; i <= world->plan.senders; i++) {
        struct sim_thread *thread = &world->threads[i];
        for (unsigned k = thread->next; k < thread->count; k++)
            if (thread->parcels[k].kind == PARCEL_MAIL)
                free_mail(thread->parcels[k].mail);
        thread->count = thread->next = 0;
    }
    struct writer *writer = &dispatch->writer;
    free_mails(mailbox_take(&writer->mailbox));
    free_mails(writer->retained);
    free_mails(writer->left);
    for (unsigned i = 0; i < world->plan.senders; i++) {
        if (writer->reports[i])
            reports_free(writer->reports[i]);
        sender_thread_free(dispatch->senders[i]);
    }
    subscribers_free(&writer->subscribers);
    free(writer->targets);
    mailbox_destroy(&writer->mailbox);
    quiet_destroy(&dispatch->quiet);
    verify_pace_free(dispatch->verify_pace);
    free(dispatch);
    clock_free(world->clock);
    world->dispatch = NULL;
    world->clock = NULL;
    world->posts_under_way = 0;
    for (unsigned i = 0; i <= world->plan.senders; i++)
        world->threads[i].count = world->threads[i].next = 0;
    world->running = -1;
    world->dying = false;
    world->life++; /* what was planned for it lapses */
}

void shell_crash(struct world *world)
{
    world->crash = FAULT_COUNT;
    world->tally->crashes++;
    shell_free(world);
    store_memory_crash(world->store);
    struct audit_event crashed = {.kind = AUDIT_CRASHED};
    clients_lost(world);
    world_tell(world, &crashed);
    observe_all(world, false);
    disaster_restart(world);
}
