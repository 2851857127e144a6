/* SPDX-License-Identifier: MIT */
#include "variants.h"

#include <stdio.h>
#include <string.h>

/* Bidirectional layers. */

/* Time runs the other way for each row, from its end to its beginning. */
static void turn(const struct shape *s, float *to, const float *from, int32_t width)
{
    for (int32_t row = 0; row < s->batch; row++) {
        const int32_t steps = row_steps(s, row);
        for (int32_t t = 0; t < steps; t++)
            memcpy(to + (t * s->batch + row) * width,
                   from + ((steps - 1 - t) * s->batch + row) * width,
                   (size_t)width * sizeof(float));
    }
}

/* The columns of one direction, in the order in which it goes, of [T,B,D]; a sum has them all. */
static void take_direction(const struct shape *s, float *to, const float *from, int32_t width,
                           int32_t direction)
{
    const int32_t concat = s->options[0].merge == MLSTM_MERGE_CONCAT;
    const int32_t columns = concat ? 2 * width : width, rows = s->steps * s->batch;
    float *part = floats((size_t)(rows * width));
    for (int32_t i = 0; i < rows; i++)
        memcpy(part + i * width, from + i * columns + concat * direction * width,
               (size_t)width * sizeof(float));
    if (direction)
        turn(s, to, part, width);
    else
        memcpy(to, part, (size_t)(rows * width) * sizeof(float));
    test_free(part);
}

/* Adds what one direction gave to [T,B,D]; its columns of a concatenation were 0. */
static void add_direction(const struct shape *s, double *to, const float *from, int32_t width,
                          int32_t direction, int32_t concat)
{
    const int32_t columns = concat ? 2 * width : width, rows = s->steps * s->batch;
    float *turned = floats((size_t)(rows * width));
    if (direction)
        turn(s, turned, from, width);
    for (int32_t i = 0; i < rows * width; i++)
        to[i / width * columns + concat * direction * width + i % width] +=
            (double)(direction ? turned : from)[i];
    test_free(turned);
}

/* The name that a parameter of one direction has in the layer of both. */
static const char *name_in_both(const char *name, int32_t direction)
{
    static char both[60];
    snprintf(both, sizeof both, "layer0.%s%s", direction ? "reverse." : "",
             name + strlen("layer0."));
    return both;
}

static void copy_params(const mlstm_stack *both, mlstm_stack *one, int32_t direction)
{
    for (int32_t i = 0; i < mlstm_stack_param_count(one); i++) {
        const char *name;
        int32_t rank, dims[2];
        assert_ok(mlstm_stack_param_info(one, i, &name, &rank, dims));
        const size_t count = (size_t)(dims[0] * dims[1]);
        float *values = floats(count);
        assert_ok(mlstm_stack_get_param(both, name_in_both(name, direction), values, count));
        assert_ok(mlstm_stack_set_param(one, name, values, count));
        test_free(values);
    }
}

static void check_grads(const struct model *both, const struct model *one, int32_t direction)
{
    for (int32_t i = 0; i < mlstm_stack_param_count(one->stack); i++) {
        const char *name;
        int32_t rank, dims[2];
        assert_ok(mlstm_stack_param_info(one->stack, i, &name, &rank, dims));
        const size_t count = (size_t)(dims[0] * dims[1]);
        float *expected = floats(count), *got = floats(count);
        assert_ok(mlstm_grads_get(one->grads, name, expected, count));
        assert_ok(mlstm_grads_get(both->grads, name_in_both(name, direction), got, count));
        /* Sums whose terms cancel: up to 2.1e-6 of the largest was seen. */
        check_floats_within(name_in_both(name, direction), got, expected, count, 3e-6);
        test_free(expected);
        test_free(got);
    }
}

/* Runs one direction of a layer as a stack, and adds what it gives to what both should give. */
static void run_direction(const struct model *both, int32_t direction, const struct results *whole,
                          double *y, double *c, double *dx)
{
    const struct shape *s = &both->shape;
    const int32_t concat = s->options[0].merge == MLSTM_MERGE_CONCAT;
    struct shape one_way = *s;
    one_way.options[0].merge = MLSTM_MERGE_NONE;
    struct model *one = new_model(&one_way, 0);
    struct results *results = new_results(&one_way);
    const size_t block = state_numbers(&one_way), offset = (size_t)direction * block;
    const int32_t p = layer_recurrent(s, 0), h = layer_hidden(s, 0);
    copy_params(both->stack, one->stack, direction);
    if (direction)
        turn(s, one->x, both->x, s->sizes[0]);
    else
        memcpy(one->x, both->x, x_numbers(s) * sizeof(float));
    take_direction(s, one->dy, both->dy, p, direction);
    take_direction(s, one->dh_top, both->dh_top, p, direction);
    take_direction(s, one->dc_top, both->dc_top, h, direction);
    memcpy(one->initial_state, both->initial_state + offset, block * sizeof(float));
    memcpy(one->dfinal_state, both->dfinal_state + offset, block * sizeof(float));

    run_model(one, one->state, one->grads, results);
    add_direction(s, y, results->y, p, direction, concat);
    add_direction(s, c, results->c_top, h, direction, concat);
    add_direction(s, dx, results->dx, s->sizes[0], direction, 0);
    check_near_floats("final state", whole->final_state + offset, results->final_state, block);
    check_near_floats("dinitial state", whole->dinitial_state + offset, results->dinitial_state,
                      block);
    check_grads(both, one, direction);
    free_results(results);
    free_model(one);
}

static void check_two_directions(const struct shape *s)
{
    struct model *both = new_model(s, 1);
    struct results *whole = new_results(s);
    double *y = test_calloc(y_numbers(s), sizeof *y);
    double *c = test_calloc(top_c_numbers(s), sizeof *c);
    double *dx = test_calloc(x_numbers(s), sizeof *dx);
    run_model(both, both->state, both->grads, whole);
    for (int32_t direction = 0; direction < 2; direction++)
        run_direction(both, direction, whole, y, c, dx);
    assert_near("y", whole->y, y, y_numbers(s), 2e-6);
    assert_near("h", whole->h_top, y, y_numbers(s), 2e-6);
    assert_near("c", whole->c_top, c, top_c_numbers(s), 2e-6);
    assert_near("dx", whole->dx, dx, x_numbers(s), 2e-6 * (1 + largest(dx, x_numbers(s))));
    test_free(y);
    test_free(c);
    test_free(dx);
    free_results(whole);
    free_model(both);
}

/* A layer of two directions is two stacks run by hand, the second one backward in time. */
static void two_directions_are_two_stacks(void **state)
{
    (void)state;
    int32_t lengths[MOST_ROWS];
    for (int32_t row = 0; row < MOST_ROWS; row++)
        lengths[row] = row * 7 % 10;
    for (size_t i = 0; i < 2 * variant_count; i++) {
        for (int32_t size = 0; size < SIZES; size++) {
            struct shape s = variant_shape(&variants[i / 2], size, 7);
            if (!is_bidirectional(&s))
                s.options[0].merge = MLSTM_MERGE_CONCAT;
            s.layers = 1;
            s.sources = s.training = 0;
            s.options[0].skip = MLSTM_SKIP_NONE; /* reads what both give */
            s.begins = s.options[0].learned;
            s.lengths = i % 2 ? lengths : NULL;
            check_two_directions(&s);
        }
    }
}

/* Whole windows only. */
static void two_directions_need_a_window(struct subject *p)
{
    mlstm_state *const state = p->m->state;
    const mlstm_stack *const stack = p->m->stack;
    mlstm_state *inference = NULL;
    assert_status(mlstm_state_create(stack, 1, 0, &inference), MLSTM_ERROR_INVALID_ARGUMENT);
    assert_null(inference);
    for (int recorded = 1; recorded >= 0; recorded--) {
        const int32_t steps = recorded ? p->s.steps : 0;
        assert_int_equal(mlstm_state_steps(state), steps);
        assert_status(mlstm_step_forward(stack, state, p->m->x, NULL), MLSTM_ERROR_ORDER);
        if (recorded)
            assert_status(mlstm_state_keep_steps(state, 1), MLSTM_ERROR_ORDER);
        assert_int_equal(mlstm_state_steps(state), steps);
        assert_ok(mlstm_state_keep_steps(state, 0));
    }
    assert_ok(mlstm_forward(stack, state, p->m->x, 2, NULL));
    assert_status(mlstm_forward(stack, state, p->m->x, 1, NULL), MLSTM_ERROR_ORDER);
    assert_int_equal(mlstm_state_steps(state), 2);
    assert_ok(mlstm_state_begin_window(state));
    assert_ok(mlstm_forward(stack, state, p->m->x, 1, NULL));
}

int main(void)
{
    static const struct property properties[] = {
        {"whole windows only", two_directions_need_a_window, is_bidirectional},
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(two_directions_are_two_stacks),
    };
    return run_properties("directions", properties, COUNT(properties), others, COUNT(others));
}
