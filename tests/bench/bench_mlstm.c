/* SPDX-License-Identifier: MIT */

/* libmlstm, through its public API alone. */

#include "bench.h"

#include <mlstm/mlstm.h>

#include <stdio.h>
#include <stdlib.h>

static const bench_work *work;
static bench_kind kind;
static mlstm_stack *stack;
static mlstm_state *state;
static mlstm_grads *grads;
static mlstm_optimizer *optimizer;
static float *y, *dy;
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
    optimizer = NULL;
    grads = NULL;
    state = NULL;
    stack = NULL;
    y = dy = NULL;
}

static void set_parameters(void)
{
    char name[32];
    size_t hidden = (size_t)work->hidden, outputs = (size_t)work->outputs;
    for (int32_t l = 0; l < work->layers; l++) {
        size_t rows = (size_t)bench_layer_input(work, l) + hidden;
        snprintf(name, sizeof name, "layer%d.kernel", l);
        try(mlstm_stack_set_param(stack, name, work->kernel[l], rows * 4 * hidden));
        snprintf(name, sizeof name, "layer%d.bias", l);
        try(mlstm_stack_set_param(stack, name, work->bias[l], 4 * hidden));
    }
    if (!outputs)
        return;
    try(mlstm_stack_set_param(stack, "readout.kernel_c", work->readout_c, hidden * outputs));
    try(mlstm_stack_set_param(stack, "readout.kernel_h", work->readout_h, hidden * outputs));
    try(mlstm_stack_set_param(stack, "readout.bias", work->readout_bias, outputs));
}

static void make_stack(void)
{
    mlstm_cell *cells[BENCH_MAX_LAYERS];
    for (int32_t l = 0; l < work->layers; l++)
        try(mlstm_cell_create(bench_layer_input(work, l), work->hidden, &cells[l]));
    try(mlstm_stack_create(cells, work->layers, &stack));
    if (work->outputs)
        try(mlstm_stack_set_readout(stack, work->outputs, MLSTM_READOUT_C | MLSTM_READOUT_H));
    set_parameters();
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
    try(mlstm_grads_create(stack, &grads));
    /* A rate so small that the weights stay what they are; the update is done in full. */
    if (kind == BENCH_TRAIN)
        try(mlstm_sgd_create(stack, 1e-12f, 0, 0, &optimizer));
    if (kind == BENCH_ECHO)
        try(mlstm_adagrad_create(stack, 0.3f, 0.1f, &optimizer));
    size_t outputs = (size_t)mlstm_stack_output_size(stack);
    size_t count = (size_t)work->steps * (size_t)work->batch * outputs;
    y = bench_alloc(count * sizeof *y);
    dy = bench_alloc(count * sizeof *dy);
    return 0;
}

size_t bench_bytes(void)
{
    return mlstm_state_bytes(state);
}

static void train(void)
{
    try(mlstm_state_begin_window(state));
    try(mlstm_forward(stack, state, work->x, work->steps, y));
    try(mlstm_backward(stack, state, work->dh, NULL, NULL, NULL, grads));
    try(mlstm_apply_grads(optimizer, stack, grads));
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
    size_t outputs = (size_t)work->outputs;
    const float *x = work->x + (size_t)at * cells * (size_t)work->input;
    if (at == 0)
        try(mlstm_state_zero(state));
    try(mlstm_state_begin_window(state));
    for (size_t t = 0; t < (size_t)work->steps; t++)
        try(mlstm_step_forward(stack, state, x + t * batch * (size_t)work->input,
                               y + t * batch * outputs));
    try(mlstm_softmax_cross_entropy(y, work->labels + (size_t)at * cells, cells, work->outputs,
                                    NULL, dy, &loss));
    try(mlstm_backward(stack, state, dy, NULL, NULL, NULL, grads));
    try(mlstm_apply_grads(optimizer, stack, grads));
    try(mlstm_grads_zero(grads));
    at = at + 1 < work->windows ? at + 1 : 0;
}

void bench_run(long count)
{
    while (count--) {
        switch (kind) {
        case BENCH_TRAIN: train(); break;
        case BENCH_INFER: infer(); break;
        case BENCH_STREAM: stream(); break;
        case BENCH_ECHO: echo(); break;
        case BENCH_SGEMM: break;
        }
    }
}

static void put_grad(const char *suffix, int32_t layer, size_t count)
{
    char name[32];
    float *values = bench_alloc(count * sizeof *values);
    snprintf(name, sizeof name, "layer%d.%s", layer, suffix);
    try(mlstm_grads_get(grads, name, values, count));
    bench_put(values, count);
    free(values);
}

static void check_train(void)
{
    size_t hidden = (size_t)work->hidden;
    try(mlstm_state_zero(state));
    try(mlstm_grads_zero(grads));
    try(mlstm_forward(stack, state, work->x, work->steps, y));
    try(mlstm_backward(stack, state, work->dh, NULL, NULL, NULL, grads));
    bench_put(y, (size_t)work->steps * (size_t)work->batch * hidden);
    for (int32_t l = 0; l < work->layers; l++) {
        put_grad("kernel", l, ((size_t)bench_layer_input(work, l) + hidden) * 4 * hidden);
        put_grad("bias", l, 4 * hidden);
    }
    try(mlstm_grads_zero(grads));
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
        bench_put(y, (size_t)work->steps * (size_t)work->batch * (size_t)work->hidden);
    }
}
