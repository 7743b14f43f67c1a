/* Clients by address, at chosen addresses and times. */
#include "server/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOON = 1700000000, PER_ADDRESS = 3, PER_MINUTE = 5, REMEMBERED = 4 };

static int start(void **state)
{
    const struct peers_options options = {PER_ADDRESS, PER_MINUTE, REMEMBERED, 42};
    *state = peers_new(&options);
    return *state ? 0 : -1;
}

static int stop(void **state)
{
    peers_free(*state);
    return 0;
}

static struct peer *enter(struct peers *peers, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return peers_enter(peers, (const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return peers_enter(peers, (const struct sockaddr *)&v6);
}

static void an_address_holds_so_many_connections_and_no_more(void **state)
{
    struct peer *held[PER_ADDRESS], *other;
    for (int i = 0; i < PER_ADDRESS; i++)
        assert_non_null(held[i] = enter(*state, "192.0.2.1"));
    assert_null(enter(*state, "192.0.2.1"));
    assert_non_null(other = enter(*state, "192.0.2.2"));
    peers_leave(*state, held[0]);
    assert_non_null(held[0] = enter(*state, "192.0.2.1"));
    assert_null(enter(*state, "192.0.2.1"));
    for (int i = 0; i < PER_ADDRESS; i++)
        peers_leave(*state, held[i]);
    peers_leave(*state, other);
    assert_int_equal(peers_count(*state), 0);
}

/* Which ways of writing an address are one client. */
static void one_client_by_any_address(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"0.0.0.0", "255.255.255.255", false},
        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"2001:db8::1", "192.0.2.1", false},
        {"::1", "0.0.0.0", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *a = enter(*state, rows[i].a), *b = enter(*state, rows[i].b);
        assert_int_equal(a == b, rows[i].same);
        peers_leave(*state, a);
        peers_leave(*state, b);
    }
}

static void requests_are_counted_by_address(void **state)
{
    struct peer *first = enter(*state, "192.0.2.1"), *second = enter(*state, "192.0.2.1");
    struct peer *other = enter(*state, "192.0.2.2");
    for (int i = 0; i < PER_MINUTE; i++)
        assert_true(peers_take(*state, i % 2 ? first : second, NOON).allowed);
    struct ratelimit_verdict verdict = peers_take(*state, first, NOON + 20);
    assert_false(verdict.allowed);
    assert_int_equal(verdict.retry_after_s, 40);
    assert_true(peers_take(*state, other, NOON + 20).allowed);
    peers_leave(*state, first);
    peers_leave(*state, second);
    peers_leave(*state, other);
    /* It has gone, and comes back within the minute. */
    first = enter(*state, "192.0.2.1");
    assert_false(peers_take(*state, first, NOON + 59).allowed);
    assert_true(peers_take(*state, first, NOON + 60).allowed);
    peers_leave(*state, first);
}

static void those_that_left_longest_ago_are_forgotten_first(void **state)
{
    char address[32];
    for (int i = 0; i < REMEMBERED + 2; i++) {
        snprintf(address, sizeof(address), "192.0.2.%d", i);
        struct peer *peer = enter(*state, address);
        for (int n = 0; n < PER_MINUTE; n++)
            assert_true(peers_take(*state, peer, NOON).allowed);
        peers_leave(*state, peer);
        assert_true(peers_count(*state) <= REMEMBERED);
    }
    for (int i = REMEMBERED + 1; i >= 0; i--) {
        snprintf(address, sizeof(address), "192.0.2.%d", i);
        struct peer *peer = enter(*state, address);
        assert_int_equal(peers_take(*state, peer, NOON).allowed, i < 2);
        peers_leave(*state, peer);
    }
}

static void without_a_limit_nobody_is_remembered(void **state)
{
    (void)state;
    const struct peers_options options = {1, 0, REMEMBERED, 42};
    struct peers *peers = peers_new(&options);
    for (int i = 0; i < 1000; i++) {
        struct peer *peer = enter(peers, "192.0.2.1");
        assert_true(peers_take(peers, peer, NOON).allowed);
        peers_leave(peers, peer);
    }
    assert_int_equal(peers_count(peers), 0);
    peers_free(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_holds_so_many_connections_and_no_more, start,
                                        stop),
        cmocka_unit_test_setup_teardown(one_client_by_any_address, start, stop),
        cmocka_unit_test_setup_teardown(requests_are_counted_by_address, start, stop),
        cmocka_unit_test_setup_teardown(those_that_left_longest_ago_are_forgotten_first, start,
                                        stop),
        cmocka_unit_test(without_a_limit_nobody_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
