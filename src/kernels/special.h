/* SPDX-License-Identifier: MIT */

/*
 * What a cell with options does between its products, forward and backward. It looks at whole rows,
 * as normalisation does, so rows are what threads share.
 */

#ifndef KERNELS_SPECIAL_H
#define KERNELS_SPECIAL_H

#include <stdbool.h>

#include "activation.h"
#include "kernels.h"
#include "simd.h"

/* Where the numbers of one row of a panel array begin. */
INLINE size_t panel_at(size_t panel_size, int32_t panel, int32_t row)
{
    return (size_t)panel * panel_size + (size_t)row * 4 * W;
}

INLINE vec vector_at(const struct special *s, int32_t index, int32_t panel, int32_t gate)
{
    return load(s->vectors + (size_t)panel * s->vectors_panel + (size_t)index * 4 * W + gate * W);
}

/* What a peephole adds to `a`. */
INLINE vec with_peephole(const struct special *s, int32_t panel, int32_t gate, vec a, vec c)
{
    return s->peephole < 0 ? a : a + vector_at(s, s->peephole, panel, gate) * c;
}

INLINE vec mask_at(const struct special *s, const float *mask, int32_t row, int32_t panel)
{
    return load(mask + (size_t)row * s->mask_row + (size_t)panel * W);
}

/* `gates` vectors of every panel of a row: all four, or one where the row is c. */
struct span {
    int32_t panels, gates;
    bool together;       /* the gates are normalised as one */
    size_t panel;        /* floats between panels */
    const int32_t *keep; /* of the last panel; NULL where all lanes are numbers */
    float count;         /* of the numbers that are normalised together */
};

INLINE struct span gates_span(const struct special *s)
{
    const bool together = s->gain_h >= 0;
    return (struct span){s->panels,      4,       together,
                         s->gates_panel, s->keep, (float)s->units * (together ? 4.0f : 1.0f)};
}

INLINE struct span row_span(const struct special *s)
{
    return (struct span){s->panels, 1, false, W, s->keep, (float)s->units};
}

INLINE vec keep_existing(const int32_t *keep, int32_t panels, int32_t panel, vec v)
{
    return keep && panel + 1 == panels ? keep_lanes(v, keep) : v;
}

/* Lanes change places with those `step` away. */
#define ACROSS_8(lane) ((lane) ^ 8)
#define ACROSS_4(lane) ((lane) ^ 4)
#define ACROSS_2(lane) ((lane) ^ 2)
#define ACROSS_1(lane) ((lane) ^ 1)

INLINE float add_lanes(vec v)
{
#if W >= 16
    v += SHUFFLE(v, v, LANES(ACROSS_8));
#endif
#if W >= 8
    v += SHUFFLE(v, v, LANES(ACROSS_4));
#endif
    v += SHUFFLE(v, v, LANES(ACROSS_2));
    v += SHUFFLE(v, v, LANES(ACROSS_1));
    return v[0];
}

/* From sums in each lane to the mean of all of them, for each gate or for all. */
INLINE void to_means(const struct span *n, vec sums[4])
{
    if (n->together)
        sums[0] += sums[1] + (sums[2] + sums[3]);
    for (int32_t g = 0; g < n->gates; g++)
        sums[g] = n->together && g > 0 ? sums[0] : splat(add_lanes(sums[g]) / n->count);
}

/* Means, and one over each deviation, which are kept in `scales` as well. */
INLINE void find_moments(const struct span *n, const float *in, float epsilon, vec mean[4],
                         vec scale[4], float *scales)
{
    for (int32_t g = 0; g < n->gates; g++)
        mean[g] = scale[g] = splat(0.0f);
    for (int32_t p = 0; p < n->panels; p++)
        for (int32_t g = 0; g < n->gates; g++)
            mean[g] +=
                keep_existing(n->keep, n->panels, p, load(in + (size_t)p * n->panel + g * W));
    to_means(n, mean);
    for (int32_t p = 0; p < n->panels; p++)
        for (int32_t g = 0; g < n->gates; g++) {
            const vec v = load(in + (size_t)p * n->panel + g * W) - mean[g];
            const vec d = keep_existing(n->keep, n->panels, p, v);
            scale[g] += d * d;
        }
    to_means(n, scale);
    for (int32_t g = 0; g < n->gates; g++) {
        scales[g] = 1.0f / __builtin_sqrtf(scale[g][0] + epsilon);
        scale[g] = splat(scales[g]);
    }
}

/*
 * The gradient before normalisation from the one after it, d, in place:
 *     scale * (d - mean(d) - normal * mean(d * normal))
 * The span is that of `normal`; panels of d lie elsewhere. `sum` and `along` are those of d and of
 * d * normal in each lane.
 */
INLINE void normalise_backward(const struct span *n, const float *normal, const float *scales,
                               vec sum[4], vec along[4], float *d, size_t d_panel)
{
    to_means(n, sum);
    to_means(n, along);
    for (int32_t p = 0; p < n->panels; p++)
        for (int32_t g = 0; g < n->gates; g++) {
            float *v = d + (size_t)p * d_panel + g * W;
            const vec slope = load(normal + (size_t)p * n->panel + g * W) * along[g];
            store(v, keep_existing(n->keep, n->panels, p,
                                   splat(scales[g]) * (load(v) - sum[g] - slope)));
        }
}

/* The gates' inputs of one row where all gates have one norm, each over its own units. */
INLINE void normalise_gates(const struct special *s, float *gates, float *normal, float *scales)
{
    const struct span n = gates_span(s);
    vec mean[4], scale[4];
    find_moments(&n, gates, s->epsilon, mean, scale, scales);
    for (int32_t p = 0; p < s->panels; p++)
        for (int32_t g = 0; g < 4; g++) {
            const size_t at = (size_t)p * n.panel + (size_t)(g * W);
            const vec v =
                keep_existing(s->keep, s->panels, p, (load(gates + at) - mean[g]) * scale[g]);
            store(normal + at, v);
            store(gates + at, v * vector_at(s, s->gain, p, g) +
                                  load(s->bias + (size_t)p * s->bias_panel + g * W));
        }
}

/* The same where the products with x and h have norms of their own, each over all gates. */
INLINE void normalise_products(const struct special *s, float *gates, const float *sums,
                               float *normal, float *normal_h, float *scales)
{
    const struct span x = gates_span(s);
    struct span h = x;
    vec mean_x[4], scale_x[4], mean_h[4], scale_h[4];
    h.panel = s->sums_panel;
    find_moments(&x, gates, s->epsilon, mean_x, scale_x, scales);
    find_moments(&h, sums, s->epsilon, mean_h, scale_h, scales + SCALE_H);
    for (int32_t p = 0; p < s->panels; p++)
        for (int32_t g = 0; g < 4; g++) {
            const size_t at = (size_t)p * x.panel + (size_t)(g * W);
            const vec from_h = load(sums + (size_t)p * h.panel + g * W);
            const vec v =
                keep_existing(s->keep, s->panels, p, (load(gates + at) - mean_x[g]) * scale_x[g]);
            const vec w = keep_existing(s->keep, s->panels, p, (from_h - mean_h[g]) * scale_h[g]);
            store(normal + at, v);
            store(normal_h + at, w);
            store(gates + at, v * vector_at(s, s->gain, p, g) +
                                  load(s->bias + (size_t)p * s->bias_panel + g * W) +
                                  w * vector_at(s, s->gain_h, p, g));
        }
}

/* The norms of what the gates read of one row. */
INLINE void special_norm(const struct special *s, int32_t row)
{
    const size_t begin = panel_at(0, 0, row);
    float *gates = s->gates + begin, *normal = s->normal + begin;
    float *scales = s->scales + (size_t)row * SCALES;
    if (s->gain_h >= 0)
        normalise_products(s, gates, s->sums + begin, normal, s->normal_h + begin, scales);
    else
        normalise_gates(s, gates, normal, scales);
}

/* i, j, f, and c before its norm and clip. */
INLINE void special_input(const struct special *s, int32_t row, int32_t p)
{
    float *gates = s->gates + panel_at(s->gates_panel, p, row);
    const size_t at = (size_t)row * s->row + (size_t)p * W;
    NUMBERS_HERE(k);
    const vec c = load(s->c + at);
    const vec i = vsigmoid(with_peephole(s, p, 0, load(gates), c), k);
    vec j = vtanh(load(gates + W), k);
    const vec f =
        s->coupled
            ? splat(1.0f) - i
            : vsigmoid(with_peephole(s, p, 2, load(gates + 2 * W), c) + splat(s->forget_bias), k);
    store(gates, i);
    store(gates + W, j);
    store(gates + 2 * W, f);
    if (s->drop)
        j *= mask_at(s, s->drop, row, p);
    store(s->c_new + at, multiply_add(c, f, i * j));
}

/* The new c of a row: (c - mean) / deviation. */
INLINE void normalise_c(const struct special *s, int32_t row)
{
    const struct span all = row_span(s);
    const float *c = s->c_new + (size_t)row * s->row;
    float *normal = s->normal_c + (size_t)row * s->row;
    vec mean[4], scale[4];
    find_moments(&all, c, s->epsilon, mean, scale, s->scales + (size_t)row * SCALES + SCALE_C);
    for (int32_t p = 0; p < s->panels; p++)
        store(normal + p * W,
              keep_existing(s->keep, s->panels, p, (load(c + p * W) - mean[0]) * scale[0]));
}

/* Norm and clip of the new c of a row; what tanh reads where that is something else. */
INLINE void special_settle(const struct special *s, int32_t row)
{
    const bool together = s->norm_c >= 0 && !s->norm_c_apart;
    if (together)
        normalise_c(s, row);
    for (int32_t p = 0; p < s->panels; p++) {
        const size_t at = (size_t)row * s->row + (size_t)p * W;
        vec v = load(s->c_new + at);
        if (together)
            v = load(s->normal_c + at) * vector_at(s, s->norm_c, p, 0) +
                vector_at(s, s->norm_c, p, 1);
        if (s->cell_clip > 0.0f)
            v = at_least(at_most(v, s->cell_clip), -s->cell_clip);
        store(s->c_new + at, v);
    }
    if (s->norm_c_apart)
        normalise_c(s, row);
}

/* o, tanh, the output, and c after zoneout. */
INLINE void special_output(const struct special *s, int32_t row, int32_t p)
{
    float *gates = s->gates + panel_at(s->gates_panel, p, row);
    const size_t at = (size_t)row * s->row + (size_t)p * W;
    NUMBERS_HERE(k);
    const vec c_new = load(s->c_new + at);
    const vec o = vsigmoid(with_peephole(s, p, 3, load(gates + 3 * W), c_new), k);
    const vec read = s->norm_c_apart ? load(s->normal_c + at) * vector_at(s, s->norm_c, p, 0) +
                                           vector_at(s, s->norm_c, p, 1)
                                     : c_new;
    const vec squashed = vtanh(read, k);
    store(gates + 3 * W, o);
    store(s->tanh_c + at, squashed);
    store(s->out + at, squashed * o);
    if (s->keep_c) {
        const vec keep = mask_at(s, s->keep_c, row, p);
        store(s->c_next + at, keep * load(s->c + at) + (splat(1.0f) - keep) * c_new);
    }
}

static void special_forward(const struct special *s)
{
    for (int32_t row = s->row_begin; row < s->row_end; row++) {
        if (s->gain >= 0)
            special_norm(s, row);
        for (int32_t p = 0; p < s->panels; p++)
            special_input(s, row, p);
        if (s->norm_c >= 0 || s->cell_clip > 0.0f)
            special_settle(s, row);
        for (int32_t p = 0; p < s->panels; p++)
            special_output(s, row, p);
    }
}

INLINE vec keep_units(const struct special *s, int32_t panel, vec v)
{
    return keep_existing(s->keep, s->panels, panel, v);
}

/* Where a row's gradients wait between the parts of the walk back: the places of i, j and f. */
enum { ON_NEW_C = 0, ON_READ_C = W, ON_OLD_C = 2 * W, ON_O = 3 * W };

/* Back through the output: to o, to what tanh read, and by zoneout and peephole to both c. */
INLINE void special_output_backward(const struct special_backward *b, int32_t row, int32_t p)
{
    const struct special *s = &b->forward;
    const float *gates = s->gates + panel_at(s->gates_panel, p, row);
    float *d = b->dinputs + panel_at(b->dgates_panel, p, row);
    const size_t at = (size_t)row * s->row + (size_t)p * W;
    const vec o = load(gates + 3 * W), squashed = load(s->tanh_c + at);
    const vec dout = load(b->dout + (size_t)row * b->dout_row + (size_t)p * W);
    vec dc = load(b->dc_carry + (size_t)row * b->carry_row + (size_t)p * W), dc_old = splat(0.0f);
    if (b->dc_out)
        dc += load(b->dc_out + (size_t)row * b->dc_out_row + (size_t)p * W);
    if (s->keep_c) {
        dc_old = mask_at(s, s->keep_c, row, p) * dc;
        dc -= dc_old;
    }
    const vec d_o = keep_units(s, p, dout * squashed * o * (splat(1.0f) - o));
    vec dread = dout * o * (splat(1.0f) - squashed * squashed);
    dc = with_peephole(s, p, 3, dc, d_o);
    if (s->norm_c_apart) {
        dread = keep_units(s, p, dread);
        store(b->dnormal_c + (size_t)row * b->dnormal_row + (size_t)p * W, dread);
        dread *= vector_at(s, s->norm_c, p, 0);
    } else {
        dc += dread;
    }
    store(d + ON_NEW_C, dc);
    store(d + ON_READ_C, dread);
    store(d + ON_OLD_C, dc_old);
    store(d + ON_O, d_o);
}

/* Back through the norm of c; its gradient lies in panels of gates. */
INLINE void normalise_c_backward(const struct special_backward *b, int32_t row, float *d)
{
    const struct special *s = &b->forward;
    const struct span all = row_span(s);
    const float *normal = s->normal_c + (size_t)row * s->row;
    vec sum[4] = {splat(0.0f)}, along[4] = {splat(0.0f)};
    for (int32_t p = 0; p < s->panels; p++) {
        const vec v = load(d + (size_t)p * b->dgates_panel);
        sum[0] += v;
        along[0] += v * load(normal + p * W);
    }
    normalise_backward(&all, normal, s->scales + (size_t)row * SCALES + SCALE_C, sum, along, d,
                       b->dgates_panel);
}

/* Back through clip and norm of c. */
INLINE void special_settle_backward(const struct special_backward *b, int32_t row)
{
    const struct special *s = &b->forward;
    float *d = b->dinputs + panel_at(0, 0, row);
    if (s->norm_c_apart)
        normalise_c_backward(b, row, d + ON_READ_C);
    for (int32_t p = 0; p < s->panels; p++) {
        float *dp = d + (size_t)p * b->dgates_panel;
        const size_t at = (size_t)row * s->row + (size_t)p * W;
        vec dc = load(dp + ON_NEW_C);
        if (s->norm_c_apart)
            dc += load(dp + ON_READ_C);
        if (s->cell_clip > 0.0f)
            dc = (vec)(bits(dc) & (vabs(load(s->c_new + at)) < splat(s->cell_clip)));
        if (s->norm_c >= 0 && !s->norm_c_apart) {
            dc = keep_units(s, p, dc);
            store(b->dnormal_c + (size_t)row * b->dnormal_row + (size_t)p * W, dc);
            dc *= vector_at(s, s->norm_c, p, 0);
        }
        store(dp + ON_NEW_C, dc);
    }
    if (s->norm_c >= 0 && !s->norm_c_apart)
        normalise_c_backward(b, row, d + ON_NEW_C);
}

/* Back to the inputs of i, j and f, and to c before the step. */
INLINE void special_input_backward(const struct special_backward *b, int32_t row, int32_t p)
{
    const struct special *s = &b->forward;
    const float *gates = s->gates + panel_at(s->gates_panel, p, row);
    float *d = b->dinputs + panel_at(b->dgates_panel, p, row);
    const size_t at = (size_t)row * s->row + (size_t)p * W;
    const vec one = splat(1.0f), c = load(s->c + at);
    const vec i = load(gates), j = load(gates + W), f = load(gates + 2 * W);
    const vec drop = s->drop ? mask_at(s, s->drop, row, p) : one;
    const vec dc = load(d + ON_NEW_C), df_gate = dc * c;
    const vec di_gate = dc * j * drop - (s->coupled ? df_gate : splat(0.0f));
    const vec di = keep_units(s, p, di_gate * (i * (one - i)));
    const vec dj = keep_units(s, p, dc * i * drop * (one - j * j));
    const vec df = s->coupled ? splat(0.0f) : keep_units(s, p, df_gate * (f * (one - f)));
    const vec dc_old = load(d + ON_OLD_C) + dc * f;
    const vec dc_before = with_peephole(s, p, 2, with_peephole(s, p, 0, dc_old, di), df);
    store(b->dc_carry + (size_t)row * b->carry_row + (size_t)p * W, dc_before);
    store(d, di);
    store(d + W, dj);
    store(d + 2 * W, df);
}

/* From the gradient d on the gates' inputs to that on what one of the norms read, in `to`. */
INLINE void norm_backward(const struct special_backward *b, int32_t gain, const float *normal,
                          const float *scales, const float *d, float *to)
{
    const struct special *s = &b->forward;
    const struct span n = gates_span(s);
    vec sum[4], along[4];
    for (int32_t g = 0; g < 4; g++)
        sum[g] = along[g] = splat(0.0f);
    for (int32_t p = 0; p < s->panels; p++)
        for (int32_t g = 0; g < 4; g++) {
            const size_t at = (size_t)p * b->dgates_panel + (size_t)(g * W);
            const vec given = load(d + at), v = load(normal + (size_t)p * n.panel + g * W);
            const vec scaled = given * vector_at(s, gain, p, g);
            sum[g] += scaled;
            along[g] += scaled * v;
            store(to + at, scaled);
        }
    normalise_backward(&n, normal, scales, sum, along, to, b->dgates_panel);
}

/* Back through the norms of the products. */
INLINE void special_sum_backward(const struct special_backward *b, int32_t row)
{
    const struct special *s = &b->forward;
    const size_t begin = panel_at(0, 0, row);
    const float *scales = s->scales + (size_t)row * SCALES, *d = b->dinputs + begin;
    norm_backward(b, s->gain, s->normal + begin, scales, d, b->dgates + begin);
    if (s->gain_h >= 0)
        norm_backward(b, s->gain_h, s->normal_h + begin, scales + SCALE_H, d, b->dsums + begin);
}

static void special_backward(const struct special_backward *b)
{
    const struct special *s = &b->forward;
    for (int32_t row = s->row_begin; row < s->row_end; row++) {
        for (int32_t p = 0; p < s->panels; p++)
            special_output_backward(b, row, p);
        if (s->norm_c >= 0 || s->cell_clip > 0.0f)
            special_settle_backward(b, row);
        for (int32_t p = 0; p < s->panels; p++)
            special_input_backward(b, row, p);
        if (s->gain >= 0)
            special_sum_backward(b, row);
    }
}

/* A vector's gradient in a panel. */
INLINE float *vector_gradient(const struct special_vectors *v, int32_t index, int32_t panel)
{
    return v->vectors + (size_t)panel * v->backward.forward.vectors_panel + (size_t)index * 4 * W;
}

/* Four gates' numbers of all rows, multiplied by `with` or as they are, added to `sums`. */
INLINE void add_gates(const struct special_vectors *v, int32_t panel, const float *with,
                      float *sums)
{
    const struct special_backward *b = &v->backward;
    const struct special *s = &b->forward;
    vec sum[4];
    for (int32_t g = 0; g < 4; g++)
        sum[g] = load(sums + g * W);
    for (int32_t row = s->row_begin; row < s->row_end; row++)
        for (int32_t g = 0; g < 4; g++) {
            vec d = load(b->dinputs + panel_at(b->dgates_panel, panel, row) + g * W);
            if (with)
                d *= load(with + panel_at(s->gates_panel, panel, row) + g * W);
            sum[g] += d;
        }
    for (int32_t g = 0; g < 4; g++)
        store(sums + g * W, sum[g]);
}

INLINE void add_peepholes(const struct special_vectors *v, int32_t panel)
{
    const struct special_backward *b = &v->backward;
    const struct special *s = &b->forward;
    float *sums = vector_gradient(v, s->peephole, panel);
    vec i = load(sums), f = load(sums + 2 * W), o = load(sums + 3 * W);
    for (int32_t row = s->row_begin; row < s->row_end; row++) {
        const float *d = b->dinputs + panel_at(b->dgates_panel, panel, row);
        const size_t at = (size_t)row * s->row + (size_t)panel * W;
        const vec c = keep_units(s, panel, load(s->c + at));
        i += load(d) * c;
        f += load(d + 2 * W) * c;
        o += load(d + 3 * W) * keep_units(s, panel, load(s->c_new + at));
    }
    store(sums, i);
    store(sums + 2 * W, f);
    store(sums + 3 * W, o);
}

INLINE void add_norm_c(const struct special_vectors *v, int32_t panel)
{
    const struct special_backward *b = &v->backward;
    const struct special *s = &b->forward;
    float *sums = vector_gradient(v, s->norm_c, panel);
    vec gain = load(sums), shift = load(sums + W);
    for (int32_t row = s->row_begin; row < s->row_end; row++) {
        const vec d = load(b->dnormal_c + (size_t)row * b->dnormal_row + (size_t)panel * W);
        gain += d * load(s->normal_c + (size_t)row * s->row + (size_t)panel * W);
        shift += d;
    }
    store(sums, gain);
    store(sums + W, shift);
}

static void special_vectors(const struct special_vectors *v)
{
    const struct special *s = &v->backward.forward;
    for (int32_t p = v->panel_begin; p < v->panel_end; p++) {
        if (s->peephole >= 0)
            add_peepholes(v, p);
        if (s->gain >= 0) {
            add_gates(v, p, s->normal, vector_gradient(v, s->gain, p));
            if (v->bias)
                add_gates(v, p, NULL, v->bias + (size_t)p * s->bias_panel);
        }
        if (s->gain_h >= 0)
            add_gates(v, p, s->normal_h, vector_gradient(v, s->gain_h, p));
        if (s->norm_c >= 0)
            add_norm_c(v, p);
    }
}

#endif
