/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "float_mode.h"
#include "junction.h"
#include "products.h"
#include "special.h"
#include "status.h"

/* preact = bias + x @ kernel, all steps at once; a norm adds its bias later. */
static void multiply_input(const struct forward_pass *pass, int32_t direction, struct rows x,
                           float *preact, size_t preact_panel, struct worker *worker)
{
    const struct layout *layout = pass->state->layout;
    const struct direction *d = &layout->direction[direction];
    const struct matrix *m = &layout->matrices[d->kernel];
    const struct target to = {.init = d->gain == NONE ? PRODUCT_BIAS : PRODUCT_ZERO,
                              .c = preact,
                              .row = (size_t)m->width,
                              .panel = preact_panel,
                              .columns = m->panels * m->width};
    matrix_multiply(
        pass->stack, m, PART_X, x, &to,
        rows_left(share_panels(worker, m, pass->steps * pass->state->batch), pass->state));
    worker_wait(worker);
}

/* Steps `begin` to `end` of the chunk for the rows and panels in `step`, as far as rows last. */
static void plain_steps(const struct forward_pass *pass, const struct direction_state *s,
                        struct cell_forward *step, int32_t begin, int32_t end)
{
    const struct mlstm_state *state = pass->state;
    const struct range row = {step->row_begin, step->row_end};
    step->step_begin = begin;
    step->step_end = end;
    /* Rows of a small layer share vectors, so the ended ones are computed with the others. */
    if (!state->limited || s->small) {
        state->layout->kernels->cell_forward(step);
        return;
    }
    for (int32_t t = begin; t < end; t++)
        FOR_EACH_RUN (run, state, state->position + t, row) {
            step->step_begin = t;
            step->step_end = t + 1;
            step->row_begin = run.begin;
            step->row_end = run.end;
            state->layout->kernels->cell_forward(step);
        }
    step->step_begin = 0;
    step->row_begin = row.begin;
    step->row_end = row.end;
}

static void plain_forward_steps(const struct forward_pass *pass, struct direction_state *s,
                                struct cell_forward *step, struct worker *worker)
{
    const int32_t batch = pass->state->batch;
    struct range row, panel;
    if (worker->count == 1) {
        plain_steps(pass, s, step, 0, pass->steps);
        return;
    }
    if (s->small) {
        if (worker->index == 0)
            plain_steps(pass, s, step, 0, pass->steps);
        worker_wait(worker);
        return;
    }
    const bool own_rows = worker_rows(worker, batch, &row);
    if (!own_rows) {
        worker_share(worker, batch, step->panel_end, &row, &panel);
        step->panel_begin = panel.begin;
        step->panel_end = panel.end;
    }
    step->row_begin = row.begin;
    step->row_end = row.end;
    if (own_rows) {
        plain_steps(pass, s, step, 0, pass->steps);
        worker_wait(worker);
        return;
    }
    for (int32_t t = 0; t < pass->steps; t++) {
        plain_steps(pass, s, step, t, t + 1);
        worker_wait(worker);
    }
}

/* Zeros in place of c and h of rows that have ended. */
static void clear_ended(const struct forward_pass *pass, const struct direction_state *s,
                        struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const size_t next = (size_t)state->position + 1;
    if (worker->index == 0) {
        state_clear_ended(state, state->position, pass->steps, s->c + next * s->slot, s->row);
        state_clear_ended(state, state->position, pass->steps, s->h + next * s->h_slot, s->h_row);
    }
    worker_wait(worker);
}

/* Takes a kernel's step to the position. */
static inline void place(struct cell_forward *step, const struct direction_state *s,
                         const struct forward_pass *pass)
{
    const size_t position = (size_t)pass->state->position;
    step->turn = pass->state->position;
    step->step_end = pass->steps;
    step->c = s->c + position * s->slot;
    step->h = s->h + position * s->h_slot;
    if (s->gates) {
        step->gates = s->gates + position * s->gates_step;
        step->tanh_c = s->tanh_c + position * s->slot;
    }
}

/* All steps of the chunk: x is read, h of the slots after the position is written. */
static void forward_direction(const struct forward_pass *pass, int32_t direction, struct rows x,
                              struct worker *worker)
{
    struct mlstm_state *state = pass->state;
    struct direction_state *s = &state->directions[direction];
    const bool alone = worker->count == 1;
    struct cell_forward own, *step = &s->forward;
    if (!alone) {
        own = s->forward;
        step = &own;
    }
    place(step, s, pass);
    if (pass->steps * state->batch <= s->fused_rows) {
        step->x = x.at;
        step->x_row = x.row;
    } else {
        const size_t width = 4 * (size_t)step->units;
        float *preact = s->gates ? step->gates : state->preact;
        step->x = NULL;
        step->preact = preact;
        step->preact_panel = s->gates ? s->gates_panel : state->chunk_rows * width;
        multiply_input(pass, direction, x, preact, step->preact_panel, worker);
    }
    if (s->special)
        special_forward_steps(pass, direction, worker);
    else if (alone && !state->limited)
        state->layout->kernels->cell_forward(step);
    else
        plain_forward_steps(pass, s, step, worker);
    if (state->limited)
        clear_ended(pass, s, worker);
}

static inline void copy_outputs(const struct forward_pass *pass, struct rows h, struct range row)
{
    const size_t outputs = (size_t)pass->state->outputs;
    for (int32_t r = row.begin; r < row.end; r++)
        memcpy(pass->y + (size_t)r * outputs, h.at + (size_t)r * h.row, outputs * sizeof *pass->y);
}

/* y = c @ kernel_c + h @ kernel_h + bias, or h, what the top layer gives, where there is no readout. */
static void forward_readout(const struct forward_pass *pass, struct rows h, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = layout_readout(layout);
    const int32_t rows = pass->steps * state->batch;
    if (!m) {
        copy_outputs(pass, h, share_rows(worker, rows));
        return;
    }
    const struct rows c = top_cells(state, state->position);
    const struct grid grid = share_panels(worker, m, rows);
    struct product product = state->readout;
    product.a = layout->sources & MLSTM_READOUT_C ? c.at : h.at;
    product.a_segment = h.at - c.at;
    product.c = pass->y;
    product.row_begin = grid.row.begin;
    product.row_end = grid.row.end;
    product.panel_begin = grid.panel.begin;
    product.panel_end = grid.panel.end;
    layout->kernels->product(&product);
    if (layout->sources == (MLSTM_READOUT_C | MLSTM_READOUT_H) && product.segments == 1) {
        const struct target to = {PRODUCT_ADD, pass->y, product.c_row, 0, product.columns};
        matrix_multiply(pass->stack, m, PART_H, h, &to, grid);
    }
}

/* A layer that is joined to its neighbours by more than h. */
static void forward_joined(const struct forward_pass *pass, int32_t index, struct rows x,
                           struct worker *worker)
{
    const struct layer *layer = &pass->state->layout->layer[index];
    junction_enter(pass, index, x, worker);
    for (int32_t d = layer->first; d < layer->first + layer->directions; d++)
        forward_direction(pass, d, junction_read(pass, d, x), worker);
    junction_leave(pass, index, x, worker);
}

static void forward_chunk(void *context, struct worker *worker)
{
    const struct forward_pass *pass = context;
    const struct mlstm_state *state = pass->state;
    struct rows x = {pass->x, (size_t)state->inputs};
    for (int32_t l = 0; l < state->layout->layers; l++) {
        if (state->junctions[l].joined)
            forward_joined(pass, l, x, worker);
        else
            forward_direction(pass, state->junctions[l].first, x, worker);
        x = junction_outputs(state, l, state->position);
    }
    if (pass->y)
        forward_readout(pass, x, worker);
}

/* Few rows through plain layers, where a call that took the way above would cost more than its arithmetic. */
static void forward_direct(const struct forward_pass *pass)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    struct rows x = {pass->x, (size_t)state->inputs};
    for (int32_t l = 0; l < layout->layers; l++) {
        struct direction_state *s = &state->directions[l];
        struct cell_forward *step = &s->forward;
        place(step, s, pass);
        step->x = x.at;
        step->x_row = x.row;
        layout->kernels->cell_forward(step);
        x = (struct rows){step->h + s->h_slot, s->h_row};
    }
    if (!pass->y)
        return;
    if (layout->readout == NONE)
        copy_outputs(pass, x, (struct range){0, pass->steps * state->batch});
    else
        forward_readout(pass, x, &(struct worker){.count = 1});
}

/* As many steps as fit into a chunk. */
static inline void forward_some(const struct mlstm_stack *stack, struct mlstm_state *state,
                                const float *x, int32_t steps, float *y)
{
    struct forward_pass pass = {stack, state, x, steps, y};
    if (state->window > 0) {
        const size_t x_step = (size_t)state->batch * (size_t)state->inputs;
        float *recorded = state->x + (size_t)state->position * x_step;
        memcpy(recorded, x, (size_t)steps * x_step * sizeof *x);
        if (state->limited) {
            state_clear_ended(state, state->position, steps, recorded, (size_t)state->inputs);
            pass.x = recorded;
        }
    } else {
        state_make_room(state, steps);
    }
    if (state_is_alone(state, steps) && !state->limited &&
        steps * state->batch <= state->direct_rows) {
        forward_direct(&pass);
    } else {
        if (state->limited)
            state_find_runs(state, state->position, steps);
        state_run(state, steps, forward_chunk, &pass);
        if (y && state->limited)
            state_clear_ended(state, state->position, steps, y, (size_t)state->outputs);
    }
    state->position += steps;
}

/*
 * All steps. Not inline: processors guess from the branches before what is loaded into the mode, and
 * where those are the caller's the guess may be wrong in every call.
 */
static APART void forward(const struct mlstm_stack *stack, struct mlstm_state *state,
                          const float *x, int32_t steps, float *y)
{
    const struct float_mode callers = float_mode_enter();
    for (;;) {
        const int32_t n = steps < state->chunk ? steps : state->chunk;
        forward_some(stack, state, x, n, y);
        steps -= n;
        if (steps == 0)
            break;
        x += (size_t)n * (size_t)state->batch * (size_t)state->inputs;
        y = y ? y + (size_t)n * (size_t)state->batch * (size_t)state->outputs : NULL;
    }
    float_mode_leave(callers);
}

mlstm_status mlstm_step_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                                float *y)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(x);
    REQUIRE(state->layout == stack->layout, MLSTM_ERROR_MISMATCH, "%s", foreign_state);
    REQUIRE(!state->whole, MLSTM_ERROR_ORDER, "%s",
            "a bidirectional layer reads whole windows, not steps");
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
    REQUIRE(!state->whole || state->position == 0, MLSTM_ERROR_ORDER,
            "a bidirectional layer reads whole windows, and %d steps of this one are recorded",
            state->position);
    forward(stack, state, x, steps, y);
    return MLSTM_OK;
}
