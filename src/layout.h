/* SPDX-License-Identifier: MIT */
#ifndef LAYOUT_H
#define LAYOUT_H

/*
 * Where each number of a parameter block lies. Parameters, gradients and optimizer slots are blocks of
 * this one layout, which is the one that the kernels read; names and canonical order exist here only.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlstm/allocator.h>
#include <mlstm/status.h>

#include "kernels/kernels.h"

/* Inputs of a matrix that are one array: x or h of a layer, c or h of the readout. */
struct part {
    int32_t first, rows; /* of the matrix, bias not counted */
    int32_t width;       /* its transposed blocks: units in one, */
    int32_t blocks;      /* how many, */
    size_t block;        /* floats of one, [panels * N, width] */
    size_t offset;       /* and where the first is in the transposed buffer */
};

enum { PART_X = 0, PART_H = 1, PART_C = 0 };

/* Bias and kernel of one layer, or of the readout, as panels [1 + inputs, N]. */
struct matrix {
    int32_t inputs;
    int32_t gates; /* 4, or 1 in the readout */
    int32_t units; /* H or O */
    int32_t panel_units;
    int32_t width; /* N = gates * panel_units */
    int32_t panels;
    size_t panel;  /* floats of one */
    size_t offset; /* of panel 0 in the block */
    struct part parts[2];
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
    char name[32];
    int32_t matrix;
    int32_t first, rows; /* of the panels: row 0 is the bias */
    int32_t columns;
    int32_t rank;
};

/* Never changes once made; shared, by counting, by the stack and what is made from it. */
struct layout {
    mlstm_allocator allocator;
    atomic_int references;
    const struct kernels *kernels;
    int32_t layers;
    int32_t sources; /* of the readout; 0 without one */
    int32_t params;
    struct matrix *matrices; /* of the layers, then of the readout */
    struct param *param;
    size_t count;            /* floats of a block */
    size_t transposed_count; /* floats of the transposed buffer */
};

/*
 * `sizes` are I, H of layer 0, H of layer 1, ...; `outputs` and `sources` 0 for no readout. An error
 * names the public function that was called.
 */
mlstm_status layout_create(const char *function, const mlstm_allocator *allocator,
                           const int32_t *sizes, int32_t layers, int32_t outputs, int32_t sources, struct layout **layout);
struct layout *layout_retain(struct layout *layout);
void layout_release(struct layout *layout);

/* NULL where there is no readout. */
const struct matrix *layout_readout(const struct layout *layout);

/* O, or H of the top layer. */
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

/* Canonical order out of a block, and into it. */
void layout_read(const struct layout *layout, const struct param *param, const float *block,
                 float *values);
void layout_write(const struct layout *layout, const struct param *param, float *block,
                  const float *values);

/* Refreshes the transposed blocks of one matrix. */
void layout_transpose(const struct layout *layout, int32_t matrix, const float *block,
                      float *transposed);

#endif
