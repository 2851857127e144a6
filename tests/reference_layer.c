/* SPDX-License-Identifier: MIT */
#include "reference_parts.h"

#include <stdlib.h>
#include <string.h>

#include <mlstm/cell.h>

static size_t per_step(const struct shape *s, int32_t width)
{
    return (size_t)s->steps * (size_t)s->batch * (size_t)width;
}

void reference_layer_create(struct reference *r, int32_t layer)
{
    const struct shape *s = &r->shape;
    struct layer_record *l = &r->layers[layer];
    const int32_t I = layer_input(s, layer), C = layer_cells(s, layer), D = layer_output(s, layer);
    l->x_factors = reference_zeros(per_step(s, I));
    l->x_read = reference_zeros(per_step(s, I));
    l->h = reference_zeros(per_step(s, D));
    l->c = reference_zeros(per_step(s, C));
    l->through = reference_zeros(per_step(s, D));
    l->out = reference_zeros(per_step(s, D));
    l->dout = reference_zeros(per_step(s, D));
    l->dc = reference_zeros(per_step(s, C));
    for (int32_t d = 0; d < layer_directions(s, layer); d++) {
        l->steps[d] = calloc(per_step(s, 1), sizeof *l->steps[d]);
        if (!l->steps[d])
            abort();
        for (size_t k = 0; k < per_step(s, 1); k++)
            reference_step_create(s, layer, &l->steps[d][k]);
    }
}

void reference_layer_destroy(struct reference *r, int32_t layer)
{
    struct layer_record *l = &r->layers[layer];
    double *const blocks[] = {l->x_factors, l->x_read, l->h,    l->c,
                              l->through,   l->out,    l->dout, l->dc};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
    for (int32_t d = 0; d < layer_directions(&r->shape, layer); d++) {
        for (size_t k = 0; k < per_step(&r->shape, 1); k++)
            free(l->steps[d][k].numbers);
        free(l->steps[d]);
    }
}

/* x~ of every row and step that is there. */
static void drop_inputs(struct reference *r, int32_t layer)
{
    const struct shape *s = &r->shape;
    const struct layer_options *o = &s->options[layer];
    struct layer_record *l = &r->layers[layer];
    const size_t I = (size_t)layer_input(s, layer);
    for (int32_t row = 0; row < s->batch; row++)
        for (int32_t t = 0; t < row_steps(s, row); t++) {
            const size_t at = ((size_t)t * (size_t)s->batch + (size_t)row) * I;
            reference_dropout(s, (struct place){layer, 0, row, t}, MASK_INPUT, o->dropout,
                              o->dropout_mask, l->x_factors + at, I);
            for (size_t k = 0; k < I; k++)
                l->x_read[at + k] = l->x[at + k] * l->x_factors[at + k];
        }
}

/* Where c of one row is in a state tensor, and where h is. */
static double *row_c(const struct cell *cell, double *state, int32_t row)
{
    return state + reference_state_offset(&cell->r->shape, cell->layer, cell->direction) +
           (size_t)row * cell->H;
}

static double *row_h(const struct cell *cell, double *state, int32_t row)
{
    return state + reference_state_offset(&cell->r->shape, cell->layer, cell->direction) +
           (size_t)cell->r->shape.batch * cell->H + (size_t)row * cell->P;
}

/* The state of a row before its first step. */
static void begin_row(const struct cell *cell, int32_t row, double *c, double *h)
{
    const bool learned = cell->options->learned;
    if (!cell->r->shape.begins) {
        memcpy(c, row_c(cell, cell->r->initial_state, row), cell->H * sizeof(double));
        memcpy(h, row_h(cell, cell->r->initial_state, row), cell->P * sizeof(double));
        return;
    }
    for (size_t u = 0; u < cell->H; u++)
        c[u] = learned ? cell->params.initial_c[u] : 0;
    for (size_t k = 0; k < cell->P; k++)
        h[k] = learned ? cell->params.initial_h[k] : 0;
}

/* The direction's own count for time step `t` of a row, or the time step for its count. */
static int32_t turned(const struct cell *cell, int32_t row, int32_t t)
{
    return cell->direction ? row_steps(&cell->r->shape, row) - 1 - t : t;
}

/* Where numbers of a direction are among those of both, at a row and time step. */
static size_t merged_at(const struct cell *cell, size_t width, int32_t row, int32_t t)
{
    const bool concatenated = cell->options->merge == MLSTM_MERGE_CONCAT;
    const size_t index = (size_t)t * (size_t)cell->r->shape.batch + (size_t)row;
    return index * width * (concatenated ? 2 : 1) +
           (concatenated ? (size_t)cell->direction * width : 0);
}

static struct step *step_of(const struct cell *cell, int32_t row, int32_t index)
{
    return &cell->r->layers[cell->layer].steps[cell->direction][index * cell->r->shape.batch + row];
}

/* All steps of one row, in the direction's own order. */
static void row_forward(struct cell *cell, int32_t row)
{
    const struct shape *s = &cell->r->shape;
    struct layer_record *l = &cell->r->layers[cell->layer];
    double *c = row_c(cell, cell->r->final_state, row), *h = row_h(cell, cell->r->final_state, row);
    begin_row(cell, row, c, h);
    for (int32_t index = 0; index < row_steps(s, row); index++) {
        const int32_t t = turned(cell, row, index);
        struct step *step = step_of(cell, row, index);
        step->x = l->x_read + (size_t)(t * s->batch + row) * cell->I;
        memcpy(step->c, c, cell->H * sizeof(double));
        memcpy(step->h, h, cell->P * sizeof(double));
        reference_step_forward(cell, step,
                               (struct place){cell->layer, cell->direction, row, index});
        memcpy(c, step->c_next, cell->H * sizeof(double));
        memcpy(h, step->h_next, cell->P * sizeof(double));
        for (size_t u = 0; u < cell->H; u++)
            l->c[merged_at(cell, cell->H, row, t) + u] += c[u];
        for (size_t k = 0; k < cell->P; k++)
            l->h[merged_at(cell, cell->P, row, t) + k] += h[k];
    }
}

/* dh [T,B,D] is the gradient of both directions' h. */
static void row_backward(struct cell *cell, int32_t row, const double *dh_merged, double *dx)
{
    const struct shape *s = &cell->r->shape;
    struct layer_record *l = &cell->r->layers[cell->layer];
    double *dc = row_c(cell, cell->r->dinitial_state, row);
    double *dh = row_h(cell, cell->r->dinitial_state, row);
    double *dx_read = reference_zeros(cell->I);
    memcpy(dc, row_c(cell, cell->r->dfinal_state, row), cell->H * sizeof(double));
    memcpy(dh, row_h(cell, cell->r->dfinal_state, row), cell->P * sizeof(double));
    for (int32_t index = row_steps(s, row) - 1; index >= 0; index--) {
        const int32_t t = turned(cell, row, index);
        const size_t at = (size_t)(t * s->batch + row) * cell->I;
        for (size_t u = 0; u < cell->H; u++)
            dc[u] += l->dc[merged_at(cell, cell->H, row, t) + u];
        for (size_t k = 0; k < cell->P; k++)
            dh[k] += dh_merged[merged_at(cell, cell->P, row, t) + k];
        memset(dx_read, 0, cell->I * sizeof(double));
        reference_step_backward(cell, step_of(cell, row, index), dc, dh, dx_read);
        for (size_t k = 0; k < cell->I; k++)
            dx[at + k] += dx_read[k] * l->x_factors[at + k];
    }
    for (size_t u = 0; s->begins && cell->options->learned && u < cell->H; u++)
        cell->grads.initial_c[u] += dc[u];
    for (size_t k = 0; s->begins && cell->options->learned && k < cell->P; k++)
        cell->grads.initial_h[k] += dh[k];
    free(dx_read);
}

/* The highway's kernel in a block of parameters, behind both directions; its bias follows. */
static double *highway_kernel(const struct shape *s, int32_t layer, double *values)
{
    return values + reference_param_offset(s, layer) +
           (size_t)layer_directions(s, layer) * reference_cell_numbers(s, layer);
}

/* What a row and step gives: h, or h and x. */
static void skip_forward(struct reference *r, int32_t layer, size_t row)
{
    const size_t D = (size_t)layer_output(&r->shape, layer);
    struct layer_record *l = &r->layers[layer];
    const double *h = l->h + row * D;
    double *out = l->out + row * D, *t = l->through + row * D;
    memcpy(out, h, D * sizeof(double));
    if (!r->shape.options[layer].skip)
        return;
    const double *x = l->x + row * D;
    if (r->shape.options[layer].skip == MLSTM_SKIP_RESIDUAL) {
        for (size_t k = 0; k < D; k++)
            out[k] = h[k] + x[k];
        return;
    }
    const double *kernel = highway_kernel(&r->shape, layer, r->params), *bias = kernel + D * D;
    memcpy(t, bias, D * sizeof(double));
    reference_multiply(x, kernel, D, D, t);
    for (size_t k = 0; k < D; k++) {
        t[k] = reference_sigmoid(t[k]);
        out[k] = x[k] * t[k] + h[k] * (1 - t[k]);
    }
}

/* From dout to the gradients with respect to h and x. */
static void skip_backward(struct reference *r, int32_t layer, size_t row, double *dh, double *dx)
{
    const size_t D = (size_t)layer_output(&r->shape, layer);
    const struct layer_record *l = &r->layers[layer];
    const double *dout = l->dout + row * D;
    memcpy(dh, dout, D * sizeof(double));
    if (!r->shape.options[layer].skip)
        return;
    memcpy(dx, dout, D * sizeof(double));
    if (r->shape.options[layer].skip == MLSTM_SKIP_RESIDUAL)
        return;
    const double *x = l->x + row * D, *h = l->h + row * D, *t = l->through + row * D;
    double *dkernel = highway_kernel(&r->shape, layer, r->dparams), *dbias = dkernel + D * D;
    double *da = reference_zeros(D);
    for (size_t k = 0; k < D; k++) {
        da[k] = dout[k] * (x[k] - h[k]) * t[k] * (1 - t[k]);
        dbias[k] += da[k];
        dx[k] = dout[k] * t[k];
        dh[k] = dout[k] * (1 - t[k]);
    }
    reference_multiply_back(x, highway_kernel(&r->shape, layer, r->params), D, D, da, dkernel, dx);
    free(da);
}

void reference_layer_forward(struct reference *r, int32_t layer, const double *x)
{
    const struct shape *s = &r->shape;
    struct layer_record *l = &r->layers[layer];
    l->x = x;
    drop_inputs(r, layer);
    memset(l->h, 0, per_step(s, layer_output(s, layer)) * sizeof(double));
    memset(l->c, 0, per_step(s, layer_cells(s, layer)) * sizeof(double));
    for (int32_t d = 0; d < layer_directions(s, layer); d++) {
        struct cell cell;
        reference_cell_open(&cell, r, layer, d);
        for (int32_t row = 0; row < s->batch; row++)
            row_forward(&cell, row);
        reference_cell_close(&cell);
    }
    for (int32_t row = 0; row < s->batch; row++)
        for (int32_t t = 0; t < row_steps(s, row); t++)
            skip_forward(r, layer, (size_t)(t * s->batch + row));
}

void reference_layer_backward(struct reference *r, int32_t layer, double *dx)
{
    const struct shape *s = &r->shape;
    const size_t I = (size_t)layer_input(s, layer), D = (size_t)layer_output(s, layer);
    double *dh = reference_zeros(per_step(s, layer_output(s, layer)));
    memset(dx, 0, per_step(s, layer_input(s, layer)) * sizeof(double));
    for (int32_t row = 0; row < s->batch; row++)
        for (int32_t t = 0; t < row_steps(s, row); t++) {
            const size_t at = (size_t)(t * s->batch + row);
            skip_backward(r, layer, at, dh + at * D, dx + at * I);
        }
    for (int32_t d = 0; d < layer_directions(s, layer); d++) {
        struct cell cell;
        reference_cell_open(&cell, r, layer, d);
        for (int32_t row = 0; row < s->batch; row++)
            row_backward(&cell, row, dh, dx);
        reference_cell_close(&cell);
    }
    free(dh);
}
