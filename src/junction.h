/* SPDX-License-Identifier: MIT */
#ifndef JUNCTION_H
#define JUNCTION_H

#include "pass.h"

/*
 * What lies between layers: dropout on the way in, the merging of two directions and connections
 * past the layer on the way out. Plain layers meet directly: one reads h of the other.
 */

static inline struct rows rows_at(const struct mlstm_state *state, const float *values, size_t row,
                                  int32_t slot)
{
    return (struct rows){values + (size_t)slot * (size_t)state->batch * row, row};
}

/* What comes out of the directions, before a connection past the layer is added. */
static inline struct rows merged_outputs(const struct mlstm_state *state, int32_t layer,
                                         int32_t slot)
{
    const struct junction *j = &state->junctions[layer];
    if (j->merged)
        return rows_at(state, j->merged, j->out_row, slot);
    const struct direction_state *s = &state->directions[j->first];
    return rows_at(state, s->h, s->h_row, slot + 1);
}

/* What a layer gave from slot `slot` on. */
static inline struct rows junction_outputs(const struct mlstm_state *state, int32_t layer,
                                           int32_t slot)
{
    const struct junction *j = &state->junctions[layer];
    return j->out ? rows_at(state, j->out, j->out_row, slot) : merged_outputs(state, layer, slot);
}

/* The same for c of the top layer. */
static inline struct rows top_cells(const struct mlstm_state *state, int32_t slot)
{
    const struct junction *j = &state->junctions[state->layout->layers - 1];
    if (j->merged_c)
        return rows_at(state, j->merged_c, j->c_row, slot);
    const struct direction_state *s = &state->directions[j->first];
    return rows_at(state, s->c, s->row, slot + 1);
}

/* What a direction read, of the recorded x or of the layer below. */
struct rows junction_inputs(const struct mlstm_state *state, int32_t direction, int32_t slot);

/* Makes what the layer's directions read of x; gives where a direction finds it. */
void junction_enter(const struct forward_pass *pass, int32_t layer, struct rows x,
                    struct worker *worker);
struct rows junction_read(const struct forward_pass *pass, int32_t direction, struct rows x);

/* Makes what the layer gives of its directions' h and of x. */
void junction_leave(const struct forward_pass *pass, int32_t layer, struct rows x,
                    struct worker *worker);

/* Back through the way out: what skips the layer to dskip; what is left stays in dh_out. */
void junction_leave_back(const struct backward_pass *pass, int32_t layer, struct worker *worker);

/* A direction's part of dh_out and of dc_out, in its own order: dh_part and dc_part. */
void junction_split(const struct backward_pass *pass, int32_t direction, bool outputs, bool cells,
                    struct worker *worker);

/* Back through the way in: the directions' dx, added up, and, where `skip`, dskip to `dx`. */
void junction_add(const struct backward_pass *pass, int32_t direction, struct worker *worker);
void junction_enter_back(const struct backward_pass *pass, int32_t layer, bool skip, float *dx,
                         size_t dx_row, struct worker *worker);

#endif
