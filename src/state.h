/* SPDX-License-Identifier: MIT */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>

#include <mlstm/state.h>

#include "layout.h"
#include "pace.h"
#include "thread.h"

/* Arrays of one direction of a layer, all in the state's one arena. */
struct direction_state {
    /* Smaller than a vector: its rows lie close together, W / U of them in one vector. */
    bool small;
    bool special;         /* its cell has options: see special.c */
    int32_t fused_rows;   /* the most rows of a pass whose steps read x themselves */
    size_t row, slot;     /* floats from row to row, and from step to step, of c and tanh_c, */
    size_t h_row, h_slot; /* and of h */
    /*
     * [slots + 1, B, row]: slot s is the state before step s. Slot 0 and the slot of the position
     * are always valid.
     */
    float *c, *h;
    /* The record; NULL in a state for inference, but for one step of a special cell's tanh_c. */
    float *gates;                   /* panels [slots * B, 4U] */
    size_t gates_step, gates_panel; /* floats from step to step, and from panel to panel */
    float *tanh_c;                  /* [slots, B, row] */
    /* Gradients of the backward pass: given for the last state, found for the first. */
    size_t carry_row, h_carry_row; /* [B, carry_row] of c, [B, h_carry_row] of h */
    float *dc_final, *dh_final, *dc_carry, *dh_carry;
    /* What the forward kernel is given, but for what depends on the pass and the position. */
    struct cell_forward forward;
    struct cell_forward single[2]; /* all but x and y of single steps from slot 0, and back to it */
    cell_forward_kernel *step;     /* computes those */
    /*
     * Of a special cell, NULL where it needs none. In a state for inference they hold one step, or
     * the panels one chunk.
     */
    size_t step_rows;         /* rows from step to step: B or, for inference, 0 */
    float *normal, *normal_h; /* panels as gates */
    float *normal_c;          /* [slots, B, row] */
    float *scales;            /* [slots, B, SCALES] */
    float *c_new;             /* [slots, B, row]: c after clip, before zoneout */
    float *unprojected;       /* [slots, B, row] */
    float *h_new;             /* [slots, B, h_row]: h after clip, before zoneout */
    float *h_read;            /* [slots, B, h_row]: h as the kernel reads it */
};

/* Has a kernel's steps read slot `at`, and write `next` and those after it. */
static inline void place_steps(struct cell_forward *step, const struct direction_state *s,
                               int32_t at, int32_t next, int32_t steps)
{
    const size_t from = (size_t)at, to = (size_t)next;
    step->turn = at;
    step->step_end = steps;
    step->c = s->c + from * s->slot;
    step->h = s->h + from * s->h_slot;
    step->c_next = s->c + to * s->slot;
    step->h_next = s->h + to * s->h_slot;
    if (s->gates) {
        step->gates = s->gates + from * s->gates_step;
        step->tanh_c = s->tanh_c + from * s->slot;
    }
}

/* Arrays of one layer between its neighbours, [slots, B, ...]; NULL where it needs none. */
struct junction {
    bool joined;   /* there is something to do: see junction.c */
    int32_t first; /* the layer's in `directions` */
    size_t in_row, out_row, c_row;
    float *in;       /* x with dropout */
    float *reversed; /* what the reverse direction reads */
    float *merged;   /* h of both directions */
    float *merged_c; /* of the top layer */
    float *gate;     /* of a highway */
    float *out;      /* what the layer gives, where that is neither h nor `merged` */
};

/* An array of steps that begins with the window. */
struct record {
    float *values;
    size_t step, panel; /* floats from step to step, and from panel to panel */
    int32_t panels;
};

struct mlstm_state {
    struct layout *layout;
    int32_t inputs, outputs; /* I, O */
    int32_t batch;
    int32_t window; /* as given: 0 for inference */
    int32_t slots;  /* steps that fit into the arrays: window, or chunk */
    int32_t chunk;  /* steps that pass through all layers before the next ones do */
    int32_t position;
    int32_t step_end;                 /* the position from which on single steps are refused */
    int32_t away;                     /* the other slot of single steps: see step_single */
    size_t first_level, second_level; /* of a core's cache: bytes on which the arrays depend */
    int32_t plain_rows;  /* the most rows of a pass that needs nothing between its layers */
    int32_t direct_rows; /* and of one that is so now: see state_count_direct */
    int32_t alone_steps; /* the most of a pass that is too little work for several threads */
    bool single;         /* so is a single step of inference */
    bool cell_writes_y;  /* in a direct pass: y is h of the top layer, of one row */
    int32_t tried_rows;  /* the most rows of one that is tried in the caller's mode */
    int32_t not_tried;   /* passes that are not, before the next one is: see try_direct */
    bool rows_apart;     /* a forward pass computes each row from itself alone */
    bool whole;          /* a layer reads backwards: windows have one forward call */
    bool backward_done;
    bool final_given;
    bool learned; /* the window begins with the learned state */
    int32_t threads;
    int32_t own_rows;  /* that make it worth a thread's while to read all weights for them alone */
    struct team *team; /* NULL for one thread */
    double step_work, recurrent_work; /* see count_work */

    bool training;
    uint32_t key[2];
    uint32_t step;    /* of the masks, at slot 0 */
    bool limited;     /* rows have ends */
    int32_t *ends;    /* [B]: the slot of each row after its last step */
    struct run *runs; /* rows of the chunk, those of all steps side by side, that have not ended */
    int32_t run_count;

    float *arena;
    size_t arena_count;
    struct direction_state *directions;
    struct junction *junctions;
    struct product readout; /* the product; what depends on the pass is of the last direct one */
    struct record *records;
    int32_t record_count;
    float *x; /* [slots, B, I], recorded */
    /* Working memory for a chunk. */
    float *preact; /* panels [chunk * B, 4U] of one layer; inference only, NULL without need */
    size_t out_row;
    float *dh_out, *dc_out; /* [chunk * B, out_row]: what comes from above */
    float *dgates;          /* panels [chunk * B, 4U] */
    float *dy;              /* panels [chunk * B, N] of the readout, a projection or a highway */
    size_t chunk_rows;      /* floats between panels of the three, in rows */
    /* Where layers are joined, [chunk * B, out_row]. */
    float *dh_part, *dc_part, *dskip, *dx_part, *dx_sum;
    /* Of special cells. */
    float *dinputs, *dsums;                   /* panels [chunk * B, 4W], with a norm */
    float *dnormal_c;                         /* [chunk * B, out_row], the same */
    float *sums;                              /* panels [B, 4W] */
    float *drop;                              /* [B, out_row]: the masks of one step, */
    float *keep_c, *keep_h;                   /* as drop */
    float *dh_new, *dout, *dh_rest, *dh_sums; /* [B, out_row] */
    /* Last, as a step reads most of what comes before. */
    struct pace forward_paces[PACES], backward_paces[PACES];
    int32_t backward_threads; /* of the last pass back; all of them before one */
};

/* Refreshes `alone_steps` and `direct_rows`, which depend on the lengths of rows and on threads. */
void state_count_direct(struct mlstm_state *state);

/* Moves slot `position - keep` to slot 0, and the record of the steps after it with it. */
void state_rewind(struct mlstm_state *state, int32_t keep);

/*
 * Runs a pass over so many steps on as many of the team's threads as make it faster; returns how
 * many they were.
 */
int32_t state_run_team(struct mlstm_state *state, struct pace *paces, int32_t steps,
                       void (*work)(void *context, struct worker *worker), void *context);

/* The same, which is a call where the thread that calls is alone. */
static inline int32_t state_run(struct mlstm_state *state, struct pace *paces, int32_t steps,
                                void (*work)(void *context, struct worker *worker), void *context)
{
    if (steps > state->alone_steps)
        return state_run_team(state, paces, steps, work, context);
    work(context, &(struct worker){.count = 1});
    return 1;
}

/* A state for inference moves through this many slots before it goes back to the first. */
#define INFERENCE_STEPS 16

/* In a state for inference: goes back to slot 0 where the next steps would not fit, or far away. */
static inline void state_make_room(struct mlstm_state *state, int32_t steps)
{
    if (state->position >= INFERENCE_STEPS || state->position + steps > state->slots)
        state_rewind(state, 0);
}

/* How many of the `steps` from slot `first` on a row still has. */
static inline int32_t state_row_steps(const struct mlstm_state *state, int32_t row, int32_t first,
                                      int32_t steps)
{
    if (!state->limited || state->ends[row] >= first + steps)
        return steps;
    return state->ends[row] > first ? state->ends[row] - first : 0;
}

/* Finds the runs of a chunk. */
void state_find_runs(struct mlstm_state *state, int32_t first, int32_t steps);

/* Makes an array of `steps` steps from slot `first` on 0 where rows have ended. */
void state_clear_ended(const struct mlstm_state *state, int32_t first, int32_t steps, float *values,
                       size_t row);

#endif
