/* SPDX-License-Identifier: MIT */

/*
 * exp, sigmoid and tanh on vectors. Both activations stay within 2e-7 of the exact value; NaN
 * passes.
 *
 * They rest on 2^y = 2^n * (1 + r*q(r)), n a multiple of 1 or 1/32 near y, r the rest, and q a
 * minimax polynomial, but that AVX-512 looks polynomials for tanh up, which ends sooner. Adding a
 * large number to y rounds it to n and leaves n in the low bits.
 */

#ifndef KERNELS_ACTIVATION_H
#define KERNELS_ACTIVATION_H

#include "simd.h"
#if W == 16
#include "activation_tables.h"
#endif

#define LOG2_E 1.44269504f

static const struct numbers {
    float magic, q0, q1;
#if W == 16
    float whole, tanh_steps;
    int32_t tanh_last;
    const struct tables *tables; /* not by name, which the compiler would read early too */
#else
    float q2, q3, q4, exp_begin, exp_end, tanh, tanh_end, two;
#endif
    float sigmoid, one;
    int32_t magnitude, sign;
} numbers = {
    .sigmoid = -LOG2_E,
    .one = 1.0f,
    .magnitude = INT32_MAX,
    .sign = INT32_MIN,
#if W == 16
    /* Relative error of 2^y before rounding: 6.5e-8. */
    .magic = 393216.0f,
    .q0 = 0.693123732f,
    .q1 = 0.242652693f,
    .whole = 8388608.0f,
    .tanh_steps = TANH_STEPS,
    .tanh_last = 0x4b000000 + TANH_LAST, /* the bits of whole + TANH_LAST */
    .tables = &tables,
#else
    .exp_begin = -87.0f,
    .exp_end = 87.0f,
    .tanh = 2.0f * LOG2_E,
    .tanh_end = 10.0f,
    .two = 2.0f,
    /* Relative error of 2^y before rounding: 9.2e-8. */
    .magic = 12582912.0f + 127.0f,
    .q0 = 0.693147004f,
    .q1 = 0.240222424f,
    .q2 = 0.0555073358f,
    .q3 = 0.00967151299f,
    .q4 = 0.00132647273f,
#endif
};

/*
 * The numbers above, read after what comes before. The compiler would otherwise keep them in
 * registers through the products, which need all of them.
 */
#define NUMBERS_HERE(name)                                                                         \
    const struct numbers *name = &numbers;                                                         \
    __asm__ volatile("" : "+r"(name))

/* power * (1 + rest), which sigmoid reaches by a shorter way than its exp would. */
struct exponential {
    vec power, rest;
};

#if W == 16
#define DOWN (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)

/* y rounded down, in the low bits of a sum with `magic`. */
INLINE __m512i add_down(vec y, float magic)
{
    return (__m512i)_mm512_add_round_ps((__m512)y, (__m512)splat(magic), DOWN);
}

/* n is the number in the low five bits. */
INLINE vec look_up(const float table[32], __m512i n)
{
    return (vec)_mm512_permutex2var_ps((__m512)load(table), n, (__m512)load(table + W));
}

/*
 * exp(x * factor / LOG2_E). As n is y rounded down, floor(n) is floor(y): _mm512_scalef_ps takes y
 * as it is, infinities too.
 */
INLINE struct exponential exp_parts(vec x, float factor, const struct numbers *k)
{
    const vec y = x * splat(factor);
    const __m512i n = add_down(y, k->magic);
    const vec r = (vec)_mm512_reduce_ps((__m512)y, 5 << 4 | DOWN);
    const vec q = splat(k->q1) * r + splat(k->q0);
    const __m512 power = (__m512)look_up(k->tables->powers, n);
    return (struct exponential){(vec)_mm512_scalef_ps(power, (__m512)y), r * q};
}

/* Odd, 1 from |x| = 8.86 on. */
INLINE vec vtanh(vec x, const struct numbers *k)
{
    const float(*table)[32] = k->tables->tanh;
    const vec y = (vec)(bits(x) & isplat(k->magnitude)) * splat(k->tanh_steps);
    const __m512i n = _mm512_min_epu32(add_down(y, k->whole), (__m512i)isplat(k->tanh_last));
    const vec r = (vec)_mm512_reduce_ps((__m512)y, DOWN), r2 = r * r;
    const vec low = look_up(table[1], n) * r + look_up(table[0], n);
    const vec middle = look_up(table[3], n) * r + look_up(table[2], n);
    const vec high = look_up(table[5], n) * r + look_up(table[4], n);
    return (vec)(bits(r2 * (r2 * high + middle) + low) | (bits(x) & isplat(k->sign)));
}
#else
/* The low bits hold n + 127, which shifted become the float 2^n: y has to be in [-126, 127]. */
INLINE struct exponential exp2_parts(vec x, float factor, const struct numbers *k)
{
    const vec shifted = x * splat(factor) + splat(k->magic);
    const vec r = x * splat(factor) - (shifted - splat(k->magic));
    const vec power = (vec)((ivec)shifted << 23);
    const vec low = splat(k->q1) * r + splat(k->q0);
    const vec high = splat(k->q3) * r + splat(k->q2);
    const vec r2 = r * r;
    const vec q = r2 * (r2 * splat(k->q4) + high) + low;
    return (struct exponential){power, r * q};
}

INLINE struct exponential exp_parts(vec x, float factor, const struct numbers *k)
{
    return exp2_parts(at_least(at_most(x, k->exp_end), k->exp_begin), factor, k);
}

/* expm1(2|x|) / (expm1(2|x|) + 2): no cancellation near 0, odd, 1 from |x| = 10 on. */
INLINE vec vtanh(vec x, const struct numbers *k)
{
    const vec magnitude = (vec)(bits(x) & isplat(k->magnitude));
    const struct exponential e = exp2_parts(at_most(magnitude, k->tanh_end), k->tanh, k);
    const vec expm1 = e.power * e.rest + (e.power - splat(k->one));
    const vec y = expm1 / (expm1 + splat(k->two));
    return (vec)((bits(y) & isplat(k->magnitude)) | (bits(x) & isplat(k->sign)));
}
#endif

/* Of what is not so large that the result is infinite. */
INLINE vec vexp(vec x, const struct numbers *k)
{
    const struct exponential e = exp_parts(x, LOG2_E, k);
    return e.power * e.rest + e.power;
}

INLINE vec vsigmoid(vec x, const struct numbers *k)
{
    const struct exponential e = exp_parts(x, k->sigmoid, k);
    return splat(k->one) / (e.power * (e.rest + splat(k->one)) + splat(k->one));
}

/* Natural logarithm of a positive normal number: 2^k * m, m in [sqrt(1/2), sqrt(2)); NaN stays. */
INLINE vec vlog(vec x)
{
    const ivec offset = bits(x) - isplat(0x3f3504f3);
    const ivec k = offset >> 23;
    const vec m = (vec)((offset & isplat(0x007fffff)) + isplat(0x3f3504f3));
    const vec s = (m - splat(1.0f)) / (m + splat(1.0f));
    const vec s2 = s * s;
    /* 2 * atanh(s), |s| < 0.172 */
    const vec series =
        s2 * (s2 * (s2 * splat(0.2857142857f) + splat(0.4f)) + splat(0.6666666667f)) + splat(2.0f);
    const vec nan_or_zero = x - x;
    return __builtin_convertvector(k, vec) * splat(0.693147181f) + s * series + nan_or_zero;
}

#endif
