/* SPDX-License-Identifier: MIT */

/* Masks of dropout and zoneout: Philox 4x32-10, as in random.c, W counters at a time. */

#ifndef KERNELS_MASK_H
#define KERNELS_MASK_H

#include "kernels.h"
#include "simd.h"

/* Products of the lower halves of 64-bit lanes. */
INLINE wvec multiply_low(wvec a, wvec b)
{
#if W == 16
    return (wvec)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif W == 8
    return (wvec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (wvec)_mm_mul_epu32((__m128i)a, (__m128i)b);
#elif defined(__ARM_NEON)
    return (wvec)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
#else
    return (a & wsplat(UINT32_MAX)) * (b & wsplat(UINT32_MAX));
#endif
}

/* The halves of all 32-bit products with a constant. */
INLINE void multiply_words(ivec a, uint32_t factor, ivec *high, ivec *low)
{
    const wvec odd_half = wsplat((uint64_t)UINT32_MAX << 32);
    const wvec even = multiply_low((wvec)a, wsplat(factor));
    const wvec odd = multiply_low((wvec)a >> 32, wsplat(factor));
    *high = (ivec)((even >> 32) | (odd & odd_half));
    *low = (ivec)((even & ~odd_half) | (odd << 32));
}

/* The words of W counters that follow each other in their first word. */
INLINE void philox_lanes(const uint32_t counter[4], const uint32_t key[2], ivec words[4])
{
#define LANE(lane) lane
    const ivec lanes = {LANES(LANE)};
#undef LANE
    ivec c0 = lanes + isplat((int32_t)counter[0]), c1 = isplat((int32_t)counter[1]);
    ivec c2 = isplat((int32_t)counter[2]), c3 = isplat((int32_t)counter[3]);
    uint32_t k0 = key[0], k1 = key[1];
    for (int32_t round = 0; round < 10; round++) {
        ivec high0, low0, high2, low2;
        multiply_words(c0, 0xD2511F53u, &high0, &low0);
        multiply_words(c2, 0xCD9E8D57u, &high2, &low2);
        c0 = high2 ^ c1 ^ isplat((int32_t)k0);
        c1 = low2;
        c2 = high0 ^ c3 ^ isplat((int32_t)k1);
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* The lanes of two vectors in turn: of their first halves, and of their second ones. */
#define FIRST_TURN(lane) ((lane) % 2 * W + (lane) / 2)
#define SECOND_TURN(lane) (W / 2 + (lane) % 2 * W + (lane) / 2)
#define IN_TURN(a, b) SHUFFLE(a, b, LANES(FIRST_TURN))
#define IN_TURN_AFTER(a, b) SHUFFLE(a, b, LANES(SECOND_TURN))

/* 4W numbers of a row: word w of counter l belongs to number 4l + w. */
INLINE void mask_block(const struct mask *m, int32_t row, int32_t unit, ivec limit, vec out[4])
{
    const uint32_t counter[4] = {(uint32_t)unit / 4, (uint32_t)row, m->step, m->stream};
    ivec words[4];
    vec v[4];
    if (m->rate >= 1.0f) {
        out[0] = out[1] = out[2] = out[3] = splat(m->chosen);
        return;
    }
    philox_lanes(counter, m->key, words);
    for (int32_t w = 0; w < 4; w++) {
        const ivec upper = (words[w] >> 8) & isplat(0xffffff);
        v[w] = choose(upper < limit, splat(m->chosen), splat(m->other));
    }
    const vec even = IN_TURN(v[0], v[2]), odd = IN_TURN(v[1], v[3]);
    const vec even_after = IN_TURN_AFTER(v[0], v[2]), odd_after = IN_TURN_AFTER(v[1], v[3]);
    out[0] = IN_TURN(even, odd);
    out[1] = IN_TURN_AFTER(even, odd);
    out[2] = IN_TURN(even_after, odd_after);
    out[3] = IN_TURN_AFTER(even_after, odd_after);
}

static void mask(const struct mask *m)
{
    /* uniform_from(word) < rate: the upper 24 bits are below the rate's, rounded up. */
    const ivec limit = isplat((int32_t)__builtin_ceil((double)m->rate * 0x1p24));
    for (int32_t row = m->row_begin; row < m->row_end; row++)
        for (int32_t unit = 0; unit < m->units; unit += 4 * W) {
            vec v[4];
            mask_block(m, row, unit, limit, v);
            float *out = m->out + (size_t)row * m->row + (size_t)unit;
            for (int32_t i = 0, left = m->units - unit; i < 4 && left > 0; i++, left -= W)
                store_first(out + i * W, v[i], left < W ? left : W);
        }
}

#endif
