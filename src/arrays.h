/* SPDX-License-Identifier: MIT */
#ifndef ARRAYS_H
#define ARRAYS_H

#include "alloc.h"
#include "stack.h"
#include "state.h"

/* Where every array of a state lies in its arena; with `base` NULL sizes are added up alone. */
void arrays_lay_out(struct mlstm_state *state, const struct mlstm_stack *stack, float *base,
                    struct arena *arena);

/* The most records that a state of this layout has. */
size_t arrays_record_limit(const struct layout *layout);

#endif
