/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <string.h>

#include "alloc.h"
#include "float_mode.h"
#include "status.h"

static mlstm_status check_cells(mlstm_cell *const *cells, int32_t count)
{
    for (int32_t l = 0; l < count; l++) {
        if (!cells[l])
            return fail(MLSTM_ERROR_INVALID_ARGUMENT, "mlstm_stack_create: cell %d is NULL", l);
        for (int32_t k = 0; k < l; k++)
            if (cells[k] == cells[l])
                return fail(MLSTM_ERROR_OWNED,
                            "mlstm_stack_create: layers %d and %d are the same cell: every layer "
                            "needs a new one",
                            k, l);
        if (cells[l]->owned)
            return fail(MLSTM_ERROR_OWNED,
                        "mlstm_stack_create: the cell of layer %d already belongs to a stack", l);
        if (memcmp(&cells[l]->allocator, &cells[0]->allocator, sizeof cells[l]->allocator) != 0)
            return fail(
                MLSTM_ERROR_MISMATCH,
                "mlstm_stack_create: the cells of layers 0 and %d have different allocators", l);
        const int32_t input = cells[l]->options.input;
        const int32_t output = mlstm_cell_output_size(cells[l]);
        if (l > 0 && input != mlstm_cell_output_size(cells[l - 1]))
            return fail(MLSTM_ERROR_MISMATCH,
                        "mlstm_stack_create: layer %d expects input size %d, got %d", l,
                        mlstm_cell_output_size(cells[l - 1]), input);
        if (cells[l]->options.skip && input != output)
            return fail(MLSTM_ERROR_MISMATCH,
                        "mlstm_stack_create: nothing skips layer %d, which takes %d numbers and "
                        "gives %d",
                        l, input, output);
    }
    return MLSTM_OK;
}

/* A layout for the stack's cells and the block of zeros that goes with it. */
static mlstm_status make_params(const char *function, const mlstm_allocator *allocator,
                                mlstm_cell *const *cells, int32_t count, int32_t outputs,
                                int32_t sources, struct layout **layout, float **params)
{
    mlstm_status status =
        layout_create(function, allocator, cells, count, outputs, sources, layout);
    if (status != MLSTM_OK)
        return status;
    *params = allocate(allocator, (*layout)->count * sizeof **params);
    if (*params)
        return MLSTM_OK;
    status = fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: no memory for %zu parameters", function,
                  (*layout)->count);
    layout_release(*layout);
    return status;
}

mlstm_status mlstm_stack_create(mlstm_cell *const *cells, int32_t count, mlstm_stack **stack)
{
    REQUIRE_POINTER(cells);
    REQUIRE_POINTER(stack);
    REQUIRE(count >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "count must be at least 1, got %d", count);
    mlstm_status status = check_cells(cells, count);
    if (status != MLSTM_OK)
        return status;

    const mlstm_allocator allocator = cells[0]->allocator;
    mlstm_stack *made = allocate(&allocator, sizeof *made);
    REQUIRE_MEMORY(made);
    made->allocator = allocator;
    made->cells = allocate(&allocator, (size_t)count * sizeof *made->cells);
    status =
        made->cells
            ? make_params(__func__, &allocator, cells, count, 0, 0, &made->layout, &made->params)
            : fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: no memory for %d layers", __func__, count);
    if (status != MLSTM_OK) {
        release(&allocator, made->cells);
        release(&allocator, made);
        return status;
    }
    for (int32_t l = 0; l < count; l++) {
        made->cells[l] = cells[l];
        cells[l]->owned = true;
    }
    *stack = made;
    return MLSTM_OK;
}

void mlstm_stack_destroy(mlstm_stack *stack)
{
    if (!stack)
        return;
    const mlstm_allocator allocator = stack->allocator;
    for (int32_t l = 0; l < stack->layout->layers; l++) {
        stack->cells[l]->owned = false;
        mlstm_cell_destroy(stack->cells[l]);
    }
    layout_release(stack->layout);
    release(&allocator, stack->cells);
    release(&allocator, stack->params);
    release(&allocator, stack->transposed);
    release(&allocator, stack);
}

mlstm_status mlstm_stack_set_readout(mlstm_stack *stack, int32_t outputs, int32_t sources)
{
    REQUIRE_POINTER(stack);
    REQUIRE(outputs >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "outputs must be at least 1, got %d",
            outputs);
    REQUIRE(outputs <= INT32_MAX / 2, MLSTM_ERROR_TOO_LARGE, "%d outputs cannot be addressed",
            outputs);
    REQUIRE(sources >= 1 && sources <= (MLSTM_READOUT_C | MLSTM_READOUT_H),
            MLSTM_ERROR_INVALID_ARGUMENT,
            "sources must be MLSTM_READOUT_C, MLSTM_READOUT_H or both, got %d", sources);
    struct layout *old = stack->layout, *layout;
    float *params;
    const mlstm_status status = make_params(__func__, &stack->allocator, stack->cells, old->layers,
                                            outputs, sources, &layout, &params);
    if (status != MLSTM_OK)
        return status;
    memcpy(params, stack->params, old->readout_offset * sizeof *params);
    layout_release(old);
    release(&stack->allocator, stack->params);
    release(&stack->allocator, stack->transposed);
    stack->layout = layout;
    stack->params = params;
    stack->transposed = NULL;
    return MLSTM_OK;
}

int32_t mlstm_stack_readout(const mlstm_stack *stack)
{
    return stack ? stack->layout->sources : 0;
}

int32_t mlstm_stack_layer_count(const mlstm_stack *stack)
{
    return stack ? stack->layout->layers : 0;
}

const mlstm_cell *mlstm_stack_cell(const mlstm_stack *stack, int32_t layer)
{
    return stack && layer >= 0 && layer < stack->layout->layers ? stack->cells[layer] : NULL;
}

int32_t mlstm_stack_input_size(const mlstm_stack *stack)
{
    return stack ? stack->cells[0]->options.input : 0;
}

int32_t mlstm_stack_output_size(const mlstm_stack *stack)
{
    return stack ? layout_outputs(stack->layout) : 0;
}

int32_t mlstm_stack_param_count(const mlstm_stack *stack)
{
    return stack ? stack->layout->params : 0;
}

mlstm_status mlstm_stack_param_info(const mlstm_stack *stack, int32_t index, const char **name,
                                    int32_t *rank, int32_t *shape)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(name);
    REQUIRE_POINTER(rank);
    REQUIRE_POINTER(shape);
    REQUIRE(index >= 0 && index < stack->layout->params, MLSTM_ERROR_INVALID_ARGUMENT,
            "index must be 0 to %d, got %d", stack->layout->params - 1, index);
    const struct param *param = &stack->layout->param[index];
    *name = param->name;
    *rank = param->rank;
    shape[0] = param->rank == 1 ? param->columns : param->rows;
    shape[1] = param->rank == 1 ? 1 : param->columns;
    return MLSTM_OK;
}

mlstm_status mlstm_stack_get_param(const mlstm_stack *stack, const char *name, float *values,
                                   size_t count)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(name);
    REQUIRE_POINTER(values);
    REQUIRE_PARAM(param, stack->layout, name, count);
    layout_read(stack->layout, param, stack->params, values);
    return MLSTM_OK;
}

mlstm_status mlstm_stack_set_param(mlstm_stack *stack, const char *name, const float *values,
                                   size_t count)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(name);
    REQUIRE_POINTER(values);
    REQUIRE_PARAM(param, stack->layout, name, count);
    layout_write(stack->layout, param, stack->params, values);
    stack_matrix_changed(stack, param->matrix);
    return MLSTM_OK;
}

static const struct worker alone = {.count = 1};

static void refresh_transposed(const mlstm_stack *stack, float *transposed,
                               const struct worker *worker)
{
    const struct layout *layout = stack->layout;
    for (int32_t m = 0; m < layout->matrix_count; m++)
        layout_transpose(layout, m, stack->params, transposed, worker);
}

mlstm_status stack_need_transposed(const mlstm_stack *stack)
{
    /* The one thing in a stack that may appear while others read it. */
    _Atomic(float *) *place = (_Atomic(float *) *)&stack->transposed;
    float *expected = atomic_load_explicit(place, memory_order_acquire);
    if (expected)
        return MLSTM_OK;
    float *made = allocate(&stack->allocator, stack->layout->transposed_count * sizeof *made);
    if (!made)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY,
                    "mlstm_state_create: no memory for the transposed kernels");
    refresh_transposed(stack, made, &alone);
    if (!atomic_compare_exchange_strong(place, &expected, made))
        release(&stack->allocator, made);
    return MLSTM_OK;
}

void stack_matrix_changed(mlstm_stack *stack, int32_t matrix)
{
    const struct float_mode callers = float_mode_enter();
    layout_sum_biases(stack->layout, matrix, stack->params, &alone);
    float_mode_leave(callers);
    float *transposed = stack->transposed;
    if (transposed)
        layout_transpose(stack->layout, matrix, stack->params, transposed, &alone);
}

void stack_refresh(mlstm_stack *stack, const struct worker *worker)
{
    for (int32_t m = 0; m < stack->layout->matrix_count; m++)
        layout_sum_biases(stack->layout, m, stack->params, worker);
    float *transposed = stack->transposed;
    if (transposed)
        refresh_transposed(stack, transposed, worker);
}

void stack_params_changed(mlstm_stack *stack)
{
    const struct float_mode callers = float_mode_enter();
    stack_refresh(stack, &alone);
    float_mode_leave(callers);
}
