/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>
#include <string.h>

#include "combinations.h"

static const int32_t readouts[] = {0, MLSTM_READOUT_C, MLSTM_READOUT_H,
                                   MLSTM_READOUT_C | MLSTM_READOUT_H};

static void check_gradient(const char *what, const float *got, const double *expected, size_t count)
{
    assert_near(what, got, expected, count, 1e-5 * largest(expected, count) + 1e-6);
}

/* One tolerance for each parameter, since their gradients are of different sizes. */
static void check_params(const mlstm_stack *stack, const float *got, const double *expected)
{
    for (int32_t i = 0; i < mlstm_stack_param_count(stack); i++) {
        const char *name;
        int32_t rank, shape[2];
        assert_ok(mlstm_stack_param_info(stack, i, &name, &rank, shape));
        const size_t count = (size_t)shape[0] * (size_t)shape[1];
        check_gradient(name, got, expected, count);
        got += count;
        expected += count;
    }
}

static void check_results(const struct model *m, const struct results *got,
                          const struct reference *r)
{
    check_params(m->stack, got->dparams, r->dparams);
    check_gradient("dx", got->dx, r->dx, x_numbers(&m->shape));
    check_gradient("initial state", got->dinitial_state, r->dinitial_state,
                   state_numbers(&m->shape));
}

/* The same bits again from more threads, which divide panels, or rows. */
static void check_threads(const struct model *m, const struct results *expected)
{
    struct results *got = new_results(&m->shape);
    for (int32_t threads = 2; threads <= MOST_THREADS; threads++) {
        share_passes(m->state, (threads + m->shape.batch) % 2 ? BY_PANELS : BY_ROWS);
        assert_ok(mlstm_state_set_threads(m->state, threads));
        run_model(m, m->state, m->grads, got);
        assert_shared(m->state);
        assert_same_results(&m->shape, got, expected);
    }
    free_results(got);
}

static void check_shape(const struct shape *s, uint64_t seed)
{
    struct model *m = new_model(s, seed);
    struct reference *r = reference_of(m);
    struct results *got = new_results(s);
    reference_forward(r);
    reference_backward(r);
    run_model(m, m->state, m->grads, got);
    check_results(m, got, r);
    check_threads(m, got);
    free_results(got);
    reference_destroy(r);
    free_model(m);
}

static void random_shapes(void **state)
{
    (void)state;
    struct random random = {12};
    for (size_t i = 0; i < 10 * COUNT(readouts); i++) {
        const struct shape s = random_shape(&random, 70, readouts[i % COUNT(readouts)]);
        check_shape(&s, i);
    }
}

/* Whose numbers fall on the same side of each clip in float32 and in float64. */
static struct model *model_off_clips(const struct combination *c, struct reference **r)
{
    for (uint64_t seed = c->seed;; seed += 10000) {
        struct model *m = new_model(&c->shape, seed);
        *r = reference_of(m);
        reference_forward(*r);
        if ((*r)->nearest_clip > 5e-6)
            return m;
        reference_destroy(*r);
        free_model(m);
    }
}

static void check_combination(const struct combination *c)
{
    const struct shape *s = &c->shape;
    struct reference *r;
    about(c->name);
    struct model *m = model_off_clips(c, &r);
    struct results *got = new_results(s);
    reference_backward(r);
    run_model(m, m->state, m->grads, got);
    check_gradient("y", got->y, r->y, y_numbers(s));
    check_gradient("h_top", got->h_top, r->h_top, top_numbers(s));
    check_gradient("c_top", got->c_top, r->c_top, top_c_numbers(s));
    check_gradient("final state", got->final_state, r->final_state, state_numbers(s));
    check_results(m, got, r);
    check_threads(m, got);
    about("");
    free_results(got);
    reference_destroy(r);
    free_model(m);
}

static void every_option(void **state)
{
    (void)state;
    for_each_option(check_combination);
}

static void every_pair(void **state)
{
    (void)state;
    for_each_pair(check_combination);
}

static void combinations(void **state)
{
    (void)state;
    for_each_combination(200, 9, check_combination);
}

/* More than one panel of units, for every instruction set. */
static void wide_combinations(void **state)
{
    (void)state;
    for_each_combination(60, 70, check_combination);
}

/* Every size from 1 to 70 once as the hidden and once as the input size. */
static void every_size(void **state)
{
    (void)state;
    for (int32_t size = 1; size <= 70; size++) {
        const struct shape s = {3, 2, 2, {size, 71 - size, size}, size % 7 + 1, size % 4, 1};
        check_shape(&s, (uint64_t)size);
    }
}

static void every_batch(void **state)
{
    (void)state;
    for (int32_t batch = 1; batch <= 40; batch++) {
        const struct shape s = {batch, 2, 2, {3, 13, 4}, 2, batch % 4, 1};
        check_shape(&s, (uint64_t)batch);
    }
}

/* Past each size at which the library divides its work: rows, inputs, units, steps. */
static void large_shapes(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {1, 600, 2, {3, 12, 17}, 2, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {7, 150, 2, {20, 19, 4}, 3, MLSTM_READOUT_H, 1},
        {520, 3, 2, {3, 18, 6}, 2, MLSTM_READOUT_C, 1},
        {100, 11, 1, {5, 33}, 9, MLSTM_READOUT_C | MLSTM_READOUT_H, 0},
        {3, 2, 2, {600, 20, 30}, 2, MLSTM_READOUT_H, 1},
        {2, 3, 2, {5, 256, 150}, 300, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {9, 2, 1, {130, 270}, 0, 0, 1},
    };
    for (size_t i = 0; i < COUNT(shapes); i++)
        check_shape(&shapes[i], i);
}

/* What the layer gives and its c, which the readout takes, are rows of different strides. */
static void strides_differ(void **state)
{
    (void)state;
    check_combination(&(struct combination){
        .name = "residual",
        .seed = 1,
        .shape = {2, 3, 1, {256, 256}, 3, MLSTM_READOUT_C | MLSTM_READOUT_H, 1,
                  .options = {{.skip = MLSTM_SKIP_RESIDUAL}}}});
}

/* A pass with everything, so that what the next is not given would be found in working memory. */
static void leave_traces(const struct model *m, struct results *results)
{
    const struct shape *s = &m->shape;
    struct random random = {1};
    float *d = random_floats(&random, y_numbers(s) + top_numbers(s) + state_numbers(s), 5, 9);
    assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(s)));
    assert_ok(mlstm_forward(m->stack, m->state, m->x, s->steps, NULL));
    assert_ok(mlstm_state_set_final_grad(m->state, d, state_numbers(s)));
    assert_ok(mlstm_backward(m->stack, m->state, d, d, d, results->dx, m->grads));
    assert_ok(mlstm_grads_zero(m->grads));
    test_free(d);
}

/* dy, dh_top, dc_top and the final gradient: each given or not, for every readout. */
static void each_gradient_is_optional(void **state)
{
    (void)state;
    struct random random = {13};
    for (int32_t i = 0; i < 16 * (int32_t)COUNT(readouts); i++) {
        const struct shape s = random_shape(&random, 20, readouts[i / 16]);
        struct model *m = new_model(&s, (uint64_t)i);
        struct results *got = new_results(&s);
        if (!(i & 1))
            memset(m->dy, 0, y_numbers(&s) * sizeof(float));
        if (!(i & 2))
            memset(m->dh_top, 0, top_numbers(&s) * sizeof(float));
        if (!(i & 4))
            memset(m->dc_top, 0, top_numbers(&s) * sizeof(float));
        if (!(i & 8))
            memset(m->dfinal_state, 0, state_numbers(&s) * sizeof(float));
        struct reference *r = reference_of(m);
        reference_forward(r);
        reference_backward(r);
        leave_traces(m, got);
        assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(&s)));
        assert_ok(mlstm_forward(m->stack, m->state, m->x, s.steps, NULL));
        if (i & 8)
            assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, state_numbers(&s)));
        assert_ok(mlstm_backward(m->stack, m->state, i & 1 ? m->dy : NULL, i & 2 ? m->dh_top : NULL,
                                 i & 4 ? m->dc_top : NULL, got->dx, m->grads));
        assert_ok(mlstm_state_get_initial_grad(m->state, got->dinitial_state, state_numbers(&s)));
        get_grads(m->stack, m->grads, got->dparams);
        check_results(m, got, r);
        reference_destroy(r);
        free_results(got);
        free_model(m);
    }
}

/* dx and grads: what is not asked for changes nothing in the rest. */
static void each_output_is_optional(void **state)
{
    (void)state;
    struct random random = {14};
    for (size_t i = 0; i < 3 * COUNT(readouts); i++) {
        const struct shape s = random_shape(&random, 40, readouts[i % COUNT(readouts)]);
        struct model *m = new_model(&s, i);
        struct results *all = new_results(&s), *some = new_results(&s);
        run_model(m, m->state, m->grads, all);
        run_model(m, m->state, m->grads, some);

        assert_ok(mlstm_grads_zero(m->grads));
        assert_ok(mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, NULL, m->grads));
        get_grads(m->stack, m->grads, some->dparams);
        assert_ok(mlstm_state_get_initial_grad(m->state, some->dinitial_state, state_numbers(&s)));
        assert_same_results(&s, some, all);

        memset(some->dx, 0, x_numbers(&s) * sizeof(float));
        assert_ok(mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, some->dx, NULL));
        get_grads(m->stack, m->grads, some->dparams);
        assert_ok(mlstm_state_get_initial_grad(m->state, some->dinitial_state, state_numbers(&s)));
        assert_same_results(&s, some, all);
        free_results(all);
        free_results(some);
        free_model(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shapes),
        cmocka_unit_test(every_option),
        cmocka_unit_test(every_pair),
        cmocka_unit_test(combinations),
        cmocka_unit_test(wide_combinations),
        cmocka_unit_test(every_size),
        cmocka_unit_test(every_batch),
        cmocka_unit_test(large_shapes),
        cmocka_unit_test(strides_differ),
        cmocka_unit_test(each_gradient_is_optional),
        cmocka_unit_test(each_output_is_optional),
    };
    return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
