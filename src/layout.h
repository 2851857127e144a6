/* SPDX-License-Identifier: MIT */
#ifndef LAYOUT_H
#define LAYOUT_H

/*
 * Where each number of a parameter block lies. Parameters, gradients and optimizer slots are blocks
 * of this one layout, which is the one that the kernels read; names and canonical order exist here
 * only.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlstm/allocator.h>
#include <mlstm/status.h>

#include "cell.h"
#include "kernels/kernels.h"
#include "thread.h"

/* The index of something that is not there. */
enum { NONE = -1 };

/* Inputs of a matrix that are one array: x or h of a layer, c or h of the readout. */
struct part {
    int32_t first, rows; /* of the matrix, bias not counted */
    int32_t width;       /* its transposed blocks: units in one, */
    int32_t blocks;      /* how many, */
    size_t block;        /* floats of one, [panels * N, width] */
    size_t offset;       /* and where the first is in the transposed buffer */
};

enum { PART_X = 0, PART_H = 1, PART_C = 0 };

/*
 * Bias and kernel of one direction of a layer, of a projection, a highway or the readout, as panels
 * [1 + inputs, N]; or vectors, each a row of such panels.
 */
struct matrix {
    int32_t inputs;
    int32_t gates; /* 4, or 1 where there are none */
    int32_t units; /* H, P, D or O */
    int32_t panel_units;
    int32_t width; /* N = gates * panel_units */
    int32_t panels;
    size_t panel;  /* floats of one */
    size_t offset; /* of panel 0 in the block */
    struct part parts[2];
    /* With two biases: the kernel whose row of biases is the sum of this one's rows 0 and 1. */
    int32_t sums_into;
    /* By column of the last panel: all bits where it exists, none where it is padding. */
    bool padded;
    int32_t keep[64];
};

/* What a kernel is given for it; NULL where there is no padding. */
static inline const int32_t *matrix_keep(const struct matrix *matrix)
{
    return matrix->padded ? matrix->keep : NULL;
}

struct param {
    char name[48];
    int32_t matrix;
    int32_t first, rows; /* of the panels: row 0 is the bias */
    int32_t gate, gates; /* of the panels' columns */
    int32_t columns;
    int32_t rank;
    float neutral; /* what a vector begins with: 1 for gains */
};

/* One way of a layer through time: matrices, and rows of its vectors; NONE where there is none. */
struct direction {
    int32_t layer;
    bool reverse;
    bool biased;
    int32_t kernel, vectors, projection, initial_c, initial_h;
    int32_t peephole;     /* i, -, f, o */
    int32_t gain, gain_h; /* four gates; `gain` is of x where there are both */
    int32_t norm_c;       /* gain, shift, -, - */
};

struct layer {
    struct options options;
    int32_t first, directions; /* the layer's in `struct layout` */
    int32_t recurrent;         /* P */
    int32_t cells, outputs;    /* C, D */
    int32_t highway;           /* matrix */
};

/* Never changes once made; shared, by counting, by the stack and what is made from it. */
struct layout {
    mlstm_allocator allocator;
    atomic_int references;
    const struct kernels *kernels;
    int32_t layers, directions, matrix_count, params;
    struct layer *layer;
    struct direction *direction;
    struct matrix *matrices;
    struct param *param;
    int32_t sources;         /* of the readout; 0 without one */
    int32_t readout;         /* matrix */
    size_t readout_offset;   /* floats of a block before the readout */
    size_t count;            /* floats of a block */
    size_t transposed_count; /* floats of the transposed buffer */
};

/* `outputs` and `sources` 0 for no readout. An error names the public function that was called. */
mlstm_status layout_create(const char *function, const mlstm_allocator *allocator,
                           mlstm_cell *const *cells, int32_t layers, int32_t outputs,
                           int32_t sources, struct layout **layout);
struct layout *layout_retain(struct layout *layout);
void layout_release(struct layout *layout);

/* NULL where there is no readout. */
const struct matrix *layout_readout(const struct layout *layout);

static inline const struct layer *layout_top(const struct layout *layout)
{
    return &layout->layer[layout->layers - 1];
}

/* O, or D of the top layer. */
int32_t layout_outputs(const struct layout *layout);

/* NULL where there is no such name. */
const struct param *layout_find(const struct layout *layout, const char *name);

/* Numbers in a parameter. */
size_t param_size(const struct param *param);

/* Declares `found`, the parameter of that name, which has to have `count` numbers. */
#define REQUIRE_PARAM(found, layout, name, count)                                                  \
    const struct param *found = layout_find(layout, name);                                         \
    REQUIRE(found, MLSTM_ERROR_NOT_FOUND, "there is no parameter \"%.64s\"", name);                \
    REQUIRE_COUNT(count, param_size(found))

/* Handles that were made of one layout belong together; a readout makes another one. */
#define REQUIRE_SAME_STACK(handle, other, what)                                                    \
    REQUIRE((handle)->layout == (other)->layout, MLSTM_ERROR_MISMATCH, "%s",                       \
            "the " what " of another stack, or of this one before it got its readout")

/* Where the number of a canonical row and column lies in a block. */
size_t layout_element(const struct layout *layout, const struct param *param, int32_t row,
                      int32_t column);

/* Canonical order out of a block, and into it. */
void layout_read(const struct layout *layout, const struct param *param, const float *block,
                 float *values);
void layout_write(const struct layout *layout, const struct param *param, float *block,
                  const float *values);

/* Refreshes the transposed blocks of one matrix, this worker's panels. */
void layout_transpose(const struct layout *layout, int32_t matrix, const float *block,
                      float *transposed, const struct worker *worker);

/*
 * Where a matrix has two biases: refreshes their sum in the kernel's row, which is no parameter, in
 * this worker's panels.
 */
void layout_sum_biases(const struct layout *layout, int32_t matrix, float *block,
                       const struct worker *worker);

/* And the way back: gradients of the sum go to both, and the row is 0 again. */
void layout_share_biases(const struct layout *layout, float *block);

#endif
