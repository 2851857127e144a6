/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_CELL_H
#define MLSTM_CELL_H

/**
 * @file cell.h
 * @brief One layer, described: its sizes and options.
 */

#include <stdint.h>

#include <mlstm/allocator.h>
#include <mlstm/export.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup cell Cell
 *
 * A cell describes one layer. It holds settings, no numbers: the parameters belong to the stack that
 * the cell goes into. Every layer needs a new cell of its own.
 *
 * The equations are those of TensorFlow r1.1 `BasicLSTMCell` (Zaremba et al. 2014; the LSTM of
 * Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000):
 *
 *     a  = [x, h] @ kernel + bias        kernel [I+H, 4H], bias [4H], columns in the order i, j, f, o
 *     c' = c * sigmoid(f + forget_bias) + sigmoid(i) * tanh(j)
 *     h' = tanh(c') * sigmoid(o)
 *
 * @{ */

/** One layer's description; opaque. */
typedef struct mlstm_cell mlstm_cell;

/**
 * Makes the description of a layer with forget bias 1.
 *
 * @param input_size  `I`, numbers that the layer takes for each row and step; at least 1
 * @param hidden_size `H`, units of the layer; at least 1
 * @param[out] cell   the new cell; free it with ::mlstm_cell_destroy unless a stack takes it
 * @retval MLSTM_ERROR_INVALID_ARGUMENT a size below 1, or `cell` NULL
 * @retval MLSTM_ERROR_TOO_LARGE a kernel of these sizes cannot be addressed
 * @retval MLSTM_ERROR_OUT_OF_MEMORY
 */
MLSTM_API mlstm_status mlstm_cell_create(int32_t input_size, int32_t hidden_size,
                                         mlstm_cell **cell);

/**
 * ::mlstm_cell_create with memory from the caller's allocator.
 *
 * @param allocator copied; both functions must be set
 */
MLSTM_API mlstm_status mlstm_cell_create_with_allocator(const mlstm_allocator *allocator,
                                                        int32_t input_size, int32_t hidden_size,
                                                        mlstm_cell **cell);

/** Frees a cell that no stack has taken. NULL, and a cell that a stack owns, are left alone. */
MLSTM_API void mlstm_cell_destroy(mlstm_cell *cell);

/**
 * Sets the number added to the forget gate before its sigmoid, at every step. It is no parameter: it
 * is not stored in the bias and not trained (TensorFlow's convention).
 *
 * @param forget_bias finite; 1 for a new cell (Jozefowicz et al. 2015)
 * @retval MLSTM_ERROR_INVALID_ARGUMENT `cell` NULL, or a bias that is not finite
 * @retval MLSTM_ERROR_OWNED a stack has taken the cell: its options are settled
 */
MLSTM_API mlstm_status mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias);

/** `I` of the layer; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_input_size(const mlstm_cell *cell);

/** `H` of the layer; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_hidden_size(const mlstm_cell *cell);

/** The forget bias of the layer; 0 for NULL. */
MLSTM_API float mlstm_cell_forget_bias(const mlstm_cell *cell);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
