/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_STATE_H
#define MLSTM_STATE_H

/**
 * @file state.h
 * @brief c and h of every layer, and the window that the backward pass walks.
 */

#include <stddef.h>
#include <stdint.h>

#include <mlstm/export.h>
#include <mlstm/stack.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup state State
 *
 * A state is one stream through a stack: the state tensor `[L,2,B,H]` (index 0 of the second
 * dimension is c, 1 is h) and the record of the steps since the window began. Where layers have
 * different sizes, the tensor is their `[2,B,H_l]` blocks one after the other; a layer with a
 * projection has c `[B,H]`, then h `[B,P]`, and a bidirectional one the block of its forward
 * direction, then that of its reverse one.
 *
 * Nothing happens to c and h behind the caller's back: each step moves them on, ::mlstm_state_set,
 * ::mlstm_state_set_layer, ::mlstm_state_zero and ::mlstm_state_begin_sequence replace them,
 * ::mlstm_state_begin_window keeps them. Truncated backpropagation over windows of T steps is
 * therefore:
 *
 *     mlstm_state_zero(state);                        once for each sequence
 *     for each window:
 *         mlstm_state_begin_window(state);            keep c and h, forget the recorded steps
 *         mlstm_forward(stack, state, x, T, y);       record T steps
 *         mlstm_backward(stack, state, ..., grads);   back to the start of the window, no further
 *
 * A batch of sequences of different lengths begins with these calls, in this order; its windows are
 * as above:
 *
 *     mlstm_state_set_training(state, 1, seed);       where there is dropout or zoneout: new masks
 *     mlstm_state_begin_sequence(stack, state);       or mlstm_state_zero; both end earlier lengths
 *     mlstm_state_set_lengths(state, lengths, B);     so it comes after them
 *
 * @{ */

/** One stream through a stack; opaque. */
typedef struct mlstm_state mlstm_state;

/**
 * Makes a state with c and h 0 and nothing recorded. All memory that passes over it will need is
 * allocated here. The first state with a window also gives its stack a transposed copy of the
 * matrices, about as large as these, which stays until the stack is freed or gets another readout.
 *
 * @param stack       read as in a pass: not while another thread changes its parameters. May be
 *                    freed before the state
 * @param batch       `B`, at least 1
 * @param window      the most steps that can be recorded between two calls of
 *                    ::mlstm_state_begin_window; 0 makes a state for inference, which records
 *                    nothing and takes any number of steps. A stack with a bidirectional layer
 *                    needs a window
 * @param[out] state  the new state; free it with ::mlstm_state_destroy
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL, `batch` below 1, `window` below 0, or 0 with a
 *         bidirectional layer
 * @retval MLSTM_ERROR_TOO_LARGE `batch` above 2^28 - 1, `batch * window` above 2^31 - 1025, or a
 *         record of them that cannot be addressed
 * @retval MLSTM_ERROR_OUT_OF_MEMORY
 */
MLSTM_API mlstm_status mlstm_state_create(const mlstm_stack *stack, int32_t batch, int32_t window,
                                          mlstm_state **state);

/** Frees a state and ends its threads. NULL is left alone. */
MLSTM_API void mlstm_state_destroy(mlstm_state *state);

/**
 * Sets how many threads passes over this state and ::mlstm_state_apply_grads may use; 1 in a new
 * state. Results have the same bits for every number.
 *
 * The calling thread is one of them. The others, its helpers, are started here and end with the
 * state. After a pass they look for the next one for 50 microseconds, or less where there are more
 * threads than processors, and then sleep. They block the application's signals, but not those of
 * their own faults.
 *
 * Small passes are done by the calling thread alone. Of the others the library times some with
 * helpers and some without, now and then, and takes the faster way until it tries again. More
 * threads than processors gain nothing; this call counts those that the calling thread may run on.
 *
 * In a child process after `fork` there are no helpers: the calling thread works alone until this
 * is called again.
 *
 * @param threads at least 1, at most 1024
 * @retval MLSTM_ERROR_INVALID_ARGUMENT
 * @retval MLSTM_ERROR_SYSTEM not all threads could be started; the number is as before
 * @retval MLSTM_ERROR_OUT_OF_MEMORY
 */
MLSTM_API mlstm_status mlstm_state_set_threads(mlstm_state *state, int32_t threads);

/** The number of threads; 0 for NULL. */
MLSTM_API int32_t mlstm_state_threads(const mlstm_state *state);

/**
 * Sets c and h of every layer to 0, ends the lengths of ::mlstm_state_set_lengths and begins a
 * window.
 */
MLSTM_API mlstm_status mlstm_state_zero(mlstm_state *state);

/**
 * As ::mlstm_state_zero, but layers with a learned state begin with theirs, the same for all rows.
 * As long as the window begins with that state, ::mlstm_backward adds to the gradients of these
 * parameters: until recorded steps are forgotten, or c and h are set.
 *
 * The stack is the first parameter, as in passes and unlike in the other functions of a state.
 *
 * @param stack read as in a pass
 * @retval MLSTM_ERROR_MISMATCH the state was made from another stack
 */
MLSTM_API mlstm_status mlstm_state_begin_sequence(const mlstm_stack *stack, mlstm_state *state);

/** Begins a window: c and h stay, the recorded steps and the final gradient are forgotten. */
MLSTM_API mlstm_status mlstm_state_begin_window(mlstm_state *state);

/**
 * Begins a window whose first steps are the last ones that were recorded: truncated backpropagation
 * with overlap (Williams & Peng 1990), forward k1 steps at a time and back through k2:
 *
 *     const int32_t n = mlstm_state_steps(state);
 *     mlstm_state_keep_steps(state, n < k2 - k1 ? n : k2 - k1);
 *     mlstm_forward(stack, state, x, k1, y);
 *     mlstm_backward(stack, state, dy, ...);  dy [mlstm_state_steps,B,O], 0 for what has counted
 *
 * The window of the state must hold k2 steps. Kept steps stay as recorded: where parameters have
 * changed since, their part of the gradient is the usual approximation.
 *
 * @param steps 0 to ::mlstm_state_steps
 * @retval MLSTM_ERROR_INVALID_ARGUMENT
 * @retval MLSTM_ERROR_ORDER the stack has a bidirectional layer and `steps` is not 0
 */
MLSTM_API mlstm_status mlstm_state_keep_steps(mlstm_state *state, int32_t steps);

/**
 * Sets how many steps each row still has, for batches of sequences of different lengths: each row
 * stops at its own end. Afterwards its c and h stay, its y, h and c of the top layer are 0, what is
 * given as their gradient has no effect, and its dx is 0: all as if it had run alone. The final
 * gradient reaches a row at its end. Its x past the end has no effect either. Both may be NaN
 * there, but have to be there: the arrays are read whole.
 *
 * Steps past a row's end are not computed, except for the gates of a highway and for layers of 8
 * units or fewer, whose rows may share a vector. With one thread, sort the rows by falling length
 * to gain most.
 *
 * The lengths count down over windows, until they are set again, or until ::mlstm_state_zero,
 * ::mlstm_state_begin_sequence or ::mlstm_state_set ends them: call this after those. Nothing tells
 * what is left of them, which is each length less the steps since, but at least 0.
 *
 * @param lengths `[B]`, each at least 0; NULL for no end
 * @param count   ::mlstm_state_batch; not read with NULL
 * @retval MLSTM_ERROR_INVALID_ARGUMENT a length below 0; the sentence names the row
 * @retval MLSTM_ERROR_MISMATCH `count` is another number
 * @retval MLSTM_ERROR_ORDER steps have been recorded since the window began
 */
MLSTM_API mlstm_status mlstm_state_set_lengths(mlstm_state *state, const int32_t *lengths,
                                               size_t count);

/**
 * Turns training behaviour, which is dropout and zoneout at random, on or off, and begins a window.
 * It is off in a new state: nothing is dropped, and zoneout gives the expected state.
 *
 * A mask depends on the seed, the number of steps since this call, the layer, the row and the unit
 * alone (Philox 4x32-10), so steps and windows, any number of threads and any machine have the
 * same. A new sequence takes a new seed, before ::mlstm_state_begin_sequence. The number of steps
 * cannot be set: masks go on from this call alone.
 *
 * @param training 0 or 1
 * @param seed     any; not read with 0
 */
MLSTM_API mlstm_status mlstm_state_set_training(mlstm_state *state, int32_t training,
                                                uint64_t seed);

/** Whether training behaviour is on; 0 for NULL. */
MLSTM_API int32_t mlstm_state_training(const mlstm_state *state);

/** How many floats the state tensor has, the sum of `B*(H+P)` over layers and
    directions; 0 for NULL. */
MLSTM_API size_t mlstm_state_size(const mlstm_state *state);

/** `B`; 0 for NULL. */
MLSTM_API int32_t mlstm_state_batch(const mlstm_state *state);

/** Steps that a window can record, as given to ::mlstm_state_create; 0 for NULL. */
MLSTM_API int32_t mlstm_state_window(const mlstm_state *state);

/** Steps recorded since the window began; 0 for NULL and for a state for inference. */
MLSTM_API int32_t mlstm_state_steps(const mlstm_state *state);

/**
 * Bytes that the state holds, record and working memory included; 0 for NULL. What it does not
 * count are the transposed copy that the stack holds (::mlstm_state_create) and helper threads.
 */
MLSTM_API size_t mlstm_state_bytes(const mlstm_state *state);

/**
 * Replaces c and h of every layer, ends the lengths of ::mlstm_state_set_lengths and begins a
 * window.
 *
 * @param values the state tensor `[L,2,B,H]`
 * @param count  ::mlstm_state_size
 * @retval MLSTM_ERROR_MISMATCH `count` is another number
 */
MLSTM_API mlstm_status mlstm_state_set(mlstm_state *state, const float *values, size_t count);

/** Copies c and h of every layer out, as they are after the last step; `[L,2,B,H]`. */
MLSTM_API mlstm_status mlstm_state_get(const mlstm_state *state, float *values, size_t count);

/**
 * Replaces c, h or both of one layer and begins a window. Unlike ::mlstm_state_set it keeps the
 * lengths of ::mlstm_state_set_lengths, and takes no count: that the arrays are large enough is for
 * the caller to see to.
 *
 * @param layer 0 to L-1
 * @param c,h   `[B,H]` and `[B,P]` of that layer, of a bidirectional one `[2,B,H]` and `[2,B,P]`,
 *              the reverse direction last; NULL leaves that half as it is
 */
MLSTM_API mlstm_status mlstm_state_set_layer(mlstm_state *state, int32_t layer, const float *c,
                                             const float *h);

/**
 * Copies c, h or both of one layer out, in arrays as ::mlstm_state_set_layer takes them, without a
 * count either; NULL where not wanted.
 */
MLSTM_API mlstm_status mlstm_state_get_layer(const mlstm_state *state, int32_t layer, float *c,
                                             float *h);

/**
 * Copies out what the top layer gave at every recorded step. There is no count: that the arrays are
 * large enough is for the caller to see to.
 *
 * @param[out] c,h `[T,B,C]` and `[T,B,D]`, which is `[T,B,H]` in a plain layer, T =
 *                 ::mlstm_state_steps: what the readout reads as c and as h; NULL where not wanted
 * @retval MLSTM_ERROR_ORDER nothing is recorded
 */
MLSTM_API mlstm_status mlstm_state_get_top(const mlstm_state *state, float *c, float *h);

/**
 * Gives the gradient of the loss with respect to the state after the last recorded step, on top of
 * what `mlstm_backward` is given for each step: the part of the loss that lies beyond this window.
 * It stays until the window ends.
 *
 * @param values `[L,2,B,H]`; NULL for none, as when a window begins
 * @param count  ::mlstm_state_size; not read with NULL
 * @retval MLSTM_ERROR_ORDER a state for inference
 * @retval MLSTM_ERROR_MISMATCH
 */
MLSTM_API mlstm_status mlstm_state_set_final_grad(mlstm_state *state, const float *values,
                                                  size_t count);

/**
 * Copies out the gradient with respect to the state at the beginning of the window, as the last
 * ::mlstm_backward in this window found it.
 *
 * @param[out] values `[L,2,B,H]`
 * @param count       ::mlstm_state_size
 * @retval MLSTM_ERROR_ORDER no backward pass in this window
 * @retval MLSTM_ERROR_MISMATCH
 */
MLSTM_API mlstm_status mlstm_state_get_initial_grad(const mlstm_state *state, float *values,
                                                    size_t count);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
