/* A certificate and its key, read from files: what the API proves itself with, and what the sender
 * shows to targets that ask for a client certificate. */
#ifndef REVHOOK_DISPATCHER_TLS_H
#define REVHOOK_DISPATCHER_TLS_H

#include <openssl/ssl.h>
#include <stddef.h>

/* A context for TLS 1.2 and newer with the certificate (PEM, its chain behind it) and the private
 * key (PEM, without a passphrase) of these files. The caller frees it with SSL_CTX_free. NULL, and
 * `error` says which file is wrong and why, if they cannot be read or do not belong together. Any
 * thread. */
SSL_CTX *tls_context(const char *cert_file, const char *key_file, char *error, size_t error_bytes);

#endif
