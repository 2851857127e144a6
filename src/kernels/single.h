/* SPDX-License-Identifier: MIT */

/* One row of numbers, each of which is spread over a vector, times rows of one panel or of two. */

#ifndef KERNELS_SINGLE_H
#define KERNELS_SINGLE_H

#include "simd.h"

#if W >= 8
#define SAME_ROW(units, k, lane) ((lane) & ~((units)-1)) + (k)
#define SPREAD(units, k)                                                                           \
    case k: return SHUFFLE(v, v, LANES_WITH(SAME_ROW, units, k))

/* Unit k of each row in all lanes of the row. */
INLINE vec spread(int32_t units, vec v, int32_t k)
{
    if (units == 4)
        switch (k) {
            SPREAD(4, 0);
            SPREAD(4, 1);
            SPREAD(4, 2);
            SPREAD(4, 3);
        }
    switch (k) {
        SPREAD(8, 0);
        SPREAD(8, 1);
        SPREAD(8, 2);
        SPREAD(8, 3);
        SPREAD(8, 4);
        SPREAD(8, 5);
        SPREAD(8, 6);
        SPREAD(8, 7);
    }
    return v;
}

/* The same units for each row. */
INLINE vec load_units(int32_t units, const float *p)
{
#if W == 16
    if (units == 8)
        return (vec)_mm512_broadcast_f32x8(_mm256_loadu_ps(p));
    return (vec)_mm512_broadcast_f32x4(_mm_loadu_ps(p));
#else
    (void)units;
    return (vec)_mm256_broadcast_ps((const __m128 *)p);
#endif
}
#endif

INLINE void add_row(int32_t panels, vec a, const float *const b[2], size_t at, vec sum[2][4])
{
    const vec factor = in_turn(a);
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++)
        UNROLL(4)
        for (int32_t v = 0; v < 4; v++)
            sum[p][v] += factor * load(b[p] + at + v * W);
}

/*
 * Inputs a[k] times rows of a panel and, for two, of the one that comes `next` floats later: even
 * inputs to `even`, odd ones to `odd`, which may be the same.
 */
INLINE void add_rows(int32_t panels, const float *a, int32_t count, const float *first, size_t next,
                     vec even[2][4], vec odd[2][4])
{
    const float *b[2] = {first, panels == 2 ? first + next : first};
    int32_t k = 0;
#if W >= 8
    /* One load gives four inputs, a copy in each quarter: where b is near, loads take the time. */
    for (; k + 3 < count; k += 4, b[0] += 16 * W, b[1] += 16 * W) {
        const vec four = in_turn(load_units(4, a + k));
        add_row(panels, spread(4, four, 0), b, 0, even);
        add_row(panels, spread(4, four, 1), b, 4 * W, odd);
        add_row(panels, spread(4, four, 2), b, 8 * W, even);
        add_row(panels, spread(4, four, 3), b, 12 * W, odd);
    }
#endif
    for (; k + 1 < count; k += 2, b[0] += 8 * W, b[1] += 8 * W) {
        add_row(panels, splat(a[k]), b, 0, even);
        add_row(panels, splat(a[k + 1]), b, 4 * W, odd);
    }
    if (k < count)
        add_row(panels, splat(a[k]), b, 0, even);
}

#endif
