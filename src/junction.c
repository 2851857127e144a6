/* SPDX-License-Identifier: MIT */
#include "junction.h"

#include <string.h>

#include "draw.h"
#include "products.h"

/* A row of a step. */
static size_t place(const struct mlstm_state *state, int32_t step, int32_t b, size_t row)
{
    return ((size_t)step * (size_t)state->batch + (size_t)b) * row;
}

static bool drops(const struct mlstm_state *state, int32_t layer)
{
    return state->training && state->layout->layer[layer].options.dropout > 0.0f;
}

/* What the layer was given in a recorded window. */
static struct rows given(const struct mlstm_state *state, int32_t layer, int32_t slot)
{
    return layer > 0 ? junction_outputs(state, layer - 1, slot)
                     : rows_at(state, state->x, (size_t)state->inputs, slot);
}

/* Where a direction reads, of what the layer was given. */
static struct rows read_from(const struct mlstm_state *state, int32_t direction, struct rows x,
                             int32_t slot)
{
    const struct direction *d = &state->layout->direction[direction];
    const struct junction *j = &state->junctions[d->layer];
    if (d->reverse)
        return rows_at(state, j->reversed, j->in_row, slot);
    return drops(state, d->layer) ? rows_at(state, j->in, j->in_row, slot) : x;
}

struct rows junction_inputs(const struct mlstm_state *state, int32_t direction, int32_t slot)
{
    const int32_t layer = state->layout->direction[direction].layer;
    return read_from(state, direction, given(state, layer, slot), slot);
}

struct rows junction_read(const struct forward_pass *pass, int32_t direction, struct rows x)
{
    return read_from(pass->state, direction, x, pass->state->position);
}

/* The mask of step t for some rows, in `drop`, where that of a sequence stays from the first on. */
static struct rows input_mask(const struct mlstm_state *state, int32_t layer, int32_t first,
                              int32_t t, struct range row)
{
    const struct options *o = &state->layout->layer[layer].options;
    const bool sequence = o->dropout_mask == MLSTM_MASK_SEQUENCE;
    if (t == 0 || !sequence)
        draw_mask(state, layer, false, MASK_INPUT, sequence ? ALL_SLOTS : first + t,
                  (struct mask){.out = state->drop,
                                .units = o->input,
                                .row_begin = row.begin,
                                .row_end = row.end,
                                .rate = o->dropout,
                                .chosen = 0.0f,
                                .other = 1.0f / (1.0f - o->dropout)});
    return (struct rows){state->drop + (size_t)row.begin * state->out_row, state->out_row};
}

/* Each row of x from its end to its beginning, and zeros where it has ended. */
static void reverse(const struct forward_pass *pass, int32_t layer, struct rows x, struct range row)
{
    const struct mlstm_state *state = pass->state;
    const struct junction *j = &state->junctions[layer];
    const size_t size = (size_t)state->layout->layer[layer].options.input * sizeof *x.at;
    for (int32_t b = row.begin; b < row.end; b++) {
        const int32_t n = state_row_steps(state, b, 0, pass->steps);
        for (int32_t t = 0; t < pass->steps; t++) {
            float *to = j->reversed + place(state, t, b, j->in_row);
            if (t < n)
                memcpy(to, x.at + place(state, n - 1 - t, b, x.row), size);
            else
                memset(to, 0, size);
        }
    }
}

void junction_enter(const struct forward_pass *pass, int32_t layer, struct rows x,
                    struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct options *o = &state->layout->layer[layer].options;
    const struct junction *j = &state->junctions[layer];
    const struct range row = worker_items(worker, state->batch);
    const struct rows none = {NULL, 0};
    const int32_t first = state->position;
    if (drops(state, layer)) {
        for (int32_t t = 0; t < pass->steps; t++) {
            const struct rows from = {x.at + place(state, t, row.begin, x.row), x.row};
            state->layout->kernels->mix(from, input_mask(state, layer, first, t, row), none,
                                        j->in + place(state, first + t, row.begin, j->in_row),
                                        j->in_row, row.end - row.begin, o->input);
        }
        x = rows_at(state, j->in, j->in_row, first);
    }
    if (j->reversed)
        reverse(pass, layer, x, row);
    worker_wait(worker);
}

/* h or c of both directions at the times when they were read. */
static void merge(const struct forward_pass *pass, int32_t layer, bool cells, float *to,
                  size_t to_row, struct range row)
{
    const struct mlstm_state *state = pass->state;
    const struct layer *l = &state->layout->layer[layer];
    const struct direction_state *s = &state->directions[l->first];
    const size_t from_row = cells ? s->row : s->h_row;
    const float *forward = cells ? s->c : s->h, *backward = cells ? s[1].c : s[1].h;
    const size_t units = (size_t)(cells ? l->options.hidden : l->recurrent);
    for (int32_t b = row.begin; b < row.end; b++) {
        const int32_t n = state_row_steps(state, b, 0, pass->steps);
        for (int32_t t = 0; t < pass->steps; t++) {
            float *out = to + place(state, t, b, to_row);
            const float *first = forward + place(state, t + 1, b, from_row);
            const float *second = backward + place(state, t < n ? n - t : t + 1, b, from_row);
            memcpy(out, first, units * sizeof *out);
            if (l->options.merge == MLSTM_MERGE_CONCAT)
                memcpy(out + units, second, units * sizeof *out);
            else
                for (size_t u = 0; u < units; u++)
                    out[u] += second[u];
        }
    }
}

static void skip(const struct forward_pass *pass, int32_t layer, struct rows x,
                 struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct kernels *kernels = state->layout->kernels;
    const struct layer *l = &state->layout->layer[layer];
    const struct junction *j = &state->junctions[layer];
    const struct range row = worker_items(worker, pass->steps * state->batch);
    const int32_t rows = row.end - row.begin;
    const size_t first = place(state, state->position, row.begin, j->out_row);
    const struct rows h = merged_outputs(state, layer, state->position);
    const struct rows from_x = {x.at + (size_t)row.begin * x.row, x.row};
    const struct rows from_h = {h.at + (size_t)row.begin * h.row, h.row}, none = {NULL, 0};
    if (l->options.skip == MLSTM_SKIP_RESIDUAL) {
        kernels->mix(from_h, none, from_x, j->out + first, j->out_row, rows, l->outputs);
        return;
    }
    const struct matrix *m = &state->layout->matrices[l->highway];
    const struct target to = panels_target(PRODUCT_BIAS, j->gate + first, j->out_row, m);
    matrix_multiply(pass->stack, state, m, 0, from_x, &to,
                    &(struct grid){.row = {0, rows}, .panel = {0, m->panels}});
    kernels->sigmoid(j->gate + first, j->gate + first, (size_t)rows * j->out_row);
    kernels->blend((struct rows){j->gate + first, j->out_row}, from_x, from_h, j->out + first,
                   j->out_row, rows, l->outputs);
}

void junction_leave(const struct forward_pass *pass, int32_t layer, struct rows x,
                    struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct junction *j = &state->junctions[layer];
    const struct range row = worker_items(worker, state->batch);
    if (j->merged)
        merge(pass, layer, false, j->merged, j->out_row, row);
    if (j->merged_c)
        merge(pass, layer, true, j->merged_c, j->c_row, row);
    worker_wait(worker);
    if (!j->out)
        return;
    skip(pass, layer, x, worker);
    worker_wait(worker);
    if (worker->index == 0)
        state_clear_ended(state, state->position, pass->steps,
                          j->out + place(state, state->position, 0, j->out_row), j->out_row);
    worker_wait(worker);
}

/* Back through the highway: the gate's gradient on what it read joins dskip. */
static void highway_back(const struct backward_pass *pass, int32_t layer, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct kernels *kernels = state->layout->kernels;
    const struct layer *l = &state->layout->layer[layer];
    const struct junction *j = &state->junctions[layer];
    const struct matrix *m = &state->layout->matrices[l->highway];
    const struct rows x = given(state, layer, pass->first);
    const struct rows h = merged_outputs(state, layer, pass->first);
    const struct rows gate = rows_at(state, j->gate, j->out_row, pass->first);
    const int32_t all = pass->steps * state->batch;
    const struct range row = worker_items(worker, all);
    const size_t begin = (size_t)row.begin, first = begin * state->out_row;
    kernels->highway_backward((struct rows){gate.at + begin * gate.row, gate.row},
                              (struct rows){x.at + begin * x.row, x.row},
                              (struct rows){h.at + begin * h.row, h.row}, state->dh_out + first,
                              state->out_row, state->dskip + first, state->dx_part + first,
                              row.end - row.begin, l->outputs);
    pack_panels(pass->state, m, (struct rows){state->dx_part, state->out_row}, row, row.begin);
    worker_wait(worker);
    const struct part *part = &m->parts[0];
    const struct target to = part_target(PRODUCT_ADD, state->dskip, state->out_row, part);
    const struct grid grid = share_blocks(worker, part, all);
    matrix_multiply_back(pass->stack, state, m, 0, state->dy, &to, &grid);
    if (pass->grads) {
        add_bias_gradient(pass, m, state->dy, worker);
        add_gradient(pass, m, 0, x, state->dy, worker);
    }
}

void junction_leave_back(const struct backward_pass *pass, int32_t layer, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layer *l = &state->layout->layer[layer];
    const struct range row = worker_items(worker, pass->steps * state->batch);
    const size_t first = (size_t)row.begin * state->out_row;
    if (l->options.skip == MLSTM_SKIP_HIGHWAY)
        highway_back(pass, layer, worker);
    if (l->options.skip == MLSTM_SKIP_RESIDUAL)
        memcpy(state->dskip + first, state->dh_out + first,
               (size_t)(row.end - row.begin) * state->out_row * sizeof *state->dskip);
    worker_wait(worker);
}

/* One direction's columns, in its order of time, and zeros where a row has ended. */
static void split(const struct backward_pass *pass, int32_t direction, const float *from, float *to,
                  int32_t units, struct range row)
{
    const struct mlstm_state *state = pass->state;
    const struct direction *d = &state->layout->direction[direction];
    const bool concat = state->layout->layer[d->layer].options.merge == MLSTM_MERGE_CONCAT;
    const size_t offset = d->reverse && concat ? (size_t)units : 0;
    for (int32_t b = row.begin; b < row.end; b++) {
        const int32_t n = state_row_steps(state, b, pass->first, pass->steps);
        for (int32_t t = 0; t < pass->steps; t++) {
            float *out = to + place(state, t, b, state->out_row);
            const int32_t time = d->reverse ? n - 1 - t : t;
            if (t < n)
                memcpy(out, from + place(state, time, b, state->out_row) + offset,
                       (size_t)units * sizeof *out);
            else
                memset(out, 0, (size_t)units * sizeof *out);
        }
    }
}

void junction_split(const struct backward_pass *pass, int32_t direction, bool outputs, bool cells,
                    struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct layer *l = &state->layout->layer[state->layout->direction[direction].layer];
    const struct range row = worker_items(worker, state->batch);
    if (outputs)
        split(pass, direction, state->dh_out, state->dh_part, l->recurrent, row);
    if (cells)
        split(pass, direction, state->dc_out, state->dc_part, l->options.hidden, row);
    worker_wait(worker);
}

void junction_add(const struct backward_pass *pass, int32_t direction, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct direction *d = &state->layout->direction[direction];
    const size_t units = (size_t)state->layout->layer[d->layer].options.input;
    const struct range row = worker_items(worker, state->batch);
    for (int32_t b = row.begin; b < row.end; b++) {
        const int32_t n = state_row_steps(state, b, pass->first, pass->steps);
        for (int32_t t = 0; t < n; t++) {
            const float *from = state->dx_part + place(state, n - 1 - t, b, state->out_row);
            float *to = state->dx_sum + place(state, t, b, state->out_row);
            for (size_t u = 0; u < units; u++)
                to[u] += from[u];
        }
    }
    worker_wait(worker);
}

void junction_enter_back(const struct backward_pass *pass, int32_t layer, bool skip, float *dx,
                         size_t dx_row, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct options *o = &state->layout->layer[layer].options;
    const struct range row = worker_items(worker, state->batch);
    for (int32_t t = 0; t < pass->steps; t++) {
        const size_t at = place(state, t, row.begin, state->out_row);
        const struct rows from = {state->dx_sum + at, state->out_row};
        const struct rows past = {o->skip && skip ? state->dskip + at : NULL, state->out_row};
        struct rows mask = {NULL, 0};
        if (drops(state, layer))
            mask = input_mask(state, layer, pass->first, t, row);
        state->layout->kernels->mix(from, mask, past, dx + place(state, t, row.begin, dx_row),
                                    dx_row, row.end - row.begin, o->input);
    }
    worker_wait(worker);
}
