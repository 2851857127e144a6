/* SPDX-License-Identifier: MIT */
#ifndef DRAW_H
#define DRAW_H

#include "state.h"

/* What a mask is for: no two uses have the same. */
enum { MASK_INPUT = 0, MASK_RECURRENT = 1, MASK_ZONEOUT_C = 2, MASK_ZONEOUT_H = 3 };

/* The slot of a mask that holds for the whole sequence. */
enum { ALL_SLOTS = -1 };

/* Draws a mask, of which `mask` says everything but which random numbers are its own. */
static inline void draw_mask(const struct mlstm_state *state, int32_t layer, bool reverse,
                             int32_t use, int32_t slot, struct mask mask)
{
    mask.row = state->out_row;
    mask.key[0] = state->key[0];
    mask.key[1] = state->key[1];
    mask.step = slot == ALL_SLOTS ? UINT32_MAX : state->step + (uint32_t)slot;
    mask.stream = (uint32_t)layer * 16 + (reverse ? 8 : 0) + (uint32_t)use;
    state->layout->kernels->mask(&mask);
}

#endif
