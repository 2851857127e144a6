/* SPDX-License-Identifier: MIT */
#ifndef PRODUCTS_H
#define PRODUCTS_H

#include "pass.h"

/* Rows and panels, or blocks, of a product that are computed in one call. */
struct grid {
    struct range row, panel;
    int32_t back;           /* from the last panel to the first */
    int32_t more, apart;    /* as in struct stripes */
    const struct run *runs; /* NULL for all rows */
    int32_t run_count;
};

/* What of a product a call computes. */
static inline void take_grid(struct product *product, const struct grid *grid)
{
    product->row_begin = grid->row.begin;
    product->row_end = grid->row.end;
    product->more = grid->more;
    product->apart = grid->apart;
    product->panel_begin = grid->panel.begin;
    product->panel_end = grid->panel.end;
    product->back = grid->back;
    product->runs = grid->runs;
    product->run_count = grid->run_count;
}

/* What a product is given besides its matrix: C is panels, or rows, panels side by side. */
struct target {
    int32_t init; /* enum product_init */
    float *c;
    size_t row, panel;
    int32_t columns;
};

/* C = init + a @ the rows of one part of a matrix. */
void matrix_multiply(const struct mlstm_stack *stack, const struct mlstm_state *state,
                     const struct matrix *m, int32_t part, struct rows a, const struct target *to,
                     const struct grid *grid);

/* C = init + g @ the same rows transposed; g is panels of the matrix over the state's chunk. */
void matrix_multiply_back(const struct mlstm_stack *stack, const struct mlstm_state *state,
                          const struct matrix *m, int32_t part, const float *g,
                          const struct target *to, const struct grid *grid);

/* Adds to the gradient of one part of a matrix over all rows of the chunk. */
void add_gradient(const struct backward_pass *pass, const struct matrix *m, int32_t part,
                  struct rows a, const float *g, struct worker *worker);

/* The same for its row of biases. */
void add_bias_gradient(const struct backward_pass *pass, const struct matrix *m, const float *g,
                       struct worker *worker);

/* This worker's part of so many rows and of a matrix' panels, or of the blocks of one part. */
static inline struct grid share_panels(const struct worker *worker, const struct matrix *m,
                                       int32_t rows)
{
    struct grid grid = {.runs = NULL};
    worker_share(worker, rows, m->panels, &grid.row, &grid.panel);
    return grid;
}

static inline struct grid share_blocks(const struct worker *worker, const struct part *part,
                                       int32_t rows)
{
    struct grid grid = {.runs = NULL};
    worker_share(worker, rows, part->blocks, &grid.row, &grid.panel);
    return grid;
}

/*
 * This worker's part of all steps of a chunk, without rows that have ended, and of so many panels
 * or blocks.
 */
static inline struct grid share_chunk(const struct worker *worker, const struct mlstm_state *state,
                                      int32_t steps, int32_t panels)
{
    struct stripes own;
    if (!state->limited && own_stripes(worker, state, steps, &own))
        return (struct grid){
            .row = own.row, .panel = {0, panels}, .more = own.more, .apart = own.apart};
    struct grid grid = {.runs = state->limited ? state->runs : NULL, .run_count = state->run_count};
    worker_share(worker, steps * state->batch, panels, &grid.row, &grid.panel);
    return grid;
}

/* The product of x with a kernel: panels of the gates, where a norm adds its bias later. */
static inline struct target gates_target(const struct direction *d, const struct matrix *kernel,
                                         float *gates, size_t panel)
{
    return (struct target){d->gain == NONE ? PRODUCT_BIAS : PRODUCT_ZERO, gates,
                           (size_t)kernel->width, panel, kernel->panels * kernel->width};
}

/* Rows of a target, filled up to so many columns as there are. */
static inline struct target rows_target(int32_t init, float *c, size_t row, size_t columns)
{
    return (struct target){init, c, row, 0, (int32_t)(row < columns ? row : columns)};
}

/* Rows as a product with a matrix gives them, in whole panels, or with a part of one transposed. */
static inline struct target panels_target(int32_t init, float *c, size_t row,
                                          const struct matrix *m)
{
    return rows_target(init, c, row, (size_t)m->panels * (size_t)m->width);
}

static inline struct target part_target(int32_t init, float *c, size_t row, const struct part *part)
{
    return rows_target(init, c, row, (size_t)part->blocks * (size_t)part->width);
}

/*
 * Rows `row` of an array to `dy` as panels of a matrix, from row `first` of these on; zeros beyond
 * its units.
 */
void pack_panels(const struct mlstm_state *state, const struct matrix *m, struct rows from,
                 struct range row, int32_t first);

#endif
