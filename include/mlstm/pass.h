/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_PASS_H
#define MLSTM_PASS_H

/**
 * @file pass.h
 * @brief Forward by a step or a window, and back.
 */

#include <stdint.h>

#include <mlstm/export.h>
#include <mlstm/grads.h>
#include <mlstm/stack.h>
#include <mlstm/state.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup pass Forward and backward
 *
 * In a pass the stack is only read; what it computes lives in the state. `O` is
 * ::mlstm_stack_output_size: the outputs of the readout, or, in a stack without one, D of the top
 * layer, whose output is then y. D and C of a layer are ::mlstm_cell_output_size and
 * ::mlstm_cell_output_c_size.
 *
 * @{ */

/**
 * Moves a state on by one step.
 *
 * The same as ::mlstm_forward with one step: what it records and the numbers it gives are the same,
 * to the bit.
 *
 * @param x      `[B,I]`
 * @param[out] y `[B,O]`; NULL where it is not wanted
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL where there must be none
 * @retval MLSTM_ERROR_MISMATCH the state was made from another stack
 * @retval MLSTM_ERROR_ORDER the window is full: begin a new one; or the stack has a bidirectional
 *         layer, which reads whole windows
 */
MLSTM_API mlstm_status mlstm_step_forward(const mlstm_stack *stack, mlstm_state *state,
                                          const float *x, float *y);

/**
 * Moves a state on by several steps.
 *
 * A state with a window records them for ::mlstm_backward, with a copy of x.
 *
 * @param x      `[T,B,I]`
 * @param steps  `T`, at least 1
 * @param[out] y `[T,B,O]`; NULL where it is not wanted
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL where there must be none, or `steps` below 1
 * @retval MLSTM_ERROR_MISMATCH the state was made from another stack
 * @retval MLSTM_ERROR_ORDER the window has no room for so many more, or, in a stack with a
 *         bidirectional layer, some steps already
 */
MLSTM_API mlstm_status mlstm_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                                     int32_t steps, float *y);

/**
 * Walks the recorded steps back to the beginning of the window (backpropagation through time) and
 * adds the gradient of every parameter to `grads`.
 *
 * The loss may be any function of y, and of h and c of the top layer; `dy`, `dh_top` and `dc_top`
 * are its gradients with respect to these. What comes from the three is added up, and NULL counts
 * as 0. ::mlstm_state_set_final_grad adds the part that comes in through the last state, and
 * ::mlstm_state_get_initial_grad reads what leaves through the first.
 *
 * The record is not changed, so several backward passes may walk one window. The parameters must be
 * those that the forward pass used, except for steps that ::mlstm_state_keep_steps kept.
 *
 * @param dy          `[T,B,O]`, T = ::mlstm_state_steps: gradient with respect to y
 * @param dh_top      `[T,B,D]`: gradient with respect to h of the top layer, as
 *                    ::mlstm_state_get_top gives it, beside what comes through y; `[T,B,H]` in a
 *                    plain layer
 * @param dc_top      `[T,B,C]`: the same for c
 * @param[out] dx     `[T,B,I]`: gradient with respect to x; NULL where it is not wanted
 * @param[in,out] grads gradients are added to it; NULL where they are not wanted
 * @retval MLSTM_ERROR_MISMATCH state or grads of another stack
 * @retval MLSTM_ERROR_ORDER nothing is recorded: no forward call since the window began, or a state
 *         for inference
 */
MLSTM_API mlstm_status mlstm_backward(const mlstm_stack *stack, mlstm_state *state, const float *dy,
                                      const float *dh_top, const float *dc_top, float *dx,
                                      mlstm_grads *grads);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
