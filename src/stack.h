/* SPDX-License-Identifier: MIT */
#ifndef STACK_H
#define STACK_H

#include <mlstm/stack.h>

#include "cell.h"
#include "layout.h"

struct mlstm_stack {
    mlstm_allocator allocator;
    struct layout *layout;
    mlstm_cell **cells;
    float *params;
    /* What the backward pass reads; NULL until the first state that records. */
    _Atomic(float *) transposed;
};

/* Makes the transposed blocks where they are missing; many threads may call it for one stack. */
mlstm_status stack_need_transposed(const mlstm_stack *stack);

/* To be called whenever parameters have changed: of one matrix, or of all. */
void stack_matrix_changed(mlstm_stack *stack, int32_t matrix);
void stack_params_changed(mlstm_stack *stack);

/* This worker's part of the last one, in the library's floating-point mode. */
void stack_refresh(mlstm_stack *stack, const struct worker *worker);

#endif
