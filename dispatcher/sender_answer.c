/* What comes back for a POST: how much of it is taken, which lies are seen through, and what its
 * end means as an outcome.
 *
 * Owns: the limits of an answer that libcurl does not have, and the reading of libcurl's codes.
 * Happy path: lines of the head, pieces of the body, CURLE_OK. Failure modes: an answer that is too
 * large or lies about its length is cut off here, which libcurl reports as CURLE_WRITE_ERROR.
 * Refuses: to believe that the end of a connection is the end of an answer that announced more. */
#include "dispatcher/sender_inside.h"

#include <string.h>
#include <strings.h>

/* How much may come besides the body: heads, interim ones too, and trailers, which libcurl keeps
 * and does not limit by itself. A line takes memory beyond its own bytes. */
#define HEAD_BYTES_MAX       (256 * 1024)
#define HEAD_LINE_MORE_BYTES 64

/* In how many pieces a body may come. Each takes work of its own: a megabyte in chunks of one byte
 * takes 40 ms of the thread that sends for all others. */
#define ANSWER_PIECES_MAX 65536

#define LENGTH_DIGITS_MAX 18 /* fit into 64 bits */

static size_t refuse_size(struct post *post)
{
    post->too_large = true;
    return 0; /* ends the transfer */
}

size_t sender_take_answer(char *data, size_t size, size_t count, void *context)
{
    struct post *post = context;
    size_t bytes = size * count;
    post->answer_seen_bytes += bytes;
    if (post->answer_seen_bytes > post->sender->options.response_bytes_max ||
        ++post->answer_pieces > ANSWER_PIECES_MAX)
        return refuse_size(post);
    size_t room = post->answer_kept_max - post->answer_bytes;
    size_t kept = bytes < room ? bytes : room;
    if (post->answer_bytes + kept > post->answer_capacity) {
        post->answer_capacity = post->answer_kept_max < 4096 ? 4096 : post->answer_kept_max;
        post->answer = hook_grow(post->answer, post->answer_capacity);
    }
    if (kept > 0)
        memcpy(post->answer + post->answer_bytes, data, kept);
    post->answer_bytes += kept;
    return bytes;
}

/* Takes the value of a Content-Length; false unless it is one number, and the same one as before in
 * this head. libcurl itself takes the last of several, and no length at all for one that is too
 * long, so that whatever came until the end of the connection would pass for a complete answer. */
static bool take_length(struct post *post, const char *text, size_t bytes)
{
    int64_t length = 0;
    size_t digits = 0;
    while (bytes > 0 && (*text == ' ' || *text == '\t'))
        text++, bytes--;
    while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]))
        bytes--;
    for (; digits < bytes && text[digits] >= '0' && text[digits] <= '9'; digits++)
        if (digits < LENGTH_DIGITS_MAX)
            length = length * 10 + (text[digits] - '0');
    if (digits == 0 || digits < bytes || digits > LENGTH_DIGITS_MAX ||
        (post->length_seen >= 0 && post->length_seen != length))
        return false;
    post->length_seen = length;
    return true;
}

/* One line of the answer's head, or of what follows the body. libcurl takes the end of the
 * connection in the middle of a head for its end; so whether the empty line came is seen here. A
 * head of an interim answer (1xx) is followed by another. */
size_t sender_take_head_line(char *line, size_t size, size_t count, void *context)
{
    static const char length[] = "content-length:";
    struct post *post = context;
    size_t bytes = size * count;
    post->head_seen_bytes += bytes + HEAD_LINE_MORE_BYTES;
    if (post->head_seen_bytes > HEAD_BYTES_MAX)
        return refuse_size(post);
    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        post->head_complete = false; /* another one begins; lines behind the body are none */
        post->length_seen = -1;
    } else if (bytes <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        post->head_complete = true;
    } else if (!post->head_complete && bytes >= sizeof(length) - 1 &&
               strncasecmp(line, length, sizeof(length) - 1) == 0 &&
               !take_length(post, line + sizeof(length) - 1, bytes - (sizeof(length) - 1))) {
        return 0; /* a lie: ends the transfer */
    }
    return bytes;
}

/* libcurl has no code of its own for chunks that are none; its message, "... Chunked-Encoded data",
 * tells. */
static enum outcome outcome_of_broken(const struct post *post)
{
    return strstr(post->error, "hunked") ? OUTCOME_malformed_response : OUTCOME_connection_reset;
}

/* Out of memory is also what libcurl calls a line of a head that is too long for it; then there was
 * an answer. */
static enum outcome outcome_of_shortage(const struct post *post)
{
    curl_off_t first_byte_us = 0;
    curl_easy_getinfo(post->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    return post->on_the_wire && first_byte_us > 0 ? OUTCOME_response_too_large
                                                  : OUTCOME_local_failure;
}

static enum outcome outcome_of_status(long status)
{
    if (status >= 200 && status < 300)
        return OUTCOME_acknowledged;
    return status >= 300 && status < 400 ? OUTCOME_redirect : OUTCOME_http_status;
}

static enum outcome outcome_of(const struct post *post, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return post->head_complete ? outcome_of_status(post->facts.http_status)
                                   : OUTCOME_connection_reset;
    case CURLE_OPERATION_TIMEDOUT: return OUTCOME_timeout;
    case CURLE_COULDNT_RESOLVE_HOST: return OUTCOME_dns_failure;
    case CURLE_COULDNT_CONNECT:
        if (post->denied)
            return OUTCOME_address_denied;
        return post->no_socket ? OUTCOME_local_failure : OUTCOME_connection_refused;
    case CURLE_WRITE_ERROR:
        return post->too_large ? OUTCOME_response_too_large : OUTCOME_malformed_response;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return OUTCOME_tls_failure;
    case CURLE_RECV_ERROR: return outcome_of_broken(post);
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return OUTCOME_connection_reset;
    case CURLE_ABORTED_BY_CALLBACK:
        return post->denied ? OUTCOME_address_denied : OUTCOME_connection_reset;
    case CURLE_OUT_OF_MEMORY: return outcome_of_shortage(post);
    case CURLE_FAILED_INIT: return OUTCOME_local_failure;
    default: return OUTCOME_malformed_response;
    }
}

void sender_ended(struct post *post, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
    post->facts.http_status = (uint16_t)status;
    post->facts.outcome = (uint8_t)outcome_of(post, code);
    post->facts.duration_ms = clock_span_ms() - post->began_ms;
}
