/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "random.h"
#include "stack.h"
#include "status.h"

/*
 * Element e of parameter p is word e % 4 of Philox with the counter (e / 4, p) and the seed as key.
 * Rows are drawn one at a time, so no array of the parameter's size is needed.
 */
static void draw_uniform(mlstm_stack *stack, const struct param *param, double low, double high,
                         uint64_t seed)
{
    const uint32_t index = (uint32_t)(param - stack->layout->param);
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const struct matrix *m = &stack->layout->matrices[param->matrix];
    uint32_t words[4] = {0};
    uint64_t element = 0;
    for (int32_t row = 0; row < param->rows; row++)
        for (int32_t column = 0; column < param->columns; column++, element++) {
            if (element % 4 == 0) {
                const uint64_t block = element / 4;
                const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), index, 0};
                philox4x32_10(counter, key, words);
            }
            const int32_t unit = column % m->units;
            float *place = stack->params + m->offset +
                           (size_t)(unit / m->panel_units) * m->panel +
                           (size_t)(param->first + row) * (size_t)m->width +
                           (size_t)(column / m->units * m->panel_units + unit % m->panel_units);
            const float value = (float)(low + (high - low) * (double)uniform_from(words[element % 4]));
            /* Rounding may reach the upper end. */
            *place = value < (float)high || low == high ? value : nextafterf((float)high, (float)low);
        }
}

static void initialise(mlstm_stack *stack, const struct param *param, int32_t initializer, float a,
                       float b, uint64_t seed)
{
    double low = 0.0, high = 0.0;
    if (initializer == MLSTM_UNIFORM) {
        low = (double)a;
        high = (double)b;
    } else if (initializer == MLSTM_GLOROT_UNIFORM && param->rank == 2) {
        high = sqrt(6.0 / ((double)param->rows + (double)param->columns));
        low = -high;
    }
    draw_uniform(stack, param, low, high, seed);
}

mlstm_status mlstm_stack_init(mlstm_stack *stack, int32_t initializer, uint64_t seed)
{
    REQUIRE_POINTER(stack);
    REQUIRE(initializer == MLSTM_ZEROS || initializer == MLSTM_GLOROT_UNIFORM,
            MLSTM_ERROR_INVALID_ARGUMENT,
            "initializer must be MLSTM_ZEROS or MLSTM_GLOROT_UNIFORM, got %d", initializer);
    for (int32_t i = 0; i < stack->layout->params; i++)
        initialise(stack, &stack->layout->param[i], initializer, 0.0f, 0.0f, seed);
    stack_params_changed(stack);
    return MLSTM_OK;
}

mlstm_status mlstm_stack_init_param(mlstm_stack *stack, const char *name, int32_t initializer,
                                    float a, float b, uint64_t seed)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(name);
    REQUIRE(initializer >= MLSTM_ZEROS && initializer <= MLSTM_GLOROT_UNIFORM,
            MLSTM_ERROR_INVALID_ARGUMENT, "there is no initializer %d", initializer);
    REQUIRE(initializer != MLSTM_UNIFORM || (isfinite(a) && isfinite(b) && a <= b),
            MLSTM_ERROR_INVALID_ARGUMENT, "%g to %g is no range to draw from", (double)a,
            (double)b);
    const struct param *param = layout_find(stack->layout, name);
    REQUIRE(param, MLSTM_ERROR_NOT_FOUND, "there is no parameter \"%.64s\"", name);
    initialise(stack, param, initializer, a, b, seed);
    stack_matrix_changed(stack, param->matrix);
    return MLSTM_OK;
}
