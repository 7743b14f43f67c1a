/* TLS towards clients of the API.
 *
 * Owns: what is agreed on beyond the certificate, and the exchange of it while the server runs.
 * Happy path: a context is made on the thread that read the settings and handed to the loop, where
 * the next connection takes it. Failure modes: files that cannot be used are told before anything
 * has changed. Refuses: "h2" in ALPN, renegotiation, compression, sessions kept in memory (clients
 * go on with tickets), ciphers without forward secrecy. */
#include "server/http_inside.h"

#include "dispatcher/thread.h"
#include "dispatcher/tls.h"

#include <stdio.h>

#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* A client that offers a list without http/1.1 gets none, as one that offers no list. */
static int choose_http1(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_bytes,
                        const unsigned char *offered, unsigned offered_bytes, void *ctx)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl;
    (void)ctx;
    return SSL_select_next_proto((unsigned char **)chosen, chosen_bytes, ours, sizeof(ours) - 1,
                                 offered, offered_bytes) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

SSL_CTX *http_tls_new(const char *cert_file, const char *key_file, char *error, size_t error_bytes)
{
    SSL_CTX *tls = tls_context(cert_file, key_file, error, error_bytes);
    if (tls == NULL)
        return NULL;
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(tls, choose_http1, NULL);
    if (SSL_CTX_set_cipher_list(tls, CIPHERS_TLS12) == 1)
        return tls;
    snprintf(error, error_bytes, "OpenSSL has none of the ciphers " CIPHERS_TLS12);
    SSL_CTX_free(tls);
    return NULL;
}

struct replacing {
    struct http_job job;
    struct http *http;
    SSL_CTX *tls;
    sem_t done;
};

static void do_replace(struct http_job *job)
{
    struct replacing *replacing = (struct replacing *)job;
    SSL_CTX_free(replacing->http->accept.ssl_ctx); /* counted: open connections hold it, too */
    replacing->http->accept.ssl_ctx = replacing->tls;
    sem_post(&replacing->done);
}

void http_tls_replace(struct http *http, SSL_CTX *tls)
{
    struct replacing replacing = {.job = {do_replace, NULL}, .http = http, .tls = tls};
    sem_init(&replacing.done, 0, 0);
    http_post(http, &replacing.job);
    thread_wait(&replacing.done);
    sem_destroy(&replacing.done);
}
