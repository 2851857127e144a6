/* SPDX-License-Identifier: MIT */

/*
 * The echo task's iteration, I1 H4 L3 B5 T15 O2, written for this shape and AVX-512 alone: how fast it
 * can be where nobody wants an output before the window has ended.
 *
 * A vector holds 4 batch rows x 4 units of one gate, so gates, cell and state meet without a
 * shuffle, and x @ kernel is a broadcast inside each 128-bit group. The layers run as a wavefront:
 * at diagonal d layer l does step d - l, so the three of them are independent. Vectors 0 to 2 are
 * rows 0 to 3 of their layer; vector 3 is row 4 of all layers, a layer in each group.
 */

#include "echo_by_hand.h"

#include <immintrin.h>

#include <math.h>
#include <string.h>

#define UNSCALE -0.34657359f /* from the cell times -2 log2(e), as it is kept, to the cell */

enum { D = T + L - 1, PARAMS = 26 };

typedef __m512 vec;
/* Keeps the compiler from moving loads of weights out of a loop, to the stack. */
#define STAY() __asm__ volatile("" ::: "memory")
#define INLINE static inline __attribute__((always_inline))

static float loss;

/* Numbers of a layer's first vector; kernel rows, then the bias: [i4 j4 f4 o4] each. */
static const int first[L] = {0, 6, 15};
static vec param[PARAMS], slot[PARAMS], grad[PARAMS];

/* For the products: param scaled for exp2, transposed, and both with the layers side by side. */
static vec scaled[24], turned_in[L][4], turned_h[L][4];
static vec scaled_x[9][4], turned_in_x[16], turned_h_x[16];

/* What diagonal d - 1 left, for each vector; gate[] becomes its gradients in the backward pass. */
static struct {
    vec gate[4], c, tanh_c, h;
} at[D + 1][4];
static vec input[D][2];    /* what vectors 0 and 3 read at diagonal d */
static vec powers[2];      /* 2^(n/32) */
static vec dlogit[4];      /* [4 groups of steps][row, step] */
static float dlogit_x[16]; /* row 4 */

INLINE vec set(float value)
{
    return _mm512_set1_ps(value);
}
INLINE vec group(const float *p)
{
    return _mm512_broadcast_f32x4(_mm_load_ps(p));
}
#define PERMUTE(v, k) _mm512_permute_ps(v, (k)*0x55)
#define GROUPS(a, b, order) _mm512_shuffle_f32x4(a, b, order)
#define FMA _mm512_fmadd_ps

#ifdef __clang__
#define EACH(n, count) _Pragma("clang loop unroll(full)") for (int n = 0; n < (count); n++)
#else
#define EACH(n, count) _Pragma("GCC unroll 16") for (int n = 0; n < (count); n++)
#endif

/*
 * y = 1 / (1 + 2^y). y is a multiple of 1/32, whose powers are in a table, and a small rest.
 * Several at a time, a stage after the other: the processor looks ahead less far than one is long.
 */
INLINE void logistic2(vec *y, const int count)
{
    vec n[16], r[16], power[16];
    EACH(k, count)
        n[k] = _mm512_add_ps(y[k], set(393216));
    EACH(k, count)
        power[k] = _mm512_permutex2var_ps(powers[0], _mm512_castps_si512(n[k]), powers[1]);
    EACH(k, count)
        n[k] = _mm512_sub_ps(n[k], set(393216));
    EACH(k, count)
        r[k] = _mm512_sub_ps(y[k], n[k]);
    EACH(k, count)
        y[k] = FMA(set(0.24022651f), r[k], set(0.69315735f));
    EACH(k, count)
        r[k] = _mm512_mul_ps(r[k], power[k]);
    EACH(k, count)
        y[k] = FMA(y[k], r[k], power[k]);
    EACH(k, count)
        y[k] = _mm512_add_ps(set(1), _mm512_scalef_ps(y[k], n[k]));
    EACH(k, count)
        y[k] = _mm512_div_ps(set(1), y[k]);
}

INLINE vec permute(vec v, int unit)
{
    return unit == 0   ? PERMUTE(v, 0)
           : unit == 1 ? PERMUTE(v, 1)
           : unit == 2 ? PERMUTE(v, 2)
                       : PERMUTE(v, 3);
}

INLINE vec scaled_row(const int v, int row, int g)
{
    return v == 3 ? scaled_x[row][g] : group((const float *)&scaled[first[v] + row] + 4 * g);
}

/* What the gates get, as exponents; in chains of two, to be short. */
INLINE void product(const int v, vec in, vec h, vec *y)
{
    const int in_rows = v ? 4 : 1;
    vec z[2][4];
    EACH(g, 4)
        y[g] = FMA(v ? permute(in, 0) : in, scaled_row(v, 0, g), scaled_row(v, in_rows + 4, g));
    if (v)
        EACH(k, 3)
            EACH(g, 4)
                y[g] = FMA(permute(in, k + 1), scaled_row(v, k + 1, g), y[g]);
    EACH(k, 2)
        EACH(g, 4)
            z[k][g] = _mm512_mul_ps(permute(h, k), scaled_row(v, in_rows + k, g));
    EACH(k, 2)
        EACH(g, 4)
            z[k][g] = FMA(permute(h, k + 2), scaled_row(v, in_rows + k + 2, g), z[k][g]);
    EACH(g, 4)
        y[g] = _mm512_add_ps(y[g], _mm512_add_ps(z[0][g], z[1][g]));
}

/* All four vectors at diagonal d; the cell is kept as tanh's exponent wants it. */
INLINE void cells(int d, const vec *in, vec *h, vec *c, const __mmask16 *active)
{
    vec y[4][4], half[4];
    EACH(n, 4)
        product(n, in[n], h[n], y[n]);
    EACH(n, 4)
        logistic2(y[n], 4);
    EACH(n, 4) {
        vec j2 = _mm512_add_ps(y[n][1], y[n][1]);
        vec scaled_i = _mm512_mul_ps(y[n][0], set(-2.88539008f));
        vec new_c = FMA(scaled_i, j2, _mm512_fmsub_ps(y[n][2], c[n], scaled_i));
        half[n] = c[n] = active ? _mm512_mask_mov_ps(c[n], active[n], new_c) : new_c;
        at[d + 1][n].gate[0] = y[n][0];
        at[d + 1][n].gate[1] = _mm512_sub_ps(j2, set(1));
        at[d + 1][n].gate[2] = y[n][2];
        at[d + 1][n].gate[3] = y[n][3];
        at[d + 1][n].c = c[n];
    }
    logistic2(half, 4);
    EACH(n, 4) {
        vec o = y[n][3], new_h = _mm512_fmsub_ps(_mm512_add_ps(o, o), half[n], o);
        at[d + 1][n].tanh_c = _mm512_sub_ps(_mm512_add_ps(half[n], half[n]), set(1));
        h[n] = active ? _mm512_mask_mov_ps(h[n], active[n], new_h) : new_h;
        at[d + 1][n].h = h[n];
    }
}

/* Lanes of a vector that have a step at diagonal d. */
INLINE __mmask16 active_lanes(int d, int v)
{
    int layer[3] = {d < T, d >= 1 && d <= T, d >= 2};
    return (__mmask16)(v < 3 ? -layer[v] : layer[0] * 0xF | layer[1] * 0xF0 | layer[2] * 0xF00);
}

INLINE void diagonal(int d, const float *x, vec *h, vec *c, const __mmask16 *active)
{
    const __m512i spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    vec rows = _mm512_castps128_ps512(_mm_loadu_ps(x));
    vec in[4] = {_mm512_permutexvar_ps(spread, rows), h[0], h[1]};
    in[3] = _mm512_mask_mov_ps(GROUPS(h[3], h[3], 0x90), 0xF, set(x[4]));
    STAY();
    cells(d, in, h, c, active);
    input[d][0] = in[0];
    input[d][1] = in[3];
}

/* At the first and last diagonals not all layers have a step. */
static __attribute__((noinline)) void edge(int d, const float *x, vec *h, vec *c)
{
    const __mmask16 active[4] = {active_lanes(d, 0), active_lanes(d, 1), active_lanes(d, 2),
                                 active_lanes(d, 3)};
    diagonal(d, x, h, c, active);
}

INLINE void forward(const float *x)
{
    vec h[4], c[4];
    EACH(v, 4)
        h[v] = at[0][v].h;
    EACH(v, 4)
        c[v] = at[0][v].c;
    for (int d = 0; d < 2; d++)
        edge(d, x + d * B, h, c);
    for (int d = 2; d < T; d++)
        diagonal(d, x + d * B, h, c, NULL);
    for (int d = T; d < D; d++)
        edge(d, x + (T - 1) * B, h, c);
}

/* Sums over the four groups, everywhere. */
INLINE vec over_groups(vec v)
{
    v = _mm512_add_ps(v, GROUPS(v, v, 0x4E));
    return _mm512_add_ps(v, GROUPS(v, v, 0xB1));
}

/* Difference of the readout's two columns, for c or h, in every group. */
INLINE vec readout_difference(int from)
{
    const __m512i even = _mm512_set4_epi32(6, 4, 2, 0), by = _mm512_set1_epi32(8 * from);
    vec w = param[24], zero = _mm512_permutexvar_ps(_mm512_add_epi32(even, by), w);
    const __m512i odd = _mm512_set4_epi32(7, 5, 3, 1);
    return _mm512_sub_ps(_mm512_permutexvar_ps(_mm512_add_epi32(odd, by), w), zero);
}

INLINE vec over_units(vec v)
{
    v = _mm512_add_ps(v, _mm512_permute_ps(v, 0xB1));
    return _mm512_add_ps(v, _mm512_permute_ps(v, 0x4E));
}

/* Two classes: softmax is the logistic function of the difference of the logits. */
INLINE vec softmax(vec difference, vec wrong_sign, __mmask16 valid, vec *mantissa, vec *exponent)
{
    vec y = _mm512_mul_ps(_mm512_mul_ps(difference, wrong_sign), set(1.44269504f));
    vec right = y;
    logistic2(&right, 1);
    right = _mm512_mask_mov_ps(set(1), valid, right);
    vec wrong = _mm512_sub_ps(set(1), right);
    *exponent = _mm512_add_ps(*exponent, _mm512_getexp_ps(right));
    *mantissa = _mm512_mul_ps(*mantissa, _mm512_getmant_ps(right, 0, 0));
    return _mm512_mul_ps(_mm512_mul_ps(wrong, wrong_sign), set(1.0f / (T * B)));
}

INLINE vec log2_of(vec x)
{
    vec m = _mm512_getmant_ps(x, 3, 0); /* 0.75 to 1.5 */
    vec e = _mm512_getexp_ps(_mm512_div_ps(x, m));
    vec t = _mm512_div_ps(_mm512_sub_ps(m, set(1)), _mm512_add_ps(m, set(1)));
    vec s = _mm512_mul_ps(t, t), p = FMA(s, set(0.32059890f), set(0.41219858f));
    p = FMA(p, s, set(0.57707802f));
    p = FMA(p, s, set(0.96179669f));
    p = FMA(p, s, set(2.88539008f));
    return FMA(p, t, e);
}

INLINE void loss_and_gradient(const int32_t *labels)
{
    vec wc = _mm512_mul_ps(readout_difference(0), set(UNSCALE)), wh = readout_difference(1);
    vec bias = set(((float *)&param[25])[1] - ((float *)&param[25])[0]);
    vec z[4] = {bias, bias, bias, bias}, sign[4];
    float z_x[16] = {0}, sign_x[16] = {0};
    for (int t = 0; t < T; t++) {
        __mmask16 lanes = (__mmask16)(0x1111 << t % 4);
        vec sum = FMA(at[t + 3][2].h, wh, _mm512_mul_ps(at[t + 3][2].c, wc));
        vec sum_x = FMA(at[t + 3][3].h, wh, _mm512_mul_ps(at[t + 3][3].c, wc));
        z[t / 4] = _mm512_mask_add_ps(z[t / 4], lanes, over_units(sum), bias);
        _mm_store_ss(&z_x[t], _mm512_extractf32x4_ps(_mm512_add_ps(over_units(sum_x), bias), 2));
        const __m512i spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
        __m512i label = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(labels + t * B)));
        vec y = _mm512_cvtepi32_ps(_mm512_permutexvar_epi32(spread, label));
        sign[t / 4] = t % 4 ? _mm512_mask_mov_ps(sign[t / 4], lanes, y) : y;
        sign_x[t] = (float)labels[t * B + 4];
    }
    vec mantissa = set(1), exponent = set(0);
    for (int n = 0; n < 4; n++)
        dlogit[n] = softmax(z[n], FMA(sign[n], set(-2), set(1)), n < 3 ? 0xFFFF : 0x7777, &mantissa,
                            &exponent);
    vec last = FMA(_mm512_loadu_ps(sign_x), set(-2), set(1));
    last = softmax(_mm512_loadu_ps(z_x), last, 0x7FFF, &mantissa, &exponent);
    _mm512_storeu_ps(dlogit_x, last);
    loss = _mm512_reduce_add_ps(_mm512_add_ps(exponent, log2_of(mantissa)));
    loss *= -0.693147181f / (T * B);
}

/* Gates' gradients in place; gives what goes down to h of the layer below, and back to h and c. */
INLINE void cell_back(int d, const int v, vec *dh, vec *dc, vec *down, __mmask16 active)
{
    vec *gate = at[d + 1][v].gate, one = set(1);
    vec i = gate[0], j = gate[1], f = gate[2], o = gate[3], tanh_c = at[d + 1][v].tanh_c;
    vec a[4], dh_o = _mm512_mul_ps(*dh, o);
    *dc = FMA(dh_o, _mm512_fnmadd_ps(tanh_c, tanh_c, one), *dc);
    a[0] = _mm512_mul_ps(*dc, _mm512_mul_ps(j, _mm512_fnmadd_ps(i, i, i)));
    a[1] = _mm512_mul_ps(*dc, _mm512_mul_ps(i, _mm512_fnmadd_ps(j, j, one)));
    a[2] = _mm512_mul_ps(
        *dc, _mm512_mul_ps(at[d][v].c, _mm512_mul_ps(set(UNSCALE), _mm512_fnmadd_ps(f, f, f))));
    a[3] = _mm512_mul_ps(dh_o, _mm512_fnmadd_ps(tanh_c, o, tanh_c));
    *dc = _mm512_mul_ps(*dc, f);
    vec to_h[4], to_in[4];
    EACH(g, 4) {
        if (v == 3)
            a[g] = _mm512_maskz_mov_ps(active, a[g]);
        gate[g] = a[g];
        to_h[g] = to_in[g] = set(0);
        EACH(u, 4) {
            vec b = u == 0   ? PERMUTE(a[g], 0)
                    : u == 1 ? PERMUTE(a[g], 1)
                    : u == 2 ? PERMUTE(a[g], 2)
                             : PERMUTE(a[g], 3);
            vec w = v == 3 ? turned_h_x[4 * u + g] : group((float *)&turned_h[v][u] + 4 * g);
            to_h[g] = FMA(b, w, to_h[g]);
            if (v == 0)
                continue;
            w = v == 3 ? turned_in_x[4 * u + g] : group((float *)&turned_in[v][u] + 4 * g);
            to_in[g] = FMA(b, w, to_in[g]);
        }
    }
    *dh = _mm512_add_ps(_mm512_add_ps(to_h[0], to_h[1]), _mm512_add_ps(to_h[2], to_h[3]));
    *down = _mm512_add_ps(_mm512_add_ps(to_in[0], to_in[1]), _mm512_add_ps(to_in[2], to_in[3]));
}

INLINE void readout_grad(vec dc, vec dh, vec db)
{
    const __m512i twice = _mm512_set_epi32(3, 3, 2, 2, 1, 1, 0, 0, 3, 3, 2, 2, 1, 1, 0, 0);
    vec both = _mm512_mask_mov_ps(over_groups(dc), 0xFF00, over_groups(dh));
    both = _mm512_permutexvar_ps(_mm512_add_epi32(twice, _mm512_maskz_set1_epi32(0xFF00, 8)), both);
    grad[24] = _mm512_mask_sub_ps(both, 0x5555, set(0), both);
    grad[25] = _mm512_mask_sub_ps(over_groups(db), 0x5555, set(0), over_groups(db));
}

INLINE void backward(void)
{
    vec wc = readout_difference(0), wh = readout_difference(1), zero = set(0);
    vec dh[4] = {zero, zero, zero, zero}, dc[4] = {zero, zero, zero, zero};
    vec down[4] = {zero, zero, zero, zero}, grad_c = zero, grad_h = zero, grad_b = zero;
    for (int d = D - 1; d >= 0; d--) {
        STAY();
        dh[0] = _mm512_add_ps(dh[0], down[1]);
        dh[1] = _mm512_add_ps(dh[1], down[2]);
        dh[3] = _mm512_add_ps(dh[3], _mm512_maskz_shuffle_f32x4(0xFF, down[3], down[3], 0x39));
        int t = d - 2;
        if (t >= 0) {
            vec of = _mm512_permutevar_ps(dlogit[t / 4], _mm512_set1_epi32(t % 4));
            vec of_x = _mm512_maskz_mov_ps(0xF00, set(dlogit_x[t]));
            dh[2] = FMA(of, wh, dh[2]);
            dc[2] = FMA(of, wc, dc[2]);
            dh[3] = FMA(of_x, wh, dh[3]);
            dc[3] = FMA(of_x, wc, dc[3]);
            grad_c = FMA(of, at[d + 1][2].c, FMA(of_x, at[d + 1][3].c, grad_c));
            grad_h = FMA(of, at[d + 1][2].h, FMA(of_x, at[d + 1][3].h, grad_h));
            grad_b = _mm512_add_ps(grad_b, _mm512_add_ps(of, of_x));
            cell_back(d, 2, &dh[2], &dc[2], &down[2], 0);
        }
        if (d >= 1 && d <= T)
            cell_back(d, 1, &dh[1], &dc[1], &down[1], 0);
        if (d < T)
            cell_back(d, 0, &dh[0], &dc[0], &down[0], 0);
        cell_back(d, 3, &dh[3], &dc[3], &down[3], active_lanes(d, 3));
    }
    readout_grad(_mm512_mul_ps(grad_c, set(UNSCALE)), grad_h, grad_b);
}

/* Four vectors, one for each gate, into a row of the kernel: the groups are summed up. */
INLINE vec sum_groups(const vec *a)
{
    vec ij = _mm512_add_ps(GROUPS(a[0], a[1], 0x44), GROUPS(a[0], a[1], 0xEE));
    vec fo = _mm512_add_ps(GROUPS(a[2], a[3], 0x44), GROUPS(a[2], a[3], 0xEE));
    return _mm512_add_ps(GROUPS(ij, fo, 0x88), GROUPS(ij, fo, 0xDD));
}

/* ... or stay apart: group n goes to to[n]. */
INLINE void split_groups(const vec *a, vec *to)
{
    vec ij0 = GROUPS(a[0], a[1], 0x44), fo0 = GROUPS(a[2], a[3], 0x44);
    vec ij1 = GROUPS(a[0], a[1], 0xEE), fo1 = GROUPS(a[2], a[3], 0xEE);
    to[0] = GROUPS(ij0, fo0, 0x88);
    to[1] = GROUPS(ij0, fo0, 0xDD);
    to[2] = GROUPS(ij1, fo1, 0x88);
}

/* Products of the gates' gradients with four columns of what the layers read, and the bias. */
INLINE void kernel_grad(const int v, const int from_h, const int columns)
{
    vec sum[4][4], bias[4];
    for (int n = 0; n < 16; n++)
        sum[n / 4][n % 4] = bias[n % 4] = set(0);
    for (int d = v < 3 ? v : 0; d < (v < 3 ? v + T : D); d++) {
        const vec *a = at[d + 1][v].gate;
        vec from = from_h ? at[d][v].h : v == 1 || v == 2 ? at[d][v - 1].h : input[d][v == 3];
        EACH(g, 4) {
            if (!from_h)
                bias[g] = _mm512_add_ps(bias[g], a[g]);
            sum[0][g] = FMA(PERMUTE(from, 0), a[g], sum[0][g]);
            if (columns == 1)
                continue;
            sum[1][g] = FMA(PERMUTE(from, 1), a[g], sum[1][g]);
            sum[2][g] = FMA(PERMUTE(from, 2), a[g], sum[2][g]);
            sum[3][g] = FMA(PERMUTE(from, 3), a[g], sum[3][g]);
        }
    }
    vec split[4];
    for (int k = 0; k < columns; k++) {
        if (v < 3) {
            grad[first[v] + (from_h ? (v ? 4 : 1) : 0) + k] = sum_groups(sum[k]);
            continue;
        }
        split_groups(sum[k], split);
        for (int l = 0; l < L; l++) {
            int row = (from_h ? (l ? 4 : 1) : 0) + k;
            if (l || from_h || k == 0)
                grad[first[l] + row] = _mm512_add_ps(grad[first[l] + row], split[l]);
        }
    }
    if (from_h)
        return;
    if (v < 3)
        grad[first[v] + (v ? 8 : 5)] = sum_groups(bias);
    if (v < 3)
        return;
    split_groups(bias, split);
    for (int l = 0; l < L; l++)
        grad[first[l] + (l ? 8 : 5)] = _mm512_add_ps(grad[first[l] + (l ? 8 : 5)], split[l]);
}

/* Four rows [i4 j4 f4 o4] into four columns: to[u] holds unit u of gate g in group g. */
INLINE void turn(const vec *rows, vec *to)
{
    vec a = _mm512_unpacklo_ps(rows[0], rows[1]), b = _mm512_unpackhi_ps(rows[0], rows[1]);
    vec c = _mm512_unpacklo_ps(rows[2], rows[3]), d = _mm512_unpackhi_ps(rows[2], rows[3]);
    to[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
    to[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
    to[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
    to[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
}

/* Row k of three layers side by side, a vector for each gate. */
INLINE void side_by_side(vec a, vec b, vec c, vec *to)
{
    vec ab0 = GROUPS(a, b, 0x44), ab1 = GROUPS(a, b, 0xEE), zero = set(0);
    vec c0 = GROUPS(c, zero, 0x44), c1 = GROUPS(c, zero, 0xEE);
    to[0] = GROUPS(ab0, c0, 0x88);
    to[1] = GROUPS(ab0, c0, 0xDD);
    to[2] = GROUPS(ab1, c1, 0x88);
    to[3] = GROUPS(ab1, c1, 0xDD);
}

/* The copies that the products read. */
INLINE void spread_params(void)
{
    const vec scale = _mm512_mul_ps(set(-1.44269504f), _mm512_mask_mov_ps(set(1), 0xF0, set(2)));
    for (int n = 0; n < 24; n++) {
        int bias = n == 5 || n == 14 || n == 23;
        vec w = bias ? _mm512_mask_add_ps(param[n], 0xF00, param[n], set(1)) : param[n];
        scaled[n] = _mm512_mul_ps(w, scale);
    }
    for (int k = 0; k < 9; k++) {
        vec bottom = k == 0 ? scaled[0] : k < 4 ? set(0) : scaled[k - 3];
        side_by_side(bottom, scaled[first[1] + k], scaled[first[2] + k], scaled_x[k]);
    }
    for (int l = 0; l < L; l++) {
        turn(&param[first[l] + (l ? 4 : 1)], turned_h[l]);
        if (l)
            turn(&param[first[l]], turned_in[l]);
    }
    EACH(u, 4) {
        side_by_side(turned_h[0][u], turned_h[1][u], turned_h[2][u], &turned_h_x[4 * u]);
        side_by_side(set(0), turned_in[1][u], turned_in[2][u], &turned_in_x[4 * u]);
    }
}

INLINE void adagrad(void)
{
    for (int n = 0; n < PARAMS; n++) {
        slot[n] = FMA(grad[n], grad[n], slot[n]);
        vec step = _mm512_div_ps(_mm512_mul_ps(grad[n], set(0.3f)), _mm512_sqrt_ps(slot[n]));
        param[n] = _mm512_sub_ps(param[n], step);
    }
}

INLINE void carry_state(bool goes_on)
{
    for (int v = 0; v < 4; v++) {
        at[0][v].c = goes_on ? at[D][v].c : set(0);
        at[0][v].h = goes_on ? at[D][v].h : set(0);
    }
}

float echo_iterate(const float *x, const int32_t *labels, bool goes_on)
{
    carry_state(goes_on);
    forward(x);
    loss_and_gradient(labels);
    backward();
    for (int from_h = 0; from_h < 2; from_h++) {
        kernel_grad(0, from_h, from_h ? 4 : 1);
        kernel_grad(1, from_h, 4);
        kernel_grad(2, from_h, 4);
        kernel_grad(3, from_h, 4);
    }
    adagrad();
    spread_params();
    return loss;
}

const char *bench_name(void)
{
    return "wavefront";
}

void echo_begin(const bench_work *work)
{
    for (int l = 0; l < L; l++) {
        size_t rows = l ? 8 : 5;
        memcpy(&param[first[l]], work->kernel[l], rows * sizeof(vec));
        memcpy(&param[first[l] + (int)rows], work->bias[l], sizeof(vec));
    }
    memcpy(&param[24], work->readout_c, 32);
    memcpy((char *)&param[24] + 32, work->readout_h, 32);
    memset(&param[25], 0, sizeof(vec));
    memcpy(&param[25], work->readout_bias, 8);
    for (int n = 0; n < PARAMS; n++)
        slot[n] = set(0.1f);
    for (int n = 0; n < 32; n++)
        ((float *)powers)[n] = exp2f((float)n / 32);
    memset(at, 0, sizeof at);
    spread_params();
}
