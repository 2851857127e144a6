/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>
#include <string.h>

enum { STEPS = 50 };

static const struct shape shape = {1, 1, 2, {3, 5, 7}, 3, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

/* A rule: how the library makes it, and what it does to a value and its slot in float64. */
struct rule {
    const char *name;
    mlstm_status (*create)(const mlstm_stack *stack, mlstm_optimizer **optimizer);
    const char *slot; /* NULL for none */
    double first;     /* what the slot begins with */
    void (*update)(double *value, double *slot, double g);
};

static mlstm_status sgd(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_sgd_create(stack, 0.05f, 0, 0, optimizer);
}

static void sgd_update(double *value, double *slot, double g)
{
    (void)slot;
    *value -= (double)0.05f * g;
}

static mlstm_status momentum(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_sgd_create(stack, 0.05f, 0.9f, 0, optimizer);
}

static void momentum_update(double *value, double *slot, double g)
{
    *slot = (double)0.9f * *slot + g;
    *value -= (double)0.05f * *slot;
}

static mlstm_status nesterov(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_sgd_create(stack, 0.05f, 0.9f, 1, optimizer);
}

static void nesterov_update(double *value, double *slot, double g)
{
    *slot = (double)0.9f * *slot + g;
    *value -= (double)0.05f * (g + (double)0.9f * *slot);
}

static mlstm_status adagrad(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_adagrad_create(stack, 0.3f, 0.2f, optimizer);
}

static void adagrad_update(double *value, double *slot, double g)
{
    *slot += g * g;
    *value -= (double)0.3f * g / sqrt(*slot);
}

static const struct rule rules[] = {
    {"sgd", sgd, NULL, 0, sgd_update},
    {"momentum", momentum, "momentum", 0, momentum_update},
    {"nesterov", nesterov, "momentum", 0, nesterov_update},
    {"adagrad", adagrad, "accumulator", (double)0.2f, adagrad_update},
};

/* Fifty updates by random gradients of very different sizes against the same in float64. */
static void check_rule(const struct rule *rule)
{
    struct model *m = new_model(&shape, 1);
    const size_t count = param_numbers(&shape);
    struct random random = {2};
    float *g = floats(count), *got = floats(count);
    double *values = test_calloc(count, sizeof(double)),
           *slots = test_calloc(count, sizeof(double));
    mlstm_optimizer *optimizer;
    assert_ok(rule->create(m->stack, &optimizer));
    for (size_t i = 0; i < count; i++) {
        values[i] = (double)m->params[i];
        slots[i] = rule->first;
    }
    for (int step = 0; step < STEPS; step++) {
        random_fill(&random, g, count, -1, 1);
        for (size_t i = 0; i < count; i++) {
            g[i] *= i % 3 ? 1 : 1e-4f;
            rule->update(&values[i], &slots[i], (double)g[i]);
        }
        set_grads(m->stack, m->grads, g);
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    }
    get_params(m->stack, got);
    assert_near(rule->name, got, values, count, 3e-6);
    if (rule->slot) {
        get_slot(m->stack, optimizer, rule->slot, got);
        assert_near(rule->slot, got, slots, count, 1e-6 * (1 + largest(slots, count)));
    }
    get_grads(m->stack, m->grads, got);
    assert_same_bits("gradients after an update", got, g, count);
    mlstm_optimizer_destroy(optimizer);
    test_free(g);
    test_free(got);
    test_free(values);
    test_free(slots);
    free_model(m);
}

static void rules_are_the_formulas(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++)
        check_rule(&rules[i]);
}

static void slots_have_names(void **state)
{
    (void)state;
    mlstm_stack *stack = new_stack(&shape);
    for (size_t i = 0; i < COUNT(rules); i++) {
        mlstm_optimizer *optimizer;
        assert_ok(rules[i].create(stack, &optimizer));
        assert_int_equal(mlstm_optimizer_slot_count(optimizer), rules[i].slot ? 1 : 0);
        if (rules[i].slot)
            assert_string_equal(mlstm_optimizer_slot_name(optimizer, 0), rules[i].slot);
        assert_null(mlstm_optimizer_slot_name(optimizer, rules[i].slot ? 1 : 0));
        assert_null(mlstm_optimizer_slot_name(optimizer, -1));
        mlstm_optimizer_destroy(optimizer);
    }
    mlstm_stack_destroy(stack);
}

static void null_is_answered(void **state)
{
    (void)state;
    mlstm_optimizer_destroy(NULL);
    assert_true(mlstm_optimizer_rate(NULL) == 0);
    assert_int_equal(mlstm_optimizer_slot_count(NULL), 0);
    assert_null(mlstm_optimizer_slot_name(NULL, 0));
}

/* A slot that is set comes back, leaves those of other parameters alone, and counts. */
static void slots_come_back(void **state)
{
    (void)state;
    struct model *m = new_model(&shape, 1);
    struct random random = {4};
    float *kernel = random_floats(&random, 8 * 20, 1, 2), got[8 * 20], bias[28];
    mlstm_optimizer *optimizer;
    assert_ok(mlstm_adagrad_create(m->stack, 0.5f, 0.1f, &optimizer));
    assert_ok(mlstm_optimizer_set_slot(optimizer, "accumulator", "layer0.kernel", kernel, 8 * 20));
    assert_ok(mlstm_optimizer_get_slot(optimizer, "accumulator", "layer0.kernel", got, 8 * 20));
    assert_same_bits("accumulators", got, kernel, 8 * 20);
    assert_ok(mlstm_optimizer_get_slot(optimizer, "accumulator", "layer1.bias", bias, 28));
    for (size_t i = 0; i < 28; i++)
        assert_true(bias[i] == 0.1f);

    random_fill(&random, got, 8 * 20, -1, 1);
    assert_ok(mlstm_grads_set(m->grads, "layer0.kernel", got, 8 * 20));
    assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    double expected[8 * 20];
    for (size_t i = 0; i < 8 * 20; i++) {
        const double g = (double)got[i], a = (double)kernel[i] + g * g;
        expected[i] = (double)m->params[i] - 0.5 * g / sqrt(a);
    }
    assert_ok(mlstm_stack_get_param(m->stack, "layer0.kernel", got, 8 * 20));
    assert_near("layer0.kernel", got, expected, 8 * 20, 1e-6);
    mlstm_optimizer_destroy(optimizer);
    test_free(kernel);
    free_model(m);
}

static void the_rate_can_change(void **state)
{
    (void)state;
    static const float rates[] = {0.25f, -0.5f, 0};
    struct model *m = new_model(&shape, 1);
    mlstm_optimizer *optimizer;
    float bias[20], before[20];
    assert_ok(mlstm_sgd_create(m->stack, 1, 0, 0, &optimizer));
    assert_true(mlstm_optimizer_rate(optimizer) == 1);
    for (size_t i = 0; i < 20; i++)
        bias[i] = 2;
    assert_ok(mlstm_grads_set(m->grads, "layer0.bias", bias, 20));
    for (size_t r = 0; r < COUNT(rates); r++) {
        assert_ok(mlstm_optimizer_set_rate(optimizer, rates[r]));
        assert_true(mlstm_optimizer_rate(optimizer) == rates[r]);
        assert_ok(mlstm_stack_get_param(m->stack, "layer0.bias", before, 20));
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
        assert_ok(mlstm_stack_get_param(m->stack, "layer0.bias", bias, 20));
        for (size_t i = 0; i < 20; i++)
            assert_near("bias", &bias[i], &(double){(double)before[i] - (double)rates[r] * 2}, 1,
                        1e-6);
    }
    mlstm_optimizer_destroy(optimizer);
    free_model(m);
}

/* An update reaches the passes: what the kernels hold of the parameters is never stale. */
static void updates_reach_the_passes(void **state)
{
    (void)state;
    struct model *m = new_model(&shape, 1), *fresh = new_model(&shape, 1);
    struct results *first = new_results(&shape), *second = new_results(&shape);
    mlstm_optimizer *optimizer;
    assert_ok(mlstm_sgd_create(m->stack, 0.1f, 0, 0, &optimizer));
    run_model(m, m->state, m->grads, first);
    assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    run_model(m, m->state, m->grads, first);
    get_params(m->stack, fresh->params);
    set_params(fresh->stack, fresh->params);
    run_model(fresh, fresh->state, fresh->grads, second);
    assert_same_results(&shape, first, second);
    mlstm_optimizer_destroy(optimizer);
    free_results(first);
    free_results(second);
    free_model(m);
    free_model(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_the_formulas), cmocka_unit_test(slots_have_names),
        cmocka_unit_test(null_is_answered),       cmocka_unit_test(slots_come_back),
        cmocka_unit_test(the_rate_can_change),    cmocka_unit_test(updates_reach_the_passes),
    };
    return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
