/* SPDX-License-Identifier: MIT */

/*
 * exp, sigmoid and tanh on vectors. Both activations stay within 2e-7 of the exact value; NaN passes.
 *
 * All rest on 2^y = 2^n * (1 + r*q(r)), n a multiple of 1 or 1/32 near y, r the rest, and q a minimax
 * polynomial. Adding a large number to y rounds it to n and leaves n in the low bits.
 */

#ifndef ACTIVATION_H
#define ACTIVATION_H

#include "simd.h"

#define LOG2_E 1.44269504f

static const struct numbers {
#if W == 16
    _Alignas(64) float powers[32]; /* 2^(n/32) */
    float magic, q0, q1, q0_expm1, q1_expm1;
#else
    float magic, q0, q1, q2, q3, q4, exp_begin, exp_end;
#endif
    float sigmoid, tanh, expm1_end, one;
    int32_t magnitude, sign;
} numbers = {
    .sigmoid = -LOG2_E,
    .tanh = 2.0f * LOG2_E,
    .one = 1.0f,
    .magnitude = INT32_MAX,
    .sign = INT32_MIN,
#if W == 16
    .expm1_end = 29.0f, /* of y */
    /* Relative error of 2^y before rounding: 6.5e-8; 1.8e-7 where q(0) is ln 2, for the sake of small x. */
    .magic = 393216.0f,
    .q0 = 0.693123732f,
    .q1 = 0.242652693f,
    .q0_expm1 = 0.693147182f,
    .q1_expm1 = 0.241784006f,
    .powers =
        {
            1.0f,        1.0218972f,  1.04427373f, 1.06714046f, 1.09050775f, 1.1143868f,
            1.13878858f, 1.1637249f,  1.18920708f, 1.21524739f, 1.24185777f, 1.26905096f,
            1.29683959f, 1.32523668f, 1.35425556f, 1.38390994f, 1.41421354f, 1.44518077f,
            1.47682619f, 1.50916445f, 1.54221082f, 1.5759809f,  1.61049032f, 1.64575553f,
            1.68179286f, 1.71861935f, 1.75625217f, 1.79470909f, 1.8340081f,  1.87416768f,
            1.91520655f, 1.95714414f,
        },
#else
    .exp_begin = -87.0f,
    .exp_end = 87.0f,
    .expm1_end = 10.0f, /* of x */
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
 * The numbers above, read after what comes before. The compiler would otherwise keep them in registers
 * through the products, which need all of them.
 */
#define NUMBERS_HERE(name)                                                                         \
    const struct numbers *name = &numbers;                                                         \
    __asm__ volatile("" : "+r"(name))

/* power * (1 + rest); each user of it has the shortest way from here to its own result. */
struct exponential {
    vec power, rest;
};

#if W == 16
/* 2^y, with `scale` for y where only its floor counts: infinities are fine in y, and a power of 0 or infinity. */
INLINE struct exponential exp2_parts(vec y, vec scale, float q1, float q0, const struct numbers *k)
{
    /* n is y rounded down, so that floor(n) is floor(y). */
    const __m512i n = (__m512i)_mm512_add_round_ps((__m512)y, (__m512)splat(k->magic),
                                                   _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    const vec r =
        (vec)_mm512_reduce_ps((__m512)y, 5 << 4 | _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    const __m512 power =
        _mm512_permutex2var_ps((__m512)load(k->powers), n, (__m512)load(k->powers + W));
    const vec q = splat(q1) * r + splat(q0);
    return (struct exponential){(vec)_mm512_scalef_ps(power, (__m512)scale), r * q};
}

/* exp(x * factor / LOG2_E) */
INLINE struct exponential exp_parts(vec x, float factor, const struct numbers *k)
{
    const vec y = x * splat(factor);
    return exp2_parts(y, y, k->q1, k->q0, k);
}

/* The same for what is less 1 later; 2^29 and what is more are alike. */
INLINE struct exponential expm1_parts(vec x, float factor, const struct numbers *k)
{
    const vec y = x * splat(factor);
    return exp2_parts(y, at_most(y, k->expm1_end), k->q1_expm1, k->q0_expm1, k);
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

INLINE struct exponential expm1_parts(vec x, float factor, const struct numbers *k)
{
    return exp2_parts(at_most(x, k->expm1_end), factor, k);
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

/* (exp(2|x|) - 1) / (exp(2|x|) + 1): no cancellation near 0, odd, 1 from |x| = 10 on. */
INLINE vec vtanh(vec x, const struct numbers *k)
{
    const vec magnitude = (vec)(bits(x) & isplat(k->magnitude));
    const struct exponential e = expm1_parts(magnitude, k->tanh, k);
    const vec y = (e.power * e.rest + (e.power - splat(k->one))) /
                  (e.power * e.rest + (e.power + splat(k->one)));
    return (vec)((bits(y) & isplat(k->magnitude)) | (bits(x) & isplat(k->sign)));
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
