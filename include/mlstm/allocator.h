/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_ALLOCATOR_H
#define MLSTM_ALLOCATOR_H

/**
 * @file allocator.h
 * @brief Where the library's memory comes from.
 */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup allocator Memory
 * @{ */

/**
 * A source of memory, by default `malloc` and `free`; on Linux large blocks ask for huge pages.
 *
 * Given to ::mlstm_cell_create_with_allocator; whatever is made from a cell (its stack, and the
 * states, gradients and optimizers of that stack) takes its memory from the same place. The struct
 * is copied; `context` must stay valid until the last of them is freed. The two functions are
 * called by whichever thread calls `_create`, `_destroy`, ::mlstm_stack_set_readout,
 * ::mlstm_state_set_threads, or ::mlstm_stack_init and ::mlstm_stack_init_param with
 * ::MLSTM_ORTHOGONAL; by several threads at once where these calls are made so.
 */
typedef struct mlstm_allocator {
    /** At least `size` bytes (never 0), aligned as `malloc` does; NULL when there are none. */
    void *(*allocate)(void *context, size_t size);
    /** Takes back what `allocate` gave; never called with NULL. */
    void (*release)(void *context, void *pointer);
    /** Passed to both. */
    void *context;
} mlstm_allocator;

/** @} */

#ifdef __cplusplus
}
#endif

#endif
