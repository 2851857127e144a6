/* SPDX-License-Identifier: MIT */
#include "grads.h"

#include <math.h>
#include <string.h>

#include "alloc.h"
#include "stack.h"
#include "status.h"

mlstm_status mlstm_grads_create(const mlstm_stack *stack, mlstm_grads **grads)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(grads);
    const mlstm_allocator *allocator = &stack->allocator;
    mlstm_grads *made = allocate(allocator, sizeof *made);
    REQUIRE_MEMORY(made);
    made->values = allocate(allocator, stack->layout->count * sizeof *made->values);
    if (!made->values) {
        release(allocator, made);
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: no memory for %zu gradients", __func__,
                    stack->layout->count);
    }
    made->layout = layout_retain(stack->layout);
    *grads = made;
    return MLSTM_OK;
}

void mlstm_grads_destroy(mlstm_grads *grads)
{
    if (!grads)
        return;
    const mlstm_allocator allocator = grads->layout->allocator;
    layout_release(grads->layout);
    release(&allocator, grads->values);
    release(&allocator, grads);
}

mlstm_status mlstm_grads_zero(mlstm_grads *grads)
{
    REQUIRE_POINTER(grads);
    memset(grads->values, 0, grads->layout->count * sizeof *grads->values);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_scale(mlstm_grads *grads, float factor)
{
    REQUIRE_POINTER(grads);
    REQUIRE(isfinite(factor), MLSTM_ERROR_INVALID_ARGUMENT, "factor must be finite, got %g",
            (double)factor);
    grads->layout->kernels->scale(grads->values, grads->layout->count, factor);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_add(mlstm_grads *grads, const mlstm_grads *other)
{
    REQUIRE_POINTER(grads);
    REQUIRE_POINTER(other);
    REQUIRE(grads->layout == other->layout, MLSTM_ERROR_MISMATCH, "%s",
            "the gradients are of another stack");
    grads->layout->kernels->add(grads->values, other->values, grads->layout->count);
    return MLSTM_OK;
}

static double global_norm(const mlstm_grads *grads)
{
    return sqrt(grads->layout->kernels->sum_of_squares(grads->values, grads->layout->count));
}

mlstm_status mlstm_grads_norm(const mlstm_grads *grads, float *norm)
{
    REQUIRE_POINTER(grads);
    REQUIRE_POINTER(norm);
    *norm = (float)global_norm(grads);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_clip_norm(mlstm_grads *grads, float max_norm, float *norm)
{
    REQUIRE_POINTER(grads);
    REQUIRE(max_norm > 0.0f, MLSTM_ERROR_INVALID_ARGUMENT, "max_norm must be above 0, got %g",
            (double)max_norm);
    const double before = global_norm(grads);
    REQUIRE(isfinite(before), MLSTM_ERROR_NOT_FINITE, "the norm of the gradients is %g", before);
    if (before > (double)max_norm)
        grads->layout->kernels->scale(grads->values, grads->layout->count,
                                      (float)((double)max_norm / before));
    if (norm)
        *norm = (float)before;
    return MLSTM_OK;
}

/* A parameter's numbers in one panel, a whole number of vectors; what is padding there is 0. */
static float *piece(const mlstm_grads *grads, const struct param *param, int32_t panel,
                    size_t *count)
{
    const struct matrix *m = &grads->layout->matrices[param->matrix];
    *count = (size_t)param->rows * (size_t)m->width;
    return grads->values + m->offset + (size_t)panel * m->panel +
           (size_t)param->first * (size_t)m->width;
}

static double norm_of(const mlstm_grads *grads, const struct param *param)
{
    const int32_t panels = grads->layout->matrices[param->matrix].panels;
    double total = 0.0;
    for (int32_t panel = 0; panel < panels; panel++) {
        size_t count;
        const float *values = piece(grads, param, panel, &count);
        total += grads->layout->kernels->sum_of_squares(values, count);
    }
    return sqrt(total);
}

/* The first parameter whose gradient is not finite; NULL for none. */
static const struct param *find_not_finite(const mlstm_grads *grads)
{
    const struct param *end = grads->layout->param + grads->layout->params;
    for (const struct param *param = grads->layout->param; param < end; param++)
        if (!isfinite(norm_of(grads, param)))
            return param;
    return NULL;
}

mlstm_status mlstm_grads_check(const mlstm_grads *grads, const char **name)
{
    REQUIRE_POINTER(grads);
    const struct param *bad = find_not_finite(grads);
    if (bad && name)
        *name = bad->name;
    REQUIRE(!bad, MLSTM_ERROR_NOT_FINITE, "the gradient of \"%s\" has a NaN or an infinity",
            bad->name);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_clip_value(mlstm_grads *grads, float limit)
{
    REQUIRE_POINTER(grads);
    REQUIRE(limit > 0.0f, MLSTM_ERROR_INVALID_ARGUMENT, "limit must be above 0, got %g",
            (double)limit);
    grads->layout->kernels->clip(grads->values, grads->layout->count, limit);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_clip_param_norm(mlstm_grads *grads, float max_norm)
{
    REQUIRE_POINTER(grads);
    REQUIRE(max_norm > 0.0f, MLSTM_ERROR_INVALID_ARGUMENT, "max_norm must be above 0, got %g",
            (double)max_norm);
    const struct param *bad = find_not_finite(grads);
    REQUIRE(!bad, MLSTM_ERROR_NOT_FINITE, "the gradient of \"%s\" has a NaN or an infinity",
            bad->name);
    const struct param *end = grads->layout->param + grads->layout->params;
    for (const struct param *param = grads->layout->param; param < end; param++) {
        const int32_t panels = grads->layout->matrices[param->matrix].panels;
        const double norm = norm_of(grads, param);
        for (int32_t panel = 0; norm > (double)max_norm && panel < panels; panel++) {
            size_t count;
            float *values = piece(grads, param, panel, &count);
            grads->layout->kernels->scale(values, count, (float)((double)max_norm / norm));
        }
    }
    return MLSTM_OK;
}

mlstm_status mlstm_grads_get(const mlstm_grads *grads, const char *name, float *values,
                             size_t count)
{
    REQUIRE_POINTER(grads);
    REQUIRE_POINTER(name);
    REQUIRE_POINTER(values);
    REQUIRE_PARAM(param, grads->layout, name, count);
    layout_read(grads->layout, param, grads->values, values);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_set(mlstm_grads *grads, const char *name, const float *values,
                             size_t count)
{
    REQUIRE_POINTER(grads);
    REQUIRE_POINTER(name);
    REQUIRE_POINTER(values);
    REQUIRE_PARAM(param, grads->layout, name, count);
    layout_write(grads->layout, param, grads->values, values);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_data(mlstm_grads *grads, float **data, size_t *count)
{
    REQUIRE_POINTER(grads);
    REQUIRE_POINTER(data);
    REQUIRE_POINTER(count);
    *data = grads->values;
    *count = grads->layout->count;
    return MLSTM_OK;
}
