/* Receivers, as they are out there.
 *
 * Owns: what a receiver does with an event and with a verify request: a row of faults.def each,
 * kept for a while. Refuses: to know anything of the service but the bytes that arrive. */
#include "tools/sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Draws a row of faults.def. */
static enum fault draw(struct world *world, enum fault_group group, bool counted)
{
    enum fault fault = world_draw(world, group);
    if (counted)
        world_count(world, fault);
    return fault;
}

unsigned receiver_new(struct world *world)
{
    assert(world->receiver_count < RECEIVERS_MAX);
    unsigned receiver = world->receiver_count++;
    world->receivers[receiver] = (struct receiver){FAULT_answers_200, FAULT_echoes, false};
    if (random_chance(&world->random, 40))
        receiver_change(world, receiver);
    return receiver;
}

static bool is_down(enum fault mode)
{
    return mode == FAULT_refuses || mode == FAULT_hangs || mode == FAULT_has_no_name ||
           mode == FAULT_has_bad_certificate;
}

void receiver_change(struct world *world, unsigned receiver)
{
    struct receiver *one = &world->receivers[receiver];
    if (one->settled)
        return;
    one->event_mode = draw(world, GROUP_EVENT, true);
    one->echo_mode = draw(world, GROUP_ECHO, true);
    if (one->event_mode == FAULT_dies) {
        *one = (struct receiver){FAULT_refuses, FAULT_echo_refused, true};
    } else if (is_down(one->event_mode) && random_chance(&world->random, 70)) {
        one->echo_mode = FAULT_echo_refused; /* who is down does not echo either */
    }
}

void receiver_settle(struct world *world, unsigned receiver, bool well)
{
    struct receiver *one = &world->receivers[receiver];
    bool dead = one->settled;
    one->settled = true;
    if (!well || dead)
        return;
    one->event_mode = FAULT_answers_200;
    one->echo_mode = FAULT_echoes;
}

static void answers(struct answer *answer, uint16_t status, int64_t after_ms)
{
    answer->after_ms = after_ms;
    answer->http_status = status;
    answer->outcome = status / 100 == 2   ? OUTCOME_acknowledged
                      : status / 100 == 3 ? OUTCOME_redirect
                                          : OUTCOME_http_status;
}

static void breaks(struct answer *answer, enum outcome outcome, int64_t after_ms)
{
    answer->after_ms = after_ms;
    answer->outcome = outcome;
}

void receiver_take_event(struct world *world, unsigned receiver, struct answer *answer)
{
    struct random *random = &world->random;
    enum fault mode = world->receivers[receiver].event_mode;
    while (mode == FAULT_flaps || mode == FAULT_dies) /* nobody dies by the way */
        mode = draw(world, GROUP_EVENT, false);
    int64_t quick = random_between(random, 1, 60);
    static const uint16_t good[] = {200, 200, 200, 201, 202, 204};
    static const uint16_t fourxx[] = {400, 401, 404, 410, 429};
    static const uint16_t fivexx[] = {500, 502, 503, 504};
    static const uint16_t moved[] = {301, 302, 307, 308, 304};
    switch (mode) {
    case FAULT_answers_200: answers(answer, good[random_between(random, 0, 5)], quick); break;
    case FAULT_answers_slowly: answers(answer, 200, random_between(random, 100, 2900)); break;
    case FAULT_answers_4xx: answers(answer, fourxx[random_between(random, 0, 4)], quick); break;
    case FAULT_answers_5xx: answers(answer, fivexx[random_between(random, 0, 3)], quick); break;
    case FAULT_redirects: answers(answer, moved[random_between(random, 0, 4)], quick); break;
    case FAULT_refuses: breaks(answer, OUTCOME_connection_refused, quick); break;
    case FAULT_resets:
        breaks(answer, OUTCOME_connection_reset, random_between(random, 1, 2500));
        break;
    case FAULT_hangs: breaks(answer, OUTCOME_timeout, MONO_NEVER); break;
    case FAULT_drips: answers(answer, 200, random_between(random, 2000, 6000)); break;
    case FAULT_bloats: breaks(answer, OUTCOME_response_too_large, quick); break;
    case FAULT_has_no_name: breaks(answer, OUTCOME_dns_failure, quick); break;
    case FAULT_has_bad_certificate: breaks(answer, OUTCOME_tls_failure, quick); break;
    case FAULT_hits_our_limits: breaks(answer, OUTCOME_local_failure, 0); break;
    default: assert(!"a row of EVENT without a case");
    }
}

/* ---- verify ---- */

static void echo(struct answer *answer, const char *challenge)
{
    snprintf(answer->body, sizeof(answer->body), "{\"challenge\":\"%s\"}\n", challenge);
    snprintf(answer->echo, sizeof(answer->echo), "%s", challenge);
}

void receiver_take_verify(struct world *world, unsigned receiver, const char *challenge,
                          struct answer *answer)
{
    struct random *random = &world->random;
    enum fault mode = world->receivers[receiver].echo_mode;
    while (mode == FAULT_echo_flaps)
        mode = draw(world, GROUP_ECHO, false);
    int64_t quick = random_between(random, 1, 60);
    char other[CHALLENGE_ROOM];
    snprintf(other, sizeof(other), "%s", challenge);
    answers(answer, 200, quick);
    switch (mode) {
    case FAULT_echoes: echo(answer, challenge); break;
    case FAULT_echoes_slowly:
        answers(answer, 200, random_between(random, 100, 2900));
        echo(answer, challenge);
        break;
    case FAULT_echoes_late:
        answers(answer, 200, random_between(random, 3001, 9000));
        echo(answer, challenge);
        break;
    case FAULT_echoes_wrong:
        other[random_between(random, 0, (int64_t)strlen(other) - 1)] ^= 1;
        echo(answer, other);
        break;
    case FAULT_echoes_previous: echo(answer, world->previous_challenge); break;
    case FAULT_echoes_nothing: snprintf(answer->body, sizeof(answer->body), "OK"); break;
    case FAULT_echoes_with_500:
        answers(answer, 500, quick);
        echo(answer, challenge);
        break;
    case FAULT_echo_refused: breaks(answer, OUTCOME_connection_refused, quick); break;
    case FAULT_echo_hangs: breaks(answer, OUTCOME_timeout, MONO_NEVER); break;
    default: assert(!"a row of ECHO without a case");
    }
    snprintf(world->previous_challenge, sizeof(world->previous_challenge), "%s", challenge);
}
