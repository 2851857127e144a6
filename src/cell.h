/* SPDX-License-Identifier: MIT */
#ifndef CELL_H
#define CELL_H

#include <stdbool.h>

#include <mlstm/cell.h>

/* All that is set of a layer; copied to where it has to outlive the cell. */
struct options {
    int32_t input, hidden;
    float forget_bias;
    int32_t biases;
    int32_t peepholes;
    int32_t projection;
    float projection_clip, cell_clip;
    int32_t coupled;
    int32_t norm;
    float epsilon;
    float zoneout_c, zoneout_h;
    float dropout;
    int32_t dropout_mask;
    float recurrent_dropout;
    int32_t recurrent_what, recurrent_mask;
    int32_t skip;
    int32_t merge;
    int32_t learned;
};

struct mlstm_cell {
    mlstm_allocator allocator;
    struct options options;
    bool owned;
};

/* P: numbers in h. */
static inline int32_t options_recurrent(const struct options *o)
{
    return o->projection ? o->projection : o->hidden;
}

/* How often what one direction has, units or outputs, is in what the layer gives. */
static inline int32_t options_times(const struct options *o)
{
    return o->merge == MLSTM_MERGE_CONCAT ? 2 : 1;
}

/* Whether a step is more than the products and the gates of a plain cell. */
static inline bool options_special(const struct options *o)
{
    return o->peepholes || o->projection || o->projection_clip > 0.0f || o->cell_clip > 0.0f ||
           o->coupled || o->norm || o->zoneout_c > 0.0f || o->zoneout_h > 0.0f ||
           o->recurrent_dropout > 0.0f;
}

/* Whether the layer meets its neighbours with more than h. */
static inline bool options_joined(const struct options *o)
{
    return o->skip || o->merge || o->dropout > 0.0f;
}

/* Whether the layer is of nothing but the plain kernel and its bias. */
static inline bool options_plain(const struct options *o)
{
    return !options_special(o) && !options_joined(o);
}

#endif
