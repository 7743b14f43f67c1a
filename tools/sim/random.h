/* The simulator's own random numbers: xoshiro256** seeded by splitmix64, both public domain
 * algorithms by Blackman and Vigna, written anew. The same seed gives the same numbers on every
 * machine; nothing else in a simulation is drawn from anywhere else. */
#ifndef REVHOOK_SIM_RANDOM_H
#define REVHOOK_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t s[4];
};

static inline uint64_t random_mix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->s[i] = random_mix(&seed);
}

static inline uint64_t random_u64(struct random *random)
{
    uint64_t *s = random->s;
    uint64_t x = s[1] * 5, result = ((x << 7) | (x >> 57)) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* A number in [low, high]. */
static inline int64_t random_between(struct random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(random_u64(random) % (uint64_t)(high - low + 1));
}

/* True `percent` times in a hundred. */
static inline bool random_chance(struct random *random, unsigned percent)
{
    return random_u64(random) % 100 < percent;
}

/* A waiting time around `mean`: short ones often, long ones seldom, at most 8 times the mean. Made
 * of whole numbers alone, so that no rounding differs between machines. */
static inline int64_t random_wait(struct random *random, int64_t mean)
{
    int64_t scale = mean;
    while (scale < mean * 4 && random_chance(random, 33))
        scale *= 2;
    while (scale > mean / 8 + 1 && random_chance(random, 40))
        scale /= 2;
    return random_between(random, 1, scale * 2);
}

#endif
