/* SPDX-License-Identifier: MIT */
#include "reference_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mlstm/cell.h>

/* The next `count` numbers of a block if they are there, else NULL. */
static double *take(double **at, int there, size_t count)
{
    double *values = *at;
    if (!there)
        return NULL;
    *at += count;
    return values;
}

static struct cell_params find_params(const struct cell *cell, double *values)
{
    const struct layer_options *o = cell->options;
    const size_t I = cell->I, H = cell->H, P = cell->P;
    double *at = values + reference_param_offset(&cell->r->shape, cell->layer) +
                 (size_t)cell->direction * reference_cell_numbers(&cell->r->shape, cell->layer);
    struct cell_params p;
    p.kernel = take(&at, 1, (I + P) * 4 * H);
    p.bias = take(&at, o->more_biases >= 0, 4 * H);
    p.bias_h = take(&at, o->more_biases == 1, 4 * H);
    p.peephole_i = take(&at, o->peepholes, H);
    p.peephole_f = take(&at, o->peepholes, H);
    p.peephole_o = take(&at, o->peepholes, H);
    p.x_gain = take(&at, o->norm, 4 * H);
    p.h_gain = take(&at, o->norm == MLSTM_NORM_PRODUCTS, 4 * H);
    p.c_gain = take(&at, o->norm, H);
    p.c_shift = take(&at, o->norm, H);
    p.projection = take(&at, o->projection, H * P);
    p.initial_c = take(&at, o->learned, H);
    p.initial_h = take(&at, o->learned, P);
    return p;
}

size_t reference_cell_numbers(const struct shape *s, int32_t layer)
{
    const struct layer_options *o = &s->options[layer];
    const size_t I = (size_t)layer_input(s, layer), H = (size_t)layer_hidden(s, layer);
    const size_t P = (size_t)layer_recurrent(s, layer);
    size_t count = (I + P) * 4 * H + (size_t)(1 + o->more_biases) * 4 * H;
    if (o->peepholes)
        count += 3 * H;
    if (o->norm)
        count += (o->norm == MLSTM_NORM_PRODUCTS ? 8 : 4) * H + 2 * H;
    if (o->projection)
        count += H * P;
    if (o->learned)
        count += H + P;
    return count;
}

void reference_cell_open(struct cell *cell, struct reference *r, int32_t layer, int32_t direction)
{
    const struct shape *s = &r->shape;
    *cell = (struct cell){.r = r,
                          .layer = layer,
                          .direction = direction,
                          .options = &s->options[layer],
                          .I = (size_t)layer_input(s, layer),
                          .H = (size_t)layer_hidden(s, layer),
                          .P = (size_t)layer_recurrent(s, layer)};
    cell->params = find_params(cell, r->params);
    cell->grads = find_params(cell, r->dparams);
    double *at = reference_zeros(15 * cell->H + 2 * cell->P);
    cell->da = take(&at, 1, 4 * cell->H);
    cell->dzx = take(&at, 1, 4 * cell->H);
    cell->dzh = take(&at, 1, 4 * cell->H);
    cell->dc_new = take(&at, 1, cell->H);
    cell->dargument = take(&at, 1, cell->H);
    cell->dm = take(&at, 1, cell->H);
    cell->dh_new = take(&at, 1, cell->P);
    cell->dh_read = take(&at, 1, cell->P);
}

void reference_cell_close(struct cell *cell)
{
    free(cell->da);
}

void reference_step_create(const struct shape *s, int32_t layer, struct step *t)
{
    const size_t H = (size_t)layer_hidden(s, layer), P = (size_t)layer_recurrent(s, layer);
    double *at = t->numbers = reference_zeros(20 * H + 6 * P);
    t->zx = take(&at, 1, 4 * H);
    t->zh = take(&at, 1, 4 * H);
    double **const units[] = {&t->c,        &t->i,         &t->j,        &t->f,
                              &t->o,        &t->j_factors, &t->c_normal, &t->c_new,
                              &t->squashed, &t->m,         &t->c_kept,   &t->c_next};
    for (size_t k = 0; k < sizeof units / sizeof units[0]; k++)
        *units[k] = take(&at, 1, H);
    double **const outputs[] = {&t->h,     &t->h_factors, &t->h_read,
                                &t->h_new, &t->h_kept,    &t->h_next};
    for (size_t k = 0; k < sizeof outputs / sizeof outputs[0]; k++)
        *outputs[k] = take(&at, 1, P);
}

static void draw_masks(const struct cell *cell, struct step *t, struct place at)
{
    const struct shape *s = &cell->r->shape;
    const struct layer_options *o = cell->options;
    const int candidate = o->recurrent_what == MLSTM_DROP_CANDIDATE;
    reference_dropout(s, at, MASK_RECURRENT, candidate ? 0 : o->recurrent_dropout,
                      o->recurrent_mask, t->h_factors, cell->P);
    reference_dropout(s, at, MASK_RECURRENT, candidate ? o->recurrent_dropout : 0,
                      o->recurrent_mask, t->j_factors, cell->H);
    reference_zoneout(s, at, MASK_ZONEOUT_C, o->zoneout_c, t->c_kept, cell->H);
    reference_zoneout(s, at, MASK_ZONEOUT_H, o->zoneout_h, t->h_kept, cell->P);
}

/* zx = x~ @ kernel_x, zh = h~ @ kernel_h; zx holds both where they are normalised together. */
static void products(const struct cell *cell, struct step *t)
{
    const size_t I = cell->I, H = cell->H, P = cell->P;
    const float epsilon = cell->options->epsilon;
    for (size_t k = 0; k < P; k++)
        t->h_read[k] = t->h[k] * t->h_factors[k];
    memset(t->zx, 0, 4 * H * sizeof(double));
    memset(t->zh, 0, 4 * H * sizeof(double));
    reference_multiply(t->x, cell->params.kernel, I, 4 * H, t->zx);
    reference_multiply(t->h_read, cell->params.kernel + I * 4 * H, P, 4 * H, t->zh);
    if (cell->options->norm == MLSTM_NORM_GATES) {
        for (size_t n = 0; n < 4 * H; n++)
            t->zx[n] += t->zh[n];
        for (size_t gate = 0; gate < 4; gate++)
            t->zx_scales[gate] = reference_normalise(t->zx + gate * H, H, epsilon);
    }
    if (cell->options->norm == MLSTM_NORM_PRODUCTS) {
        t->zx_scales[0] = reference_normalise(t->zx, 4 * H, epsilon);
        t->zh_scale = reference_normalise(t->zh, 4 * H, epsilon);
    }
}

/* From da to the kernel, its x and h, and what is added to or multiplied with the products. */
static void products_back(const struct cell *cell, const struct step *t, double *dh, double *dx)
{
    const size_t I = cell->I, H = cell->H, P = cell->P;
    const struct cell_params *p = &cell->params, *d = &cell->grads;
    for (size_t n = 0; n < 4 * H; n++) {
        cell->dzx[n] = cell->da[n] * (p->x_gain ? p->x_gain[n] : 1);
        cell->dzh[n] = cell->da[n] * (p->h_gain ? p->h_gain[n] : 1);
        if (p->x_gain)
            d->x_gain[n] += cell->da[n] * t->zx[n];
        if (p->h_gain)
            d->h_gain[n] += cell->da[n] * t->zh[n];
        if (p->bias)
            d->bias[n] += cell->da[n];
        if (p->bias_h)
            d->bias_h[n] += cell->da[n];
    }
    if (cell->options->norm == MLSTM_NORM_GATES) {
        for (size_t gate = 0; gate < 4; gate++)
            reference_normalise_back(t->zx + gate * H, t->zx_scales[gate], cell->dzx + gate * H, H);
        memcpy(cell->dzh, cell->dzx, 4 * H * sizeof(double));
    }
    if (cell->options->norm == MLSTM_NORM_PRODUCTS) {
        reference_normalise_back(t->zx, t->zx_scales[0], cell->dzx, 4 * H);
        reference_normalise_back(t->zh, t->zh_scale, cell->dzh, 4 * H);
    }
    memset(cell->dh_read, 0, P * sizeof(double));
    reference_multiply_back(t->x, p->kernel, I, 4 * H, cell->dzx, d->kernel, dx);
    reference_multiply_back(t->h_read, p->kernel + I * 4 * H, P, 4 * H, cell->dzh,
                            d->kernel + I * 4 * H, cell->dh_read);
    for (size_t k = 0; k < P; k++)
        dh[k] += cell->dh_read[k] * t->h_factors[k];
}

/* Element n of a: the sum that a gate's function gets, but for peepholes and the forget bias. */
static double preactivation(const struct cell *cell, const struct step *t, size_t n)
{
    const struct cell_params *p = &cell->params;
    double a;
    if (cell->options->norm == MLSTM_NORM_PRODUCTS)
        a = t->zx[n] * p->x_gain[n] + t->zh[n] * p->h_gain[n];
    else if (cell->options->norm == MLSTM_NORM_GATES)
        a = t->zx[n] * p->x_gain[n];
    else
        a = t->zx[n] + t->zh[n];
    return a + (p->bias ? p->bias[n] : 0) + (p->bias_h ? p->bias_h[n] : 0);
}

static double clip(struct reference *r, double v, float limit)
{
    if (limit == 0)
        return v;
    r->nearest_clip = fmin(r->nearest_clip, fabs(fabs(v) - (double)limit));
    r->clipped += fabs(v) >= (double)limit;
    return fmax(-(double)limit, fmin(v, (double)limit));
}

static bool was_clipped(double v, float limit)
{
    return limit != 0 && fabs(v) >= (double)limit;
}

/* i, f, j and with them c~, which o then sees. */
static void gates(struct cell *cell, struct step *t)
{
    const struct layer_options *o = cell->options;
    const struct cell_params *p = &cell->params;
    const size_t H = cell->H;
    const double forget_bias = (double)layer_forget_bias(&cell->r->shape, cell->layer);
    for (size_t u = 0; u < H; u++) {
        const double see_i = o->peepholes ? p->peephole_i[u] * t->c[u] : 0;
        const double see_f = o->peepholes ? p->peephole_f[u] * t->c[u] : 0;
        t->i[u] = reference_sigmoid(preactivation(cell, t, u) + see_i);
        t->j[u] = tanh(preactivation(cell, t, H + u));
        t->f[u] = o->coupled
                      ? 1 - t->i[u]
                      : reference_sigmoid(preactivation(cell, t, 2 * H + u) + see_f + forget_bias);
        t->c_new[u] = t->c[u] * t->f[u] + t->i[u] * t->j[u] * t->j_factors[u];
    }
    if (o->norm == MLSTM_NORM_GATES) {
        memcpy(t->c_normal, t->c_new, H * sizeof(double));
        t->c_scale = reference_normalise(t->c_normal, H, o->epsilon);
        for (size_t u = 0; u < H; u++)
            t->c_new[u] = t->c_normal[u] * p->c_gain[u] + p->c_shift[u];
    }
    for (size_t u = 0; u < H; u++) {
        t->c_new[u] = clip(cell->r, t->c_new[u], o->cell_clip);
        const double see_o = o->peepholes ? p->peephole_o[u] * t->c_new[u] : 0;
        t->o[u] = reference_sigmoid(preactivation(cell, t, 3 * H + u) + see_o);
    }
}

/* From the gradient of normal(v) * c_gain + c_shift to that of v, in place. */
static void c_normal_back(const struct cell *cell, const struct step *t, double *d)
{
    for (size_t u = 0; u < cell->H; u++) {
        cell->grads.c_gain[u] += d[u] * t->c_normal[u];
        cell->grads.c_shift[u] += d[u];
        d[u] *= cell->params.c_gain[u];
    }
    reference_normalise_back(t->c_normal, t->c_scale, d, cell->H);
}

/* From dc_new, and o's part of da, to da and dc. */
static void gates_back(const struct cell *cell, const struct step *t, double *dc)
{
    const struct layer_options *o = cell->options;
    const struct cell_params *p = &cell->params, *d = &cell->grads;
    const size_t H = cell->H;
    double *da_i = cell->da, *da_j = da_i + H, *da_f = da_j + H, *da_o = da_f + H;
    double *dc_new = cell->dc_new;
    for (size_t u = 0; u < H; u++) {
        if (o->peepholes) {
            d->peephole_o[u] += da_o[u] * t->c_new[u];
            dc_new[u] += da_o[u] * p->peephole_o[u];
        }
        if (was_clipped(t->c_new[u], o->cell_clip))
            dc_new[u] = 0;
    }
    if (o->norm == MLSTM_NORM_GATES)
        c_normal_back(cell, t, dc_new);
    for (size_t u = 0; u < H; u++) {
        const double i = t->i[u], j = t->j[u], f = t->f[u], factor = t->j_factors[u];
        const double df = dc_new[u] * t->c[u];
        const double di = dc_new[u] * j * factor - (o->coupled ? df : 0);
        da_i[u] = di * i * (1 - i);
        da_j[u] = dc_new[u] * i * factor * (1 - j * j);
        da_f[u] = o->coupled ? 0 : df * f * (1 - f);
        dc[u] += dc_new[u] * f;
        if (o->peepholes) {
            d->peephole_i[u] += da_i[u] * t->c[u];
            d->peephole_f[u] += da_f[u] * t->c[u];
            dc[u] += da_i[u] * p->peephole_i[u] + da_f[u] * p->peephole_f[u];
        }
    }
}

/* h^ from c~ and o. */
static void output(struct cell *cell, struct step *t)
{
    const struct layer_options *o = cell->options;
    const struct cell_params *p = &cell->params;
    const size_t H = cell->H, P = cell->P;
    memcpy(t->squashed, t->c_new, H * sizeof(double));
    if (o->norm == MLSTM_NORM_PRODUCTS) {
        memcpy(t->c_normal, t->c_new, H * sizeof(double));
        t->c_scale = reference_normalise(t->c_normal, H, o->epsilon);
        for (size_t u = 0; u < H; u++)
            t->squashed[u] = t->c_normal[u] * p->c_gain[u] + p->c_shift[u];
    }
    for (size_t u = 0; u < H; u++) {
        t->squashed[u] = tanh(t->squashed[u]);
        t->m[u] = t->squashed[u] * t->o[u];
    }
    if (o->projection) {
        memset(t->h_new, 0, P * sizeof(double));
        reference_multiply(t->m, p->projection, H, P, t->h_new);
    } else {
        memcpy(t->h_new, t->m, H * sizeof(double));
    }
    for (size_t k = 0; k < P; k++)
        t->h_new[k] = clip(cell->r, t->h_new[k], o->projection_clip);
}

/* From dh_new to o's part of da and, added, to dc_new. */
static void output_back(const struct cell *cell, const struct step *t)
{
    const struct layer_options *o = cell->options;
    const size_t H = cell->H, P = cell->P;
    for (size_t k = 0; k < P; k++)
        if (was_clipped(t->h_new[k], o->projection_clip))
            cell->dh_new[k] = 0;
    if (o->projection) {
        memset(cell->dm, 0, H * sizeof(double));
        reference_multiply_back(t->m, cell->params.projection, H, P, cell->dh_new,
                                cell->grads.projection, cell->dm);
    } else {
        memcpy(cell->dm, cell->dh_new, H * sizeof(double));
    }
    for (size_t u = 0; u < H; u++) {
        const double gate = t->o[u], squashed = t->squashed[u];
        cell->da[3 * H + u] = cell->dm[u] * squashed * gate * (1 - gate);
        cell->dargument[u] = cell->dm[u] * gate * (1 - squashed * squashed);
    }
    if (o->norm == MLSTM_NORM_PRODUCTS)
        c_normal_back(cell, t, cell->dargument);
    for (size_t u = 0; u < H; u++)
        cell->dc_new[u] += cell->dargument[u];
}

void reference_step_forward(struct cell *cell, struct step *t, struct place at)
{
    draw_masks(cell, t, at);
    products(cell, t);
    gates(cell, t);
    output(cell, t);
    for (size_t u = 0; u < cell->H; u++)
        t->c_next[u] = t->c_kept[u] * t->c[u] + (1 - t->c_kept[u]) * t->c_new[u];
    for (size_t k = 0; k < cell->P; k++)
        t->h_next[k] = t->h_kept[k] * t->h[k] + (1 - t->h_kept[k]) * t->h_new[k];
}

void reference_step_backward(struct cell *cell, const struct step *t, double *dc, double *dh,
                             double *dx)
{
    for (size_t u = 0; u < cell->H; u++) {
        cell->dc_new[u] = (1 - t->c_kept[u]) * dc[u];
        dc[u] *= t->c_kept[u];
    }
    for (size_t k = 0; k < cell->P; k++) {
        cell->dh_new[k] = (1 - t->h_kept[k]) * dh[k];
        dh[k] *= t->h_kept[k];
    }
    output_back(cell, t);
    gates_back(cell, t, dc);
    products_back(cell, t, dh, dx);
}
