/* What a dispatcher is started with where a test says nothing else: the rules of world_config, one
 * sender, receivers on loopback, limits that no test reaches by accident. */
#ifndef REVHOOK_TESTS_LIB_DISPATCH_OPTIONS_H
#define REVHOOK_TESTS_LIB_DISPATCH_OPTIONS_H

#include "dispatcher/dispatch.h"
#include "tests/lib/sealer.h"
#include "tests/lib/world.h"

static inline struct dispatch_options test_dispatch_options(struct store *store,
                                                            struct clock *clock)
{
    return (struct dispatch_options){
        .core = world_config(),
        .senders = 1,
        .store = store,
        .clock = clock,
        .sealer = test_sealer(),
        .egress = {.allow_loopback = true, .allow_http = true},
        .attempt_timeout_ms = 3000,
        .response_bytes_max = 1 << 20,
        .response_kept_bytes = 4096,
        .challenge_bytes_max = 65536,
        .top_level_challenge = true,
        .ca_file = "",
        .user_agent = "revhook-test",
        .batch_deliveries_max = 100000,
        .backlog_max = 1000000,
        .webhooks_max = 1000,
        .idempotency_ms = 86400000,
        .retention_ms = 86400000,
    };
}

#endif
