/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/*
 * Every function with every argument that it must refuse, one row each: the call, the status, and
 * what the sentence must contain. After each, nothing that a caller can see has changed.
 */

static const struct shape shape = {2, 3, 2, {3, 5, 7}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};
static const struct shape other_shape = {2, 3, 1, {3, 7}, 4, MLSTM_READOUT_H, 1};

enum { PARAMS = 1000, STATE = 2 * 2 * (5 + 7), X = 3 * 2 * 3, Y = 3 * 2 * 4, TOP = 3 * 2 * 7 };

/* What the rows are made with; `seen` is everything below it that can be seen from outside. */
static mlstm_cell *cell, *twin, *narrow, *owned;
static mlstm_stack *stack, *bare, *other;
static mlstm_state *state, *fresh, *inference, *others_state, *full;
static mlstm_grads *grads, *others_grads, *infinite;
static mlstm_optimizer *adagrad, *sgd, *others_optimizer;
static const float x[4 * X], dy[4 * Y];
static const int32_t labels[Y] = {0, 1, 2, 3, 0, 3};

/* Outputs of the calls. */
static struct {
    void *made;
    const char *name;
    int32_t rank, dims[2];
    float values[PARAMS], more[PARAMS], number;
    float *data;
    size_t count;
} out;

static struct seen {
    float params[PARAMS], tensor[STATE], initial_grad[STATE], c[TOP], h[TOP], grads[PARAMS];
    float accumulators[PARAMS], rate, weight_decay, forget_bias;
    int32_t frozen;
    int64_t updates;
    int32_t steps, fresh_steps, full_steps, threads, training, params_count, outputs, input, hidden;
    int32_t choices[11], d, readout;
    float rates[7];
    char out[sizeof out];
} before, after;

static void look_at_options(struct seen *seen)
{
    int32_t *const c = seen->choices;
    float *const r = seen->rates;
    c[0] = mlstm_cell_biases(cell);
    c[1] = mlstm_cell_peepholes(cell);
    c[2] = mlstm_cell_projection(cell);
    c[3] = mlstm_cell_coupled(cell);
    c[4] = mlstm_cell_norm(cell, &r[0]);
    c[5] = mlstm_cell_skip(cell);
    c[6] = mlstm_cell_bidirectional(cell);
    c[7] = mlstm_cell_learned_state(cell);
    r[1] = mlstm_cell_projection_clip(cell);
    r[2] = mlstm_cell_cell_clip(cell);
    r[3] = mlstm_cell_dropout(cell, &c[8]);
    r[4] = mlstm_cell_recurrent_dropout(cell, &c[9], &c[10]);
    assert_ok(mlstm_cell_zoneout(cell, &r[5], &r[6]));
    seen->d = mlstm_cell_output_size(cell);
}

static void look(struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    get_params(stack, seen->params);
    assert_ok(mlstm_state_get(state, seen->tensor, STATE));
    assert_ok(mlstm_state_get_initial_grad(state, seen->initial_grad, STATE));
    assert_ok(mlstm_state_get_top(state, seen->c, seen->h));
    get_grads(stack, grads, seen->grads);
    get_slot(stack, adagrad, "accumulator", seen->accumulators);
    seen->rate = mlstm_optimizer_rate(adagrad);
    seen->updates = mlstm_optimizer_step_count(adagrad);
    seen->weight_decay = mlstm_optimizer_weight_decay(adagrad, "layer0.bias");
    seen->frozen = mlstm_optimizer_frozen(adagrad, "layer0.bias");
    seen->forget_bias = mlstm_cell_forget_bias(cell);
    seen->steps = mlstm_state_steps(state);
    seen->fresh_steps = mlstm_state_steps(fresh);
    seen->full_steps = mlstm_state_steps(full);
    seen->threads = mlstm_state_threads(state);
    seen->training = mlstm_state_training(state);
    seen->params_count = mlstm_stack_param_count(stack);
    seen->readout = mlstm_stack_readout(stack);
    seen->outputs = mlstm_stack_output_size(stack);
    seen->input = mlstm_cell_input_size(cell);
    seen->hidden = mlstm_cell_hidden_size(cell);
    look_at_options(seen);
    memcpy(seen->out, &out, sizeof out);
}

static void new_cell(int32_t input, int32_t hidden, mlstm_cell **made)
{
    assert_ok(mlstm_cell_create(input, hidden, made));
}

static void make_states(void)
{
    assert_ok(mlstm_state_create(stack, 2, 3, &state));
    assert_ok(mlstm_state_create(stack, 2, 3, &fresh));
    assert_ok(mlstm_state_create(stack, 2, 3, &full));
    assert_ok(mlstm_state_create(stack, 2, 0, &inference));
    assert_ok(mlstm_state_create(other, 2, 3, &others_state));
    assert_ok(mlstm_forward(stack, full, x, 3, NULL));
    assert_ok(mlstm_forward(other, others_state, x, 2, NULL));
}

static int set_up(void **unused)
{
    (void)unused;
    new_cell(7, 7, &cell);
    new_cell(7, 7, &twin);
    new_cell(6, 7, &narrow);
    new_cell(7, 7, &owned);
    assert_ok(mlstm_stack_create(&owned, 1, &bare));
    stack = new_stack(&shape);
    other = new_stack(&other_shape);
    assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, 1));
    make_states();
    assert_ok(mlstm_grads_create(stack, &grads));
    assert_ok(mlstm_grads_create(stack, &infinite));
    assert_ok(mlstm_grads_create(other, &others_grads));
    assert_ok(mlstm_adagrad_create(stack, 0.5f, 0.25f, &adagrad));
    assert_ok(mlstm_sgd_create(stack, 0.5f, 0, 0, &sgd));
    assert_ok(mlstm_sgd_create(other, 0.5f, 0, 0, &others_optimizer));
    assert_ok(mlstm_grads_set(infinite, "readout.bias", (float[]){1, INFINITY, 2, 3}, 4));

    struct random random = {1};
    float some[Y];
    random_fill(&random, some, Y, -1, 1);
    assert_ok(mlstm_forward(stack, state, some, 2, NULL));
    assert_ok(mlstm_backward(stack, state, some, NULL, NULL, NULL, grads));
    memset(&out, 0x5a, sizeof out);
    look(&before);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    mlstm_cell *const cells[] = {cell, twin, narrow};
    mlstm_state *const states[] = {state, fresh, inference, others_state, full};
    mlstm_stack *const stacks[] = {stack, bare, other};
    mlstm_grads *const all_grads[] = {grads, others_grads, infinite};
    mlstm_optimizer *const optimizers[] = {adagrad, sgd, others_optimizer};
    for (size_t i = 0; i < COUNT(cells); i++)
        mlstm_cell_destroy(cells[i]);
    for (size_t i = 0; i < COUNT(states); i++)
        mlstm_state_destroy(states[i]);
    for (size_t i = 0; i < COUNT(stacks); i++)
        mlstm_stack_destroy(stacks[i]);
    for (size_t i = 0; i < COUNT(all_grads); i++)
        mlstm_grads_destroy(all_grads[i]);
    for (size_t i = 0; i < COUNT(optimizers); i++)
        mlstm_optimizer_destroy(optimizers[i]);
    return 0;
}

/* The names of the functions that were called. */
static char called[4000] = " ";

/* So that a call that is refused without a sentence of its own cannot borrow the last one's. */
static const char old_name[] = "an old sentence";

static void leave_an_old_sentence(void)
{
    assert_int_equal(mlstm_stack_set_param(stack, old_name, x, 1), MLSTM_ERROR_NOT_FOUND);
    assert_non_null(strstr(mlstm_last_error(), old_name));
}

/* Whether the words stand in the sentence, and not inside of longer words or numbers. */
static int says(const char *sentence, const char *words)
{
    static const char inside[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const size_t length = strlen(words);
    for (const char *at = sentence; (at = strstr(at, words)) != NULL; at++)
        if ((at == sentence || !strchr(inside, at[-1])) &&
            (!at[length] || !strchr(inside, at[length])))
            return length > 0;
    return 0;
}

static void check_refusal(const char *call, mlstm_status status, mlstm_status expected,
                          const char *sentence)
{
    char name[60];
    const int length = (int)strcspn(call, "(");
    snprintf(name, sizeof name, " %.*s ", length, call);
    if (!strstr(called, name))
        strncat(called, name + 1, sizeof called - strlen(called) - 1);
    if (status != expected)
        fail_msg("%s gave %s, expected %s", call, mlstm_status_name(status),
                 mlstm_status_name(expected));
    const char *said = mlstm_last_error();
    const int prefix = (int)strcspn(said, ":"); /* the function, or what `weighted` calls */
    if (prefix >= length && strncmp(said + prefix - length, call, (size_t)length) == 0)
        said += prefix;
    if (strncmp(said, "mlstm_", 6) == 0 || strstr(said, old_name) || !says(said, sentence))
        fail_msg("%s says \"%s\", which is without \"%s\", or not of this call", call,
                 mlstm_last_error(), sentence);
    look(&after);
    if (memcmp(&before, &after, sizeof before) != 0)
        fail_msg("%s changed something", call);
}

#define REFUSE(call, status, sentence)                                                             \
    check_refusal(#call, (leave_an_old_sentence(), call), MLSTM_ERROR_##status, sentence)

static void cells(void **unused)
{
    (void)unused;
    static const mlstm_allocator no_functions = {NULL, NULL, NULL};
    mlstm_cell **const made = (mlstm_cell **)&out.made;
    struct counter counter;
    counter_start(&counter);
    mlstm_allocator half = counter.allocator;
    half.release = NULL;
    mlstm_allocator other_half = counter.allocator;
    other_half.allocate = NULL;
    REFUSE(mlstm_cell_create(0, 4, made), INVALID_ARGUMENT, "input_size must be at least 1, got 0");
    REFUSE(mlstm_cell_create(-1, 4, made), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_create(4, 0, made), INVALID_ARGUMENT,
           "hidden_size must be at least 1, got 0");
    REFUSE(mlstm_cell_create(4, INT32_MIN, made), INVALID_ARGUMENT, "-2147483648");
    REFUSE(mlstm_cell_create(4, 4, NULL), INVALID_ARGUMENT, "NULL");
    REFUSE(mlstm_cell_create(INT32_MAX, 4, made), TOO_LARGE, "2147483647");
    REFUSE(mlstm_cell_create(4, INT32_MAX, made), TOO_LARGE, "2147483647");
    REFUSE(mlstm_cell_create(4, INT32_MAX / 4, made), TOO_LARGE, "536870911");
    REFUSE(mlstm_cell_create(INT32_MAX, INT32_MAX, made), TOO_LARGE, "2147483647");
    REFUSE(mlstm_cell_create_with_allocator(NULL, 4, 4, made), INVALID_ARGUMENT, "allocator");
    REFUSE(mlstm_cell_create_with_allocator(&no_functions, 4, 4, made), INVALID_ARGUMENT, "NULL");
    REFUSE(mlstm_cell_create_with_allocator(&half, 4, 4, made), INVALID_ARGUMENT, "NULL");
    REFUSE(mlstm_cell_create_with_allocator(&other_half, 4, 4, made), INVALID_ARGUMENT, "NULL");
    REFUSE(mlstm_cell_create_with_allocator(&counter.allocator, 4, 4, NULL), INVALID_ARGUMENT,
           "NULL");
    REFUSE(mlstm_cell_create_with_allocator(&counter.allocator, -5, 4, made), INVALID_ARGUMENT,
           "got -5");
    REFUSE(mlstm_cell_create_with_allocator(&counter.allocator, 4, 0, made), INVALID_ARGUMENT,
           "hidden_size must be at least 1, got 0");
    REFUSE(mlstm_cell_create_with_allocator(&counter.allocator, INT32_MAX, 4, made), TOO_LARGE,
           "2147483647");
    REFUSE(mlstm_cell_create_with_allocator(&counter.allocator, 4, INT32_MAX, made), TOO_LARGE,
           "2147483647");
    REFUSE(mlstm_cell_set_forget_bias(NULL, 1), INVALID_ARGUMENT, "NULL");
    REFUSE(mlstm_cell_set_forget_bias(cell, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_forget_bias(cell, INFINITY), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_cell_set_forget_bias(cell, -INFINITY), INVALID_ARGUMENT, "-inf");
    REFUSE(mlstm_cell_set_forget_bias(owned, 0), OWNED, "stack");
    assert_int_equal(counter.calls, 0);
}

static void options(void **unused)
{
    (void)unused;
    REFUSE(mlstm_cell_set_biases(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_biases(cell, 3), INVALID_ARGUMENT, "got 3");
    REFUSE(mlstm_cell_set_biases(cell, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_biases(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_peepholes(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_peepholes(cell, 2), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_cell_set_peepholes(cell, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_peepholes(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_projection(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_projection(cell, -2), INVALID_ARGUMENT, "got -2");
    REFUSE(mlstm_cell_set_projection(cell, INT32_MAX), TOO_LARGE, "2147483647");
    REFUSE(mlstm_cell_set_projection(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_projection_clip(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_projection_clip(cell, -0.5f), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_cell_set_projection_clip(cell, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_projection_clip(cell, INFINITY), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_cell_set_projection_clip(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_cell_clip(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_cell_clip(cell, -0.5f), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_cell_set_cell_clip(cell, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_cell_clip(cell, INFINITY), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_cell_set_cell_clip(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_coupled(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_coupled(cell, 2), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_cell_set_coupled(cell, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_coupled(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_norm(NULL, 1, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_norm(cell, 3, 1), INVALID_ARGUMENT, "got 3");
    REFUSE(mlstm_cell_set_norm(cell, -1, 1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_norm(cell, 1, 0), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_cell_set_norm(cell, 1, 1e-39f), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_cell_set_norm(cell, 2, -0.5f), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_cell_set_norm(cell, 1, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_norm(cell, 2, INFINITY), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_cell_set_norm(owned, 1, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_zoneout(NULL, 0, 0), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_zoneout(cell, 1, 0), INVALID_ARGUMENT, "c_rate");
    REFUSE(mlstm_cell_set_zoneout(cell, -0.5f, 0), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_cell_set_zoneout(cell, NAN, 0), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_zoneout(cell, 0.5f, 1), INVALID_ARGUMENT, "h_rate");
    REFUSE(mlstm_cell_set_zoneout(cell, 0.5f, -0.5f), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_cell_set_zoneout(cell, 0.5f, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_zoneout(owned, 0, 0), OWNED, "stack");
    REFUSE(mlstm_cell_set_skip(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_skip(cell, 3), INVALID_ARGUMENT, "got 3");
    REFUSE(mlstm_cell_set_skip(cell, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_skip(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_bidirectional(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_bidirectional(cell, 3), INVALID_ARGUMENT, "got 3");
    REFUSE(mlstm_cell_set_bidirectional(cell, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_bidirectional(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_set_learned_state(NULL, 1), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_learned_state(cell, 2), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_cell_set_learned_state(cell, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_learned_state(owned, 1), OWNED, "stack");
    REFUSE(mlstm_cell_zoneout(NULL, &out.number, out.values), INVALID_ARGUMENT, "cell");
}

static void dropout(void **unused)
{
    (void)unused;
    REFUSE(mlstm_cell_set_dropout(NULL, 0, 0), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_dropout(cell, 1, 0), INVALID_ARGUMENT, "rate");
    REFUSE(mlstm_cell_set_dropout(cell, -0.5f, 0), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_cell_set_dropout(cell, NAN, 0), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_dropout(cell, 0.5f, 2), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_cell_set_dropout(cell, 0.5f, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_dropout(owned, 0, 0), OWNED, "stack");
    REFUSE(mlstm_cell_set_recurrent_dropout(NULL, 0, 0, 0), INVALID_ARGUMENT, "cell");
    REFUSE(mlstm_cell_set_recurrent_dropout(cell, 1, 0, 0), INVALID_ARGUMENT, "rate");
    REFUSE(mlstm_cell_set_recurrent_dropout(cell, -0.5f, 0, 0), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_cell_set_recurrent_dropout(cell, NAN, 0, 0), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_cell_set_recurrent_dropout(cell, 0.5f, 2, 0), INVALID_ARGUMENT, "what");
    REFUSE(mlstm_cell_set_recurrent_dropout(cell, 0.5f, -1, 0), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_recurrent_dropout(cell, 0.5f, 0, 2), INVALID_ARGUMENT, "mask");
    REFUSE(mlstm_cell_set_recurrent_dropout(cell, 0.5f, 0, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_cell_set_recurrent_dropout(owned, 0, 0, 0), OWNED, "stack");
}

/* Layers that give another size than they take, or than the next one takes. */
static void stacks_with_options(void **unused)
{
    (void)unused;
    mlstm_cell *skips[3], *projects[2], *both[2];
    mlstm_stack **const made = (mlstm_stack **)&out.made;
    for (int32_t l = 0; l < 3; l++)
        new_cell(7, l < 2 ? 7 : 6, &skips[l]);
    for (int32_t l = 0; l < 2; l++) {
        new_cell(7, 7, &projects[l]);
        new_cell(7, 7, &both[l]);
    }
    assert_ok(mlstm_cell_set_skip(skips[1], MLSTM_SKIP_RESIDUAL));
    assert_ok(mlstm_cell_set_skip(skips[2], MLSTM_SKIP_HIGHWAY));
    assert_ok(mlstm_cell_set_projection(projects[0], 3));
    assert_ok(mlstm_cell_set_bidirectional(both[0], MLSTM_MERGE_CONCAT));
    REFUSE(mlstm_stack_create(skips, 3, made), MISMATCH, "layer 2");
    REFUSE(mlstm_stack_create(projects, 2, made), MISMATCH, "layer 1 expects input size 3");
    REFUSE(mlstm_stack_create(both, 2, made), MISMATCH, "layer 1 expects input size 14");
    for (int32_t l = 0; l < 3; l++)
        mlstm_cell_destroy(skips[l]);
    for (int32_t l = 0; l < 2; l++) {
        mlstm_cell_destroy(projects[l]);
        mlstm_cell_destroy(both[l]);
    }
}

static void stacks(void **unused)
{
    (void)unused;
    mlstm_stack **const made = (mlstm_stack **)&out.made;
    mlstm_cell *const good[] = {cell, twin}, *const twice[] = {cell, twin, cell};
    mlstm_cell *const hole[] = {cell, NULL}, *const taken[] = {cell, owned};
    mlstm_cell *const narrower[] = {cell, twin, narrow};
    REFUSE(mlstm_stack_create(NULL, 2, made), INVALID_ARGUMENT, "cells");
    REFUSE(mlstm_stack_create(good, 2, NULL), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_stack_create(good, 0, made), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_stack_create(good, -3, made), INVALID_ARGUMENT, "got -3");
    REFUSE(mlstm_stack_create(hole, 2, made), INVALID_ARGUMENT, "cell 1 is NULL");
    REFUSE(mlstm_stack_create(twice, 3, made), OWNED, "0 and 2");
    REFUSE(mlstm_stack_create(taken, 2, made), OWNED, "layer 1");
    REFUSE(mlstm_stack_create(narrower, 3, made), MISMATCH, "layer 2 expects input size 7");
    REFUSE(mlstm_stack_set_readout(NULL, 4, MLSTM_READOUT_C), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_stack_set_readout(stack, 0, MLSTM_READOUT_C), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_stack_set_readout(stack, -4, MLSTM_READOUT_C), INVALID_ARGUMENT, "got -4");
    REFUSE(mlstm_stack_set_readout(stack, 4, 0), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_stack_set_readout(stack, 4, 4), INVALID_ARGUMENT, "got 4");
    REFUSE(mlstm_stack_set_readout(stack, 4, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_stack_set_readout(stack, INT32_MAX, MLSTM_READOUT_C), TOO_LARGE, "2147483647");
}

/* Layers that each can be addressed, and together cannot. */
static void a_stack_too_large(void **unused)
{
    (void)unused;
    mlstm_cell *huge[8];
    for (size_t i = 0; i < COUNT(huge); i++)
        new_cell(INT32_MAX / 8, INT32_MAX / 8, &huge[i]);
    REFUSE(mlstm_stack_create(huge, 8, (mlstm_stack **)&out.made), TOO_LARGE,
           "parameters of 8 layers");
    for (size_t i = 0; i < COUNT(huge); i++)
        mlstm_cell_destroy(huge[i]);
}

static void params(void **unused)
{
    (void)unused;
    REFUSE(mlstm_stack_init(NULL, MLSTM_ZEROS, 1), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_stack_init(stack, MLSTM_UNIFORM, 1), INVALID_ARGUMENT, "got 1");
    REFUSE(mlstm_stack_init(stack, -1, 1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_stack_init(stack, MLSTM_NORMAL, 1), INVALID_ARGUMENT, "got 6");
    REFUSE(mlstm_stack_init(stack, MLSTM_TRUNCATED_NORMAL, 1), INVALID_ARGUMENT, "got 7");
    REFUSE(mlstm_stack_init(stack, MLSTM_CONSTANT, 1), INVALID_ARGUMENT, "got 8");
    REFUSE(mlstm_stack_init(stack, 10, 1), INVALID_ARGUMENT, "got 10");
    REFUSE(mlstm_stack_init_param(NULL, "layer0.bias", 0, 0, 1, 1), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_stack_init_param(stack, NULL, 0, 0, 1, 1), INVALID_ARGUMENT, "name");
    REFUSE(mlstm_stack_init_param(stack, "layer2.bias", 0, 0, 1, 1), NOT_FOUND, "layer2.bias");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 10, 0, 1, 1), INVALID_ARGUMENT, "10");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 6, NAN, 1, 1), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 6, 0, -2, 1), INVALID_ARGUMENT, "-2");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 7, 0, INFINITY, 1), INVALID_ARGUMENT,
           "inf");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 8, NAN, 1, 1), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_stack_init_param(stack, "layer0.kernel", 9, INFINITY, 1, 1), INVALID_ARGUMENT,
           "inf");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", -9, 0, 1, 1), INVALID_ARGUMENT, "-9");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 1, 2, 1, 1), INVALID_ARGUMENT, "2 to 1");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 1, NAN, 1, 1), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_stack_init_param(stack, "layer0.bias", 1, 0, INFINITY, 1), INVALID_ARGUMENT,
           "inf");
    REFUSE(mlstm_stack_param_info(NULL, 0, &out.name, &out.rank, out.dims), INVALID_ARGUMENT,
           "stack");
    REFUSE(mlstm_stack_param_info(stack, 0, NULL, &out.rank, out.dims), INVALID_ARGUMENT, "name");
    REFUSE(mlstm_stack_param_info(stack, 0, &out.name, NULL, out.dims), INVALID_ARGUMENT, "rank");
    REFUSE(mlstm_stack_param_info(stack, 0, &out.name, &out.rank, NULL), INVALID_ARGUMENT, "shape");
    REFUSE(mlstm_stack_param_info(stack, -1, &out.name, &out.rank, out.dims), INVALID_ARGUMENT,
           "got -1");
    REFUSE(mlstm_stack_param_info(stack, 7, &out.name, &out.rank, out.dims), INVALID_ARGUMENT,
           "got 7");
    REFUSE(mlstm_stack_get_param(NULL, "layer0.bias", out.values, 20), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_stack_get_param(stack, NULL, out.values, 20), INVALID_ARGUMENT, "name");
    REFUSE(mlstm_stack_get_param(stack, "layer0.bias", NULL, 20), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_stack_get_param(stack, "layer0.bias", out.values, 19), MISMATCH, "got 19");
    REFUSE(mlstm_stack_get_param(stack, "layer0.kernel", out.values, 0), MISMATCH, "got 0");
    REFUSE(mlstm_stack_get_param(stack, "layer0.gate", out.values, 20), NOT_FOUND, "layer0.gate");
    REFUSE(mlstm_stack_get_param(stack, "", out.values, 20), NOT_FOUND, "\"\"");
    REFUSE(mlstm_stack_set_param(NULL, "layer0.bias", x, 20), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_stack_set_param(stack, NULL, x, 20), INVALID_ARGUMENT, "name");
    REFUSE(mlstm_stack_set_param(stack, "layer0.bias", NULL, 20), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_stack_set_param(stack, "layer0.bias", x, 21), MISMATCH, "got 21");
    REFUSE(mlstm_stack_set_param(stack, "layer9.bias", x, 20), NOT_FOUND, "layer9.bias");
}

static void making_states(void **unused)
{
    (void)unused;
    mlstm_state **const made = (mlstm_state **)&out.made;
    REFUSE(mlstm_state_create(NULL, 2, 3, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_state_create(stack, 2, 3, NULL), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_create(stack, 0, 3, made), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_state_create(stack, -2, 3, made), INVALID_ARGUMENT, "got -2");
    REFUSE(mlstm_state_create(stack, 2, -1, made), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_state_create(stack, INT32_MAX, 3, made), TOO_LARGE, "2147483647");
    REFUSE(mlstm_state_create(stack, INT32_MAX / 8, INT32_MAX, made), TOO_LARGE, "2147483647");
    REFUSE(mlstm_state_create(stack, 65536, 32768, made), TOO_LARGE, "32768");
    REFUSE(mlstm_state_create(stack, 1, INT32_MAX - 1023, made), TOO_LARGE, "2147482624");
    REFUSE(mlstm_state_create(stack, 2, INT32_MAX / 2 - 511, made), TOO_LARGE, "1073741312");
#if SIZE_MAX == UINT32_MAX
    /* 17 slots whose rows, with those beyond them, would come to 3; slots of 0 numbers. */
    static const int32_t units[] = {1, 32}, batches[] = {252645135, 134217728};
    for (int i = 0; i < 2; i++) {
        mlstm_cell *layer;
        mlstm_stack *wide;
        assert_ok(mlstm_cell_create(1, units[i], &layer));
        assert_ok(mlstm_stack_create(&layer, 1, &wide));
        REFUSE(mlstm_state_create(wide, batches[i], 0, made), TOO_LARGE, "cannot be addressed");
        mlstm_stack_destroy(wide);
    }
#endif
    REFUSE(mlstm_state_set_threads(NULL, 2), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_set_threads(state, 0), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_state_set_threads(state, -2), INVALID_ARGUMENT, "got -2");
    REFUSE(mlstm_state_set_threads(state, 1025), INVALID_ARGUMENT, "1025");
    REFUSE(mlstm_state_set_threads(state, INT32_MAX), INVALID_ARGUMENT, "2147483647");
}

static void states(void **unused)
{
    (void)unused;
    REFUSE(mlstm_state_zero(NULL), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_begin_window(NULL), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_set(NULL, x, STATE), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_set(state, NULL, STATE), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_state_set(state, x, STATE - 1), MISMATCH, "got 47");
    REFUSE(mlstm_state_get(NULL, out.values, STATE), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_get(state, NULL, STATE), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_state_get(state, out.values, STATE + 1), MISMATCH, "got 49");
    REFUSE(mlstm_state_set_layer(NULL, 0, x, x), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_set_layer(state, 2, x, x), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_state_set_layer(state, -1, x, x), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_state_get_layer(NULL, 0, out.values, out.more), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_get_layer(state, 2, out.values, out.more), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_state_get_layer(state, -1, out.values, out.more), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_state_get_top(NULL, out.values, out.more), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_get_top(fresh, out.values, out.more), ORDER, "recorded");
    REFUSE(mlstm_state_get_top(inference, out.values, out.more), ORDER, "recorded");
    REFUSE(mlstm_state_set_final_grad(NULL, x, STATE), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_set_final_grad(state, x, STATE + 2), MISMATCH, "got 50");
    REFUSE(mlstm_state_set_final_grad(inference, x, STATE), ORDER, "inference");
    REFUSE(mlstm_state_set_final_grad(inference, NULL, 0), ORDER, "inference");
    REFUSE(mlstm_state_get_initial_grad(NULL, out.values, STATE), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_get_initial_grad(state, NULL, STATE), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_state_get_initial_grad(state, out.values, 1), MISMATCH, "got 1");
    REFUSE(mlstm_state_get_initial_grad(fresh, out.values, STATE), ORDER, "backward");
    REFUSE(mlstm_state_get_initial_grad(full, out.values, STATE), ORDER, "backward");
    REFUSE(mlstm_state_get_initial_grad(inference, out.values, STATE), ORDER, "backward");
}

static void sequences(void **unused)
{
    (void)unused;
    static const int32_t lengths[] = {2, 1}, below[] = {0, -1};
    REFUSE(mlstm_state_begin_sequence(NULL, state), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_state_begin_sequence(stack, NULL), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_begin_sequence(other, state), MISMATCH, "stack");
    REFUSE(mlstm_state_begin_sequence(stack, others_state), MISMATCH, "stack");
    REFUSE(mlstm_state_keep_steps(NULL, 0), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_keep_steps(state, 3), INVALID_ARGUMENT, "got 3");
    REFUSE(mlstm_state_keep_steps(state, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_state_keep_steps(fresh, 1), INVALID_ARGUMENT, "got 1");
    REFUSE(mlstm_state_keep_steps(inference, 1), INVALID_ARGUMENT, "got 1");
    REFUSE(mlstm_state_set_lengths(NULL, lengths, 2), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_set_lengths(fresh, lengths, 3), MISMATCH, "got 3");
    REFUSE(mlstm_state_set_lengths(fresh, lengths, 0), MISMATCH, "got 0");
    REFUSE(mlstm_state_set_lengths(fresh, below, 2), INVALID_ARGUMENT, "row 1");
    REFUSE(mlstm_state_set_lengths(fresh, below, 2), INVALID_ARGUMENT, "-1");
    REFUSE(mlstm_state_set_lengths(state, lengths, 2), ORDER, "recorded");
    REFUSE(mlstm_state_set_lengths(state, NULL, 0), ORDER, "recorded");
    REFUSE(mlstm_state_set_training(NULL, 1, 1), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_set_training(state, 2, 1), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_state_set_training(state, -1, 1), INVALID_ARGUMENT, "got -1");
}

/* A stack with a bidirectional layer takes whole windows. */
static void whole_windows(void **unused)
{
    (void)unused;
    struct shape both = other_shape;
    both.options[0].merge = MLSTM_MERGE_SUM;
    mlstm_stack *two_ways = new_stack(&both);
    mlstm_state *window;
    assert_ok(mlstm_state_create(two_ways, 2, 3, &window));
    REFUSE(mlstm_state_create(two_ways, 2, 0, (mlstm_state **)&out.made), INVALID_ARGUMENT,
           "bidirectional");
    REFUSE(mlstm_step_forward(two_ways, window, x, out.values), ORDER, "bidirectional");
    assert_ok(mlstm_forward(two_ways, window, x, 2, NULL));
    REFUSE(mlstm_step_forward(two_ways, window, x, out.values), ORDER, "bidirectional");
    REFUSE(mlstm_forward(two_ways, window, x, 1, out.values), ORDER, "bidirectional");
    REFUSE(mlstm_state_keep_steps(window, 1), ORDER, "bidirectional");
    REFUSE(mlstm_state_keep_steps(window, 3), INVALID_ARGUMENT, "got 3");
    assert_int_equal(mlstm_state_steps(window), 2);
    mlstm_state_destroy(window);
    mlstm_stack_destroy(two_ways);
}

static void passes(void **unused)
{
    (void)unused;
    REFUSE(mlstm_step_forward(NULL, state, x, out.values), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_step_forward(stack, NULL, x, out.values), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_step_forward(stack, state, NULL, out.values), INVALID_ARGUMENT, "x");
    REFUSE(mlstm_step_forward(stack, others_state, x, out.values), MISMATCH, "stack");
    REFUSE(mlstm_step_forward(other, state, x, out.values), MISMATCH, "stack");
    REFUSE(mlstm_step_forward(stack, full, x, out.values), ORDER, "window of 3 steps");
    REFUSE(mlstm_forward(NULL, state, x, 1, out.values), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_forward(stack, NULL, x, 1, out.values), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_forward(stack, state, NULL, 1, out.values), INVALID_ARGUMENT, "x");
    REFUSE(mlstm_forward(stack, state, x, 0, out.values), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_forward(stack, state, x, -1, out.values), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_forward(stack, inference, x, 0, out.values), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_forward(stack, others_state, x, 1, out.values), MISMATCH, "stack");
    REFUSE(mlstm_forward(stack, fresh, x, 4, out.values), ORDER, "4 more");
    REFUSE(mlstm_forward(stack, state, x, 2, out.values), ORDER, "2 more");
    REFUSE(mlstm_forward(stack, full, x, 1, out.values), ORDER, "1 more");
    REFUSE(mlstm_forward(stack, fresh, x, INT32_MAX, out.values), ORDER, "2147483647");
    REFUSE(mlstm_backward(NULL, state, dy, NULL, NULL, out.values, grads), INVALID_ARGUMENT,
           "stack");
    REFUSE(mlstm_backward(stack, NULL, dy, NULL, NULL, out.values, grads), INVALID_ARGUMENT,
           "state");
    REFUSE(mlstm_backward(stack, others_state, dy, NULL, NULL, out.values, grads), MISMATCH,
           "stack");
    REFUSE(mlstm_backward(other, state, dy, NULL, NULL, out.values, grads), MISMATCH, "stack");
    REFUSE(mlstm_backward(stack, state, dy, NULL, NULL, out.values, others_grads), MISMATCH,
           "gradients");
    REFUSE(mlstm_backward(stack, fresh, dy, NULL, NULL, out.values, grads), ORDER, "recorded");
    REFUSE(mlstm_backward(stack, inference, dy, NULL, NULL, out.values, grads), ORDER, "inference");
}

static void gradients(void **unused)
{
    (void)unused;
    REFUSE(mlstm_grads_create(NULL, (mlstm_grads **)&out.made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_grads_create(stack, NULL), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_zero(NULL), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_scale(NULL, 2), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_add(NULL, grads), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_add(grads, NULL), INVALID_ARGUMENT, "other");
    REFUSE(mlstm_grads_add(grads, others_grads), MISMATCH, "stack");
    REFUSE(mlstm_grads_norm(NULL, &out.number), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_norm(grads, NULL), INVALID_ARGUMENT, "norm");
    REFUSE(mlstm_grads_clip_norm(NULL, 1e-9f, &out.number), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_clip_norm(grads, 0, &out.number), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_grads_clip_norm(grads, -1, &out.number), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_grads_clip_norm(grads, NAN, &out.number), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_grads_clip_norm(infinite, 1, &out.number), NOT_FINITE, "inf");
    REFUSE(mlstm_grads_get(NULL, "layer0.bias", out.values, 20), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_get(grads, NULL, out.values, 20), INVALID_ARGUMENT, "name");
    REFUSE(mlstm_grads_get(grads, "layer0.bias", NULL, 20), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_grads_get(grads, "layer0.bias", out.values, 160), MISMATCH, "160");
    REFUSE(mlstm_grads_get(grads, "bias", out.values, 20), NOT_FOUND, "bias");
    REFUSE(mlstm_grads_set(NULL, "layer0.bias", x, 20), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_set(grads, NULL, x, 20), INVALID_ARGUMENT, "name");
    REFUSE(mlstm_grads_set(grads, "layer0.bias", NULL, 20), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_grads_set(grads, "layer0.bias", x, 5), MISMATCH, "got 5");
    REFUSE(mlstm_grads_set(grads, "readout.kernel", x, 28), NOT_FOUND, "readout.kernel");
    REFUSE(mlstm_grads_check(NULL, &out.name), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_check(infinite, NULL), NOT_FINITE, "readout.bias");
    REFUSE(mlstm_grads_clip_value(NULL, 1), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_clip_value(grads, 0), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_grads_clip_value(grads, -0.5f), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_grads_clip_value(grads, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_grads_clip_param_norm(NULL, 1), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_clip_param_norm(grads, 0), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_grads_clip_param_norm(grads, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_grads_clip_param_norm(infinite, 1), NOT_FINITE, "readout.bias");
    REFUSE(mlstm_grads_data(NULL, &out.data, &out.count), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_grads_data(grads, NULL, &out.count), INVALID_ARGUMENT, "data");
    REFUSE(mlstm_grads_data(grads, &out.data, NULL), INVALID_ARGUMENT, "count");
}

static void making_optimizers(void **unused)
{
    (void)unused;
    mlstm_optimizer **const made = (mlstm_optimizer **)&out.made;
    REFUSE(mlstm_sgd_create(NULL, 1, 0, 0, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_sgd_create(stack, 1, 0, 0, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_sgd_create(stack, NAN, 0, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_sgd_create(stack, INFINITY, 0, 0, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_sgd_create(stack, 1, -0.25f, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_sgd_create(stack, 1, 1.5f, 0, made), INVALID_ARGUMENT, "1.5");
    REFUSE(mlstm_sgd_create(stack, 1, NAN, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_sgd_create(stack, 1, 0.5f, 2, made), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_sgd_create(stack, 1, 0.5f, -1, made), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_sgd_create(stack, 1, 0, 1, made), INVALID_ARGUMENT, "got 1");
    REFUSE(mlstm_adagrad_create(NULL, 1, 1, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_adagrad_create(stack, 1, 1, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_adagrad_create(stack, NAN, 1, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adagrad_create(stack, -INFINITY, 1, made), INVALID_ARGUMENT, "-inf");
    REFUSE(mlstm_adagrad_create(stack, 1, 0, made), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_adagrad_create(stack, 1, -0.5f, made), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_adagrad_create(stack, 1, NAN, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adagrad_create(stack, 1, INFINITY, made), INVALID_ARGUMENT, "inf");
}

static void making_more_optimizers(void **unused)
{
    (void)unused;
    mlstm_optimizer **const made = (mlstm_optimizer **)&out.made;
    REFUSE(mlstm_rmsprop_create(NULL, 1, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 0.5f, 1, 0, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_rmsprop_create(stack, NAN, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_rmsprop_create(stack, -INFINITY, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT,
           "-inf");
    REFUSE(mlstm_rmsprop_create(stack, 1, 1, 0.5f, 1, 0, made), INVALID_ARGUMENT, "decay");
    REFUSE(mlstm_rmsprop_create(stack, 1, -0.25f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_rmsprop_create(stack, 1, NAN, 0.5f, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 1, 1, 0, made), INVALID_ARGUMENT, "momentum");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, -0.25f, 1, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, NAN, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 0.5f, 0, 0, made), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 0.5f, -0.5f, 0, made), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 0.5f, NAN, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 0.5f, INFINITY, 0, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 0.5f, 1, 2, made), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_rmsprop_create(stack, 1, 0.5f, 0.5f, 1, -1, made), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_adam_create(NULL, 1, 0.5f, 0.5f, 1, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, 0.5f, 1, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_adam_create(stack, NAN, 0.5f, 0.5f, 1, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adam_create(stack, -INFINITY, 0.5f, 0.5f, 1, made), INVALID_ARGUMENT, "-inf");
    REFUSE(mlstm_adam_create(stack, 1, 1, 0.5f, 1, made), INVALID_ARGUMENT, "beta1");
    REFUSE(mlstm_adam_create(stack, 1, -0.25f, 0.5f, 1, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_adam_create(stack, 1, NAN, 0.5f, 1, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, 1, 1, made), INVALID_ARGUMENT, "beta2");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, -0.25f, 1, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, NAN, 1, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, 0.5f, 0, made), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, 0.5f, -0.5f, made), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, 0.5f, NAN, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adam_create(stack, 1, 0.5f, 0.5f, INFINITY, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_adamw_create(NULL, 1, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, 1, 0, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_adamw_create(stack, NAN, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adamw_create(stack, -INFINITY, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "-inf");
    REFUSE(mlstm_adamw_create(stack, 1, 1, 0.5f, 1, 0, made), INVALID_ARGUMENT, "beta1");
    REFUSE(mlstm_adamw_create(stack, 1, -0.25f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_adamw_create(stack, 1, NAN, 0.5f, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 1, 1, 0, made), INVALID_ARGUMENT, "beta2");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, -0.25f, 1, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, NAN, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, 0, 0, made), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, -0.5f, 0, made), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, NAN, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, INFINITY, 0, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, 1, -0.5f, made), INVALID_ARGUMENT,
           "weight_decay");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, 1, NAN, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_adamw_create(stack, 1, 0.5f, 0.5f, 1, INFINITY, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_amsgrad_create(NULL, 1, 0.5f, 0.5f, 1, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, 0.5f, 1, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_amsgrad_create(stack, NAN, 0.5f, 0.5f, 1, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_amsgrad_create(stack, -INFINITY, 0.5f, 0.5f, 1, made), INVALID_ARGUMENT, "-inf");
    REFUSE(mlstm_amsgrad_create(stack, 1, 1, 0.5f, 1, made), INVALID_ARGUMENT, "beta1");
    REFUSE(mlstm_amsgrad_create(stack, 1, -0.25f, 0.5f, 1, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_amsgrad_create(stack, 1, NAN, 0.5f, 1, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, 1, 1, made), INVALID_ARGUMENT, "beta2");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, -0.25f, 1, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, NAN, 1, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, 0.5f, 0, made), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, 0.5f, -0.5f, made), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, 0.5f, 1e-40f, made), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, 0.5f, NAN, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_amsgrad_create(stack, 1, 0.5f, 0.5f, INFINITY, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_nadam_create(NULL, 1, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, 1, 0, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_nadam_create(stack, NAN, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_nadam_create(stack, -INFINITY, 0.5f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "-inf");
    REFUSE(mlstm_nadam_create(stack, 1, 1, 0.5f, 1, 0, made), INVALID_ARGUMENT, "beta1");
    REFUSE(mlstm_nadam_create(stack, 1, -0.25f, 0.5f, 1, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_nadam_create(stack, 1, NAN, 0.5f, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 1, 1, 0, made), INVALID_ARGUMENT, "beta2");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, -0.25f, 1, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, NAN, 1, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, 0, 0, made), INVALID_ARGUMENT, "epsilon");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, -0.5f, 0, made), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, NAN, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, INFINITY, 0, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, 1, -0.5f, made), INVALID_ARGUMENT,
           "momentum_decay");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, 1, NAN, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_nadam_create(stack, 1, 0.5f, 0.5f, 1, INFINITY, made), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_lion_create(NULL, 1, 0.5f, 0.5f, 0, made), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_lion_create(stack, 1, 0.5f, 0.5f, 0, NULL), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_lion_create(stack, NAN, 0.5f, 0.5f, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_lion_create(stack, -INFINITY, 0.5f, 0.5f, 0, made), INVALID_ARGUMENT, "-inf");
    REFUSE(mlstm_lion_create(stack, 1, 1, 0.5f, 0, made), INVALID_ARGUMENT, "beta1");
    REFUSE(mlstm_lion_create(stack, 1, -0.25f, 0.5f, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_lion_create(stack, 1, NAN, 0.5f, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_lion_create(stack, 1, 0.5f, 1, 0, made), INVALID_ARGUMENT, "beta2");
    REFUSE(mlstm_lion_create(stack, 1, 0.5f, -0.25f, 0, made), INVALID_ARGUMENT, "-0.25");
    REFUSE(mlstm_lion_create(stack, 1, 0.5f, NAN, 0, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_lion_create(stack, 1, 0.5f, 0.5f, -0.5f, made), INVALID_ARGUMENT, "weight_decay");
    REFUSE(mlstm_lion_create(stack, 1, 0.5f, 0.5f, NAN, made), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_lion_create(stack, 1, 0.5f, 0.5f, INFINITY, made), INVALID_ARGUMENT, "inf");
}

static void optimizers(void **unused)
{
    (void)unused;
    static const char slot[] = "accumulator", param[] = "layer0.bias";
    REFUSE(mlstm_optimizer_set_rate(NULL, 1), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_optimizer_set_rate(adagrad, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_optimizer_set_rate(adagrad, INFINITY), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_optimizer_set_step_count(NULL, 1), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_optimizer_set_step_count(adagrad, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_optimizer_set_step_count(adagrad, INT64_MAX), INVALID_ARGUMENT,
           "9223372036854775807");
    REFUSE(mlstm_optimizer_set_weight_decay(NULL, param, 1), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_optimizer_set_weight_decay(adagrad, NULL, 1), INVALID_ARGUMENT, "param");
    REFUSE(mlstm_optimizer_set_weight_decay(adagrad, "x", 1), NOT_FOUND, "\"x\"");
    REFUSE(mlstm_optimizer_set_weight_decay(adagrad, param, -0.5f), INVALID_ARGUMENT, "-0.5");
    REFUSE(mlstm_optimizer_set_weight_decay(adagrad, param, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_optimizer_set_weight_decay(adagrad, param, INFINITY), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_optimizer_set_frozen(NULL, param, 1), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_optimizer_set_frozen(adagrad, NULL, 1), INVALID_ARGUMENT, "param");
    REFUSE(mlstm_optimizer_set_frozen(adagrad, "x", 1), NOT_FOUND, "\"x\"");
    REFUSE(mlstm_optimizer_set_frozen(adagrad, param, 2), INVALID_ARGUMENT, "got 2");
    REFUSE(mlstm_optimizer_set_frozen(adagrad, param, -1), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_optimizer_get_slot(NULL, slot, param, out.values, 20), INVALID_ARGUMENT,
           "optimizer");
    REFUSE(mlstm_optimizer_get_slot(adagrad, NULL, param, out.values, 20), INVALID_ARGUMENT,
           "slot");
    REFUSE(mlstm_optimizer_get_slot(adagrad, slot, NULL, out.values, 20), INVALID_ARGUMENT,
           "param");
    REFUSE(mlstm_optimizer_get_slot(adagrad, slot, param, NULL, 20), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_optimizer_get_slot(adagrad, slot, param, out.values, 22), MISMATCH, "got 22");
    REFUSE(mlstm_optimizer_get_slot(adagrad, slot, "x", out.values, 20), NOT_FOUND, "\"x\"");
    REFUSE(mlstm_optimizer_get_slot(adagrad, "y", param, out.values, 20), NOT_FOUND, "\"y\"");
    REFUSE(mlstm_optimizer_get_slot(sgd, "momentum", param, out.values, 20), NOT_FOUND, "momentum");
    REFUSE(mlstm_optimizer_set_slot(NULL, slot, param, x, 20), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_optimizer_set_slot(adagrad, NULL, param, x, 20), INVALID_ARGUMENT, "slot");
    REFUSE(mlstm_optimizer_set_slot(adagrad, slot, NULL, x, 20), INVALID_ARGUMENT, "param");
    REFUSE(mlstm_optimizer_set_slot(adagrad, slot, param, NULL, 20), INVALID_ARGUMENT, "values");
    REFUSE(mlstm_optimizer_set_slot(adagrad, slot, param, x, 18), MISMATCH, "got 18");
    REFUSE(mlstm_optimizer_set_slot(adagrad, slot, "x", x, 20), NOT_FOUND, "\"x\"");
    REFUSE(mlstm_optimizer_set_slot(adagrad, "y", param, x, 20), NOT_FOUND, "\"y\"");
    REFUSE(mlstm_optimizer_set_slot(sgd, "momentum", param, x, 20), NOT_FOUND, "momentum");
    REFUSE(mlstm_apply_grads(NULL, stack, grads), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_apply_grads(adagrad, NULL, grads), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_apply_grads(adagrad, stack, NULL), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_apply_grads(others_optimizer, stack, grads), MISMATCH, "optimizer");
    REFUSE(mlstm_apply_grads(adagrad, other, grads), MISMATCH, "stack");
    REFUSE(mlstm_apply_grads(adagrad, stack, others_grads), MISMATCH, "gradients");
    REFUSE(mlstm_state_apply_grads(NULL, adagrad, stack, grads), INVALID_ARGUMENT, "state");
    REFUSE(mlstm_state_apply_grads(state, NULL, stack, grads), INVALID_ARGUMENT, "optimizer");
    REFUSE(mlstm_state_apply_grads(state, adagrad, NULL, grads), INVALID_ARGUMENT, "stack");
    REFUSE(mlstm_state_apply_grads(state, adagrad, stack, NULL), INVALID_ARGUMENT, "grads");
    REFUSE(mlstm_state_apply_grads(others_state, adagrad, stack, grads), MISMATCH, "state");
    REFUSE(mlstm_state_apply_grads(state, others_optimizer, stack, grads), MISMATCH, "optimizer");
    REFUSE(mlstm_state_apply_grads(state, adagrad, other, grads), MISMATCH, "stack");
    REFUSE(mlstm_state_apply_grads(state, adagrad, stack, others_grads), MISMATCH, "gradients");
}

static mlstm_status weighted(const float *logits, const int32_t *all_labels, size_t rows,
                             int32_t classes, float smoothing)
{
    return mlstm_softmax_cross_entropy_weighted(logits, all_labels, NULL, rows, classes, -1,
                                                smoothing, out.values, out.more, &out.number);
}

static void weighted_loss(void)
{
    static const int32_t above[] = {0, -1, 4}, below[] = {0, -2, 3};
    REFUSE(mlstm_softmax_cross_entropy_weighted(NULL, labels, NULL, 6, 4, -1, 0, NULL, NULL, NULL),
           INVALID_ARGUMENT, "logits");
    REFUSE(weighted(dy, NULL, 6, 4, 0), INVALID_ARGUMENT, "labels");
    REFUSE(weighted(dy, labels, 0, 4, 0), INVALID_ARGUMENT, "got 0");
    REFUSE(weighted(dy, labels, 6, -4, 0), INVALID_ARGUMENT, "got -4");
    REFUSE(weighted(dy, labels, 6, 4, -0.5f), INVALID_ARGUMENT, "-0.5");
    REFUSE(weighted(dy, labels, 6, 4, 1.5f), INVALID_ARGUMENT, "1.5");
    REFUSE(weighted(dy, labels, 6, 4, NAN), INVALID_ARGUMENT, "nan");
    REFUSE(weighted(dy, above, 3, 4, 0), INVALID_ARGUMENT, "row 2");
    REFUSE(weighted(dy, below, 3, 4, 0), INVALID_ARGUMENT, "row 1");
    REFUSE(weighted(dy, labels, SIZE_MAX / 2, 4, 0), TOO_LARGE, "4] logits");
}

static void softmax(void)
{
    float *const p = out.values;
    REFUSE(mlstm_softmax(NULL, 6, 4, p), INVALID_ARGUMENT, "logits");
    REFUSE(mlstm_softmax(dy, 6, 4, NULL), INVALID_ARGUMENT, "probabilities");
    REFUSE(mlstm_softmax(dy, 0, 4, p), INVALID_ARGUMENT, "rows must be at least 1, got 0");
    REFUSE(mlstm_softmax(dy, 6, 0, p), INVALID_ARGUMENT, "classes must be at least 1, got 0");
    REFUSE(mlstm_softmax(dy, 6, -4, p), INVALID_ARGUMENT, "got -4");
    REFUSE(mlstm_softmax(dy, SIZE_MAX / 2, 4, p), TOO_LARGE, "4] logits");
}

static void losses(void **unused)
{
    (void)unused;
    static const int32_t above[] = {0, 1, 4}, below[] = {0, -1, 3};
    float *const p = out.values, *const d = out.more, *const loss = &out.number;
    softmax();
    REFUSE(mlstm_softmax_cross_entropy(NULL, labels, 6, 4, p, d, loss), INVALID_ARGUMENT, "logits");
    REFUSE(mlstm_softmax_cross_entropy(dy, NULL, 6, 4, p, d, loss), INVALID_ARGUMENT, "labels");
    REFUSE(mlstm_softmax_cross_entropy(dy, labels, 0, 4, p, d, loss), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_softmax_cross_entropy(dy, labels, 6, 0, p, d, loss), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_softmax_cross_entropy(dy, labels, 6, -4, p, d, loss), INVALID_ARGUMENT, "got -4");
    REFUSE(mlstm_softmax_cross_entropy(dy, above, 3, 4, p, d, loss), INVALID_ARGUMENT, "row 2");
    REFUSE(mlstm_softmax_cross_entropy(dy, above, 3, 4, p, d, loss), INVALID_ARGUMENT, "got 4");
    REFUSE(mlstm_softmax_cross_entropy(dy, below, 3, 4, p, d, loss), INVALID_ARGUMENT, "row 1");
    REFUSE(mlstm_softmax_cross_entropy(dy, below, 3, 4, p, d, loss), INVALID_ARGUMENT, "got -1");
    REFUSE(mlstm_softmax_cross_entropy(dy, labels, SIZE_MAX / 2, 4, p, d, loss), TOO_LARGE,
           "4] logits");
    weighted_loss();
    REFUSE(mlstm_sigmoid_cross_entropy(NULL, dy, 4, d, loss), INVALID_ARGUMENT, "logits");
    REFUSE(mlstm_sigmoid_cross_entropy(dy, NULL, 4, d, loss), INVALID_ARGUMENT, "targets");
    REFUSE(mlstm_sigmoid_cross_entropy(dy, dy, 0, d, loss), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_absolute_error(NULL, dy, 4, d, loss), INVALID_ARGUMENT, "outputs");
    REFUSE(mlstm_absolute_error(dy, NULL, 4, d, loss), INVALID_ARGUMENT, "targets");
    REFUSE(mlstm_absolute_error(dy, dy, 0, d, loss), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_weighted_loss(-1, dy, dy, dy, 2, 2, 1, d, loss), INVALID_ARGUMENT, "loss -1");
    REFUSE(mlstm_weighted_loss(4, dy, dy, dy, 2, 2, 1, d, loss), INVALID_ARGUMENT, "loss 4");
    REFUSE(mlstm_weighted_loss(0, NULL, dy, dy, 2, 2, 1, d, loss), INVALID_ARGUMENT, "outputs");
    REFUSE(mlstm_weighted_loss(1, dy, NULL, dy, 2, 2, 1, d, loss), INVALID_ARGUMENT, "targets");
    REFUSE(mlstm_weighted_loss(3, dy, dy, NULL, 2, 2, 1, d, loss), INVALID_ARGUMENT, "weights");
    REFUSE(mlstm_weighted_loss(0, dy, dy, dy, 0, 2, 1, d, loss), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_weighted_loss(0, dy, dy, dy, 2, -2, 1, d, loss), INVALID_ARGUMENT, "got -2");
    REFUSE(mlstm_weighted_loss(0, dy, dy, dy, SIZE_MAX / 2, 2, 1, d, loss), TOO_LARGE, "2]");
    REFUSE(mlstm_weighted_loss(2, dy, dy, dy, 2, 2, 0, d, loss), INVALID_ARGUMENT, "delta");
    REFUSE(mlstm_weighted_loss(2, dy, dy, dy, 2, 2, NAN, d, loss), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_huber_loss(NULL, dy, 4, 1, d, loss), INVALID_ARGUMENT, "outputs");
    REFUSE(mlstm_huber_loss(dy, NULL, 4, 1, d, loss), INVALID_ARGUMENT, "targets");
    REFUSE(mlstm_huber_loss(dy, dy, 0, 1, d, loss), INVALID_ARGUMENT, "got 0");
    REFUSE(mlstm_huber_loss(dy, dy, 4, 0, d, loss), INVALID_ARGUMENT, "delta");
    REFUSE(mlstm_huber_loss(dy, dy, 4, NAN, d, loss), INVALID_ARGUMENT, "nan");
    REFUSE(mlstm_huber_loss(dy, dy, 4, INFINITY, d, loss), INVALID_ARGUMENT, "inf");
    REFUSE(mlstm_squared_error(NULL, dy, 4, d, loss), INVALID_ARGUMENT, "outputs");
    REFUSE(mlstm_squared_error(dy, NULL, 4, d, loss), INVALID_ARGUMENT, "targets");
    REFUSE(mlstm_squared_error(dy, dy, 0, d, loss), INVALID_ARGUMENT, "got 0");
}

/* The rows above are of every function in the headers that answers with a status. */
static void every_function_has_its_rows(void **unused)
{
    (void)unused;
    static const char *const headers[] = {"cell",      "stack", "state", "grads",
                                          "optimizer", "loss",  "pass"};
    static const char start[] = "MLSTM_API mlstm_status ";
    size_t functions = 0;
    for (size_t i = 0; i < COUNT(headers); i++) {
        char path[60], line[200], name[60];
        snprintf(path, sizeof path, "../include/mlstm/%s.h", headers[i]);
        FILE *header = fopen(path, "r");
        assert_non_null(header);
        while (fgets(line, sizeof line, header)) {
            if (strncmp(line, start, strlen(start)) != 0)
                continue;
            const char *function = line + strlen(start);
            snprintf(name, sizeof name, " %.*s ", (int)strcspn(function, "("), function);
            if (!strstr(called, name))
                fail_msg("no row calls%s", name);
            functions++;
        }
        fclose(header);
    }
    assert_true(functions >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells),
        cmocka_unit_test(options),
        cmocka_unit_test(dropout),
        cmocka_unit_test(stacks),
        cmocka_unit_test(stacks_with_options),
        cmocka_unit_test(a_stack_too_large),
        cmocka_unit_test(params),
        cmocka_unit_test(making_states),
        cmocka_unit_test(states),
        cmocka_unit_test(sequences),
        cmocka_unit_test(whole_windows),
        cmocka_unit_test(passes),
        cmocka_unit_test(gradients),
        cmocka_unit_test(making_optimizers),
        cmocka_unit_test(making_more_optimizers),
        cmocka_unit_test(optimizers),
        cmocka_unit_test(losses),
        cmocka_unit_test(every_function_has_its_rows),
    };
    return cmocka_run_group_tests_name("arguments", tests, set_up, tear_down);
}
