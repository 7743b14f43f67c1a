/* The listening socket.
 *
 * Owns: reading "HOST:PORT", binding, and the url that is printed when the service is ready.
 * Failure modes: text that is no address, a name that does not resolve, an address that is taken:
 * one sentence each. Refuses: more than one socket; a name with several addresses is bound at the
 * first that can be. */
#include "server/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

/* What the kernel holds of the answers to one client that does not take them; connections have it
 * from the listener. By itself it would grow to 4 MiB each, and a thousand such clients take what
 * the system has for all sockets. */
#define SEND_BUFFER_BYTES (128 * 1024)

/* Splits "HOST:PORT" or "[HOST]:PORT". */
static bool split(const char *address, char *host, size_t host_bytes, const char **port)
{
    const char *colon = strrchr(address, ':'), *from = address, *to = colon;
    if (colon == NULL || colon == address || colon[1] == 0 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strtol(colon + 1, NULL, 10) > 65535)
        return false;
    if (*from == '[') {
        from++;
        to--;
        if (*to != ']' || to <= from)
            return false;
    } else if (memchr(from, ':', (size_t)(to - from)) != NULL) {
        return false; /* IPv6 without brackets */
    }
    if ((size_t)(to - from) >= host_bytes)
        return false;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = 0;
    *port = colon + 1;
    return true;
}

static int bind_one(const struct addrinfo *info)
{
    int on = 1, send_buffer_bytes = SEND_BUFFER_BYTES;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof(send_buffer_bytes));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Writes the address that `fd` is bound to as a url. */
static bool write_url(int fd, const char *scheme, char *url, size_t url_bytes)
{
    struct sockaddr_storage bound;
    socklen_t bytes = sizeof(bound);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(fd, (struct sockaddr *)&bound, &bytes) != 0 ||
        getnameinfo((struct sockaddr *)&bound, bytes, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    bool six = bound.ss_family == AF_INET6;
    return snprintf(url, url_bytes, "%s://%s%s%s:%s", scheme, six ? "[" : "", host, six ? "]" : "",
                    port) < (int)url_bytes;
}

bool http_is_loopback(int listener)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t bytes = sizeof(bound);
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (getsockname(listener, (struct sockaddr *)&bound, &bytes) != 0)
        return false;
    memcpy(&v4, &bound, sizeof(v4));
    memcpy(&v6, &bound, sizeof(v6));
    return bound.ss_family == AF_INET
               ? ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
               : bound.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

int http_listen(const char *address, const char *scheme, char *url, size_t url_bytes, char *error,
                size_t error_bytes)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *infos = NULL;
    char host[256];
    const char *port;
    int fd = -1, failed;

    if (!split(address, host, sizeof(host), &port)) {
        snprintf(error, error_bytes,
                 "listen: \"%.100s\" is not HOST:PORT with a port up to 65535 (an IPv6 host in "
                 "brackets)",
                 address);
        return -1;
    }
    failed = getaddrinfo(host, port, &hints, &infos);
    if (failed != 0) {
        snprintf(error, error_bytes, "listen: %.100s cannot be used: %s", address,
                 gai_strerror(failed));
        return -1;
    }
    for (const struct addrinfo *info = infos; info != NULL && fd < 0; info = info->ai_next)
        fd = bind_one(info);
    if (fd < 0)
        snprintf(error, error_bytes, "listen: %.100s cannot be bound: %s%s", address,
                 strerror(errno), errno == EADDRINUSE ? " (choose another with --listen)" : "");
    freeaddrinfo(infos);
    if (fd >= 0 && !write_url(fd, scheme, url, url_bytes)) {
        snprintf(error, error_bytes, "listen: the address that was bound cannot be read");
        close(fd);
        fd = -1;
    }
    return fd;
}
