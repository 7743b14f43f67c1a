/* Another service that is measured beside this one, see peer.h.
 *
 * Owns: how its publish call is told. Its url becomes a request line, each --header a line, --body
 * a frame in which {event}, {payload} and {type} stand for those of the event; the payload must be
 * in it, for its time of sending travels in there. Refuses: https (put what ends TLS in front of
 * it) and hosts that are no IPv4 address or localhost. */
#include "tools/bench/peer.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SINK_PORT 9900

/* Splits http://HOST[:PORT][/PATH]. */
static bool read_url(struct peer *peer, const char *url, char *path, size_t path_bytes)
{
    struct in_addr address;
    if (strncmp(url, "http://", 7) != 0)
        return false;
    const char *host = url + 7;
    size_t n = strcspn(host, ":/");
    if (n == 0 || n >= sizeof(peer->host))
        return false;
    snprintf(peer->host, sizeof(peer->host), "%.*s", (int)n, host);
    if (strcmp(peer->host, "localhost") == 0)
        snprintf(peer->host, sizeof(peer->host), "127.0.0.1");
    const char *rest = host + n;
    unsigned long port = 80;
    if (*rest == ':') {
        char *end;
        port = strtoul(rest + 1, &end, 10);
        rest = end;
    }
    peer->port = (uint16_t)port;
    return port > 0 && port < 65536 && (*rest == '\0' || *rest == '/') &&
           inet_pton(AF_INET, peer->host, &address) == 1 &&
           snprintf(path, path_bytes, "%s", *rest != '\0' ? rest : "/") < (int)path_bytes;
}

static bool add_line(struct peer *peer, const char *line)
{
    size_t used = strlen(peer->head), room = sizeof(peer->head) - used;
    return strpbrk(line, "\r\n") == NULL &&
           (size_t)snprintf(peer->head + used, room, "%s\r\n", line) < room;
}

bool peer_read(struct peer *peer, const struct cli *cli)
{
    char path[1024], line[1200];
    long port = SINK_PORT;
    const char *url = args_value(cli, "url"), *header;
    if (!args_has(cli, "peer")) {
        if (url != NULL || args_has(cli, "body") || args_has(cli, "header"))
            usage_error(cli, "--url, --header and --body describe a --peer");
        return url == NULL && !args_has(cli, "body") && !args_has(cli, "header");
    }
    peer->body = args_value(cli, "body");
    if (url == NULL || !read_url(peer, url, path, sizeof(path))) {
        usage_error(cli, "--peer needs --url http://ADDRESS[:PORT]/PATH of its publish call");
        return false;
    }
    if (peer->body == NULL ||
        (strstr(peer->body, "{event}") == NULL && strstr(peer->body, "{payload}") == NULL)) {
        usage_error(cli, "--peer needs --body with {event} or {payload} in it");
        return false;
    }
    snprintf(line, sizeof(line), "POST %s HTTP/1.1", path);
    bool good = add_line(peer, line);
    snprintf(line, sizeof(line), "Host: %s:%u", peer->host, peer->port);
    good = good && add_line(peer, line);
    for (int i = 0; good && (header = args_nth(cli, "header", i)) != NULL; i++)
        good = strchr(header, ':') != NULL && add_line(peer, header);
    if (!good) {
        usage_error(cli, "--header is 'NAME: VALUE', and all of them fit into 2 KiB");
        return false;
    }
    if (!args_number(cli, "sink-port", 1024, 65535, &port))
        return false;
    peer->sink_port = (unsigned)port;
    peer->name = args_value(cli, "peer");
    return true;
}
