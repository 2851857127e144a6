/* SPDX-License-Identifier: MIT */

/* Products with panels outside the recurrence, and the gradients of panel matrices. */

#ifndef KERNELS_PRODUCT_H
#define KERNELS_PRODUCT_H

#include <stdbool.h>

#include "kernels.h"
#include "single.h"
#include "tile.h"

/* Inputs that are multiplied for all rows before the next ones are: their panel stays in cache. */
#define PRODUCT_DEPTH 512

/* Rows of whole tiles, which with many segments go through all panels before the next ones. */
#define PRODUCT_ROWS 252

/* A slice of all inputs: `segments` of `length` each. */
struct slice {
    const float *a, *b;
    int32_t segments, length;
    int32_t init;
    struct following following;
};

#define MAX_CHAINS 4

/* A tile of a slice, with so many chains of additions for each element. */
INLINE void product_chains(int32_t rows, int32_t vectors, int32_t chains, const struct product *p,
                           const struct slice *slice, float *c, int32_t row, int32_t columns,
                           int32_t turn)
{
    const int32_t width = vectors * W;
    const float *a = slice->a + (size_t)row * p->a_row, *b = slice->b;
    c += (size_t)row * p->c_row;
    struct tile t[MAX_CHAINS];
    if (slice->init == PRODUCT_ZERO)
        tile_zero(rows, vectors, t);
    else if (slice->init == PRODUCT_BIAS)
        tile_row(rows, vectors, t, b - width);
    else if (columns >= width)
        tile_load(rows, vectors, t, c, p->c_row);
    else
        UNROLL(8)
        for (int32_t r = 0; r < rows; r++)
            UNROLL(4)
            for (int32_t v = 0; v < vectors; v++)
                t->at[r][v] = load_columns(c + (size_t)r * p->c_row + v * W, columns - v * W);
    UNROLL(4)
    for (int32_t n = 1; n < chains; n++)
        tile_zero(rows, vectors, &t[n]);
    struct ahead ahead = share_following(vectors, &slice->following, turn);
    for (int32_t s = 0; s < slice->segments; s++) {
        const bool last = s == slice->segments - 1;
        if (chains > 1)
            tile_multiply_chains(rows, vectors, chains, t, a, p->a_row, b, slice->length);
        else
            tile_multiply(rows, vectors, t, a, p->a_row, 1, b, (size_t)width, slice->length, ahead,
                          last ? rows_from(c, p->c_row) : rows_from(a + p->a_segment, p->a_row));
        ahead.at += (size_t)slice->length * ahead.step;
        a += last ? 0 : p->a_segment;
        b += (size_t)slice->length * (size_t)width;
    }
    UNROLL(4)
    for (int32_t n = 1; n < chains; n++)
        tile_add(rows, vectors, t, t, &t[n]);
    if (columns >= width)
        tile_store(rows, vectors, t, c, p->c_row);
    else
        UNROLL(8)
        for (int32_t r = 0; r < rows; r++)
            UNROLL(4)
            for (int32_t v = 0; v < vectors; v++)
                store_columns(c + (size_t)r * p->c_row + v * W, t->at[r][v], columns - v * W);
}

INLINE void product_tile(int32_t rows, int32_t vectors, const struct product *p,
                         const struct slice *slice, float *c, int32_t row, int32_t columns,
                         int32_t turn)
{
    product_chains(rows, vectors, 1, p, slice, c, row, columns, turn);
}

TILES_APART(product_tile,
            (const struct product *p, const struct slice *slice, float *c, int32_t row,
             int32_t columns, int32_t turn),
            p, slice, c, row, columns, turn)

/*
 * Of a batch of few rows with narrow panels, as in a readout or in dh of few units, one chain for
 * each element would be too few to hide the latency of an addition: there are four for each row.
 */
INLINE void product_few(int32_t vectors, const struct product *p, const struct slice *slice,
                        float *c, int32_t row, int32_t rows, int32_t columns)
{
    _Static_assert(FEW_ROWS == 3, "these are all");
    const int32_t chains = MAX_CHAINS / vectors;
    if (rows == 1)
        product_chains(1, vectors, chains, p, slice, c, row, columns, 0);
    else if (rows == 2)
        product_chains(2, vectors, chains, p, slice, c, row, columns, 0);
    else
        product_chains(3, vectors, chains, p, slice, c, row, columns, 0);
}

NOINLINE void product_few_1(const struct product *p, const struct slice *slice, float *c,
                            int32_t row, int32_t rows, int32_t columns)
{
    product_few(1, p, slice, c, row, rows, columns);
}

NOINLINE void product_few_2(const struct product *p, const struct slice *slice, float *c,
                            int32_t row, int32_t rows, int32_t columns)
{
    product_few(2, p, slice, c, row, rows, columns);
}

/* Gives the next tile's turn. */
INLINE int32_t product_rows(int32_t vectors, const struct product *p, const struct slice *slice,
                            int32_t panel, int32_t begin, int32_t end, int32_t turn)
{
    const bool few = p->few && vectors < 4;
    const int32_t most = few ? FEW_ROWS : tile_rows(vectors);
    float *c = p->c + (size_t)panel * p->c_panel;
    const int32_t columns = p->columns - panel * vectors * W;
    for (int32_t row = begin, n; row < end; row += n) {
        n = next_rows(end - row, most);
        if (few) {
            (vectors == 1 ? product_few_1 : product_few_2)(p, slice, c, row, n, columns);
            continue;
        }
        WITH_ROWS_APART(n, vectors, product_tile, p, slice, c, row, columns, turn);
        turn++;
    }
    return turn;
}

INLINE void product_runs(int32_t vectors, const struct product *p, const struct slice *slice,
                         int32_t panel)
{
    const int32_t begin = p->row_begin, end = p->row_end;
    int32_t turn = 0;
    if (!p->runs) {
        for (int32_t i = 0, first = 0; i <= p->more; i++, first += p->apart)
            turn = product_rows(vectors, p, slice, panel, first + begin, first + end, turn);
        return;
    }
    for (int32_t i = 0; i < p->run_count; i++) {
        const struct run run = p->runs[i];
        turn = product_rows(vectors, p, slice, panel, run.begin > begin ? run.begin : begin,
                            run.end < end ? run.end : end, turn);
    }
}

NOINLINE void product_slice(const struct product *p, const struct slice *slice, int32_t panel)
{
    switch (p->width / W) {
    case 1: product_runs(1, p, slice, panel); break;
    case 2: product_runs(2, p, slice, panel); break;
    default: product_runs(4, p, slice, panel); break;
    }
}

/* The slices of all panels in the order in which they are read. */
struct order {
    int32_t panels, slices;
    int32_t most;  /* inputs, or segments, of a slice; */
    size_t b_step; /* floats of B for each */
};

/* One long segment is cut into lengths, many short ones into groups. */
INLINE struct order product_order(const struct product *p)
{
    const bool one = p->segments == 1;
    const int32_t count = one ? p->length : p->segments;
    const int32_t most = one ? PRODUCT_DEPTH : 1 + (PRODUCT_DEPTH - 1) / p->length;
    return (struct order){p->panel_end - p->panel_begin, (count + most - 1) / most, most,
                          (size_t)(one ? 1 : p->length) * (size_t)p->width};
}

/* Of one segment all slices of a panel come first; of many, all panels of a slice. */
INLINE int32_t slice_of(const struct product *p, const struct order *o, int32_t index)
{
    return p->segments == 1 ? index % o->slices : index / o->panels;
}

INLINE int32_t panel_of(const struct product *p, const struct order *o, int32_t index)
{
    const int32_t turn = p->segments == 1 ? index / o->slices : index % o->panels;
    return p->back ? p->panel_end - 1 - turn : p->panel_begin + turn;
}

INLINE const float *slice_at(const struct product *p, const struct order *o, int32_t index)
{
    return p->b + (size_t)panel_of(p, o, index) * p->b_panel +
           (size_t)(slice_of(p, o, index) * o->most) * o->b_step;
}

static void product_block(const struct product *p)
{
    const bool one = p->segments == 1;
    const struct order order = product_order(p);
    const int32_t vectors = p->width / W;
    const int32_t part =
        even_part(vectors, (1 + p->more) * tile_count(p->row_end - p->row_begin, vectors));
    const int32_t last = order.panels * order.slices - 1;
    for (int32_t index = 0; index <= last; index++) {
        const int32_t begin = slice_of(p, &order, index) * order.most;
        const int32_t left = (one ? p->length : p->segments) - begin;
        const int32_t n = left < order.most ? left : order.most;
        const float *at = slice_at(p, &order, index);
        const float *next = slice_at(p, &order, index < last ? index + 1 : index);
        const struct slice slice = {
            .a = p->a + (one ? begin : begin * p->a_segment),
            .b = at,
            .segments = one ? 1 : n,
            .length = one ? n : p->length,
            .init = begin > 0 ? PRODUCT_ADD : p->init,
            .following = {at, next, (size_t)n * (one ? 1 : (size_t)p->length), part},
        };
        product_slice(p, &slice, panel_of(p, &order, index));
    }
}

/* Rows of many segments are divided into blocks: a slice of theirs stays in the second cache. */
static void product_tiles(const struct product *p)
{
    const int32_t rows = p->row_end - p->row_begin;
    const bool whole = p->segments == 1 || p->runs || rows < 1;
    const int32_t most = whole ? rows : PRODUCT_ROWS;
    const int32_t stripes = whole ? p->more + 1 : rows < most ? most / rows : 1;
    struct product block = *p;
    for (int32_t i = 0; i <= p->more; i += stripes) {
        block.more = (p->more - i < stripes ? p->more - i + 1 : stripes) - 1;
        for (int32_t row = 0; row < rows; row += most) {
            block.row_begin = p->row_begin + i * p->apart + row;
            block.row_end = block.row_begin + (rows - row < most ? rows - row : most);
            product_block(&block);
        }
    }
}

/*
 * A few rows of a narrow matrix, such as a readout at one step: a single tile, without the loops
 * around it.
 */
INLINE bool is_one_tile(const struct product *p)
{
    const int32_t rows = p->row_end - p->row_begin, most = p->few ? FEW_ROWS : tile_rows(1);
    return p->width == W && p->panel_begin == 0 && p->panel_end == 1 && !p->runs && !p->more &&
           rows > 0 && rows <= most && p->segments * p->length <= PRODUCT_DEPTH;
}

INLINE struct slice whole_slice(const struct product *p)
{
    return (struct slice){
        .a = p->a, .b = p->b, .segments = p->segments, .length = p->length, .init = p->init};
}

NOINLINE void product_one_tile(const struct product *p)
{
    const struct slice slice = whole_slice(p);
    WITH_ROWS(p->row_end - p->row_begin, 1, product_tile, p, &slice, p->c, p->row_begin, p->columns,
              0);
}

NOINLINE void product_one_few(const struct product *p)
{
    const struct slice slice = whole_slice(p);
    product_few(1, p, &slice, p->c, p->row_begin, p->row_end - p->row_begin, p->columns);
}

INLINE bool is_single_row(const struct product *p)
{
    return p->width == 4 * W && p->row_end - p->row_begin == 1 && !p->runs && !p->more;
}

INLINE void product_single_panels(int32_t panels, const struct product *p, int32_t panel)
{
    const float *a = p->a + (size_t)p->row_begin * p->a_row, *b = p->b + (size_t)panel * p->b_panel;
    float *c = p->c + (size_t)p->row_begin * p->c_row + (size_t)panel * p->c_panel;
    const int32_t columns = p->columns - panel * 4 * W;
    vec sum[2][4];
    UNROLL(2)
    for (int32_t n = 0; n < panels; n++)
        UNROLL(4)
        for (int32_t v = 0; v < 4; v++) {
            if (p->init == PRODUCT_ZERO)
                sum[n][v] = splat(0.0f);
            else if (p->init == PRODUCT_BIAS)
                sum[n][v] = load(b + (size_t)n * p->b_panel - (4 - v) * W);
            else
                sum[n][v] = load_columns(c + (size_t)n * p->c_panel + v * W,
                                         columns - (4 * n + v) * W);
        }
    for (int32_t s = 0; s < p->segments; s++) {
        add_rows(panels, a, p->length, b, p->b_panel, sum, sum);
        a += s + 1 < p->segments ? p->a_segment : 0;
        b += (size_t)p->length * 4 * W;
    }
    UNROLL(2)
    for (int32_t n = 0; n < panels; n++)
        UNROLL(4)
        for (int32_t v = 0; v < 4; v++)
            store_columns(c + (size_t)n * p->c_panel + v * W, sum[n][v],
                          columns - (4 * n + v) * W);
}

/*
 * One row of a wide matrix, as in a step of a stream: two panels go together, as the chains of one
 * would be too few to hide the latency of an addition.
 */
NOINLINE void product_single(const struct product *p)
{
    for (int32_t begin = p->panel_begin, end = p->panel_end, n; begin < end;) {
        n = end - begin < 2 ? 1 : 2;
        const int32_t panel = p->back ? end - n : begin;
        if (n == 2)
            product_single_panels(2, p, panel);
        else
            product_single_panels(1, p, panel);
        if (p->back)
            end -= n;
        else
            begin += n;
    }
}

static void product(const struct product *p)
{
    if (is_single_row(p))
        product_single(p);
    else if (!is_one_tile(p))
        product_tiles(p);
    else if (p->few)
        product_one_few(p);
    else
        product_one_tile(p);
}

/*
 * Rows of G that stay in the first cache while all tiles of a block of inputs are added to, and
 * inputs whose columns of A stay in the second while all panels are.
 */
#define OUTER_ROWS 96
#define OUTER_INPUTS 192

INLINE void outer_tile(int32_t ks, int32_t vectors, const struct outer *o, const struct run *runs,
                       int32_t count, const float *a, const float *g, const int32_t *keep, float *b,
                       struct ahead ahead)
{
    const size_t width = (size_t)vectors * W;
    struct tile t, odd;
    tile_load(ks, vectors, &t, b, width);
    if (vectors == 1)
        tile_zero(ks, vectors, &odd);
    for (int32_t i = 0; i < count; i++) {
        const int32_t rows = runs[i].end - runs[i].begin;
        const float *from = a + (size_t)runs[i].begin * o->a_row;
        const float *with = g + (size_t)runs[i].begin * width;
        if (vectors == 1) {
            /* Too few chains to hide the latency of an addition: odd rows get their own. */
            int32_t r = 0;
            for (; r + 1 < rows; r += 2, from += 2 * o->a_row, with += 2 * W) {
                tile_add_product(ks, 1, &t, from, 1, with);
                tile_add_product(ks, 1, &odd, from + o->a_row, 1, with + W);
            }
            if (r < rows)
                tile_add_product(ks, 1, &t, from, 1, with);
        } else {
            tile_multiply(ks, vectors, &t, from, 1, o->a_row, with, width, rows, ahead,
                          (struct own){0});
            ahead.at += (size_t)rows * ahead.step;
        }
    }
    if (vectors == 1)
        tile_add(ks, vectors, &t, &t, &odd);
    /* NaN in a would make NaN of a column that does not exist, so of the parameters' padding. */
    if (keep)
        UNROLL(8)
        for (int32_t k = 0; k < ks; k++)
            UNROLL(4)
            for (int32_t v = 0; v < vectors; v++)
                t.at[k][v] = keep_lanes(t.at[k][v], keep + v * W);
    tile_store(ks, vectors, &t, b, width);
}

TILES_APART(outer_tile,
            (const struct outer *o, const struct run *runs, int32_t count, const float *a,
             const float *g, const int32_t *keep, float *b, struct ahead ahead),
            o, runs, count, a, g, keep, b, ahead)

INLINE void outer_bias(int32_t vectors, const float *g, int32_t rows, float *b)
{
    /* Four chains of additions, whether they are four columns or four rows in turn. */
    const int32_t turns = 4 / vectors;
    vec sum[4];
    UNROLL(4)
    for (int32_t v = 0; v < 4; v++)
        sum[v] = v < vectors ? load(b + v * W) : splat(0.0f);
    int32_t r = 0;
    for (; r + turns <= rows; r += turns, g += 4 * W)
        UNROLL(4)
        for (int32_t v = 0; v < 4; v++)
            sum[v] += load(g + v * W);
    for (; r < rows; r++, g += vectors * W)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            sum[v] += load(g + v * W);
    UNROLL(4)
    for (int32_t v = vectors; v < 4; v++)
        sum[v % vectors] += sum[v];
    UNROLL(4)
    for (int32_t v = 0; v < vectors; v++)
        store(b + v * W, sum[v]);
}

/* The next OUTER_ROWS rows after row `from`; gives how many runs they are, and where they end. */
INLINE int32_t next_block(const struct outer *o, int32_t *from, struct run block[OUTER_ROWS])
{
    int32_t count = 0, rows = 0;
    if (!o->runs) {
        const int32_t left = o->rows - *from;
        block[0] = (struct run){*from, *from + (left < OUTER_ROWS ? left : OUTER_ROWS)};
        *from = block[0].end;
        return left > 0;
    }
    for (int32_t i = 0; i < o->run_count && rows < OUTER_ROWS; i++) {
        struct run run = {o->runs[i].begin > *from ? o->runs[i].begin : *from, o->runs[i].end};
        if (run.begin >= run.end)
            continue;
        if (run.end - run.begin > OUTER_ROWS - rows)
            run.end = run.begin + OUTER_ROWS - rows;
        rows += run.end - run.begin;
        block[count++] = run;
    }
    *from = count > 0 ? block[count - 1].end : *from;
    return count;
}

INLINE void outer_block(int32_t vectors, const struct outer *o, int32_t panel, int32_t k_begin,
                        int32_t k_end)
{
    const int32_t most = tile_rows(vectors);
    const size_t width = (size_t)vectors * W;
    const float *g = o->g + (size_t)panel * o->g_panel;
    float *b = o->b + (size_t)panel * o->b_panel;
    const int32_t part = even_part(vectors, tile_count(k_end - k_begin, vectors));
    const size_t tile_step = (size_t)most * width / OUTER_ROWS;
    struct run block[OUTER_ROWS];
    for (int32_t row = 0, count, first = 1; (count = next_block(o, &row, block)) > 0; first = 0) {
        const bool last = row >= o->rows && panel + 1 == o->panel_end;
        const float *next = row < o->rows ? g + (size_t)row * width : g + (last ? 0 : o->g_panel);
        const struct following following = {g, next, OUTER_ROWS, part};
        for (int32_t k = k_begin, n, turn = 0; k < k_end; k += n, turn++) {
            n = next_rows(k_end - k, most);
            float *at = b + (size_t)k * width;
            /* At first gradients come from afar, too: each tile fetches those of the next. */
            const struct ahead ahead = first ? lines_from(at + (size_t)n * width, tile_step)
                                             : share_following(vectors, &following, turn);
            WITH_ROWS_APART(n, vectors, outer_tile, o, block, count, o->a + k, g,
                            panel == o->last ? o->keep : NULL, at, ahead);
        }
    }
}

INLINE void outer_panels(int32_t vectors, const struct outer *o)
{
    if (!o->a) {
        for (int32_t panel = o->panel_begin; panel < o->panel_end; panel++)
            outer_bias(vectors, o->g + (size_t)panel * o->g_panel, o->rows,
                       o->b + (size_t)panel * o->b_panel);
        return;
    }
    for (int32_t k = o->k_begin, n; k < o->k_end; k += n) {
        n = next_rows(o->k_end - k, OUTER_INPUTS);
        for (int32_t panel = o->panel_begin; panel < o->panel_end; panel++)
            outer_block(vectors, o, panel, k, k + n);
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

/* Blocks of `step` lanes change places between two rows `step` apart. */
#define FIRST_HALF(step, lane) ((lane) & (step) ? W + (lane) - (step) : (lane))
#define SECOND_HALF(step, lane) ((lane) & (step) ? W + (lane) : (lane) + (step))
#define EXCHANGE(step, first, second)                                                              \
    UNROLL(16) for (int32_t r = 0; r < W; r++) if (!(r & (step)))                                  \
    {                                                                                              \
        const vec a = rows[r], b = rows[r + (step)];                                               \
        rows[r] = SHUFFLE(a, b, LANES(first));                                                     \
        rows[r + (step)] = SHUFFLE(a, b, LANES(second));                                           \
    }

#define FIRST_1(lane) FIRST_HALF(1, lane)
#define SECOND_1(lane) SECOND_HALF(1, lane)
#define FIRST_2(lane) FIRST_HALF(2, lane)
#define SECOND_2(lane) SECOND_HALF(2, lane)
#define FIRST_4(lane) FIRST_HALF(4, lane)
#define SECOND_4(lane) SECOND_HALF(4, lane)
#define FIRST_8(lane) FIRST_HALF(8, lane)
#define SECOND_8(lane) SECOND_HALF(8, lane)

/* W columns of `rows_left` rows, of which there are no more than `most`; they become W rows. */
INLINE void transpose_block(int32_t most, const float *in, size_t in_row, int32_t rows_left,
                            float *out, size_t out_row)
{
    vec rows[W];
    UNROLL(16)
    for (int32_t r = 0; r < W; r++)
        rows[r] = r < most && r < rows_left ? load(in + (size_t)r * in_row) : splat(0.0f);
    EXCHANGE(1, FIRST_1, SECOND_1)
    EXCHANGE(2, FIRST_2, SECOND_2)
#if W >= 8
    EXCHANGE(4, FIRST_4, SECOND_4)
#endif
#if W >= 16
    EXCHANGE(8, FIRST_8, SECOND_8)
#endif
    UNROLL(16)
    for (int32_t r = 0; r < W; r++)
        store(out + (size_t)r * out_row, rows[r]);
}

static void transpose(const float *in, size_t in_row, int32_t rows, int32_t columns, float *out,
                      size_t out_row)
{
    /*
     * As in small layers: most of the exchanges have nothing to do. A choice in the loop below
     * costs the gain.
     */
    if (rows <= 4) {
        for (int32_t c = 0; c < columns; c += W)
            transpose_block(4, in + (size_t)c, in_row, rows, out + (size_t)c * out_row, out_row);
        return;
    }
    /* In order: below lines are read and written some rows apart, which no cache foresees. */
    for (size_t i = 0; i < (size_t)rows * in_row; i += LINE) {
        __builtin_prefetch(in + i, 0, 2);
        __builtin_prefetch(out + i, 1, 2);
    }
    for (int32_t c = 0; c < columns; c += W)
        for (int32_t r = 0; r < rows; r += W)
            transpose_block(W, in + (size_t)r * in_row + (size_t)c, in_row, rows - r,
                            out + (size_t)c * out_row + (size_t)r, out_row);
}

static void pad_rows(const float *from, size_t from_row, size_t units, float *to, size_t to_row,
                     int32_t rows)
{
    if (units <= W && to_row == W) {
        for (int32_t r = 0; r < rows; r++, from += from_row, to += W)
            store(to, load_first(from, (int32_t)units));
        return;
    }
    for (int32_t r = 0; r < rows; r++, from += from_row, to += to_row)
        for (size_t u = 0; u < to_row; u += W) {
            const size_t left = u < units ? units - u : 0, room = to_row - u;
            const vec v = left >= W ? load(from + u) : load_first(from + u, (int32_t)left);
            if (room >= W)
                store(to + u, v);
            else
                store_first(to + u, v, (int32_t)room);
        }
}

#endif
