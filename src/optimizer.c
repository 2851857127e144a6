/* SPDX-License-Identifier: MIT */
#include <mlstm/optimizer.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "alloc.h"
#include "grads.h"
#include "stack.h"
#include "status.h"

#define MAX_SLOTS 3
#define MAX_STEPS ((int64_t)1 << 53)

#define REQUIRE_FINITE(number)                                                                     \
    REQUIRE(isfinite(number), MLSTM_ERROR_INVALID_ARGUMENT, "%s must be finite, got %g", #number,  \
            (double)(number))

#define REQUIRE_POSITIVE(number)                                                                   \
    REQUIRE(isfinite(number) && (number) > 0.0f, MLSTM_ERROR_INVALID_ARGUMENT,                     \
            "%s must be finite and above 0, got %g", #number, (double)(number))

#define REQUIRE_NOT_NEGATIVE(number)                                                               \
    REQUIRE(isfinite(number) && (number) >= 0.0f, MLSTM_ERROR_INVALID_ARGUMENT,                    \
            "%s must be finite and not below 0, got %g", #number, (double)(number))

#define REQUIRE_BELOW_1(number)                                                                    \
    REQUIRE((number) >= 0.0f && (number) < 1.0f, MLSTM_ERROR_INVALID_ARGUMENT,                     \
            "%s must be at least 0 and below 1, got %g", #number, (double)(number))

/* An update rule: its slots, and one update of a whole block. */
struct rule {
    int32_t slots;
    const char *slot_names[MAX_SLOTS];
    void (*update)(mlstm_optimizer *optimizer, float *params, const float *grads);
};

struct mlstm_optimizer {
    struct layout *layout;
    const struct rule *rule;
    int64_t steps; /* updates so far, the one at work included */
    float rate;
    float momentum;
    int32_t nesterov;
    float decay, beta1, beta2, epsilon, weight_decay, momentum_decay;
    double momentum_product; /* NAdam's, of all steps so far */
    float *slots[MAX_SLOTS];
};

static void update_sgd(mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->sgd(params, grads, o->layout->count, o->rate);
}

static void update_momentum(mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->momentum(params, o->slots[0], grads, o->layout->count, o->rate, o->momentum,
                                 o->nesterov);
}

static void update_adagrad(mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->adagrad(params, o->slots[0], grads, o->layout->count, o->rate);
}

static void update_rmsprop(mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->rmsprop(&(struct rmsprop){.values = params,
                                                  .squares = o->slots[0],
                                                  .moments = o->slots[1],
                                                  .means = o->slots[2],
                                                  .grads = grads,
                                                  .count = o->layout->count,
                                                  .decay = o->decay,
                                                  .rate = o->rate,
                                                  .momentum = o->momentum,
                                                  .epsilon = o->epsilon});
}

static void adam(mlstm_optimizer *o, float *params, const float *grads, double moment_rate,
                 double grad_rate)
{
    const double correction = 1.0 - pow((double)o->beta2, (double)o->steps);
    o->layout->kernels->adam(&(struct adam){.values = params,
                                            .first = o->slots[0],
                                            .second = o->slots[1],
                                            .largest = o->slots[2],
                                            .grads = grads,
                                            .count = o->layout->count,
                                            .beta1 = o->beta1,
                                            .beta2 = o->beta2,
                                            .keep = 1.0f - o->rate * o->weight_decay,
                                            .moment_rate = (float)moment_rate,
                                            .grad_rate = (float)grad_rate,
                                            .root_scale = (float)(1.0 / sqrt(correction)),
                                            .epsilon = o->epsilon});
}

static void update_adam(mlstm_optimizer *o, float *params, const float *grads)
{
    const double correction = 1.0 - pow((double)o->beta1, (double)o->steps);
    adam(o, params, grads, (double)o->rate / correction, 0.0);
}

/* The momentum of step t. */
static double nadam_momentum(const mlstm_optimizer *o, int64_t t)
{
    return (double)o->beta1 * (1.0 - 0.5 * pow(0.96, (double)t * (double)o->momentum_decay));
}

static double nadam_momentum_product(const mlstm_optimizer *o, int64_t steps)
{
    double product = 1.0;
    for (int64_t t = 1; t <= steps && product > DBL_MIN; t++) {
        const double mu = nadam_momentum(o, t);
        if (mu == (double)o->beta1) /* for good */
            return product * pow(mu, (double)(steps - t + 1));
        product *= mu;
    }
    return product;
}

static void update_nadam(mlstm_optimizer *o, float *params, const float *grads)
{
    const double mu = nadam_momentum(o, o->steps), next = nadam_momentum(o, o->steps + 1);
    o->momentum_product *= mu;
    adam(o, params, grads, (double)o->rate * next / (1.0 - o->momentum_product * next),
         (double)o->rate * (1.0 - mu) / (1.0 - o->momentum_product));
}

static void update_lion(mlstm_optimizer *o, float *params, const float *grads)
{
    o->layout->kernels->lion(params, o->slots[0], grads, o->layout->count, o->rate, o->beta1,
                             o->beta2, 1.0f - o->rate * o->weight_decay);
}

static const struct rule rule_sgd = {.update = update_sgd};
static const struct rule rule_momentum = {1, {"momentum"}, update_momentum};
static const struct rule rule_adagrad = {1, {"accumulator"}, update_adagrad};
static const struct rule rule_rmsprop = {2, {"rms", "momentum"}, update_rmsprop};
static const struct rule rule_centered = {3, {"rms", "momentum", "mg"}, update_rmsprop};
static const struct rule rule_adam = {2, {"exp_avg", "exp_avg_sq"}, update_adam};
static const struct rule rule_amsgrad = {
    3, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, update_adam};
static const struct rule rule_nadam = {2, {"exp_avg", "exp_avg_sq"}, update_nadam};
static const struct rule rule_lion = {1, {"exp_avg"}, update_lion};

/* An optimizer with all slots 0; NULL where there is no memory. */
static mlstm_optimizer *create(const mlstm_stack *stack, const struct rule *rule, float rate)
{
    mlstm_optimizer *made = allocate(&stack->allocator, sizeof *made);
    if (!made)
        return NULL;
    made->layout = layout_retain(stack->layout);
    made->rule = rule;
    made->rate = rate;
    made->momentum_product = 1.0;
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
    REQUIRE_FINITE(rate);
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
    REQUIRE_FINITE(rate);
    REQUIRE_POSITIVE(initial_accumulator);
    mlstm_optimizer *made = create(stack, &rule_adagrad, rate);
    REQUIRE_MEMORY(made);
    for (size_t i = 0; i < stack->layout->count; i++)
        made->slots[0][i] = initial_accumulator;
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_rmsprop_create(const mlstm_stack *stack, float rate, float decay, float momentum,
                                  float epsilon, int32_t centered, mlstm_optimizer **optimizer)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(optimizer);
    REQUIRE_FINITE(rate);
    REQUIRE_BELOW_1(decay);
    REQUIRE_BELOW_1(momentum);
    REQUIRE_POSITIVE(epsilon);
    REQUIRE(centered == 0 || centered == 1, MLSTM_ERROR_INVALID_ARGUMENT,
            "centered must be 0 or 1, got %d", centered);
    mlstm_optimizer *made = create(stack, centered ? &rule_centered : &rule_rmsprop, rate);
    REQUIRE_MEMORY(made);
    made->decay = decay;
    made->momentum = momentum;
    made->epsilon = epsilon;
    for (size_t i = 0; i < stack->layout->count; i++)
        made->slots[0][i] = 1.0f;
    *optimizer = made;
    return MLSTM_OK;
}

/* What the whole Adam family takes. */
#define REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer)                                \
    REQUIRE_POINTER(stack);                                                                        \
    REQUIRE_POINTER(optimizer);                                                                    \
    REQUIRE_FINITE(rate);                                                                          \
    REQUIRE_BELOW_1(beta1);                                                                        \
    REQUIRE_BELOW_1(beta2);                                                                        \
    REQUIRE_POSITIVE(epsilon)

static mlstm_optimizer *create_adam(const mlstm_stack *stack, const struct rule *rule, float rate,
                                    float beta1, float beta2, float epsilon)
{
    mlstm_optimizer *made = create(stack, rule, rate);
    if (!made)
        return NULL;
    made->beta1 = beta1;
    made->beta2 = beta2;
    made->epsilon = epsilon;
    return made;
}

mlstm_status mlstm_adam_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                               float epsilon, mlstm_optimizer **optimizer)
{
    REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer);
    mlstm_optimizer *made = create_adam(stack, &rule_adam, rate, beta1, beta2, epsilon);
    REQUIRE_MEMORY(made);
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_adamw_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                float epsilon, float weight_decay, mlstm_optimizer **optimizer)
{
    REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer);
    REQUIRE_NOT_NEGATIVE(weight_decay);
    mlstm_optimizer *made = create_adam(stack, &rule_adam, rate, beta1, beta2, epsilon);
    REQUIRE_MEMORY(made);
    made->weight_decay = weight_decay;
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_amsgrad_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                  float epsilon, mlstm_optimizer **optimizer)
{
    REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer);
    mlstm_optimizer *made = create_adam(stack, &rule_amsgrad, rate, beta1, beta2, epsilon);
    REQUIRE_MEMORY(made);
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_nadam_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                float epsilon, float momentum_decay, mlstm_optimizer **optimizer)
{
    REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer);
    REQUIRE_NOT_NEGATIVE(momentum_decay);
    mlstm_optimizer *made = create_adam(stack, &rule_nadam, rate, beta1, beta2, epsilon);
    REQUIRE_MEMORY(made);
    made->momentum_decay = momentum_decay;
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_lion_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                               float weight_decay, mlstm_optimizer **optimizer)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(optimizer);
    REQUIRE_FINITE(rate);
    REQUIRE_BELOW_1(beta1);
    REQUIRE_BELOW_1(beta2);
    REQUIRE_NOT_NEGATIVE(weight_decay);
    mlstm_optimizer *made = create(stack, &rule_lion, rate);
    REQUIRE_MEMORY(made);
    made->beta1 = beta1;
    made->beta2 = beta2;
    made->weight_decay = weight_decay;
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
    REQUIRE_FINITE(rate);
    optimizer->rate = rate;
    return MLSTM_OK;
}

float mlstm_optimizer_rate(const mlstm_optimizer *optimizer)
{
    return optimizer ? optimizer->rate : 0.0f;
}

int64_t mlstm_optimizer_step_count(const mlstm_optimizer *optimizer)
{
    return optimizer ? optimizer->steps : 0;
}

mlstm_status mlstm_optimizer_set_step_count(mlstm_optimizer *optimizer, int64_t count)
{
    REQUIRE_POINTER(optimizer);
    REQUIRE(count >= 0 && count <= MAX_STEPS, MLSTM_ERROR_INVALID_ARGUMENT,
            "count must be 0 to 2^53, got %lld", (long long)count);
    optimizer->steps = count;
    if (optimizer->rule == &rule_nadam)
        optimizer->momentum_product = nadam_momentum_product(optimizer, count);
    return MLSTM_OK;
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
    REQUIRE_PARAM(found, optimizer->layout, param, count);
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
    REQUIRE_PARAM(found, optimizer->layout, param, count);
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
    optimizer->steps++;
    optimizer->rule->update(optimizer, stack->params, grads->values);
    stack_params_changed(stack);
    return MLSTM_OK;
}
