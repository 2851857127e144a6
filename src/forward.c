/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "float_mode.h"
#include "junction.h"
#include "products.h"
#include "special.h"
#include "status.h"

/* Written out in step and window calls, which are shorter so: a small step is over in 30 ns. */
#define INLINE static inline __attribute__((always_inline))

/* Until what comes next may read all rows: none but its own where workers have their own. */
static void wait_for_rows(const struct mlstm_state *state, struct worker *worker)
{
    struct stripes own;
    if (state->limited || !state->rows_apart || !own_stripes(worker, state, 1, &own))
        worker_wait(worker);
}

/* preact = bias + x @ kernel, all steps at once. */
static void multiply_input(const struct forward_pass *pass, int32_t direction, struct rows x,
                           float *preact, size_t preact_panel, struct worker *worker)
{
    const struct layout *layout = pass->state->layout;
    const struct direction *d = &layout->direction[direction];
    const struct matrix *m = &layout->matrices[d->kernel];
    const struct target to = gates_target(d, m, preact, preact_panel);
    const struct grid grid = share_chunk(worker, pass->state, pass->steps, m->panels);
    matrix_multiply(pass->stack, pass->state, m, PART_X, x, &to, &grid);
    wait_for_rows(pass->state, worker);
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
    const bool own_rows = takes_own_rows(worker, pass->state, &row);
    if (!own_rows) {
        worker_share(worker, batch, step->panel_end, &row, &panel);
        step->panel_begin = panel.begin;
        step->panel_end = panel.end;
    }
    step->row_begin = row.begin;
    step->row_end = row.end;
    if (own_rows) {
        plain_steps(pass, s, step, 0, pass->steps);
        wait_for_rows(pass->state, worker);
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
    place_steps(step, s, state->position, state->position + 1, pass->steps);
    step->y = NULL; /* a direct pass may have left one */
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
        special_forward_steps(pass, direction, (struct rows){step->x, x.row}, worker);
    else if (alone && !state->limited)
        state->layout->kernels->cell_forward(step);
    else
        plain_forward_steps(pass, s, step, worker);
    if (state->limited)
        clear_ended(pass, s, worker);
}

static inline void copy_outputs(const struct mlstm_state *state, struct rows h, struct range row,
                                float *y)
{
    const size_t outputs = (size_t)state->outputs;
    /* A step of one stream, where the loop would cost more than the copy. */
    if (row.end - row.begin == 1) {
        memcpy(y + (size_t)row.begin * outputs, h.at + (size_t)row.begin * h.row,
               outputs * sizeof *y);
        return;
    }
    for (int32_t r = row.begin; r < row.end; r++)
        memcpy(y + (size_t)r * outputs, h.at + (size_t)r * h.row, outputs * sizeof *y);
}

/* Where the readout begins to read; the rest follows at a fixed distance. */
static inline const float *readout_input(const struct layout *layout, const float *c,
                                         const float *h)
{
    return layout->sources & MLSTM_READOUT_C ? c : h;
}

/*
 * y = c @ kernel_c + h @ kernel_h + bias, or h, what the top layer gives, where there is no
 * readout.
 */
static void forward_readout(const struct forward_pass *pass, struct rows h, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = layout_readout(layout);
    if (!m) {
        const struct stripes own = share_steps(worker, state, pass->steps);
        for (int32_t i = 0; i <= own.more; i++)
            copy_outputs(state, h, stripe(&own, i), pass->y);
        return;
    }
    const struct grid grid = share_chunk(worker, state, pass->steps, m->panels);
    struct product product = state->readout;
    product.a = readout_input(layout, top_cells(state, state->position).at, h.at);
    product.c = pass->y;
    take_grid(&product, &grid);
    layout->kernels->product(&product);
    if (layout->sources == (MLSTM_READOUT_C | MLSTM_READOUT_H) && product.segments == 1) {
        const struct target to = {PRODUCT_ADD, pass->y, product.c_row, 0, product.columns};
        matrix_multiply(pass->stack, state, m, PART_H, h, &to, &grid);
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

/*
 * A pass of few rows through plain layers, or of any number through layers whose steps read x
 * themselves, which need nothing between them, on one thread: a loop over kernel calls, as
 * forward_chunk would cost more than its arithmetic. Gives what the top layer was given.
 */
static inline const struct cell_forward *forward_layers(struct mlstm_state *state, const float *x,
                                                        int32_t steps, float *y)
{
    const struct layout *layout = state->layout;
    struct direction_state *s = state->directions;
    const struct direction_state *end = s + layout->layers;
    struct cell_forward *step;
    struct rows h = {x, (size_t)state->inputs};
    do {
        step = &s->forward;
        place_steps(step, s, state->position, state->position + 1, steps);
        step->x = h.at;
        step->x_row = h.row;
        step->y = state->cell_writes_y && s + 1 == end ? y : NULL;
        layout->kernels->cell_forward(step);
        h = (struct rows){step->h_next, s->h_row};
    } while (++s < end);
    return step;
}

/*
 * The same of a single step of inference. They go from slot 0 to `away` and back: what they read and
 * write stays near, no state is copied to the beginning when slots run out, and all but x and y is
 * known before.
 */
static inline const struct cell_forward *forward_single(struct mlstm_state *state, const float *x,
                                                        int32_t single, float *y)
{
    struct direction_state *s = state->directions, *top = s + state->layout->layers - 1;
    s->single[single].x = x;
    if (state->cell_writes_y)
        top->single[single].y = y;
    do
        s->step(&s->single[single]);
    while (s++ < top);
    return &top->single[single];
}

/* y of the steps of a direct pass that their cells have not written. */
static void direct_outputs(struct mlstm_state *state, const struct cell_forward *top, int32_t steps,
                           float *y)
{
    const struct layout *layout = state->layout;
    const int32_t rows = steps * state->batch;
    if (layout->readout == NONE) {
        const struct rows h = {top->h_next, state->directions[layout->layers - 1].h_row};
        copy_outputs(state, h, (struct range){0, rows}, y);
        return;
    }
    struct product *readout = &state->readout;
    readout->a = readout_input(layout, top->c_next, top->h_next);
    readout->c = y;
    readout->row_end = rows;
    layout->kernels->product(readout);
}

/* `single`: 0 for the step from slot 0, 1 for the one back; NONE where steps are to be placed. */
INLINE void forward_direct(struct mlstm_state *state, const float *x, int32_t steps, int32_t single,
                           float *y)
{
    const struct cell_forward *top = single == NONE ? forward_layers(state, x, steps, y)
                                                    : forward_single(state, x, single, y);
    if (y && !state->cell_writes_y)
        direct_outputs(state, top, steps, y);
}

/* Where denormals come in every pass, tries are many times slower than what they save. */
#define PASSES_NOT_TRIED 65536

/* forward_direct in the caller's floating-point mode; false where that may differ from our own. */
INLINE bool try_direct(struct mlstm_state *state, const float *x, int32_t steps, int32_t single,
                       float *y)
{
    const int64_t rows = steps * (int64_t)state->batch;
    struct float_mode callers;
    if (state->not_tried > 0) {
        state->not_tried--;
        return false;
    }
    if (rows > state->tried_rows || !float_mode_try(&callers))
        return false;
    forward_direct(state, x, steps, single, y);
    if (y && state->layout->readout != NONE)
        float_mode_read(y, (size_t)rows * (size_t)state->outputs);
    if (float_mode_keep(callers))
        return true;
    state->not_tried = PASSES_NOT_TRIED;
    return false;
}

/* The same pass in our own mode, from the same x and state. */
static APART void direct_in_own_mode(struct mlstm_state *state, const float *x, int32_t steps,
                                     int32_t single, float *y)
{
    const struct float_mode callers = float_mode_enter();
    forward_direct(state, x, steps, single, y);
    float_mode_leave(callers);
}

static APART mlstm_status step_single(struct mlstm_state *state, const float *x, float *y)
{
    int32_t next = state->away - state->position;
    if (state->position * next != 0) { /* at neither: a single branch */
        state_rewind(state, 0);
        next = state->away;
    }
    const int32_t back = next == 0;
    if (!try_direct(state, x, 1, back, y))
        direct_in_own_mode(state, x, 1, back, y);
    state->position = next;
    return MLSTM_OK;
}

/* Writes x to the record, and gives where; or makes room where there is none, and gives NULL. */
static inline float *begin_pass(struct mlstm_state *state, const float *x, int32_t steps)
{
    if (state->window == 0) {
        state_make_room(state, steps);
        return NULL;
    }
    const size_t x_step = (size_t)state->batch * (size_t)state->inputs;
    float *recorded = state->x + (size_t)state->position * x_step;
    return memcpy(recorded, x, (size_t)steps * x_step * sizeof *x);
}

/* As many steps as fit into a chunk. */
static void forward_some(struct forward_pass pass)
{
    struct mlstm_state *state = pass.state;
    float *recorded = begin_pass(state, pass.x, pass.steps);
    if (state->limited) {
        if (recorded) {
            state_clear_ended(state, state->position, pass.steps, recorded, (size_t)state->inputs);
            pass.x = recorded;
        }
        state_find_runs(state, state->position, pass.steps);
    }
    state_run(state, state->forward_paces, pass.steps, forward_chunk, &pass);
    if (pass.y && state->limited)
        state_clear_ended(state, state->position, pass.steps, pass.y, (size_t)state->outputs);
    state->position += pass.steps;
}

static APART void forward_chunks(struct forward_pass pass)
{
    const struct mlstm_state *state = pass.state;
    for (int32_t left = pass.steps; left > 0; left -= pass.steps) {
        pass.steps = left < state->chunk ? left : state->chunk;
        forward_some(pass);
        pass.x += (size_t)pass.steps * (size_t)state->batch * (size_t)state->inputs;
        if (pass.y)
            pass.y += (size_t)pass.steps * (size_t)state->batch * (size_t)state->outputs;
    }
}

/* All steps; always MLSTM_OK, so that public functions can end with it. */
INLINE mlstm_status forward(const struct mlstm_stack *stack, struct mlstm_state *state,
                            const float *x, int32_t steps, float *y)
{
    if (steps * (int64_t)state->batch <= state->direct_rows) {
        begin_pass(state, x, steps);
        if (!try_direct(state, x, steps, NONE, y))
            direct_in_own_mode(state, x, steps, NONE, y);
        state->position += steps;
    } else {
        const struct float_mode callers = float_mode_enter();
        forward_chunks((struct forward_pass){stack, state, x, steps, y});
        float_mode_leave(callers);
    }
    return MLSTM_OK;
}

static APART mlstm_status step_window(const mlstm_stack *stack, mlstm_state *state, const float *x,
                                      float *y)
{
    return forward(stack, state, x, 1, y);
}

mlstm_status mlstm_step_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                                float *y)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(x);
    REQUIRE_SAME_STACK(state, stack, "state is");
    if (state->single)
        return step_single(state, x, y);
    if (state->position >= state->step_end) {
        REQUIRE(!state->whole, MLSTM_ERROR_ORDER, "%s",
                "a bidirectional layer reads whole windows, not steps");
        REQUIRE(false, MLSTM_ERROR_ORDER, "the window of %d steps is full: begin a new one",
                state->window);
    }
    return step_window(stack, state, x, y);
}

mlstm_status mlstm_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                           int32_t steps, float *y)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(x);
    REQUIRE(steps >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "steps must be at least 1, got %d", steps);
    REQUIRE_SAME_STACK(state, stack, "state is");
    REQUIRE(state->window == 0 || steps <= state->window - state->position, MLSTM_ERROR_ORDER,
            "the window of %d steps has %d recorded and no room for %d more", state->window,
            state->position, steps);
    REQUIRE(!state->whole || state->position == 0, MLSTM_ERROR_ORDER,
            "a bidirectional layer reads whole windows, and %d steps of this one are recorded",
            state->position);
    if (steps == 1 && state->single)
        return step_single(state, x, y);
    return forward(stack, state, x, steps, y);
}
