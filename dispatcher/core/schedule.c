/* When: the schedule of attempts and of verify requests, as functions of what happened and when.
 *
 * Owns: the arithmetic of due times. Refuses: to know what time it is. The numbers come from the
 * configuration; the defaults are DevRev's: attempts at once, 30 s and 3 min after the end of the
 * one before. */
#include "core/parts.h"

mono_ms schedule_retry(const struct core_config *config, unsigned attempt_count, mono_ms ended)
{
    assert(attempt_count > 0);
    return attempt_count <= config->retry_count ? ended + config->retry_delays_ms[attempt_count - 1]
                                                : MONO_NEVER;
}

mono_ms schedule_verify(const struct core_config *config, unsigned verify_count, mono_ms since)
{
    return verify_count < config->verify_offset_count
               ? since + config->verify_offsets_ms[verify_count]
               : MONO_NEVER;
}

mono_ms schedule_probe(const struct core_config *config, unsigned verify_count, mono_ms ended)
{
    assert(verify_count > 0);
    dur_ms delay = config->probe_delay_min_ms;
    for (unsigned i = 1; i < verify_count && delay < config->probe_delay_max_ms; i++)
        delay *= 2;
    return ended + (delay < config->probe_delay_max_ms ? delay : config->probe_delay_max_ms);
}
