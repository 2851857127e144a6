/* SPDX-License-Identifier: MIT */

/*
 * One vector type of W floats, and what the kernels need beyond its arithmetic operators. Included
 * by the file of each instruction set after it has defined W.
 */

#ifndef KERNELS_SIMD_H
#define KERNELS_SIMD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON) && W == 4
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline, unused))

/*
 * Writes out the loop that follows, of at most `count` rounds: vectors that a loop indexes stay in
 * memory.
 */
#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define UNROLL(count) PRAGMA(clang loop unroll(full))
#else
#define UNROLL(count) PRAGMA(GCC unroll count)
#endif

typedef float vec __attribute__((vector_size(W * 4)));
typedef int32_t ivec __attribute__((vector_size(W * 4)));
typedef uint64_t wvec __attribute__((vector_size(W * 4)));
typedef float unaligned_vec __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t unaligned_ivec __attribute__((vector_size(W * 4), aligned(4), may_alias));

#if W == 16
#define ALL(x) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}
#elif W == 8
#define ALL(x) {x, x, x, x, x, x, x, x}
#else
#define ALL(x) {x, x, x, x}
#endif

INLINE vec splat(float x)
{
    return (vec)ALL(x);
}

INLINE ivec isplat(int32_t x)
{
    return (ivec)ALL(x);
}

INLINE wvec wsplat(uint64_t x)
{
    const wvec none = {0};
    return none + x;
}

INLINE vec load(const float *p)
{
    return *(const unaligned_vec *)p;
}

INLINE ivec iload(const int32_t *p)
{
    return *(const unaligned_ivec *)p;
}

INLINE void store(float *p, vec v)
{
    *(unaligned_vec *)p = v;
}

INLINE void store_first(float *p, vec v, int32_t n)
{
#if W == 16
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)v);
#else
    for (int32_t i = 0; i < n; i++)
        p[i] = v[i];
#endif
}

INLINE vec load_first(const float *p, int32_t n)
{
#if W == 16
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
#else
    vec v = splat(0.0f);
    for (int32_t i = 0; i < n; i++)
        v[i] = p[i];
    return v;
#endif
}

/* The columns that are left are a whole vector or fewer, or none. */
INLINE vec load_columns(const float *p, int32_t columns)
{
    return columns >= W ? load(p) : load_first(p, columns < 0 ? 0 : columns);
}

INLINE void store_columns(float *p, vec v, int32_t columns)
{
    if (columns >= W)
        store(p, v);
    else if (columns > 0)
        store_first(p, v, columns);
}

INLINE ivec bits(vec v)
{
    return (ivec)v;
}

INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)((mask & bits(yes)) | (~mask & bits(no)));
}

/* The smaller of bound and v; NaN in v stays. */
INLINE vec at_most(vec v, float bound)
{
#if W == 16
    return (vec)_mm512_min_ps((__m512)splat(bound), (__m512)v);
#elif W == 8
    return (vec)_mm256_min_ps((__m256)splat(bound), (__m256)v);
#elif defined(__ARM_NEON)
    return (vec)vminq_f32((float32x4_t)splat(bound), (float32x4_t)v);
#else
    return choose(v > splat(bound), splat(bound), v);
#endif
}

INLINE vec at_least(vec v, float bound)
{
#if W == 16
    return (vec)_mm512_max_ps((__m512)splat(bound), (__m512)v);
#elif W == 8
    return (vec)_mm256_max_ps((__m256)splat(bound), (__m256)v);
#elif defined(__ARM_NEON)
    return (vec)vmaxq_f32((float32x4_t)splat(bound), (float32x4_t)v);
#else
    return choose(v < splat(bound), splat(bound), v);
#endif
}

/* The lanes whose bits are set, 0 elsewhere, even for NaN. */
INLINE vec keep_lanes(vec v, const int32_t *mask)
{
    return (vec)(bits(v) & iload(mask));
}

INLINE vec vabs(vec v)
{
    return (vec)(bits(v) & isplat(INT32_MAX));
}

/* In a register, where instructions could read what v was made of from memory again. */
INLINE vec hold(vec v)
{
#if W == 16
    __asm__("" : "+v"(v));
#elif W == 8
    __asm__("" : "+x"(v));
#endif
    return v;
}

/* clang moves nothing past it: without, it takes all that one sum adds in a row. */
INLINE vec in_turn(vec v)
{
#if defined(__clang__) && W == 16
    __asm__ volatile("" : "+v"(v));
#elif defined(__clang__) && W == 8
    __asm__ volatile("" : "+x"(v));
#endif
    return v;
}

/* As float_mode_read, of what may be read by nothing else. */
INLINE void raise_denormal(vec v)
{
#if W == 16
    __mmask16 unused;
    __asm__ volatile("vcmpeqps %1, %1, %0" : "=k"(unused) : "v"((__m512)v));
#elif W == 8
    vec unused;
    __asm__ volatile("vcmpeqps %1, %1, %0" : "=x"(unused) : "x"(v));
#elif defined(__x86_64__)
    __asm__ volatile("cmpeqps %0, %0" : "+x"(v));
#else
    (void)v;
#endif
}

/*
 * a * b + c with one rounding, wherever compilers may contract sums: with two products they take
 * the one or the other, not the same in every copy of a function.
 */
INLINE vec multiply_add(vec a, vec b, vec c)
{
#if W == 16
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif W == 8
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif defined(__FMA__)
    return (vec)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
#else
    return a * b + c;
#endif
}

INLINE vec vsqrt(vec v)
{
#if W == 16
    return (vec)_mm512_sqrt_ps((__m512)v);
#elif W == 8
    return (vec)_mm256_sqrt_ps((__m256)v);
#elif defined(__aarch64__)
    return (vec)vsqrtq_f32((float32x4_t)v);
#else
    for (int32_t i = 0; i < W; i++)
        v[i] = __builtin_sqrtf(v[i]);
    return v;
#endif
}

/* a / sqrt(b) */
INLINE vec over_root(vec a, vec b)
{
#if W == 16
    /*
     * Root and quotient keep some processors for 30 cycles. One step of Newton's, but not of 0 *
     * infinity.
     */
    const vec root = (vec)_mm512_rsqrt14_ps((__m512)b);
    const vec rest = splat(1.0f) - b * root * root;
    return a * choose(rest == rest, root + root * splat(0.5f) * rest, root);
#else
    return a / vsqrt(b);
#endif
}

/* The lanes of a list that each is a function of its number: f(0), f(1), ... */
#if W == 16
#define LANES(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12),  \
                 f(13), f(14), f(15)
#elif W == 8
#define LANES(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#else
#define LANES(f) f(0), f(1), f(2), f(3)
#endif

/* The same of f(a, b, 0), f(a, b, 1), ... */
#if W == 16
#define LANES_WITH(f, a, b)                                                                        \
    f(a, b, 0), f(a, b, 1), f(a, b, 2), f(a, b, 3), f(a, b, 4), f(a, b, 5), f(a, b, 6),            \
        f(a, b, 7), f(a, b, 8), f(a, b, 9), f(a, b, 10), f(a, b, 11), f(a, b, 12), f(a, b, 13),    \
        f(a, b, 14), f(a, b, 15)
#elif W == 8
#define LANES_WITH(f, a, b)                                                                        \
    f(a, b, 0), f(a, b, 1), f(a, b, 2), f(a, b, 3), f(a, b, 4), f(a, b, 5), f(a, b, 6), f(a, b, 7)
#endif

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

#endif
