/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>
#include <string.h>

static const struct shape shape = {3, 6, 3, {3, 5, 7, 2}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

static void a_new_state(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    const size_t size = 2 * 3 * (5 + 7 + 2);
    float *values = floats(size), *zeros = floats(size);
    memset(values, 1, size * sizeof(float));
    assert_int_equal(mlstm_state_size(m->state), size);
    assert_int_equal(mlstm_state_batch(m->state), 3);
    assert_int_equal(mlstm_state_window(m->state), 6);
    assert_int_equal(mlstm_state_steps(m->state), 0);
    assert_int_equal(mlstm_state_threads(m->state), 1);
    assert_true(mlstm_state_bytes(m->state) > size * sizeof(float));
    assert_ok(mlstm_state_get(m->state, values, size));
    assert_same_bits("new state", values, zeros, size);
    test_free(values);
    test_free(zeros);
    free_model(m);
}

static void null_is_answered(void **unused)
{
    (void)unused;
    mlstm_state_destroy(NULL);
    assert_int_equal(mlstm_state_size(NULL), 0);
    assert_int_equal(mlstm_state_batch(NULL), 0);
    assert_int_equal(mlstm_state_window(NULL), 0);
    assert_int_equal(mlstm_state_steps(NULL), 0);
    assert_int_equal(mlstm_state_threads(NULL), 0);
    assert_int_equal(mlstm_state_training(NULL), 0);
    assert_int_equal(mlstm_state_bytes(NULL), 0);
}

static void check_state(const mlstm_state *state, const float *expected)
{
    const size_t size = mlstm_state_size(state);
    float *values = floats(size);
    assert_ok(mlstm_state_get(state, values, size));
    assert_same_bits("state", values, expected, size);
    test_free(values);
}

static void the_tensor_comes_back(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    const size_t size = state_numbers(&shape);
    float *zeros = floats(size);
    assert_ok(mlstm_state_set(m->state, m->initial_state, size));
    check_state(m->state, m->initial_state);
    assert_ok(mlstm_state_begin_window(m->state));
    check_state(m->state, m->initial_state);
    assert_ok(mlstm_state_zero(m->state));
    check_state(m->state, zeros);
    test_free(zeros);
    free_model(m);
}

/* The tensor is the layers' c and h one after the other; each can be replaced alone. */
static void layers_are_blocks_of_the_tensor(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    struct random random = {2};
    float *tensor = m->initial_state, *place = tensor, *other = floats(3 * 7);
    assert_ok(mlstm_state_set(m->state, tensor, state_numbers(&shape)));
    for (int32_t l = 0; l < 3; l++) {
        const size_t half = (size_t)(3 * shape.sizes[l + 1]);
        assert_ok(mlstm_state_get_layer(m->state, l, other, NULL));
        assert_same_bits("c", other, place, half);
        assert_ok(mlstm_state_get_layer(m->state, l, NULL, other));
        assert_same_bits("h", other, place + half, half);
        random_fill(&random, place, 2 * half, -1, 1);
        assert_ok(mlstm_state_set_layer(m->state, l, place, l == 1 ? place + half : NULL));
        if (l != 1)
            assert_ok(mlstm_state_set_layer(m->state, l, NULL, place + half));
        check_state(m->state, tensor);
        place += 2 * half;
    }
    test_free(other);
    free_model(m);
}

static void steps_are_counted(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    float c[3 * 5] = {0};
    assert_ok(mlstm_forward(m->stack, m->state, m->x, 4, NULL));
    assert_ok(mlstm_step_forward(m->stack, m->state, m->x, NULL));
    assert_int_equal(mlstm_state_steps(m->state), 5);
    assert_ok(mlstm_state_begin_window(m->state));
    assert_int_equal(mlstm_state_steps(m->state), 0);
    assert_ok(mlstm_step_forward(m->stack, m->state, m->x, NULL));
    assert_ok(mlstm_state_zero(m->state));
    assert_int_equal(mlstm_state_steps(m->state), 0);
    assert_ok(mlstm_step_forward(m->stack, m->state, m->x, NULL));
    assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(&shape)));
    assert_int_equal(mlstm_state_steps(m->state), 0);
    assert_ok(mlstm_step_forward(m->stack, m->state, m->x, NULL));
    assert_ok(mlstm_state_set_layer(m->state, 0, c, NULL));
    assert_int_equal(mlstm_state_steps(m->state), 0);
    free_model(m);
}

/* A state for inference takes any number of steps, gives the same numbers, and records nothing. */
static void inference(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    struct results *trained = new_results(&shape);
    const size_t rows = 3;
    float *y = floats(y_numbers(&shape));
    mlstm_state *state;
    run_model(m, m->state, m->grads, trained);
    assert_ok(mlstm_state_create(m->stack, 3, 0, &state));
    for (int repeat = 0; repeat < 3; repeat++) {
        assert_ok(mlstm_state_set(state, m->initial_state, state_numbers(&shape)));
        assert_ok(mlstm_forward(m->stack, state, m->x, 4, y));
        assert_ok(mlstm_step_forward(m->stack, state, m->x + 4 * rows * 3, y + 4 * rows * 4));
        assert_ok(mlstm_step_forward(m->stack, state, m->x + 5 * rows * 3, y + 5 * rows * 4));
        assert_same_bits("y", y, trained->y, y_numbers(&shape));
        check_state(state, trained->final_state);
    }
    assert_int_equal(mlstm_state_window(state), 0);
    assert_int_equal(mlstm_state_steps(state), 0);
    assert_status(mlstm_state_get_top(state, y, NULL), MLSTM_ERROR_ORDER);
    assert_status(mlstm_backward(m->stack, state, m->dy, NULL, NULL, NULL, m->grads),
                  MLSTM_ERROR_ORDER);
    assert_status(mlstm_state_set_final_grad(state, m->dfinal_state, state_numbers(&shape)),
                  MLSTM_ERROR_ORDER);
    mlstm_state_destroy(state);
    test_free(y);
    free_results(trained);
    free_model(m);
}

/* Far more steps than a state for inference can hold at a time, in calls that grow slowly, and in
 * one step and all the rest. */
static void infer_long(void)
{
    static const struct shape shapes[] = {
        {1, 700, 2, {2, 12, 18}, 3, MLSTM_READOUT_H, 1},
        {5, 700, 1, {2, 4}, 3, MLSTM_READOUT_H, 1},
        {300, 40, 2, {2, 12, 18}, 3, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        struct model *m = new_model(s, 1);
        struct results *trained = new_results(s);
        float *y = floats(y_numbers(s));
        mlstm_state *state;
        run_model(m, m->state, m->grads, trained);
        assert_ok(mlstm_state_create(m->stack, s->batch, 0, &state));
        for (int32_t growth = 1; growth <= s->steps; growth += s->steps - 1) {
            assert_ok(mlstm_state_set(state, m->initial_state, state_numbers(s)));
            for (int32_t t = 0, n = 1; t < s->steps; t += n, n += growth) {
                n = n < s->steps - t ? n : s->steps - t;
                assert_ok(mlstm_forward(m->stack, state, m->x + t * s->batch * 2, n,
                                        y + t * s->batch * 3));
            }
            assert_same_bits("y", y, trained->y, y_numbers(s));
            check_state(state, trained->final_state);
        }
        mlstm_state_destroy(state);
        test_free(y);
        free_results(trained);
        free_model(m);
    }
}

/* With weights that are far, of which one panel is near, and near. */
static void long_inference(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {0, 8192, 1 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        level_bytes[0] = level_bytes[1] = sizes[i];
        infer_long();
    }
    level_bytes[0] = level_bytes[1] = 0;
}

/* A state made on one core runs on others, whose caches may be larger or smaller. */
static void caches_are_asked_once(void **unused)
{
    (void)unused;
    static const struct shape s = {16, 8, 1, {20, 32}, 0, 0, 1};
    struct model *m = new_model(&s, 1);
    float *y[2] = {floats(y_numbers(&s)), floats(y_numbers(&s))};
    for (int32_t i = 0; i < 2; i++) {
        mlstm_state *state;
        caches_change = i;
        assert_ok(mlstm_state_create(m->stack, s.batch, 0, &state));
        caches_change = 0;
        level_bytes[0] = level_bytes[1] = 0;
        assert_ok(mlstm_forward(m->stack, state, m->x, s.steps, y[i]));
        mlstm_state_destroy(state);
    }
    assert_same_bits("y", y[1], y[0], y_numbers(&s));
    test_free(y[0]);
    test_free(y[1]);
    free_model(m);
}

static void set_whole(const struct model *m)
{
    assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(&shape)));
}

static void set_by_layers(const struct model *m)
{
    const float *values = m->initial_state;
    for (int32_t l = 0; l < 3; l++) {
        const int32_t half = 3 * shape.sizes[l + 1];
        assert_ok(mlstm_state_set_layer(m->state, l, values, values + half));
        values += 2 * half;
    }
}

static void zero_and_set(const struct model *m)
{
    assert_ok(mlstm_state_zero(m->state));
    set_whole(m);
}

static void begin_and_set(const struct model *m)
{
    assert_ok(mlstm_state_begin_window(m->state));
    set_whole(m);
}

/* NaN in a state is gone when c and h are replaced: nothing of it is left in a corner. */
static void nan_is_forgotten(void **unused)
{
    (void)unused;
    void (*const ways[])(const struct model *m) = {zero_and_set, set_whole, begin_and_set,
                                                   set_by_layers};
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct model *m = new_model(&shape, 1);
        struct results *clean = new_results(&shape), *got = new_results(&shape);
        const float x = m->x[0];
        float norm;
        run_model(m, m->state, m->grads, clean);
        m->x[0] = NAN;
        run_model(m, m->state, m->grads, got);
        m->x[0] = x;
        ways[i](m);
        assert_ok(mlstm_forward(m->stack, m->state, m->x, shape.steps, got->y));
        assert_ok(mlstm_grads_zero(m->grads));
        assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, state_numbers(&shape)));
        assert_ok(
            mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, got->dx, m->grads));
        get_grads(m->stack, m->grads, got->dparams);
        assert_same_bits("y", got->y, clean->y, y_numbers(&shape));
        assert_same_bits("dx", got->dx, clean->dx, x_numbers(&shape));
        assert_same_bits("dparams", got->dparams, clean->dparams, param_numbers(&shape));
        assert_ok(mlstm_grads_norm(m->grads, &norm));
        assert_true(norm > 0 && norm < 1e6f);
        free_results(clean);
        free_results(got);
        free_model(m);
    }
}

static void initial_grad(const struct model *m, float *values)
{
    const size_t size = state_numbers(&shape);
    assert_ok(mlstm_backward(m->stack, m->state, m->dy, NULL, NULL, NULL, NULL));
    assert_ok(mlstm_state_get_initial_grad(m->state, values, size));
}

/* The gradient on the final state counts until NULL or a new window takes it away. */
static void the_final_grad_ends_with_the_window(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    const size_t size = state_numbers(&shape);
    float *without = floats(size), *with = floats(size), *again = floats(size);
    assert_ok(mlstm_state_set(m->state, m->initial_state, size));
    assert_ok(mlstm_forward(m->stack, m->state, m->x, 6, NULL));
    initial_grad(m, without);
    assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, size));
    initial_grad(m, with);
    assert_memory_not_equal(with, without, size * sizeof(float));
    initial_grad(m, again);
    assert_same_bits("it stays", again, with, size);
    assert_ok(mlstm_state_set_final_grad(m->state, NULL, 0));
    initial_grad(m, again);
    assert_same_bits("NULL takes it away", again, without, size);
    assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, size));
    assert_ok(mlstm_state_set(m->state, m->initial_state, size));
    assert_ok(mlstm_forward(m->stack, m->state, m->x, 6, NULL));
    assert_status(mlstm_state_get_initial_grad(m->state, again, size), MLSTM_ERROR_ORDER);
    initial_grad(m, again);
    assert_same_bits("so does a new window", again, without, size);
    test_free(without);
    test_free(with);
    test_free(again);
    free_model(m);
}

static void the_stack_may_go_first(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    const size_t size = state_numbers(&shape);
    assert_ok(mlstm_state_set(m->state, m->initial_state, size));
    mlstm_stack_destroy(m->stack);
    m->stack = NULL;
    check_state(m->state, m->initial_state);
    assert_ok(mlstm_grads_zero(m->grads));
    free_model(m);
}

/* A new stack in the place of a freed one is another stack. */
static void a_later_stack_is_another(void **unused)
{
    (void)unused;
    struct model *m = new_model(&shape, 1);
    mlstm_stack_destroy(m->stack);
    m->stack = new_stack(&shape);
    assert_status(mlstm_step_forward(m->stack, m->state, m->x, NULL), MLSTM_ERROR_MISMATCH);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_state),
        cmocka_unit_test(null_is_answered),
        cmocka_unit_test(the_tensor_comes_back),
        cmocka_unit_test(layers_are_blocks_of_the_tensor),
        cmocka_unit_test(steps_are_counted),
        cmocka_unit_test(inference),
        cmocka_unit_test(long_inference),
        cmocka_unit_test(caches_are_asked_once),
        cmocka_unit_test(nan_is_forgotten),
        cmocka_unit_test(the_final_grad_ends_with_the_window),
        cmocka_unit_test(the_stack_may_go_first),
        cmocka_unit_test(a_later_stack_is_another),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
