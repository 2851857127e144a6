/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>

enum { C = MLSTM_READOUT_C, H = MLSTM_READOUT_H };

/* Batch, steps, layers, sizes, outputs and sources of the readout, forget bias. */
static const struct shape shapes[] = {
    {1, 1, 1, {1, 1}, 1, 0, 1},
    {1, 15, 1, {1, 1}, 1, C, 1},
    {5, 15, 3, {1, 4, 4, 4}, 2, C | H, 1},
    {1, 40, 1, {3, 8}, 2, H, 0},
    {2, 7, 2, {17, 33, 5}, 3, C | H, 2.5f},
    {16, 5, 2, {8, 7, 31}, 11, C, -1},
    {3, 6, 4, {2, 1, 2, 3, 4}, 5, 0, 1},
    {4, 9, 2, {16, 16, 16}, 16, H, 1},
    {7, 4, 2, {64, 64, 32}, 10, C | H, 1},
    {13, 3, 3, {23, 47, 61, 67}, 19, C | H, 1},
    {33, 2, 1, {5, 17}, 1, H, 1},
    {1, 600, 2, {3, 12, 17}, 2, C | H, 1},
    {520, 3, 1, {12, 18}, 6, C, 1},
    {2, 3, 2, {600, 256, 150}, 300, C | H, 1},
};

/* `factor` widens the tolerance where large inputs are rounded coarsely. */
static void check_forward(const struct shape *s, const struct model *m, double factor)
{
    struct reference *r = reference_of(m);
    struct results *got = new_results(s);
    reference_forward(r);
    run_model(m, m->state, m->grads, got);
    const double tolerance = factor * 2e-6 * fmax(1, largest(r->c_top, top_numbers(s)));
    assert_near("h_top", got->h_top, r->h_top, top_numbers(s), tolerance);
    assert_near("c_top", got->c_top, r->c_top, top_numbers(s), tolerance);
    assert_near("final state", got->final_state, r->final_state, state_numbers(s), tolerance);
    assert_near("y", got->y, r->y, y_numbers(s), tolerance * sqrt(top_size(s)));
    free_results(got);
    reference_destroy(r);
}

static void it_is_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct model *m = new_model(&shapes[i], i);
        check_forward(&shapes[i], m, 1);
        free_model(m);
    }
}

/* Gates far beyond where exp overflows, and numbers near the smallest. */
static void extremes(void **state)
{
    (void)state;
    static const float scales[] = {0, 1e-38f, 1e-10f, 40, 300, 1e4f, 1e18f};
    for (size_t i = 0; i < COUNT(scales); i++) {
        struct model *m = new_model(&shapes[4], i);
        for (size_t k = 0; k < x_numbers(&shapes[4]); k++)
            m->x[k] *= scales[i];
        check_forward(&shapes[4], m, fmax(1, fmin(300, (double)scales[i]) / 4));
        free_model(m);
    }
}

static void y_is_optional(void **state)
{
    (void)state;
    const struct shape *s = &shapes[2];
    struct model *m = new_model(s, 1);
    struct results *expected = new_results(s);
    float *got = floats(state_numbers(s));
    run_model(m, m->state, m->grads, expected);
    assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(s)));
    assert_ok(mlstm_forward(m->stack, m->state, m->x, 7, NULL));
    for (size_t t = 7; t < 15; t++)
        assert_ok(mlstm_step_forward(m->stack, m->state, m->x + t * 5, NULL));
    assert_ok(mlstm_state_get(m->state, got, state_numbers(s)));
    assert_same_bits("final state", got, expected->final_state, state_numbers(s));
    test_free(got);
    free_results(expected);
    free_model(m);
}

/* NaN in one row stays in that row. */
static void nan_passes_through(void **state)
{
    (void)state;
    const struct shape *s = &shapes[2];
    struct model *m = new_model(s, 1);
    struct results *clean = new_results(s), *got = new_results(s);
    run_model(m, m->state, m->grads, clean);
    m->x[2] = NAN;
    run_model(m, m->state, m->grads, got);
    for (size_t row = 0; row < 15 * 5; row++)
        for (size_t o = 0; o < 2; o++)
            if (row % 5 == 2)
                assert_true(isnan(got->y[row * 2 + o]));
            else
                assert_true(got->y[row * 2 + o] == clean->y[row * 2 + o]);
    free_results(clean);
    free_results(got);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_reference),
        cmocka_unit_test(extremes),
        cmocka_unit_test(y_is_optional),
        cmocka_unit_test(nan_passes_through),
    };
    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
