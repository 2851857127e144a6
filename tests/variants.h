/* SPDX-License-Identifier: MIT */
#ifndef VARIANTS_H
#define VARIANTS_H

/* Every option of a cell, alone and with the others: what a property is tested on. */

#include "support.h"

struct variant {
    const char *name;
    struct layer_options
        options; /* any projection stands for one that is narrower than the layer */
};

extern const struct variant variants[];
extern const size_t variant_count;

/* Small layers, wider ones, a single one, and many rows; T steps, training behaviour on. */
enum { SIZES = 4, MOST_ROWS = 80 };
struct shape variant_shape(const struct variant *variant, int32_t size, int32_t steps);

int is_bidirectional(const struct shape *shape);
int has_dropout(const struct shape *shape);
int has_zoneout(const struct shape *shape);

/* Near, as float32 is to itself where sums are taken in another order. */
void check_near_floats(const char *what, const float *got, const float *expected, size_t count);
/* The same within a part of the largest. */
void check_floats_within(const char *what, const float *got, const float *expected, size_t count,
                         double part);

/* The state tensor is so many [B,width] blocks; c and h of each layer and direction in turn. */
enum { MAX_BLOCKS = 4 * MAX_LAYERS };
int32_t state_blocks(const struct shape *shape, int32_t widths[MAX_BLOCKS]);

/* What holds for each variant, of a model with the results of its pass and room for others. */
struct subject {
    struct shape s;
    struct model *m;
    struct results *whole, *other;
};
struct property {
    const char *name;
    void (*holds)(struct subject *subject);
    int (*concerns)(const struct shape *shape); /* NULL for every one */
};

/* Tests each property with each variant in all sizes, then `others`; answers as main does. */
int run_properties(const char *group, const struct property *properties, size_t count,
                   const struct CMUnitTest *others, size_t other_count);

#endif
