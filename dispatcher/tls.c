/* Certificates from files, see tls.h.
 *
 * Happy path: the chain, then the key, then the check that one is the other's. Failure modes: each
 * with a sentence that names the file. Refuses: a key with a passphrase (nobody is there to type
 * it; OpenSSL would ask the terminal), TLS 1.1 and older. */
#include "dispatcher/tls.h"

#include <openssl/err.h>
#include <stdio.h>

static int no_passphrase(char *text, int bytes, int writing, void *ctx)
{
    (void)text;
    (void)bytes;
    (void)writing;
    (void)ctx;
    return -1;
}

/* Tells the first thing that OpenSSL complained of, which is the cause; what follows is where. */
static void explain(const char *file, const char *needed, char *error, size_t error_bytes)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);
    if (ERR_GET_LIB(code) == ERR_LIB_SYS || reason == NULL)
        reason = "it cannot be read";
    snprintf(error, error_bytes, "%.200s cannot be used: %s; needed is %s", file, reason, needed);
    ERR_clear_error();
}

SSL_CTX *tls_context(const char *cert_file, const char *key_file, char *error, size_t error_bytes)
{
    ERR_clear_error();
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1) {
        snprintf(error, error_bytes, "TLS cannot be set up");
        SSL_CTX_free(tls);
        return NULL;
    }
    SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(tls, cert_file) != 1)
        explain(cert_file, "a certificate in PEM, its chain behind it", error, error_bytes);
    else if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1)
        explain(key_file, "the key of that certificate in PEM, without a passphrase", error,
                error_bytes);
    else
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}
