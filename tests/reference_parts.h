/* SPDX-License-Identifier: MIT */
#ifndef REFERENCE_PARTS_H
#define REFERENCE_PARTS_H

/*
 * What the files of the reference share: reference.c is a stack, reference_layer.c a layer over the
 * window, reference_cell.c one step of one row in one direction of a layer.
 */

#include <stdbool.h>

#include "reference.h"

/* Zeroed; aborts where there is no memory. */
double *reference_zeros(size_t count);

double reference_sigmoid(double v);

/* Adds x [rows] @ matrix [rows, columns] to out [columns]. */
void reference_multiply(const double *x, const double *matrix, size_t rows, size_t columns,
                        double *out);
/* The same backwards: adds to dmatrix and dx what follows from dout. */
void reference_multiply_back(const double *x, const double *matrix, size_t rows, size_t columns,
                             const double *dout, double *dmatrix, double *dx);

/* (v - mean) / sqrt(variance + epsilon), in place; returns what v - mean was multiplied by. */
double reference_normalise(double *values, size_t count, float epsilon);
/* From the gradient of the normalised values to that of what they were, in place. */
void reference_normalise_back(const double *values, double scale, double *d, size_t count);

/* Where the numbers of a layer begin in the parameters (those of the readout for layer L), and how
 * many each of its directions has. */
size_t reference_param_offset(const struct shape *s, int32_t layer);
size_t reference_cell_numbers(const struct shape *s, int32_t layer);

/* Where c of one direction begins in the state tensor; h follows. */
size_t reference_state_offset(const struct shape *s, int32_t layer, int32_t direction);

/* What a mask is for, as its counter says it. */
enum mask { MASK_INPUT = 0, MASK_RECURRENT = 1, MASK_ZONEOUT_C = 2, MASK_ZONEOUT_H = 3 };

/* Which mask of a direction. */
struct place {
    int32_t layer, direction, row, step;
};

/* Factors of dropout for `count` numbers: 0 or 1 / (1 - rate) in training, else 1. `holds` is one
 * of mlstm_mask. */
void reference_dropout(const struct shape *s, struct place at, enum mask mask, float rate,
                       int32_t holds, double *factors, size_t count);
/* How much of each number stays as it was: in training all or nothing, else what is expected. */
void reference_zoneout(const struct shape *s, struct place at, enum mask mask, float rate,
                       double *kept, size_t count);

/* Parameters of one direction of a layer, or their gradients; NULL for what it does not have. */
struct cell_params {
    double *kernel, *bias, *bias_h;
    double *peephole_i, *peephole_f, *peephole_o;
    double *x_gain, *h_gain; /* x_gain is norm_gain where there is only that */
    double *c_gain, *c_shift;
    double *projection;
    double *initial_c, *initial_h;
};

/* One step of one row: all that the way back has to know. */
struct step {
    const double *x;            /* [I], after dropout */
    double *c, *h;              /* [H], [P]: before the step */
    double *h_factors, *h_read; /* [P]: of dropout, and h after it */
    double *zx, *zh; /* [4H]: products with the kernel, normalised if the cell does that */
    double zx_scales[4], zh_scale, c_scale; /* what each normalisation multiplied by */
    double *i, *j, *f, *o;                  /* [H]: after their functions */
    double *j_factors;                      /* [H]: of dropout */
    double *c_normal, *c_new;               /* [H]: c normalised, before its gain and shift; c~ */
    double *squashed, *m;                   /* [H]: tanh of c~, and times o */
    double *h_new;                          /* [P]: h^ */
    double *c_kept, *h_kept;                /* [H], [P]: zoneout's share of what was before */
    double *c_next, *h_next;                /* [H], [P]: after the step */
    double *numbers;                        /* the memory of all this */
};

/* One direction of a layer while it is computed. */
struct cell {
    struct reference *r;
    int32_t layer, direction;
    const struct layer_options *options;
    size_t I, H, P;
    struct cell_params params, grads;
    /* On the way back through a step: gradients with respect to a, x @ kernel and h @ kernel [4H],
     * c~, what its tanh reads, and m [H], h^ and what the kernel reads of h [P]. */
    double *da, *dzx, *dzh, *dc_new, *dargument, *dm, *dh_new, *dh_read;
};

void reference_cell_open(struct cell *cell, struct reference *r, int32_t layer, int32_t direction);
void reference_cell_close(struct cell *cell);
void reference_step_create(const struct shape *s, int32_t layer, struct step *t);

/* From t->x, t->c and t->h. */
void reference_step_forward(struct cell *cell, struct step *t, struct place at);

/* dc [H] and dh [P] are the gradients of c and h after the step, and become those of c and h before
 * it; that of t->x is added to dx [I]. */
void reference_step_backward(struct cell *cell, const struct step *t, double *dc, double *dh,
                             double *dx);

/* A layer over the window. */
struct layer_record {
    const double *x;            /* [T,B,I]: what the layer reads */
    double *x_factors, *x_read; /* [T,B,I]: of dropout, and x after it */
    struct step *steps[2]; /* [T,B] of each direction, in the order in which it computes them */
    double *h, *c;         /* [T,B,D], [T,B,C]: of both directions, merged */
    double *through;       /* [T,B,D]: the highway's t */
    double *out;           /* [T,B,D] */
    double *dout, *dc;     /* the gradients that reach out and c from above */
};

void reference_layer_create(struct reference *r, int32_t layer);
void reference_layer_destroy(struct reference *r, int32_t layer);
void reference_layer_forward(struct reference *r, int32_t layer, const double *x);
/* From dout and dc; dx is [T,B,I]. */
void reference_layer_backward(struct reference *r, int32_t layer, double *dx);

#endif
