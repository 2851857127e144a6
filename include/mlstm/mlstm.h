/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_MLSTM_H
#define MLSTM_MLSTM_H

/**
 * @file mlstm.h
 * @brief libmlstm: multi-layer LSTMs on CPUs, trained and run from C.
 *
 * This header includes all the others; read them in this order, they are the manual.
 *
 * | handle            | is                                              | header      |
 * |-------------------|-------------------------------------------------|-------------|
 * | `mlstm_cell`      | the description of one layer                    | cell.h      |
 * | `mlstm_stack`     | the layers, the readout, and every parameter    | stack.h     |
 * | `mlstm_state`     | c and h of every layer, and the recorded window | state.h     |
 * | `mlstm_grads`     | one gradient for each parameter                 | grads.h     |
 * | `mlstm_optimizer` | an update rule and its slots                    | optimizer.h |
 *
 * Three verbs move data: ::mlstm_step_forward (or ::mlstm_forward for a whole window),
 * ::mlstm_backward (pass.h) and ::mlstm_apply_grads (optimizer.h). Losses are in loss.h, learning
 * rates in schedule.h, statuses and error sentences in status.h, the caller's allocator in
 * allocator.h.
 *
 * @section example Training in twenty lines
 *
 * Two layers that learn the sign of their input one step late, from examples/quickstart.c; `x` is
 * `[T,B,1]`, `y` and `dy` are `[T,B,O]`, `labels` is `[T,B]`:
 * @snippet quickstart.c quickstart
 *
 * @section conventions What holds for every function
 *
 * - **Letters.** `T` steps, `B` batch rows, `I` input size, `H` hidden size, `L` layers, `O`
 *   outputs. `[T,B,I]` is a row-major array: the last index runs fastest, no gaps. Numbers are
 *   float32. Sizes are `int32_t`, counts of array elements `size_t`.
 * - **Errors.** Every function that can fail returns an ::mlstm_status. On anything but ::MLSTM_OK,
 *   ::mlstm_last_error gives a sentence with the offending values, and nothing that the caller can
 *   see has changed: no handle, no parameter, no output array (but for the name that
 *   ::mlstm_grads_check finds). The library never prints, exits or aborts. Functions that return a
 *   size or a pointer answer 0 or NULL where a handle is NULL.
 * - **Statuses.** Four errors mean the same everywhere, and are not always listed at a function:
 *   ::MLSTM_ERROR_INVALID_ARGUMENT for NULL where the text does not allow it, and for a number out
 *   of its range; ::MLSTM_ERROR_MISMATCH for a handle of another stack, and for a `count` that is
 *   not that of the parameter or state; ::MLSTM_ERROR_NOT_FOUND for a name that is not there;
 *   ::MLSTM_ERROR_OUT_OF_MEMORY from every `_create`. What else a function may return, and what
 *   else one of these means, is said at the function or its group.
 * - **Arrays** of the caller are only read or written during the call; the library keeps no pointer
 *   to them. Inputs and outputs of one call must not overlap unless the function says so. NaN and
 *   infinity in them are data, not errors: they pass through as arithmetic has it.
 * - **Floating point.** Numbers closer to 0 than 1.2e-38 (denormals) count as 0 in arrays, and
 *   results as small become 0: arithmetic with them is slow. A setting of a cell, an optimizer, a
 *   loss or of clipping that must be positive, or positive or 0, is refused if it is one. Rounding
 *   is to nearest. A call leaves the caller's rounding, traps and flags as they were, except that
 *   it may raise the flag "inexact".
 * - **Ownership.** What `mlstm_X_create` makes, `mlstm_X_destroy` frees; it takes NULL. A stack
 *   takes over its cells. States, gradients and optimizers belong to the stack that they were made
 *   from (every function refuses those of another stack), but may be freed before or after it.
 * - **Memory.** It is allocated by `_create`, ::mlstm_stack_set_readout and
 *   ::mlstm_state_set_threads, and for a while by ::MLSTM_ORTHOGONAL; never by a forward, backward
 *   or update call.
 * - **Real time.** With one thread, which is what a new state has, a forward or step call that
 *   succeeds takes no lock, allocates nothing and makes no system call, and the library's memory
 *   that it touches was written when it was made. With several threads it may sleep, and makes
 *   system calls. On x86-64 a short call that meets a denormal may compute its steps twice, the
 *   first time slowly: one of 65536 calls over a state at most, and none where the caller's own
 *   floating-point mode makes denormals 0.
 * - **Threads.** Different handles may be used from different threads at the same time. One handle
 *   may not, with one exception that matters: any number of threads may read one stack (`const
 *   mlstm_stack *`), each with a state and gradients of its own, while nobody changes its
 *   parameters.
 * - **Reproducibility.** The same calls with the same inputs give the same bits on the same machine
 *   and build, whatever the number of threads. Uniform initial weights of a seed are the same on
 *   every machine; normal and orthogonal ones may differ in their last bits, as `log` and `cos` do
 *   between C libraries.
 */

#include <mlstm/allocator.h>
#include <mlstm/cell.h>
#include <mlstm/grads.h>
#include <mlstm/loss.h>
#include <mlstm/optimizer.h>
#include <mlstm/pass.h>
#include <mlstm/schedule.h>
#include <mlstm/stack.h>
#include <mlstm/state.h>
#include <mlstm/status.h>
#include <mlstm/version.h>

#endif
