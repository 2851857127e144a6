/* SPDX-License-Identifier: MIT */
#include <mlstm/optimizer.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "alloc.h"
#include "float_mode.h"
#include "grads.h"
#include "number.h"
#include "piece.h"
#include "stack.h"
#include "state.h"
#include "status.h"

#define MAX_SLOTS 3
#define MAX_STEPS ((int64_t)1 << 53)

/* Numbers that are decayed at a time: some vectors, soon read again. */
#define CHUNK 256

/*
 * Parameters in an update: with fewer most of it is done before a helper is awake, or before one
 * that is awake has begun.
 */
#define WORTH_WAKING ((size_t)1 << 19)
#define WORTH_DIVIDING ((size_t)1 << 15)

/* Numbers in a row that one call updates. */
struct span {
    float *values;
    const float *grads;
    size_t offset, count; /* of the slots' blocks */
    float decay;
};

struct rule {
    int32_t slots;
    const char *slot_names[MAX_SLOTS];
    bool decoupled;                            /* weight decay goes past the gradients */
    void (*begin)(mlstm_optimizer *optimizer); /* what is the same for all spans; or NULL */
    void (*update)(const mlstm_optimizer *optimizer, const struct span *span);
};

/* Of one parameter. */
struct setting {
    float decay;
    int32_t frozen;
};

struct mlstm_optimizer {
    struct layout *layout;
    const struct rule *rule;
    int64_t steps; /* updates so far, the one at work included */
    float rate;
    float momentum;
    int32_t nesterov;
    float decay, beta1, beta2, epsilon, weight_decay, momentum_decay;
    double momentum_product;                  /* NAdam's, of all steps so far */
    float moment_rate, grad_rate, root_scale; /* Adam's, of the update at work */
    float *slots[MAX_SLOTS];
    struct setting *settings; /* of each parameter, */
    bool differ;              /* which are not all those of the rule */
};

static float *slot(const mlstm_optimizer *o, int32_t index, const struct span *span)
{
    return o->slots[index] ? o->slots[index] + span->offset : NULL;
}

static void update_sgd(const mlstm_optimizer *o, const struct span *p)
{
    o->layout->kernels->sgd(p->values, p->grads, p->count, o->rate);
}

static void update_momentum(const mlstm_optimizer *o, const struct span *p)
{
    o->layout->kernels->momentum(p->values, slot(o, 0, p), p->grads, p->count, o->rate, o->momentum,
                                 o->nesterov);
}

static void update_adagrad(const mlstm_optimizer *o, const struct span *p)
{
    o->layout->kernels->adagrad(p->values, slot(o, 0, p), p->grads, p->count, o->rate);
}

static void update_rmsprop(const mlstm_optimizer *o, const struct span *p)
{
    o->layout->kernels->rmsprop(&(struct rmsprop){.values = p->values,
                                                  .squares = slot(o, 0, p),
                                                  .moments = slot(o, 1, p),
                                                  .means = slot(o, 2, p),
                                                  .grads = p->grads,
                                                  .count = p->count,
                                                  .decay = o->decay,
                                                  .rate = o->rate,
                                                  .momentum = o->momentum,
                                                  .epsilon = o->epsilon});
}

/* What numbers are multiplied by. Infinity would make NaN of the zeros in the padding, for good. */
static float factor(double value)
{
    return (float)fmax(-FLT_MAX, fmin(value, FLT_MAX));
}

static void update_adam(const mlstm_optimizer *o, const struct span *p)
{
    o->layout->kernels->adam(&(struct adam){.values = p->values,
                                            .first = slot(o, 0, p),
                                            .second = slot(o, 1, p),
                                            .largest = slot(o, 2, p),
                                            .grads = p->grads,
                                            .count = p->count,
                                            .beta1 = o->beta1,
                                            .beta2 = o->beta2,
                                            .keep = factor(1.0f - o->rate * p->decay),
                                            .moment_rate = o->moment_rate,
                                            .grad_rate = o->grad_rate,
                                            .root_scale = o->root_scale,
                                            .epsilon = o->epsilon});
}

static void set_adam(mlstm_optimizer *o, double moment_rate, double grad_rate)
{
    const double correction = 1.0 - pow((double)o->beta2, (double)o->steps);
    o->moment_rate = factor(moment_rate);
    o->grad_rate = factor(grad_rate);
    o->root_scale = (float)(1.0 / sqrt(correction));
}

static void begin_adam(mlstm_optimizer *o)
{
    set_adam(o, (double)o->rate / (1.0 - pow((double)o->beta1, (double)o->steps)), 0.0);
}

/* The momentum of step t. */
static double nadam_momentum(const mlstm_optimizer *o, int64_t t)
{
    return (double)o->beta1 * (1.0 - 0.5 * pow(0.96, (double)t * (double)o->momentum_decay));
}

/* The bits that as many updates give, which are all the same once 1 - product is 1. */
static APART void set_nadam_product(mlstm_optimizer *o)
{
    double mu = 0.0;
    o->momentum_product = 1.0;
    for (int64_t t = 1; t <= o->steps && o->momentum_product > DBL_EPSILON / 4; t++) {
        if (mu != (double)o->beta1) /* which it stays */
            mu = nadam_momentum(o, t);
        o->momentum_product *= mu;
    }
}

static void begin_nadam(mlstm_optimizer *o)
{
    const double mu = nadam_momentum(o, o->steps), next = nadam_momentum(o, o->steps + 1);
    o->momentum_product *= mu;
    set_adam(o, (double)o->rate * next / (1.0 - o->momentum_product * next),
             (double)o->rate * (1.0 - mu) / (1.0 - o->momentum_product));
}

static void update_lion(const mlstm_optimizer *o, const struct span *p)
{
    o->layout->kernels->lion(p->values, slot(o, 0, p), p->grads, p->count, o->rate, o->beta1,
                             o->beta2, factor(1.0f - o->rate * p->decay));
}

static const struct rule rule_sgd = {.update = update_sgd};
static const struct rule rule_momentum = {1, {"momentum"}, false, NULL, update_momentum};
static const struct rule rule_adagrad = {1, {"accumulator"}, false, NULL, update_adagrad};
static const struct rule rule_rmsprop = {2, {"rms", "momentum"}, false, NULL, update_rmsprop};
static const struct rule rule_centered = {
    3, {"rms", "momentum", "mg"}, false, NULL, update_rmsprop};
static const struct rule rule_adam = {2, {"exp_avg", "exp_avg_sq"}, false, begin_adam, update_adam};
static const struct rule rule_adamw = {2, {"exp_avg", "exp_avg_sq"}, true, begin_adam, update_adam};
static const struct rule rule_amsgrad = {
    3, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, false, begin_adam, update_adam};
static const struct rule rule_nadam = {
    2, {"exp_avg", "exp_avg_sq"}, false, begin_nadam, update_adam};
static const struct rule rule_lion = {1, {"exp_avg"}, true, NULL, update_lion};

/* An optimizer with all slots 0; NULL where there is no memory. */
static mlstm_optimizer *create(const mlstm_stack *stack, const struct rule *rule, float rate,
                               float weight_decay)
{
    mlstm_optimizer *made = allocate(&stack->allocator, sizeof *made);
    if (!made)
        return NULL;
    const struct layout *layout = made->layout = layout_retain(stack->layout);
    made->rule = rule;
    made->rate = rate;
    made->weight_decay = weight_decay;
    made->momentum_product = 1.0;
    made->settings = allocate(&stack->allocator, (size_t)layout->params * sizeof *made->settings);
    bool complete = made->settings;
    for (int32_t i = 0; i < rule->slots; i++) {
        made->slots[i] = allocate(&stack->allocator, layout->count * sizeof(float));
        complete = complete && made->slots[i];
    }
    if (!complete) {
        mlstm_optimizer_destroy(made);
        return NULL;
    }
    for (int32_t i = 0; i < layout->params; i++)
        made->settings[i].decay = weight_decay;
    return made;
}

mlstm_status mlstm_sgd_create(const mlstm_stack *stack, float rate, float momentum,
                              int32_t nesterov, mlstm_optimizer **optimizer)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(optimizer);
    REQUIRE_FINITE(rate);
    REQUIRE_0_TO_1(momentum);
    REQUIRE(nesterov == 0 || (nesterov == 1 && momentum > 0.0f), MLSTM_ERROR_INVALID_ARGUMENT,
            "nesterov must be 0, or 1 with a momentum; got %d with %g", nesterov, (double)momentum);
    mlstm_optimizer *made = create(stack, momentum > 0.0f ? &rule_momentum : &rule_sgd, rate, 0.0f);
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
    mlstm_optimizer *made = create(stack, &rule_adagrad, rate, 0.0f);
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
    mlstm_optimizer *made = create(stack, centered ? &rule_centered : &rule_rmsprop, rate, 0.0f);
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
                                    float beta1, float beta2, float epsilon, float weight_decay)
{
    mlstm_optimizer *made = create(stack, rule, rate, weight_decay);
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
    mlstm_optimizer *made = create_adam(stack, &rule_adam, rate, beta1, beta2, epsilon, 0.0f);
    REQUIRE_MEMORY(made);
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_adamw_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                float epsilon, float weight_decay, mlstm_optimizer **optimizer)
{
    REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer);
    REQUIRE_NOT_NEGATIVE(weight_decay);
    mlstm_optimizer *made =
        create_adam(stack, &rule_adamw, rate, beta1, beta2, epsilon, weight_decay);
    REQUIRE_MEMORY(made);
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_amsgrad_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                  float epsilon, mlstm_optimizer **optimizer)
{
    REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer);
    mlstm_optimizer *made = create_adam(stack, &rule_amsgrad, rate, beta1, beta2, epsilon, 0.0f);
    REQUIRE_MEMORY(made);
    *optimizer = made;
    return MLSTM_OK;
}

mlstm_status mlstm_nadam_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                float epsilon, float momentum_decay, mlstm_optimizer **optimizer)
{
    REQUIRE_ADAM(stack, rate, beta1, beta2, epsilon, optimizer);
    REQUIRE_NOT_NEGATIVE(momentum_decay);
    mlstm_optimizer *made = create_adam(stack, &rule_nadam, rate, beta1, beta2, epsilon, 0.0f);
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
    mlstm_optimizer *made = create(stack, &rule_lion, rate, weight_decay);
    REQUIRE_MEMORY(made);
    made->beta1 = beta1;
    made->beta2 = beta2;
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
    release(&allocator, optimizer->settings);
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
    if (optimizer->rule == &rule_nadam) {
        const struct float_mode callers = float_mode_enter();
        set_nadam_product(optimizer);
        float_mode_leave(callers);
    }
    return MLSTM_OK;
}

/* NULL where the optimizer or the parameter is not there. */
static struct setting *find_setting(const mlstm_optimizer *o, const char *name)
{
    const struct param *param = o && name ? layout_find(o->layout, name) : NULL;
    return param ? &o->settings[param - o->layout->param] : NULL;
}

static void compare_settings(mlstm_optimizer *o)
{
    o->differ = false;
    for (int32_t i = 0; i < o->layout->params; i++)
        o->differ |= o->settings[i].frozen || o->settings[i].decay != o->weight_decay;
}

mlstm_status mlstm_optimizer_set_weight_decay(mlstm_optimizer *optimizer, const char *param,
                                              float decay)
{
    REQUIRE_POINTER(optimizer);
    REQUIRE_POINTER(param);
    REQUIRE_NOT_NEGATIVE(decay);
    struct setting *setting = find_setting(optimizer, param);
    REQUIRE(setting, MLSTM_ERROR_NOT_FOUND, "there is no parameter \"%.64s\"", param);
    setting->decay = decay;
    compare_settings(optimizer);
    return MLSTM_OK;
}

float mlstm_optimizer_weight_decay(const mlstm_optimizer *optimizer, const char *param)
{
    const struct setting *setting = find_setting(optimizer, param);
    return setting ? setting->decay : 0.0f;
}

mlstm_status mlstm_optimizer_set_frozen(mlstm_optimizer *optimizer, const char *param,
                                        int32_t frozen)
{
    REQUIRE_POINTER(optimizer);
    REQUIRE_POINTER(param);
    REQUIRE(frozen == 0 || frozen == 1, MLSTM_ERROR_INVALID_ARGUMENT,
            "frozen must be 0 or 1, got %d", frozen);
    struct setting *setting = find_setting(optimizer, param);
    REQUIRE(setting, MLSTM_ERROR_NOT_FOUND, "there is no parameter \"%.64s\"", param);
    setting->frozen = frozen;
    compare_settings(optimizer);
    return MLSTM_OK;
}

int32_t mlstm_optimizer_frozen(const mlstm_optimizer *optimizer, const char *param)
{
    const struct setting *setting = find_setting(optimizer, param);
    return setting ? setting->frozen : 0;
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

/* The classic weight decay, by gradients that are the caller's plus decay * value. */
static APART void update_decayed(const mlstm_optimizer *o, struct span span)
{
    float grads[CHUNK];
    for (size_t left = span.count; left > 0; left -= span.count) {
        span.count = left < CHUNK ? left : CHUNK;
        for (size_t i = 0; i < span.count; i++)
            grads[i] = span.grads[i] + span.decay * span.values[i];
        o->rule->update(o, &(struct span){span.values, grads, span.offset, span.count, 0.0f});
        span.values += span.count;
        span.grads += span.count;
        span.offset += span.count;
    }
}

static void update_span(const mlstm_optimizer *o, const struct span *span)
{
    if (span->decay == 0.0f || o->rule->decoupled)
        o->rule->update(o, span);
    else
        update_decayed(o, *span);
}

/* Each parameter by its settings. */
static void update_params(const mlstm_optimizer *o, float *params, const float *grads,
                          const struct worker *worker)
{
    for (int32_t i = 0; i < o->layout->params; i++) {
        const struct param *param = &o->layout->param[i];
        if (o->settings[i].frozen)
            continue;
        const struct range panel = worker_items(worker, piece_count(o->layout, param));
        for (int32_t p = panel.begin; p < panel.end; p++) {
            const struct piece piece = piece_of(o->layout, param, p);
            update_span(o, &(struct span){params + piece.offset, grads + piece.offset, piece.offset,
                                          piece.count, o->settings[i].decay});
        }
    }
}

/* All parameters alike. Panels are whole vectors: divided or not, an update has the same bits. */
static void update_all(const mlstm_optimizer *o, float *params, const float *grads,
                       const struct worker *worker)
{
    if (worker->count == 1) {
        o->rule->update(o, &(struct span){params, grads, 0, o->layout->count, o->weight_decay});
        return;
    }
    for (int32_t i = 0; i < o->layout->matrix_count; i++) {
        const struct matrix *m = &o->layout->matrices[i];
        const struct range panel = worker_items(worker, m->panels);
        const size_t begin = m->offset + (size_t)panel.begin * m->panel;
        o->rule->update(o, &(struct span){params + begin, grads + begin, begin,
                                          (size_t)(panel.end - panel.begin) * m->panel,
                                          o->weight_decay});
    }
}

struct update {
    const mlstm_optimizer *optimizer;
    mlstm_stack *stack;
    const float *grads;
};

/*
 * On as many threads as the pass back: where they divide the panels evenly, each takes those whose
 * gradients it has computed, which are in its core's cache. What it transposes is what it has
 * updated.
 */
static void update(void *context, struct worker *worker)
{
    const struct update *u = context;
    if (u->optimizer->differ)
        update_params(u->optimizer, u->stack->params, u->grads, worker);
    else
        update_all(u->optimizer, u->stack->params, u->grads, worker);
    stack_refresh(u->stack, worker);
}

/* What both ways to update refuse. */
#define REQUIRE_UPDATE(optimizer, stack, grads)                                                    \
    REQUIRE_POINTER(optimizer);                                                                    \
    REQUIRE_POINTER(stack);                                                                        \
    REQUIRE_POINTER(grads);                                                                        \
    REQUIRE_SAME_STACK(optimizer, stack, "optimizer is");                                          \
    REQUIRE_SAME_STACK(grads, stack, "gradients are")

/* How many threads of the state, if there is one, update so many parameters. */
static int32_t update_threads(const mlstm_state *state, size_t count)
{
    if (!state || !state->team || count < WORTH_DIVIDING)
        return 1;
    const int32_t threads = state->backward_threads;
    return count >= WORTH_WAKING || team_is_awake(state->team, threads) ? threads : 1;
}

static void apply(mlstm_optimizer *optimizer, mlstm_stack *stack, const mlstm_grads *grads,
                  mlstm_state *state)
{
    const struct float_mode callers = float_mode_enter();
    optimizer->steps++;
    if (optimizer->rule->begin)
        optimizer->rule->begin(optimizer);
    struct update pass = {optimizer, stack, grads->values};
    const int32_t threads = update_threads(state, stack->layout->count);
    if (threads > 1) {
        team_run(state->team, threads, update, &pass);
        (void)team_slept(state->team); /* not in the pass that comes next */
    } else {
        update(&pass, &(struct worker){.count = 1});
    }
    float_mode_leave(callers);
}

mlstm_status mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack,
                               const mlstm_grads *grads)
{
    REQUIRE_UPDATE(optimizer, stack, grads);
    apply(optimizer, stack, grads, NULL);
    return MLSTM_OK;
}

mlstm_status mlstm_state_apply_grads(mlstm_state *state, mlstm_optimizer *optimizer,
                                     mlstm_stack *stack, const mlstm_grads *grads)
{
    REQUIRE_POINTER(state);
    REQUIRE_UPDATE(optimizer, stack, grads);
    REQUIRE_SAME_STACK(state, stack, "state is");
    apply(optimizer, stack, grads, state);
    return MLSTM_OK;
}
