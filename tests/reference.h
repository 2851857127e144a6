/* SPDX-License-Identifier: MIT */
#ifndef REFERENCE_H
#define REFERENCE_H

/*
 * A multi-layer LSTM in float64, written to be read and not to be fast: the truth that the library
 * is held to. Everything is in canonical layout; the letters are those of mlstm.h and cell.h.
 */

#include <stddef.h>
#include <stdint.h>

enum { MAX_LAYERS = 4 };

/* What is set of a layer beside its sizes, with the names of cell.h. All 0 is the plain cell. */
struct layer_options {
    int32_t more_biases; /* than the one: -1, 0 or 1 */
    int32_t peepholes;
    int32_t projection; /* P */
    float projection_clip, cell_clip;
    int32_t coupled;
    int32_t norm;
    float epsilon;
    float zoneout_c, zoneout_h;
    float dropout;
    int32_t dropout_mask;
    float recurrent_dropout;
    int32_t recurrent_what, recurrent_mask;
    int32_t skip;
    int32_t merge;
    int32_t learned;
};

/* A stack, and a window of it. */
struct shape {
    int32_t batch, steps;
    int32_t layers;
    int32_t sizes[MAX_LAYERS + 1]; /* I, then H of each layer, bottom first */
    int32_t outputs, sources;      /* the readout: O and MLSTM_READOUT_...; sources 0 is none */
    float forget_bias;             /* layer l adds forget_bias + l/4, so that no two are alike */
    struct layer_options options[MAX_LAYERS];
    const int32_t *lengths; /* [B], the steps that each row has; NULL for no end */
    int32_t training;       /* whether training behaviour is on, from the window's first step */
    uint64_t seed;          /* of its masks */
    int32_t begins;         /* a sequence: with learned states or 0, whatever the state before */
};

/* A shape may be given without the fields at its end, which are 0 then. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* I, H, P, C and D of a layer, and how many directions it has. */
int32_t layer_input(const struct shape *s, int32_t layer);
int32_t layer_hidden(const struct shape *s, int32_t layer);
int32_t layer_recurrent(const struct shape *s, int32_t layer);
int32_t layer_cells(const struct shape *s, int32_t layer);
int32_t layer_output(const struct shape *s, int32_t layer);
int32_t layer_directions(const struct shape *s, int32_t layer);
float layer_forget_bias(const struct shape *s, int32_t layer);

/* D and C of the top layer, O (D of the top layer without a readout), and the steps of a row. */
int32_t top_size(const struct shape *s);
int32_t top_cells(const struct shape *s);
int32_t output_size(const struct shape *s);
int32_t row_steps(const struct shape *s, int32_t row);

/* How many numbers there are; top_numbers is of h, top_c_numbers of c. */
size_t param_numbers(const struct shape *s);
size_t state_numbers(const struct shape *s);
size_t x_numbers(const struct shape *s);
size_t y_numbers(const struct shape *s);
size_t top_numbers(const struct shape *s);
size_t top_c_numbers(const struct shape *s);

struct reference {
    struct shape shape;
    /* What goes in: parameters one after the other in the stack's order, x [T,B,I], and the state
     * tensor before the window, which is not read if a sequence begins. */
    double *params, *x, *initial_state;
    /* What comes out: y [T,B,O], the top layer's h [T,B,D] and c [T,B,C], and the state tensor
     * after the window. */
    double *y, *h_top, *c_top, *final_state;
    /* The loss is the sum of each output times its weight here. */
    double *dy, *dh_top, *dc_top, *dfinal_state;
    /* The gradients of that loss with respect to what goes in. */
    double *dparams, *dx, *dinitial_state;
    /* How many numbers the last forward pass clipped, and how near any came to where clipping
     * begins: a slope across that edge is no gradient. */
    size_t clipped;
    double nearest_clip;
    struct layer_record *layers; /* reference_parts.h */
};

/* All zero. */
struct reference *reference_create(const struct shape *shape);
void reference_destroy(struct reference *r);

void reference_forward(struct reference *r);
double reference_loss(const struct reference *r);
/* After a forward pass. */
void reference_backward(struct reference *r);

#endif
