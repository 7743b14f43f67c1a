/* What sender.c and sender_poll.c share. Nobody else includes this. */
#ifndef REVHOOK_DISPATCHER_SENDER_INSIDE_H
#define REVHOOK_DISPATCHER_SENDER_INSIDE_H

#include "dispatcher/sender.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>

#define SHARDS 16 /* libcurl multis of one sender: each looks through its own connections only */

struct shard {
    CURLM *multi;
    struct sender *sender;
    int64_t wake_at_ms; /* clock_span_ms at which libcurl wants to be called; -1: never */
};

/* What epoll knows of a descriptor of libcurl's. */
struct watched_fd {
    uint32_t registered; /* epoll events; 0: not there */
    bool own;            /* a connection, opened here, so its end is told; not libcurl's own */
    struct shard *shard; /* NULL: libcurl has let go of it, the connection is idle */
};

struct sender {
    struct sender_options options;
    struct signer *signer;
    pthread_mutex_t ca_lock;
    X509_STORE *ca_store; /* of the eldest sender, for all; NULL: not read yet */
    SSL_CTX *identity;    /* certificate and key of our own for targets; NULL: none */
    int epoll_fd;
    struct shard shards[SHARDS];
    unsigned first_shard;   /* whose time is looked at first in the next round */
    struct watched_fd *fds; /* by descriptor */
    size_t fds_count;
    struct post *unused; /* by `next` */
    struct post *active; /* under way, by `next_active` */
    struct post *ended;  /* to be returned by sender_wait, by `next` */
    struct post **ended_tail;
};

/* sender_poll.c */
void sender_set_up_libcurl(void); /* counts its callers; else the handles do it, on many threads */
bool sender_poll_init(struct sender *sender, char *error, size_t error_bytes);
void sender_poll_close(struct sender *sender);
void sender_add(struct sender *sender, struct post *post);
void sender_own_fd(struct sender *sender, int fd);    /* a connection's, just opened */
void sender_forget_fd(struct sender *sender, int fd); /* a connection's, about to be closed */

/* sender_answer.c: what libcurl calls with what comes back, the context being the post; and the
 * facts of a post that ended are set. */
size_t sender_take_answer(char *data, size_t size, size_t count, void *context);
size_t sender_take_head_line(char *line, size_t size, size_t count, void *context);
void sender_ended(struct post *post, CURLcode code);

#endif
