/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>

#include "alloc.h"
#include "float_mode.h"
#include "number.h"
#include "random.h"
#include "stack.h"
#include "status.h"

/* What to draw, and, for orthogonal matrices, where. */
struct initial {
    int32_t initializer;
    float a, b;
    uint64_t seed;
    double *work;
};

static float *element_of(mlstm_stack *stack, const struct param *param, int32_t row, int32_t column)
{
    return stack->params + layout_element(stack->layout, param, row, column);
}

/* Four words for a block of elements of a parameter; each stream has others. */
static void draw_words(const mlstm_stack *stack, const struct param *param, uint64_t block,
                       uint32_t stream, uint64_t seed, uint32_t words[4])
{
    const uint32_t index = (uint32_t)(param - stack->layout->param);
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), index, stream};
    philox4x32_10(counter, key, words);
}

/* Of the first `rows` rows. Element e is word e % 4 of block e / 4 in stream 0. */
static void draw_uniform(mlstm_stack *stack, const struct param *param, int32_t rows, double low,
                         double high, uint64_t seed)
{
    uint32_t words[4] = {0};
    uint64_t element = 0;
    for (int32_t row = 0; row < rows; row++)
        for (int32_t column = 0; column < param->columns; column++, element++) {
            if (element % 4 == 0)
                draw_words(stack, param, element / 4, 0, seed, words);
            const float value =
                (float)(low + (high - low) * (double)uniform_from(words[element % 4]));
            /* Rounding may reach the upper end. */
            *element_of(stack, param, row, column) =
                value < (float)high || low == high ? value : nextafterf((float)high, (float)low);
        }
}

/*
 * A standard normal number (Box & Muller 1958) within the limit. Element e has block e of stream 1,
 * or of the first stream after it whose number is within.
 */
static double draw_normal(const mlstm_stack *stack, const struct param *param, int32_t row,
                          int32_t column, double limit, uint64_t seed)
{
    const uint64_t element = (uint64_t)row * (uint64_t)param->columns + (uint64_t)column;
    for (uint32_t stream = 1;; stream++) {
        uint32_t words[4];
        draw_words(stack, param, element, stream, seed, words);
        const double u = ((double)words[0] + 0.5) * 0x1p-32, v = (double)words[1] * 0x1p-32;
        const double normal = sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
        if (fabs(normal) < limit)
            return normal;
    }
}

static void draw_normals(mlstm_stack *stack, const struct param *param, double mean,
                         double deviation, double limit, uint64_t seed)
{
    for (int32_t row = 0; row < param->rows; row++)
        for (int32_t column = 0; column < param->columns; column++) {
            const double normal = draw_normal(stack, param, row, column, limit, seed);
            *element_of(stack, param, row, column) =
                (float)fmax(-FLT_MAX, fmin(FLT_MAX, mean + deviation * normal));
        }
}

static double dot(const double *a, const double *b, size_t length)
{
    double sum = 0.0;
    for (size_t i = 0; i < length; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Gram and Schmidt, modified. Normal vectors are far enough from dependent for float64. */
static void orthonormalise(double *vectors, size_t count, size_t length)
{
    for (size_t n = 0; n < count; n++) {
        double *v = vectors + n * length;
        for (const double *q = vectors; q < v; q += length) {
            const double along = dot(q, v, length);
            for (size_t i = 0; i < length; i++)
                v[i] -= along * q[i];
        }
        const double scale = 1.0 / sqrt(dot(v, v, length));
        for (size_t i = 0; i < length; i++)
            v[i] *= scale;
    }
}

/* A block of a parameter: its rows are orthogonal, or its columns where these are fewer. */
static void draw_orthogonal(mlstm_stack *stack, const struct param *param, int32_t first_row,
                            int32_t first_column, int32_t columns, const struct initial *how)
{
    const int32_t rows = param->rows - first_row;
    const size_t count = (size_t)(rows < columns ? rows : columns);
    const size_t length = (size_t)(rows < columns ? columns : rows);
    const size_t row_step = rows < columns ? length : 1, column_step = rows < columns ? 1 : length;
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < columns; c++)
            how->work[(size_t)r * row_step + (size_t)c * column_step] =
                draw_normal(stack, param, first_row + r, first_column + c, INFINITY, how->seed);
    orthonormalise(how->work, count, length);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < columns; c++)
            *element_of(stack, param, first_row + r, first_column + c) =
                (float)((double)how->a * how->work[(size_t)r * row_step + (size_t)c * column_step]);
}

/* The rows before the recurrent ones, which are all that is orthogonal in a layer's kernel. */
static int32_t input_rows(const mlstm_stack *stack, const struct param *param)
{
    const struct matrix *m = &stack->layout->matrices[param->matrix];
    return m->gates == 4 ? m->parts[PART_H].first : 0;
}

static void initialise_orthogonal(mlstm_stack *stack, const struct param *param,
                                  const struct initial *how)
{
    const struct matrix *m = &stack->layout->matrices[param->matrix];
    const int32_t inputs = input_rows(stack, param);
    const double limit = sqrt(6.0 / ((double)inputs + (double)param->columns));
    draw_uniform(stack, param, inputs, -limit, limit, how->seed);
    for (int32_t gate = 0; gate < m->gates; gate++)
        draw_orthogonal(stack, param, inputs, gate * m->units, m->units, how);
}

/* Float64 numbers that an orthogonal parameter needs to work with. */
static size_t orthogonal_work(const mlstm_stack *stack, const struct param *param)
{
    const struct matrix *m = &stack->layout->matrices[param->matrix];
    if (param->rank == 1)
        return 0;
    return (size_t)(param->rows - input_rows(stack, param)) * (size_t)m->units;
}

/* NULL where there is no memory. */
static double *allocate_work(const mlstm_stack *stack, size_t count)
{
    return count <= SIZE_MAX / sizeof(double) ? allocate(&stack->allocator, count * sizeof(double))
                                              : NULL;
}

static APART void initialise(mlstm_stack *stack, const struct param *param,
                             const struct initial *how)
{
    const double rows = (double)param->rows, both = rows + (double)param->columns;
    const double a = (double)how->a, b = (double)how->b;
    double limit = 0.0, deviation = 0.0;
    switch (how->initializer) {
    case MLSTM_UNIFORM: draw_uniform(stack, param, param->rows, a, b, how->seed); return;
    case MLSTM_CONSTANT: draw_uniform(stack, param, param->rows, a, a, how->seed); return;
    case MLSTM_NORMAL: draw_normals(stack, param, a, b, INFINITY, how->seed); return;
    case MLSTM_TRUNCATED_NORMAL: draw_normals(stack, param, a, b, 2.0, how->seed); return;
    case MLSTM_GLOROT_UNIFORM: limit = sqrt(6.0 / both); break;
    case MLSTM_HE_UNIFORM: limit = sqrt(6.0 / rows); break;
    case MLSTM_GLOROT_NORMAL: deviation = sqrt(2.0 / both); break;
    case MLSTM_HE_NORMAL: deviation = sqrt(2.0 / rows); break;
    default: break;
    }
    /* The rest are for matrices; vectors begin with their own value. */
    const double neutral = (double)param->neutral;
    if (param->rank == 1)
        draw_uniform(stack, param, param->rows, neutral, neutral, how->seed);
    else if (how->initializer == MLSTM_ORTHOGONAL)
        initialise_orthogonal(stack, param, how);
    else if (deviation > 0.0)
        draw_normals(stack, param, 0.0, deviation, INFINITY, how->seed);
    else
        draw_uniform(stack, param, param->rows, -limit, limit, how->seed);
}

mlstm_status mlstm_stack_init(mlstm_stack *stack, int32_t initializer, uint64_t seed)
{
    REQUIRE_POINTER(stack);
    REQUIRE(initializer == MLSTM_ZEROS || initializer == MLSTM_ORTHOGONAL ||
                (initializer >= MLSTM_GLOROT_UNIFORM && initializer <= MLSTM_HE_NORMAL),
            MLSTM_ERROR_INVALID_ARGUMENT, "initializer must be one that takes no numbers, got %d",
            initializer);
    struct initial how = {.initializer = initializer, .a = 1.0f, .seed = seed};
    const struct param *params = stack->layout->param, *end = params + stack->layout->params;
    if (initializer == MLSTM_ORTHOGONAL) {
        size_t most = 0;
        for (const struct param *param = params; param < end; param++) {
            const size_t work = orthogonal_work(stack, param);
            most = work > most ? work : most;
        }
        how.work = allocate_work(stack, most);
        REQUIRE_MEMORY(how.work);
    }
    const struct float_mode callers = float_mode_enter();
    for (const struct param *param = params; param < end; param++)
        initialise(stack, param, &how);
    float_mode_leave(callers);
    release(&stack->allocator, how.work);
    stack_params_changed(stack);
    return MLSTM_OK;
}

mlstm_status mlstm_stack_init_param(mlstm_stack *stack, const char *name, int32_t initializer,
                                    float a, float b, uint64_t seed)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(name);
    REQUIRE(initializer >= MLSTM_ZEROS && initializer <= MLSTM_ORTHOGONAL,
            MLSTM_ERROR_INVALID_ARGUMENT, "there is no initializer %d", initializer);
    REQUIRE(initializer != MLSTM_UNIFORM || (is_finite(b) && is_within(a, -FLT_MAX, b)),
            MLSTM_ERROR_INVALID_ARGUMENT, "%g to %g is no range to draw from", number_widen(a),
            number_widen(b));
    REQUIRE((initializer != MLSTM_NORMAL && initializer != MLSTM_TRUNCATED_NORMAL) ||
                (is_finite(a) && is_within(b, 0.0f, FLT_MAX)),
            MLSTM_ERROR_INVALID_ARGUMENT, "no normal numbers have mean %g and deviation %g",
            number_widen(a), number_widen(b));
    REQUIRE((initializer != MLSTM_CONSTANT && initializer != MLSTM_ORTHOGONAL) || is_finite(a),
            MLSTM_ERROR_INVALID_ARGUMENT, "a must be finite, got %g", number_widen(a));
    const struct param *param = layout_find(stack->layout, name);
    REQUIRE(param, MLSTM_ERROR_NOT_FOUND, "there is no parameter \"%.64s\"", name);
    struct initial how = {initializer, a, b, seed, NULL};
    if (initializer == MLSTM_ZEROS)
        how = (struct initial){.initializer = MLSTM_CONSTANT};
    const size_t work = initializer == MLSTM_ORTHOGONAL ? orthogonal_work(stack, param) : 0;
    if (work > 0) {
        how.work = allocate_work(stack, work);
        REQUIRE_MEMORY(how.work);
    }
    const struct float_mode callers = float_mode_enter();
    initialise(stack, param, &how);
    float_mode_leave(callers);
    release(&stack->allocator, how.work);
    stack_matrix_changed(stack, param->matrix);
    return MLSTM_OK;
}
