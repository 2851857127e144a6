/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const struct shape shape = {1, 1, 2, {3, 5, 7}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

/* A seed gives these on every machine, computed from the definition by another program: element e
 * of parameter p is word e % 4 of Philox 4x32-10 with counter (e / 4, 0, p, 0) and the seed as key.
 */
static void glorot_is_fixed_for_ever(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        const char *param;
        size_t count, at;
        float value;
    } rows[] = {
        {0x1u, "layer0.kernel", 160, 0, 0x1.71fb3p-2f},
        {0x1u, "layer0.kernel", 160, 1, 0x1.762d4p-2f},
        {0x1u, "layer0.kernel", 160, 159, -0x1.ec56d6p-4f},
        {0x1u, "layer1.kernel", 336, 5, 0x1.1a028ap-2f},
        {0x1u, "layer1.kernel", 336, 335, -0x1.513dfap-3f},
        {0x1u, "readout.kernel_c", 28, 27, -0x1.603c88p-3f},
        {0x1u, "readout.kernel_h", 28, 0, 0x1.320c54p-1f},
        {0x1u, "readout.kernel_h", 28, 27, -0x1.52a67p-1f},
        {0x123456789abcdef0u, "layer0.kernel", 160, 0, -0x1.b80b8cp-2f},
        {0x123456789abcdef0u, "layer0.kernel", 160, 1, -0x1.ccfd98p-6f},
        {0x123456789abcdef0u, "layer0.kernel", 160, 159, 0x1.cb668ep-3f},
        {0x123456789abcdef0u, "layer1.kernel", 336, 5, -0x1.3b48a2p-4f},
        {0x123456789abcdef0u, "layer1.kernel", 336, 335, 0x1.b743bcp-3f},
        {0x123456789abcdef0u, "readout.kernel_c", 28, 27, -0x1.f47416p-5f},
        {0x123456789abcdef0u, "readout.kernel_h", 28, 0, 0x1.13c892p-2f},
        {0x123456789abcdef0u, "readout.kernel_h", 28, 27, 0x1.361f4cp-1f},
    };
    mlstm_stack *stack = new_stack(&shape);
    for (size_t i = 0; i < COUNT(rows); i++) {
        float values[336];
        assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, rows[i].seed));
        assert_ok(mlstm_stack_get_param(stack, rows[i].param, values, rows[i].count));
        assert_same_bits(rows[i].param, &values[rows[i].at], &rows[i].value, 1);
    }
    mlstm_stack_destroy(stack);
}

/* Where low + (high - low) * u in one multiply-add would be another number; by another program. */
static void a_multiply_add_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        size_t at;
        float value;
    } rows[] = {
        {1110, 722, -0x1.9a1b6p-21f}, {1327, 5425, -0x1.9a1b6p-15f}, {1467, 5998, 0x1.9a1b6p-19f}};
    static const struct shape wide = {1, 1, 1, {19, 32}, 0, 0, 1};
    mlstm_stack *stack = new_stack(&wide);
    float values[51 * 128];
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, rows[i].seed));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, COUNT(values)));
        assert_same_bits("layer0.kernel", &values[rows[i].at], &rows[i].value, 1);
    }
    mlstm_stack_destroy(stack);
}

static void uniform_is_fixed_for_ever(void **state)
{
    (void)state;
    mlstm_stack *stack = new_stack(&shape);
    float bias[28];
    assert_ok(mlstm_stack_init_param(stack, "layer1.bias", MLSTM_UNIFORM, -2, 3, 7));
    assert_ok(mlstm_stack_get_param(stack, "layer1.bias", bias, 28));
    assert_same_bits("bias", &bias[0], &(float){0x1.ed015cp-1f}, 1);
    assert_same_bits("bias", &bias[27], &(float){0x1.d9e84cp-1f}, 1);
    mlstm_stack_destroy(stack);
}

/* Up to the mathematical library: element e is of block e, in stream 1 or, where that is beyond the
 * limit, 2; again by another program. */
static void normal_is_fixed_for_ever(void **state)
{
    (void)state;
    static const struct {
        int32_t initializer;
        size_t at;
        double value;
    } rows[] = {
        {MLSTM_NORMAL, 0, -0x1.28ef7ap+1},           {MLSTM_NORMAL, 1, 0x1.7f0facp+1},
        {MLSTM_NORMAL, 159, 0x1.34f86p-2},           {MLSTM_TRUNCATED_NORMAL, 0, -0x1.28ef7ap+1},
        {MLSTM_TRUNCATED_NORMAL, 1, 0x1.7f0facp+1},  {MLSTM_TRUNCATED_NORMAL, 24, 0x1.2f56aep+1},
        {MLSTM_TRUNCATED_NORMAL, 95, 0x1.ec7c32p-9}, {MLSTM_TRUNCATED_NORMAL, 155, -0x1.ec9014p+0},
    };
    mlstm_stack *stack = new_stack(&shape);
    for (size_t i = 0; i < COUNT(rows); i++) {
        float values[160];
        assert_ok(mlstm_stack_init_param(stack, "layer0.kernel", rows[i].initializer, 0.5f, 2,
                                         0x123456789abcdef0u));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, 160));
        assert_near("layer0.kernel", &values[rows[i].at], &rows[i].value, 1, 3e-7);
    }
    mlstm_stack_destroy(stack);
}

/* With every parameter that there is. */
static const struct shape many = {
    1, 1, 2, {7, 7, 5}, 4, MLSTM_READOUT_H, 1,
    .options = {{.more_biases = 1, .peepholes = 1, .norm = MLSTM_NORM_GATES, .epsilon = 1e-3f,
                 .skip = MLSTM_SKIP_HIGHWAY, .learned = 1},
                {.norm = MLSTM_NORM_PRODUCTS, .epsilon = 1e-3f, .projection = 3}}};

/* One parameter drawn alone has what it has among all. */
static void check_one_is_as_all(const struct shape *s, int32_t initializer, float a)
{
    mlstm_stack *all = new_stack(s), *one = new_stack(s);
    const size_t count = param_numbers(s);
    float *expected = floats(count), *got = floats(count);
    struct random random = {1};
    random_fill(&random, got, count, -1, 1);
    set_params(one, got);
    assert_ok(mlstm_stack_init(all, initializer, 99));
    for (int32_t i = mlstm_stack_param_count(one) - 1; i >= 0; i--) {
        const char *name;
        int32_t rank, dims[2];
        assert_ok(mlstm_stack_param_info(one, i, &name, &rank, dims));
        assert_ok(mlstm_stack_init_param(one, name, initializer, a, NAN, 99));
    }
    get_params(all, expected);
    get_params(one, got);
    assert_same_bits("parameters", got, expected, count);
    test_free(expected);
    test_free(got);
    mlstm_stack_destroy(all);
    mlstm_stack_destroy(one);
}

static const int32_t without_numbers[] = {MLSTM_ZEROS,         MLSTM_GLOROT_UNIFORM,
                                          MLSTM_GLOROT_NORMAL, MLSTM_HE_UNIFORM,
                                          MLSTM_HE_NORMAL,     MLSTM_ORTHOGONAL};

static void one_is_as_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(without_numbers); i++) {
        const int32_t initializer = without_numbers[i];
        const float a = initializer == MLSTM_ORTHOGONAL ? 1 : NAN;
        check_one_is_as_all(&shape, initializer, a);
        if (initializer != MLSTM_ZEROS)
            check_one_is_as_all(&many, initializer, a);
    }
}

static void check_biases_begin_at_zero(int32_t initializer)
{
    struct model *m = new_model(&shape, 1);
    const float zeros[28] = {0};
    float bias[28];
    assert_ok(mlstm_stack_init(m->stack, initializer, 1));
    assert_ok(mlstm_stack_get_param(m->stack, "layer1.bias", bias, 28));
    assert_same_bits("layer1.bias", bias, zeros, 28);
    assert_ok(mlstm_stack_get_param(m->stack, "readout.bias", bias, 4));
    assert_same_bits("readout.bias", bias, zeros, 4);
    free_model(m);
}

static void biases_begin_at_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(without_numbers); i++)
        check_biases_begin_at_zero(without_numbers[i]);
}

/* Also where the whole stack is initialised with zeros, which for one parameter are zeros. */
static void gains_begin_at_one(void **state)
{
    (void)state;
    static const char *const gains[] = {"layer0.norm_gain", "layer1.norm_x_gain",
                                        "layer1.norm_h_gain"};
    mlstm_stack *stack = new_stack(&many);
    float values[28];
    for (size_t i = 0; i < COUNT(without_numbers); i++) {
        assert_ok(mlstm_stack_init(stack, without_numbers[i], 1));
        for (size_t k = 0; k < COUNT(gains); k++) {
            const size_t count = k == 0 ? 28 : 20;
            assert_ok(mlstm_stack_get_param(stack, gains[k], values, count));
            for (size_t n = 0; n < count; n++)
                assert_true(values[n] == 1);
        }
        assert_ok(mlstm_stack_get_param(stack, "layer0.peephole_f", values, 7));
        assert_true(values[6] == 0);
    }
    assert_ok(mlstm_stack_init_param(stack, "layer0.norm_gain", MLSTM_ZEROS, NAN, NAN, 1));
    assert_ok(mlstm_stack_get_param(stack, "layer0.norm_gain", values, 28));
    assert_true(values[0] == 0 && values[27] == 0);
    mlstm_stack_destroy(stack);
}

/* Passes, the backward one too, see the new values, whatever was there before. */
static void new_values_reach_the_passes(void **state)
{
    (void)state;
    for (int one = 0; one <= 1; one++) {
        struct model *m = new_model(&shape, 1), *fresh = new_model(&shape, 1);
        struct results *got = new_results(&shape), *expected = new_results(&shape);
        run_model(m, m->state, m->grads, got);
        assert_ok(one ? mlstm_stack_init_param(m->stack, "layer1.kernel", MLSTM_UNIFORM, -1, 1, 5)
                      : mlstm_stack_init(m->stack, MLSTM_GLOROT_UNIFORM, 5));
        run_model(m, m->state, m->grads, got);
        get_params(m->stack, fresh->params);
        set_params(fresh->stack, fresh->params);
        run_model(fresh, fresh->state, fresh->grads, expected);
        assert_same_results(&shape, got, expected);
        free_results(got);
        free_results(expected);
        free_model(m);
        free_model(fresh);
    }
}

static void others_are_left_alone(void **state)
{
    (void)state;
    struct model *m = new_model(&shape, 1);
    float *got = floats(param_numbers(&shape));
    assert_ok(mlstm_stack_init_param(m->stack, "layer0.bias", MLSTM_UNIFORM, 5, 6, 1));
    get_params(m->stack, got);
    assert_same_bits("layer0.kernel", got, m->params, 160);
    assert_same_bits("the rest", got + 180, m->params + 180, param_numbers(&shape) - 180);
    test_free(got);
    free_model(m);
}

static void zeros(void **state)
{
    (void)state;
    struct model *m = new_model(&shape, 1);
    float *got = floats(param_numbers(&shape)), *expected = floats(param_numbers(&shape));
    assert_ok(mlstm_stack_init_param(m->stack, "layer0.kernel", MLSTM_ZEROS, NAN, NAN, 1));
    get_params(m->stack, got);
    assert_same_bits("layer0.kernel", got, expected, 160);
    assert_ok(mlstm_stack_init(m->stack, MLSTM_ZEROS, 1));
    get_params(m->stack, got);
    assert_same_bits("parameters", got, expected, param_numbers(&shape));
    test_free(got);
    test_free(expected);
    free_model(m);
}

/* Glorot's range is used to its ends, mean and variance are those of the uniform distribution. */
static void check_moments(const float *values, size_t count, double low, double high)
{
    double least = DBL_MAX, most = -DBL_MAX, sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        const double v = (double)values[i];
        least = fmin(least, v);
        most = fmax(most, v);
        sum += v;
        squares += v * v;
    }
    const double range = high - low, n = (double)count, mean = sum / n;
    const double variance = squares / n - mean * mean;
    assert_true(least >= low - 1e-7 && least < low + range * 20 / n);
    assert_true(most <= high + 1e-7 && most > high - range * 20 / n);
    assert_true(fabs(mean - (low + high) / 2) < 5 * range / sqrt(12 * n));
    assert_true(fabs(variance / (range * range / 12) - 1) < 5 / sqrt(n));
}

static void moments(void **state)
{
    (void)state;
    const struct shape wide = {1, 1, 2, {37, 64, 90}, 100, MLSTM_READOUT_H, 1};
    mlstm_stack *stack = new_stack(&wide);
    float *values = floats(154 * 360);
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, seed << 40 | seed));
        const double limits[] = {sqrt(6.0 / (101 + 256)), sqrt(6.0 / (154 + 360)),
                                 sqrt(6.0 / (90 + 100))};
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, 101 * 256));
        check_moments(values, 101 * 256, -limits[0], limits[0]);
        assert_ok(mlstm_stack_get_param(stack, "layer1.kernel", values, 154 * 360));
        check_moments(values, 154 * 360, -limits[1], limits[1]);
        assert_ok(mlstm_stack_get_param(stack, "readout.kernel_h", values, 90 * 100));
        check_moments(values, 90 * 100, -limits[2], limits[2]);
        assert_ok(mlstm_stack_init(stack, MLSTM_HE_UNIFORM, seed));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, 101 * 256));
        check_moments(values, 101 * 256, -sqrt(6.0 / 101), sqrt(6.0 / 101));
        assert_ok(mlstm_stack_init_param(stack, "layer1.kernel", MLSTM_UNIFORM, -3, 1, seed));
        assert_ok(mlstm_stack_get_param(stack, "layer1.kernel", values, 154 * 360));
        check_moments(values, 154 * 360, -3, 1);
    }
    test_free(values);
    mlstm_stack_destroy(stack);
}

/* Mean, variance, and the fourth moment, which tells a normal distribution from others: its ratio to the
 * variance's square is `kurtosis`. */
static void check_bell(const float *values, size_t count, double mean, double deviation,
                       double kurtosis)
{
    double sum = 0, squares = 0, fourths = 0;
    const double n = (double)count;
    for (size_t i = 0; i < count; i++) {
        const double z = ((double)values[i] - mean) / deviation;
        sum += z;
        squares += z * z;
        fourths += z * z * z * z;
    }
    assert_true(fabs(sum / n) < 5 / sqrt(n));
    assert_true(fabs(squares / n - 1) < 5 * sqrt((kurtosis - 1) / n));
    assert_true(fabs(fourths / n - kurtosis) < 5 * sqrt(100 / n));
}

static void normal_moments(void **state)
{
    (void)state;
    const struct shape wide = {1, 1, 1, {37, 64}, 100, MLSTM_READOUT_H, 1};
    const size_t count = 101 * 256;
    /* Of the standard normal distribution between -2 and 2. */
    const double within = erf(sqrt(2)), edge = exp(-2) * sqrt(2 / 3.14159265358979324) / within;
    const double variance = 1 - 2 * edge, fourth = 3 * variance - 8 * edge;
    mlstm_stack *stack = new_stack(&wide);
    float *values = floats(count);
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_NORMAL, seed));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, count));
        check_bell(values, count, 0, sqrt(2.0 / (101 + 256)), 3);
        assert_ok(mlstm_stack_init(stack, MLSTM_HE_NORMAL, seed));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, count));
        check_bell(values, count, 0, sqrt(2.0 / 101), 3);
        assert_ok(mlstm_stack_init_param(stack, "layer0.kernel", MLSTM_NORMAL, -3, 0.5f, seed));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, count));
        check_bell(values, count, -3, 0.5, 3);
        assert_ok(
            mlstm_stack_init_param(stack, "layer0.kernel", MLSTM_TRUNCATED_NORMAL, 1, 0.25f, seed));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, count));
        check_bell(values, count, 1, 0.25 * sqrt(variance), fourth / (variance * variance));
        for (size_t i = 0; i < count; i++)
            assert_true(fabsf(values[i] - 1) <= 0.5f);
    }
    test_free(values);
    mlstm_stack_destroy(stack);
}

/* The numbers that take a and b reach biases too. */
static void numbers_for_biases(void **state)
{
    (void)state;
    mlstm_stack *stack = new_stack(&shape);
    float bias[28];
    assert_ok(mlstm_stack_init_param(stack, "layer1.bias", MLSTM_CONSTANT, -0.75f, NAN, 1));
    assert_ok(mlstm_stack_get_param(stack, "layer1.bias", bias, 28));
    for (size_t i = 0; i < 28; i++)
        assert_true(bias[i] == -0.75f);
    assert_ok(mlstm_stack_init_param(stack, "layer1.bias", MLSTM_NORMAL, 3, 0, 1));
    assert_ok(mlstm_stack_get_param(stack, "layer1.bias", bias, 28));
    for (size_t i = 0; i < 28; i++)
        assert_true(bias[i] == 3);
    assert_ok(mlstm_stack_init_param(stack, "layer1.bias", MLSTM_NORMAL, FLT_MAX, FLT_MAX, 1));
    assert_ok(mlstm_stack_get_param(stack, "layer1.bias", bias, 28));
    for (size_t i = 0; i < 28; i++)
        assert_true(isfinite(bias[i]));
    mlstm_stack_destroy(stack);
}

/* Rows of a block [rows, columns] in a matrix, or its columns where these are fewer, have the products
 * of orthogonal vectors of length `gain`. */
static void check_orthogonal(const float *block, size_t rows, size_t columns, size_t row_step,
                             double gain)
{
    const size_t count = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    const size_t step = rows < columns ? row_step : 1, along = rows < columns ? 1 : row_step;
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b <= a; b++) {
            double dot = 0;
            for (size_t k = 0; k < length; k++)
                dot += (double)block[a * step + k * along] * (double)block[b * step + k * along];
            assert_true(fabs(dot - (a == b ? gain * gain : 0)) < 3e-7 * gain * gain);
        }
}

static void orthogonal(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {1, 1, 2, {3, 5, 7}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {1, 1, 2, {9, 1, 70}, 100, MLSTM_READOUT_H, 1},
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        const size_t input = (size_t)s->sizes[1], hidden = (size_t)s->sizes[2];
        const size_t outputs = (size_t)s->outputs, count = (input + hidden) * 4 * hidden;
        mlstm_stack *stack = new_stack(s);
        float *kernel = floats(count), *readout = floats(hidden * outputs);
        assert_ok(mlstm_stack_init_param(stack, "layer1.kernel", MLSTM_ORTHOGONAL, 0.5f, NAN, 5));
        assert_ok(mlstm_stack_init_param(stack, "readout.kernel_h", MLSTM_ORTHOGONAL, 2, NAN, 5));
        assert_ok(mlstm_stack_get_param(stack, "layer1.kernel", kernel, count));
        assert_ok(mlstm_stack_get_param(stack, "readout.kernel_h", readout, hidden * outputs));
        const double limit = sqrt(6.0 / (double)(input + 4 * hidden));
        double most = 0;
        for (size_t k = 0; k < input * 4 * hidden; k++)
            most = fmax(most, fabs((double)kernel[k]));
        assert_true(most <= limit * (1 + 1e-7) && most > 0.8 * limit);
        for (size_t gate = 0; gate < 4; gate++)
            check_orthogonal(kernel + input * 4 * hidden + gate * hidden, hidden, hidden,
                             4 * hidden, 0.5);
        check_orthogonal(readout, hidden, outputs, outputs, 2);
        test_free(kernel);
        test_free(readout);
        mlstm_stack_destroy(stack);
    }
}

/* No direction is preferred: over many seeds the elements have mean 0 and variance 1/H. */
static void orthogonal_is_uniform(void **state)
{
    (void)state;
    enum { SEEDS = 2000 };
    mlstm_stack *stack = new_stack(&shape);
    double sum[25] = {0}, squares[25] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        float kernel[160];
        assert_ok(mlstm_stack_init_param(stack, "layer0.kernel", MLSTM_ORTHOGONAL, 1, 0, seed));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", kernel, 160));
        for (size_t i = 0; i < 25; i++) {
            const double v = (double)kernel[(3 + i / 5) * 20 + i % 5];
            sum[i] += v / SEEDS;
            squares[i] += v * v / SEEDS;
        }
    }
    for (size_t i = 0; i < 25; i++) {
        assert_true(fabs(sum[i]) < 5 * sqrt(0.2 / SEEDS));
        assert_true(fabs(squares[i] - 0.2) < 5 * 0.22 / sqrt(SEEDS));
    }
    mlstm_stack_destroy(stack);
}

/* Seeds, also those that differ in the upper half alone, have nothing in common. */
static void seeds_differ(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {0, 1, 2, (uint64_t)1 << 32, UINT64_MAX};
    mlstm_stack *stack = new_stack(&shape);
    float values[COUNT(seeds)][160];
    for (size_t i = 0; i < COUNT(seeds); i++) {
        assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, seeds[i]));
        assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values[i], 160));
        for (size_t k = 0; k < i; k++) {
            int equal = 0;
            for (size_t e = 0; e < 160; e++)
                equal += values[i][e] == values[k][e];
            assert_true(equal < 3);
        }
    }
    mlstm_stack_destroy(stack);
}

/* The range is open above: element 3 is the largest word there is, element 0 of the other the
 * smallest range. */
static void the_upper_end_is_never_drawn(void **state)
{
    (void)state;
    mlstm_stack *stack = new_stack(&shape);
    float values[160];
    assert_ok(mlstm_stack_init_param(stack, "layer0.kernel", MLSTM_UNIFORM, 1, 2, 39075));
    assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, 160));
    assert_true(values[3] > 1.999999f && values[3] < 2);
    assert_ok(mlstm_stack_init_param(stack, "layer0.kernel", MLSTM_UNIFORM, 5, 5, 1));
    assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, 160));
    assert_true(values[0] == 5 && values[159] == 5);
    assert_ok(mlstm_stack_init_param(stack, "layer0.kernel", MLSTM_UNIFORM, -FLT_MAX, FLT_MAX, 1));
    assert_ok(mlstm_stack_get_param(stack, "layer0.kernel", values, 160));
    for (size_t i = 0; i < 160; i++)
        assert_true(fabsf(values[i]) < INFINITY);
    mlstm_stack_destroy(stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glorot_is_fixed_for_ever),
        cmocka_unit_test(a_multiply_add_changes_nothing),
        cmocka_unit_test(uniform_is_fixed_for_ever),
        cmocka_unit_test(normal_is_fixed_for_ever),
        cmocka_unit_test(one_is_as_all),
        cmocka_unit_test(biases_begin_at_zero),
        cmocka_unit_test(gains_begin_at_one),
        cmocka_unit_test(new_values_reach_the_passes),
        cmocka_unit_test(others_are_left_alone),
        cmocka_unit_test(zeros),
        cmocka_unit_test(moments),
        cmocka_unit_test(normal_moments),
        cmocka_unit_test(numbers_for_biases),
        cmocka_unit_test(orthogonal),
        cmocka_unit_test(orthogonal_is_uniform),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(the_upper_end_is_never_drawn),
    };
    return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
