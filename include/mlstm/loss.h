/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_LOSS_H
#define MLSTM_LOSS_H

/**
 * @file loss.h
 * @brief Losses on y, their gradients, and softmax alone.
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
 * Softmax of each row, for a model that runs and has no labels:
 * `probabilities[r][k] = exp(logits[r][k]) / sum over j of exp(logits[r][j])`.
 *
 * Safe for any finite logits: the largest of a row is subtracted first. A logit of -infinity leaves
 * its class out, with at most 2e-38, as long as another one is finite. What a row gives does not
 * depend on the others; ::mlstm_softmax_cross_entropy may give other last bits. TensorFlow's and
 * PyTorch's `softmax` over the last axis.
 *
 * @param logits              `[rows, classes]`
 * @param rows                at least 1; B for a step, T*B for a window
 * @param classes             at least 1
 * @param[out] probabilities  `[rows, classes]`; may be `logits` itself
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL, or a size below 1
 * @retval MLSTM_ERROR_TOO_LARGE
 */
MLSTM_API mlstm_status mlstm_softmax(const float *logits, size_t rows, int32_t classes,
                                     float *probabilities);

/**
 * Softmax cross entropy with integer labels, averaged over rows:
 * `loss = -1/rows * sum over r of log(softmax(logits[r])[labels[r]])`.
 *
 * Safe for any finite logits: the largest of a row is subtracted first, and the loss is computed
 * from logits, not from probabilities. TensorFlow's
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
 * @retval MLSTM_ERROR_TOO_LARGE
 */
MLSTM_API mlstm_status mlstm_softmax_cross_entropy(const float *logits, const int32_t *labels,
                                                   size_t rows, int32_t classes,
                                                   float *probabilities, float *dlogits,
                                                   float *loss);

/**
 * Softmax cross entropy with a weight for each row, label smoothing (Szegedy et al. 2016) and a
 * label that is ignored; TensorFlow 1's `tf.losses.softmax_cross_entropy` with its default
 * reduction:
 *
 *     z[r] = (1 - smoothing) * one_hot(labels[r]) + smoothing / classes
 *     loss = -1/N * sum over r of weights[r] * sum over k of z[r][k] * log(softmax(logits[r])[k])
 *
 * where N is the number of rows whose weight is not 0. A row with the ignored label counts as one
 * of weight 0; its gradient is 0 whatever its logits, which are read for its probabilities alone.
 * Without weights that is PyTorch's `CrossEntropyLoss` with `ignore_index` and `label_smoothing`,
 * but for one case: where no row counts, the loss is 0 (PyTorch gives NaN). Rows are computed one by
 * one: where none of this is needed, ::mlstm_softmax_cross_entropy is faster for few classes.
 *
 * @param logits              `[rows, classes]`
 * @param labels              `[rows]`, each in 0 to classes-1, or `ignored`
 * @param weights             `[rows]`; NULL for 1 everywhere
 * @param rows                at least 1; T*B for a window
 * @param classes             at least 1
 * @param ignored             any number, often -1 or, in PyTorch, -100
 * @param smoothing           0 to 1
 * @param[out] probabilities  `[rows, classes]`: softmax of the logits; NULL where not wanted
 * @param[out] dlogits        `[rows, classes]`: gradient of the loss; NULL where not wanted
 * @param[out] loss           one number; NULL where not wanted
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL, a size or `smoothing` out of range, or a label; the
 *         sentence names the row
 * @retval MLSTM_ERROR_TOO_LARGE
 */
MLSTM_API mlstm_status mlstm_softmax_cross_entropy_weighted(
    const float *logits, const int32_t *labels, const float *weights, size_t rows, int32_t classes,
    int32_t ignored, float smoothing, float *probabilities, float *dlogits, float *loss);

/**
 * Sigmoid cross entropy, for outputs that are each a probability of their own, averaged:
 * `loss = -1/count * sum of targets * log(s) + (1 - targets) * log(1 - s)`, `s = sigmoid(logits)`.
 *
 * Safe for any finite logits: computed as `max(x, 0) - x * z + log(1 + exp(-|x|))`. TensorFlow's
 * `reduce_mean(sigmoid_cross_entropy_with_logits)`, PyTorch's `BCEWithLogitsLoss`.
 *
 * @param logits        `[count]`
 * @param targets       `[count]`: 0 to 1
 * @param count         at least 1; T*B*O for a window
 * @param[out] dlogits  `[count]`: gradient of the loss; NULL where not wanted
 * @param[out] loss     one number; NULL where not wanted
 */
MLSTM_API mlstm_status mlstm_sigmoid_cross_entropy(const float *logits, const float *targets,
                                                   size_t count, float *dlogits, float *loss);

/**
 * Mean absolute error: `loss = 1/count * sum of |outputs - targets|`; the gradient at 0 is 0.
 * PyTorch's `L1Loss`, Keras' `MeanAbsoluteError`.
 *
 * @param outputs,targets `[count]`
 * @param count           at least 1; T*B*O for a window
 * @param[out] doutputs   `[count]`: gradient of the loss; NULL where not wanted
 * @param[out] loss       one number; NULL where not wanted
 */
MLSTM_API mlstm_status mlstm_absolute_error(const float *outputs, const float *targets,
                                            size_t count, float *doutputs, float *loss);

/**
 * Huber's loss (1964), TensorFlow 1's `tf.losses.huber_loss`, averaged; where
 * `d = outputs - targets`:
 *
 *     |d| <= delta:  d * d / 2
 *     otherwise:     delta * |d| - delta * delta / 2
 *
 * @param outputs,targets `[count]`
 * @param count           at least 1; T*B*O for a window
 * @param delta           finite and above 0 (TensorFlow: 1)
 * @param[out] doutputs   `[count]`: gradient of the loss; NULL where not wanted
 * @param[out] loss       one number; NULL where not wanted
 */
MLSTM_API mlstm_status mlstm_huber_loss(const float *outputs, const float *targets, size_t count,
                                        float delta, float *doutputs, float *loss);

/**
 * Mean squared error: `loss = 1/count * sum of (outputs - targets)^2`.
 * PyTorch's `MSELoss`, Keras' `MeanSquaredError`.
 *
 * @param outputs,targets `[count]`
 * @param count           at least 1; T*B*O for a window
 * @param[out] doutputs   `[count]`: gradient of the loss; NULL where not wanted
 * @param[out] loss       one number; NULL where not wanted
 */
MLSTM_API mlstm_status mlstm_squared_error(const float *outputs, const float *targets, size_t count,
                                           float *doutputs, float *loss);

/** The losses of single numbers, for ::mlstm_weighted_loss. */
enum mlstm_loss {
    MLSTM_SQUARED_ERROR = 0,        /**< ::mlstm_squared_error */
    MLSTM_ABSOLUTE_ERROR = 1,       /**< ::mlstm_absolute_error */
    MLSTM_HUBER_LOSS = 2,           /**< ::mlstm_huber_loss */
    MLSTM_SIGMOID_CROSS_ENTROPY = 3 /**< ::mlstm_sigmoid_cross_entropy */
};

/**
 * One of the losses above with a weight for each row, such as each step of each sequence:
 *
 *     loss = 1/(N * columns) * sum over r of weights[r] * L[r]
 *     L[r] = sum over k of l(outputs[r][k], targets[r][k])
 *
 * where N is the number of rows whose weight is not 0 (TensorFlow 1's `tf.losses` with their
 * default reduction). The outputs of a row of weight 0 are not read and its gradient is 0; where no
 * row counts, the loss is 0.
 *
 * @param kind            one of ::mlstm_loss
 * @param outputs,targets `[rows, columns]`
 * @param weights         `[rows]`
 * @param rows            at least 1; T*B for a window
 * @param columns         at least 1; O
 * @param delta           of ::MLSTM_HUBER_LOSS: finite and above 0; not read by the others
 * @param[out] doutputs   `[rows, columns]`: gradient of the loss; NULL where not wanted
 * @param[out] loss       one number; NULL where not wanted
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL, or a number out of range
 * @retval MLSTM_ERROR_TOO_LARGE
 */
MLSTM_API mlstm_status mlstm_weighted_loss(int32_t kind, const float *outputs, const float *targets,
                                           const float *weights, size_t rows, int32_t columns,
                                           float delta, float *doutputs, float *loss);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
