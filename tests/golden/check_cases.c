/* SPDX-License-Identifier: MIT */

/* One window forward and back for each case, loss = sum(dH * h_top + dC * c_top). */

#include <stdio.h>
#include <stdlib.h>

#include "golden_check.h"

struct sizes {
    int32_t layers, batch, input, hidden, steps;
    size_t x, state, top; /* numbers in x [T,B,I], the state [L,2,B,H], the top layer [T,B,H] */
};

/* From the shapes of x and the state; 0 where one of them is missing. */
static int find_sizes(struct report *report, const char *name, struct sizes *s)
{
    char path[100];
    snprintf(path, sizeof path, "cases/%s/x", name);
    const struct golden_record *x = golden_find(report->file, path);
    snprintf(path, sizeof path, "cases/%s/init_state", name);
    const struct golden_record *state = golden_find(report->file, path);
    if (!x || x->rank != 3 || !state || state->rank != 4 || state->dims[1] != 2 ||
        state->dims[2] != x->dims[1]) {
        report_failure(report, "cases/%s has no x [T,B,I] or no init_state [L,2,B,H]", name);
        return 0;
    }
    s->layers = (int32_t)state->dims[0];
    s->batch = (int32_t)state->dims[2];
    s->hidden = (int32_t)state->dims[3];
    s->steps = (int32_t)x->dims[0];
    s->input = (int32_t)x->dims[2];
    s->x = x->count;
    s->state = state->count;
    s->top = x->dims[0] * x->dims[1] * state->dims[3];
    return 1;
}

static void check_sizes(struct report *report, const char *name, const struct sizes *s)
{
    const struct {
        const char *letter;
        int32_t size;
    } rows[] = {
        {"L", s->layers}, {"B", s->batch}, {"I", s->input}, {"H", s->hidden}, {"T", s->steps}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[100];
        snprintf(path, sizeof path, "cases/%s/%s", name, rows[i].letter);
        expect_number(report, path, rows[i].size);
    }
}

/* What the library calls a parameter, how many numbers it has, and what the file calls it. */
static size_t param(const mlstm_stack *stack, int32_t index, const char **name, char in_file[40])
{
    int32_t rank, shape[2];
    must(mlstm_stack_param_info(stack, index, name, &rank, shape));
    snprintf(in_file, 40, "%s/%d", index % 2 ? "biases" : "kernels", index / 2);
    return (size_t)shape[0] * (size_t)shape[1];
}

static mlstm_stack *build_stack(struct report *report, const char *name, const struct sizes *s)
{
    const struct golden_record *bias = expect_record(report, 1, "cases/%s/forget_bias", name);
    mlstm_stack *stack =
        uniform_stack(s->layers, s->input, s->hidden, bias ? (float)bias->values[0] : 1, 0);
    for (int32_t i = 0; i < mlstm_stack_param_count(stack); i++) {
        const char *library;
        char in_file[40];
        const size_t count = param(stack, i, &library, in_file);
        float *values =
            floats_of(expect_record(report, count, "cases/%s/%s", name, in_file), count);
        must(mlstm_stack_set_param(stack, library, values, count));
        free(values);
    }
    return stack;
}

static void check_forward(struct report *report, const char *name, const struct sizes *s,
                          const mlstm_state *state, const float *dh, const float *dc)
{
    float *h = zeroed(s->top, sizeof *h), *c = zeroed(s->top, sizeof *c);
    float *final = zeroed(s->state, sizeof *final);
    double loss = 0;
    must(mlstm_state_get_top(state, c, h));
    must(mlstm_state_get(state, final, s->state));
    for (size_t i = 0; i < s->top; i++)
        loss += (double)dh[i] * (double)h[i] + (double)dc[i] * (double)c[i];
    compare_number(report, CASE_LOSS, expect_record(report, 1, "cases/%s/loss", name), loss);
    compare(report, STATE, expect_record(report, s->top, "cases/%s/h_top", name), h);
    compare(report, STATE, expect_record(report, s->top, "cases/%s/c_top", name), c);
    compare(report, STATE, expect_record(report, s->state, "cases/%s/final_state", name), final);
    free(h);
    free(c);
    free(final);
}

static void check_gradients(struct report *report, const char *name, const struct sizes *s,
                            const mlstm_stack *stack, mlstm_state *state, const float *dh,
                            const float *dc)
{
    float *dx = zeroed(s->x, sizeof *dx), *initial = zeroed(s->state, sizeof *initial);
    mlstm_grads *grads;
    must(mlstm_grads_create(stack, &grads));
    must(mlstm_backward(stack, state, NULL, dh, dc, dx, grads));
    must(mlstm_state_get_initial_grad(state, initial, s->state));
    compare(report, CASE_GRADIENTS, expect_record(report, s->x, "cases/%s/grads/x", name), dx);
    compare(report, CASE_GRADIENTS,
            expect_record(report, s->state, "cases/%s/grads/init_state", name), initial);
    for (int32_t i = 0; i < mlstm_stack_param_count(stack); i++) {
        const char *library;
        char in_file[40];
        const size_t count = param(stack, i, &library, in_file);
        float *values = zeroed(count, sizeof *values);
        must(mlstm_grads_get(grads, library, values, count));
        compare(report, CASE_GRADIENTS,
                expect_record(report, count, "cases/%s/grads/%s", name, in_file), values);
        free(values);
    }
    mlstm_grads_destroy(grads);
    free(dx);
    free(initial);
}

static void check_case(struct report *report, const char *name)
{
    struct sizes s;
    if (!find_sizes(report, name, &s))
        return;
    check_sizes(report, name, &s);
    float *x = floats_of(expect_record(report, s.x, "cases/%s/x", name), s.x);
    float *initial =
        floats_of(expect_record(report, s.state, "cases/%s/init_state", name), s.state);
    float *dh = floats_of(expect_record(report, s.top, "cases/%s/dH", name), s.top);
    float *dc = floats_of(expect_record(report, s.top, "cases/%s/dC", name), s.top);
    mlstm_stack *stack = build_stack(report, name, &s);
    mlstm_state *state;
    must(mlstm_state_create(stack, s.batch, s.steps, &state));
    must(mlstm_state_set(state, initial, s.state));
    must(mlstm_forward(stack, state, x, s.steps, NULL));
    check_forward(report, name, &s, state, dh, dc);
    check_gradients(report, name, &s, stack, state, dh, dc);
    mlstm_state_destroy(state);
    mlstm_stack_destroy(stack);
    free(x);
    free(initial);
    free(dh);
    free(dc);
}

void check_cases(struct report *report)
{
    char name[32] = "";
    size_t cases = 0;
    for (size_t at = 0; next_name(report->file, "cases/", &at, name); cases++)
        check_case(report, name);
    if (!cases)
        report_failure(report, "there are no cases");
}
