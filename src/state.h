/* SPDX-License-Identifier: MIT */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>

#include <mlstm/state.h>

#include "layout.h"
#include "thread.h"

/* Arrays of one layer, all in the state's one arena. */
struct layer_state {
    /* Smaller than a vector: its rows lie close together, W / U of them in one vector. */
    bool small;
    size_t row, slot; /* floats from row to row, and from step to step, of c, h and tanh_c */
    /*
     * [slots + 1, B, row]: slot s is the state before step s. Slot 0 and the slot of the position are
     * always valid.
     */
    float *c, *h;
    /* The record; NULL in a state for inference. */
    float *gates; /* panels [slots * B, 4U] */
    size_t gates_step, gates_panel; /* floats from step to step, and from panel to panel */
    float *tanh_c; /* [slots, B, row] */
    /* Gradients of the backward pass: given for the last state, found for the first; [B, carry_row]. */
    size_t carry_row;
    float *dc_final, *dh_final, *dc_carry, *dh_carry;
    /* What the forward kernel is given, but for what depends on the pass and the position. */
    struct cell_forward forward;
};

struct mlstm_state {
    struct layout *layout;
    int32_t inputs, outputs; /* I, O */
    int32_t batch;
    int32_t window; /* as given: 0 for inference */
    int32_t slots;  /* steps that fit into the arrays: window, or chunk */
    int32_t chunk;  /* steps that pass through all layers before the next ones do */
    int32_t position;
    bool backward_done;
    bool final_given;
    int32_t threads;
    struct team *team; /* NULL for one thread */

    float *arena;
    size_t arena_count;
    struct layer_state *layers;
    float *x; /* [slots, B, I], recorded */
    /* Working memory for a chunk. */
    float *preact; /* panels [chunk * B, 4U] of one layer; inference only */
    size_t out_row;
    float *dh_out, *dc_out; /* [chunk * B, out_row]: what comes from above */
    float *dgates;          /* panels [chunk * B, 4U] */
    float *dy;              /* panels [chunk * B, N] */
    size_t chunk_rows;      /* floats between panels of the three, in rows */
};

/* Runs a pass over so many steps on as many of the state's threads as have enough to do. */
void state_run(struct mlstm_state *state, int32_t steps,
               void (*work)(void *context, struct worker *worker), void *context);

/* In a state for inference: goes back to slot 0 where the next steps would not fit, or far away. */
void state_make_room(struct mlstm_state *state, int32_t steps);

/* What is said where state and stack do not belong together. */
extern const char foreign_state[];

#endif
