/* Requests that no well-behaved client sends, byte for byte, and what becomes of them: frozen,
 * because the parser is the library's and lenient. Two programs that read one connection
 * differently, a proxy and this one, are how requests are smuggled; so the second table has the
 * same bytes with close_after_body, where nothing behind a body is taken for a request. */
#include "http_fixture.h"

#define HEAD "POST /echo HTTP/1.1\r\nHost: x\r\n"
#define NEXT "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* `answers`: for each answer its status and, of a 200, its body, in order; the connection is closed
 * behind the last of them. */
static const struct {
    const char *what, *bytes, *answers, *answers_when_closing;
} rows[] = {
    {"two requests at once", "GET /x HTTP/1.1\r\nHost: x\r\n\r\n" NEXT, "200=now 200=now",
     "200=now 200=now"},
    {"a body and another request", HEAD "Content-Length: 2\r\n\r\nab" NEXT, "200=ab 200=now",
     "200=ab"},
    {"chunks and another request",
     HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" NEXT, "200=ab 200=now",
     "200=ab"},
    {"Content-Length and chunks: the chunks count",
     HEAD "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX" NEXT, "200= 200=now",
     "200="},
    {"chunks and Content-Length, in the other order",
     HEAD "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX" NEXT, "200= 200=now",
     "200="},
    {"two Content-Lengths, different",
     HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc" NEXT, "200=ab 200=now", "200=ab"},
    {"two Content-Lengths, different, larger first",
     HEAD "Content-Length: 3\r\nContent-Length: 2\r\n\r\nabc" NEXT, "200=abc 200=now", "200=abc"},
    {"two Content-Lengths in one field", HEAD "Content-Length: 2, 2\r\n\r\nab" NEXT, "400", "400"},
    {"a Content-Length with a sign", HEAD "Content-Length: +2\r\n\r\nab" NEXT, "400", "400"},
    {"a negative Content-Length", HEAD "Content-Length: -1\r\n\r\n" NEXT, "400", "400"},
    {"a Content-Length of nothing", HEAD "Content-Length: \r\n\r\n" NEXT, "400", "400"},
    {"a hexadecimal Content-Length", HEAD "Content-Length: 0x2\r\n\r\nab" NEXT, "400", "400"},
    {"a Content-Length beyond 64 bits", HEAD "Content-Length: 18446744073709551618\r\n\r\nab" NEXT,
     "400", "400"},
    {"a space before the colon", HEAD "Content-Length : 2\r\n\r\nab" NEXT, "400", "400"},
    {"a space before the colon of Transfer-Encoding",
     HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" NEXT, "400", "400"},
    {"chunked under another name", HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT, "400",
     "400"},
    {"chunked twice", HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" NEXT, "400",
     "400"},
    {"two Transfer-Encodings",
     HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" NEXT, "400",
     "400"},
    {"identity", HEAD "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab" NEXT, "400",
     "400"},
    {"a chunk size with an extension",
     HEAD "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n0\r\n\r\n" NEXT, "200=ab 200=now",
     "200=ab"},
    {"a chunk size that is too large",
     HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n" NEXT, "400",
     "400"},
    {"a chunk size with a sign",
     HEAD "Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n" NEXT, "400", "400"},
    {"a chunk longer than it said",
     HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n" NEXT, "400", "400"},
    {"trailers", HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n" NEXT,
     "200=ab 200=now", "200=ab"},
    {"lines that end with a bare LF", "GET /x HTTP/1.1\nHost: x\n\n" NEXT, "200=now 200=now",
     "200=now 200=now"},
    {"a bare CR in a header", "GET /x HTTP/1.1\r\nHost: x\rY: z\r\n\r\n" NEXT, "400", "400"},
    {"a folded header", "GET /x HTTP/1.1\r\nHost: x\r\nX-Given: a\r\n b\r\n\r\n" NEXT,
     "200=now 200=now", "200=now 200=now"},
    {"a folded Transfer-Encoding", HEAD "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" NEXT,
     "400", "400"},
    {"a header without a name", "GET /x HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n" NEXT, "400", "400"},
    {"a header without a colon", "GET /x HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n" NEXT, "400",
     "400"},
    {"no Host", "GET /x HTTP/1.1\r\n\r\n" NEXT, "200=now 200=now", "200=now 200=now"},
    {"two Hosts", "GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" NEXT, "200=now 200=now",
     "200=now 200=now"},
    {"HTTP/1.0", "GET /x HTTP/1.0\r\n\r\n" NEXT, "200=now", "200=now"},
    {"HTTP/1.0 with chunks",
     "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "200=ab",
     "200=ab"},
    {"a later HTTP/1", "GET /x HTTP/1.9\r\nHost: x\r\n\r\n" NEXT, "200=now 200=now",
     "200=now 200=now"},
    {"HTTP/2 in words", "GET /x HTTP/2.0\r\nHost: x\r\n\r\n" NEXT, "400", "400"},
    {"HTTP/0.9", "GET /x\r\n\r\n" NEXT, "400", "400"},
    {"an absolute target of a path",
     "POST HTTP://x:1/echo?a=/b HTTP/1.1\r\nHost: y\r\nContent-Length: 2\r\n\r\nab" NEXT,
     "200=ab 200=now", "200=ab"},
    {"an absolute target without a path", "GET https://x HTTP/1.1\r\nHost: y\r\n\r\n" NEXT,
     "200=now 200=now", "200=now 200=now"},
    {"an absolute target", "GET http://x/x HTTP/1.1\r\nHost: y\r\n\r\n" NEXT, "200=now 200=now",
     "200=now 200=now"},
    {"CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" NEXT, "200=now 200=now", "200=now"},
    {"a space in the target", "GET /x y HTTP/1.1\r\nHost: x\r\n\r\n" NEXT, "400", "400"},
    {"a control byte in a value", "GET /x HTTP/1.1\r\nHost: x\r\nX-Given: a\001b\r\n\r\n" NEXT,
     "400", "400"},
    {"empty lines before a request", "\r\n\r\n" NEXT, "400", "400"},
    {"GET with a body", "GET /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab" NEXT,
     "200=ab 200=now", "200=ab"},
    {"an upgrade to HTTP/2",
     "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
     "h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n" NEXT,
     "200=now", "200=now"},
    {"POST without any length", HEAD "\r\n" NEXT, "200= 200=now", "200="},
};

/* Sends the bytes and notes every answer until the server closes. */
static void converse(const struct world *world, const char *bytes, char *answers, size_t size)
{
    static char text[1 << 16];
    size_t got = 0, said = 0;
    ssize_t now;
    int fd = dial(world);
    say(fd, bytes);
    while ((now = recv(fd, text + got, sizeof(text) - 1 - got, 0)) > 0)
        got += (size_t)now;
    close(fd);
    text[got] = 0;
    answers[0] = 0;
    for (char *at = text; strncmp(at, "HTTP/1.1 ", 9) == 0;) {
        char *body = strstr(at, "\r\n\r\n"), *length = strstr(at, "ontent-Length: ");
        assert_true(body != NULL && length != NULL && length < body);
        int bytes_of_body = (int)strtol(length + 15, NULL, 10);
        said += (size_t)snprintf(answers + said, size - said, "%s%.3s", said ? " " : "", at + 9);
        if (memcmp(at + 9, "200", 3) == 0)
            said += (size_t)snprintf(answers + said, size - said, "=%.*s", bytes_of_body, body + 4);
        assert_true(said < size);
        at = body + 4 + bytes_of_body;
    }
}

static int start_closing(void **state)
{
    return start_with(state, &(struct http_options){.close_after_body = true});
}

static void check(const struct world *world, bool closing)
{
    char answers[1024];
    int wrong = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *expected = closing ? rows[i].answers_when_closing : rows[i].answers;
        converse(world, rows[i].bytes, answers, sizeof(answers));
        if (strcmp(answers, expected) == 0)
            continue;
        print_error("%s: expected \"%s\", got \"%s\"\n", rows[i].what, expected, answers);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void raw_requests(void **state)
{
    check(*state, false);
}

static void raw_requests_with_close_after_body(void **state)
{
    check(*state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(raw_requests, start, stop),
        cmocka_unit_test_setup_teardown(raw_requests_with_close_after_body, start_closing, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
