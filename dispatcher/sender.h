/* The sender: POSTs by libcurl, many at once on one thread. It reports facts and knows no policy.
 *
 * Owns: connections, handles, the epoll descriptor that the thread of its loop waits on. Refuses:
 * to follow redirects, to retry, to judge a status, to dial an address that egress denies. */
#ifndef REVHOOK_DISPATCHER_SENDER_H
#define REVHOOK_DISPATCHER_SENDER_H

#include "dispatcher/hook.h"
#include "dispatcher/sign.h"
#include "dispatcher/verify_pace.h"

#define CHALLENGE_CHARS        40
#define SIGNATURE_HEADER       "X-DevRev-Signature: "
#define SIGNATURE_HEADER_BYTES (sizeof(SIGNATURE_HEADER) + SIGN_TEXT_BYTES)

struct sender;

/* One POST. The caller sets the first part between sender_post_new and sender_start, and reads the
 * last when it has ended. */
struct post {
    struct post *next;
    struct webhook_config *config; /* held by the post */
    struct delivery *delivery;     /* NULL: a verify request */
    int64_t webhook;
    unsigned slot;                        /* the caller's */
    struct post *young_prev, *young_next; /* the caller's: its list of young ones */
    uint32_t verify_seq;
    mono_ms asked_at; /* of a verify request: the service's clock */
    char challenge[CHALLENGE_CHARS + 1];
    char *body; /* the post's memory, kept from POST to POST: see post_body */
    size_t body_bytes, body_capacity;
    size_t answer_kept_max; /* how much of the answer is kept */
    wall_us started_us;
    /* out */
    struct attempt_facts facts;
    char *answer; /* the post's memory */
    size_t answer_bytes;
    mono_ms postponed_to; /* a verify request that was not sent, for its address has had enough: ask
                             again then; 0: no such thing */

    /* The sender's. */
    CURL *easy;
    struct sender *sender;
    int64_t began_ms; /* clock_span_ms */
    size_t answer_seen_bytes, answer_capacity, head_seen_bytes;
    unsigned answer_pieces;
    int64_t length_seen; /* bytes that the head announces; -1: none so far */
    char error[CURL_ERROR_SIZE];
    bool too_large, denied, no_socket, head_complete, on_the_wire, paced;
    char signature[SIGNATURE_HEADER_BYTES];
    struct curl_slist header_nodes[3];
    struct post *prev_active, *next_active;
};

struct sender_options {
    dur_ms timeout_ms;
    size_t response_bytes_max;
    const struct egress_policy *egress;
    const char *user_agent;
    const char *ca_file;   /* trusted besides the system's; "": none */
    struct sender *eldest; /* keeps the authorities for all; NULL: this one. It outlives the rest */
    const char *cert_file, *key_file; /* shown to targets that ask for them; NULL or "": none */
    struct verify_pace *verify_pace;  /* the cap on verify requests; NULL: none */
    struct sign_form sign_form;       /* of webhooks that set none for themselves */
};

/* Makes a sender; NULL, with `error`, if it cannot be. The options' pointers must live as long. */
struct sender *sender_new(const struct sender_options *options, char *error, size_t error_bytes);

/* Cuts off every POST under way, closes connections, frees. */
void sender_free(struct sender *sender);

/* Wakes sender_wait whenever something is written to the eventfd `fd`, which nobody has to read. */
bool sender_watch(struct sender *sender, int fd);

/* An unused post, to be filled in. */
struct post *sender_post_new(struct sender *sender);
/* Room for a body of `bytes`. */
char *post_body(struct post *post, size_t bytes);
/* Signs the body and starts the POST. It will be among what sender_wait returns, once. */
void sender_start(struct sender *sender, struct post *post);
/* Gives a post back after it has ended. */
void sender_post_free(struct sender *sender, struct post *post);

/* Waits for at most timeout_ms (-1: for ever), moves every POST on, and returns those that have
 * ended, linked by `next`. */
struct post *sender_wait(struct sender *sender, int timeout_ms);

/* Cuts off one POST that is under way and returns it; NULL if none is. */
struct post *sender_cut_off(struct sender *sender);

#endif
