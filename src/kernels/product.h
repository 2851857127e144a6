/* SPDX-License-Identifier: MIT */

/* Products with panels outside the recurrence, and the gradients of panel matrices. */

#ifndef PRODUCT_H
#define PRODUCT_H

#include "kernels.h"
#include "tile.h"

INLINE void product_tile(int32_t rows, int32_t vectors, const struct product *p, int32_t row,
                         int32_t panel)
{
    const float *b = p->b + (size_t)panel * p->b_panel;
    const float *a = p->a + (size_t)row * p->a_row;
    float *c = p->c + (size_t)row * p->c_row + (size_t)panel * p->c_panel;
    const int32_t width = vectors * W;
    const int32_t columns = p->columns - panel * width;
    struct tile t;
    if (p->init == PRODUCT_ZERO)
        tile_zero(rows, vectors, &t);
    else if (p->init == PRODUCT_BIAS)
        tile_row(rows, vectors, &t, b - width);
    else if (columns >= width)
        tile_load(rows, vectors, &t, c, p->c_row);
    else
        for (int32_t r = 0; r < rows; r++)
            for (int32_t v = 0; v < vectors; v++) {
                const int32_t n = columns - v * W;
                t.at[r][v] = load_first(c + (size_t)r * p->c_row + v * W, n < 0 ? 0 : n < W ? n : W);
            }
    for (int32_t s = 0; s < p->segments; s++) {
        tile_multiply(rows, vectors, &t, a, p->a_row, 1, b, (size_t)width, p->length);
        a += p->a_segment;
        b += (size_t)p->length * (size_t)width;
    }
    if (columns >= width)
        tile_store(rows, vectors, &t, c, p->c_row);
    else
        for (int32_t r = 0; r < rows; r++)
            for (int32_t v = 0; v * W < columns; v++) {
                const int32_t n = columns - v * W;
                store_first(c + (size_t)r * p->c_row + v * W, t.at[r][v], n < W ? n : W);
            }
}

INLINE void product_panels(int32_t vectors, const struct product *p)
{
    const int32_t most = tile_rows(vectors);
    for (int32_t panel = p->panel_begin; panel < p->panel_end; panel++)
        for (int32_t row = p->row_begin, n; row < p->row_end; row += n) {
            n = next_rows(p->row_end - row, most);
            WITH_ROWS(n, vectors, product_tile, p, row, panel);
        }
}

static void product(const struct product *p)
{
    switch (p->width / W) {
    case 1: product_panels(1, p); break;
    case 2: product_panels(2, p); break;
    default: product_panels(4, p); break;
    }
}

/* Rows of A and G that are used by all tiles of a panel before the next ones are read. */
#define OUTER_ROWS 128

INLINE void outer_tile(int32_t ks, int32_t vectors, const struct outer *o, const float *a,
                       const float *g, int32_t rows, float *b)
{
    const size_t width = (size_t)vectors * W;
    struct tile t;
    tile_load(ks, vectors, &t, b, width);
    if (vectors == 1) {
        /* Too few chains to hide the latency of an addition: odd rows get their own. */
        struct tile odd;
        tile_zero(ks, vectors, &odd);
        tile_multiply(ks, vectors, &t, a, 1, 2 * o->a_row, g, 2 * width, (rows + 1) / 2);
        tile_multiply(ks, vectors, &odd, a + o->a_row, 1, 2 * o->a_row, g + width, 2 * width,
                      rows / 2);
        tile_add(ks, vectors, &t, &odd);
    } else {
        tile_multiply(ks, vectors, &t, a, 1, o->a_row, g, width, rows);
    }
    tile_store(ks, vectors, &t, b, width);
}

INLINE void outer_bias(int32_t vectors, const float *g, int32_t rows, float *b)
{
    vec sum[4];
#pragma GCC unroll 4
    for (int32_t v = 0; v < vectors; v++)
        sum[v] = load(b + v * W);
    for (int32_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int32_t v = 0; v < vectors; v++)
            sum[v] += load(g + (r * vectors + v) * W);
#pragma GCC unroll 4
    for (int32_t v = 0; v < vectors; v++)
        store(b + v * W, sum[v]);
}

INLINE void outer_panels(int32_t vectors, const struct outer *o)
{
    const int32_t most = tile_rows(vectors);
    const size_t width = (size_t)vectors * W;
    for (int32_t panel = o->panel_begin; panel < o->panel_end; panel++) {
        const float *g = o->g + (size_t)panel * o->g_panel;
        float *b = o->b + (size_t)panel * o->b_panel;
        if (!o->a) {
            outer_bias(vectors, g, o->rows, b);
            continue;
        }
        for (int32_t row = 0; row < o->rows; row += OUTER_ROWS) {
            const int32_t rows = o->rows - row < OUTER_ROWS ? o->rows - row : OUTER_ROWS;
            const float *a = o->a + (size_t)row * o->a_row;
            for (int32_t k = o->k_begin, n; k < o->k_end; k += n) {
                n = next_rows(o->k_end - k, most);
                WITH_ROWS(n, vectors, outer_tile, o, a + k, g + (size_t)row * width, rows,
                          b + (size_t)k * width);
            }
        }
    }
}

static void outer(const struct outer *o)
{
    switch (o->width / W) {
    case 1: outer_panels(1, o); break;
    case 2: outer_panels(2, o); break;
    default: outer_panels(4, o); break;
    }
}

static void transpose(const float *in, size_t in_row, int32_t rows, int32_t columns, float *out,
                      size_t out_row)
{
    for (int32_t r0 = 0; r0 < rows; r0 += W) {
        const int32_t r1 = rows - r0 < W ? rows : r0 + W;
        for (int32_t c = 0; c < columns; c++)
            for (int32_t r = r0; r < r1; r++)
                out[(size_t)c * out_row + (size_t)r] = in[(size_t)r * in_row + (size_t)c];
    }
}

#endif
