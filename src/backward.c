/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "float_mode.h"
#include "junction.h"
#include "products.h"
#include "special.h"
#include "status.h"

/* Floats of a row of dh_out and dc_out where layer `layer` reads them. */
static size_t out_row(const struct mlstm_state *state, int32_t layer)
{
    const struct direction_state *s = &state->directions[state->layout->layer[layer].first];
    return s->small ? s->row : state->out_row;
}

/* What the caller gives for h or c of the top layer, and dy where that is h itself, in `out`. */
static void fill_out(const struct backward_pass *pass, const float *given, const float *more,
                     size_t units, float *out, struct range rows)
{
    const struct layout *layout = pass->state->layout;
    const size_t row = out_row(pass->state, layout->layers - 1);
    const int32_t count = rows.end - rows.begin;
    const size_t from = (size_t)rows.begin * units, to = (size_t)rows.begin * row;
    if (!given) {
        given = more;
        more = NULL;
    }
    if (given)
        layout->kernels->pad_rows(given + from, units, units, out + to, row, count);
    for (int32_t r = rows.begin; more && r < rows.end; r++)
        for (size_t u = 0; u < units; u++)
            out[(size_t)r * row + u] += more[(size_t)r * units + u];
}

/* dh_out, dc_out and dy as the caller gives them, without what lies past the rows' ends. */
static void take_gradients(const struct backward_pass *pass, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct layer *top = layout_top(layout);
    const struct matrix *m = layout_readout(layout);
    const size_t row = out_row(state, layout->layers - 1);
    const struct stripes all = share_steps(worker, state, pass->steps);
    for (int32_t i = 0; i <= all.more; i++) {
        const struct range own = stripe(&all, i);
        fill_out(pass, pass->dh_top, m ? NULL : pass->dy, (size_t)top->outputs, state->dh_out, own);
        fill_out(pass, pass->dc_top, NULL, (size_t)top->cells, state->dc_out, own);
        if (m && pass->dy)
            pack_panels(state, m, (struct rows){pass->dy, (size_t)m->units}, own, own.begin);
    }
    worker_wait(worker);
    if (!state->limited)
        return;
    if (worker->index == 0) {
        state_clear_ended(state, pass->first, pass->steps, state->dh_out, row);
        state_clear_ended(state, pass->first, pass->steps, state->dc_out, row);
        for (int32_t p = 0; m && p < m->panels; p++)
            state_clear_ended(state, pass->first, pass->steps,
                              state->dy + (size_t)p * state->chunk_rows * (size_t)m->width,
                              (size_t)m->width);
    }
    worker_wait(worker);
}

/* dh_out and dc_out of the top layer, and the gradient of the readout. */
static void backward_readout(const struct backward_pass *pass, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const int32_t top = layout->layers - 1;
    const struct matrix *m = layout_readout(layout);
    const size_t row = out_row(state, top);
    take_gradients(pass, worker);
    if (!m || !pass->dy)
        return;
    const struct rows inputs[2] = {top_cells(state, pass->first),
                                   junction_outputs(state, top, pass->first)};
    const float *given[2] = {pass->dc_top, pass->dh_top};
    float *outs[2] = {state->dc_out, state->dh_out};
    if (pass->grads)
        add_bias_gradient(pass, m, state->dy, worker);
    for (int32_t p = 0; p < 2; p++) {
        const struct part *part = &m->parts[p];
        if (part->rows == 0)
            continue;
        const struct target to =
            part_target(given[p] ? PRODUCT_ADD : PRODUCT_ZERO, outs[p], row, part);
        const struct grid grid = share_chunk(worker, state, pass->steps, part->blocks);
        matrix_multiply_back(pass->stack, state, m, p, state->dy, &to, &grid);
        if (pass->grads)
            add_gradient(pass, m, p, inputs[p], state->dy, worker);
    }
    worker_wait(worker);
}

/* Gates of rows that have ended get no gradient. */
static void clear_ended_gates(const struct backward_pass *pass, const struct direction *d)
{
    const struct mlstm_state *state = pass->state;
    const struct matrix *m = &state->layout->matrices[d->kernel];
    const struct matrix *p = d->projection == NONE ? NULL : &state->layout->matrices[d->projection];
    for (int32_t i = 0; i < m->panels; i++) {
        const size_t panel = (size_t)i * state->chunk_rows * (size_t)m->width;
        state_clear_ended(state, pass->first, pass->steps, state->dgates + panel, (size_t)m->width);
        if (d->gain_h != NONE)
            state_clear_ended(state, pass->first, pass->steps, state->dsums + panel,
                              (size_t)m->width);
    }
    for (int32_t i = 0; p && i < p->panels; i++)
        state_clear_ended(state, pass->first, pass->steps,
                          state->dy + (size_t)i * state->chunk_rows * (size_t)p->width,
                          (size_t)p->width);
}

/* The kernel's steps `begin` to `end`, from the last to the first, as far as rows last. */
static void plain_steps_back(const struct backward_pass *pass, bool small,
                             struct cell_backward *step, int32_t begin, int32_t end)
{
    const struct mlstm_state *state = pass->state;
    const struct range row = {step->row_begin, step->row_end};
    step->step_begin = begin;
    step->step_end = end;
    if (!state->limited || small) {
        state->layout->kernels->cell_backward(step);
        return;
    }
    for (int32_t t = end - 1; t >= begin; t--)
        FOR_EACH_RUN (run, state, pass->first + t, row) {
            step->step_begin = t;
            step->step_end = t + 1;
            step->row_begin = run.begin;
            step->row_end = run.end;
            state->layout->kernels->cell_backward(step);
        }
    step->row_begin = row.begin;
    step->row_end = row.end;
}

/* Whether the kernel gives dx as well: to rows like its own, which are narrower than a vector. */
static bool gives_dx(const struct direction_state *s, const struct target *dx)
{
    return s->small && dx && dx->row == s->row;
}

/* What the kernel is given for the steps of a plain cell's chunk, but for whose they are. */
static struct cell_backward describe_back(const struct backward_pass *pass, int32_t direction,
                                          struct rows dh, struct rows dc, float *dx)
{
    const struct mlstm_state *state = pass->state;
    const struct matrix *m = &state->layout->matrices[state->layout->direction[direction].kernel];
    const struct direction_state *s = &state->directions[direction];
    const struct part *part = &m->parts[PART_H];
    const size_t here = (size_t)pass->first * (size_t)state->batch * s->row;
    return (struct cell_backward){
        .batch = state->batch,
        .units = m->panel_units,
        .steps = pass->steps,
        .panels = m->panels,
        .transposed = pass->stack->transposed + part->offset,
        .block = part->block,
        .width = part->width,
        .gates = s->gates + (size_t)pass->first * s->gates_step,
        .gates_panel = s->gates_panel,
        .tanh_c = s->tanh_c + here,
        .c = s->c + here,
        .row = s->row,
        .dh_out = dh.at,
        .dc_out = dc.at,
        .out_row = dh.row,
        .dh_carry = s->dh_carry,
        .dc_carry = s->dc_carry,
        .carry_row = s->carry_row,
        .dgates = state->dgates,
        .dgates_panel = state->chunk_rows * (size_t)m->width,
        .keep = matrix_keep(m),
        .dx = dx,
        .transposed_x = pass->stack->transposed + m->parts[PART_X].offset,
    };
}

/* All steps of a plain cell's chunk: dgates from what comes from above and from later steps. */
static void plain_backward_steps(const struct backward_pass *pass, int32_t direction,
                                 struct rows dh, struct rows dc, float *dx, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = &layout->matrices[layout->direction[direction].kernel];
    const struct direction_state *s = &state->directions[direction];
    const struct part *part = &m->parts[PART_H];
    struct range row = {0, state->batch}, block = {0, part->blocks};
    const bool alone = worker->count == 1 || s->small;
    const bool own_rows = !alone && takes_own_rows(worker, state, &row);
    if (!alone && !own_rows)
        worker_share(worker, state->batch, part->blocks, &row, &block);
    struct cell_backward step = describe_back(pass, direction, dh, dc, dx);
    step.row_begin = row.begin;
    step.row_end = row.end;
    step.block_begin = block.begin;
    step.block_end = block.end;
    if (alone || own_rows) {
        if (own_rows || worker->index == 0)
            plain_steps_back(pass, s->small, &step, 0, pass->steps);
        /* The small kernel took ended rows along: NaN in their state is nobody else's. */
        if (s->small && state->limited && worker->index == 0)
            clear_ended_gates(pass, &layout->direction[direction]);
        worker_wait(worker);
    } else {
        for (int32_t t = pass->steps - 1; t >= 0; t--) {
            plain_steps_back(pass, s->small, &step, t, t + 1);
            worker_wait(worker);
        }
    }
    /* The small kernel has carried dh itself. */
    if (s->small)
        return;
    const struct target carry = part_target(PRODUCT_ZERO, s->dh_carry, s->carry_row, part);
    const struct grid grid = share_blocks(worker, part, state->batch);
    matrix_multiply_back(pass->stack, state, m, PART_H, state->dgates, &carry, &grid);
}

/* The gradient on the last state reaches each row at its own end, of c or of h. */
static void enter_at_ends(const struct backward_pass *pass, const float *final, size_t final_row,
                          int32_t units, float *out, size_t row)
{
    const struct mlstm_state *state = pass->state;
    for (int32_t b = 0; b < state->batch; b++) {
        const int32_t end = state->ends[b] - pass->first;
        if (state->ends[b] >= state->position || end < 1 || end > pass->steps)
            continue;
        float *to = out + ((size_t)(end - 1) * (size_t)state->batch + (size_t)b) * row;
        for (int32_t u = 0; u < units; u++)
            to[u] += final[(size_t)b * final_row + (size_t)u];
    }
}

/* Before the steps of a chunk whose rows end: dh and dc are arrays then, whatever was given. */
static void prepare_ends(const struct backward_pass *pass, int32_t direction, struct rows *dh,
                         struct rows *dc, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct direction *d = &state->layout->direction[direction];
    const struct layer *layer = &state->layout->layer[d->layer];
    const struct direction_state *s = &state->directions[direction];
    const bool joined = state->junctions[d->layer].joined, empty_h = !dh->at, empty_c = !dc->at;
    float *to_h = joined && (empty_h || layer->directions == 2) ? state->dh_part : state->dh_out;
    float *to_c = joined && (empty_c || layer->directions == 2) ? state->dc_part : state->dc_out;
    if (worker->index == 0)
        clear_ended_gates(pass, d);
    if (state->final_given) {
        dh->at = to_h;
        dc->at = to_c;
    }
    if (state->final_given && worker->index == 0) {
        const size_t size = (size_t)pass->steps * (size_t)state->batch * dh->row * sizeof *to_h;
        if (empty_h)
            memset(to_h, 0, size);
        if (empty_c)
            memset(to_c, 0, size);
        enter_at_ends(pass, s->dh_final, s->h_carry_row, layer->recurrent, to_h, dh->row);
        enter_at_ends(pass, s->dc_final, s->carry_row, layer->options.hidden, to_c, dc->row);
    }
    worker_wait(worker);
}

/* One direction; what it read gets its gradient in `dx`, or NULL where that is not wanted. */
static void backward_direction(const struct backward_pass *pass, int32_t direction, struct rows dh,
                               struct rows dc, const struct target *dx, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct direction *d = &state->layout->direction[direction];
    const struct matrix *m = &state->layout->matrices[d->kernel];
    const struct direction_state *s = &state->directions[direction];
    const struct part *x = &m->parts[PART_X];
    const bool given = gives_dx(s, dx);
    if (state->limited)
        prepare_ends(pass, direction, &dh, &dc, worker);
    if (s->special)
        special_backward_steps(pass, direction, dh, dc, worker);
    else
        plain_backward_steps(pass, direction, dh, dc, given ? dx->c : NULL, worker);
    if (dx && !given) {
        const struct grid grid = share_chunk(worker, state, pass->steps, x->blocks);
        matrix_multiply_back(pass->stack, state, m, PART_X, state->dgates, dx, &grid);
    }
    if (pass->grads) {
        const struct rows h = special_recurrent_input(state, direction, pass->first);
        if (d->biased && d->gain == NONE)
            add_bias_gradient(pass, m, state->dgates, worker);
        add_gradient(pass, m, PART_X, junction_inputs(state, direction, pass->first), state->dgates,
                     worker);
        add_gradient(pass, m, PART_H, h, d->gain_h == NONE ? state->dgates : state->dsums, worker);
    }
    worker_wait(worker);
    if (!dx || !state->limited)
        return;
    if (worker->index == 0)
        state_clear_ended(state, pass->first, pass->steps, dx->c, dx->row);
    worker_wait(worker);
}

/* dx as rows that are filled up to whole blocks, or, of the caller's, that end where they end. */
static struct target input_target(const struct backward_pass *pass, int32_t layer, float *to,
                                  size_t row)
{
    const struct layout *layout = pass->state->layout;
    const struct matrix *m =
        &layout->matrices[layout->direction[layout->layer[layer].first].kernel];
    return part_target(PRODUCT_ZERO, to, row, &m->parts[PART_X]);
}

/* A layer that is joined to its neighbours by more than h. */
static void backward_joined(const struct backward_pass *pass, int32_t index, struct rows dh,
                            struct rows dc, bool wanted, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layer *layer = &state->layout->layer[index];
    const size_t row = state->out_row;
    if (dh.at)
        junction_leave_back(pass, index, worker);
    for (int32_t i = layer->first; i < layer->first + layer->directions; i++) {
        const bool reverse = state->layout->direction[i].reverse;
        if (layer->directions == 2) {
            junction_split(pass, i, dh.at != NULL, dc.at != NULL, worker);
            dh.at = dh.at ? state->dh_part : NULL;
            dc.at = dc.at ? state->dc_part : NULL;
        }
        const struct target dx =
            input_target(pass, index, reverse ? state->dx_part : state->dx_sum, row);
        backward_direction(pass, i, dh, dc, wanted ? &dx : NULL, worker);
        if (reverse && wanted)
            junction_add(pass, i, worker);
    }
    if (wanted)
        junction_enter_back(pass, index, dh.at != NULL, index > 0 ? state->dh_out : pass->dx,
                            index > 0 ? out_row(state, index - 1) : (size_t)state->inputs, worker);
}

static void backward_layer(const struct backward_pass *pass, int32_t index, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const bool top = index == state->layout->layers - 1, wanted = index > 0 || pass->dx;
    const size_t row = out_row(state, index);
    const struct rows dh = {!top || pass->dh_out ? state->dh_out : NULL, row};
    const struct rows dc = {top && pass->dc_out ? state->dc_out : NULL, row};
    if (state->junctions[index].joined) {
        backward_joined(pass, index, dh, dc, wanted, worker);
        return;
    }
    const struct target dx =
        index > 0 ? input_target(pass, index, state->dh_out, out_row(state, index - 1))
                  : input_target(pass, index, pass->dx, (size_t)state->inputs);
    backward_direction(pass, state->layout->layer[index].first, dh, dc, wanted ? &dx : NULL,
                       worker);
}

static void backward_chunk(void *context, struct worker *worker)
{
    const struct backward_pass *pass = context;
    backward_readout(pass, worker);
    for (int32_t l = pass->state->layout->layers - 1; l >= 0; l--)
        backward_layer(pass, l, worker);
}

/* The gradient on the last state: given, or 0, as for rows that end before. */
static void begin_carry(const struct mlstm_state *state, const float *final, float *carry,
                        size_t row)
{
    const size_t size = (size_t)state->batch * row * sizeof *carry;
    if (state->final_given)
        memcpy(carry, final, size);
    else
        memset(carry, 0, size);
    for (int32_t b = 0; state->limited && b < state->batch; b++)
        if (state->ends[b] < state->position)
            memset(carry + (size_t)b * row, 0, row * sizeof *carry);
}

/* Rows that had ended before the window: their last state is the first. */
static void pass_by(const struct mlstm_state *state, const float *final, float *carry, size_t row)
{
    for (int32_t b = 0; b < state->batch; b++) {
        float *to = carry + (size_t)b * row;
        if (state->ends[b] == 0 && state->final_given)
            memcpy(to, final + (size_t)b * row, row * sizeof *carry);
        else if (state->ends[b] == 0)
            memset(to, 0, row * sizeof *carry);
    }
}

/* The gradient on a learned state is that of all rows. */
static void add_learned(const struct mlstm_state *state, int32_t matrix, const float *carry,
                        size_t row, float *grads)
{
    const struct matrix *m = &state->layout->matrices[matrix];
    for (int32_t b = 0; b < state->batch; b++)
        for (int32_t u = 0; u < m->units; u++)
            grads[m->offset + (size_t)u] += carry[(size_t)b * row + (size_t)u];
}

static void end_carry(const struct mlstm_state *state, struct mlstm_grads *grads)
{
    for (int32_t i = 0; i < state->layout->directions; i++) {
        const struct direction *d = &state->layout->direction[i];
        const struct direction_state *s = &state->directions[i];
        if (state->limited) {
            pass_by(state, s->dc_final, s->dc_carry, s->carry_row);
            pass_by(state, s->dh_final, s->dh_carry, s->h_carry_row);
        }
        if (!grads || !state->learned || d->initial_c == NONE)
            continue;
        add_learned(state, d->initial_c, s->dc_carry, s->carry_row, grads->values);
        add_learned(state, d->initial_h, s->dh_carry, s->h_carry_row, grads->values);
    }
    if (grads)
        layout_share_biases(state->layout, grads->values);
}

static const float *step_of(const float *array, int32_t step, int32_t batch, int32_t numbers)
{
    return array ? array + (size_t)step * (size_t)batch * (size_t)numbers : NULL;
}

/* From the last chunk to the first. */
static void backward(const struct mlstm_stack *stack, struct mlstm_state *state, const float *dy,
                     const float *dh_top, const float *dc_top, float *dx, struct mlstm_grads *grads)
{
    const struct layout *layout = state->layout;
    const int32_t batch = state->batch;
    const struct layer *top = layout_top(layout);
    const int32_t inputs = state->inputs;
    const bool readout = layout->sources != 0;
    const struct float_mode callers = float_mode_enter();
    for (int32_t d = 0; d < layout->directions; d++) {
        const struct direction_state *s = &state->directions[d];
        begin_carry(state, s->dc_final, s->dc_carry, s->carry_row);
        begin_carry(state, s->dh_final, s->dh_carry, s->h_carry_row);
    }
    for (int32_t end = state->position, n; end > 0; end -= n) {
        n = (end - 1) % state->chunk + 1;
        const int32_t first = end - n;
        struct backward_pass pass = {
            .stack = stack,
            .state = state,
            .first = first,
            .steps = n,
            .dy = step_of(dy, first, batch, state->outputs),
            .dh_top = step_of(dh_top, first, batch, top->outputs),
            .dc_top = step_of(dc_top, first, batch, top->cells),
            .dx = dx ? dx + (size_t)first * (size_t)batch * (size_t)inputs : NULL,
            .grads = grads,
            .dh_out = dh_top || (dy && (!readout || layout->sources & MLSTM_READOUT_H)),
            .dc_out = dc_top || (dy && layout->sources & MLSTM_READOUT_C),
        };
        if (state->limited)
            state_find_runs(state, first, n);
        state->backward_threads =
            state_run(state, state->backward_paces, n, backward_chunk, &pass);
    }
    end_carry(state, grads);
    float_mode_leave(callers);
    state->backward_done = true;
}

mlstm_status mlstm_backward(const mlstm_stack *stack, mlstm_state *state, const float *dy,
                            const float *dh_top, const float *dc_top, float *dx, mlstm_grads *grads)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE_SAME_STACK(state, stack, "state is");
    if (grads)
        REQUIRE_SAME_STACK(grads, stack, "gradients are");
    REQUIRE(state->window > 0, MLSTM_ERROR_ORDER, "%s",
            "a state for inference (window 0) records nothing to walk back");
    REQUIRE(state->position > 0, MLSTM_ERROR_ORDER, "%s",
            "nothing is recorded since the window began: call a forward function first");
    backward(stack, state, dy, dh_top, dc_top, dx, grads);
    return MLSTM_OK;
}
