/* How much memory clients take: requests that are coming in, answers that are going out.
 *
 * libh2o reads a body as fast as it comes and bounds each, not all of them together; a thousand
 * clients that send the largest request there may be and never its last byte would take gigabytes
 * before their time is over. So several times a second what all connections hold is added up, and
 * while it is more than http_options.memory_max the connection that holds most is shut down.
 *
 * Failure modes: what comes between two looks is beyond the limit for that long. Refuses: to look
 * while there is no connection. */
#include "server/http_inside.h"

#include "dispatcher/log.h"

#define LOOK_EVERY_MS 50

static size_t held_bytes(const struct connection *connection)
{
    return connection->sock->input->size + connection->answer_bytes;
}

static size_t held_by_all(const struct http *http, struct connection **largest)
{
    size_t all = 0, most = 0;
    *largest = NULL;
    for (struct connection *at = http->connections; at != NULL; at = at->next) {
        size_t bytes = at->cut_off ? 0 : held_bytes(at);
        all += bytes;
        if (bytes > most) {
            most = bytes;
            *largest = at;
        }
    }
    return all;
}

static void on_look(h2o_timeout_entry_t *entry)
{
    struct http *http = H2O_STRUCT_FROM_MEMBER(struct http, memory_entry, entry);
    struct connection *largest;
    for (size_t all; (all = held_by_all(http, &largest)) > http->options.memory_max;) {
        if (http_log_again(&http->memory_logged_ms))
            LOG(request_memory_full, LOG_NUMBER("bytes", (int64_t)all),
                LOG_NUMBER("connections", http->connection_count));
        largest->cut_off = true;
        shutdown(h2o_socket_get_fd(largest->sock), SHUT_RDWR); /* libh2o sees it, and closes */
    }
    http_memory_watch(http);
}

void http_memory_watch(struct http *http)
{
    http->memory_entry.cb = on_look;
    if (http->connection_count > 0 && !h2o_timeout_is_linked(&http->memory_entry))
        h2o_timeout_link(http->loop, &http->memory_timeout, &http->memory_entry);
}

void http_memory_start(struct http *http)
{
    h2o_timeout_init(http->loop, &http->memory_timeout, LOOK_EVERY_MS);
}

void http_memory_end(struct http *http)
{
    if (h2o_timeout_is_linked(&http->memory_entry))
        h2o_timeout_unlink(&http->memory_entry);
    h2o_timeout_dispose(http->loop, &http->memory_timeout);
}
