/* SPDX-License-Identifier: MIT */
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mlstm/stack.h>

#include "reference_parts.h"

static size_t product(int32_t a, int32_t b, int32_t c)
{
    return (size_t)a * (size_t)b * (size_t)c;
}

int32_t layer_hidden(const struct shape *s, int32_t layer)
{
    return s->sizes[layer + 1];
}

int32_t layer_recurrent(const struct shape *s, int32_t layer)
{
    return s->options[layer].projection ? s->options[layer].projection : layer_hidden(s, layer);
}

/* How often what one direction has is in what the layer gives. */
static int32_t times(const struct shape *s, int32_t layer)
{
    return s->options[layer].merge == MLSTM_MERGE_CONCAT ? 2 : 1;
}

int32_t layer_cells(const struct shape *s, int32_t layer)
{
    return layer_hidden(s, layer) * times(s, layer);
}

int32_t layer_output(const struct shape *s, int32_t layer)
{
    return layer_recurrent(s, layer) * times(s, layer);
}

int32_t layer_input(const struct shape *s, int32_t layer)
{
    return layer ? layer_output(s, layer - 1) : s->sizes[0];
}

int32_t layer_directions(const struct shape *s, int32_t layer)
{
    return s->options[layer].merge ? 2 : 1;
}

float layer_forget_bias(const struct shape *s, int32_t layer)
{
    return s->forget_bias + 0.25f * (float)layer;
}

int32_t top_size(const struct shape *s)
{
    return layer_output(s, s->layers - 1);
}

int32_t top_cells(const struct shape *s)
{
    return layer_cells(s, s->layers - 1);
}

int32_t output_size(const struct shape *s)
{
    return s->sources ? s->outputs : top_size(s);
}

int32_t row_steps(const struct shape *s, int32_t row)
{
    return s->lengths && s->lengths[row] < s->steps ? s->lengths[row] : s->steps;
}

size_t reference_param_offset(const struct shape *s, int32_t layer)
{
    size_t offset = 0;
    for (int32_t l = 0; l < layer; l++) {
        offset += (size_t)layer_directions(s, l) * reference_cell_numbers(s, l);
        if (s->options[l].skip == MLSTM_SKIP_HIGHWAY)
            offset += product(layer_input(s, l) + 1, layer_output(s, l), 1);
    }
    return offset;
}

size_t param_numbers(const struct shape *s)
{
    size_t count = reference_param_offset(s, s->layers);
    if (s->sources & MLSTM_READOUT_C)
        count += product(top_cells(s), s->outputs, 1);
    if (s->sources & MLSTM_READOUT_H)
        count += product(top_size(s), s->outputs, 1);
    return s->sources ? count + (size_t)s->outputs : count;
}

/* Of one direction. */
static size_t layer_state_numbers(const struct shape *s, int32_t layer)
{
    return product(s->batch, layer_hidden(s, layer) + layer_recurrent(s, layer), 1);
}

size_t reference_state_offset(const struct shape *s, int32_t layer, int32_t direction)
{
    size_t offset = (size_t)direction * (layer < s->layers ? layer_state_numbers(s, layer) : 0);
    for (int32_t l = 0; l < layer; l++)
        offset += (size_t)layer_directions(s, l) * layer_state_numbers(s, l);
    return offset;
}

size_t state_numbers(const struct shape *s)
{
    return reference_state_offset(s, s->layers - 1, layer_directions(s, s->layers - 1));
}

size_t x_numbers(const struct shape *s)
{
    return product(s->steps, s->batch, s->sizes[0]);
}

size_t y_numbers(const struct shape *s)
{
    return product(s->steps, s->batch, output_size(s));
}

size_t top_numbers(const struct shape *s)
{
    return product(s->steps, s->batch, top_size(s));
}

size_t top_c_numbers(const struct shape *s)
{
    return product(s->steps, s->batch, top_cells(s));
}

struct reference *reference_create(const struct shape *s)
{
    struct reference *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->shape = *s;
    r->params = reference_zeros(param_numbers(s));
    r->dparams = reference_zeros(param_numbers(s));
    r->x = reference_zeros(x_numbers(s));
    r->dx = reference_zeros(x_numbers(s));
    r->initial_state = reference_zeros(state_numbers(s));
    r->dinitial_state = reference_zeros(state_numbers(s));
    r->final_state = reference_zeros(state_numbers(s));
    r->dfinal_state = reference_zeros(state_numbers(s));
    r->y = reference_zeros(y_numbers(s));
    r->dy = reference_zeros(y_numbers(s));
    r->h_top = reference_zeros(top_numbers(s));
    r->dh_top = reference_zeros(top_numbers(s));
    r->c_top = reference_zeros(top_c_numbers(s));
    r->dc_top = reference_zeros(top_c_numbers(s));
    r->layers = calloc((size_t)s->layers, sizeof *r->layers);
    if (!r->layers)
        abort();
    for (int32_t l = 0; l < s->layers; l++)
        reference_layer_create(r, l);
    return r;
}

void reference_destroy(struct reference *r)
{
    double *const blocks[] = {
        r->params,       r->dparams,        r->x, r->dx, r->initial_state, r->final_state,
        r->dfinal_state, r->dinitial_state, r->y, r->dy, r->h_top,         r->dh_top,
        r->c_top,        r->dc_top};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
    for (int32_t l = 0; l < r->shape.layers; l++)
        reference_layer_destroy(r, l);
    free(r->layers);
    free(r);
}

/* The readout's numbers in a block of parameters: the kernels of what it reads, and the bias. */
struct readout {
    double *kernel_c, *kernel_h, *bias;
};

static struct readout find_readout(const struct shape *s, double *values)
{
    struct readout at = {values + reference_param_offset(s, s->layers)};
    at.kernel_h = at.kernel_c;
    if (s->sources & MLSTM_READOUT_C)
        at.kernel_h += product(top_cells(s), s->outputs, 1);
    at.bias = at.kernel_h;
    if (s->sources & MLSTM_READOUT_H)
        at.bias += product(top_size(s), s->outputs, 1);
    return at;
}

/* y = c @ kernel_c + h @ kernel_h + bias, with the terms that are there; or h. */
static void row_output(struct reference *r, size_t row)
{
    const struct shape *s = &r->shape;
    const size_t C = (size_t)top_cells(s), D = (size_t)top_size(s), O = (size_t)output_size(s);
    const struct readout p = find_readout(s, r->params);
    const double *c = r->c_top + row * C, *h = r->h_top + row * D;
    double *y = r->y + row * O;
    memcpy(y, s->sources ? p.bias : h, O * sizeof(double));
    if (s->sources & MLSTM_READOUT_C)
        reference_multiply(c, p.kernel_c, C, O, y);
    if (s->sources & MLSTM_READOUT_H)
        reference_multiply(h, p.kernel_h, D, O, y);
}

/* What reaches the top layer at a row and step. */
static void row_output_back(struct reference *r, size_t row)
{
    const struct shape *s = &r->shape;
    const size_t C = (size_t)top_cells(s), D = (size_t)top_size(s), O = (size_t)output_size(s);
    const struct readout p = find_readout(s, r->params), d = find_readout(s, r->dparams);
    const double *c = r->c_top + row * C, *h = r->h_top + row * D, *dy = r->dy + row * O;
    double *dc = r->layers[s->layers - 1].dc + row * C;
    double *dh = r->layers[s->layers - 1].dout + row * D;
    memcpy(dc, r->dc_top + row * C, C * sizeof(double));
    memcpy(dh, r->dh_top + row * D, D * sizeof(double));
    if (s->sources & MLSTM_READOUT_C)
        reference_multiply_back(c, p.kernel_c, C, O, dy, d.kernel_c, dc);
    if (s->sources & MLSTM_READOUT_H)
        reference_multiply_back(h, p.kernel_h, D, O, dy, d.kernel_h, dh);
    for (size_t o = 0; o < O; o++)
        *(s->sources ? &d.bias[o] : &dh[o]) += dy[o];
}

/* Calls `call` for every step that a row has; past its end all stays 0. */
static void for_each_row(struct reference *r, void (*call)(struct reference *r, size_t row))
{
    for (int32_t row = 0; row < r->shape.batch; row++)
        for (int32_t t = 0; t < row_steps(&r->shape, row); t++)
            call(r, (size_t)(t * r->shape.batch + row));
}

void reference_forward(struct reference *r)
{
    const struct shape *s = &r->shape;
    const struct layer_record *top = &r->layers[s->layers - 1];
    r->clipped = 0;
    r->nearest_clip = INFINITY;
    for (int32_t l = 0; l < s->layers; l++)
        reference_layer_forward(r, l, l ? r->layers[l - 1].out : r->x);
    memcpy(r->h_top, top->out, top_numbers(s) * sizeof(double));
    memcpy(r->c_top, top->c, top_c_numbers(s) * sizeof(double));
    for_each_row(r, row_output);
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

double reference_loss(const struct reference *r)
{
    const struct shape *s = &r->shape;
    return dot(r->y, r->dy, y_numbers(s)) + dot(r->h_top, r->dh_top, top_numbers(s)) +
           dot(r->c_top, r->dc_top, top_c_numbers(s)) +
           dot(r->final_state, r->dfinal_state, state_numbers(s));
}

void reference_backward(struct reference *r)
{
    const struct shape *s = &r->shape;
    memset(r->dparams, 0, param_numbers(s) * sizeof(double));
    for_each_row(r, row_output_back);
    for (int32_t l = s->layers - 1; l >= 0; l--)
        reference_layer_backward(r, l, l ? r->layers[l - 1].dout : r->dx);
}
