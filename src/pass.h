/* SPDX-License-Identifier: MIT */
#ifndef PASS_H
#define PASS_H

#include <mlstm/pass.h>

#include "grads.h"
#include "stack.h"
#include "state.h"

/* A chunk of steps on its way through all layers. */
struct forward_pass {
    const struct mlstm_stack *stack;
    struct mlstm_state *state;
    const float *x;
    int32_t steps;
    float *y;
};

/* A chunk of recorded steps on its way back; the arrays begin with its first step. */
struct backward_pass {
    const struct mlstm_stack *stack;
    struct mlstm_state *state;
    int32_t first, steps;
    const float *dy, *dh_top, *dc_top;
    float *dx;
    struct mlstm_grads *grads;
    bool dc_out; /* something comes from above through c, */
    bool dh_out; /* and through h */
};

/* This worker's rows of the batch, and whether they are worth reading all weights for. */
static inline bool takes_own_rows(const struct worker *worker, const struct mlstm_state *state,
                                  struct range *row)
{
    return worker_rows(worker, state->batch, state->own_rows, row);
}

/* Rows, and the same ones `more` times again, `apart` further each time. */
struct stripes {
    struct range row;
    int32_t more, apart;
};

/*
 * A worker's rows of the batch at every step, where it has enough of them: what it wrote of one
 * layer is what it reads in the next, and need not come from another core.
 */
static inline bool own_stripes(const struct worker *worker, const struct mlstm_state *state,
                               int32_t steps, struct stripes *own)
{
    own->more = steps - 1;
    own->apart = state->batch;
    return worker->count > 1 && takes_own_rows(worker, state, &own->row);
}

/* This worker's rows of all steps where each is computed as a whole. */
static inline struct stripes share_steps(const struct worker *worker,
                                         const struct mlstm_state *state, int32_t steps)
{
    struct stripes own;
    if (own_stripes(worker, state, steps, &own))
        return own;
    return (struct stripes){worker_items(worker, steps * state->batch), 0, 0};
}

static inline struct range stripe(const struct stripes *stripes, int32_t index)
{
    const int32_t first = index * stripes->apart;
    return (struct range){stripes->row.begin + first, stripes->row.end + first};
}

/*
 * The next rows before `end`, from the end of `run` on, that follow each other and have a step in
 * `slot`. All of them at once where rows have no ends.
 */
static inline bool next_run(const struct mlstm_state *state, int32_t slot, int32_t end,
                            struct range *run)
{
    int32_t b = run->end;
    while (b < end && state->limited && state->ends[b] <= slot)
        b++;
    run->begin = b;
    while (b < end && !(state->limited && state->ends[b] <= slot))
        b++;
    run->end = b;
    return run->begin < run->end;
}

/* For each run of rows in `within` that have a step in `slot`. */
#define FOR_EACH_RUN(run, state, slot, within)                                                     \
    for (struct range run = {(within).begin, (within).begin};                                      \
         next_run(state, slot, (within).end, &(run));)

#endif
