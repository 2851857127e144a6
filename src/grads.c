/* SPDX-License-Identifier: MIT */
#include "grads.h"

#include <math.h>
#include <string.h>

#include "alloc.h"
#include "float_mode.h"
#include "number.h"
#include "piece.h"
#include "stack.h"
#include "status.h"

/* What nothing finite is beyond may be infinite. */
#define REQUIRE_LIMIT(limit)                                                                       \
    REQUIRE(is_within(limit, FLT_MIN, INFINITY), MLSTM_ERROR_INVALID_ARGUMENT,                     \
            "%s must be above 0 and no denormal, got %g", #limit, number_widen(limit))

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
    REQUIRE_FINITE(factor);
    const struct float_mode callers = float_mode_enter();
    grads->layout->kernels->scale(grads->values, grads->layout->count, factor);
    float_mode_leave(callers);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_add(mlstm_grads *grads, const mlstm_grads *other)
{
    REQUIRE_POINTER(grads);
    REQUIRE_POINTER(other);
    REQUIRE_SAME_STACK(grads, other, "gradients are");
    const struct float_mode callers = float_mode_enter();
    grads->layout->kernels->add(grads->values, other->values, grads->layout->count);
    float_mode_leave(callers);
    return MLSTM_OK;
}

static APART double global_norm(const mlstm_grads *grads)
{
    return sqrt(grads->layout->kernels->sum_of_squares(grads->values, grads->layout->count));
}

mlstm_status mlstm_grads_norm(const mlstm_grads *grads, float *norm)
{
    REQUIRE_POINTER(grads);
    REQUIRE_POINTER(norm);
    const struct float_mode callers = float_mode_enter();
    *norm = (float)global_norm(grads);
    float_mode_leave(callers);
    return MLSTM_OK;
}

/* Multiplies by max_norm / norm; in several steps where no normal float32 is as small. */
static void shrink(const struct kernels *kernels, float *values, size_t count, double max_norm,
                   double norm)
{
    double factor = max_norm / norm;
    /* A power of 2 rounds nothing, and what it makes 0 is 0 in the end. */
    while (factor < (double)FLT_MIN) {
        kernels->scale(values, count, FLT_MIN);
        factor /= (double)FLT_MIN;
    }
    kernels->scale(values, count, (float)factor);
}

/* The norm before, which is not clipped where it is not finite; and as float32. */
static APART double clip_norm(const mlstm_grads *grads, double max_norm, float *rounded)
{
    const double norm = global_norm(grads);
    if (isfinite(norm) && norm > max_norm)
        shrink(grads->layout->kernels, grads->values, grads->layout->count, max_norm, norm);
    *rounded = (float)norm;
    return norm;
}

mlstm_status mlstm_grads_clip_norm(mlstm_grads *grads, float max_norm, float *norm)
{
    REQUIRE_POINTER(grads);
    REQUIRE_LIMIT(max_norm);
    float rounded;
    const struct float_mode callers = float_mode_enter();
    const double before = clip_norm(grads, (double)max_norm, &rounded);
    float_mode_leave(callers);
    REQUIRE(isfinite(before), MLSTM_ERROR_NOT_FINITE, "the norm of the gradients is %g", before);
    if (norm)
        *norm = rounded;
    return MLSTM_OK;
}

static APART double norm_of(const mlstm_grads *grads, const struct param *param)
{
    double total = 0.0;
    for (int32_t panel = 0; panel < piece_count(grads->layout, param); panel++) {
        const struct piece piece = piece_of(grads->layout, param, panel);
        total += grads->layout->kernels->sum_of_squares(grads->values + piece.offset, piece.count);
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
    const struct float_mode callers = float_mode_enter();
    const struct param *bad = find_not_finite(grads);
    float_mode_leave(callers);
    if (bad && name)
        *name = bad->name;
    REQUIRE(!bad, MLSTM_ERROR_NOT_FINITE, "the gradient of \"%s\" has a NaN or an infinity",
            bad->name);
    return MLSTM_OK;
}

mlstm_status mlstm_grads_clip_value(mlstm_grads *grads, float limit)
{
    REQUIRE_POINTER(grads);
    REQUIRE_LIMIT(limit);
    const struct float_mode callers = float_mode_enter();
    grads->layout->kernels->clip(grads->values, grads->layout->count, limit);
    float_mode_leave(callers);
    return MLSTM_OK;
}

static APART void clip_param_norm(const mlstm_grads *grads, const struct param *param,
                                  double max_norm)
{
    const double norm = norm_of(grads, param);
    for (int32_t panel = 0; norm > max_norm && panel < piece_count(grads->layout, param); panel++) {
        const struct piece piece = piece_of(grads->layout, param, panel);
        shrink(grads->layout->kernels, grads->values + piece.offset, piece.count, max_norm, norm);
    }
}

mlstm_status mlstm_grads_clip_param_norm(mlstm_grads *grads, float max_norm)
{
    REQUIRE_POINTER(grads);
    REQUIRE_LIMIT(max_norm);
    const struct float_mode callers = float_mode_enter();
    const struct param *bad = find_not_finite(grads);
    for (int32_t i = 0; !bad && i < grads->layout->params; i++)
        clip_param_norm(grads, &grads->layout->param[i], (double)max_norm);
    float_mode_leave(callers);
    REQUIRE(!bad, MLSTM_ERROR_NOT_FINITE, "the gradient of \"%s\" has a NaN or an infinity",
            bad->name);
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
