/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "stack.h"

enum { STEPS = 50 };

static const struct shape shape = {1, 1, 2, {3, 5, 7}, 3, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

enum { MAX_SLOTS = 3 };

/* A rule: how the library makes it, and what update t does to a value and its slots in float64. */
struct rule {
    const char *name;
    mlstm_status (*create)(const mlstm_stack *stack, mlstm_optimizer **optimizer);
    void (*update)(double *value, double *slots, double g, int t);
    int32_t slots;
    const char *slot_names[MAX_SLOTS];
    double first; /* what slot 0 begins with */
    float decay;  /* of all weights, decoupled; -1 for rules that have the classic one */
};

static mlstm_status sgd(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_sgd_create(stack, 0.05f, 0, 0, optimizer);
}

static void sgd_update(double *value, double *slots, double g, int t)
{
    (void)slots, (void)t;
    *value -= (double)0.05f * g;
}

static mlstm_status momentum(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_sgd_create(stack, 0.05f, 0.9f, 0, optimizer);
}

static void momentum_update(double *value, double *slots, double g, int t)
{
    (void)t;
    slots[0] = (double)0.9f * slots[0] + g;
    *value -= (double)0.05f * slots[0];
}

static mlstm_status nesterov(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_sgd_create(stack, 0.05f, 0.9f, 1, optimizer);
}

static void nesterov_update(double *value, double *slots, double g, int t)
{
    (void)t;
    slots[0] = (double)0.9f * slots[0] + g;
    *value -= (double)0.05f * (g + (double)0.9f * slots[0]);
}

static mlstm_status adagrad(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_adagrad_create(stack, 0.3f, 0.2f, optimizer);
}

static void adagrad_update(double *value, double *slots, double g, int t)
{
    (void)t;
    slots[0] += g * g;
    *value -= (double)0.3f * g / sqrt(slots[0]);
}

static mlstm_status rmsprop(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_rmsprop_create(stack, 0.01f, 0.8f, 0.5f, 1e-3f, 0, optimizer);
}

static void rmsprop_update(double *value, double *slots, double g, int t)
{
    (void)t;
    slots[0] = (double)0.8f * slots[0] + (1 - (double)0.8f) * g * g;
    slots[1] = 0.5 * slots[1] + (double)0.01f * g / sqrt(slots[0] + (double)1e-3f);
    *value -= slots[1];
}

static mlstm_status centered(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_rmsprop_create(stack, 0.01f, 0.8f, 0.5f, 1e-3f, 1, optimizer);
}

static void centered_update(double *value, double *slots, double g, int t)
{
    (void)t;
    slots[0] = (double)0.8f * slots[0] + (1 - (double)0.8f) * g * g;
    slots[2] = (double)0.8f * slots[2] + (1 - (double)0.8f) * g;
    const double variance = slots[0] - slots[2] * slots[2];
    slots[1] = 0.5 * slots[1] + (double)0.01f * g / sqrt(variance + (double)1e-3f);
    *value -= slots[1];
}

static void adam_moments(double *slots, double g)
{
    slots[0] = (double)0.9f * slots[0] + (1 - (double)0.9f) * g;
    slots[1] = (double)0.99f * slots[1] + (1 - (double)0.99f) * g * g;
}

static double adam_step(double square, double moment, int t)
{
    const double root = sqrt(square / (1 - pow((double)0.99f, t))) + (double)1e-7f;
    return (double)0.01f * moment / (1 - pow((double)0.9f, t)) / root;
}

static mlstm_status adam(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_adam_create(stack, 0.01f, 0.9f, 0.99f, 1e-7f, optimizer);
}

static void adam_update(double *value, double *slots, double g, int t)
{
    adam_moments(slots, g);
    *value -= adam_step(slots[1], slots[0], t);
}

static mlstm_status adamw(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_adamw_create(stack, 0.01f, 0.9f, 0.99f, 1e-7f, 0.75f, optimizer);
}

static mlstm_status amsgrad(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_amsgrad_create(stack, 0.01f, 0.9f, 0.99f, 1e-7f, optimizer);
}

static void amsgrad_update(double *value, double *slots, double g, int t)
{
    adam_moments(slots, g);
    slots[2] = fmax(slots[2], slots[1]);
    *value -= adam_step(slots[2], slots[0], t);
}

static mlstm_status nadam(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_nadam_create(stack, 0.01f, 0.9f, 0.99f, 1e-7f, 0.25f, optimizer);
}

static void nadam_update(double *value, double *slots, double g, int t)
{
    double product = 1, mu = 0;
    for (int k = 1; k <= t; k++) {
        mu = (double)0.9f * (1 - 0.5 * pow(0.96, k * 0.25));
        product *= mu;
    }
    const double next = (double)0.9f * (1 - 0.5 * pow(0.96, (t + 1) * 0.25));
    adam_moments(slots, g);
    const double root = sqrt(slots[1] / (1 - pow((double)0.99f, t))) + (double)1e-7f;
    *value -= (double)0.01f * (1 - mu) / (1 - product) * g / root;
    *value -= (double)0.01f * next / (1 - product * next) * slots[0] / root;
}

static mlstm_status lion(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_lion_create(stack, 0.01f, 0.9f, 0.99f, 0.75f, optimizer);
}

static void lion_update(double *value, double *slots, double g, int t)
{
    (void)t;
    const double mixed = (double)0.9f * slots[0] + (1 - (double)0.9f) * g;
    *value -= (double)0.01f * ((mixed > 0) - (mixed < 0));
    slots[0] = (double)0.99f * slots[0] + (1 - (double)0.99f) * g;
}

static const struct rule rules[] = {
    {"sgd", sgd, sgd_update, 0, {0}, 0, -1},
    {"momentum", momentum, momentum_update, 1, {"momentum"}, 0, -1},
    {"nesterov", nesterov, nesterov_update, 1, {"momentum"}, 0, -1},
    {"adagrad", adagrad, adagrad_update, 1, {"accumulator"}, (double)0.2f, -1},
    {"rmsprop", rmsprop, rmsprop_update, 2, {"rms", "momentum"}, 1, -1},
    {"centered rmsprop", centered, centered_update, 3, {"rms", "momentum", "mg"}, 1, -1},
    {"adam", adam, adam_update, 2, {"exp_avg", "exp_avg_sq"}, 0, -1},
    {"adamw", adamw, adam_update, 2, {"exp_avg", "exp_avg_sq"}, 0, 0.75f},
    {"amsgrad", amsgrad, amsgrad_update, 3, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, 0, -1},
    {"nadam", nadam, nadam_update, 2, {"exp_avg", "exp_avg_sq"}, 0, -1},
    {"lion", lion, lion_update, 1, {"exp_avg"}, 0, 0.75f},
};

/* Update t of a value whose weight decay is that number. */
static void update(const struct rule *rule, double *value, double *slots, double g, int t,
                   float decay)
{
    if (rule->decay < 0)
        g += (double)decay * *value;
    else
        *value *= 1 - (double)0.01f * (double)decay;
    rule->update(value, slots, g, t);
}

/* Where each parameter of the shape ends, all one after the other, and decays for them. */
static const struct {
    const char *name;
    size_t end;
    float decay;
} params[] = {
    {"layer0.kernel", 160, 0.5f}, {"layer0.bias", 180, 0},      {"layer1.kernel", 516, 0.25f},
    {"layer1.bias", 544, 0.125f}, {"readout.kernel_c", 565, 0}, {"readout.kernel_h", 586, 1},
    {"readout.bias", 589, 0},
};

static float decay_of(const struct rule *rule, int decays, size_t number)
{
    if (!decays)
        return rule->decay < 0 ? 0 : rule->decay;
    size_t p = 0;
    while (number >= params[p].end)
        p++;
    return params[p].decay;
}

/*
 * Fifty updates by random gradients of very different sizes against the same in float64, with the
 * rule's own weight decay or with one for each parameter.
 */
static void check_rule(const struct rule *rule, int decays)
{
    struct model *m = new_model(&shape, 1);
    const size_t count = param_numbers(&shape);
    struct random random = {2};
    float *g = floats(count), *got = floats(count);
    double *values = test_calloc(count, sizeof(double)),
           *slots = test_calloc(count * MAX_SLOTS, sizeof(double)),
           *slot = test_calloc(count, sizeof(double));
    mlstm_optimizer *optimizer;
    assert_ok(rule->create(m->stack, &optimizer));
    assert_int_equal(count, params[COUNT(params) - 1].end);
    for (size_t p = 0; decays && p < COUNT(params); p++)
        assert_ok(mlstm_optimizer_set_weight_decay(optimizer, params[p].name, params[p].decay));
    for (size_t i = 0; i < count; i++) {
        values[i] = (double)m->params[i];
        slots[i * MAX_SLOTS] = rule->first;
    }
    for (int step = 0; step < STEPS; step++) {
        random_fill(&random, g, count, -1, 1);
        for (size_t i = 0; i < count; i++) {
            g[i] *= i % 3 ? 1 : 1e-4f;
            update(rule, &values[i], &slots[i * MAX_SLOTS], (double)g[i], step + 1,
                   decay_of(rule, decays, i));
        }
        set_grads(m->stack, m->grads, g);
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    }
    get_params(m->stack, got);
    assert_near(rule->name, got, values, count, 3e-6);
    assert_int_equal(mlstm_optimizer_step_count(optimizer), STEPS);
    for (int32_t k = 0; k < rule->slots; k++) {
        for (size_t i = 0; i < count; i++)
            slot[i] = slots[i * MAX_SLOTS + (size_t)k];
        get_slot(m->stack, optimizer, rule->slot_names[k], got);
        assert_near(rule->slot_names[k], got, slot, count, 1e-6 * (1 + largest(slot, count)));
    }
    get_grads(m->stack, m->grads, got);
    assert_same_bits("gradients after an update", got, g, count);
    mlstm_optimizer_destroy(optimizer);
    test_free(g);
    test_free(got);
    test_free(values);
    test_free(slots);
    test_free(slot);
    free_model(m);
}

static void rules_are_the_formulas(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++)
        check_rule(&rules[i], 0);
}

static void weights_decay_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++)
        check_rule(&rules[i], 1);
}

static void slots_have_names(void **state)
{
    (void)state;
    mlstm_stack *stack = new_stack(&shape);
    for (size_t i = 0; i < COUNT(rules); i++) {
        mlstm_optimizer *optimizer;
        assert_ok(rules[i].create(stack, &optimizer));
        assert_int_equal(mlstm_optimizer_slot_count(optimizer), rules[i].slots);
        for (int32_t k = 0; k < rules[i].slots; k++)
            assert_string_equal(mlstm_optimizer_slot_name(optimizer, k), rules[i].slot_names[k]);
        assert_null(mlstm_optimizer_slot_name(optimizer, rules[i].slots));
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
    assert_int_equal(mlstm_optimizer_step_count(NULL), 0);
    assert_int_equal(mlstm_optimizer_slot_count(NULL), 0);
    assert_null(mlstm_optimizer_slot_name(NULL, 0));
    assert_true(mlstm_optimizer_weight_decay(NULL, "layer0.bias") == 0);
    assert_int_equal(mlstm_optimizer_frozen(NULL, "layer0.bias"), 0);
}

/*
 * One update by accumulators of every size: a gradient divided by its own root is its sign, and by
 * an infinite one nothing.
 */
static void accumulators_have_any_size(void **state)
{
    (void)state;
    struct model *m = new_model(&shape, 1);
    const size_t count = param_numbers(&shape);
    float *g = floats(count), *before = floats(count), *after = floats(count);
    mlstm_optimizer *optimizer;
    assert_ok(mlstm_adagrad_create(m->stack, 0.5f, 1e-37f, &optimizer));
    get_params(m->stack, before);
    for (size_t i = 0; i < count; i++)
        g[i] = ldexpf(i % 2 ? 1.0f : -1.0f, (int)(i % 126) - 61);
    g[0] = -1e30f;
    g[1] = 1e30f;
    set_grads(m->stack, m->grads, g);
    assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    get_params(m->stack, after);
    for (size_t i = 0; i < count; i++) {
        const double square = (double)g[i] * (double)g[i] + 1e-37;
        const double root = square > (double)FLT_MAX ? (double)INFINITY : sqrt(square);
        const double expected = (double)before[i] - 0.5 * (double)g[i] / root;
        if (!(fabs((double)after[i] - expected) <= 1e-7))
            fail_msg("a step by %g: %.9g, and it should be %.9g", (double)g[i], (double)after[i],
                     expected);
    }
    mlstm_optimizer_destroy(optimizer);
    test_free(g);
    test_free(before);
    test_free(after);
    free_model(m);
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

static void train(struct model *m, mlstm_optimizer *optimizer, uint64_t first, uint64_t end)
{
    const size_t count = param_numbers(&shape);
    float *g = floats(count);
    for (uint64_t step = first; step < end; step++) {
        random_fill(&(struct random){step}, g, count, -1, 1);
        set_grads(m->stack, m->grads, g);
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    }
    test_free(g);
}

/* All parameters and then all slots. */
static void get_all(const struct model *m, const struct rule *rule,
                    const mlstm_optimizer *optimizer, float *values)
{
    get_params(m->stack, values);
    for (int32_t k = 0; k < rule->slots; k++)
        get_slot(m->stack, optimizer, rule->slot_names[k],
                 values + (size_t)(k + 1) * param_numbers(&shape));
}

/* The bits are the same whether parameters are updated together or one by one. */
static void one_by_one_is_all_at_once(void **state)
{
    (void)state;
    const size_t count = param_numbers(&shape) * (1 + MAX_SLOTS);
    float *together = floats(count), *apart = floats(count);
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct model *m = new_model(&shape, 1), *n = new_model(&shape, 1);
        mlstm_optimizer *first, *second;
        assert_ok(rules[i].create(m->stack, &first));
        assert_ok(rules[i].create(n->stack, &second));
        assert_ok(mlstm_optimizer_set_frozen(second, "readout.bias", 1));
        for (uint64_t step = 0; step < 5; step++) {
            train(m, first, step, step + 1);
            train(n, second, step, step + 1);
        }
        get_all(m, &rules[i], first, together);
        get_all(n, &rules[i], second, apart);
        for (int32_t k = 0; k <= rules[i].slots; k++) /* all but the frozen ones */
            assert_same_bits(rules[i].name, apart + k * 589, together + k * 589, 586);
        mlstm_optimizer_destroy(first);
        mlstm_optimizer_destroy(second);
        free_model(m);
        free_model(n);
    }
    test_free(together);
    test_free(apart);
}

/* Whatever its gradient and its decay are; and once it is let go, it moves again. */
static void frozen_parameters_stay(void **state)
{
    (void)state;
    static const char *const names[] = {"layer0.bias", "layer1.kernel", "readout.kernel_h"};
    static const size_t begins[] = {160, 180, 565}, ends[] = {180, 516, 586};
    const size_t count = param_numbers(&shape), all = count * (1 + MAX_SLOTS);
    float *before = floats(all), *after = floats(all), *g = floats(count);
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct model *m = new_model(&shape, 1);
        mlstm_optimizer *optimizer;
        assert_ok(rules[i].create(m->stack, &optimizer));
        train(m, optimizer, 0, 3);
        get_all(m, &rules[i], optimizer, before);
        random_fill(&(struct random){5}, g, count, 1, 2);
        for (size_t k = 0; k < COUNT(names); k++) {
            assert_ok(mlstm_optimizer_set_frozen(optimizer, names[k], 1));
            assert_ok(mlstm_optimizer_set_weight_decay(optimizer, names[k], 0.5f));
            for (size_t n = begins[k]; n < ends[k]; n++)
                g[n] = n % 2 ? NAN : 3;
        }
        set_grads(m->stack, m->grads, g);
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
        get_all(m, &rules[i], optimizer, after);
        for (size_t k = 0; k < COUNT(names); k++)
            for (int32_t slot = 0; slot <= rules[i].slots; slot++)
                assert_same_bits(names[k], after + (size_t)slot * count + begins[k],
                                 before + (size_t)slot * count + begins[k], ends[k] - begins[k]);
        for (size_t n = 0; n < count; n++)
            assert_true(isfinite(after[n]) && (isnan(g[n]) || g[n] == 3 || after[n] != before[n]));
        assert_ok(mlstm_optimizer_set_frozen(optimizer, names[0], 0));
        train(m, optimizer, 3, 4);
        get_params(m->stack, after);
        for (size_t n = 0; n < ends[2]; n++)
            assert_true((after[n] == before[n]) == (n >= ends[0] && n < ends[1]) || n >= begins[2]);
        assert_int_equal(mlstm_optimizer_step_count(optimizer), 5);
        mlstm_optimizer_destroy(optimizer);
        free_model(m);
    }
    test_free(before);
    test_free(after);
    test_free(g);
}

/* Each parameter has its own settings, also vectors that share a row with others. */
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
                                                   .projection = 5,
                                                   .learned = 1,
                                                   .norm = MLSTM_NORM_PRODUCTS,
                                                   .epsilon = 1e-3f}}};
    const size_t count = param_numbers(&many);
    struct model *m = new_model(&many, 1);
    float *g = random_floats(&(struct random){2}, count, 1, 2), *all = floats(count);
    float *frozen = floats(count), *decayed = floats(count);
    mlstm_optimizer *optimizer;
    assert_ok(mlstm_sgd_create(m->stack, 0.5f, 0, 0, &optimizer));
    set_grads(m->stack, m->grads, g);
    assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    get_params(m->stack, all);
    size_t first = 0;
    assert_int_equal(mlstm_stack_param_count(m->stack), 15);
    for (int32_t p = 0; p < mlstm_stack_param_count(m->stack); p++) {
        const char *name;
        int32_t rank, dims[2];
        assert_ok(mlstm_stack_param_info(m->stack, p, &name, &rank, dims));
        const size_t end = first + (size_t)dims[0] * (size_t)dims[1];
        assert_ok(mlstm_optimizer_set_frozen(optimizer, name, 1));
        set_params(m->stack, m->params);
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
        get_params(m->stack, frozen);
        assert_ok(mlstm_optimizer_set_frozen(optimizer, name, 0));
        assert_ok(mlstm_optimizer_set_weight_decay(optimizer, name, 0.25f));
        set_params(m->stack, m->params);
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
        get_params(m->stack, decayed);
        assert_ok(mlstm_optimizer_set_weight_decay(optimizer, name, 0));
        assert_same_bits(name, frozen, all, first);
        assert_same_bits(name, frozen + first, m->params + first, end - first);
        assert_same_bits(name, frozen + end, all + end, count - end);
        assert_same_bits(name, decayed, all, first);
        for (size_t i = first; i < end; i++) {
            const double v = (double)m->params[i], expected = v - 0.5 * ((double)g[i] + 0.25 * v);
            assert_near(name, &decayed[i], &expected, 1, 1e-6);
        }
        assert_same_bits(name, decayed + end, all + end, count - end);
        first = end;
    }
    assert_int_equal(first, count);
    mlstm_optimizer_destroy(optimizer);
    test_free(g);
    test_free(all);
    test_free(frozen);
    test_free(decayed);
    free_model(m);
}

static void settings_can_be_asked(void **state)
{
    (void)state;
    mlstm_stack *stack = new_stack(&shape);
    for (size_t i = 0; i < COUNT(rules); i++) {
        mlstm_optimizer *o;
        const float decay = rules[i].decay < 0 ? 0 : rules[i].decay;
        assert_ok(rules[i].create(stack, &o));
        assert_true(mlstm_optimizer_weight_decay(o, "layer1.kernel") == decay);
        assert_int_equal(mlstm_optimizer_frozen(o, "layer1.kernel"), 0);
        assert_ok(mlstm_optimizer_set_weight_decay(o, "layer1.kernel", 0.125f));
        assert_ok(mlstm_optimizer_set_frozen(o, "layer1.bias", 1));
        assert_true(mlstm_optimizer_weight_decay(o, "layer1.kernel") == 0.125f);
        assert_true(mlstm_optimizer_weight_decay(o, "layer1.bias") == decay);
        assert_int_equal(mlstm_optimizer_frozen(o, "layer1.kernel"), 0);
        assert_int_equal(mlstm_optimizer_frozen(o, "layer1.bias"), 1);
        assert_ok(mlstm_optimizer_set_frozen(o, "layer1.bias", 0));
        assert_int_equal(mlstm_optimizer_frozen(o, "layer1.bias"), 0);
        assert_true(mlstm_optimizer_weight_decay(o, "layer1") == 0);
        assert_int_equal(mlstm_optimizer_frozen(o, NULL), 0);
        mlstm_optimizer_destroy(o);
    }
    mlstm_stack_destroy(stack);
}

/* Numbers of the block that are no parameter's are 0, whatever is set for whom. */
static void padding_stays_0(void **state)
{
    (void)state;
    const size_t count = param_numbers(&shape);
    float *values = floats(count);
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct model *m = new_model(&shape, 1);
        mlstm_optimizer *optimizer;
        assert_ok(rules[i].create(m->stack, &optimizer));
        assert_ok(mlstm_optimizer_set_weight_decay(optimizer, "layer0.kernel", 0.5f));
        assert_ok(mlstm_optimizer_set_frozen(optimizer, "layer1.kernel", 1));
        train(m, optimizer, 0, 3);
        get_params(m->stack, values);
        size_t block = 0, parameters = 0;
        for (size_t n = 0; n < m->stack->layout->count; n++)
            block += m->stack->params[n] != 0;
        for (size_t n = 0; n < count; n++)
            parameters += values[n] != 0;
        assert_int_equal(block, parameters);
        mlstm_optimizer_destroy(optimizer);
        free_model(m);
    }
    test_free(values);
}

/* Parameters, slots and the count of steps are all there is: resumed training goes the same way. */
static void training_is_resumed(void **state)
{
    (void)state;
    const size_t count = param_numbers(&shape);
    float *kept = floats(count), *got = floats(count);
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct model *m = new_model(&shape, 1), *later = new_model(&shape, 2);
        mlstm_optimizer *optimizer, *resumed;
        assert_ok(rules[i].create(m->stack, &optimizer));
        assert_ok(rules[i].create(later->stack, &resumed));
        train(m, optimizer, 0, 7);
        get_params(m->stack, kept);
        set_params(later->stack, kept);
        for (int32_t k = 0; k < rules[i].slots; k++) {
            get_slot(m->stack, optimizer, rules[i].slot_names[k], kept);
            set_slot(later->stack, resumed, rules[i].slot_names[k], kept);
        }
        assert_ok(mlstm_optimizer_set_step_count(resumed, mlstm_optimizer_step_count(optimizer)));
        train(m, optimizer, 7, 15);
        train(later, resumed, 7, 15);
        get_params(m->stack, kept);
        get_params(later->stack, got);
        assert_same_bits(rules[i].name, got, kept, count);
        assert_int_equal(mlstm_optimizer_step_count(resumed), 15);
        mlstm_optimizer_destroy(optimizer);
        mlstm_optimizer_destroy(resumed);
        free_model(m);
        free_model(later);
    }
    test_free(kept);
    test_free(got);
}

/* NAdam's product of momenta is no slot: from the count alone it has the bits that updates give. */
static void a_product_is_resumed(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 345, 3000};
    enum { KERNEL = 8 * 20 };
    struct results *results = new_results(&shape);
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct model *models[] = {new_model(&shape, 1), new_model(&shape, 1)};
        mlstm_optimizer *optimizers[2];
        float kernels[2][KERNEL];
        for (size_t k = 0; k < 2; k++)
            assert_ok(mlstm_nadam_create(models[k]->stack, 0.1f, 0x1.ffd658p-1f, 0.999f, 1e-8f, 50,
                                         &optimizers[k]));
        assert_ok(mlstm_grads_zero(models[0]->grads));
        for (int64_t t = 0; t < counts[i]; t++)
            assert_ok(mlstm_apply_grads(optimizers[0], models[0]->stack, models[0]->grads));
        assert_ok(mlstm_optimizer_set_step_count(optimizers[1], counts[i]));
        for (size_t k = 0; k < 2; k++) {
            run_model(models[k], models[k]->state, models[k]->grads, results);
            assert_ok(mlstm_apply_grads(optimizers[k], models[k]->stack, models[k]->grads));
            assert_ok(mlstm_stack_get_param(models[k]->stack, "layer0.kernel", kernels[k], KERNEL));
            mlstm_optimizer_destroy(optimizers[k]);
            free_model(models[k]);
        }
        assert_same_bits("layer0.kernel", kernels[1], kernels[0], KERNEL);
    }
    free_results(results);
}

/* The count may be as large as can be: no correction divides by 0, and setting it takes no time. */
static void the_last_step(void **state)
{
    (void)state;
    static const int64_t last = (int64_t)1 << 53;
    struct model *m = new_model(&shape, 1);
    for (size_t i = 0; i < COUNT(rules); i++) {
        mlstm_optimizer *optimizer;
        float bias[20];
        assert_ok(rules[i].create(m->stack, &optimizer));
        assert_ok(mlstm_optimizer_set_step_count(optimizer, last - 1));
        train(m, optimizer, 0, 1);
        assert_true(mlstm_optimizer_step_count(optimizer) == last);
        assert_ok(mlstm_stack_get_param(m->stack, "layer0.bias", bias, 20));
        for (size_t k = 0; k < 20; k++)
            assert_true(isfinite(bias[k]));
        mlstm_optimizer_destroy(optimizer);
    }
    free_model(m);
}

/* No gradient: nothing moves but by decay, and nothing becomes NaN, the padding neither. */
static void zero_gradients(void **state)
{
    (void)state;
    struct model *m = new_model(&shape, 1);
    const float zeros[20] = {0};
    assert_ok(mlstm_grads_zero(m->grads));
    for (size_t i = 0; i < COUNT(rules); i++) {
        mlstm_optimizer *optimizer;
        float bias[20];
        assert_ok(rules[i].create(m->stack, &optimizer));
        assert_ok(mlstm_stack_set_param(m->stack, "layer0.bias", zeros, 20));
        for (int step = 0; step < 3; step++)
            assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
        assert_ok(mlstm_stack_get_param(m->stack, "layer0.bias", bias, 20));
        assert_same_bits(rules[i].name, bias, zeros, 20);
        mlstm_optimizer_destroy(optimizer);
    }
    struct results *results = new_results(&shape);
    run_model(m, m->state, m->grads, results);
    for (size_t i = 0; i < y_numbers(&shape); i++)
        assert_true(isfinite(results->y[i]));
    free_results(results);
    free_model(m);
}

/* One gradient for long: the centered variance is 0 but for rounding, which may not make it NaN. */
static void a_constant_gradient_centered(void **state)
{
    (void)state;
    struct model *m = new_model(&shape, 1);
    mlstm_optimizer *optimizer;
    float bias[20], got[20];
    for (size_t i = 0; i < 20; i++)
        bias[i] = 1.1f * (float)i - 7.3f;
    assert_ok(mlstm_grads_set(m->grads, "layer0.bias", bias, 20));
    assert_ok(mlstm_rmsprop_create(m->stack, 1e-9f, 0.9f, 0, 1e-10f, 1, &optimizer));
    for (int step = 0; step < 1000; step++)
        assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    assert_ok(mlstm_stack_get_param(m->stack, "layer0.bias", got, 20));
    for (size_t i = 0; i < 20; i++)
        assert_true(isfinite(got[i]));
    mlstm_optimizer_destroy(optimizer);
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

/* A window and an update, after which the parameters are those of `params` again. */
static void update_and_go_back(struct model *m, mlstm_optimizer *optimizer, struct results *out)
{
    float *accumulators = floats(param_numbers(&m->shape));
    get_slot(m->stack, optimizer, "accumulator", accumulators);
    assert_ok(mlstm_grads_zero(m->grads));
    run_model(m, m->state, m->grads, out);
    assert_ok(mlstm_apply_grads(optimizer, m->stack, m->grads));
    set_params(m->stack, m->params);
    set_slot(m->stack, optimizer, "accumulator", accumulators);
    test_free(accumulators);
}

/* Whoever takes back the parameters and slots of before a NaN is where he was, padding included. */
static void nan_leaves_no_trace(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {2, 3, 1, {3, 5}, 3, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {3, 2, 2, {2, 20, 7}, 17, MLSTM_READOUT_H, 1},
        {2, 2, 2, {5, 3, 33}, 0, 0, 1},
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct model *m = new_model(&shapes[i], 4);
        struct results *clean = new_results(&shapes[i]), *got = new_results(&shapes[i]);
        mlstm_optimizer *optimizer;
        float norm;
        assert_ok(mlstm_adagrad_create(m->stack, 0.1f, 0.1f, &optimizer));
        update_and_go_back(m, optimizer, clean);
        const float x = m->x[0], dh = m->dh_top[0];
        m->x[0] = NAN;
        update_and_go_back(m, optimizer, got);
        m->x[0] = INFINITY;
        m->dh_top[0] = INFINITY;
        update_and_go_back(m, optimizer, got);
        m->x[0] = x;
        m->dh_top[0] = dh;
        update_and_go_back(m, optimizer, got);
        assert_same_results(&shapes[i], got, clean);
        assert_ok(mlstm_grads_norm(m->grads, &norm));
        assert_true(norm > 0 && norm < 1e6f);
        mlstm_optimizer_destroy(optimizer);
        free_results(clean);
        free_results(got);
        free_model(m);
    }
}

/* Nor do rates whose updates go beyond float32, once the parameters and slots are taken back. */
static void rates_leave_no_trace(void **state)
{
    (void)state;
    static const struct shape s = {2, 2, 2, {5, 3, 33}, 0, 0, 1};
    struct model *m = new_model(&s, 4);
    struct results *clean = new_results(&s), *got = new_results(&s);
    mlstm_optimizer *made[4];
    assert_ok(mlstm_adam_create(m->stack, 1e38f, 0.9f, 0.999f, 1e-8f, &made[0]));
    assert_ok(mlstm_adamw_create(m->stack, 1e38f, 0.9f, 0.999f, 1e-8f, 1e38f, &made[1]));
    assert_ok(mlstm_nadam_create(m->stack, 1e38f, 0.9f, 0.999f, 1e-8f, 0.004f, &made[2]));
    assert_ok(mlstm_lion_create(m->stack, 1e38f, 0.9f, 0.99f, 1e38f, &made[3]));
    run_model(m, m->state, m->grads, clean);
    for (size_t i = 0; i < COUNT(made); i++) {
        assert_ok(mlstm_apply_grads(made[i], m->stack, m->grads));
        set_params(m->stack, m->params);
        run_model(m, m->state, m->grads, got);
        assert_same_results(&s, got, clean);
        mlstm_optimizer_destroy(made[i]);
    }
    free_results(clean);
    free_results(got);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_the_formulas),   cmocka_unit_test(slots_have_names),
        cmocka_unit_test(null_is_answered),         cmocka_unit_test(accumulators_have_any_size),
        cmocka_unit_test(slots_come_back),          cmocka_unit_test(the_rate_can_change),
        cmocka_unit_test(updates_reach_the_passes), cmocka_unit_test(training_is_resumed),
        cmocka_unit_test(a_product_is_resumed),     cmocka_unit_test(the_last_step),
        cmocka_unit_test(zero_gradients),           cmocka_unit_test(nan_leaves_no_trace),
        cmocka_unit_test(rates_leave_no_trace),
        cmocka_unit_test(a_constant_gradient_centered),
        cmocka_unit_test(weights_decay_by_name),    cmocka_unit_test(frozen_parameters_stay),
        cmocka_unit_test(one_by_one_is_all_at_once), cmocka_unit_test(settings_can_be_asked),
        cmocka_unit_test(padding_stays_0),          cmocka_unit_test(every_parameter_is_apart),
    };
    return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
