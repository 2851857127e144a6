/* SPDX-License-Identifier: MIT */

/*
 * The register tile that every product here is made of: `rows` x `vectors` accumulators, both
 * constants wherever these functions are inlined.
 */

#ifndef KERNELS_TILE_H
#define KERNELS_TILE_H

#include "simd.h"

/* 32 vector registers, not 16. */
#if W == 16 || defined(__aarch64__)
#define MANY_REGISTERS 1
#else
#define MANY_REGISTERS 0
#endif

/* Of a tile: as many as fit beside its operands. */
#define ACCUMULATORS (MANY_REGISTERS ? 24 : 12)

#define MAX_ROWS 8

/* Floats of a line of the cache. */
#define LINE 16

/* Rows of the largest tile for a width of `vectors`. */
INLINE int32_t tile_rows(int32_t vectors)
{
    return ACCUMULATORS / vectors < MAX_ROWS ? ACCUMULATORS / vectors : MAX_ROWS;
}

/* Rows of the next tile where `left` remain: whole ones, and the last two alike. */
INLINE int32_t next_rows(int32_t left, int32_t most)
{
    return left <= most ? left : left < 2 * most ? (left + 1) / 2 : most;
}

/* Calls function(rows as a constant, ...) for rows from 1 to tile_rows(vectors). */
#define WITH_ROWS(rows, vectors, function, ...)                                                    \
    do {                                                                                           \
        switch (rows) {                                                                            \
        case 1: function(1, vectors, __VA_ARGS__); break;                                          \
        case 2: function(2, vectors, __VA_ARGS__); break;                                          \
        case 3: function(3, vectors, __VA_ARGS__); break;                                          \
        default:                                                                                   \
            if ((vectors) * 4 > ACCUMULATORS)                                                      \
                break;                                                                             \
            switch (rows) {                                                                        \
            case 4: function(4, vectors, __VA_ARGS__); break;                                      \
            case 5: function(5, vectors, __VA_ARGS__); break;                                      \
            case 6: function(6, vectors, __VA_ARGS__); break;                                      \
            default:                                                                               \
                if ((vectors) * 8 > ACCUMULATORS)                                                  \
                    break;                                                                         \
                if ((rows) == 7)                                                                   \
                    function(7, vectors, __VA_ARGS__);                                             \
                else                                                                               \
                    function(8, vectors, __VA_ARGS__);                                             \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/*
 * The tiles of 4 to 6 rows by 4 vectors as functions of their own: inlined beside all others, their
 * loops fetched distances of rows from the stack or from vector registers. With few registers the
 * loop alone is one, below.
 */
#if MANY_REGISTERS
#define TILE_APART(rows, function, parameters, ...)                                                \
    NOINLINE void function##_##rows parameters                                                     \
    {                                                                                              \
        function(rows, 4, __VA_ARGS__);                                                            \
    }
#define TILES_APART(function, parameters, ...)                                                     \
    TILE_APART(4, function, parameters, __VA_ARGS__)                                               \
    TILE_APART(5, function, parameters, __VA_ARGS__)                                               \
    TILE_APART(6, function, parameters, __VA_ARGS__)
#define WITH_ROWS_APART(rows, vectors, function, ...)                                              \
    do {                                                                                           \
        if ((vectors) == 4 && (rows) == 6)                                                         \
            function##_6(__VA_ARGS__);                                                             \
        else if ((vectors) == 4 && (rows) == 5)                                                    \
            function##_5(__VA_ARGS__);                                                             \
        else if ((vectors) == 4 && (rows) == 4)                                                    \
            function##_4(__VA_ARGS__);                                                             \
        else                                                                                       \
            WITH_ROWS(rows, vectors, function, __VA_ARGS__);                                       \
    } while (0)
#else
#define TILES_APART(function, parameters, ...)
#define WITH_ROWS_APART WITH_ROWS
#endif

/*
 * What a wide tile fetches for others while it multiplies: a line for every k, `step` bytes after
 * the last. These are addresses, since at the end of an array they lie beyond it.
 */
struct ahead {
    uintptr_t at;
    size_t step;
};

/* And for itself: the rows of a tile that it will read or write next; 0 for none. */
struct own {
    uintptr_t at;
    size_t row; /* bytes */
};

INLINE struct ahead lines_from(const float *at, size_t step)
{
    return (struct ahead){(uintptr_t)at, step * sizeof *at};
}

INLINE struct own rows_from(const float *at, size_t row)
{
    return (struct own){(uintptr_t)at, row * sizeof *at};
}

struct tile {
    vec at[MAX_ROWS][4];
};

INLINE void tile_zero(int32_t rows, int32_t vectors, struct tile *t)
{
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            t->at[r][v] = splat(0.0f);
}

/* Every row of the tile is the same. */
INLINE void tile_row(int32_t rows, int32_t vectors, struct tile *t, const float *row)
{
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            t->at[r][v] = load(row + v * W);
}

INLINE void tile_load(int32_t rows, int32_t vectors, struct tile *t, const float *p, size_t p_row)
{
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            t->at[r][v] = load(p + (size_t)r * p_row + v * W);
}

INLINE void tile_store(int32_t rows, int32_t vectors, const struct tile *t, float *p, size_t p_row)
{
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            store(p + (size_t)r * p_row + v * W, t->at[r][v]);
}

INLINE void tile_fetch(int32_t rows, int32_t vectors, struct own own)
{
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t f = 0; f < vectors * W; f += LINE)
            __builtin_prefetch(
                (const void *)(own.at + (size_t)r * own.row + (size_t)f * sizeof(float)), 1, 3);
}

INLINE void tile_add(int32_t rows, int32_t vectors, struct tile *t, const struct tile *a,
                     const struct tile *b)
{
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            t->at[r][v] = a->at[r][v] + b->at[r][v];
}

/*
 * The same tile in `room`, which is memory, where there are no registers for another one besides:
 * clang would rather keep it, and have the other in memory all through its loop.
 */
INLINE const struct tile *tile_aside(int32_t rows, int32_t vectors, const struct tile *t,
                                     struct tile *room)
{
    if (!MANY_REGISTERS || 2 * rows * vectors <= ACCUMULATORS)
        return t;
    *room = *t;
    __asm__("" : "+m"(*room));
    return room;
}

/* What one k adds. Factors are kept: they are fewer than vectors of b where registers count. */
INLINE void tile_add_product(int32_t rows, int32_t vectors, struct tile *t, const float *a,
                             size_t a_row, const float *b)
{
    vec factor[MAX_ROWS];
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        factor[r] = splat(a[(size_t)r * a_row]);
    UNROLL(4)
    for (int32_t v = 0; v < vectors; v++) {
        vec row = load(b + v * W);
        /* Or else gcc reads it two or three times. */
        if (rows == 2 || rows == 3)
            row = hold(row);
        UNROLL(8)
        for (int32_t r = 0; r < rows; r++)
            t->at[r][v] += factor[r] * row;
    }
}

INLINE void fetch_ahead(int32_t vectors, struct ahead *ahead)
{
    if (vectors == 4) {
        __builtin_prefetch((const void *)ahead->at, 0, 2);
        ahead->at += ahead->step;
    }
}

/* The loop of tile_multiply. */
INLINE void tile_accumulate(int32_t rows, int32_t vectors, struct tile *t, const float *a,
                            size_t a_row, size_t a_k, const float *b, size_t b_k, int32_t count,
                            struct ahead ahead, struct own own)
{
    struct tile sum;
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            sum.at[r][v] = t->at[r][v];
    int32_t k = 0;
    /* A line at a time: all at once would keep what the first of these loops read waiting. */
    for (int32_t line = 0; vectors == 4 && own.at && line < 4 * W; line += LINE) {
        uintptr_t at = own.at + (size_t)line * sizeof(float);
        for (int32_t r = 0; r < rows && k < count; r++, k++, a += a_k, b += b_k) {
            tile_add_product(rows, vectors, &sum, a, a_row, b);
            fetch_ahead(vectors, &ahead);
            __builtin_prefetch((const void *)at, 1, 3);
            at += own.row;
        }
    }
    for (; k < count; k++, a += a_k, b += b_k) {
        tile_add_product(rows, vectors, &sum, a, a_row, b);
        fetch_ahead(vectors, &ahead);
    }
    UNROLL(8)
    for (int32_t r = 0; r < rows; r++)
        UNROLL(4)
        for (int32_t v = 0; v < vectors; v++)
            t->at[r][v] = sum.at[r][v];
}

/* Of 16 registers these need nearly all: nothing else can be kept in them meanwhile. */
#define TILE_ACCUMULATE_APART(rows)                                                                \
    NOINLINE void tile_accumulate_##rows(struct tile *t, const float *a, size_t a_row, size_t a_k, \
                                         const float *b, size_t b_k, int32_t count,                \
                                         struct ahead ahead)                                       \
    {                                                                                              \
        tile_accumulate(rows, 4, t, a, a_row, a_k, b, b_k, count, ahead, (struct own){0});         \
    }
TILE_ACCUMULATE_APART(2)
TILE_ACCUMULATE_APART(3)

/*
 * t[r] += sum over k of a[r*a_row + k*a_k] * b[k*b_k ...]. With a_k = 1 the rows of a are rows;
 * with a_row = 1 they are columns, and the product is that of a transposed. Each element is one
 * chain of additions in the order of k, whatever the size of the tile: results do not depend on how
 * rows are divided.
 */
INLINE void tile_multiply(int32_t rows, int32_t vectors, struct tile *t, const float *a,
                          size_t a_row, size_t a_k, const float *b, size_t b_k, int32_t count,
                          struct ahead ahead, struct own own)
{
    if (!MANY_REGISTERS && vectors == 4 && own.at) {
        tile_fetch(rows, vectors, own);
        own.at = 0;
    }
    if (!MANY_REGISTERS && rows == 3 && vectors == 4)
        tile_accumulate_3(t, a, a_row, a_k, b, b_k, count, ahead);
    else if (!MANY_REGISTERS && rows == 2 && vectors == 4)
        tile_accumulate_2(t, a, a_row, a_k, b, b_k, count, ahead);
    else
        tile_accumulate(rows, vectors, t, a, a_row, a_k, b, b_k, count, ahead, own);
}

/*
 * As tile_multiply for rows of a, with `chains` chains of additions for each element, in tiles of
 * their own, of which each adds every so many k.
 */
INLINE void tile_multiply_chains(int32_t rows, int32_t vectors, int32_t chains, struct tile *t,
                                 const float *a, size_t a_row, const float *b, int32_t count)
{
    const int32_t width = vectors * W;
    int32_t k = 0;
    for (; k + chains <= count; k += chains, a += chains, b += chains * width)
        UNROLL(4)
        for (int32_t n = 0; n < chains; n++)
            tile_add_product(rows, vectors, &t[n], a + n, a_row, b + n * width);
    UNROLL(4)
    for (int32_t n = 0; n < chains; n++)
        if (k + n < count)
            tile_add_product(rows, vectors, &t[n], a + n, a_row, b + n * width);
}

/* Tiles for so many rows. */
INLINE int32_t tile_count(int32_t rows, int32_t vectors)
{
    return (rows + tile_rows(vectors) - 1) / tile_rows(vectors);
}

/*
 * `depth` rows of a panel, which are read after those at `now`. All tiles have the same part in
 * fetching them: if the first ones did it, as fast as they can, the memory would keep what they
 * read themselves waiting.
 */
struct following {
    const float *now, *next;
    size_t depth;
    int32_t part; /* of one tile: floats of each row */
};

/* None where tiles are narrow. A worker may have no tiles. */
INLINE int32_t even_part(int32_t vectors, int32_t tiles)
{
    if (vectors < 4 || tiles < 1)
        return 0;
    const int32_t even = (vectors * W + tiles - 1) / tiles;
    return even < LINE ? even : LINE;
}

/* The part of the tile in turn. */
INLINE struct ahead share_following(int32_t vectors, const struct following *f, int32_t turn)
{
    const int32_t begin = turn * f->part;
    if (begin >= vectors * W)
        return lines_from(f->now, 0);
    struct ahead ahead = lines_from(f->next, (size_t)f->part);
    ahead.at += (size_t)begin * f->depth * sizeof(float);
    return ahead;
}

#endif
