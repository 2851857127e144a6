/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <mlstm/pass.h>

#include "stack.h"
#include "state.h"
#include "status.h"

/* A chunk of steps on its way through all layers. */
struct pass {
    const struct mlstm_stack *stack;
    struct mlstm_state *state;
    const float *x;
    int32_t steps;
    float *y;
};

/* So few rows use each weight once or twice whatever the order: the step may read x itself. */
#define FUSED_ROWS 4

/* preact = bias + x @ kernel, all steps at once. */
static void multiply_input(const struct pass *pass, const struct matrix *m, const float *x,
                           size_t x_row, float *preact, size_t preact_panel, struct worker *worker)
{
    const int32_t rows = pass->steps * pass->state->batch;
    struct range row, panel;
    worker_share(worker, rows, m->panels, &row, &panel);
    pass->stack->layout->kernels->product(&(struct product){
        .a = x,
        .a_row = x_row,
        .segments = 1,
        .length = m->parts[PART_X].rows,
        .b = pass->stack->params + m->offset + m->width,
        .b_panel = m->panel,
        .width = m->width,
        .init = PRODUCT_BIAS,
        .c = preact,
        .c_row = (size_t)m->width,
        .c_panel = preact_panel,
        .columns = m->panels * m->width,
        .row_begin = row.begin,
        .row_end = row.end,
        .panel_begin = panel.begin,
        .panel_end = panel.end,
    });
    worker_wait(worker);
}

/* One layer, all steps of the chunk: x is read, h of the slots after the position is written. */
static void forward_layer(const struct pass *pass, int32_t layer, const float *x, size_t x_row,
                          struct worker *worker)
{
    struct mlstm_state *state = pass->state;
    const struct kernels *kernels = state->layout->kernels;
    struct layer_state *s = &state->layers[layer];
    const size_t position = (size_t)state->position;
    const size_t here = position * s->slot;
    struct cell_forward own, *step = &s->forward;
    if (worker->count > 1) {
        own = s->forward;
        step = &own;
    }
    step->step_begin = 0;
    step->step_end = pass->steps;
    step->c = s->c + here;
    step->h = s->h + here;
    if (s->gates) {
        step->gates = s->gates + position * s->gates_step;
        step->tanh_c = s->tanh_c + here;
    }
    if (s->small || pass->steps * state->batch <= FUSED_ROWS) {
        step->x = x;
        step->x_row = x_row;
    } else {
        const struct matrix *m = &state->layout->matrices[layer];
        float *preact = s->gates ? step->gates : state->preact;
        step->x = NULL;
        step->preact = preact;
        step->preact_panel = s->gates ? s->gates_panel : state->chunk_rows * (size_t)m->width;
        multiply_input(pass, m, x, x_row, preact, step->preact_panel, worker);
    }
    if (worker->count == 1) {
        kernels->cell_forward(step);
        return;
    }
    if (s->small) {
        if (worker->index == 0)
            kernels->cell_forward(step);
        worker_wait(worker);
        return;
    }
    struct range row, panel;
    if (worker_rows(worker, state->batch, &row)) {
        step->row_begin = row.begin;
        step->row_end = row.end;
        kernels->cell_forward(step);
        worker_wait(worker);
        return;
    }
    worker_share(worker, state->batch, step->panel_end, &row, &panel);
    step->row_begin = row.begin;
    step->row_end = row.end;
    step->panel_begin = panel.begin;
    step->panel_end = panel.end;
    for (int32_t t = 0; t < pass->steps; t++) {
        step->step_begin = t;
        step->step_end = t + 1;
        kernels->cell_forward(step);
        worker_wait(worker);
    }
}

/* y = c @ kernel_c + h @ kernel_h + bias, or h where there is no readout. */
static void forward_readout(const struct pass *pass, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = layout_readout(layout);
    const struct layer_state *top = &state->layers[layout->layers - 1];
    const size_t first = (size_t)(state->position + 1) * (size_t)state->batch * top->row;
    const int32_t rows = pass->steps * state->batch;
    const int32_t outputs = state->outputs;
    struct range row, panel;
    worker_share(worker, rows, m ? m->panels : 1, &row, &panel);
    if (!m) {
        for (int32_t r = row.begin; r < row.end; r++)
            memcpy(pass->y + (size_t)r * (size_t)outputs, top->h + first + (size_t)r * top->row,
                   (size_t)outputs * sizeof *pass->y);
        return;
    }
    const bool both = layout->sources == (MLSTM_READOUT_C | MLSTM_READOUT_H);
    layout->kernels->product(&(struct product){
        .a = (layout->sources & MLSTM_READOUT_C ? top->c : top->h) + first,
        .a_row = top->row,
        .a_segment = both ? top->h - top->c : 0,
        .segments = both ? 2 : 1,
        .length = layout->matrices[layout->layers - 1].units,
        .b = pass->stack->params + m->offset + m->width,
        .b_panel = m->panel,
        .width = m->width,
        .init = PRODUCT_BIAS,
        .c = pass->y,
        .c_row = (size_t)outputs,
        .c_panel = (size_t)m->width,
        .columns = outputs,
        .row_begin = row.begin,
        .row_end = row.end,
        .panel_begin = panel.begin,
        .panel_end = panel.end,
    });
}

static void forward_chunk(void *context, struct worker *worker)
{
    const struct pass *pass = context;
    const struct mlstm_state *state = pass->state;
    const float *x = pass->x;
    size_t x_row = (size_t)state->inputs;
    for (int32_t l = 0; l < state->layout->layers; l++) {
        forward_layer(pass, l, x, x_row, worker);
        x_row = state->layers[l].row;
        x = state->layers[l].h + (size_t)(state->position + 1) * state->layers[l].slot;
    }
    if (pass->y)
        forward_readout(pass, worker);
}

static void forward(const struct mlstm_stack *stack, struct mlstm_state *state, const float *x,
                    int32_t steps, float *y)
{
    const size_t x_step = (size_t)state->batch * (size_t)state->inputs;
    const size_t y_step = (size_t)state->batch * (size_t)state->outputs;
    for (int32_t done = 0, n; done < steps; done += n) {
        n = steps - done < state->chunk ? steps - done : state->chunk;
        struct pass pass = {stack, state, x + (size_t)done * x_step, n,
                            y ? y + (size_t)done * y_step : NULL};
        if (state->window > 0)
            memcpy(state->x + (size_t)state->position * x_step, pass.x,
                   (size_t)n * x_step * sizeof *x);
        else
            state_make_room(state, n);
        state_run(state, n, forward_chunk, &pass);
        state->position += n;
    }
}

mlstm_status mlstm_step_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                                float *y)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(x);
    REQUIRE(state->layout == stack->layout, MLSTM_ERROR_MISMATCH, "%s", foreign_state);
    REQUIRE(state->window == 0 || state->position < state->window, MLSTM_ERROR_ORDER,
            "the window of %d steps is full: begin a new one", state->window);
    forward(stack, state, x, 1, y);
    return MLSTM_OK;
}

mlstm_status mlstm_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                           int32_t steps, float *y)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(x);
    REQUIRE(steps >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "steps must be at least 1, got %d", steps);
    REQUIRE(state->layout == stack->layout, MLSTM_ERROR_MISMATCH, "%s", foreign_state);
    REQUIRE(state->window == 0 || steps <= state->window - state->position, MLSTM_ERROR_ORDER,
            "the window of %d steps has %d recorded and no room for %d more", state->window,
            state->position, steps);
    forward(stack, state, x, steps, y);
    return MLSTM_OK;
}
