/* SPDX-License-Identifier: MIT */
#include <mlstm/optimizer.h>

#include <math.h>
#include <string.h>

#include "alloc.h"
#include "grads.h"
#include "stack.h"
#include "status.h"

#define MAX_SLOTS 1

/* An update rule: its slots, and one update of a whole block. */
struct rule {
    int32_t slots;
    const char *slot_names[MAX_SLOTS];
    void (*update)(const mlstm_optimizer *optimizer, float *params, const float *grads);
};

struct mlstm_optimizer {
    struct layout *layout;
    const struct rule *rule;
    float rate;
    float momentum;
    int32_t nesterov;
    float *slots[MAX_SLOTS];
};

static void update_sgd(const mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->sgd(params, grads, o->layout->count, o->rate);
}

static void update_momentum(const mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->momentum(params, o->slots[0], grads, o->layout->count, o->rate, o->momentum,
                                 o->nesterov);
}

static void update_adagrad(const mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->adagrad(params, o->slots[0], grads, o->layout->count, o->rate);
}

static const struct rule rule_sgd = {.update = update_sgd};
static const struct rule rule_momentum = {1, {"momentum"}, update_momentum};
static const struct rule rule_adagrad = {1, {"accumulator"}, update_adagrad};

/* An optimizer with all slots 0; NULL where there is no memory. */
static mlstm_optimizer *create(const mlstm_stack *stack, const struct rule *rule, float rate)
{
    mlstm_optimizer *made = allocate(&stack->allocator, sizeof *made);
    if (!made)
        return NULL;
    made->layout = layout_retain(stack->layout);
    made->rule = rule;
    made->rate = rate;
    for (int32_t i = 0; i < rule->slots; i++) {
        made->slots[i] = allocate(&stack->allocator, stack->layout->count * sizeof(float));
        if (!made->slots[i]) {
            mlstm_optimizer_destroy(made);
            return NULL;
        }
    }
    return made;
}

mlstm_status mlstm_sgd_create(const mlstm_stack *stack, float rate, float momentum,
                              int32_t nesterov, mlstm_optimizer **optimizer)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(optimizer);
    REQUIRE(isfinite(rate), MLSTM_ERROR_INVALID_ARGUMENT, "rate must be finite, got %g",
            (double)rate);
    REQUIRE(momentum >= 0.0f && momentum <= 1.0f, MLSTM_ERROR_INVALID_ARGUMENT,
            "momentum must be 0 to 1, got %g", (double)momentum);
    REQUIRE(nesterov == 0 || (nesterov == 1 && momentum > 0.0f), MLSTM_ERROR_INVALID_ARGUMENT,
            "nesterov must be 0, or 1 with a momentum; got %d with %g", nesterov,
            (double)momentum);
    mlstm_optimizer *made = create(stack, momentum > 0.0f ? &rule_momentum : &rule_sgd, rate);
    REQUIRE_MEMORY(made);
    made->momentum = momentum;
    made->nesterov = nesterov;
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_adagrad_create(const mlstm_stack *stack, float rate, float initial_accumulator,
                                  mlstm_optimizer **optimizer)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(optimizer);
    REQUIRE(isfinite(rate), MLSTM_ERROR_INVALID_ARGUMENT, "rate must be finite, got %g",
            (double)rate);
    REQUIRE(isfinite(initial_accumulator) && initial_accumulator > 0.0f,
            MLSTM_ERROR_INVALID_ARGUMENT, "initial_accumulator must be finite and above 0, got %g",
            (double)initial_accumulator);
    mlstm_optimizer *made = create(stack, &rule_adagrad, rate);
    REQUIRE_MEMORY(made);
    for (size_t i = 0; i < stack->layout->count; i++)
        made->slots[0][i] = initial_accumulator;
    *optimizer = made;
    return MLSTM_OK;
}

void mlstm_optimizer_destroy(mlstm_optimizer *optimizer)
{
    if (!optimizer)
        return;
    const mlstm_allocator allocator = optimizer->layout->allocator;
    for (int32_t i = 0; i < MAX_SLOTS; i++)
        release(&allocator, optimizer->slots[i]);
    layout_release(optimizer->layout);
    release(&allocator, optimizer);
}

mlstm_status mlstm_optimizer_set_rate(mlstm_optimizer *optimizer, float rate)
{
    REQUIRE_POINTER(optimizer);
    REQUIRE(isfinite(rate), MLSTM_ERROR_INVALID_ARGUMENT, "rate must be finite, got %g",
            (double)rate);
    optimizer->rate = rate;
    return MLSTM_OK;
}

float mlstm_optimizer_rate(const mlstm_optimizer *optimizer)
{
    return optimizer ? optimizer->rate : 0.0f;
}

int32_t mlstm_optimizer_slot_count(const mlstm_optimizer *optimizer)
{
    return optimizer ? optimizer->rule->slots : 0;
}

const char *mlstm_optimizer_slot_name(const mlstm_optimizer *optimizer, int32_t index)
{
    return optimizer && index >= 0 && index < optimizer->rule->slots
               ? optimizer->rule->slot_names[index]
               : NULL;
}

/* NULL where the rule has no slot of that name. */
static float *find_slot(const mlstm_optimizer *optimizer, const char *name)
{
    for (int32_t i = 0; i < optimizer->rule->slots; i++)
        if (strcmp(optimizer->rule->slot_names[i], name) == 0)
            return optimizer->slots[i];
    return NULL;
}

mlstm_status mlstm_optimizer_get_slot(const mlstm_optimizer *optimizer, const char *slot,
                                      const char *param, float *values, size_t count)
{
    REQUIRE_POINTER(optimizer);
    REQUIRE_POINTER(slot);
    REQUIRE_POINTER(param);
    REQUIRE_POINTER(values);
    const float *block = find_slot(optimizer, slot);
    REQUIRE(block, MLSTM_ERROR_NOT_FOUND, "there is no slot \"%.64s\"", slot);
    const struct param *found = layout_find(optimizer->layout, param);
    REQUIRE(found, MLSTM_ERROR_NOT_FOUND, "there is no parameter \"%.64s\"", param);
    REQUIRE_COUNT(count, param_size(found));
    layout_read(optimizer->layout, found, block, values);
    return MLSTM_OK;
}

mlstm_status mlstm_optimizer_set_slot(mlstm_optimizer *optimizer, const char *slot,
                                      const char *param, const float *values, size_t count)
{
    REQUIRE_POINTER(optimizer);
    REQUIRE_POINTER(slot);
    REQUIRE_POINTER(param);
    REQUIRE_POINTER(values);
    float *block = find_slot(optimizer, slot);
    REQUIRE(block, MLSTM_ERROR_NOT_FOUND, "there is no slot \"%.64s\"", slot);
    const struct param *found = layout_find(optimizer->layout, param);
    REQUIRE(found, MLSTM_ERROR_NOT_FOUND, "there is no parameter \"%.64s\"", param);
    REQUIRE_COUNT(count, param_size(found));
    layout_write(optimizer->layout, found, block, values);
    return MLSTM_OK;
}

mlstm_status mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack,
                               const mlstm_grads *grads)
{
    REQUIRE_POINTER(optimizer);
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(grads);
    REQUIRE(optimizer->layout == stack->layout, MLSTM_ERROR_MISMATCH, "%s",
            "the optimizer is of another stack, or of this one before it got its readout");
    REQUIRE(grads->layout == stack->layout, MLSTM_ERROR_MISMATCH, "%s",
            "the gradients are of another stack, or of this one before it got its readout");
    optimizer->rule->update(optimizer, stack->params, grads->values);
    stack_params_changed(stack);
    return MLSTM_OK;
}
