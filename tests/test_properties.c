/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <string.h>

/* What must hold for every shape, whatever the numbers. */

static const struct shape shapes[] = {
    {6, 30, 3, {1, 4, 4, 4}, 2, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
    {2, 4, 1, {1, 1}, 1, 0, 1},
    {10, 6, 2, {17, 33, 5}, 3, MLSTM_READOUT_H, 0},
    {8, 8, 2, {31, 64, 67}, 7, MLSTM_READOUT_C, 1},
    {2, 8, 2, {17, 160, 96}, 3, MLSTM_READOUT_H, 1},
    {4, 150, 2, {20, 19, 4}, 3, MLSTM_READOUT_C, 1},
    {34, 2, 4, {3, 16, 15, 2, 9}, 5, MLSTM_READOUT_C | MLSTM_READOUT_H, 2},
};

/* A model with its results; tests change one and compare. */
struct pair {
    struct shape s;
    struct model *m;
    struct results *whole, *other;
};

static void for_each_shape(void (*test)(struct pair *p))
{
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct pair p = {.s = shapes[i], .m = new_model(&shapes[i], i)};
        p.whole = new_results(&p.s);
        p.other = new_results(&p.s);
        run_model(p.m, p.m->state, p.m->grads, p.whole);
        test(&p);
        free_results(p.whole);
        free_results(p.other);
        free_model(p.m);
    }
}

/* Copies the rows `first` to `first + count` of every [n,B,width] block. */
static void take_rows(float *to, const float *from, size_t blocks, int32_t batch, int32_t width,
                      int32_t first, int32_t count)
{
    const size_t size = (size_t)count * (size_t)width;
    for (size_t i = 0; i < blocks; i++)
        memcpy(to + i * size, from + (i * (size_t)batch + (size_t)first) * (size_t)width,
               size * sizeof(float));
}

static void take_state_rows(float *to, const float *from, const struct shape *s, int32_t first,
                            int32_t count)
{
    for (int32_t l = 0; l < s->layers; l++) {
        take_rows(to, from, 2, s->batch, s->sizes[l + 1], first, count);
        to += 2 * count * s->sizes[l + 1];
        from += 2 * s->batch * s->sizes[l + 1];
    }
}

/* A model with the same parameters on some of the batch's rows. */
static struct model *sub_batch(const struct model *m, int32_t first, int32_t count)
{
    const struct shape *s = &m->shape;
    const size_t steps = (size_t)s->steps;
    struct shape part = *s;
    part.batch = count;
    struct model *sub = new_model(&part, 0);
    set_params(sub->stack, m->params);
    take_rows(sub->x, m->x, steps, s->batch, s->sizes[0], first, count);
    take_rows(sub->dy, m->dy, steps, s->batch, output_size(s), first, count);
    take_rows(sub->dh_top, m->dh_top, steps, s->batch, top_size(s), first, count);
    take_rows(sub->dc_top, m->dc_top, steps, s->batch, top_size(s), first, count);
    take_state_rows(sub->initial_state, m->initial_state, s, first, count);
    take_state_rows(sub->dfinal_state, m->dfinal_state, s, first, count);
    return sub;
}

static void change_a_row(float *values, size_t blocks, int32_t batch, int32_t width, int32_t row)
{
    for (size_t i = 0; i < blocks; i++)
        for (int32_t k = 0; k < width; k++)
            values[(i * (size_t)batch + (size_t)row) * (size_t)width + (size_t)k] += 0.5f;
}

static void check_other_rows(const char *what, const float *got, const float *expected,
                             size_t blocks, int32_t batch, int32_t width, int32_t row)
{
    for (size_t i = 0; i < blocks * (size_t)batch; i++)
        if (i % (size_t)batch != (size_t)row)
            assert_same_bits(what, got + i * (size_t)width, expected + i * (size_t)width,
                             (size_t)width);
}

/* Other input and gradients in one row leave every other row as it is. */
static void rows_are_independent(struct pair *p)
{
    const struct shape *s = &p->s;
    const size_t steps = (size_t)s->steps;
    for (int32_t row = 0; row < s->batch; row += s->batch / 2) {
        change_a_row(p->m->x, steps, s->batch, s->sizes[0], row);
        change_a_row(p->m->dh_top, steps, s->batch, top_size(s), row);
        run_model(p->m, p->m->state, p->m->grads, p->other);
        check_other_rows("y", p->other->y, p->whole->y, steps, s->batch, output_size(s), row);
        check_other_rows("dx", p->other->dx, p->whole->dx, steps, s->batch, s->sizes[0], row);
        assert_memory_not_equal(p->other->y, p->whole->y, y_numbers(s) * sizeof(float));
        assert_memory_not_equal(p->other->dx, p->whole->dx, x_numbers(s) * sizeof(float));
        run_model(p->m, p->m->state, p->m->grads, p->whole);
    }
}

static void forward_in_parts(struct pair *p, int32_t part, int begin_windows)
{
    const struct shape *s = &p->s;
    assert_ok(mlstm_state_set(p->m->state, p->m->initial_state, state_numbers(s)));
    for (int32_t t = 0; t < s->steps; t += part) {
        if (begin_windows)
            assert_ok(mlstm_state_begin_window(p->m->state));
        assert_ok(mlstm_forward(p->m->stack, p->m->state, p->m->x + t * s->batch * s->sizes[0],
                                part, p->other->y + t * s->batch * output_size(s)));
    }
    assert_ok(mlstm_state_get(p->m->state, p->other->final_state, state_numbers(s)));
    assert_same_bits("y", p->other->y, p->whole->y, y_numbers(s));
    assert_same_bits("final state", p->other->final_state, p->whole->final_state, state_numbers(s));
}

static void two_windows_are_one(struct pair *p)
{
    forward_in_parts(p, p->s.steps / 2, 1);
}

/* The rest of a pass whose forward half is done: the backward half, against the whole. */
static void check_backward(struct pair *p)
{
    const struct shape *s = &p->s;
    assert_ok(mlstm_state_get_top(p->m->state, p->other->c_top, p->other->h_top));
    assert_ok(mlstm_state_set_final_grad(p->m->state, p->m->dfinal_state, state_numbers(s)));
    assert_ok(mlstm_grads_zero(p->m->grads));
    assert_ok(mlstm_backward(p->m->stack, p->m->state, p->m->dy, p->m->dh_top, p->m->dc_top,
                             p->other->dx, p->m->grads));
    assert_ok(
        mlstm_state_get_initial_grad(p->m->state, p->other->dinitial_state, state_numbers(s)));
    get_grads(p->m->stack, p->m->grads, p->other->dparams);
    assert_same_results(s, p->other, p->whole);
}

static void two_calls_record_what_one_does(struct pair *p)
{
    forward_in_parts(p, p->s.steps / 2, 0);
    check_backward(p);
}

static void steps_are_the_window(struct pair *p)
{
    const struct shape *s = &p->s;
    assert_ok(mlstm_state_set(p->m->state, p->m->initial_state, state_numbers(s)));
    for (int32_t t = 0; t < s->steps; t++)
        assert_ok(mlstm_step_forward(p->m->stack, p->m->state, p->m->x + t * s->batch * s->sizes[0],
                                     p->other->y + t * s->batch * output_size(s)));
    assert_ok(mlstm_state_get(p->m->state, p->other->final_state, state_numbers(s)));
    check_backward(p);
}

static void a_record_can_be_walked_again(struct pair *p)
{
    memcpy(p->other->y, p->whole->y, y_numbers(&p->s) * sizeof(float));
    for (int repeat = 0; repeat < 3; repeat++) {
        assert_ok(mlstm_state_get(p->m->state, p->other->final_state, state_numbers(&p->s)));
        check_backward(p);
    }
}

/* The gradients of two halves of the batch, in one block, are those of the whole batch. */
static void halves_add_up(struct pair *p)
{
    const size_t count = param_numbers(&p->s);
    const int32_t half = p->s.batch / 2;
    float *sum = floats(count);
    double *expected = test_calloc(count, sizeof *expected);
    mlstm_grads *grads = p->m->grads;
    assert_ok(mlstm_grads_zero(grads));
    for (int32_t i = 0; i < 2; i++) {
        struct model *sub = sub_batch(p->m, i * half, half);
        struct results *results = new_results(&sub->shape);
        run_model(sub, sub->state, sub->grads, results);
        get_grads(sub->stack, sub->grads, sum);
        for (size_t k = 0; k < count; k++)
            expected[k] += (double)sum[k];
        free_results(results);
        free_model(sub);
    }
    const double tolerance = 1e-5 * largest(expected, count) + 1e-6;
    assert_near("gradients", p->whole->dparams, expected, count, tolerance);
    test_free(sum);
    test_free(expected);
}

/* And two windows, walked into one block without a zero between, add up inside the library. */
static void windows_add_up(struct pair *p)
{
    const size_t count = param_numbers(&p->s);
    double *expected = test_calloc(count, sizeof *expected);
    for (size_t k = 0; k < count; k++)
        expected[k] = 2 * (double)p->whole->dparams[k];
    assert_ok(mlstm_backward(p->m->stack, p->m->state, p->m->dy, p->m->dh_top, p->m->dc_top, NULL,
                             p->m->grads));
    get_grads(p->m->stack, p->m->grads, p->other->dparams);
    assert_near("gradients", p->other->dparams, expected, count,
                1e-5 * largest(expected, count) + 1e-6);
    test_free(expected);
}

/* A smaller batch gives its rows the numbers that they have in the larger one. */
static void rows_do_not_know_the_batch(struct pair *p)
{
    const struct shape *s = &p->s;
    const int32_t half = s->batch / 2;
    struct model *sub = sub_batch(p->m, half, half);
    struct results *results = new_results(&sub->shape);
    float *rows = floats(y_numbers(&sub->shape));
    double *expected = test_calloc(y_numbers(&sub->shape), sizeof *expected);
    run_model(sub, sub->state, sub->grads, results);
    take_rows(rows, p->whole->y, (size_t)s->steps, s->batch, output_size(s), half, half);
    for (size_t i = 0; i < y_numbers(&sub->shape); i++)
        expected[i] = (double)rows[i];
    assert_near("y", results->y, expected, y_numbers(&sub->shape), 4e-6);
    test_free(rows);
    test_free(expected);
    free_results(results);
    free_model(sub);
}

static void run_again(struct pair *p)
{
    run_model(p->m, p->m->state, p->m->grads, p->other);
    assert_same_results(&p->s, p->other, p->whole);
}

#define PROPERTY(name)                                                                             \
    {                                                                                              \
#name, holds, NULL, NULL, (void *)&(struct property)                                       \
        {                                                                                          \
            name                                                                                   \
        }                                                                                          \
    }

struct property {
    void (*test)(struct pair *p);
};

static void holds(void **state)
{
    const struct property *property = *state;
    for_each_shape(property->test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROPERTY(rows_are_independent),
        PROPERTY(rows_do_not_know_the_batch),
        PROPERTY(two_windows_are_one),
        PROPERTY(two_calls_record_what_one_does),
        PROPERTY(steps_are_the_window),
        PROPERTY(a_record_can_be_walked_again),
        PROPERTY(halves_add_up),
        PROPERTY(windows_add_up),
        PROPERTY(run_again),
    };
    return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
