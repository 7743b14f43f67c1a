/* POSTs by libcurl, see sender.h.
 *
 * Owns: easy handles (used again and again), what is set on each of them. What comes back is taken
 * and judged in sender_answer.c, the event loop around libcurl stands in sender_poll.c.
 *
 * What is set on a handle is set for safety first: no redirects, no proxy from the environment, no
 * HTTP/0.9, no cookies, no netrc, TLS 1.2 or newer with verified peers, every address judged by
 * egress before a packet leaves, one time limit over all of it, name look-up included (QUICK_EXIT:
 * a resolver thread that hangs is left behind, not waited for).
 *
 * Cost. Debian's libcurl reads the system's CA file anew for every TLS connection, 144
 * certificates, about 19 ms of CPU; so no CA file is given to it, and one store is put into each
 * SSL_CTX instead. It takes a megabyte, so all senders share it, and it is read with the first
 * connection that needs it; or at the start where ca_file names one, so that a mistake is seen. */
#include "dispatcher/sender_inside.h"

#include "dispatcher/log.h"
#include "dispatcher/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A connection that was idle for longer is not used again: many receivers close theirs after 5 s
 * (Node's default among them), and a POST that crosses that close on the wire is an attempt lost.
 */
#define IDLE_SECONDS_MAX 4L

/* What libcurl reads with: a POST that waits for its answer holds so much of the heap. */
#define READ_BYTES 1024L

/* ---- callbacks ---- */

/* Whether the cap on verify requests lets this one go to the address; if not, notes until when. */
static bool in_pace(struct post *post, const struct sockaddr *address)
{
    struct verify_pace *pace = post->sender->options.verify_pace;
    if (post->delivery || !pace)
        return true;
    mono_ms at = verify_pace_address(pace, address, post->asked_at);
    post->paced = at <= post->asked_at;
    if (!post->paced)
        post->postponed_to = at;
    return post->paced;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct post *post = context;
    (void)purpose;
    if (!egress_allowed(post->sender->options.egress, post->config->http, &address->addr, NULL)) {
        post->denied = true;
        return CURL_SOCKET_BAD;
    }
    if (!in_pace(post, &address->addr))
        return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        post->no_socket = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    else
        sender_own_fd(post->sender, fd);
    return fd;
}

static bool read_literal(const char *ip, struct sockaddr_storage *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
        memcpy(address, &v4, sizeof(v4));
    else if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
        memcpy(address, &v6, sizeof(v6));
    else
        return false;
    return true;
}

/* The request is about to go out on a connection, new or used before. Judges the address once more,
 * for an old connection was not opened for this POST; and ends the POST if it is about to go out a
 * second time: libcurl sends it again by itself if a connection that was used before breaks without
 * an answer, but the receiver may have taken it already. An attempt is one POST. */
static int before_request(void *context, char *ip, char *local_ip, int port, int local_port)
{
    struct post *post = context;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    const struct sockaddr *to = (const struct sockaddr *)&address;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (!read_literal(ip, &address)) /* libcurl could not learn it: the other end is gone */
        return CURL_PREREQFUNC_ABORT;
    if (!egress_allowed(post->sender->options.egress, post->config->http, to, NULL)) {
        post->denied = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (post->on_the_wire || (!post->paced && !in_pace(post, to)))
        return CURL_PREREQFUNC_ABORT;
    post->on_the_wire = true;
    return CURL_PREREQFUNC_OK;
}

static int close_socket(void *context, curl_socket_t fd)
{
    sender_forget_fd(context, fd);
    return close(fd);
}

static X509_STORE *read_ca_store(const char *file)
{
    X509_STORE *store = X509_STORE_new();
    if (store && X509_STORE_set_default_paths(store) == 1 &&
        (!file[0] || X509_STORE_load_locations(store, file, NULL) == 1))
        return store;
    X509_STORE_free(store);
    return NULL;
}

/* The store that all senders share; NULL if there is no memory for it. */
static X509_STORE *ca_store(struct sender *sender)
{
    struct sender *eldest = sender->options.eldest ? sender->options.eldest : sender;
    pthread_mutex_lock(&eldest->ca_lock);
    if (!eldest->ca_store)
        eldest->ca_store = read_ca_store(sender->options.ca_file);
    X509_STORE *store = eldest->ca_store;
    pthread_mutex_unlock(&eldest->ca_lock);
    return store;
}

/* A new connection's context: whom to trust, and what to show to those who ask; both are read
 * once. */
static CURLcode use_shared(CURL *easy, void *ssl_ctx, void *context)
{
    struct sender *sender = context;
    X509_STORE *store = ca_store(sender);
    STACK_OF(X509) *chain = NULL;
    (void)easy;
    if (!store)
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set1_cert_store(ssl_ctx, store);
    if (!sender->identity)
        return CURLE_OK;
    SSL_CTX_get0_chain_certs(sender->identity, &chain);
    return SSL_CTX_use_cert_and_key(ssl_ctx, SSL_CTX_get0_certificate(sender->identity),
                                    SSL_CTX_get0_privatekey(sender->identity), chain, 1) == 1
               ? CURLE_OK
               : CURLE_OUT_OF_MEMORY;
}

/* ---- posts ---- */

static bool set_up(struct sender *sender, struct post *post)
{
    CURL *easy = post->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_PRIVATE, post);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)sender->options.timeout_ms);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_BUFFERSIZE, READ_BYTES);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, CURL_NETRC_IGNORED);
    SET(CURLOPT_USERAGENT, sender->options.user_agent);
    SET(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, use_shared);
    SET(CURLOPT_SSL_CTX_DATA, sender);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, post);
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, post);
    SET(CURLOPT_MAXAGE_CONN, IDLE_SECONDS_MAX);
    SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, sender);
    SET(CURLOPT_WRITEFUNCTION, sender_take_answer);
    SET(CURLOPT_WRITEDATA, post);
    SET(CURLOPT_HEADERFUNCTION, sender_take_head_line);
    SET(CURLOPT_HEADERDATA, post);
    SET(CURLOPT_ERRORBUFFER, post->error);
    SET(CURLOPT_POST, 1L);
#undef SET
    return code == CURLE_OK;
}

struct post *sender_post_new(struct sender *sender)
{
    struct post *post = sender->unused;
    if (post) {
        sender->unused = post->next;
        post->next = NULL;
        return post;
    }
    post = hook_alloc(sizeof(*post));
    post->sender = sender;
    post->easy = curl_easy_init();
    if (!post->easy || !set_up(sender, post)) {
        LOG(fault, LOG_TEXT("where", "libcurl"),
            LOG_TEXT("error", "no memory for a handle, or it lacks what is needed"));
        abort(); /* out of memory, or a libcurl without TLS: nothing can be sent */
    }
    return post;
}

char *post_body(struct post *post, size_t bytes)
{
    if (bytes > post->body_capacity) {
        post->body_capacity = bytes;
        post->body = hook_grow(post->body, bytes);
    }
    return post->body;
}

/* The headers of a POST: three of ours in front of those of the webhook, which are shared and only
 * read. */
static struct curl_slist *headers(struct post *post)
{
    struct curl_slist *nodes = post->header_nodes;
    nodes[0] = (struct curl_slist){post->signature, &nodes[1]};
    nodes[1] = (struct curl_slist){"Content-Type: application/json", &nodes[2]};
    nodes[2] = (struct curl_slist){
        "Expect:", post->config->header_count > 0 ? post->config->header_list : NULL};
    return nodes;
}

void sender_start(struct sender *sender, struct post *post)
{
    post->facts = (struct attempt_facts){.started_us = post->started_us};
    post->answer_bytes = post->answer_seen_bytes = post->head_seen_bytes = 0;
    post->answer_pieces = 0;
    post->length_seen = -1;
    post->error[0] = '\0';
    post->too_large = post->denied = post->no_socket = false;
    post->head_complete = post->on_the_wire = post->paced = false;
    post->postponed_to = 0;
    /* The value is signed over the bytes that libcurl is about to send. */
    memcpy(post->signature, SIGNATURE_HEADER, sizeof(SIGNATURE_HEADER));
    struct sign_form form = sign_form_of(&sender->options.sign_form, &post->config->signature);
    if (!signer_sign(sender->signer, &form, post->config->secret, post->body, post->body_bytes,
                     post->signature + sizeof(SIGNATURE_HEADER) - 1))
        hook_out_of_memory(); /* the receiver would refuse a POST without it */
    curl_easy_setopt(post->easy, CURLOPT_CURLU, post->config->target_url);
    curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, headers(post));
    curl_easy_setopt(post->easy, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(post->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_bytes);
    post->began_ms = clock_span_ms();
    sender_add(sender, post);
}

void sender_post_free(struct sender *sender, struct post *post)
{
    webhook_config_drop(post->config);
    post->config = NULL;
    post->delivery = NULL;
    OPENSSL_cleanse(post->challenge, sizeof(post->challenge));
    post->next = sender->unused;
    sender->unused = post;
}

/* ---- life ---- */

static bool check_ca_file(struct sender *sender, char *error, size_t error_bytes)
{
    const char *file = sender->options.ca_file;
    if (!file[0] || ca_store(sender))
        return true;
    snprintf(error, error_bytes, "ca_file: cannot read certificate authorities (PEM) from %s",
             file);
    return false;
}

static bool read_identity(struct sender *sender, char *error, size_t error_bytes)
{
    const char *cert_file = sender->options.cert_file;
    if (!cert_file || !cert_file[0])
        return true;
    sender->identity = tls_context(cert_file, sender->options.key_file, error, error_bytes);
    return sender->identity != NULL;
}

struct sender *sender_new(const struct sender_options *options, char *error, size_t error_bytes)
{
    struct sender *sender = hook_alloc(sizeof(*sender));
    sender_set_up_libcurl();
    sender->options = *options;
    pthread_mutex_init(&sender->ca_lock, NULL);
    sender->epoll_fd = -1; /* not open yet */
    sender->signer = signer_create();
    if (!sender->signer)
        snprintf(error, error_bytes, "there is no memory for signing");
    if (!sender->signer || !check_ca_file(sender, error, error_bytes) ||
        !read_identity(sender, error, error_bytes) ||
        !sender_poll_init(sender, error, error_bytes)) {
        sender_free(sender);
        return NULL;
    }
    return sender;
}

void sender_free(struct sender *sender)
{
    for (struct post *post; (post = sender_cut_off(sender));)
        sender_post_free(sender, post);
    sender_poll_close(sender);
    for (struct post *next, *post = sender->unused; post; post = next) {
        next = post->next;
        curl_easy_cleanup(post->easy);
        free(post->body);
        free(post->answer);
        free(post);
    }
    X509_STORE_free(sender->ca_store);
    pthread_mutex_destroy(&sender->ca_lock);
    SSL_CTX_free(sender->identity);
    signer_destroy(sender->signer);
    free(sender->fds);
    free(sender);
    curl_global_cleanup();
}
