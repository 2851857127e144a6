/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_OPTIMIZER_H
#define MLSTM_OPTIMIZER_H

/**
 * @file optimizer.h
 * @brief Update rules and their slots.
 */

#include <stddef.h>
#include <stdint.h>

#include <mlstm/export.h>
#include <mlstm/grads.h>
#include <mlstm/stack.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup optimizer Optimizers
 *
 * An optimizer is an update rule with its settings and its slots: numbers that it keeps for every
 * parameter. Each rule is exactly that of the framework that its function names.
 *
 * @{ */

/** An update rule; opaque. */
typedef struct mlstm_optimizer mlstm_optimizer;

/**
 * Stochastic gradient descent, TensorFlow r1.1 `GradientDescentOptimizer` and `MomentumOptimizer`:
 *
 *     momentum == 0:   v -= rate * g
 *     otherwise:       m  = momentum * m + g
 *                      v -= rate * m                           or, Nesterov,
 *                      v -= rate * (g + momentum * m)
 *
 * Its slot, where the momentum is not 0, is "momentum", 0 at first.
 *
 * @param stack           only its sizes are read
 * @param rate            the learning rate; finite
 * @param momentum        0 to 1
 * @param nesterov        0 or 1; 1 needs a momentum
 * @param[out] optimizer  free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_sgd_create(const mlstm_stack *stack, float rate, float momentum,
                                        int32_t nesterov, mlstm_optimizer **optimizer);

/**
 * Adagrad (Duchi et al. 2011), TensorFlow r1.1 `AdagradOptimizer`, without an epsilon:
 *
 *     a += g * g
 *     v -= rate * g / sqrt(a)
 *
 * Its slot is "accumulator".
 *
 * @param stack               only its sizes are read
 * @param rate                the learning rate; finite
 * @param initial_accumulator a at first; finite and above 0 (TensorFlow: 0.1)
 * @param[out] optimizer      free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_adagrad_create(const mlstm_stack *stack, float rate,
                                            float initial_accumulator,
                                            mlstm_optimizer **optimizer);

/** Frees an optimizer. NULL is left alone. */
MLSTM_API void mlstm_optimizer_destroy(mlstm_optimizer *optimizer);

/** Changes the learning rate for the updates to come. */
MLSTM_API mlstm_status mlstm_optimizer_set_rate(mlstm_optimizer *optimizer, float rate);

/** The learning rate; 0 for NULL. */
MLSTM_API float mlstm_optimizer_rate(const mlstm_optimizer *optimizer);

/** How many slots the rule keeps for each parameter; 0 for NULL. */
MLSTM_API int32_t mlstm_optimizer_slot_count(const mlstm_optimizer *optimizer);

/** The name of a slot, a constant string; NULL for one that is not there. */
MLSTM_API const char *mlstm_optimizer_slot_name(const mlstm_optimizer *optimizer, int32_t index);

/**
 * Copies the slot of one parameter out, in the parameter's canonical layout.
 *
 * @param slot   a slot's name, such as "accumulator"
 * @param param  a parameter's name, such as "layer0.kernel"
 * @param count  the product of the parameter's dimensions
 * @retval MLSTM_ERROR_NOT_FOUND no slot or no parameter of that name
 * @retval MLSTM_ERROR_MISMATCH `count` is another number
 */
MLSTM_API mlstm_status mlstm_optimizer_get_slot(const mlstm_optimizer *optimizer, const char *slot,
                                                const char *param, float *values, size_t count);

/** Copies the slot of one parameter in; the counterpart of ::mlstm_optimizer_get_slot. */
MLSTM_API mlstm_status mlstm_optimizer_set_slot(mlstm_optimizer *optimizer, const char *slot,
                                                const char *param, const float *values,
                                                size_t count);

/**
 * Updates every parameter of the stack by its gradient. The gradients are not changed: set them to 0
 * before the next window, unless they are to be accumulated.
 *
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL
 * @retval MLSTM_ERROR_MISMATCH optimizer or gradients of another stack
 */
MLSTM_API mlstm_status mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack,
                                         const mlstm_grads *grads);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
