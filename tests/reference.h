/* SPDX-License-Identifier: MIT */
#ifndef REFERENCE_H
#define REFERENCE_H

/*
 * A multi-layer LSTM in float64, written to be read and not to be fast: the truth that the library
 * is held to. Everything is in canonical layout; the letters are those of mlstm.h.
 */

#include <stddef.h>
#include <stdint.h>

enum { MAX_LAYERS = 4 };

/* A stack, and a window of it. */
struct shape {
    int32_t batch, steps;
    int32_t layers;
    int32_t sizes[MAX_LAYERS + 1]; /* I, then H of each layer, bottom first */
    int32_t outputs, sources;      /* the readout: O and MLSTM_READOUT_...; sources 0 is none */
    float forget_bias;             /* layer l adds forget_bias + l/4, so that no two are alike */
};

/* H of the top layer, O (H of the top layer without a readout), and how many numbers there are. */
int32_t top_size(const struct shape *s);
int32_t output_size(const struct shape *s);
float layer_forget_bias(const struct shape *s, int32_t layer);
size_t param_numbers(const struct shape *s);
size_t state_numbers(const struct shape *s);
size_t x_numbers(const struct shape *s);
size_t y_numbers(const struct shape *s);
size_t top_numbers(const struct shape *s);

struct reference {
    struct shape shape;
    /* What goes in: parameters one after the other in the stack's order, x [T,B,I], and the state
     * [L,2,B,H] before the window. */
    double *params, *x, *initial_state;
    /* What comes out: y [T,B,O], the top layer [T,B,H], and the state after the window. */
    double *y, *h_top, *c_top, *final_state;
    /* The loss is the sum of each output times its weight here. */
    double *dy, *dh_top, *dc_top, *dfinal_state;
    /* The gradients of that loss with respect to what goes in. */
    double *dparams, *dx, *dinitial_state;
    /* The record of each layer: c and h [T+1,B,H], the gates after their functions [T,B,4H], and
     * the gradient that reaches h and c at each step from above, [T,B,H]. */
    double *c[MAX_LAYERS], *h[MAX_LAYERS], *gates[MAX_LAYERS], *dh[MAX_LAYERS], *dc[MAX_LAYERS];
};

/* All zero. */
struct reference *reference_create(const struct shape *shape);
void reference_destroy(struct reference *r);

void reference_forward(struct reference *r);
double reference_loss(const struct reference *r);
/* After a forward pass. */
void reference_backward(struct reference *r);

#endif
