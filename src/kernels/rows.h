/* SPDX-License-Identifier: MIT */

/* Element by element on rows of arrays, the caller's too, which end where they end. */

#ifndef KERNELS_ROWS_H
#define KERNELS_ROWS_H

#include "kernels.h"
#include "simd.h"

/* W numbers of a row from unit `u` on, as far as there are. */
INLINE vec load_part(struct rows a, int32_t row, int32_t u, int32_t left)
{
    const float *p = a.at + (size_t)row * a.row + (size_t)u;
    return left >= W ? load(p) : load_first(p, left);
}

INLINE void store_part(float *out, size_t out_row, int32_t row, int32_t u, int32_t left, vec v)
{
    float *p = out + (size_t)row * out_row + (size_t)u;
    if (left >= W)
        store(p, v);
    else
        store_first(p, v, left);
}

#define EACH_PART                                                                                  \
    (int32_t row = 0; row < rows; row++) for (int32_t u = 0, left = units; u < units;              \
                                              u += W, left -= W)

static void mix(struct rows a, struct rows b, struct rows c, float *out, size_t out_row,
                int32_t rows, int32_t units)
{
    for
        EACH_PART
        {
            vec v = load_part(a, row, u, left);
            if (b.at)
                v *= load_part(b, row, u, left);
            if (c.at)
                v += load_part(c, row, u, left);
            store_part(out, out_row, row, u, left, v);
        }
}

static void blend(struct rows k, struct rows a, struct rows b, float *out, size_t out_row,
                  int32_t rows, int32_t units)
{
    for
        EACH_PART
        {
            const vec share = load_part(k, row, u, left);
            vec v = splat(0.0f);
            if (a.at)
                v += share * load_part(a, row, u, left);
            if (b.at)
                v += (splat(1.0f) - share) * load_part(b, row, u, left);
            store_part(out, out_row, row, u, left, v);
        }
}

static void pass_clip(struct rows of, float limit, float *out, size_t out_row, int32_t rows,
                      int32_t units)
{
    const struct rows values = {out, out_row};
    for
        EACH_PART
        {
            const ivec inside = vabs(load_part(of, row, u, left)) < splat(limit);
            const vec v = load_part(values, row, u, left);
            store_part(out, out_row, row, u, left, (vec)(bits(v) & inside));
        }
}

static void highway_backward(struct rows gate, struct rows x, struct rows h, float *d, size_t d_row,
                             float *dx, float *dgate, int32_t rows, int32_t units)
{
    const struct rows given = {d, d_row};
    for
        EACH_PART
        {
            const vec t = load_part(gate, row, u, left), g = load_part(given, row, u, left);
            const vec difference = load_part(x, row, u, left) - load_part(h, row, u, left);
            store_part(dx, d_row, row, u, left, g * t);
            store_part(dgate, d_row, row, u, left, g * difference * t * (splat(1.0f) - t));
            store_part(d, d_row, row, u, left, g * (splat(1.0f) - t));
        }
}

#endif
