/* SPDX-License-Identifier: MIT */

/*
 * The echo task's iteration, I1 H4 L3 B5 T15 O2, in a page of C for this shape and AVX-512 alone: the
 * yardstick for the library's general kernels. A vector is [i4 j4 f4 o4] of one row of the batch, and a
 * step goes through the layers one after the other, as calls of a step have to.
 */

#include "echo_by_hand.h"

#include <immintrin.h>

#include <math.h>
#include <string.h>

enum { J = 0x00F0, F = 0x0F00, O = 0xF000 }; /* lanes of a gate */

typedef __m512 vec;
typedef __m128 quarter;

/* Rows of a layer: bias, four inputs, four of h; the bottom layer leaves three inputs 0. */
static struct layer {
    vec param[9], slot[9], grad[9], back_x[4], back_h[4];
} layers[L];
/* The difference of the readout's columns: c and h of a unit, and the bias; with what goes along. */
static quarter readout[2], readout_slot[2], readout_grad[2];
static float bias, bias_slot, bias_grad;
static quarter c[T + 1][L][B], h[T + 1][L][B], x[T][L][B], tanh_c[T][L][B];
static vec gates[T][L][B], dgates[T][L][B]; /* activated; gradients before that */
static float logit[80], slope[80];

static inline vec set(float v)
{
    return _mm512_set1_ps(v);
}
static inline vec wide(quarter v)
{
    return _mm512_broadcast_f32x4(v);
}
#define FMA _mm512_fmadd_ps
#define QUARTER _mm512_extractf32x4_ps
#define LANE(v, k) _mm512_permute_ps(v, (k)*0x55)

/* 1 / (1 + exp(-v)) */
static inline vec logistic(vec v)
{
    vec y = _mm512_mul_ps(v, set(-1.44269504f)), r = _mm512_reduce_ps(y, 8),
        p = set(1.33335581e-3f);
    p = FMA(FMA(p, r, set(9.61812911e-3f)), r, set(5.55041087e-2f));
    p = FMA(FMA(FMA(p, r, set(2.40226507e-1f)), r, set(6.93147181e-1f)), r, set(1));
    p = _mm512_scalef_ps(p, _mm512_sub_ps(y, r));
    return _mm512_div_ps(set(1), _mm512_add_ps(set(1), p));
}

static void forward(int t, int l, const float *input)
{
    const struct layer *p = &layers[l];
    for (int b = 0; b < B; b++) {
        const float *in = (float *)&x[t][l][b], *was = (float *)&h[t][l][b];
        x[t][l][b] = l ? h[t + 1][l - 1][b] : _mm_set_ss(input[t * B + b]);
        vec z = _mm512_mask_add_ps(p->param[0], F, p->param[0], set(1)), r = _mm512_setzero_ps();
        for (int k = 0; k < (l ? 4 : 1); k++)
            z = FMA(set(in[k]), p->param[1 + k], z);
        for (int k = 0; k < 4; k++)
            r = FMA(set(was[k]), p->param[5 + k], r);
        z = _mm512_add_ps(z, r);
        vec a = logistic(_mm512_mask_add_ps(z, J, z, z));
        a = gates[t][l][b] = _mm512_mask_sub_ps(a, J, _mm512_add_ps(a, a), set(1));
        c[t + 1][l][b] =
            _mm_fmadd_ps(c[t][l][b], QUARTER(a, 2), _mm_mul_ps(QUARTER(a, 0), QUARTER(a, 1)));
    }
    for (int b = 0; b < B; b++) {
        vec s = wide(c[t + 1][l][b]);
        s = logistic(_mm512_add_ps(s, s));
        tanh_c[t][l][b] = QUARTER(_mm512_sub_ps(_mm512_add_ps(s, s), set(1)), 0);
        h[t + 1][l][b] = _mm_mul_ps(tanh_c[t][l][b], QUARTER(gates[t][l][b], 3));
    }
}

static float sum(quarter v)
{
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
}

/* Of two classes, by the difference of their logits. */
static float cross_entropy(const int32_t *labels)
{
    float exponent = 0;
    vec mantissa = set(1);
    for (int n = 0; n < T * B; n++)
        logit[n] = bias + sum(_mm_fmadd_ps(c[n / B + 1][L - 1][n % B], readout[0],
                                           _mm_mul_ps(h[n / B + 1][L - 1][n % B], readout[1])));
    for (int n = 0; n < T * B; n += 16) {
        __mmask16 valid = n + 16 <= T * B ? 0xFFFF : (1 << (T * B - n)) - 1;
        vec y = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(valid, labels + n));
        vec p = logistic(_mm512_loadu_ps(logit + n));
        vec wrong = _mm512_sub_ps(p, y), right = _mm512_sub_ps(set(1), _mm512_abs_ps(wrong));
        _mm512_storeu_ps(slope + n, _mm512_mul_ps(wrong, set(1.0f / (T * B))));
        exponent += _mm512_mask_reduce_add_ps(valid, _mm512_getexp_ps(right));
        mantissa = _mm512_mask_mul_ps(mantissa, valid, mantissa, _mm512_getmant_ps(right, 0, 0));
    }
    return (exponent + log2f(_mm512_reduce_mul_ps(mantissa))) * -0.693147181f / (T * B);
}

/* The gates' gradients by what is transposed. */
static inline quarter fold(vec g, const vec *back)
{
    vec s = _mm512_add_ps(FMA(LANE(g, 0), back[0], _mm512_mul_ps(LANE(g, 1), back[1])),
                          FMA(LANE(g, 2), back[2], _mm512_mul_ps(LANE(g, 3), back[3])));
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

static void backward(int t, int l, quarter *dh, quarter *dc, quarter *down)
{
    for (int b = 0; b < B; b++) {
        vec a = gates[t][l][b], one = set(1);
        quarter tc = tanh_c[t][l][b], top = dh[b];
        if (l == L - 1) {
            quarter s = _mm_set1_ps(slope[t * B + b]);
            readout_grad[0] = _mm_fmadd_ps(s, c[t + 1][l][b], readout_grad[0]);
            readout_grad[1] = _mm_fmadd_ps(s, h[t + 1][l][b], readout_grad[1]);
            bias_grad += slope[t * B + b];
            top = _mm_fmadd_ps(s, readout[1], top);
            dc[b] = _mm_fmadd_ps(s, readout[0], dc[b]);
        } else {
            top = _mm_add_ps(top, down[b]);
        }
        quarter dho = _mm_mul_ps(top, QUARTER(a, 3));
        dc[b] = _mm_fmadd_ps(dho, _mm_fnmadd_ps(tc, tc, _mm_set1_ps(1)), dc[b]);
        vec g = _mm512_mask_mov_ps(wide(dc[b]), O, wide(top));
        vec other = _mm512_shuffle_f32x4(a, a, 0x01);
        other = _mm512_insertf32x4(_mm512_insertf32x4(other, c[t][l][b], 2), tc, 3);
        g = _mm512_mul_ps(
            g, _mm512_mul_ps(other, _mm512_fnmadd_ps(a, a, _mm512_mask_mov_ps(a, J, one))));
        dgates[t][l][b] = g;
        dc[b] = _mm_mul_ps(dc[b], QUARTER(a, 2));
        dh[b] = fold(g, layers[l].back_h);
        if (l)
            down[b] = fold(g, layers[l].back_x);
    }
}

static void kernel_grad(int l)
{
    vec s[9];
    for (int k = 0; k < 9; k++)
        s[k] = _mm512_setzero_ps();
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++) {
            vec g = dgates[t][l][b];
            s[0] = _mm512_add_ps(s[0], g);
            for (int k = 0; k < 4; k++)
                s[1 + k] = FMA(set(((float *)&x[t][l][b])[k]), g, s[1 + k]);
            for (int k = 0; k < 4; k++)
                s[5 + k] = FMA(set(((float *)&h[t][l][b])[k]), g, s[5 + k]);
        }
    memcpy(layers[l].grad, s, sizeof s);
}

/* Four rows [i4 j4 f4 o4] so that back[u] holds unit u of each gate for each row. */
static void turn(const vec *w, vec *back)
{
    vec a = _mm512_unpacklo_ps(w[0], w[1]), b = _mm512_unpackhi_ps(w[0], w[1]);
    vec c = _mm512_unpacklo_ps(w[2], w[3]), d = _mm512_unpackhi_ps(w[2], w[3]);
    back[0] = _mm512_shuffle_ps(a, c, 0x44);
    back[1] = _mm512_shuffle_ps(a, c, 0xEE);
    back[2] = _mm512_shuffle_ps(b, d, 0x44);
    back[3] = _mm512_shuffle_ps(b, d, 0xEE);
}

static void update(void)
{
    for (int l = 0; l < L; l++) {
        struct layer *p = &layers[l];
        for (int k = 0; k < 9; k++) {
            p->slot[k] = FMA(p->grad[k], p->grad[k], p->slot[k]);
            vec step =
                _mm512_div_ps(_mm512_mul_ps(p->grad[k], set(0.3f)), _mm512_sqrt_ps(p->slot[k]));
            p->param[k] = _mm512_sub_ps(p->param[k], step);
        }
        turn(p->param + 1, p->back_x);
        turn(p->param + 5, p->back_h);
    }
    /* Both columns of the readout move as far, away from each other. */
    for (int n = 0; n < 2; n++) {
        readout_slot[n] = _mm_fmadd_ps(readout_grad[n], readout_grad[n], readout_slot[n]);
        quarter step = _mm_div_ps(_mm_mul_ps(readout_grad[n], _mm_set1_ps(0.6f)),
                                  _mm_sqrt_ps(readout_slot[n]));
        readout[n] = _mm_sub_ps(readout[n], step);
    }
    bias_slot += bias_grad * bias_grad;
    bias -= 0.6f * bias_grad / sqrtf(bias_slot);
}

float echo_iterate(const float *input, const int32_t *labels, bool goes_on)
{
    quarter dh[L][B], dc[L][B], down[B];
    if (goes_on) {
        memcpy(c[0], c[T], sizeof c[0]);
        memcpy(h[0], h[T], sizeof h[0]);
    } else {
        memset(c[0], 0, sizeof c[0]);
        memset(h[0], 0, sizeof h[0]);
    }
    for (int t = 0; t < T; t++)
        for (int l = 0; l < L; l++)
            forward(t, l, input);
    const float loss = cross_entropy(labels);
    memset(dh, 0, sizeof dh);
    memset(dc, 0, sizeof dc);
    readout_grad[0] = readout_grad[1] = _mm_setzero_ps();
    bias_grad = 0;
    for (int t = T - 1; t >= 0; t--)
        for (int l = L - 1; l >= 0; l--)
            backward(t, l, dh[l], dc[l], down);
    for (int l = 0; l < L; l++)
        kernel_grad(l);
    update();
    return loss;
}

const char *bench_name(void)
{
    return "one page";
}

void echo_begin(const bench_work *work)
{
    for (int l = 0; l < L; l++) {
        struct layer *p = &layers[l];
        memset(p, 0, sizeof *p);
        int in = l ? 4 : 1;
        memcpy(&p->param[0], work->bias[l], sizeof(vec));
        memcpy(&p->param[1], work->kernel[l], (size_t)in * sizeof(vec));
        memcpy(&p->param[5], work->kernel[l] + 16 * in, 4 * sizeof(vec));
        for (int k = 0; k < 9; k++)
            p->slot[k] = set(0.1f);
        turn(p->param + 1, p->back_x);
        turn(p->param + 5, p->back_h);
    }
    for (int u = 0; u < 4; u++) {
        ((float *)&readout[0])[u] = work->readout_c[2 * u + 1] - work->readout_c[2 * u];
        ((float *)&readout[1])[u] = work->readout_h[2 * u + 1] - work->readout_h[2 * u];
    }
    bias = work->readout_bias[1] - work->readout_bias[0];
    readout_slot[0] = readout_slot[1] = _mm_set1_ps(0.1f);
    bias_slot = 0.1f;
}
