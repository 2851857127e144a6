/* SPDX-License-Identifier: MIT */
/* SplitMix64 (Steele et al. 2014): the same random data from a seed on every machine. */
#ifndef RANDOM_BITS_H
#define RANDOM_BITS_H

#include <stdint.h>

#define RANDOM_BITS_STEP 0x9e3779b97f4a7c15u

/* What the generator gives where it stands at z. */
static inline uint64_t random_bits_at(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 64 random bits. */
static inline uint64_t random_bits(uint64_t *generator)
{
    return random_bits_at(*generator += RANDOM_BITS_STEP);
}

#endif
