/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <mlstm/pass.h>

#include "grads.h"
#include "stack.h"
#include "state.h"
#include "status.h"

/* A chunk of recorded steps on its way back; the arrays begin with its first step. */
struct pass {
    const struct mlstm_stack *stack;
    struct mlstm_state *state;
    int32_t first, steps;
    const float *dy, *dh_top, *dc_top;
    float *dx;
    struct mlstm_grads *grads;
    bool dc_out; /* something comes from above through c, */
    bool dh_out; /* and through h */
};

/* out = (out or 0) + g @ transposed kernel: the gradient on one part of a matrix's inputs. */
static void send_back(const struct pass *pass, const struct matrix *m, int32_t part_index,
                      const float *g, int32_t init, float *out, size_t out_row, int32_t columns,
                      int32_t rows, struct worker *worker)
{
    const struct part *part = &m->parts[part_index];
    struct range row, block;
    worker_share(worker, rows, part->blocks, &row, &block);
    pass->state->layout->kernels->product(&(struct product){
        .a = g,
        .a_row = (size_t)m->width,
        .a_segment = (ptrdiff_t)(pass->state->chunk_rows * (size_t)m->width),
        .segments = m->panels,
        .length = m->gates == 1 && m->panels == 1 ? m->units : m->width,
        .b = pass->stack->transposed + part->offset,
        .b_panel = part->block,
        .width = part->width,
        .init = init,
        .c = out,
        .c_row = out_row,
        .c_panel = (size_t)part->width,
        .columns = columns,
        .row_begin = row.begin,
        .row_end = row.end,
        .panel_begin = block.begin,
        .panel_end = block.end,
    });
}

/* Adds to the gradient of one part of a matrix; `a` NULL for the bias. */
static void add_gradient(const struct pass *pass, const struct matrix *m, int32_t first,
                         int32_t inputs, const float *a, size_t a_row, const float *g,
                         struct worker *worker)
{
    struct range k, panel;
    worker_share(worker, inputs, m->panels, &k, &panel);
    pass->state->layout->kernels->outer(&(struct outer){
        .a = a,
        .a_row = a_row,
        .g = g,
        .g_panel = pass->state->chunk_rows * (size_t)m->width,
        .rows = pass->steps * pass->state->batch,
        .width = m->width,
        .b = pass->grads->values + m->offset + (size_t)first * (size_t)m->width,
        .b_panel = m->panel,
        .k_begin = k.begin,
        .k_end = k.end,
        .panel_begin = panel.begin,
        .panel_end = panel.end,
        .last = m->panels - 1,
        .keep = matrix_keep(m),
    });
}

/* Floats of a row of dh_out and dc_out where layer `layer` reads them. */
static size_t out_row(const struct mlstm_state *state, int32_t layer)
{
    const struct layer_state *s = &state->layers[layer];
    return s->small ? s->row : state->out_row;
}

static int32_t less(size_t a, size_t b)
{
    return (int32_t)(a < b ? a : b);
}

/* What the caller gives for h or c of the top layer, and dy where that is h itself, in `out`. */
static void fill_out(const struct pass *pass, const float *given, const float *more, float *out,
                     struct range rows)
{
    const struct layout *layout = pass->state->layout;
    const size_t row = out_row(pass->state, layout->layers - 1);
    const size_t units = (size_t)layout->matrices[layout->layers - 1].units;
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

/* dy to panels, the columns beyond O zero. */
static void pack_dy(const struct pass *pass, const struct matrix *m, struct range rows)
{
    const struct mlstm_state *state = pass->state;
    for (int32_t p = 0; p < m->panels; p++) {
        const size_t first = (size_t)p * (size_t)m->width, width = (size_t)m->width;
        const size_t left = (size_t)m->units - first;
        state->layout->kernels->pad_rows(
            pass->dy + (size_t)rows.begin * (size_t)m->units + first, (size_t)m->units,
            left < width ? left : width,
            state->dy + ((size_t)p * state->chunk_rows + (size_t)rows.begin) * width, width,
            rows.end - rows.begin);
    }
}

/* dh_out and dc_out of the top layer, and the gradient of the readout. */
static void backward_readout(const struct pass *pass, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = layout_readout(layout);
    const struct layer_state *s = &state->layers[layout->layers - 1];
    const int32_t rows = pass->steps * state->batch;
    const size_t row = out_row(state, layout->layers - 1);
    struct range own, all;
    worker_share(worker, rows, 1, &own, &all);
    if (all.begin == all.end)
        own.end = own.begin;
    fill_out(pass, pass->dh_top, m ? NULL : pass->dy, state->dh_out, own);
    fill_out(pass, pass->dc_top, NULL, state->dc_out, own);
    if (m && pass->dy)
        pack_dy(pass, m, own);
    worker_wait(worker);
    if (!m || !pass->dy)
        return;
    const size_t first = (size_t)(pass->first + 1) * (size_t)state->batch * s->row;
    const float *inputs[2] = {s->c + first, s->h + first}, *given[2] = {pass->dc_top, pass->dh_top};
    float *outs[2] = {state->dc_out, state->dh_out};
    if (pass->grads)
        add_gradient(pass, m, 0, 1, NULL, 0, state->dy, worker);
    for (int32_t p = 0; p < 2; p++) {
        const struct part *part = &m->parts[p];
        if (part->rows == 0)
            continue;
        send_back(pass, m, p, state->dy, given[p] ? PRODUCT_ADD : PRODUCT_ZERO, outs[p], row,
                  less(row, (size_t)part->blocks * (size_t)part->width), rows, worker);
        if (pass->grads)
            add_gradient(pass, m, 1 + part->first, part->rows, inputs[p], s->row, state->dy,
                         worker);
    }
    worker_wait(worker);
}

/* All steps of the chunk in one layer: dgates from what comes from above and from later steps. */
static void backward_steps(const struct pass *pass, int32_t layer, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = &layout->matrices[layer];
    const struct layer_state *s = &state->layers[layer];
    const struct part *part = &m->parts[PART_H];
    const bool top = layer == layout->layers - 1;
    const size_t here = (size_t)pass->first * (size_t)state->batch * s->row;
    struct range row = {0, state->batch}, block = {0, part->blocks};
    const bool alone = worker->count == 1 || s->small;
    const bool own_rows = !alone && worker_rows(worker, state->batch, &row);
    if (!alone && !own_rows)
        worker_share(worker, state->batch, part->blocks, &row, &block);
    struct cell_backward step = {
        .batch = state->batch,
        .units = m->panel_units,
        .steps = pass->steps,
        .step_end = pass->steps,
        .row_begin = row.begin,
        .row_end = row.end,
        .block_begin = block.begin,
        .block_end = block.end,
        .panels = m->panels,
        .transposed = pass->stack->transposed + part->offset,
        .block = part->block,
        .width = part->width,
        .gates = s->gates + (size_t)pass->first * s->gates_step,
        .gates_panel = s->gates_panel,
        .tanh_c = s->tanh_c + here,
        .c = s->c + here,
        .row = s->row,
        .dh_out = !top || pass->dh_out ? state->dh_out : NULL,
        .dc_out = top && pass->dc_out ? state->dc_out : NULL,
        .out_row = out_row(state, layer),
        .dh_carry = s->dh_carry,
        .dc_carry = s->dc_carry,
        .carry_row = s->carry_row,
        .dgates = state->dgates,
        .dgates_panel = state->chunk_rows * (size_t)m->width,
        .keep = matrix_keep(m),
    };
    if (alone || own_rows) {
        if (own_rows || worker->index == 0)
            layout->kernels->cell_backward(&step);
        worker_wait(worker);
        return;
    }
    for (int32_t t = pass->steps - 1; t >= 0; t--) {
        step.step_begin = t;
        step.step_end = t + 1;
        layout->kernels->cell_backward(&step);
        worker_wait(worker);
    }
}

static void backward_layer(const struct pass *pass, int32_t layer, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = &layout->matrices[layer];
    const struct layer_state *s = &state->layers[layer];
    const struct part *x = &m->parts[PART_X], *h = &m->parts[PART_H];
    const int32_t rows = pass->steps * state->batch;

    backward_steps(pass, layer, worker);
    send_back(pass, m, PART_H, state->dgates, PRODUCT_ZERO, s->dh_carry, s->carry_row,
              less(s->carry_row, (size_t)h->blocks * (size_t)h->width), state->batch, worker);
    if (layer > 0) {
        const size_t row = out_row(state, layer - 1);
        send_back(pass, m, PART_X, state->dgates, PRODUCT_ZERO, state->dh_out,
                  row, less(row, (size_t)x->blocks * (size_t)x->width), rows, worker);
    } else if (pass->dx) {
        send_back(pass, m, PART_X, state->dgates, PRODUCT_ZERO, pass->dx, (size_t)x->rows, x->rows,
                  rows, worker);
    }
    if (pass->grads) {
        const size_t batch = (size_t)state->batch, first = (size_t)pass->first;
        const float *inputs =
            layer > 0 ? s[-1].h + (first + 1) * batch * s[-1].row
                      : state->x + first * batch * (size_t)x->rows;
        add_gradient(pass, m, 0, 1, NULL, 0, state->dgates, worker);
        add_gradient(pass, m, 1, x->rows, inputs, layer > 0 ? s[-1].row : (size_t)x->rows,
                     state->dgates, worker);
        add_gradient(pass, m, 1 + x->rows, h->rows, s->h + first * batch * s->row, s->row,
                     state->dgates, worker);
    }
    worker_wait(worker);
}

static void backward_chunk(void *context, struct worker *worker)
{
    const struct pass *pass = context;
    backward_readout(pass, worker);
    for (int32_t l = pass->state->layout->layers - 1; l >= 0; l--)
        backward_layer(pass, l, worker);
}

/* The gradient on the last state: given, or 0. */
static void begin_carry(struct mlstm_state *state)
{
    for (int32_t l = 0; l < state->layout->layers; l++) {
        struct layer_state *s = &state->layers[l];
        const size_t size = (size_t)state->batch * s->carry_row * sizeof *s->dc_carry;
        if (state->final_given) {
            memcpy(s->dc_carry, s->dc_final, size);
            memcpy(s->dh_carry, s->dh_final, size);
        } else {
            memset(s->dc_carry, 0, size);
            memset(s->dh_carry, 0, size);
        }
    }
}

static const float *step_of(const float *array, int32_t step, int32_t batch, int32_t numbers)
{
    return array ? array + (size_t)step * (size_t)batch * (size_t)numbers : NULL;
}

mlstm_status mlstm_backward(const mlstm_stack *stack, mlstm_state *state, const float *dy,
                            const float *dh_top, const float *dc_top, float *dx,
                            mlstm_grads *grads)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE(state->layout == stack->layout, MLSTM_ERROR_MISMATCH, "%s", foreign_state);
    REQUIRE(!grads || grads->layout == stack->layout, MLSTM_ERROR_MISMATCH, "%s",
            "the gradients are of another stack, or of this one before it got its readout");
    REQUIRE(state->window > 0, MLSTM_ERROR_ORDER, "%s",
            "a state for inference (window 0) records nothing to walk back");
    REQUIRE(state->position > 0, MLSTM_ERROR_ORDER, "%s",
            "nothing is recorded since the window began: call a forward function first");
    const struct layout *layout = state->layout;
    const int32_t batch = state->batch;
    const int32_t units = layout->matrices[layout->layers - 1].units;
    const int32_t inputs = state->inputs;
    const bool readout = layout->sources != 0;
    begin_carry(state);
    for (int32_t end = state->position, n; end > 0; end -= n) {
        n = (end - 1) % state->chunk + 1;
        const int32_t first = end - n;
        struct pass pass = {
            .stack = stack,
            .state = state,
            .first = first,
            .steps = n,
            .dy = step_of(dy, first, batch, state->outputs),
            .dh_top = step_of(dh_top, first, batch, units),
            .dc_top = step_of(dc_top, first, batch, units),
            .dx = dx ? dx + (size_t)first * (size_t)batch * (size_t)inputs : NULL,
            .grads = grads,
            .dh_out = dh_top || (dy && (!readout || layout->sources & MLSTM_READOUT_H)),
            .dc_out = dc_top || (dy && layout->sources & MLSTM_READOUT_C),
        };
        state_run(state, n, backward_chunk, &pass);
    }
    state->backward_done = true;
    return MLSTM_OK;
}
