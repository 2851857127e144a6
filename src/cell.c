/* SPDX-License-Identifier: MIT */
#include "cell.h"

#include <math.h>

#include "alloc.h"
#include "status.h"

/* `function` is the public one that was called. */
static mlstm_status create(const char *function, const mlstm_allocator *allocator, int32_t input,
                           int32_t hidden, mlstm_cell **cell)
{
    if (!cell)
        return fail(MLSTM_ERROR_INVALID_ARGUMENT, "%s: cell is NULL", function);
    if (input < 1)
        return fail(MLSTM_ERROR_INVALID_ARGUMENT, "%s: input_size must be at least 1, got %d",
                    function, input);
    if (hidden < 1)
        return fail(MLSTM_ERROR_INVALID_ARGUMENT, "%s: hidden_size must be at least 1, got %d",
                    function, hidden);
    /* Kernels count rows and columns in int32_t, with room for a last panel that is not full. */
    if (hidden > INT32_MAX / 8 || input > INT32_MAX / 2 - hidden)
        return fail(MLSTM_ERROR_TOO_LARGE, "%s: a kernel of [%d + %d, 4 * %d] cannot be addressed",
                    function, input, hidden, hidden);
    mlstm_cell *made = allocate(allocator, sizeof *made);
    if (!made)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: the allocator gave no memory", function);
    *made = (mlstm_cell){
        .allocator = *allocator, .input = input, .hidden = hidden, .forget_bias = 1.0f};
    *cell = made;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_create(int32_t input_size, int32_t hidden_size, mlstm_cell **cell)
{
    return create(__func__, &default_allocator, input_size, hidden_size, cell);
}

mlstm_status mlstm_cell_create_with_allocator(const mlstm_allocator *allocator, int32_t input_size,
                                              int32_t hidden_size, mlstm_cell **cell)
{
    REQUIRE_POINTER(allocator);
    REQUIRE(allocator->allocate && allocator->release, MLSTM_ERROR_INVALID_ARGUMENT, "%s",
            "a function of the allocator is NULL");
    return create(__func__, allocator, input_size, hidden_size, cell);
}

void mlstm_cell_destroy(mlstm_cell *cell)
{
    if (!cell || cell->owned)
        return;
    const mlstm_allocator allocator = cell->allocator;
    release(&allocator, cell);
}

mlstm_status mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias)
{
    REQUIRE_POINTER(cell);
    REQUIRE(isfinite(forget_bias), MLSTM_ERROR_INVALID_ARGUMENT,
            "forget_bias must be finite, got %g", (double)forget_bias);
    REQUIRE(!cell->owned, MLSTM_ERROR_OWNED, "%s",
            "the cell belongs to a stack: its options are settled");
    cell->forget_bias = forget_bias;
    return MLSTM_OK;
}

int32_t mlstm_cell_input_size(const mlstm_cell *cell)
{
    return cell ? cell->input : 0;
}

int32_t mlstm_cell_hidden_size(const mlstm_cell *cell)
{
    return cell ? cell->hidden : 0;
}

float mlstm_cell_forget_bias(const mlstm_cell *cell)
{
    return cell ? cell->forget_bias : 0.0f;
}
