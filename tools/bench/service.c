/* The service under test, see service.h.
 *
 * Owns: the daemon's command line, its folder, the wait for its line. It runs with --dev (loopback
 * targets, no rate limits) and otherwise with the settings that everybody gets. Failure modes: a
 * daemon that does not answer in time is ended and its log shown. Refuses: to look into it in any
 * other way than everybody can, /metrics and /proc. */
#include "tools/bench/service.h"

#include "tools/bench/child.h"
#include "tools/bench/prepare.h"
#include "tools/bench/usage.h"
#include "tools/bench/wire.h"
#include "tools/revhook/revhook.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_MS   30000
#define END_MS     10000
#define PREPARE_MS (30 * 60 * 1000) /* ten million rows */

/* ---- the store ---- */

struct preparation {
    const struct service *service;
    const struct load *load;
    const uint16_t *ports;
};

static int prepare(void *argument)
{
    const struct preparation *preparation = argument;
    struct prepared prepared;
    bool good = prepare_open(&prepared, preparation->service->folder, preparation->load,
                             preparation->ports) &&
                prepare_rows(&prepared);
    prepare_close(&prepared);
    return good ? 0 : 1;
}

bool service_prepare(const struct service *service, const struct load *load, const uint16_t *ports)
{
    struct preparation preparation = {service, load, ports};
    return child_run(prepare, &preparation, PREPARE_MS);
}

/* ---- the daemon ---- */

static void show_log(const char *file)
{
    char line[512];
    FILE *log = fopen(file, "re");
    while (log != NULL && fgets(line, sizeof(line), log) != NULL)
        fputs(line, stderr);
    if (log != NULL)
        fclose(log);
}

/* Reads the one line that the daemon prints; false if it does not come in time. */
static bool read_port(struct service *service, int out)
{
    char line[512];
    size_t bytes = 0;
    uint64_t end = now_ns() + READY_MS * UINT64_C(1000000);
    while (bytes < sizeof(line) - 1 && memchr(line, '\n', bytes) == NULL) {
        struct pollfd ready = {.fd = out, .events = POLLIN};
        ssize_t got = 0;
        if (now_ns() > end || child_stopped() || poll(&ready, 1, 100) < 0)
            return false;
        if (ready.revents != 0 && (got = read(out, line + bytes, sizeof(line) - 1 - bytes)) <= 0)
            return false;
        bytes += (size_t)got;
    }
    line[bytes] = '\0';
    const char *colon = strrchr(line, ':');
    service->port = (uint16_t)(colon != NULL ? strtoul(colon + 1, NULL, 10) : 0);
    return service->port != 0;
}

pid_t service_start(struct service *service)
{
    char log[4200], ca[4300];
    char *argv[] = {(char *)service->program,
                    "--dev",
                    "--listen",
                    "127.0.0.1:0",
                    "--data",
                    service->folder,
                    "--set",
                    "log_level=warn",
                    service->ca_file[0] != '\0' ? "--set" : NULL,
                    ca,
                    NULL};
    int out = -1;
    service->began_ns = now_ns();
    snprintf(log, sizeof(log), "%s/log", service->folder);
    snprintf(ca, sizeof(ca), "ca_file=%s", service->ca_file);
    pid_t pid = child_exec(argv, log, &out);
    bool good = pid > 0 && read_port(service, out);
    service->ready_ms = (double)(now_ns() - service->began_ns) / 1e6;
    if (out >= 0)
        close(out);
    if (good)
        return pid;
    child_end(pid, END_MS);
    if (!child_stopped()) {
        refused("%s does not start (is it there? see --daemon); its log:", service->program);
        show_log(log);
    }
    return -1;
}

/* ---- its metrics ---- */

/* Reads the whole answer to a GET; its length, 0 if it does not come. */
static size_t get(uint16_t port, const char *path, char *answer, size_t room)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t bytes = 0, head_bytes;
    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        dprintf(fd, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer dev-token\r\n\r\n",
                path) > 0)
        for (ssize_t got;
             bytes < room - 1 && (got = read(fd, answer + bytes, room - 1 - bytes)) > 0;) {
            bytes += (size_t)got;
            if (wire_length(answer, bytes, &head_bytes) != 0)
                break;
        }
    answer[bytes] = '\0';
    close(fd);
    return bytes;
}

void service_metrics(const struct service *service, unsigned count, const char *const names[],
                     double values[])
{
    char answer[65536], row[128];
    get(service->port, "/metrics", answer, sizeof(answer));
    for (unsigned i = 0; i < count; i++) {
        snprintf(row, sizeof(row), "\nrevhook_%s ", names[i]);
        const char *at = strstr(answer, row);
        values[i] = at != NULL ? strtod(at + strlen(row), NULL) : -1;
    }
}

/* ---- TLS ---- */

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool fill_in(X509 *certificate, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, 2) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) != NULL &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"revhook bench", -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1") &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

bool service_certificate(const char *file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FILE *out = fopen(file, "we");
    bool good = key != NULL && certificate != NULL && out != NULL && fill_in(certificate, key) &&
                PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_X509(out, certificate) == 1;
    if (out != NULL && fclose(out) != 0)
        good = false;
    EVP_PKEY_free(key);
    X509_free(certificate);
    if (!good)
        refused("cannot make a certificate in %s", file);
    return good;
}
