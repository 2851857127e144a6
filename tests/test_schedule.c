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
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
