/* SPDX-License-Identifier: MIT */
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mlstm/stack.h>

static size_t product(int32_t a, int32_t b, int32_t c)
{
    return (size_t)a * (size_t)b * (size_t)c;
}

int32_t top_size(const struct shape *s)
{
    return s->sizes[s->layers];
}

int32_t output_size(const struct shape *s)
{
    return s->sources ? s->outputs : top_size(s);
}

float layer_forget_bias(const struct shape *s, int32_t layer)
{
    return s->forget_bias + 0.25f * (float)layer;
}

static size_t layer_param_numbers(const struct shape *s, int32_t layer)
{
    return product(s->sizes[layer] + s->sizes[layer + 1] + 1, 4, s->sizes[layer + 1]);
}

size_t param_numbers(const struct shape *s)
{
    size_t count = 0;
    for (int32_t l = 0; l < s->layers; l++)
        count += layer_param_numbers(s, l);
    if (s->sources & MLSTM_READOUT_C)
        count += product(top_size(s), s->outputs, 1);
    if (s->sources & MLSTM_READOUT_H)
        count += product(top_size(s), s->outputs, 1);
    return s->sources ? count + (size_t)s->outputs : count;
}

size_t state_numbers(const struct shape *s)
{
    size_t count = 0;
    for (int32_t l = 0; l < s->layers; l++)
        count += product(2, s->batch, s->sizes[l + 1]);
    return count;
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

static double *zeros(size_t count)
{
    double *values = calloc(count ? count : 1, sizeof *values);
    if (!values)
        abort();
    return values;
}

struct reference *reference_create(const struct shape *s)
{
    struct reference *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->shape = *s;
    r->params = zeros(param_numbers(s));
    r->dparams = zeros(param_numbers(s));
    r->x = zeros(x_numbers(s));
    r->dx = zeros(x_numbers(s));
    r->initial_state = zeros(state_numbers(s));
    r->dinitial_state = zeros(state_numbers(s));
    r->final_state = zeros(state_numbers(s));
    r->dfinal_state = zeros(state_numbers(s));
    r->y = zeros(y_numbers(s));
    r->dy = zeros(y_numbers(s));
    r->h_top = zeros(top_numbers(s));
    r->dh_top = zeros(top_numbers(s));
    r->c_top = zeros(top_numbers(s));
    r->dc_top = zeros(top_numbers(s));
    for (int32_t l = 0; l < s->layers; l++) {
        r->c[l] = zeros(product(s->steps + 1, s->batch, s->sizes[l + 1]));
        r->h[l] = zeros(product(s->steps + 1, s->batch, s->sizes[l + 1]));
        r->gates[l] = zeros(product(s->steps, s->batch, 4 * s->sizes[l + 1]));
        r->dh[l] = zeros(product(s->steps, s->batch, s->sizes[l + 1]));
        r->dc[l] = zeros(product(s->steps, s->batch, s->sizes[l + 1]));
    }
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
    for (int32_t l = 0; l < MAX_LAYERS; l++) {
        free(r->c[l]);
        free(r->h[l]);
        free(r->gates[l]);
        free(r->dh[l]);
        free(r->dc[l]);
    }
    free(r);
}

static double sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}

/* Where a layer's numbers begin in `params`, and in the state tensor. */
static size_t param_offset(const struct shape *s, int32_t layer)
{
    size_t offset = 0;
    for (int32_t l = 0; l < layer; l++)
        offset += layer_param_numbers(s, l);
    return offset;
}

static size_t state_offset(const struct shape *s, int32_t layer)
{
    size_t offset = 0;
    for (int32_t l = 0; l < layer; l++)
        offset += product(2, s->batch, s->sizes[l + 1]);
    return offset;
}

/*
 * One layer over the window. x is [T,B,I], kernel [I+H,4H] and bias [4H] stand one after the other,
 * columns i, j, f, o:
 *     a  = [x, h] @ kernel + bias
 *     c' = c * sigmoid(f + forget_bias) + sigmoid(i) * tanh(j)
 *     h' = tanh(c') * sigmoid(o)
 */
static void layer_forward(struct reference *r, int32_t layer, const double *x)
{
    const struct shape *s = &r->shape;
    const size_t I = (size_t)s->sizes[layer], H = (size_t)s->sizes[layer + 1];
    const size_t B = (size_t)s->batch, T = (size_t)s->steps;
    const double *kernel = r->params + param_offset(s, layer), *bias = kernel + (I + H) * 4 * H;

    memcpy(r->c[layer], r->initial_state + state_offset(s, layer), B * H * sizeof(double));
    memcpy(r->h[layer], r->initial_state + state_offset(s, layer) + B * H, B * H * sizeof(double));
    for (size_t row = 0; row < T * B; row++) {
        const double *in = x + row * I, *h = r->h[layer] + row * H, *c = r->c[layer] + row * H;
        double *h_next = r->h[layer] + (row + B) * H, *c_next = r->c[layer] + (row + B) * H;
        double *a = r->gates[layer] + row * 4 * H;
        memcpy(a, bias, 4 * H * sizeof(double));
        for (size_t k = 0; k < I + H; k++)
            for (size_t g = 0; g < 4 * H; g++)
                a[g] += (k < I ? in[k] : h[k - I]) * kernel[k * 4 * H + g];
        for (size_t u = 0; u < H; u++) {
            double *i = &a[u], *j = &a[H + u], *f = &a[2 * H + u], *o = &a[3 * H + u];
            *i = sigmoid(*i);
            *j = tanh(*j);
            *f = sigmoid(*f + (double)layer_forget_bias(s, layer));
            *o = sigmoid(*o);
            c_next[u] = c[u] * *f + *i * *j;
            h_next[u] = tanh(c_next[u]) * *o;
        }
    }
    memcpy(r->final_state + state_offset(s, layer), r->c[layer] + T * B * H,
           B * H * sizeof(double));
    memcpy(r->final_state + state_offset(s, layer) + B * H, r->h[layer] + T * B * H,
           B * H * sizeof(double));
}

/* The same window backwards: dh and dc of the layer are given for each step, dx is written. */
static void layer_backward(struct reference *r, int32_t layer, const double *x, double *dx)
{
    const struct shape *s = &r->shape;
    const size_t I = (size_t)s->sizes[layer], H = (size_t)s->sizes[layer + 1];
    const size_t B = (size_t)s->batch, T = (size_t)s->steps;
    const double *kernel = r->params + param_offset(s, layer);
    double *dkernel = r->dparams + param_offset(s, layer), *dbias = dkernel + (I + H) * 4 * H;
    /* What reaches c and h of the step before; in the end the gradient of the initial state. */
    double *dc_before = r->dinitial_state + state_offset(s, layer), *dh_before = dc_before + B * H;
    double *da = zeros(4 * H);

    memcpy(dc_before, r->dfinal_state + state_offset(s, layer), 2 * B * H * sizeof(double));
    for (size_t row = T * B; row-- > 0;) {
        const double *in = x + row * I, *a = r->gates[layer] + row * 4 * H;
        const double *h = r->h[layer] + row * H, *c = r->c[layer] + row * H;
        const double *c_next = r->c[layer] + (row + B) * H;
        double *dc = dc_before + row % B * H, *dh = dh_before + row % B * H;
        for (size_t u = 0; u < H; u++) {
            const double i = a[u], j = a[H + u], f = a[2 * H + u], o = a[3 * H + u];
            const double tanh_c = tanh(c_next[u]), dh_u = dh[u] + r->dh[layer][row * H + u];
            const double dc_u =
                dc[u] + r->dc[layer][row * H + u] + dh_u * o * (1 - tanh_c * tanh_c);
            da[u] = dc_u * j * i * (1 - i);
            da[H + u] = dc_u * i * (1 - j * j);
            da[2 * H + u] = dc_u * c[u] * f * (1 - f);
            da[3 * H + u] = dh_u * tanh_c * o * (1 - o);
            dc[u] = dc_u * f;
        }
        for (size_t k = 0; k < I + H; k++) {
            double sum = 0;
            for (size_t g = 0; g < 4 * H; g++) {
                sum += da[g] * kernel[k * 4 * H + g];
                dkernel[k * 4 * H + g] += da[g] * (k < I ? in[k] : h[k - I]);
            }
            *(k < I ? &dx[row * I + k] : &dh[k - I]) = sum;
        }
        for (size_t g = 0; g < 4 * H; g++)
            dbias[g] += da[g];
    }
    free(da);
}

/* y = source @ kernel, added up over the sources, + bias; the kernel of c comes first. */
static void readout_forward(struct reference *r)
{
    const struct shape *s = &r->shape;
    const size_t H = (size_t)top_size(s), O = (size_t)s->outputs, rows = top_numbers(s) / H;
    const double *kernel_c = r->params + param_offset(s, s->layers);
    const double *kernel_h = kernel_c + (s->sources & MLSTM_READOUT_C ? H * O : 0);
    const double *bias = kernel_h + (s->sources & MLSTM_READOUT_H ? H * O : 0);

    for (size_t row = 0; row < rows; row++)
        for (size_t o = 0; o < O; o++) {
            double sum = bias[o];
            for (size_t u = 0; u < H; u++) {
                if (s->sources & MLSTM_READOUT_C)
                    sum += r->c_top[row * H + u] * kernel_c[u * O + o];
                if (s->sources & MLSTM_READOUT_H)
                    sum += r->h_top[row * H + u] * kernel_h[u * O + o];
            }
            r->y[row * O + o] = sum;
        }
}

static void readout_backward(struct reference *r)
{
    const struct shape *s = &r->shape;
    const size_t H = (size_t)top_size(s), O = (size_t)s->outputs, rows = top_numbers(s) / H;
    const size_t c_at = param_offset(s, s->layers);
    const size_t h_at = c_at + (s->sources & MLSTM_READOUT_C ? H * O : 0);
    const size_t bias_at = h_at + (s->sources & MLSTM_READOUT_H ? H * O : 0);
    double *dh = r->dh[s->layers - 1], *dc = r->dc[s->layers - 1];

    for (size_t row = 0; row < rows; row++)
        for (size_t o = 0; o < O; o++) {
            const double dy = r->dy[row * O + o];
            for (size_t u = 0; u < H; u++) {
                if (s->sources & MLSTM_READOUT_C) {
                    r->dparams[c_at + u * O + o] += dy * r->c_top[row * H + u];
                    dc[row * H + u] += dy * r->params[c_at + u * O + o];
                }
                if (s->sources & MLSTM_READOUT_H) {
                    r->dparams[h_at + u * O + o] += dy * r->h_top[row * H + u];
                    dh[row * H + u] += dy * r->params[h_at + u * O + o];
                }
            }
            r->dparams[bias_at + o] += dy;
        }
}

/* h of the steps of a layer, [T,B,H]; the input of the layer above. */
static const double *layer_output(const struct reference *r, int32_t layer)
{
    return r->h[layer] + product(1, r->shape.batch, r->shape.sizes[layer + 1]);
}

void reference_forward(struct reference *r)
{
    const struct shape *s = &r->shape;
    const int32_t top = s->layers - 1;
    for (int32_t l = 0; l < s->layers; l++)
        layer_forward(r, l, l ? layer_output(r, l - 1) : r->x);
    memcpy(r->h_top, layer_output(r, top), top_numbers(s) * sizeof(double));
    memcpy(r->c_top, r->c[top] + product(1, s->batch, top_size(s)),
           top_numbers(s) * sizeof(double));
    if (s->sources)
        readout_forward(r);
    else
        memcpy(r->y, r->h_top, top_numbers(s) * sizeof(double));
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
           dot(r->c_top, r->dc_top, top_numbers(s)) +
           dot(r->final_state, r->dfinal_state, state_numbers(s));
}

void reference_backward(struct reference *r)
{
    const struct shape *s = &r->shape;
    const int32_t top = s->layers - 1;
    memset(r->dparams, 0, param_numbers(s) * sizeof(double));
    memcpy(r->dh[top], r->dh_top, top_numbers(s) * sizeof(double));
    memcpy(r->dc[top], r->dc_top, top_numbers(s) * sizeof(double));
    if (s->sources)
        readout_backward(r);
    else
        for (size_t i = 0; i < top_numbers(s); i++)
            r->dh[top][i] += r->dy[i];
    for (int32_t l = top; l >= 0; l--)
        layer_backward(r, l, l ? layer_output(r, l - 1) : r->x, l ? r->dh[l - 1] : r->dx);
}
