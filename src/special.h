/* SPDX-License-Identifier: MIT */
#ifndef SPECIAL_H
#define SPECIAL_H

#include "pass.h"

/*
 * All steps of a chunk in a direction whose cell has options. They read x themselves, or the
 * product with it is done and x NULL.
 */
void special_forward_steps(const struct forward_pass *pass, int32_t direction, struct rows x,
                           struct worker *worker);

/*
 * And back: the gradient on the products to dgates and dsums, those of its vectors and its
 * projection to the pass' gradients, the carry to the step before the chunk. dh and dc NULL for
 * none.
 */
void special_backward_steps(const struct backward_pass *pass, int32_t direction, struct rows dh,
                            struct rows dc, struct worker *worker);

/* h as a direction's recurrent kernel read it from recorded slot `slot` on. */
struct rows special_recurrent_input(const struct mlstm_state *state, int32_t direction,
                                    int32_t slot);

#endif
