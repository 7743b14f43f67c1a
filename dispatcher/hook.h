/* What the dispatcher keeps in memory of webhooks and events.
 *
 * Owns: struct hook (a webhook of the core with what is needed to POST to it), its configuration
 * and the bodies of events. Refuses: to decide anything. A configuration and a body never change
 * once they are made; they are shared between threads by counting who holds them, and the last one
 * frees them. */
#ifndef REVHOOK_DISPATCHER_HOOK_H
#define REVHOOK_DISPATCHER_HOOK_H

#include "core/core.h"
#include "core/fanout.h"
#include "core/ids.h"
#include "dispatcher/dispatch.h"

#include <curl/curl.h>
#include <stdatomic.h>

/* What a client sets of a webhook. */
struct webhook_config {
    atomic_int holders;
    char id[IDS_DON_BYTES_MAX]; /* its DON */
    char *url;                  /* as the client wrote it */
    char *target;               /* as it is dialled */
    bool http;                  /* in plain text, not https */
    char *host;                 /* of the target: a name or a literal address */
    char *secret;
    struct event_set event_types;
    size_t header_count;
    struct webhook_header headers[WEBHOOK_HEADERS_MAX];
    struct sign_own signature;
    struct curl_slist header_list[WEBHOOK_HEADERS_MAX]; /* "Name: value", linked; only read */
    CURLU *target_url;                                  /* `target`, parsed once; only read */
};

/* A configuration made of a create call or of a row of the store, held once; NULL if `target` is no
 * URL, or the row's signature has a word that this program does not know. `id` is the DON. */
struct webhook_config *webhook_config_new(const struct create_call *call, const char *id);
struct webhook_config *webhook_config_from_row(const struct store_webhook *row, const char *id);

/* The configuration after `call`, held once; *changed tells whether anything but the state differs.
 * NULL, with *result, if it may not be. */
struct webhook_config *webhook_config_update(const struct webhook_config *config,
                                             const struct update_call *call, bool *changed,
                                             enum dispatch_result *result);
struct webhook_config *webhook_config_hold(struct webhook_config *config);
void webhook_config_drop(
    struct webhook_config *config); /* NULL is fine; wipes the secret with the last holder */

/* Writes the headers as they are sealed, "name: value\n" lines; the text is to be given to
 * webhook_config_free_lines, which wipes it: values may be credentials. */
char *webhook_config_header_lines(const struct webhook_config *config);
void webhook_config_free_lines(char *lines);

/* One webhook in memory. Made by the writer, the sender's from then on, but for `subscriber`. */
struct hook {
    struct webhook core; /* core.config is unused: the configuration stands below */
    struct webhook_config *config;
    struct subscriber *subscriber; /* the writer's */
    /* What a client asked for: one call is being committed, others wait in line. */
    struct update_call *current;
    struct webhook_config *next_config;
    struct mail *waiting, *waiting_tail;
};

/* The body of an event, shared by its deliveries. */
struct event_body {
    atomic_int holders;
    int64_t key;
    uint64_t salt;
    enum event_type type;
    size_t payload_bytes;
    char payload[];
};

struct event_body *event_body_new(int64_t key, uint64_t salt, enum event_type type,
                                  const char *payload, size_t payload_bytes);
struct event_body *event_body_hold(struct event_body *body);
void event_body_drop(struct event_body *body);

/* A delivery weighs 1, and 1 more for each of these in its payload. */
#define HOOK_WEIGHT_BYTES 4096

/* A delivery for the core to take, which holds `body`; and the end of one, with its answer if it
 * has one. */
struct delivery *hook_delivery_new(struct hook *hook, struct event_body *body, int64_t key,
                                   mono_ms due);
void hook_delivery_free(struct delivery *delivery);

/* Frees a hook that no core knows any more. */
void hook_free(struct hook *hook);

/* Memory that never fails: a service without memory for its own bookkeeping stops, is started again
 * and goes on from the store. Sizes that a client chooses are bounded before they come here. */
void *hook_alloc(size_t bytes); /* zeroed */
void *hook_grow(void *memory, size_t bytes);
char *hook_copy(const char *text);
/* What they do where there is no memory: says so in the log and stops the program, which goes on
 * from the store at its next start. For libraries that ran short likewise. Any thread. */
_Noreturn void hook_out_of_memory(void);

#endif
