/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_LOSS_H
#define MLSTM_LOSS_H

/**
 * @file loss.h
 * @brief Losses on y, and their gradients.
 */

#include <stddef.h>
#include <stdint.h>

#include <mlstm/export.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup loss Losses
 *
 * Plain functions on arrays: no handle, no state. What they give as gradient is what
 * ::mlstm_backward takes as `dy`.
 *
 * @{ */

/**
 * Softmax cross entropy with integer labels, averaged over rows:
 * `loss = -1/rows * sum over r of log(softmax(logits[r])[labels[r]])`.
 *
 * Safe for any finite logits: the largest of a row is subtracted first, and the loss is computed from
 * logits, not from probabilities. TensorFlow's
 * `reduce_mean(sparse_softmax_cross_entropy_with_logits)`, PyTorch's `CrossEntropyLoss`.
 *
 * @param logits              `[rows, classes]`
 * @param labels              `[rows]`, each in 0 to classes-1
 * @param rows                at least 1; T*B for a window
 * @param classes             at least 1
 * @param[out] probabilities  `[rows, classes]`: softmax of the logits; NULL where not wanted
 * @param[out] dlogits        `[rows, classes]`: gradient of the loss; NULL where not wanted
 * @param[out] loss           one number; NULL where not wanted
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL, a size below 1, or a label out of range; the sentence
 *         names the row
 */
MLSTM_API mlstm_status mlstm_softmax_cross_entropy(const float *logits, const int32_t *labels,
                                                   size_t rows, int32_t classes,
                                                   float *probabilities, float *dlogits,
                                                   float *loss);

/**
 * Mean squared error: `loss = 1/count * sum of (outputs - targets)^2`.
 * PyTorch's `MSELoss`, Keras' `MeanSquaredError`.
 *
 * @param outputs,targets `[count]`
 * @param count           at least 1; T*B*O for a window
 * @param[out] doutputs   `[count]`: gradient of the loss; NULL where not wanted
 * @param[out] loss       one number; NULL where not wanted
 */
MLSTM_API mlstm_status mlstm_squared_error(const float *outputs, const float *targets,
                                           size_t count, float *doutputs, float *loss);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
