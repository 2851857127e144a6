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
#include <mlstm/state.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup optimizer Optimizers
 *
 * An optimizer is an update rule with its settings and its slots: numbers that it keeps for every
 * parameter. Each rule is that of the framework that its function names; where it differs, its text
 * says so.
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

/**
 * RMSProp (Tieleman & Hinton 2012), TensorFlow r1.1 `RMSPropOptimizer`, where epsilon is inside
 * the root:
 *
 *     r  = decay * r + (1 - decay) * g * g
 *     m  = momentum * m + rate * g / sqrt(r + epsilon)
 *     v -= m
 *
 * and centered (Graves 2013):
 *
 *     a  = decay * a + (1 - decay) * g
 *     m  = momentum * m + rate * g / sqrt(r - a * a + epsilon)
 *
 * where, unlike in TensorFlow, `r - a * a` counts as 0 if rounding makes it negative.
 *
 * Its slots are "rms" (r), 1 at first, and "momentum" (m) and, centered, "mg" (a), 0 at first.
 *
 * @param stack           only its sizes are read
 * @param rate            the learning rate; finite
 * @param decay           at least 0, below 1 (TensorFlow: 0.9)
 * @param momentum        at least 0, below 1 (TensorFlow: 0)
 * @param epsilon         finite and above 0 (TensorFlow: 1e-10)
 * @param centered        0 or 1
 * @param[out] optimizer  free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_rmsprop_create(const mlstm_stack *stack, float rate, float decay,
                                            float momentum, float epsilon, int32_t centered,
                                            mlstm_optimizer **optimizer);

/**
 * Adam (Kingma & Ba 2015), PyTorch `torch.optim.Adam`; t is the number of the update, from 1:
 *
 *     m  = beta1 * m + (1 - beta1) * g
 *     s  = beta2 * s + (1 - beta2) * g * g
 *     v -= rate / (1 - beta1^t) * m / (sqrt(s) / sqrt(1 - beta2^t) + epsilon)
 *
 * Its slots are "exp_avg" (m) and "exp_avg_sq" (s), 0 at first.
 *
 * @param stack           only its sizes are read
 * @param rate            the learning rate; finite
 * @param beta1           at least 0, below 1 (PyTorch: 0.9)
 * @param beta2           at least 0, below 1 (PyTorch: 0.999)
 * @param epsilon         finite and above 0 (PyTorch: 1e-8)
 * @param[out] optimizer  free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_adam_create(const mlstm_stack *stack, float rate, float beta1,
                                         float beta2, float epsilon, mlstm_optimizer **optimizer);

/**
 * AdamW (Loshchilov & Hutter 2019), PyTorch `torch.optim.AdamW`: as ::mlstm_adam_create, after
 *
 *     v *= 1 - rate * weight_decay
 *
 * of every parameter, biases too, but where ::mlstm_optimizer_set_weight_decay gives it another.
 *
 * @param stack           only its sizes are read
 * @param rate            the learning rate; finite
 * @param beta1,beta2     at least 0, below 1 (PyTorch: 0.9, 0.999)
 * @param epsilon         finite and above 0 (PyTorch: 1e-8)
 * @param weight_decay    finite and at least 0 (PyTorch: 0.01)
 * @param[out] optimizer  free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_adamw_create(const mlstm_stack *stack, float rate, float beta1,
                                          float beta2, float epsilon, float weight_decay,
                                          mlstm_optimizer **optimizer);

/**
 * AMSGrad (Reddi et al. 2018), PyTorch `torch.optim.Adam(amsgrad=True)`: ::mlstm_adam_create with
 *
 *     x  = max(x, s)
 *     v -= rate / (1 - beta1^t) * m / (sqrt(x) / sqrt(1 - beta2^t) + epsilon)
 *
 * Its third slot is "max_exp_avg_sq" (x), 0 at first.
 *
 * @param stack           only its sizes are read
 * @param rate            the learning rate; finite
 * @param beta1,beta2     at least 0, below 1 (PyTorch: 0.9, 0.999)
 * @param epsilon         finite and above 0 (PyTorch: 1e-8)
 * @param[out] optimizer  free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_amsgrad_create(const mlstm_stack *stack, float rate, float beta1,
                                            float beta2, float epsilon,
                                            mlstm_optimizer **optimizer);

/**
 * Nadam (Dozat 2016), PyTorch `torch.optim.NAdam` since 2.0 (1.13 has mu(t) in M(t+1) twice);
 * m, s and t as in ::mlstm_adam_create:
 *
 *     mu(t) = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay)),   M(t) = mu(1) * ... * mu(t)
 *     v -= rate * ((1 - mu(t)) / (1 - M(t)) * g + mu(t+1) / (1 - M(t+1)) * m)
 *          / (sqrt(s / (1 - beta2^t)) + epsilon)
 *
 * Its slots are "exp_avg" (m) and "exp_avg_sq" (s), 0 at first.
 *
 * @param stack           only its sizes are read
 * @param rate            the learning rate; finite
 * @param beta1,beta2     at least 0, below 1 (PyTorch: 0.9, 0.999)
 * @param epsilon         finite and above 0 (PyTorch: 1e-8)
 * @param momentum_decay  finite and at least 0 (PyTorch: 0.004)
 * @param[out] optimizer  free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_nadam_create(const mlstm_stack *stack, float rate, float beta1,
                                          float beta2, float epsilon, float momentum_decay,
                                          mlstm_optimizer **optimizer);

/**
 * Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms"), the authors' own rule:
 *
 *     v *= 1 - rate * weight_decay
 *     v -= rate * sign(beta1 * m + (1 - beta1) * g)            sign(0) = 0
 *     m  = beta2 * m + (1 - beta2) * g
 *
 * Its slot is "exp_avg" (m), 0 at first.
 *
 * @param stack           only its sizes are read
 * @param rate            the learning rate; finite
 * @param beta1           at least 0, below 1 (the authors: 0.9)
 * @param beta2           at least 0, below 1 (the authors: 0.99)
 * @param weight_decay    finite and at least 0 (the authors: 0)
 * @param[out] optimizer  free it with ::mlstm_optimizer_destroy
 */
MLSTM_API mlstm_status mlstm_lion_create(const mlstm_stack *stack, float rate, float beta1,
                                         float beta2, float weight_decay,
                                         mlstm_optimizer **optimizer);

/** Frees an optimizer. NULL is left alone. */
MLSTM_API void mlstm_optimizer_destroy(mlstm_optimizer *optimizer);

/** Changes the learning rate for the updates to come. */
MLSTM_API mlstm_status mlstm_optimizer_set_rate(mlstm_optimizer *optimizer, float rate);

/** The learning rate; 0 for NULL. */
MLSTM_API float mlstm_optimizer_rate(const mlstm_optimizer *optimizer);

/** How many updates the optimizer has made; 0 for NULL. */
MLSTM_API int64_t mlstm_optimizer_step_count(const mlstm_optimizer *optimizer);

/**
 * Sets how many updates were made before the next: what t goes on from. With it and
 *
 * - the parameters (::mlstm_stack_get_param), each one's slots (::mlstm_optimizer_get_slot), and
 *   its weight decay and whether it is frozen, where these were set;
 * - the rate, where it has changed;
 * - c and h of each stream (::mlstm_state_get) and what is left of its lengths, within sequences;
 * - the scale and the streak of ::mlstm_schedule_loss_scale
 *
 * a stack and an optimizer made alike train on at the next window as if they had not stopped. Only
 * masks of dropout and zoneout cannot go on in the middle: ::mlstm_state_set_training begins new
 * ones, so stop where it would be called anyway.
 *
 * @param count 0 to 2^53
 */
MLSTM_API mlstm_status mlstm_optimizer_set_step_count(mlstm_optimizer *optimizer, int64_t count);

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
 * Sets the weight decay of one parameter for the updates to come: what PyTorch's optimizers call
 * `weight_decay`, with that parameter in a group of its own. In SGD, Momentum, Nesterov, Adagrad,
 * RMSProp, Adam, AMSGrad and Nadam it is the classic L2 penalty, which goes through the rule:
 *
 *     g += decay * v
 *
 * In AdamW and Lion it is decoupled from the gradient, and comes before the rule:
 *
 *     v *= 1 - rate * decay
 *
 * Their own `weight_decay` is what each of their parameters has at first; in all others that is 0.
 * For all kernels and no bias, set it for every parameter of rank 2 (::mlstm_stack_param_info). The
 * gradients that ::mlstm_apply_grads gets are not changed.
 *
 * @param param  a parameter's name, such as "layer0.kernel"
 * @param decay  finite and at least 0
 * @retval MLSTM_ERROR_NOT_FOUND no parameter of that name
 */
MLSTM_API mlstm_status mlstm_optimizer_set_weight_decay(mlstm_optimizer *optimizer,
                                                        const char *param, float decay);

/** The weight decay of one parameter; 0 for NULL and for a name that is not there. */
MLSTM_API float mlstm_optimizer_weight_decay(const mlstm_optimizer *optimizer, const char *param);

/**
 * Freezes one parameter, or lets it go on: updates leave a frozen one and its slots as they are,
 * bit for bit, whatever its gradient and its weight decay. The updates are counted all the same
 * (::mlstm_optimizer_step_count): for Adam's corrections a parameter that was frozen is as old as
 * all others, as in TensorFlow and not in PyTorch.
 *
 * Its gradient is computed as before, and counts in the global norm unless it is set to 0.
 *
 * @param param   a parameter's name, such as "layer0.kernel"
 * @param frozen  0 or 1
 * @retval MLSTM_ERROR_NOT_FOUND no parameter of that name
 */
MLSTM_API mlstm_status mlstm_optimizer_set_frozen(mlstm_optimizer *optimizer, const char *param,
                                                  int32_t frozen);

/** Whether a parameter is frozen; 0 for NULL and for a name that is not there. */
MLSTM_API int32_t mlstm_optimizer_frozen(const mlstm_optimizer *optimizer, const char *param);

/**
 * Updates every parameter of the stack that is not frozen by its gradient. The gradients are not
 * changed: set them to 0 before the next window, unless they are to be accumulated.
 *
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL
 * @retval MLSTM_ERROR_MISMATCH optimizer or gradients of another stack
 */
MLSTM_API mlstm_status mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack,
                                         const mlstm_grads *grads);

/**
 * As ::mlstm_apply_grads, on as many threads of a state (::mlstm_state_set_threads) as its last
 * backward pass went to: right after it they are awake, and most of the gradients that each updates
 * by are in its core's cache. The result has the same bits. Of fewer than some 32 000 parameters,
 * or some 520 000 once these threads sleep, the calling one updates all.
 *
 * @param state  of this stack; nothing but its threads is used
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL
 * @retval MLSTM_ERROR_MISMATCH state, optimizer or gradients of another stack
 */
MLSTM_API mlstm_status mlstm_state_apply_grads(mlstm_state *state, mlstm_optimizer *optimizer,
                                               mlstm_stack *stack, const mlstm_grads *grads);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
