/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>

/* Every 10 of 0 to 60 steps, as PyTorch's and TensorFlow's own functions give them. */
static void known_rates(void **state)
{
    (void)state;
    static const double step[] = {0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625};
    static const double exponential[] = {0.5,   0.3535533906, 0.25,  0.1767766953,
                                         0.125, 0.0883883476, 0.0625};
    static const double cosine[] = {0.5, 0.4414213562, 0.3, 0.1585786438, 0.1, 0.1, 0.1};
    static const double warmup[] = {0.125, 0.21875, 0.3125, 0.40625, 0.5, 0.5, 0.5};
    for (int64_t i = 0; i < 7; i++) {
        const float rates[] = {mlstm_schedule_step(0.5f, 10 * i, 20, 0.5f),
                               mlstm_schedule_exponential(0.5f, 10 * i, 20, 0.5f),
                               mlstm_schedule_cosine(0.5f, 10 * i, 40, 0.2f),
                               mlstm_schedule_warmup(0.5f, 10 * i, 40, 0.25f)};
        const double expected[] = {step[i], exponential[i], cosine[i], warmup[i]};
        assert_near("rates", rates, expected, 4, 3e-8);
    }
}

static void between_periods(void **state)
{
    (void)state;
    for (int64_t t = 0; t < 50; t++) {
        const float rates[] = {
            mlstm_schedule_step(2, t, 7, 0.3f), mlstm_schedule_exponential(2, t, 7, 0.3f),
            mlstm_schedule_cosine(2, t, 33, 0), mlstm_schedule_warmup(2, t, 33, 0)};
        const double part = t < 33 ? (double)t / 33 : 1;
        double step = 2;
        for (int64_t k = 7; k <= t; k += 7)
            step *= (double)0.3f;
        const double expected[] = {step, 2 * exp(log((double)0.3f) * (double)t / 7),
                                   1 + cos(3.14159265358979324 * part), 2 * part};
        assert_near("rates", rates, expected, 4, 3e-7);
    }
}

static void ends(void **state)
{
    (void)state;
    assert_true(mlstm_schedule_step(1, INT64_MAX, 1, 0.5f) == 0);
    assert_true(mlstm_schedule_step(1, INT64_MAX, INT64_MAX, 0.5f) == 0.5f);
    assert_true(mlstm_schedule_step(1, 4, 5, 0) == 1);
    assert_true(mlstm_schedule_step(1, 5, 5, 0) == 0);
    assert_true(mlstm_schedule_exponential(1, INT64_MAX, 1, 0.5f) == 0);
    assert_true(mlstm_schedule_exponential(-3, 0, 1, 0.5f) == -3);
    assert_true(mlstm_schedule_cosine(1, INT64_MAX, 5, 0.25f) == 0.25f);
    assert_true(mlstm_schedule_warmup(1, INT64_MAX, 5, 0.25f) == 1);
}

/* PyTorch's GradScaler(init_scale=8, growth_factor=4, backoff_factor=0.25, growth_interval=3). */
static void loss_scales(void **state)
{
    (void)state;
    static const int32_t finite[] = {1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1};
    static const float expected[] = {8, 8, 32, 32, 32, 8, 8, 8, 32, 8, 2, 2};
    static const int64_t streaks[] = {1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0, 1};
    float scale = 8;
    int64_t streak = 0;
    for (size_t i = 0; i < COUNT(finite); i++) {
        scale = mlstm_schedule_loss_scale(scale, finite[i], 3, 4, 0.25f, &streak);
        assert_true(scale == expected[i]);
        assert_true(streak == streaks[i]);
    }
}

/* However often it changes, neither the scale nor its reciprocal becomes a denormal. */
static void loss_scales_have_ends(void **state)
{
    (void)state;
    float up = 65536, down = 65536;
    int64_t streak = 0;
    for (int i = 0; i < 300; i++) {
        up = mlstm_schedule_loss_scale(up, 1, 1, 1.5f, 0.5f, &streak);
        down = mlstm_schedule_loss_scale(down, 0, 1, 2, 0.3f, &streak);
        assert_true(isnormal(up) && isnormal(1 / up));
        assert_true(isnormal(down) && isnormal(1 / down));
    }
    assert_true(up * 1.5f > 0x1p126f);
    assert_true(down == 0x1p-126f);
    assert_true(mlstm_schedule_loss_scale(0x1p125f, 1, 1, 2, 0.5f, &streak) == 0x1p126f);
    streak = 2;
    assert_true(mlstm_schedule_loss_scale(0x1p126f, 1, 3, 2, 0.5f, &streak) == 0x1p126f);
    assert_true(streak == 0);
}

static float scale_or_nan(float scale, int32_t finite, int64_t period, float growth, float backoff,
                          int64_t streak)
{
    const int64_t before = streak;
    const float next = mlstm_schedule_loss_scale(scale, finite, period, growth, backoff, &streak);
    assert_true(!isnan(next) || streak == before);
    return next;
}

static void bad_loss_scales(void **state)
{
    (void)state;
    assert_true(scale_or_nan(8, 1, 1, 2, 0.5f, 0) == 16);
    assert_true(isnan(scale_or_nan(0, 1, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(-8, 1, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(NAN, 1, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(INFINITY, 1, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(0x1.1p126f, 1, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(1e-39f, 1, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(8, 2, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(8, -1, 1, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(8, 1, 0, 2, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(8, 1, 1, 1, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(8, 1, 1, INFINITY, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(8, 1, 1, NAN, 0.5f, 0)));
    assert_true(isnan(scale_or_nan(8, 0, 1, 2, 0, 0)));
    assert_true(isnan(scale_or_nan(8, 0, 1, 2, 1, 0)));
    assert_true(isnan(scale_or_nan(8, 0, 1, 2, NAN, 0)));
    assert_true(isnan(scale_or_nan(8, 1, 1, 2, 0.5f, -1)));
    assert_true(isnan(mlstm_schedule_loss_scale(8, 1, 1, 2, 0.5f, NULL)));
}

static void multiply(float *values, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        values[i] *= factor;
}

/* Gradients that would be too small on their way arrive where the loss is scaled. */
static void a_scale_keeps_small_gradients(void **state)
{
    (void)state;
    enum { KERNEL = (3 + 5) * 4 * 5, DY = 2 * 3 * 2 };
    static const struct shape shape = {2, 3, 1, {3, 5}, 2, MLSTM_READOUT_H, 1};
    struct model *m = new_model(&shape, 1);
    float kernel[KERNEL], readout[5 * 2], dy[DY], got[3][KERNEL];
    /* Large inputs, small weights: gradients of weights are far larger than those of h. */
    assert_ok(mlstm_stack_get_param(m->stack, "layer0.kernel", kernel, KERNEL));
    assert_ok(mlstm_stack_get_param(m->stack, "readout.kernel_h", readout, 5 * 2));
    multiply(kernel, 3 * 4 * 5, 0x1p-30f);
    multiply(readout, 5 * 2, 0x1p-30f);
    multiply(m->x, x_numbers(&shape), 0x1p30f);
    assert_ok(mlstm_stack_set_param(m->stack, "layer0.kernel", kernel, KERNEL));
    assert_ok(mlstm_stack_set_param(m->stack, "readout.kernel_h", readout, 5 * 2));
    assert_ok(mlstm_forward(m->stack, m->state, m->x, shape.steps, NULL));
    static const float sizes[] = {1, 0x1p-100f, 0x1p-100f}, scales[] = {1, 1, 0x1p30f};
    for (size_t k = 0; k < COUNT(sizes); k++) {
        random_fill(&(struct random){1}, dy, DY, 0.5f, 1);
        multiply(dy, DY, sizes[k] * scales[k]);
        assert_ok(mlstm_grads_zero(m->grads));
        assert_ok(mlstm_backward(m->stack, m->state, dy, NULL, NULL, NULL, m->grads));
        assert_ok(mlstm_grads_scale(m->grads, 1 / scales[k]));
        assert_ok(mlstm_grads_get(m->grads, "layer0.kernel", got[k], KERNEL));
    }
    double expected[3 * 4 * 5];
    for (size_t i = 0; i < 3 * 4 * 5; i++) {
        assert_true(got[1][i] == 0);
        expected[i] = (double)got[0][i];
        got[2][i] *= 0x1p100f;
    }
    assert_near("layer0.kernel", got[2], expected, 3 * 4 * 5, 1e-6 * largest(expected, 3 * 4 * 5));
    free_model(m);
}

/* NaN, which no optimizer takes. */
static void bad_arguments(void **state)
{
    (void)state;
    assert_true(isnan(mlstm_schedule_step(1, -1, 5, 0.5f)));
    assert_true(isnan(mlstm_schedule_step(1, 1, 0, 0.5f)));
    assert_true(isnan(mlstm_schedule_step(1, 1, -5, 0.5f)));
    assert_true(isnan(mlstm_schedule_step(1, 5, 5, -0.5f)));
    assert_true(isnan(mlstm_schedule_exponential(1, -1, 5, 0.5f)));
    assert_true(isnan(mlstm_schedule_exponential(1, 1, 0, 0.5f)));
    assert_true(isnan(mlstm_schedule_exponential(1, 1, 5, NAN)));
    assert_true(isnan(mlstm_schedule_cosine(1, -1, 5, 0)));
    assert_true(isnan(mlstm_schedule_cosine(1, 1, 0, 0)));
    assert_true(isnan(mlstm_schedule_warmup(1, -1, 5, 0)));
    assert_true(isnan(mlstm_schedule_warmup(1, 1, 0, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_rates),
        cmocka_unit_test(between_periods),
        cmocka_unit_test(ends),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(loss_scales),
        cmocka_unit_test(loss_scales_have_ends),
        cmocka_unit_test(bad_loss_scales),
        cmocka_unit_test(a_scale_keeps_small_gradients),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
