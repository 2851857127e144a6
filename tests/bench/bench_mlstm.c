/* SPDX-License-Identifier: MIT */

/* libmlstm, through its public API alone. */

#include "bench.h"

#include <mlstm/mlstm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bench_work *work;
static bench_kind kind;
static mlstm_stack *stack;
static mlstm_state *state;
static mlstm_grads *grads;
static mlstm_optimizer *optimizer;
static float *y, *dy;
static int32_t *lengths; /* [B], where rows have some */
static int32_t overlap;  /* steps that a window keeps of the one before */
static float loss;
static int32_t at; /* the step or window that comes next */

static void try(mlstm_status status)
{
    if (status != MLSTM_OK)
        bench_die("%s: %s", mlstm_status_name(status), mlstm_last_error());
}

const char *bench_name(void)
{
    static char name[64];
    snprintf(name, sizeof name, "libmlstm %s %s", mlstm_version(), mlstm_isa());
    return name;
}

static void free_all(void)
{
    mlstm_optimizer_destroy(optimizer);
    mlstm_grads_destroy(grads);
    mlstm_state_destroy(state);
    mlstm_stack_destroy(stack);
    free(y);
    free(dy);
    free(lengths);
    optimizer = NULL;
    grads = NULL;
    state = NULL;
    stack = NULL;
    y = dy = NULL;
    lengths = NULL;
}

static int is(const char *variant)
{
    return strcmp(work->variant, variant) == 0;
}

/* Dropout and skip connections are those between layers: the bottom one has none. */
static mlstm_status set_variant(mlstm_cell *cell, int32_t layer)
{
    if (is("two-biases"))
        return mlstm_cell_set_biases(cell, 2);
    if (is("peepholes"))
        return mlstm_cell_set_peepholes(cell, 1);
    if (is("projection"))
        return mlstm_cell_set_projection(cell, work->hidden / 2);
    if (is("cell-clip"))
        return mlstm_cell_set_cell_clip(cell, BENCH_CLIP);
    if (is("coupled"))
        return mlstm_cell_set_coupled(cell, 1);
    if (is("norm-gates"))
        return mlstm_cell_set_norm(cell, MLSTM_NORM_GATES, BENCH_EPSILON);
    if (is("norm-products"))
        return mlstm_cell_set_norm(cell, MLSTM_NORM_PRODUCTS, BENCH_EPSILON);
    if (is("zoneout"))
        return mlstm_cell_set_zoneout(cell, BENCH_RATE, BENCH_RATE);
    if (is("dropout-step"))
        return mlstm_cell_set_dropout(cell, layer ? BENCH_RATE : 0, MLSTM_MASK_STEP);
    if (is("dropout-sequence"))
        return mlstm_cell_set_dropout(cell, layer ? BENCH_RATE : 0, MLSTM_MASK_SEQUENCE);
    if (is("drop-hidden"))
        return mlstm_cell_set_recurrent_dropout(cell, BENCH_RATE, MLSTM_DROP_HIDDEN,
                                                MLSTM_MASK_SEQUENCE);
    if (is("drop-candidate"))
        return mlstm_cell_set_recurrent_dropout(cell, BENCH_RATE, MLSTM_DROP_CANDIDATE,
                                                MLSTM_MASK_STEP);
    if (is("residual"))
        return mlstm_cell_set_skip(cell, layer ? MLSTM_SKIP_RESIDUAL : MLSTM_SKIP_NONE);
    if (is("highway"))
        return mlstm_cell_set_skip(cell, layer ? MLSTM_SKIP_HIGHWAY : MLSTM_SKIP_NONE);
    if (is("concat"))
        return mlstm_cell_set_bidirectional(cell, MLSTM_MERGE_CONCAT);
    if (is("sum"))
        return mlstm_cell_set_bidirectional(cell, MLSTM_MERGE_SUM);
    if (is("learned-state"))
        return mlstm_cell_set_learned_state(cell, 1);
    if (!is("") && !is("lengths") && !is("overlap"))
        bench_die("what is the variant %s", work->variant);
    return MLSTM_OK;
}

/* The name of a parameter and its size. */
static const char *parameter(int32_t index, size_t *count)
{
    const char *name;
    int32_t rank, shape[2];
    try(mlstm_stack_param_info(stack, index, &name, &rank, shape));
    *count = (size_t)shape[0] * (size_t)shape[1];
    return name;
}

static void set_parameters(void)
{
    const float *next = work->parameters;
    for (int32_t p = 0; p < mlstm_stack_param_count(stack); p++) {
        size_t count;
        const char *name = parameter(p, &count);
        try(mlstm_stack_set_param(stack, name, next, count));
        next += count;
    }
    if (next != work->x)
        bench_die("%s: the file has other parameters", work->variant);
}

static void make_stack(void)
{
    mlstm_cell *cells[BENCH_MAX_LAYERS];
    for (int32_t l = 0, input = work->input; l < work->layers; l++) {
        try(mlstm_cell_create(input, work->hidden, &cells[l]));
        try(set_variant(cells[l], l));
        input = mlstm_cell_output_size(cells[l]);
    }
    try(mlstm_stack_create(cells, work->layers, &stack));
    if (work->outputs)
        try(mlstm_stack_set_readout(stack, work->outputs, MLSTM_READOUT_C | MLSTM_READOUT_H));
    set_parameters();
}

/* How many numbers y has. */
static size_t outputs(void)
{
    return (size_t)work->steps * (size_t)work->batch * (size_t)mlstm_stack_output_size(stack);
}

static void set_state_variant(void)
{
    try(mlstm_state_set_training(state, !is(""), 1));
    overlap = is("overlap") ? work->steps / 2 : 0;
    if (!is("lengths"))
        return;
    lengths = bench_alloc((size_t)work->batch * sizeof *lengths);
    for (int32_t b = 0; b < work->batch; b++)
        lengths[b] = b < work->batch / 2 ? work->steps : work->steps / 2;
}

int bench_prepare(bench_kind new_kind, const bench_work *new_work, int threads)
{
    free_all();
    kind = new_kind;
    work = new_work;
    at = 0;
    if (kind == BENCH_SGEMM)
        return -1;
    make_stack();
    int trains = kind == BENCH_TRAIN || kind == BENCH_ECHO;
    try(mlstm_state_create(stack, work->batch, trains ? work->steps : 0, &state));
    try(mlstm_state_set_threads(state, threads));
    set_state_variant();
    try(mlstm_grads_create(stack, &grads));
    /* A rate so small that the weights stay what they are; the update is done in full. */
    if (kind == BENCH_TRAIN)
        try(mlstm_sgd_create(stack, 1e-12f, 0, 0, &optimizer));
    if (kind == BENCH_ECHO)
        try(mlstm_adagrad_create(stack, 0.3f, 0.1f, &optimizer));
    y = bench_alloc(outputs() * sizeof *y);
    dy = bench_alloc(outputs() * sizeof *dy);
    return 0;
}

size_t bench_bytes(void)
{
    return mlstm_state_bytes(state);
}

static void begin_window(void)
{
    if (is("learned-state"))
        try(mlstm_state_begin_sequence(stack, state));
    else
        try(mlstm_state_keep_steps(state, mlstm_state_steps(state) ? overlap : 0));
    if (lengths)
        try(mlstm_state_set_lengths(state, lengths, (size_t)work->batch));
}

static void forward_backward(void)
{
    begin_window();
    size_t first = (size_t)mlstm_state_steps(state) * (size_t)work->batch;
    try(mlstm_forward(stack, state, work->x + first * (size_t)work->input, work->steps - overlap,
                      y + first * (size_t)mlstm_stack_output_size(stack)));
    try(mlstm_backward(stack, state, work->dh, NULL, NULL, NULL, grads));
}

static void train(void)
{
    forward_backward();
    try(mlstm_state_apply_grads(state, optimizer, stack, grads));
    try(mlstm_grads_zero(grads));
}

static void infer(void)
{
    try(mlstm_forward(stack, state, work->x, work->steps, y));
}

static void stream(void)
{
    size_t input = (size_t)work->input, hidden = (size_t)work->hidden;
    try(mlstm_step_forward(stack, state, work->x + (size_t)at * input, y + (size_t)at * hidden));
    at = at + 1 < work->steps ? at + 1 : 0;
}

static void echo(void)
{
    size_t batch = (size_t)work->batch, cells = (size_t)work->steps * batch;
    const float *x = work->x + (size_t)at * cells * (size_t)work->input;
    if (at == 0)
        try(mlstm_state_zero(state));
    try(mlstm_state_begin_window(state));
    for (size_t t = 0; t < (size_t)work->steps; t++)
        try(mlstm_step_forward(stack, state, x + t * batch * (size_t)work->input,
                               y + t * batch * (size_t)work->outputs));
    try(mlstm_softmax_cross_entropy(y, work->labels + (size_t)at * cells, cells, work->outputs,
                                    NULL, dy, &loss));
    try(mlstm_backward(stack, state, dy, NULL, NULL, NULL, grads));
    try(mlstm_apply_grads(optimizer, stack, grads));
    try(mlstm_grads_zero(grads));
    at = at + 1 < work->windows ? at + 1 : 0;
}

/* A loop for each, as what chooses between them would count in short units. */
void bench_run(long count)
{
    switch (kind) {
    case BENCH_TRAIN:
        while (count--)
            train();
        break;
    case BENCH_INFER:
        while (count--)
            infer();
        break;
    case BENCH_STREAM:
        while (count--)
            stream();
        break;
    case BENCH_ECHO:
        while (count--)
            echo();
        break;
    case BENCH_SGEMM: break;
    }
}

static void put_grad(int32_t index)
{
    size_t count;
    const char *name = parameter(index, &count);
    float *values = bench_alloc(count * sizeof *values);
    try(mlstm_grads_get(grads, name, values, count));
    bench_put(values, count);
    free(values);
}

/* Only the second of two windows that overlap has all steps. */
static void check_train(void)
{
    try(mlstm_state_set_training(state, 0, 0));
    try(mlstm_state_zero(state));
    for (int window = 0; window < (overlap ? 2 : 1); window++) {
        try(mlstm_grads_zero(grads));
        forward_backward();
    }
    bench_put(y, outputs());
    for (int32_t p = 0; p < mlstm_stack_param_count(stack); p++)
        put_grad(p);
    try(mlstm_grads_zero(grads));
    try(mlstm_state_set_training(state, !is(""), 1));
}

void bench_check(void)
{
    if (kind == BENCH_TRAIN) {
        check_train();
    } else if (kind == BENCH_ECHO) {
        for (int32_t n = 0; n < work->windows; n++) {
            echo();
            bench_put(&loss, 1);
        }
    } else {
        try(mlstm_state_zero(state));
        bench_run(kind == BENCH_STREAM ? work->steps : 1);
        bench_put(y, outputs());
    }
}
