/* SPDX-License-Identifier: MIT */

/*
 * The LSTM cell on tiles: products and activations of a step forward, and their gradients backward.
 *
 * Activations work on a group: four vectors i, j, f, o of the same W units. Where a panel is as
 * wide as four vectors (U = W) each row of the product is one group. In small layers a group holds
 * the U units of W / U rows, whose gates have to change places first.
 */

#ifndef KERNELS_CELL_H
#define KERNELS_CELL_H

#include <stdbool.h>

#include "activation.h"
#include "kernels.h"
#include "single.h"
#include "tile.h"

struct group {
    vec i, j, f, o;
};

#if W == 16
/* Four rows [i j f o] of quarter vectors to i, j, f, o; its own inverse. */
INLINE struct group exchange_quarters(vec a, vec b, vec c, vec d)
{
    const vec ij0 = SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const vec fo0 = SHUFFLE(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    const vec ij1 = SHUFFLE(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const vec fo1 = SHUFFLE(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    return (struct group){
        SHUFFLE(ij0, ij1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
        SHUFFLE(ij0, ij1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
        SHUFFLE(fo0, fo1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
        SHUFFLE(fo0, fo1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)};
}
#endif

#if W >= 8
INLINE vec low_halves(vec a, vec b)
{
#if W == 16
    return SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
#else
    return SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
#endif
}

INLINE vec high_halves(vec a, vec b)
{
#if W == 16
    return SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#else
    return SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
#endif
}
#endif

/* Group g of a tile; rows that are not there are 0. */
INLINE struct group gather(int32_t rows, int32_t vectors, const struct tile *t, int32_t g)
{
    const vec none = splat(0.0f);
#if W == 16
    if (vectors == 1) {
        const int32_t r = 4 * g;
        return exchange_quarters(t->at[r][0], r + 1 < rows ? t->at[r + 1][0] : none,
                                 r + 2 < rows ? t->at[r + 2][0] : none,
                                 r + 3 < rows ? t->at[r + 3][0] : none);
    }
#endif
#if W >= 8
    if (vectors == 2) {
        const int32_t r = 2 * g;
        const vec ij = r + 1 < rows ? t->at[r + 1][0] : none,
                  fo = r + 1 < rows ? t->at[r + 1][1] : none;
        return (struct group){low_halves(t->at[r][0], ij), high_halves(t->at[r][0], ij),
                              low_halves(t->at[r][1], fo), high_halves(t->at[r][1], fo)};
    }
#endif
    (void)rows, (void)vectors, (void)none;
    return (struct group){t->at[g][0], t->at[g][1], t->at[g][2], t->at[g][3]};
}

/* The rows of a group back to row order, at most `rows` of them. */
INLINE void scatter(int32_t rows, int32_t vectors, struct group in, float *out)
{
#if W == 16
    if (vectors == 1) {
        const struct group r = exchange_quarters(in.i, in.j, in.f, in.o);
        store(out, r.i);
        if (rows > 1)
            store(out + W, r.j);
        if (rows > 2)
            store(out + 2 * W, r.f);
        if (rows > 3)
            store(out + 3 * W, r.o);
        return;
    }
#endif
#if W >= 8
    if (vectors == 2) {
        store(out, low_halves(in.i, in.j));
        store(out + W, low_halves(in.f, in.o));
        if (rows > 1) {
            store(out + 2 * W, high_halves(in.i, in.j));
            store(out + 3 * W, high_halves(in.f, in.o));
        }
        return;
    }
#endif
    (void)rows, (void)vectors;
    store(out, in.i);
    store(out + W, in.j);
    store(out + 2 * W, in.f);
    store(out + 3 * W, in.o);
}

/* sigmoid(i), tanh(j), sigmoid(f + forget_bias), sigmoid(o) */
INLINE struct group activate(const struct numbers *k, struct group a, float forget_bias)
{
    return (struct group){vsigmoid(a.i, k), vtanh(a.j, k), vsigmoid(a.f + splat(forget_bias), k),
                          vsigmoid(a.o, k)};
}

#if W == 16
/* The first quarters of a group as one row [i j f o]. */
INLINE vec first_row(struct group g)
{
    return exchange_quarters(g.i, g.j, g.f, g.o).i;
}

/* Every quarter of the row in the first one of a vector: a group whose other rows are not there. */
INLINE struct group row_group(vec row)
{
    const __m512 r = (__m512)row;
    return (struct group){row, (vec)_mm512_shuffle_f32x4(r, r, 0x55),
                          (vec)_mm512_shuffle_f32x4(r, r, 0xaa),
                          (vec)_mm512_shuffle_f32x4(r, r, 0xff)};
}

/* As `activate`, for a group of a single row: all its sigmoids at once. */
INLINE struct group activate_row(const struct numbers *k, vec row, float forget_bias)
{
    const __m512 biased =
        _mm512_mask_add_ps((__m512)row, 0x0f00, (__m512)row, (__m512)splat(forget_bias));
    const __m512 sigmoids = (__m512)vsigmoid((vec)biased, k), tanhs = (__m512)vtanh(row, k);
    return row_group((vec)_mm512_mask_mov_ps(sigmoids, 0x00f0, tanhs));
}
#endif

/* c' = c * f + i * j, and its tanh. */
struct new_cell {
    vec c, squashed;
};

INLINE struct new_cell new_cell(const struct numbers *k, struct group a, vec c)
{
    c = multiply_add(c, a.f, a.i * a.j);
    return (struct new_cell){c, vtanh(c, k)};
}

/* Where the new state of a group goes, and what is recorded of it: gates are NULL where nothing is. */
struct cell_out {
    float *c, *h, *gates, *tanh_c;
};

/* For the units that begin at `here` in the arrays of all steps, and at `record` in `gates`. */
INLINE struct cell_out cell_out(const struct cell_forward *s, size_t here, size_t record)
{
    return (struct cell_out){s->c_next + here, s->h_next + here,
                             s->gates ? s->gates + record : NULL,
                             s->gates ? s->tanh_c + here : NULL};
}

/* Gives h' = tanh(c') * o. */
INLINE vec store_cell(struct cell_out out, struct group a, struct new_cell n)
{
    const vec h = n.squashed * a.o;
    raise_denormal(h);
    store(out.c, n.c);
    store(out.h, h);
    if (out.gates) {
        store(out.gates, a.i);
        store(out.gates + W, a.j);
        store(out.gates + 2 * W, a.f);
        store(out.gates + 3 * W, a.o);
        store(out.tanh_c, n.squashed);
    }
    return h;
}

/* The outputs that are left are W or fewer, or none. */
INLINE void store_outputs(float *y, vec h, int32_t left)
{
#if W == 16
    /* A masked store that reaches into a page which is not there takes 150 ns. */
    const uintptr_t page = 4096;
    if (left < W && (uintptr_t)y % page > page - sizeof h) {
        float row[W];
        store(row, h);
        for (int32_t u = 0; u < left; u++)
            y[u] = row[u];
        return;
    }
#endif
    store_columns(y, h, left);
}

/*
 * The cells of `count` groups, which lie `apart` floats from each other, and `record_apart` in
 * `gates`. All are made before the first is stored: after a store the compiler reads all numbers
 * anew.
 */
INLINE void update_cells(const struct numbers *k, const struct cell_forward *s, int32_t count,
                         const struct group *gates, size_t here, size_t apart, size_t record,
                         size_t record_apart)
{
    struct new_cell new[MAX_ROWS];
    UNROLL(8)
    for (int32_t n = 0; n < count; n++)
        new[n] = new_cell(k, gates[n], load(s->c + here + (size_t)n * apart));
    UNROLL(8)
    for (int32_t n = 0; n < count; n++)
        store_cell(cell_out(s, here + (size_t)n * apart, record + (size_t)n * record_apart),
                   gates[n], new[n]);
}

/*
 * Steps that take turns go from the first panel to the last and back: what a step has read last is
 * still near when the next one begins.
 */
INLINE bool goes_back(const struct cell_forward *s, int32_t step)
{
    return s->turns & (s->turn + step);
}

/* Rows of a panel as wide as four vectors. */
INLINE void cell_forward_tile(int32_t rows, int32_t vectors, const struct cell_forward *s,
                              int32_t step, int32_t row, int32_t panel,
                              const struct following *following)
{
    const size_t width = (size_t)vectors * W;
    const size_t at = (size_t)step * (size_t)s->batch + (size_t)row;
    const float *recurrent = following->now, *kernel = recurrent - (size_t)(1 + s->input) * width;
    const size_t here = at * s->row + (size_t)panel * W;
    const float *preact = s->x ? NULL : s->preact + (size_t)panel * s->preact_panel + at * width;
    struct tile sum, input;

    if (s->gates)
        tile_fetch(rows, 1, rows_from(s->tanh_c + here, s->row));
    tile_fetch(rows, 1, rows_from(s->c_next + here, s->row));
    tile_fetch(rows, 1, rows_from(s->h_next + here, s->row));
    tile_zero(rows, vectors, &sum);
    tile_multiply(rows, vectors, &sum, s->h + at * s->row, s->row, 1, recurrent, width, s->hidden,
                  share_following(vectors, following, (row - s->row_begin) / tile_rows(vectors)),
                  rows_from(preact, width));
    if (s->x) {
        struct tile room;
        const struct tile *aside = tile_aside(rows, vectors, &sum, &room);
        tile_row(rows, vectors, &input, kernel);
        tile_multiply(rows, vectors, &input, s->x + at * s->x_row, s->x_row, 1, kernel + width,
                      width, s->input, lines_from(recurrent, LINE), (struct own){0});
        tile_add(rows, vectors, &sum, aside, &input);
    } else {
        tile_load(rows, vectors, &input, preact, width);
        tile_add(rows, vectors, &sum, &sum, &input);
    }

    const size_t record = (size_t)panel * s->gates_panel + at * width;
    /* Gates of all rows before the first new c: what waits for one row would hide the others. */
    struct group gates[MAX_ROWS];
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++) {
        NUMBERS_HERE(k);
        const struct group g = {sum.at[r][0], sum.at[r][1], sum.at[r][2], sum.at[r][3]};
        gates[r] = activate(k, g, s->forget_bias);
    }
    /* Without tables, reading numbers anew costs less than keeping what several rows have made. */
    const int32_t at_once = W == 16 ? rows : 1;
    UNROLL(8)
    for (int32_t r = 0; r < rows; r += at_once) {
        NUMBERS_HERE(k);
        const size_t offset = (size_t)r * s->row;
        update_cells(k, s, at_once, gates + r, here + offset, s->row, record + (size_t)r * width,
                     width);
    }
}

#if W >= 8
INLINE struct group activate_group(const struct numbers *k, int32_t rows, int32_t vectors,
                                   const struct tile *t, int32_t g, float forget_bias)
{
#if W == 16
    if (vectors == 1 && rows == 4 * g + 1)
        return activate_row(k, t->at[4 * g][0], forget_bias);
#endif
    return activate(k, gather(rows, vectors, t, g), forget_bias);
}

/* Rows of a small layer, which has one panel, reads x itself and has nothing between its rows. */
INLINE void cell_forward_small_tile(int32_t rows, int32_t vectors, const struct cell_forward *s,
                                    int32_t step, int32_t row)
{
    const size_t width = (size_t)vectors * W, units = width / 4, group_rows = W / units;
    const size_t batch = (size_t)s->batch, at = (size_t)step * batch + (size_t)row;
    const size_t here = at * units;
    struct tile sum, input;
    const float *kernel = s->kernel, *recurrent = kernel + (size_t)(1 + s->input) * width;
    tile_zero(rows, vectors, &sum);
    tile_multiply(rows, vectors, &sum, s->h + here, units, 1, recurrent, width, s->hidden,
                  (struct ahead){0}, (struct own){0});
    tile_row(rows, vectors, &input, kernel);
    tile_multiply(rows, vectors, &input, s->x + at * s->x_row, s->x_row, 1, kernel + width, width,
                  s->input, (struct ahead){0}, (struct own){0});
    tile_add(rows, vectors, &sum, &sum, &input);

    /* Steps take up whole groups in the record. */
    const size_t groups = (batch + group_rows - 1) / group_rows;
    const size_t record = ((size_t)step * groups + (size_t)row / group_rows) * 4 * W;
    /* First: a group's store may reach into what the next one loads, which would wait for it. */
    vec c[MAX_ROWS];
    UNROLL(8)
    for (size_t g = 0; g * group_rows < (size_t)rows; g++)
        c[g] = load(s->c + here + g * W);
    NUMBERS_HERE(k);
    UNROLL(8)
    for (size_t g = 0; g * group_rows < (size_t)rows; g++) {
        const struct group a = activate_group(k, rows, vectors, &sum, (int32_t)g, s->forget_bias);
        const vec h =
            store_cell(cell_out(s, here + g * W, record + g * 4 * W), a, new_cell(k, a, c[g]));
        if (s->y)
            store_outputs(s->y + (size_t)step * (size_t)s->hidden, h, s->hidden);
    }
}
#endif

/*
 * With tables, of few units: tanh of one panel takes longest and comes first. Of two it comes last,
 * as what it looks up would not leave enough registers for the sigmoids.
 */
INLINE void activate_panels(const struct numbers *k, int32_t panels, bool few, struct group *a,
                            float forget_bias)
{
    if (W < 16 || !few) {
        UNROLL(2)
        for (int32_t p = 0; p < panels; p++)
            a[p] = activate(k, a[p], forget_bias);
        return;
    }
    if (panels == 1)
        a[0].j = vtanh(a[0].j, k);
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++) {
        a[p].i = vsigmoid(a[p].i, k);
        a[p].f = vsigmoid(a[p].f + splat(forget_bias), k);
        a[p].o = vsigmoid(a[p].o, k);
    }
    if (panels == 2) {
        a[0].j = vtanh(a[0].j, k);
        a[1].j = vtanh(a[1].j, k);
    }
}

#define FEW_UNITS ((MANY_REGISTERS ? 2 : 1) * W)

/*
 * A batch of one row, as in a stream, has few chains of additions to hide their latency. So even
 * and odd recurrent inputs may be added apart, and two panels go together. Where x has a chain of
 * its own too, it comes last in steps that go back. What is apart depends on the layer alone: steps
 * and windows, any number of threads and of panels that go together give the same bits.
 *
 * Loads take the time of a step whose weights are near, so all pointers are read once, before the
 * first store; `once` is for a single step that reads x and records nothing.
 */
INLINE void cell_forward_single(int32_t panels, bool x_apart, bool odd_apart, bool once,
                                const struct cell_forward *s, int32_t step, int32_t panel,
                                bool back)
{
    const int32_t hidden = s->hidden;
    const size_t panel_size = (size_t)(1 + s->input + hidden) * 4 * W;
    const float *kernel = s->kernel + (size_t)panel * panel_size;
    const float *recurrent = kernel + (size_t)(1 + s->input) * 4 * W;
    const bool reads_x = once || s->x;
    const float *start =
        reads_x ? kernel : s->preact + (size_t)panel * s->preact_panel + (size_t)step * 4 * W;
    const size_t start_panel = reads_x ? panel_size : s->preact_panel;
    const float *x = reads_x ? s->x + (size_t)step * s->x_row : NULL;
    const float *h = s->h + (size_t)step * s->row;
    vec sum[2][4], even[2][4], odd[2][4];
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++)
        UNROLL(4)
        for (int32_t v = 0; v < 4; v++) {
            sum[p][v] = load(start + (size_t)p * start_panel + v * W);
            even[p][v] = odd[p][v] = splat(0.0f);
        }
    const bool x_last = reads_x && x_apart && back;
    if (reads_x && odd_apart && !x_apart && s->input <= FEW_UNITS)
        add_rows(panels, x, s->input, kernel + 4 * W, panel_size, sum, odd);
    else if (reads_x && !x_last)
        add_rows(panels, x, s->input, kernel + 4 * W, panel_size, sum, sum);
    add_rows(panels, h, hidden, recurrent, panel_size, x_apart ? even : sum,
             odd_apart ? odd : x_apart ? even : sum);
    if (x_last)
        add_rows(panels, x, s->input, kernel + 4 * W, panel_size, sum, sum);
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++)
        UNROLL(4)
        for (int32_t v = 0; v < 4; v++)
            if (x_apart)
                sum[p][v] += odd_apart ? even[p][v] + odd[p][v] : even[p][v];
            else if (odd_apart)
                sum[p][v] += odd[p][v];
    const size_t here = (size_t)step * s->row + (size_t)panel * W;
    const size_t record = (size_t)panel * s->gates_panel + (size_t)step * 4 * W;
    struct cell_out out[2];
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++)
        out[p] = once ? (struct cell_out){.c = s->c_next + here + (size_t)p * W,
                                          .h = s->h_next + here + (size_t)p * W}
                      : cell_out(s, here + (size_t)p * W, record + (size_t)p * s->gates_panel);
    float *y = s->y ? s->y + (size_t)step * (size_t)hidden + (size_t)panel * W : NULL;
    const int32_t left = hidden - panel * W;
    NUMBERS_HERE(k);
    struct group gates[2];
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++)
        gates[p] = (struct group){sum[p][0], sum[p][1], sum[p][2], sum[p][3]};
    activate_panels(k, panels, !x_apart, gates, s->forget_bias);
    struct new_cell new[2];
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++)
        new[p] = new_cell(k, gates[p], load(s->c + here + (size_t)p * W));
    UNROLL(2)
    for (int32_t p = 0; p < panels; p++) {
        const vec h_next = store_cell(out[p], gates[p], new[p]);
        if (y)
            store_outputs(y + p * W, h_next, left - p * W);
    }
}

/*
 * One panel and two are functions of their own: a large frame takes time in a short call, and what
 * they add up stays in registers.
 *
 * Few units have no more panels than may go together. Their even recurrent inputs go on with the
 * chain of x, odd ones have a chain of their own, and odd inputs of x go to it, where x is as short;
 * a product of x would add them otherwise, so layers that are as small never make one.
 */
NOINLINE void cell_forward_step_one(const struct cell_forward *s)
{
    cell_forward_single(1, false, true, true, s, 0, 0, false);
}

NOINLINE void cell_forward_panel(const struct cell_forward *s, int32_t begin, int32_t end,
                                 int32_t panel)
{
    for (int32_t step = begin; step < end; step++)
        cell_forward_single(1, false, true, false, s, step, panel, false);
}

NOINLINE void cell_forward_few_one(const struct cell_forward *s)
{
    if (s->panel_begin < s->panel_end)
        cell_forward_panel(s, s->step_begin, s->step_end, s->panel_begin);
}

#if MANY_REGISTERS
NOINLINE void cell_forward_step_two(const struct cell_forward *s)
{
    cell_forward_single(2, false, true, true, s, 0, 0, false);
}

NOINLINE void cell_forward_few_two(const struct cell_forward *s)
{
    for (int32_t step = s->step_begin; step < s->step_end; step++)
        cell_forward_single(2, false, true, false, s, step, 0, false);
}

NOINLINE void cell_forward_few_apart(const struct cell_forward *s)
{
    for (int32_t step = s->step_begin; step < s->step_end; step++) {
        const bool back = goes_back(s, step);
        cell_forward_panel(s, step, step + 1, s->panel_begin + back);
        cell_forward_panel(s, step, step + 1, s->panel_begin + !back);
    }
}
#endif

/*
 * Of many units x is apart, so that it can come last on the way back, where registers are many. So
 * are odd recurrent inputs but with AVX-512, whose weights come from the second level of cache
 * then, which does not keep more chains busy: on Intel it costs 2 to 6 %.
 */
#define X_APART MANY_REGISTERS
#define ODD_APART (MANY_REGISTERS && W < 16)

NOINLINE void cell_forward_many_one(const struct cell_forward *s, int32_t step, int32_t panel,
                                    bool back)
{
    cell_forward_single(1, X_APART, ODD_APART, false, s, step, panel, back);
}

NOINLINE void cell_forward_many_two(const struct cell_forward *s, int32_t step, int32_t panel,
                                    bool back)
{
    cell_forward_single(2, X_APART, ODD_APART, false, s, step, panel, back);
}

/*
 * With 16 registers two panels fill them with one chain for each gate, and go together, as one
 * panel would wait for its additions.
 */
NOINLINE void cell_forward_many(const struct cell_forward *s)
{
    const int32_t together = MANY_REGISTERS ? s->together : 2;
    for (int32_t step = s->step_begin; step < s->step_end; step++) {
        const bool back = goes_back(s, step);
        for (int32_t begin = s->panel_begin, end = s->panel_end, n; begin < end;) {
            n = end - begin < together ? end - begin : together;
            const int32_t panel = back ? end - n : begin;
            if (n == 2)
                cell_forward_many_two(s, step, panel, back);
            else
                cell_forward_many_one(s, step, panel, back);
            if (back)
                end -= n;
            else
                begin += n;
        }
    }
}

#if W >= 8
INLINE void cell_forward_small(int32_t vectors, const struct cell_forward *s)
{
    for (int32_t step = s->step_begin; step < s->step_end; step++)
        for (int32_t row = s->row_begin, n; row < s->row_end; row += n) {
            n = s->row_end - row < tile_rows(vectors) ? s->row_end - row : tile_rows(vectors);
            WITH_ROWS(n, vectors, cell_forward_small_tile, s, step, row);
        }
}

#if W == 16
NOINLINE void cell_forward_quarters(const struct cell_forward *s)
{
    cell_forward_small(1, s);
}
#endif

NOINLINE void cell_forward_halves(const struct cell_forward *s)
{
    cell_forward_small(2, s);
}
#endif

NOINLINE void cell_forward_wide(const struct cell_forward *s)
{
    const size_t width = 4 * W, to_recurrent = (size_t)(1 + s->input) * width;
    const ptrdiff_t panel_size = (ptrdiff_t)(to_recurrent + (size_t)s->hidden * width);
    const int32_t part = even_part(4, tile_count(s->row_end - s->row_begin, 4));
    for (int32_t step = s->step_begin; step < s->step_end; step++) {
        const bool back = goes_back(s, step);
        for (int32_t p = s->panel_begin; p < s->panel_end; p++) {
            const int32_t panel = back ? s->panel_begin + s->panel_end - 1 - p : p;
            const float *kernel = s->kernel + panel * panel_size;
            const bool last = p + 1 == s->panel_end;
            const float *next = kernel + (last ? 0 : back ? -panel_size : panel_size);
            const struct following following = {
                kernel + to_recurrent, s->x ? next : next + to_recurrent, (size_t)s->hidden, part};
            for (int32_t row = s->row_begin, n; row < s->row_end; row += n) {
                n = next_rows(s->row_end - row, tile_rows(4));
                WITH_ROWS(n, 4, cell_forward_tile, s, step, row, panel, &following);
            }
        }
    }
}

static cell_forward_kernel *choose_forward(const struct cell_forward *s)
{
#if W == 16
    if (s->units == W / 4)
        return cell_forward_quarters;
#endif
#if W >= 8
    if (s->units == W / 2)
        return cell_forward_halves;
#endif
    if (s->batch > 1)
        return cell_forward_wide;
    if (s->hidden > FEW_UNITS)
        return cell_forward_many;
#if MANY_REGISTERS
    if (s->panel_end - s->panel_begin == 2)
        return s->together == 2 ? cell_forward_few_two : cell_forward_few_apart;
#endif
    return cell_forward_few_one;
}

static void cell_forward(const struct cell_forward *s)
{
    choose_forward(s)(s);
}

static cell_forward_kernel *choose_step(const struct cell_forward *s)
{
    cell_forward_kernel *const kernel = choose_forward(s);
#if MANY_REGISTERS
    if (kernel == cell_forward_few_two)
        return cell_forward_step_two;
#endif
    return kernel == cell_forward_few_one ? cell_forward_step_one : kernel;
}

/*
 * With dh the gradient on h', dc on c':
 *     dc += dh * o * (1 - tanh(c')^2);   the gates' inputs get
 *     di = dc * j * i(1-i);   dj = dc * i * (1-j^2);
 *     df = dc * c * f(1-f);   do = dh * tanh(c') * o(1-o)
 * and c gets dc * f. What dh and dc are multiplied by comes first: a step waits for the dh of the
 * one after.
 */
INLINE struct group cell_gradient(const float *gates, vec tanh_c, vec c, vec dh, vec dc,
                                  vec *dc_before)
{
    const vec one = splat(1.0f);
    const vec i = load(gates), j = load(gates + W), f = load(gates + 2 * W),
              o = load(gates + 3 * W);
    const vec to_c = o * (one - tanh_c * tanh_c), to_i = j * (i - i * i), to_j = i * (one - j * j),
              to_f = c * (f - f * f), to_o = tanh_c * (o - o * o);
    dc += dh * to_c;
    *dc_before = dc * f;
    return (struct group){dc * to_i, dc * to_j, dc * to_f, dh * to_o};
}

/* The gradients of one group; dh comes in, dc is carried. */
INLINE struct group cell_backward_group(const struct cell_backward *s, size_t at, size_t unit,
                                        const float *gates, float *dc_carry, vec dh,
                                        const int32_t *keep)
{
    const size_t here = at * s->row + unit;
    const size_t out = at * s->out_row + unit;
    vec dc = load(dc_carry), dc_before;
    if (s->dh_out)
        dh += load(s->dh_out + out);
    if (s->dc_out)
        dc += load(s->dc_out + out);
    struct group g =
        cell_gradient(gates, load(s->tanh_c + here), load(s->c + here), dh, dc, &dc_before);
    store(dc_carry, dc_before);
    if (keep)
        g = (struct group){keep_lanes(g.i, keep), keep_lanes(g.j, keep), keep_lanes(g.f, keep),
                           keep_lanes(g.o, keep)};
    return g;
}

/* dh_carry = dgates of `step` @ transposed recurrent kernel, for this call's rows and units. */
INLINE void carry_back(const struct cell_backward *s, int32_t step)
{
    const size_t width = 4 * (size_t)s->units;
    product(&(struct product){
        .a = s->dgates + (size_t)step * (size_t)s->batch * width,
        .a_row = width,
        .a_segment = (ptrdiff_t)s->dgates_panel,
        .segments = s->panels,
        .length = (int32_t)width,
        .b = s->transposed,
        .b_panel = s->block,
        .width = s->width,
        .init = PRODUCT_ZERO,
        .c = s->dh_carry,
        .c_row = s->carry_row,
        .c_panel = (size_t)s->width,
        .columns = (int32_t)s->carry_row,
        .few = s->batch <= FEW_ROWS,
        .row_begin = s->row_begin,
        .row_end = s->row_end,
        .panel_begin = s->block_begin,
        .panel_end = s->block_end,
        .back = step & 1, /* in turns, as forward */
    });
}

INLINE void cell_backward_wide(const struct cell_backward *s)
{
    const int32_t panels_per_block = s->width / W;
    const int32_t end = s->block_end * panels_per_block;
    for (int32_t step = s->step_end - 1; step >= s->step_begin; step--) {
        if (step + 1 < s->steps)
            carry_back(s, step + 1);
        for (int32_t panel = s->block_begin * panels_per_block;
             panel < (end < s->panels ? end : s->panels); panel++)
            for (int32_t row = s->row_begin; row < s->row_end; row++) {
                const size_t at = (size_t)step * (size_t)s->batch + (size_t)row;
                const size_t carry = (size_t)row * s->carry_row + (size_t)panel * W;
                const struct group g = cell_backward_group(
                    s, at, (size_t)panel * W,
                    s->gates + (size_t)panel * s->gates_panel + at * 4 * W, s->dc_carry + carry,
                    load(s->dh_carry + carry), panel + 1 == s->panels ? s->keep : NULL);
                scatter(1, 4, g, s->dgates + (size_t)panel * s->dgates_panel + at * 4 * W);
            }
    }
}

#if W >= 8
/* Rows of dgates @ a transposed kernel of no more than U columns, in registers. */
INLINE vec multiply_back(int32_t units, struct group g, const float *transposed)
{
    const vec gate[4] = {g.i, g.j, g.f, g.o};
    vec sum[4];
    UNROLL(4)
    for (int32_t n = 0; n < 4; n++) {
        const float *b = transposed + n * units * W;
        sum[n] = spread(units, gate[n], 0) * load_units(units, b);
        UNROLL(8)
        for (int32_t k = 1; k < units; k++)
            sum[n] += spread(units, gate[n], k) * load_units(units, b + k * W);
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* As many rows of a group as there are: what comes after them is of another step. */
INLINE void store_rows(int32_t units, int32_t rows, float *p, vec v)
{
    if (rows * units >= W)
        store(p, v);
    else
        store_first(p, v, rows * units);
}

#if W == 16
/* A transposed kernel of at most four columns as four vectors, each with a row for every gate. */
struct row_kernel {
    vec at[4];
};

INLINE struct row_kernel row_kernel(const float *transposed)
{
    struct row_kernel kernel;
    UNROLL(4)
    for (int32_t k = 0; k < 4; k++) {
        const float *b = transposed + k * W;
        kernel.at[k] =
            first_row((struct group){load(b), load(b + 4 * W), load(b + 8 * W), load(b + 12 * W)});
    }
    return kernel;
}

/* As multiply_back, for one row [i j f o], with the same order of additions. */
INLINE vec multiply_row_back(vec row, const struct row_kernel *kernel)
{
    vec sum = spread(4, row, 0) * kernel->at[0];
    UNROLL(4)
    for (int32_t k = 1; k < 4; k++)
        sum += spread(4, row, k) * kernel->at[k];
    sum += (vec)_mm512_shuffle_f32x4((__m512)sum, (__m512)sum, 0xb1);
    return sum + (vec)_mm512_shuffle_f32x4((__m512)sum, (__m512)sum, 0x4e);
}
#endif

/* A small layer, whose groups of rows have nothing to do with each other. */
INLINE void cell_backward_small(int32_t vectors, const struct cell_backward *s)
{
    const int32_t units = vectors * W / 4, group_rows = W / units;
    const int32_t groups = (s->batch + group_rows - 1) / group_rows;
#if W == 16
    const bool single = vectors == 1 && s->batch % 4 == 1;
    struct row_kernel kernel, kernel_x;
    if (single) {
        kernel = row_kernel(s->transposed);
        if (s->dx)
            kernel_x = row_kernel(s->transposed_x);
    }
#endif
    for (int32_t step = s->step_end - 1; step >= s->step_begin; step--)
        for (int32_t n = 0; n < groups; n++) {
            const int32_t row = n * group_rows;
            const size_t at = (size_t)step * (size_t)s->batch + (size_t)row;
            float *dh_carry = s->dh_carry + (size_t)row * s->carry_row;
            float *dgates = s->dgates + at * 4 * (size_t)units;
            const struct group g = cell_backward_group(
                s, at, 0, s->gates + (size_t)(step * groups + n) * 4 * W,
                s->dc_carry + (size_t)row * s->carry_row, load(dh_carry), s->keep);
#if W == 16
            if (single && n + 1 == groups) {
                const vec last = first_row(g);
                store(dh_carry, multiply_row_back(last, &kernel));
                store(dgates, last);
                if (s->dx)
                    store_first(s->dx + at * 4, multiply_row_back(last, &kernel_x), 4);
                continue;
            }
#endif
            store(dh_carry, multiply_back(units, g, s->transposed));
            scatter(s->batch - row, vectors, g, dgates);
            if (s->dx)
                store_rows(units, s->batch - row, s->dx + at * (size_t)units,
                           multiply_back(units, g, s->transposed_x));
        }
}
#endif

static void cell_backward(const struct cell_backward *s)
{
    switch (4 * s->units / W) {
#if W == 16
    case 1: cell_backward_small(1, s); break;
#endif
#if W >= 8
    case 2: cell_backward_small(2, s); break;
#endif
    default: cell_backward_wide(s); break;
    }
}

#endif
