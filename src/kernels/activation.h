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
    float sigmoid, tanh, expm1_end, one, two;
    int32_t magnitude, sign;
} numbers = {
    .sigmoid = -LOG2_E,
    .tanh = 2.0f * LOG2_E,
    .one = 1.0f,
    .two = 2.0f,
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

#if W == 16
struct exponential {
    vec power; /* 2^(n - floor(n)), a number of the table */
    vec y, r;
};

/* n is y rounded down, so that floor(n) is floor(y): _mm512_scalef_ps takes y as it is, infinities too. */
INLINE struct exponential exp2_parts(vec x, float factor, const struct numbers *k)
{
    const __m512 y = (__m512)(x * splat(factor));
    const __m512i n = (__m512i)_mm512_add_round_ps(y, (__m512)splat(k->magic),
                                                   _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    const vec r = (vec)_mm512_reduce_ps(y, 5 << 4 | _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    const vec power =
        (vec)_mm512_permutex2var_ps((__m512)load(k->powers), n, (__m512)load(k->powers + W));
    return (struct exponential){power, (vec)y, r};
}

INLINE vec scaled(vec x, vec y)
{
    return (vec)_mm512_scalef_ps((__m512)x, (__m512)y);
}

/* exp(x * factor / LOG2_E) */
INLINE vec exp_scaled(vec x, float factor, const struct numbers *k)
{
    const struct exponential e = exp2_parts(x, factor, k);
    const vec q = splat(k->q1) * e.r + splat(k->q0);
    return scaled(e.power * e.r * q + e.power, e.y);
}

/* The same less 1, without cancellation; 2^29 and what is more are alike. */
INLINE vec expm1_scaled(vec x, float factor, const struct numbers *k)
{
    const struct exponential e = exp2_parts(x, factor, k);
    /* Not before: what q waits for is later than this. */
    const vec power = scaled(e.power, at_most(e.y, k->expm1_end));
    const vec q = splat(k->q1_expm1) * e.r + splat(k->q0_expm1);
    return power * e.r * q + (power - splat(k->one));
}
#else
struct exponential {
    vec power; /* 2^n */
    vec r, q;
};

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
    return (struct exponential){power, r, q};
}

INLINE vec exp_scaled(vec x, float factor, const struct numbers *k)
{
    const vec near = at_least(at_most(x, k->exp_end), k->exp_begin);
    const struct exponential e = exp2_parts(near, factor, k);
    return e.power * e.r * e.q + e.power;
}

INLINE vec expm1_scaled(vec x, float factor, const struct numbers *k)
{
    const struct exponential e = exp2_parts(at_most(x, k->expm1_end), factor, k);
    return e.power * e.r * e.q + (e.power - splat(k->one));
}
#endif

INLINE vec vexp(vec x, const struct numbers *k)
{
    return exp_scaled(x, LOG2_E, k);
}

INLINE vec vsigmoid(vec x, const struct numbers *k)
{
    return splat(k->one) / (splat(k->one) + exp_scaled(x, k->sigmoid, k));
}

/* expm1(2|x|) / (expm1(2|x|) + 2): no cancellation near 0, odd, 1 from |x| = 10 on. */
INLINE vec vtanh(vec x, const struct numbers *k)
{
    const vec magnitude = (vec)(bits(x) & isplat(k->magnitude));
    const vec expm1 = expm1_scaled(magnitude, k->tanh, k);
    const vec y = expm1 / (expm1 + splat(k->two));
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
