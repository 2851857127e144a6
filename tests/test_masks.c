/* SPDX-License-Identifier: MIT */
#include "variants.h"

#include <math.h>
#include <string.h>

/* Dropout and zoneout, and whether they are at work. */

static int is_random(const struct shape *s)
{
    return has_dropout(s) || has_zoneout(s);
}

/* A seed gives the same masks again, another one others; with training off it means nothing. */
static void a_seed_gives_the_masks(struct subject *p)
{
    struct model *const m = p->m;
    const size_t count = y_numbers(&p->s) * sizeof(float);
    run_model(m, m->state, m->grads, p->other);
    assert_same_results(&p->s, p->other, p->whole);
    static const uint64_t seeds[] = {43, 42u + (UINT64_C(1) << 32), UINT64_MAX, 0};
    for (size_t i = 0; i < COUNT(seeds); i++) {
        m->shape.seed = seeds[i];
        run_model(m, m->state, m->grads, p->other);
        assert_memory_not_equal(p->other->y, p->whole->y, count);
    }
    m->shape.training = 0;
    run_model(m, m->state, m->grads, p->other);
    assert_int_equal(mlstm_state_training(m->state), 0);
    assert_memory_not_equal(p->other->y, p->whole->y, count);
    m->shape.seed = 42;
    run_model(m, m->state, m->grads, p->whole);
    assert_same_results(&p->s, p->other, p->whole);
}

/* Compilers may round the equations of a cell with options elsewhere than those of a plain one. */
static void check_without_dropout(struct subject *p)
{
    const struct shape *s = &p->s;
    const struct results *got = p->other, *expected = p->whole;
    check_near_floats("y", got->y, expected->y, y_numbers(s));
    check_near_floats("h", got->h_top, expected->h_top, top_numbers(s));
    check_near_floats("c", got->c_top, expected->c_top, top_c_numbers(s));
    check_near_floats("final state", got->final_state, expected->final_state, state_numbers(s));
    check_near_floats("dparams", got->dparams, expected->dparams, param_numbers(s));
    check_near_floats("dx", got->dx, expected->dx, x_numbers(s));
    check_near_floats("dinitial state", got->dinitial_state, expected->dinitial_state,
                      state_numbers(s));
}

/* With training off, dropout is as good as not there. */
static void dropout_needs_training(struct subject *p)
{
    struct shape without = p->s;
    for (int32_t l = 0; l < without.layers; l++)
        without.options[l].dropout = without.options[l].recurrent_dropout = 0;
    struct model *m = new_model(&without, 1);
    struct model same = *p->m;
    same.stack = m->stack;
    set_params(m->stack, p->m->params);
    p->m->shape.training = same.shape.training = 0;
    run_model(p->m, p->m->state, p->m->grads, p->whole);
    run_model(&same, m->state, m->grads, p->other);
    check_without_dropout(p);
    if (!has_zoneout(&p->s)) {
        same.shape.training = 1;
        run_model(&same, m->state, m->grads, p->other);
        check_without_dropout(p);
    }
    free_model(m);
}

/* Zoneout without training is the expected state: the rest of the cell is the plain one. */
static void zoneout_expects(void **state)
{
    (void)state;
    const float c_rate = 0.375f, h_rate = 0.125f;
    struct shape plain = {9, 1, 1, {6, 21}, 0, 0, 1}, zoned = plain;
    zoned.options[0].zoneout_c = c_rate;
    zoned.options[0].zoneout_h = h_rate;
    struct model *m = new_model(&plain, 1), *z = new_model(&zoned, 1);
    struct results *new = new_results(&plain), *got = new_results(&zoned);
    run_model(m, m->state, m->grads, new);
    run_model(z, z->state, z->grads, got);
    const size_t count = state_numbers(&plain);
    double *expected = test_calloc(count, sizeof *expected);
    for (size_t i = 0; i < count; i++) {
        const double rate = (double)(i < count / 2 ? c_rate : h_rate);
        expected[i] = rate * (double)m->initial_state[i] + (1 - rate) * (double)new->final_state[i];
    }
    assert_near("state", got->final_state, expected, count, 1e-6);
    check_near_floats("y", got->y, got->final_state + count / 2, count / 2);
    test_free(expected);
    free_results(new);
    free_results(got);
    free_model(m);
    free_model(z);
}

/* Masks, seen from outside: one step at a time of a layer with as many inputs as units. */
enum { ROWS = 40, UNITS = 48, STEPS = 25, MASK = ROWS * UNITS };

struct mask {
    struct layer_options options;
    int32_t sequence; /* whether it holds for all steps */
    void (*see)(const struct model *m, const float *x, unsigned char *dropped);
};

static void mark(unsigned char *dropped, const float *numbers, const float *others)
{
    for (size_t i = 0; i < MASK; i++)
        dropped[i] = numbers[i] == (others ? others[i] : 0);
}

/* The gradient of what was dropped is 0. */
static void see_input(const struct model *m, const float *x, unsigned char *dropped)
{
    float dx[MASK];
    assert_ok(mlstm_state_begin_window(m->state));
    assert_ok(mlstm_step_forward(m->stack, m->state, x, NULL));
    assert_ok(mlstm_backward(m->stack, m->state, m->dy, NULL, NULL, dx, NULL));
    mark(dropped, dx, NULL);
}

static void see_hidden(const struct model *m, const float *x, unsigned char *dropped)
{
    float gradient[2 * MASK];
    assert_ok(mlstm_state_begin_window(m->state));
    assert_ok(mlstm_step_forward(m->stack, m->state, x, NULL));
    assert_ok(mlstm_backward(m->stack, m->state, m->dy, NULL, NULL, NULL, NULL));
    assert_ok(mlstm_state_get_initial_grad(m->state, gradient, 2 * MASK));
    mark(dropped, gradient + MASK, NULL);
}

/* From c = 0, c stays 0. */
static void see_candidate(const struct model *m, const float *x, unsigned char *dropped)
{
    float c[MASK];
    assert_ok(mlstm_state_zero(m->state));
    assert_ok(mlstm_step_forward(m->stack, m->state, x, NULL));
    assert_ok(mlstm_state_get_layer(m->state, 0, c, NULL));
    mark(dropped, c, NULL);
}

static void see_kept(const struct model *m, const float *x, unsigned char *dropped, size_t half)
{
    float before[2 * MASK], after[2 * MASK];
    assert_ok(mlstm_state_begin_window(m->state));
    assert_ok(mlstm_state_get(m->state, before, 2 * MASK));
    assert_ok(mlstm_step_forward(m->stack, m->state, x, NULL));
    assert_ok(mlstm_state_get(m->state, after, 2 * MASK));
    mark(dropped, after + half, before + half);
}

static void see_kept_c(const struct model *m, const float *x, unsigned char *dropped)
{
    see_kept(m, x, dropped, 0);
}

static void see_kept_h(const struct model *m, const float *x, unsigned char *dropped)
{
    see_kept(m, x, dropped, MASK);
}

/* How often two numbers `apart` from each other are dropped or kept alike; as if by chance? */
static void check_independent(const unsigned char *dropped, int32_t count, int32_t apart,
                              double rate)
{
    const double p = rate * rate + (1 - rate) * (1 - rate);
    double alike = 0;
    for (int32_t i = apart; i < count; i++)
        alike += dropped[i] == dropped[i - apart];
    const double n = count - apart;
    assert_true(fabs(alike / n - p) < 7 * sqrt(p * (1 - p) / n));
}

static void check_mask(const struct mask *mask, double rate)
{
    struct shape s = {ROWS, 1, 1, {UNITS, UNITS}, 0, 0, 1};
    s.options[0] = mask->options;
    s.training = 1;
    struct model *m = new_model(&s, 1);
    struct random random = {2};
    float *x = random_floats(&random, MASK, -1, 1);
    unsigned char *dropped = test_malloc(STEPS * MASK);
    begin_model(m, m->state);
    for (int32_t t = 0; t < STEPS; t++)
        mask->see(m, x, dropped + t * MASK);

    const int32_t count = mask->sequence ? MASK : STEPS * MASK;
    double sum = 0;
    for (int32_t i = 0; i < count; i++)
        sum += dropped[i];
    assert_true(fabs(sum / count - rate) < 5 * sqrt(rate * (1 - rate) / count));
    check_independent(dropped, count, 1, rate);
    check_independent(dropped, count, UNITS, rate);
    if (mask->sequence)
        assert_memory_equal(dropped, dropped + MASK, (STEPS - 1) * MASK);
    else
        check_independent(dropped, count, MASK, rate);
    test_free(x);
    test_free(dropped);
    free_model(m);
}

static void masks_are_random(void **state)
{
    (void)state;
    static const float rates[] = {0.125f, 0.5f, 0.875f};
    for (size_t i = 0; i < COUNT(rates); i++) {
        const float rate = rates[i];
        const struct mask masks[] = {
            {{.dropout = rate}, 0, see_input},
            {{.dropout = rate, .dropout_mask = MLSTM_MASK_SEQUENCE}, 1, see_input},
            {{.recurrent_dropout = rate}, 0, see_hidden},
            {{.recurrent_dropout = rate, .recurrent_mask = MLSTM_MASK_SEQUENCE}, 1, see_hidden},
            {{.recurrent_dropout = rate, .recurrent_what = MLSTM_DROP_CANDIDATE}, 0, see_candidate},
            {{.recurrent_dropout = rate,
              .recurrent_what = MLSTM_DROP_CANDIDATE,
              .recurrent_mask = MLSTM_MASK_SEQUENCE},
             1,
             see_candidate},
            {{.zoneout_c = rate}, 0, see_kept_c},
            {{.zoneout_h = rate}, 0, see_kept_h},
        };
        for (size_t k = 0; k < COUNT(masks); k++)
            check_mask(&masks[k], (double)rate);
    }
}

/* Numbers that are not dropped are divided by 1 - rate: the plain cell on such an input. */
static void what_is_kept_grows(void **state)
{
    (void)state;
    const float rate = 0.375f;
    struct shape plain = {5, 9, 1, {33, 21}, 0, 0, 1}, dropping = plain;
    dropping.options[0].dropout = rate;
    dropping.training = 1;
    struct model *m = new_model(&plain, 1), *d = new_model(&dropping, 1);
    struct results *expected = new_results(&plain), *got = new_results(&dropping);
    run_model(d, d->state, d->grads, got);
    for (size_t i = 0; i < x_numbers(&plain); i++)
        m->x[i] = got->dx[i] == 0 ? 0 : m->x[i] / (1 - rate);
    run_model(m, m->state, m->grads, expected);
    for (size_t i = 0; i < x_numbers(&plain); i++)
        expected->dx[i] = got->dx[i] == 0 ? 0 : expected->dx[i] / (1 - rate);
    check_near_floats("y", got->y, expected->y, y_numbers(&plain));
    check_near_floats("dx", got->dx, expected->dx, x_numbers(&plain));
    check_near_floats("dparams", got->dparams, expected->dparams, param_numbers(&plain));
    free_results(expected);
    free_results(got);
    free_model(m);
    free_model(d);
}

int main(void)
{
    static const struct property properties[] = {
        {"a seed gives the masks", a_seed_gives_the_masks, is_random},
        {"dropout needs training", dropout_needs_training, has_dropout},
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(zoneout_expects),
        cmocka_unit_test(masks_are_random),
        cmocka_unit_test(what_is_kept_grows),
    };
    return run_properties("masks", properties, COUNT(properties), others, COUNT(others));
}
