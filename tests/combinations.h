/* SPDX-License-Identifier: MIT */
#ifndef COMBINATIONS_H
#define COMBINATIONS_H

/* Shapes at random, and with every option of a cell: alone, in pairs, and combined. */

#include "support.h"

/* Plain layers; sizes up to the largest. */
struct shape random_shape(struct random *random, int32_t largest_size, int32_t sources);

enum { COMBINATION_BATCH = 9 };

struct combination {
    struct shape shape;
    int32_t lengths[COMBINATION_BATCH]; /* the shape's, if it has any */
    uint64_t seed;                      /* for its numbers */
    char name[1024];                    /* what is set */
};

/* Every option in both of two layers, with training off and on. */
void for_each_option(void (*call)(const struct combination *c));
/* Every pair of options in two layers: both in both, and one in each. */
void for_each_pair(void (*call)(const struct combination *c));
/* `count` random shapes with options at random. */
void for_each_combination(int32_t count, int32_t largest_size,
                          void (*call)(const struct combination *c));

#endif
