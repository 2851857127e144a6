/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_SCHEDULE_H
#define MLSTM_SCHEDULE_H

/**
 * @file schedule.h
 * @brief Learning rates that change.
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
 * `rate * factor^(step / period)`: TensorFlow's `exponential_decay`, and with a period of 1 PyTorch's
 * `ExponentialLR`.
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

/** @} */

#ifdef __cplusplus
}
#endif

#endif
