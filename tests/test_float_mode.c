/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include "state.h"

#include "support.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

static const struct shape shape = {3, 5, 2, {3, 9, 19}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

static const struct shape single = {1, 5, 2, {3, 5, 19}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

static const struct shape special = {
    3, 5, 1, {3, 19}, 4, MLSTM_READOUT_H, 1, .training = 1, .seed = 1,
    .options = {{.more_biases = 1, .peepholes = 1, .projection = 7, .norm = MLSTM_NORM_GATES,
                 .epsilon = 1e-3f, .cell_clip = 0.7f, .zoneout_h = 0.3f, .dropout = 0.3f,
                 .merge = MLSTM_MERGE_SUM, .learned = 1}}};

enum { OUTPUTS = 4, ROWS = 5 * 3, ENDS = 11 };

/* What the calls below work on, and where they leave what they give. */
static struct world {
    struct model *m, *single, *special;
    mlstm_grads *more;
    mlstm_state *threaded;
    mlstm_optimizer *optimizers[10];
    mlstm_cell *cell;
    struct results *results;
    float y[ROWS * OUTPUTS], p[ROWS * OUTPUTS], d[ENDS][ROWS * OUTPUTS], numbers[16];
    float weights[76];
    int32_t labels[ROWS];
    int64_t streak;
    mlstm_status status;
} w;

static void make_optimizers(const mlstm_stack *stack, mlstm_optimizer **optimizers)
{
    assert_ok(mlstm_sgd_create(stack, 0.3f, 0, 0, &optimizers[0]));
    assert_ok(mlstm_sgd_create(stack, 0.3f, 0.7f, 1, &optimizers[1]));
    assert_ok(mlstm_adagrad_create(stack, 0.3f, 0.1f, &optimizers[2]));
    assert_ok(mlstm_rmsprop_create(stack, 0.3f, 0.7f, 0.1f, 1e-6f, 0, &optimizers[3]));
    assert_ok(mlstm_rmsprop_create(stack, 0.3f, 0.7f, 0.1f, 1e-6f, 1, &optimizers[4]));
    assert_ok(mlstm_adam_create(stack, 0.3f, 0.9f, 0.99f, 1e-6f, &optimizers[5]));
    assert_ok(mlstm_adamw_create(stack, 0.3f, 0.9f, 0.99f, 1e-6f, 0.1f, &optimizers[6]));
    assert_ok(mlstm_amsgrad_create(stack, 0.3f, 0.9f, 0.99f, 1e-6f, &optimizers[7]));
    assert_ok(mlstm_nadam_create(stack, 0.3f, 0.9f, 0.99f, 1e-6f, 0.3f, &optimizers[8]));
    assert_ok(mlstm_lion_create(stack, 0.3f, 0.9f, 0.99f, 0.1f, &optimizers[9]));
    assert_ok(mlstm_optimizer_set_weight_decay(optimizers[5], "layer0.kernel", 0.3f));
    assert_ok(mlstm_optimizer_set_weight_decay(optimizers[6], "layer0.kernel", 0.3f));
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    w.m = new_model(&shape, 1);
    w.single = new_model(&single, 1);
    w.special = new_model(&special, 1);
    w.results = new_results(&shape);
    assert_ok(mlstm_grads_create(w.m->stack, &w.more));
    assert_ok(mlstm_state_create(w.m->stack, shape.batch, shape.steps, &w.threaded));
    share_passes(w.threaded, BY_ROWS);
    assert_ok(mlstm_cell_create(3, 5, &w.cell));
    make_optimizers(w.m->stack, w.optimizers);
    struct random random = {3};
    random_fill(&random, w.weights, COUNT(w.weights), 0.5f, 2);
    for (int32_t r = 0; r < ROWS; r++)
        w.labels[r] = r % OUTPUTS;
}

static void end(void)
{
    assert_shared(w.threaded);
    mlstm_grads_destroy(w.more);
    mlstm_state_destroy(w.threaded);
    mlstm_cell_destroy(w.cell);
    for (size_t i = 0; i < COUNT(w.optimizers); i++)
        mlstm_optimizer_destroy(w.optimizers[i]);
    free_results(w.results);
    free_model(w.m);
    free_model(w.single);
    free_model(w.special);
}

/* Calls, one for each public function with arithmetic; what is refused must be so in every mode. */
#define CALL(name, expression)                                                                     \
    static void name(void)                                                                         \
    {                                                                                              \
        w.status = (expression);                                                                   \
    }

CALL(init, mlstm_stack_init(w.m->stack, MLSTM_ORTHOGONAL, 5))
CALL(init_param, mlstm_stack_init_param(w.m->stack, "layer0.bias", MLSTM_NORMAL, 0.1f, 0.3f, 5))
CALL(init_uniform, mlstm_stack_init_param(w.m->stack, "layer1.bias", MLSTM_UNIFORM, 0, 0.3f, 5))
CALL(begin_window, mlstm_state_begin_window(w.m->state))
CALL(forward, mlstm_forward(w.m->stack, w.m->state, w.m->x, shape.steps - 1, w.y))
CALL(step_forward, mlstm_step_forward(w.m->stack, w.m->state, w.m->x, w.y + 12 * OUTPUTS))
CALL(single_step, mlstm_step_forward(w.single->stack, w.single->state, w.single->x, w.d[8]))
CALL(softmax, mlstm_softmax_cross_entropy(w.y, w.labels, ROWS, OUTPUTS, w.p, w.d[0], &w.numbers[0]))
CALL(probabilities, mlstm_softmax(w.y, ROWS, OUTPUTS, w.d[10]))
CALL(weighted, mlstm_softmax_cross_entropy_weighted(w.y, w.labels, w.weights, ROWS, OUTPUTS, 3,
                                                    0.1f, w.p, w.d[1], &w.numbers[1]))
CALL(sigmoid, mlstm_sigmoid_cross_entropy(w.y, w.p, ROWS * OUTPUTS, w.d[2], &w.numbers[2]))
CALL(absolute, mlstm_absolute_error(w.y, w.p, ROWS * OUTPUTS, w.d[3], &w.numbers[3]))
CALL(huber, mlstm_huber_loss(w.y, w.p, ROWS * OUTPUTS, 0.3f, w.d[4], &w.numbers[4]))
CALL(squared, mlstm_squared_error(w.y, w.p, ROWS * OUTPUTS, w.d[5], &w.numbers[5]))
CALL(backward, mlstm_backward(w.m->stack, w.m->state, w.d[0], w.m->dh_top, w.m->dc_top,
                              w.results->dx, w.m->grads))
CALL(special_bias, mlstm_stack_set_param(w.special->stack, "layer0.bias_h", w.weights, 76))
CALL(special_forward, mlstm_forward(w.special->stack, w.special->state, w.special->x,
                                    special.steps, w.d[7]))
CALL(special_backward, mlstm_backward(w.special->stack, w.special->state, w.d[0], NULL, NULL, NULL,
                                      w.special->grads))
CALL(threads, mlstm_state_set_threads(w.threaded, 3))
CALL(threaded, mlstm_forward(w.m->stack, w.threaded, w.m->x, shape.steps, w.d[6]))
CALL(scale, mlstm_grads_scale(w.m->grads, 1 / 3.0f))
CALL(add, mlstm_grads_add(w.more, w.m->grads))
CALL(norm, mlstm_grads_norm(w.m->grads, &w.numbers[6]))
CALL(check, mlstm_grads_check(w.m->grads, NULL))
CALL(clip_norm, mlstm_grads_clip_norm(w.m->grads, 0.1f, &w.numbers[7]))
CALL(clip_value, mlstm_grads_clip_value(w.m->grads, 0.01f))
CALL(clip_param_norm, mlstm_grads_clip_param_norm(w.m->grads, 0.01f))
CALL(sgd, mlstm_apply_grads(w.optimizers[0], w.m->stack, w.more))
CALL(nesterov, mlstm_apply_grads(w.optimizers[1], w.m->stack, w.more))
CALL(adagrad, mlstm_apply_grads(w.optimizers[2], w.m->stack, w.more))
CALL(rmsprop, mlstm_apply_grads(w.optimizers[3], w.m->stack, w.more))
CALL(centered, mlstm_apply_grads(w.optimizers[4], w.m->stack, w.more))
CALL(adam, mlstm_apply_grads(w.optimizers[5], w.m->stack, w.more))
CALL(adamw, mlstm_apply_grads(w.optimizers[6], w.m->stack, w.more))
CALL(amsgrad, mlstm_apply_grads(w.optimizers[7], w.m->stack, w.more))
CALL(step_count, mlstm_optimizer_set_step_count(w.optimizers[8], 1000))
CALL(nadam, mlstm_apply_grads(w.optimizers[8], w.m->stack, w.more))
CALL(lion, mlstm_apply_grads(w.optimizers[9], w.m->stack, w.more))
CALL(state_apply, mlstm_state_apply_grads(w.threaded, w.optimizers[2], w.m->stack, w.more))

#define SCHEDULE(name, index, expression)                                                          \
    static void name(void)                                                                         \
    {                                                                                              \
        w.numbers[index] = (expression);                                                           \
    }

SCHEDULE(schedule_step, 8, mlstm_schedule_step(0.1f, 7, 3, 0.3f))
SCHEDULE(schedule_exponential, 9, mlstm_schedule_exponential(0.1f, 7, 3, 0.3f))
SCHEDULE(schedule_cosine, 10, mlstm_schedule_cosine(0.1f, 7, 11, 0.3f))
SCHEDULE(schedule_warmup, 11, mlstm_schedule_warmup(0.1f, 7, 11, 0.3f))
SCHEDULE(loss_scale, 12, mlstm_schedule_loss_scale(0.7f, 0, 5, 2, 0.3f, &w.streak))
SCHEDULE(no_schedule, 13, mlstm_schedule_exponential(0.1f, 7, 3, NAN))

/* NaN in the caller's arguments is refused without a trap. */
#define REFUSAL(name, expression) CALL(name, !(expression))
static mlstm_optimizer *none;
REFUSAL(no_momentum, mlstm_sgd_create(w.m->stack, 1, NAN, 0, &none))
REFUSAL(no_decay, mlstm_rmsprop_create(w.m->stack, 1, NAN, 0, 1, 0, &none))
REFUSAL(no_epsilon, mlstm_adam_create(w.m->stack, 1, 0.5f, 0.5f, NAN, &none))
REFUSAL(no_weight_decay, mlstm_optimizer_set_weight_decay(w.optimizers[0], "layer0.bias", NAN))
REFUSAL(no_max_norm, mlstm_grads_clip_norm(w.m->grads, NAN, NULL))
REFUSAL(no_param_norm, mlstm_grads_clip_param_norm(w.m->grads, NAN))
REFUSAL(no_limit, mlstm_grads_clip_value(w.m->grads, NAN))
REFUSAL(no_delta, mlstm_huber_loss(w.y, w.p, 4, NAN, NULL, NULL))
REFUSAL(no_smoothing, mlstm_softmax_cross_entropy_weighted(w.y, w.labels, NULL, ROWS, OUTPUTS, 3,
                                                           NAN, NULL, NULL, NULL))
REFUSAL(no_forget_bias, mlstm_cell_set_forget_bias(w.cell, NAN))
REFUSAL(no_projection_clip, mlstm_cell_set_projection_clip(w.cell, NAN))
REFUSAL(no_cell_clip, mlstm_cell_set_cell_clip(w.cell, NAN))
REFUSAL(no_norm, mlstm_cell_set_norm(w.cell, MLSTM_NORM_GATES, NAN))
REFUSAL(no_zoneout_c, mlstm_cell_set_zoneout(w.cell, NAN, 0))
REFUSAL(no_zoneout_h, mlstm_cell_set_zoneout(w.cell, 0, NAN))
REFUSAL(no_dropout, mlstm_cell_set_dropout(w.cell, NAN, 0))
REFUSAL(no_recurrent_dropout, mlstm_cell_set_recurrent_dropout(w.cell, NAN, 0, 0))

/* And so is a denormal, also where the caller's mode takes it for 0. */
REFUSAL(tiny_momentum, mlstm_sgd_create(w.m->stack, 1, 1e-39f, 0, &none))
REFUSAL(tiny_decay, mlstm_rmsprop_create(w.m->stack, 1, 1e-39f, 0, 1, 0, &none))
REFUSAL(tiny_epsilon, mlstm_adam_create(w.m->stack, 1, 0.5f, 0.5f, 1e-39f, &none))
REFUSAL(tiny_weight_decay, mlstm_optimizer_set_weight_decay(w.optimizers[0], "layer0.bias", 1e-39f))
REFUSAL(tiny_max_norm, mlstm_grads_clip_norm(w.m->grads, 1e-39f, NULL))
REFUSAL(tiny_param_norm, mlstm_grads_clip_param_norm(w.m->grads, 1e-39f))
REFUSAL(tiny_limit, mlstm_grads_clip_value(w.m->grads, 1e-39f))
REFUSAL(tiny_delta, mlstm_huber_loss(w.y, w.p, 4, 1e-39f, NULL, NULL))
REFUSAL(tiny_smoothing, mlstm_softmax_cross_entropy_weighted(w.y, w.labels, NULL, ROWS, OUTPUTS, 3,
                                                             1e-39f, NULL, NULL, NULL))
REFUSAL(tiny_projection_clip, mlstm_cell_set_projection_clip(w.cell, 1e-39f))
REFUSAL(tiny_cell_clip, mlstm_cell_set_cell_clip(w.cell, 1e-39f))
REFUSAL(tiny_norm, mlstm_cell_set_norm(w.cell, MLSTM_NORM_GATES, 1e-39f))
REFUSAL(tiny_zoneout_c, mlstm_cell_set_zoneout(w.cell, 1e-39f, 0))
REFUSAL(tiny_zoneout_h, mlstm_cell_set_zoneout(w.cell, 0, 1e-39f))
REFUSAL(tiny_dropout, mlstm_cell_set_dropout(w.cell, 1e-39f, 0))
REFUSAL(tiny_recurrent_dropout, mlstm_cell_set_recurrent_dropout(w.cell, 1e-39f, 0, 0))

/* Of so many units that a state divides by what does not divide them. */
static mlstm_status create_wide(void)
{
    mlstm_cell *cell = NULL;
    mlstm_stack *stack = NULL;
    mlstm_state *state = NULL;
    mlstm_status status = mlstm_cell_create(8, 330, &cell);
    status = status ? status : mlstm_stack_create(&cell, 1, &stack);
    status = status ? status : mlstm_state_create(stack, 2, 1, &state);
    mlstm_state_destroy(state);
    mlstm_stack_destroy(stack);
    return status;
}

CALL(wide_state, create_wide())

/* Denormals where any number will do, and what is not read. */
CALL(tiny_rate, mlstm_optimizer_set_rate(w.optimizers[0], 1e-40f))
CALL(tiny_forget_bias, mlstm_cell_set_forget_bias(w.cell, 1e-40f))
CALL(tiny_scale, mlstm_grads_scale(w.m->grads, 1e-40f))
CALL(tiny_range, mlstm_stack_init_param(w.m->stack, "layer0.bias", MLSTM_UNIFORM, -1e-40f, 1e-40f,
                                        5))
CALL(unused_range, mlstm_stack_init_param(w.m->stack, "layer1.bias", MLSTM_ZEROS,
                                          __builtin_nansf(""), 1e-40f, 5))
CALL(unused_delta, mlstm_weighted_loss(MLSTM_SQUARED_ERROR, w.y, w.p, w.weights, ROWS, OUTPUTS,
                                       1e-40f, w.d[9], &w.numbers[14]))

#define ROW(name) {#name, name}
struct call {
    const char *name;
    void (*run)(void);
};
static const struct call calls[] = {
    ROW(init), ROW(init_param), ROW(init_uniform), ROW(begin_window), ROW(forward),
    ROW(step_forward), ROW(single_step), ROW(softmax), ROW(probabilities), ROW(weighted), ROW(sigmoid),
    ROW(absolute), ROW(huber), ROW(squared), ROW(backward), ROW(special_bias), ROW(special_forward),
    ROW(special_backward), ROW(threads), ROW(threaded), ROW(scale), ROW(add), ROW(norm), ROW(check),
    ROW(clip_norm), ROW(clip_value), ROW(clip_param_norm), ROW(sgd), ROW(nesterov), ROW(adagrad),
    ROW(rmsprop), ROW(centered), ROW(adam), ROW(adamw), ROW(amsgrad), ROW(step_count), ROW(nadam),
    ROW(lion), ROW(state_apply), ROW(schedule_step), ROW(schedule_exponential),
    ROW(schedule_cosine), ROW(schedule_warmup), ROW(loss_scale), ROW(no_schedule), ROW(no_momentum),
    ROW(no_decay), ROW(no_epsilon), ROW(no_weight_decay), ROW(no_max_norm), ROW(no_param_norm),
    ROW(no_limit), ROW(no_delta), ROW(no_smoothing), ROW(no_forget_bias), ROW(no_projection_clip),
    ROW(no_cell_clip), ROW(no_norm), ROW(no_zoneout_c), ROW(no_zoneout_h), ROW(no_dropout),
    ROW(no_recurrent_dropout), ROW(wide_state), ROW(tiny_rate), ROW(tiny_forget_bias),
    ROW(tiny_scale), ROW(tiny_range), ROW(unused_range), ROW(unused_delta),
};

static const struct call tiny_settings[] = {
    ROW(tiny_momentum), ROW(tiny_decay), ROW(tiny_epsilon), ROW(tiny_weight_decay),
    ROW(tiny_max_norm), ROW(tiny_param_norm), ROW(tiny_limit), ROW(tiny_delta),
    ROW(tiny_smoothing), ROW(tiny_projection_clip), ROW(tiny_cell_clip), ROW(tiny_norm),
    ROW(tiny_zoneout_c), ROW(tiny_zoneout_h), ROW(tiny_dropout), ROW(tiny_recurrent_dropout),
};

/* Everything that the calls have made. */
struct seen {
    float params[3000], grads[3000], more[3000], special[3000];
    float y[ROWS * OUTPUTS], p[ROWS * OUTPUTS], d[ENDS][ROWS * OUTPUTS], dx[ROWS * 3], numbers[16];
};

static void look(struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    assert_true(param_numbers(&shape) <= COUNT(seen->params));
    get_params(w.m->stack, seen->params);
    get_grads(w.m->stack, w.m->grads, seen->grads);
    get_grads(w.m->stack, w.more, seen->more);
    assert_true(param_numbers(&special) <= COUNT(seen->special));
    get_grads(w.special->stack, w.special->grads, seen->special);
    memcpy(seen->y, w.y, sizeof w.y);
    memcpy(seen->p, w.p, sizeof w.p);
    memcpy(seen->d, w.d, sizeof w.d);
    memcpy(seen->dx, w.results->dx, sizeof seen->dx);
    memcpy(seen->numbers, w.numbers, sizeof w.numbers);
}

/*
 * The mode of this thread, all of it that can be read, as if something had been inexact: calls may
 * raise this flag.
 */
struct mode {
    int rounding, flags;
    uint64_t control, status;
};

#if defined(__x86_64__) || defined(__i386__)
/* Without the intrinsics, which tests for i386 are not compiled for. */
static uint32_t mxcsr(void)
{
    uint32_t control;
    __asm__ volatile("stmxcsr %0" : "=m"(control));
    return control;
}
#endif

static struct mode mode_now(void)
{
    struct mode mode = {fegetround(), fetestexcept(FE_ALL_EXCEPT) | FE_INEXACT, 0, 0};
#if defined(__x86_64__) || defined(__i386__)
    mode.control = mxcsr() | FE_INEXACT;
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(mode.control), "=r"(mode.status));
#endif
    return mode;
}

static void upward(void)
{
    fesetround(FE_UPWARD);
}

static void downward_with_flags(void)
{
    fesetround(FE_DOWNWARD);
    feraiseexcept(FE_ALL_EXCEPT);
}

static void ordinary(void) {}

static void raise_flags(int flags)
{
#if defined(__x86_64__) || defined(__i386__)
    const uint32_t control = mxcsr() | (uint32_t)flags; /* feraiseexcept may take the x87's */
    __asm__ volatile("ldmxcsr %0" ::"m"(control));
#else
    feraiseexcept(flags);
#endif
}

static void underflowed(void)
{
    raise_flags(FE_UNDERFLOW);
}

static void with_flags(void)
{
    raise_flags(FE_ALL_EXCEPT);
}

static void with_denormal_flag(void)
{
#if defined(__x86_64__) || defined(__i386__)
    raise_flags(0x02);
#endif
}

/* As after -ffast-math. */
static void flushing(void)
{
#if defined(__x86_64__) || defined(__i386__)
    const uint32_t control = mxcsr() | 0x8040;
    __asm__ volatile("ldmxcsr %0" ::"m"(control));
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"((uint64_t)1 << 24));
#endif
}

/* Where the processor can: whatever is inexact outside of the library's own mode is a SIGFPE. */
static void trapping(void)
{
#if defined(__GLIBC__)
    feenableexcept(FE_ALL_EXCEPT);
#endif
}

/* A call in the mode, which it leaves as it was. */
static void run_call(const char *mode, void (*set_mode)(void), const struct call *call)
{
    w.status = MLSTM_OK;
    fesetenv(FE_DFL_ENV);
    set_mode();
    const struct mode before = mode_now();
    call->run();
    const struct mode after = mode_now();
    fesetenv(FE_DFL_ENV);
    if (w.status != MLSTM_OK)
        fail_msg("%s, %s: %s", mode, call->name, mlstm_last_error());
    if (memcmp(&before, &after, sizeof before) != 0)
        fail_msg("%s, %s: rounding %d, now %d; flags %#x, now %#x; control %#llx, now %#llx", mode,
                 call->name, before.rounding, after.rounding, before.flags, after.flags,
                 (unsigned long long)before.control, (unsigned long long)after.control);
}

static void run_all(const char *mode, void (*set_mode)(void), struct seen *seen)
{
    begin();
    for (size_t i = 0; i < COUNT(calls); i++)
        run_call(mode, set_mode, &calls[i]);
    look(seen);
    end();
}

static void the_callers_mode_stays(void **state)
{
    (void)state;
    static const struct call modes[] = {ROW(upward), ROW(downward_with_flags), ROW(flushing),
                                        ROW(trapping)};
    struct seen *expected = test_malloc(sizeof *expected), *got = test_malloc(sizeof *got);
    run_all("ordinary", ordinary, expected);
    for (size_t i = 0; i < COUNT(modes); i++) {
        run_all(modes[i].name, modes[i].run, got);
        assert_same_bits(modes[i].name, (float *)got, (float *)expected,
                         sizeof *got / sizeof(float));
    }
    test_free(expected);
    test_free(got);
}

static void denormals_are_no_settings(void **state)
{
    (void)state;
    static const struct call modes[] = {ROW(ordinary), ROW(flushing), ROW(trapping)};
    begin();
    for (size_t m = 0; m < COUNT(modes); m++)
        for (size_t i = 0; i < COUNT(tiny_settings); i++)
            run_call(modes[m].name, modes[m].run, &tiny_settings[i]);
    end();
}

/* Modes do something here: what a processor that ignores them would pass by itself. */
static void modes_matter(void **state)
{
    (void)state;
    volatile float one = 1, three = 3, sum;
    sum = one / three;
    const float nearest = sum;
    fesetround(FE_DOWNWARD);
    sum = one / three;
    fesetround(FE_TONEAREST);
    assert_true(sum < nearest);
}

static const float tiny[] = {1e-40f, -1e-39f, 1.1e-38f, -1e-45f};

static void fill(float *values, size_t count, int with_tiny)
{
    for (size_t i = 0; i < count; i++)
        values[i] = with_tiny ? tiny[i % COUNT(tiny)] : 0;
}

/* Modes in which passes may meet denormals. */
static const struct call modes[] = {ROW(ordinary),           ROW(underflowed), ROW(with_flags),
                                    ROW(with_denormal_flag), ROW(flushing)};

/* A pass begins in the mode and leaves it as it was. */
static struct mode before;

static void enter_mode(size_t mode)
{
    fesetenv(FE_DFL_ENV);
    modes[mode].run();
    before = mode_now();
}

static void leave_mode(void)
{
    const struct mode after = mode_now();
    fesetenv(FE_DFL_ENV);
    assert_memory_equal(&before, &after, sizeof before);
}

static void zero_param(const mlstm_stack *stack, const char *name)
{
    assert_ok(mlstm_stack_init_param((mlstm_stack *)stack, name, MLSTM_ZEROS, 0, 0, 0));
}

enum kind { X, STATE, RECURRENT, GRADIENTS, KINDS };

/* Numbers of the kind are denormal or 0. Beside them stands no other that would hide them. */
static void fill_kind(struct model *m, enum kind kind, int with_tiny)
{
    const struct shape *s = &m->shape;
    const size_t hidden = (size_t)s->sizes[2], inputs = (size_t)s->sizes[1] + hidden;
    const size_t weights = inputs * 4 * hidden;
    if (kind != GRADIENTS) {
        zero_param(m->stack, "layer0.bias");
        zero_param(m->stack, "layer1.bias");
        zero_param(m->stack, "readout.bias");
    }
    if (kind == X || kind == STATE) {
        fill(m->x, x_numbers(s), kind == X && with_tiny);
        fill(m->initial_state, state_numbers(s), kind == STATE && with_tiny);
    }
    if (kind == RECURRENT) {
        float *kernel = floats(weights);
        fill(kernel, weights, with_tiny);
        assert_ok(mlstm_stack_set_param(m->stack, "layer1.kernel", kernel, weights));
        test_free(kernel);
        fill(m->initial_state, state_numbers(s), 0);
    }
    if (kind == GRADIENTS) {
        fill(m->dy, y_numbers(s), with_tiny);
        fill(m->dh_top, top_numbers(s), with_tiny);
        fill(m->dc_top, top_c_numbers(s), with_tiny);
        fill(m->dfinal_state, state_numbers(s), with_tiny);
    }
}

static void denormals_are_zeros_in(const struct shape *s, size_t mode)
{
    for (enum kind kind = X; kind < KINDS; kind++) {
        struct results *got[2];
        for (int with_tiny = 0; with_tiny < 2; with_tiny++) {
            struct model *m = new_model(s, 2);
            got[with_tiny] = new_results(s);
            fill_kind(m, kind, with_tiny);
            enter_mode(mode);
            run_model(m, m->state, m->grads, got[with_tiny]);
            leave_mode();
            free_model(m);
        }
        assert_same_results(s, got[1], got[0]);
        for (size_t i = 0; kind == GRADIENTS && i < param_numbers(s); i++)
            assert_true(got[1]->dparams[i] == 0);
        free_results(got[0]);
        free_results(got[1]);
    }
}

/* A model whose numbers of one kind are denormal gives the bits of one where they are 0. */
static void denormals_are_zeros(void **state)
{
    (void)state;
    static const struct shape one_row = {1, 1, 2, {3, 5, 19}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H,
                                         1};
    static const struct shape small = {3, 5, 2, {3, 4, 2}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};
    static const struct shape *const shapes[] = {&shape, &one_row, &small};
    for (size_t i = 0; i < COUNT(shapes); i++)
        for (size_t mode = 0; mode < COUNT(modes); mode++)
            denormals_are_zeros_in(shapes[i], mode);
}

static void fade(const struct shape *s, size_t mode)
{
    const size_t count = state_numbers(s);
    mlstm_stack *stack = new_stack(s);
    mlstm_state *fading;
    float *x = floats(x_numbers(s)), *values = floats(count);
    for (size_t i = 0; i < count; i++)
        values[i] = 1;
    assert_ok(mlstm_state_create(stack, s->batch, 0, &fading));
    assert_ok(mlstm_state_set(fading, values, count));
    for (int t = 0; t < 200; t++) {
        fading->not_tried = 0;
        enter_mode(mode);
        assert_ok(mlstm_step_forward(stack, fading, x, NULL));
        leave_mode();
        assert_ok(mlstm_state_get(fading, values, count));
        for (size_t i = 0; i < count; i++)
            assert_true(t < 120 ? isnormal(values[i]) : isnormal(values[i]) || values[i] == 0);
    }
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == 0);
    mlstm_state_destroy(fading);
    mlstm_stack_destroy(stack);
    test_free(x);
    test_free(values);
}

/* With all parameters 0, c fades by half in each step, and is 0 where it would be denormal. */
static void nothing_becomes_denormal(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{2, 1, 1, {3, 21}, 0, 0, 0},
                                          {1, 1, 1, {3, 21}, 0, 0, 0},
                                          {2, 1, 1, {3, 2}, 0, 0, 0},
                                          {1, 1, 2, {3, 2, 21}, 0, 0, 0}};
    for (size_t i = 0; i < COUNT(shapes); i++)
        for (size_t mode = 0; mode < COUNT(modes); mode++)
            fade(&shapes[i], mode);
}

enum { H = 16 };

/* y is the smallest normal number times c, which fades to half of what it is given as. */
static void read_out_denormals(float c, int32_t outputs, size_t mode)
{
    const struct shape one = {1, 1, 1, {1, H}, outputs, MLSTM_READOUT_C, 0};
    const size_t weights = (size_t)(H * outputs);
    mlstm_stack *stack = new_stack(&one);
    mlstm_state *s;
    float *kernel = floats(weights), *y = floats((size_t)outputs), values[2 * H] = {[H - 1] = c};
    for (int32_t o = 0; o < outputs; o++)
        kernel[(H - 1) * outputs + o] = 0x1p-126f;
    assert_ok(mlstm_stack_set_param(stack, "readout.kernel_c", kernel, weights));
    assert_ok(mlstm_state_create(stack, 1, 0, &s));
    assert_ok(mlstm_state_set(s, values, COUNT(values)));
    enter_mode(mode);
    assert_ok(mlstm_step_forward(stack, s, values, y));
    leave_mode();
    for (int32_t o = 0; o < outputs; o++)
        assert_true(y[o] == 0);
    mlstm_state_destroy(s);
    mlstm_stack_destroy(stack);
    test_free(kernel);
    test_free(y);
}

/* h is the product of an output gate of 2^-118 and tanh of half of a c near 1/128. */
static void output_exact_denormals(size_t mode)
{
    static const struct shape one = {1, 1, 1, {1, H}, 0, 0, 0};
    mlstm_stack *stack = new_stack(&one);
    mlstm_state *s;
    float values[2 * H], bias[4 * H] = {0}, h[H], c = 0x1p-7f;
    for (int u = 0; u < H; u++)
        bias[3 * H + u] = -81.791367f;
    assert_ok(mlstm_stack_set_param(stack, "layer0.bias", bias, COUNT(bias)));
    assert_ok(mlstm_state_create(stack, 1, 0, &s));
    for (int t = 0; t < 64; t++) {
        s->not_tried = 0;
        memset(values, 0, sizeof values);
        for (int u = 0; u < H; u++, c = nextafterf(c, 1))
            values[u] = c;
        assert_ok(mlstm_state_set(s, values, COUNT(values)));
        enter_mode(mode);
        assert_ok(mlstm_step_forward(stack, s, values + H, h));
        leave_mode();
        for (int u = 0; u < H; u++)
            assert_true(h[u] == 0 || isnormal(h[u]));
    }
    mlstm_state_destroy(s);
    mlstm_stack_destroy(stack);
}

/* A denormal raises no flag when it is made without rounding; one that rounding makes normal none
   when it is read. */
static void nothing_becomes_denormal_unseen(void **state)
{
    (void)state;
    for (size_t mode = 0; mode < COUNT(modes); mode++) {
        read_out_denormals(1, 1, mode);
        read_out_denormals(1, 4, mode);
        read_out_denormals(0x1.fffffep0f, 1, mode);
        output_exact_denormals(mode);
    }
}

/* Overflows and invalid operations of a pass, of one row and of several. */
static void passes_raise_no_flags(void **state)
{
    (void)state;
    static const float extremes[] = {1e30f, -1e30f, INFINITY, -INFINITY, NAN};
    static const struct shape *const shapes[] = {&shape, &single};
    for (size_t i = 0; i < COUNT(shapes); i++)
        for (size_t k = 0; k < COUNT(extremes); k++) {
            float *y[COUNT(modes)];
            for (size_t mode = 0; mode < COUNT(modes); mode++) {
                struct model *m = new_model(shapes[i], 2);
                y[mode] = floats(y_numbers(shapes[i]));
                m->x[0] = extremes[k];
                enter_mode(mode);
                assert_ok(mlstm_step_forward(m->stack, m->state, m->x, y[mode]));
                leave_mode();
                assert_same_bits(modes[mode].name, y[mode], y[0], y_numbers(shapes[i]));
                free_model(m);
            }
            for (size_t mode = 0; mode < COUNT(modes); mode++)
                test_free(y[mode]);
        }
}

#if defined(__x86_64__)
/* Which passes are tried, and that one which met denormals keeps many after it from being so. */
static void passes_are_tried(void **state)
{
    (void)state;
    struct model *m = new_model(&single, 2);
    mlstm_state *s = m->state;
    for (size_t mode = 0; mode < COUNT(modes); mode++) {
        const int tries_all = modes[mode].run == flushing;
        const int tries_none = modes[mode].run != ordinary && !tries_all;
        fill_kind(m, X, 1);
        s->not_tried = 0;
        enter_mode(mode);
        assert_ok(mlstm_state_zero(s));
        assert_ok(mlstm_state_begin_window(s));
        assert_ok(mlstm_step_forward(m->stack, s, m->x, w.y));
        leave_mode();
        assert_true((s->not_tried > 0) == (!tries_all && !tries_none));
        m->x[0] = 1;
        s->not_tried = 2;
        for (int left = 1; left >= 0; left--) {
            enter_mode(mode);
            assert_ok(mlstm_step_forward(m->stack, s, m->x, w.y));
            leave_mode();
            assert_int_equal(s->not_tried, left);
        }
    }
    free_model(m);
}
#endif

static void denormal_gradients_are_zeros(void **state)
{
    (void)state;
    const size_t count = param_numbers(&shape);
    float *g = floats(count), *params[2] = {floats(count), floats(count)}, norm;
    for (int with_tiny = 0; with_tiny < 2; with_tiny++) {
        mlstm_optimizer *optimizers[10];
        struct model *m = new_model(&shape, 2);
        make_optimizers(m->stack, optimizers);
        fill(g, count, with_tiny);
        set_grads(m->stack, m->grads, g);
        for (int step = 0; step < 3; step++)
            for (size_t i = 0; i < COUNT(optimizers); i++)
                assert_ok(mlstm_apply_grads(optimizers[i], m->stack, m->grads));
        get_params(m->stack, params[with_tiny]);
        assert_ok(mlstm_grads_norm(m->grads, &norm));
        assert_true(norm == 0);
        for (size_t i = 0; i < COUNT(optimizers); i++)
            mlstm_optimizer_destroy(optimizers[i]);
        free_model(m);
    }
    assert_same_bits("parameters", params[1], params[0], count);
    test_free(g);
    test_free(params[0]);
    test_free(params[1]);
}

static void denormal_outputs_are_zeros(void **state)
{
    (void)state;
    float outputs[2][8], p[2][8], softmax_alone[2][8], d[2][6][8], loss[2][6];
    static const float targets[8] = {0, 1, 0, 1, 0, 1, 0, 1};
    static const int32_t labels[2] = {0, 3};
    for (int k = 0; k < 2; k++) {
        fill(outputs[k], 8, k);
        const float *y = outputs[k];
        assert_ok(mlstm_softmax(y, 2, 4, softmax_alone[k]));
        assert_ok(mlstm_softmax_cross_entropy(y, labels, 2, 4, p[k], d[k][0], &loss[k][0]));
        assert_ok(mlstm_softmax_cross_entropy_weighted(
            y, labels, (float[]){1, k ? 1e-40f : 0}, 2, 4, -1, 0.1f, p[k], d[k][1], &loss[k][1]));
        assert_ok(mlstm_sigmoid_cross_entropy(y, targets, 8, d[k][2], &loss[k][2]));
        assert_ok(mlstm_absolute_error(y, targets, 8, d[k][3], &loss[k][3]));
        assert_ok(mlstm_huber_loss(y, targets, 8, 1, d[k][4], &loss[k][4]));
        assert_ok(mlstm_squared_error(y, targets, 8, d[k][5], &loss[k][5]));
    }
    assert_same_bits("softmax", softmax_alone[1], softmax_alone[0], 8);
    assert_same_bits("probabilities", p[1], p[0], 8);
    assert_same_bits("gradients", d[1][0], d[0][0], 6 * 8);
    assert_same_bits("losses", loss[1], loss[0], 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_callers_mode_stays),
        cmocka_unit_test(denormals_are_no_settings),
        cmocka_unit_test(modes_matter),
        cmocka_unit_test(denormals_are_zeros),
        cmocka_unit_test(nothing_becomes_denormal),
        cmocka_unit_test(nothing_becomes_denormal_unseen),
        cmocka_unit_test(passes_raise_no_flags),
#if defined(__x86_64__)
        cmocka_unit_test(passes_are_tried),
#endif
        cmocka_unit_test(denormal_gradients_are_zeros),
        cmocka_unit_test(denormal_outputs_are_zeros),
    };
    return cmocka_run_group_tests_name("float_mode", tests, NULL, NULL);
}
