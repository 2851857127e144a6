/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_SCHEDULE_H
#define MLSTM_SCHEDULE_H

/**
 * @file schedule.h
 * @brief Learning rates and loss scales that change.
 */

#include <stdint.h>

#include <mlstm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup schedule Schedules
 *
 * Plain functions from the number of a step to its learning rate, for ::mlstm_optimizer_set_rate
 * before the update: `step` is how many updates were made before, ::mlstm_optimizer_step_count. One
 * schedule's result may be another's `rate`. An argument outside its range gives NaN, which
 * ::mlstm_optimizer_set_rate refuses.
 *
 * @{ */

/**
 * `rate * factor^floor(step / period)`: PyTorch's `StepLR`, TensorFlow's `exponential_decay` with
 * `staircase`.
 *
 * @param step    at least 0
 * @param period  at least 1
 * @param factor  at least 0
 */
MLSTM_API float mlstm_schedule_step(float rate, int64_t step, int64_t period, float factor);

/**
 * `rate * factor^(step / period)`: TensorFlow's `exponential_decay`, and with a period of 1
 * PyTorch's `ExponentialLR`.
 *
 * @param step    at least 0
 * @param period  at least 1
 * @param factor  at least 0
 */
MLSTM_API float mlstm_schedule_exponential(float rate, int64_t step, int64_t period, float factor);

/**
 * `rate * ((1 - alpha) * (1 + cos(pi * min(step, steps) / steps)) / 2 + alpha)`: half a cosine from
 * `rate` to `alpha * rate`, then that (Loshchilov & Hutter 2017; TensorFlow's `cosine_decay`).
 *
 * @param step   at least 0
 * @param steps  at least 1
 */
MLSTM_API float mlstm_schedule_cosine(float rate, int64_t step, int64_t steps, float alpha);

/**
 * `rate * (start + (1 - start) * min(step, steps) / steps)`: linear from `start * rate` to `rate`,
 * then that (PyTorch's `LinearLR` to the factor 1).
 *
 * @param step   at least 0
 * @param steps  at least 1
 */
MLSTM_API float mlstm_schedule_warmup(float rate, int64_t step, int64_t steps, float start);

/**
 * The loss scale of the next window (Micikevicius et al. 2018), by the rule of PyTorch's
 * `GradScaler`: `scale * backoff` after gradients that were not finite, but at least 2^-126;
 * `scale * growth` after `period` windows in a row with finite gradients, unless that is above
 * 2^126; and otherwise `scale`. So neither the scale nor `1 / scale` is a denormal, which would
 * count as 0.
 *
 * Numbers below 1.2e-38 count as 0, also gradients on their way through time and layers. Where a
 * loss is so small that many are lost, its gradient `dy` is multiplied by a scale before
 * ::mlstm_backward, and the gradients of the parameters are divided by it:
 *
 *     float scale = 65536;
 *     int64_t streak = 0;
 *     for each window:
 *         mlstm_forward, a loss; every dy[i] *= scale; mlstm_backward
 *         mlstm_grads_scale(grads, 1 / scale);
 *         const int32_t finite = mlstm_grads_check(grads, NULL) == MLSTM_OK;
 *         if (finite)
 *             mlstm_apply_grads(optimizer, stack, grads);
 *         mlstm_grads_zero(grads);
 *         scale = mlstm_schedule_loss_scale(scale, finite, 2000, 2, 0.5f, &streak);
 *
 * Clipping comes after ::mlstm_grads_scale. In ::mlstm_softmax_cross_entropy_weighted the weights
 * can carry the scale; then the loss does too. With gradients accumulated over windows, the scale
 * changes at updates only.
 *
 * @param scale           2^-126 to 2^126 (PyTorch begins with 65536)
 * @param finite          1 where every gradient was finite, 0 where one was not
 * @param period          at least 1 (PyTorch: 2000)
 * @param growth          finite and above 1 (PyTorch: 2)
 * @param backoff         above 0, below 1 (PyTorch: 0.5)
 * @param[in,out] streak  0 at first, then what the last call left: finite windows since the scale
 *                        changed
 */
MLSTM_API float mlstm_schedule_loss_scale(float scale, int32_t finite, int64_t period,
                                          float growth, float backoff, int64_t *streak);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
