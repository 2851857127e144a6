/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const struct shape shape = {2, 3, 2, {3, 5, 7}, 3, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

/* Gradients with random numbers in them, and those numbers in float64 beside. */
struct fixture {
    struct model *m;
    size_t count;
    float *values, *got;
    double *expected;
};

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    struct random random = {3};
    f->m = new_model(&shape, 1);
    f->count = param_numbers(&shape);
    f->values = random_floats(&random, f->count, -1, 1);
    f->got = floats(f->count);
    f->expected = test_calloc(f->count, sizeof(double));
    set_grads(f->m->stack, f->m->grads, f->values);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free_model(f->m);
    test_free(f->values);
    test_free(f->got);
    test_free(f->expected);
    test_free(f);
    return 0;
}

static void check_scaled(struct fixture *f, double factor, double tolerance)
{
    for (size_t i = 0; i < f->count; i++)
        f->expected[i] = (double)f->values[i] * factor;
    get_grads(f->m->stack, f->m->grads, f->got);
    assert_near("gradients", f->got, f->expected, f->count, tolerance);
}

/* The names of the parameters and where each begins in `values`. */
static size_t param_at(const struct fixture *f, int32_t index, const char **name, size_t *numbers)
{
    size_t at = 0;
    for (int32_t i = 0; i <= index; i++) {
        int32_t rank, dims[2];
        assert_ok(mlstm_stack_param_info(f->m->stack, i, name, &rank, dims));
        *numbers = (size_t)dims[0] * (size_t)dims[1];
        at += *numbers;
    }
    return at - *numbers;
}

static void they_are_new_at_zero(void **state)
{
    struct fixture *f = *state;
    mlstm_grads *grads;
    assert_ok(mlstm_grads_create(f->m->stack, &grads));
    get_grads(f->m->stack, grads, f->got);
    assert_near("new gradients", f->got, f->expected, f->count, 0);
    mlstm_grads_destroy(grads);
    mlstm_grads_destroy(NULL);
}

static void they_come_back(void **state)
{
    check_scaled(*state, 1, 0);
}

static void zero(void **state)
{
    struct fixture *f = *state;
    assert_ok(mlstm_grads_zero(f->m->grads));
    check_scaled(f, 0, 0);
}

static void scale(void **state)
{
    struct fixture *f = *state;
    assert_ok(mlstm_grads_scale(f->m->grads, -0.3f));
    check_scaled(f, (double)-0.3f, 1e-7);
}

static void add(void **state)
{
    struct fixture *f = *state;
    mlstm_grads *other;
    assert_ok(mlstm_grads_create(f->m->stack, &other));
    assert_ok(mlstm_grads_add(other, f->m->grads));
    check_scaled(f, 1, 0);
    assert_ok(mlstm_grads_add(f->m->grads, other));
    check_scaled(f, 2, 0);
    assert_ok(mlstm_grads_add(f->m->grads, f->m->grads));
    check_scaled(f, 4, 0);
    mlstm_grads_destroy(other);
}

static double norm_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* Also where the squares are beyond float32, at both ends. */
static void norm(void **state)
{
    struct fixture *f = *state;
    static const float factors[] = {1, 1e30f, 1e-30f, 1e-25f};
    for (size_t i = 0; i < COUNT(factors); i++) {
        float got;
        assert_ok(mlstm_grads_scale(f->m->grads, factors[i]));
        get_grads(f->m->stack, f->m->grads, f->got);
        const double expected = norm_of(f->got, f->count);
        assert_ok(mlstm_grads_norm(f->m->grads, &got));
        assert_near("norm", &got, &expected, 1, 1e-6 * expected);
    }
}

static void clip(void **state)
{
    struct fixture *f = *state;
    const double expected = norm_of(f->values, f->count);
    float before, after;
    assert_ok(mlstm_grads_clip_norm(f->m->grads, (float)expected * 1.01f, &before));
    assert_near("norm", &before, &expected, 1, 1e-6 * expected);
    check_scaled(f, 1, 0);
    assert_ok(mlstm_grads_clip_norm(f->m->grads, 0.5f, &before));
    assert_near("norm", &before, &expected, 1, 1e-6 * expected);
    check_scaled(f, 0.5 / expected, 1e-7);
    assert_ok(mlstm_grads_norm(f->m->grads, &after));
    assert_near("norm", &after, &(double){0.5}, 1, 1e-6);
    assert_ok(mlstm_grads_clip_norm(f->m->grads, 0.25f, NULL));
    check_scaled(f, 0.25 / expected, 1e-7);
}

/* Also where float32 has no normal number for max_norm / norm; what becomes denormal becomes 0. */
static void clip_from_far_above(void **state)
{
    struct fixture *f = *state;
    static const float limits[] = {100, 0.5f, 1e-10f, 0x1p-121f};
    const double norm = norm_of(f->values, f->count) * 3e38;
    for (size_t i = 0; i < COUNT(limits); i++) {
        const double limit = (double)limits[i], lost = (double)FLT_MIN;
        set_grads(f->m->stack, f->m->grads, f->values);
        assert_ok(mlstm_grads_scale(f->m->grads, 3e38f));
        assert_ok(mlstm_grads_clip_norm(f->m->grads, limits[i], NULL));
        check_scaled(f, limit / norm * 3e38, fmax(1e-6 * limit, lost));
        set_grads(f->m->stack, f->m->grads, f->values);
        assert_ok(mlstm_grads_scale(f->m->grads, 3e38f));
        assert_ok(mlstm_grads_clip_param_norm(f->m->grads, limits[i]));
        get_grads(f->m->stack, f->m->grads, f->got);
        for (int32_t p = 0; p < mlstm_stack_param_count(f->m->stack); p++) {
            const char *name;
            size_t numbers;
            const size_t at = param_at(f, p, &name, &numbers);
            const float after = (float)norm_of(f->got + at, numbers);
            assert_near(name, &after, &limit, 1, fmax(1e-6 * limit, lost * sqrt((double)numbers)));
        }
    }
}

static void clip_refuses_what_is_not_finite(void **state)
{
    struct fixture *f = *state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < COUNT(bad); i++) {
        float norm = 42;
        f->values[f->count - 1] = bad[i];
        set_grads(f->m->stack, f->m->grads, f->values);
        assert_status(mlstm_grads_clip_norm(f->m->grads, 0.5f, &norm), MLSTM_ERROR_NOT_FINITE);
        assert_true(norm == 42);
        get_grads(f->m->stack, f->m->grads, f->got);
        assert_same_bits("gradients", f->got, f->values, f->count);
        assert_ok(mlstm_grads_norm(f->m->grads, &norm));
        assert_true(isnan(norm) || isinf(norm));
    }
}

static void check_names_the_parameter(void **state)
{
    struct fixture *f = *state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    const char *found = "nothing";
    assert_ok(mlstm_grads_check(f->m->grads, &found));
    assert_string_equal(found, "nothing");
    assert_ok(mlstm_grads_check(f->m->grads, NULL));
    /* From the last on, so that the first of several is named. */
    for (int32_t i = mlstm_stack_param_count(f->m->stack) - 1; i >= 0; i--) {
        const char *name;
        size_t numbers;
        const size_t at = param_at(f, i, &name, &numbers);
        for (size_t k = 0; k < numbers; k++) {
            const float before = f->values[at + k];
            f->values[at + k] = bad[k % COUNT(bad)];
            assert_ok(mlstm_grads_set(f->m->grads, name, f->values + at, numbers));
            assert_status(mlstm_grads_check(f->m->grads, &found), MLSTM_ERROR_NOT_FINITE);
            assert_string_equal(found, name);
            assert_non_null(strstr(mlstm_last_error(), name));
            assert_status(mlstm_grads_check(f->m->grads, NULL), MLSTM_ERROR_NOT_FINITE);
            if (k < numbers - 1)
                f->values[at + k] = before;
        }
    }
}

static void clip_value(void **state)
{
    struct fixture *f = *state;
    f->values[3] = INFINITY;
    f->values[5] = -INFINITY;
    set_grads(f->m->stack, f->m->grads, f->values);
    assert_ok(mlstm_grads_clip_value(f->m->grads, 0.25f));
    for (size_t i = 0; i < f->count; i++)
        f->expected[i] = fmax(-0.25, fmin(0.25, (double)f->values[i]));
    get_grads(f->m->stack, f->m->grads, f->got);
    assert_near("gradients", f->got, f->expected, f->count, 0);
    f->values[3] = NAN;
    set_grads(f->m->stack, f->m->grads, f->values);
    assert_ok(mlstm_grads_clip_value(f->m->grads, 0.25f));
    get_grads(f->m->stack, f->m->grads, f->got);
    assert_true(isnan(f->got[3]));
}

/* A limit that some of the parameters are below. */
static void clip_param_norm(void **state)
{
    struct fixture *f = *state;
    static const float limit = 4;
    int32_t clipped = 0;
    const int32_t params = mlstm_stack_param_count(f->m->stack);
    for (int32_t i = 0; i < params; i++) {
        const char *name;
        size_t numbers;
        const size_t at = param_at(f, i, &name, &numbers);
        const double norm = norm_of(f->values + at, numbers);
        clipped += norm > (double)limit;
        for (size_t k = at; k < at + numbers; k++)
            f->expected[k] = (double)f->values[k] * fmin(1, (double)limit / norm);
    }
    assert_in_range(clipped, 1, params - 1);
    assert_ok(mlstm_grads_clip_param_norm(f->m->grads, limit));
    get_grads(f->m->stack, f->m->grads, f->got);
    assert_near("gradients", f->got, f->expected, f->count, 1e-7);

    f->values[f->count - 1] = INFINITY;
    set_grads(f->m->stack, f->m->grads, f->values);
    assert_status(mlstm_grads_clip_param_norm(f->m->grads, 0.5f), MLSTM_ERROR_NOT_FINITE);
    assert_non_null(strstr(mlstm_last_error(), "readout.bias"));
    get_grads(f->m->stack, f->m->grads, f->got);
    assert_same_bits("gradients", f->got, f->values, f->count);
}

/* The block has every gradient once, beside it zeros alone, and what is written there counts. */
static void the_block(void **state)
{
    struct fixture *f = *state;
    float *data;
    size_t count, others = 0;
    assert_ok(mlstm_grads_data(f->m->grads, &data, &count));
    assert_true(count >= f->count);
    assert_true(fabs(norm_of(data, count) - norm_of(f->values, f->count)) < 1e-9);
    for (size_t i = 0; i < count; i++) {
        others += data[i] != 0;
        data[i] *= 2;
    }
    assert_int_equal(others, f->count);
    check_scaled(f, 2, 0);
}

/* The padding stays 0 through passes too, whatever the layers' sizes leave in working memory. */
static void check_padding(const struct shape *s)
{
    struct model *m = new_model(s, 1);
    struct results *results = new_results(s);
    for (int repeat = 0; repeat < 2; repeat++) {
        float *data;
        size_t count, others = 0;
        run_model(m, m->state, m->grads, results);
        assert_ok(mlstm_grads_data(m->grads, &data, &count));
        for (size_t i = 0; i < count; i++)
            others += data[i] != 0;
        assert_int_equal(others, param_numbers(s));
    }
    free_results(results);
    free_model(m);
}

static void the_block_after_passes(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {2, 3, 2, {3, 5, 7}, 3, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {2, 3, 2, {3, 20, 7}, 3, MLSTM_READOUT_C, 1},
        {5, 4, 3, {3, 7, 35, 3}, 17, MLSTM_READOUT_H, 1},
        {3, 2, 2, {1, 2, 70}, 33, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {3, 2, 3, {1, 70, 2, 18}, 0, 0, 1},
    };
    for (size_t i = 0; i < COUNT(shapes); i++)
        check_padding(&shapes[i]);
}

#define GRADS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* Vectors that share a row with others are checked and clipped apart from them. */
static void every_parameter_is_apart(void **state)
{
    (void)state;
    static const struct shape many = {1,
                                      1,
                                      1,
                                      {3, 19},
                                      3,
                                      MLSTM_READOUT_H,
                                      1,
                                      .options = {{.more_biases = 1,
                                                   .peepholes = 1,
                                                   .norm = MLSTM_NORM_GATES,
                                                   .learned = 1,
                                                   .epsilon = 1e-3f}}};
    const size_t count = param_numbers(&many);
    struct model *m = new_model(&many, 1);
    float *g = random_floats(&(struct random){2}, count, 0.5f, 1), *got = floats(count);
    double *expected = test_calloc(count, sizeof *expected);
    size_t first = 0;
    assert_int_equal(mlstm_stack_param_count(m->stack), 13);
    for (int32_t p = 0; p < mlstm_stack_param_count(m->stack); p++) {
        const char *name, *bad = NULL;
        int32_t rank, dims[2];
        double squares = 0;
        assert_ok(mlstm_stack_param_info(m->stack, p, &name, &rank, dims));
        const size_t end = first + (size_t)dims[0] * (size_t)dims[1];
        for (size_t i = first; i < end; i++)
            squares += (double)g[i] * (double)g[i];
        for (size_t i = first; i < end; i++)
            expected[i] = (double)g[i] * fmin(1, 2 / sqrt(squares));
        const float last = g[end - 1];
        g[end - 1] = NAN;
        set_grads(m->stack, m->grads, g);
        assert_status(mlstm_grads_check(m->grads, &bad), MLSTM_ERROR_NOT_FINITE);
        assert_string_equal(bad, name);
        g[end - 1] = last;
        first = end;
    }
    assert_int_equal(first, count);
    set_grads(m->stack, m->grads, g);
    assert_ok(mlstm_grads_clip_param_norm(m->grads, 2));
    get_grads(m->stack, m->grads, got);
    assert_near("clipped by their own norms", got, expected, count, 1e-6);
    test_free(g);
    test_free(got);
    test_free(expected);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GRADS_TEST(they_are_new_at_zero),
        GRADS_TEST(they_come_back),
        GRADS_TEST(zero),
        GRADS_TEST(scale),
        GRADS_TEST(add),
        GRADS_TEST(norm),
        GRADS_TEST(clip),
        GRADS_TEST(clip_from_far_above),
        GRADS_TEST(clip_refuses_what_is_not_finite),
        GRADS_TEST(check_names_the_parameter),
        GRADS_TEST(clip_value),
        GRADS_TEST(clip_param_norm),
        GRADS_TEST(the_block),
        cmocka_unit_test(the_block_after_passes),
        cmocka_unit_test(every_parameter_is_apart),
    };
    return cmocka_run_group_tests_name("grads", tests, NULL, NULL);
}
