/* SPDX-License-Identifier: MIT */

/*
 * exp, sigmoid and tanh on vectors. Both activations stay within 2e-7 of the exact value; NaN passes.
 *
 * All rest on 2^y = 2^n * (1 + f*q(f)), n the nearest integer and f in [-0.5, 0.5]; q is a minimax
 * polynomial, relative error of the whole 9.2e-8. Adding MAGIC rounds y to n and leaves n + 127 in the
 * low bits, which shifted become the float 2^n; so y must lie in [-126, 127].
 */

#ifndef ACTIVATION_H
#define ACTIVATION_H

#include "simd.h"

#define LOG2_E 1.44269504f

static const struct numbers {
    float sigmoid, tanh, magic, q0, q1, q2, q3, q4, one, two, sigmoid_begin, sigmoid_end, tanh_end;
    int32_t magnitude, sign;
} numbers = {
    .sigmoid = -LOG2_E,
    .tanh = -2.0f * LOG2_E,
    .magic = 12582912.0f + 127.0f,
    .q0 = 0.693147004f,
    .q1 = 0.240222424f,
    .q2 = 0.0555073358f,
    .q3 = 0.00967151299f,
    .q4 = 0.00132647273f,
    .one = 1.0f,
    .two = 2.0f,
    .sigmoid_begin = -64.0f,
    .sigmoid_end = 64.0f,
    .tanh_end = 10.0f,
    .magnitude = INT32_MAX,
    .sign = INT32_MIN,
};

/*
 * The numbers above, read after what comes before. The compiler would otherwise keep them in registers
 * through the products, which need all of them.
 */
#define NUMBERS_HERE(name)                                                                         \
    const struct numbers *name = &numbers;                                                         \
    __asm__ volatile("" : "+r"(name))

struct exponential {
    vec power;    /* 2^n */
    vec fraction; /* 2^n * f */
    vec q;
};

INLINE struct exponential exp2_parts(vec x, float factor, const struct numbers *k)
{
    const vec shifted = x * splat(factor) + splat(k->magic);
    const vec f = x * splat(factor) - (shifted - splat(k->magic));
    const vec power = (vec)((ivec)shifted << 23);
    const vec low = splat(k->q1) * f + splat(k->q0);
    const vec high = splat(k->q3) * f + splat(k->q2);
    const vec f2 = f * f;
    const vec q = f2 * (f2 * splat(k->q4) + high) + low;
    return (struct exponential){power, power * f, q};
}

/* x in [-87, 88]; NaN stays. */
INLINE vec vexp(vec x, const struct numbers *k)
{
    const struct exponential e = exp2_parts(x, LOG2_E, k);
    return e.fraction * e.q + e.power;
}

/* 1 / (1 + exp(-x)); below -64 it stays at 1.6e-28. */
INLINE vec vsigmoid(vec x, const struct numbers *k)
{
    const vec near = at_least(at_most(x, k->sigmoid_end), k->sigmoid_begin);
    const struct exponential e = exp2_parts(near, k->sigmoid, k);
    return splat(k->one) / (e.fraction * e.q + (e.power + splat(k->one)));
}

/* -expm1(-2|x|) / (2 + expm1(-2|x|)): no cancellation near 0, odd, 1 from |x| = 10 on. */
INLINE vec vtanh(vec x, const struct numbers *k)
{
    const vec magnitude = (vec)(bits(x) & isplat(k->magnitude));
    const struct exponential e = exp2_parts(at_most(magnitude, k->tanh_end), k->tanh, k);
    const vec minus_expm1 = (splat(k->one) - e.power) - e.fraction * e.q;
    const vec y = minus_expm1 / (splat(k->two) - minus_expm1);
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
