/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_GRADS_H
#define MLSTM_GRADS_H

/**
 * @file grads.h
 * @brief One gradient for each parameter.
 */

#include <stddef.h>
#include <stdint.h>

#include <mlstm/export.h>
#include <mlstm/stack.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup grads Gradients
 *
 * Gradients of all parameters of a stack, in one contiguous block. ::mlstm_backward adds to it, so
 * gradients can be accumulated over windows, streams and workers; nothing but ::mlstm_grads_zero
 * sets it back.
 *
 * @{ */

/** Gradients of a stack's parameters; opaque. */
typedef struct mlstm_grads mlstm_grads;

/**
 * Makes gradients for a stack, all 0.
 *
 * @param stack       only its sizes are read
 * @param[out] grads  free it with ::mlstm_grads_destroy
 */
MLSTM_API mlstm_status mlstm_grads_create(const mlstm_stack *stack, mlstm_grads **grads);

/** Frees gradients. NULL is left alone. */
MLSTM_API void mlstm_grads_destroy(mlstm_grads *grads);

/** Sets every gradient to 0. */
MLSTM_API mlstm_status mlstm_grads_zero(mlstm_grads *grads);

/** Multiplies every gradient by `factor`, which is finite. */
MLSTM_API mlstm_status mlstm_grads_scale(mlstm_grads *grads, float factor);

/**
 * Adds the gradients of one worker to those of another.
 *
 * @param grads  added to
 * @param other  of the same stack; may be `grads` itself
 */
MLSTM_API mlstm_status mlstm_grads_add(mlstm_grads *grads, const mlstm_grads *other);

/**
 * The global norm: the square root of the sum of all squares, over all parameters, in float64.
 *
 * @param[out] norm infinite or NaN where a gradient is, and infinite where it is beyond float32
 */
MLSTM_API mlstm_status mlstm_grads_norm(const mlstm_grads *grads, float *norm);

/**
 * Clips by the global norm: multiplies all gradients by `max_norm / norm` where `norm` exceeds
 * `max_norm` (Pascanu et al. 2013; TensorFlow's `clip_by_global_norm`).
 *
 * @param max_norm   above 0
 * @param[out] norm  the norm before, as ::mlstm_grads_norm gives it: infinite where it is beyond
 *                   float32. NULL where it is not wanted
 * @retval MLSTM_ERROR_NOT_FINITE a gradient is NaN or infinite; all are as before
 */
MLSTM_API mlstm_status mlstm_grads_clip_norm(mlstm_grads *grads, float max_norm, float *norm);

/**
 * Clips every parameter's gradient by its own norm, as ::mlstm_grads_clip_norm does by the global
 * one (TensorFlow's `clip_by_norm`).
 *
 * @param max_norm above 0
 * @retval MLSTM_ERROR_NOT_FINITE a gradient is NaN or infinite; the sentence names the parameter,
 *         and all are as before
 */
MLSTM_API mlstm_status mlstm_grads_clip_param_norm(mlstm_grads *grads, float max_norm);

/**
 * Clips every number to -limit to limit (TensorFlow's `clip_by_value`, PyTorch's
 * `clip_grad_value_`). NaN stays.
 *
 * @param limit above 0
 */
MLSTM_API mlstm_status mlstm_grads_clip_value(mlstm_grads *grads, float limit);

/**
 * Looks for a NaN or an infinity.
 *
 * @param[out] name  with ::MLSTM_ERROR_NOT_FINITE, the first parameter that has one: a string that
 *                   is good until the gradients are freed; NULL where it is not wanted
 * @retval MLSTM_OK every number is finite
 * @retval MLSTM_ERROR_NOT_FINITE one is not; the sentence names the parameter
 */
MLSTM_API mlstm_status mlstm_grads_check(const mlstm_grads *grads, const char **name);

/**
 * Copies the gradient of one parameter out, in the parameter's canonical layout.
 *
 * @param name  as in ::mlstm_stack_get_param
 * @param count the product of the parameter's dimensions
 */
MLSTM_API mlstm_status mlstm_grads_get(const mlstm_grads *grads, const char *name, float *values,
                                       size_t count);

/** Copies the gradient of one parameter in; the counterpart of ::mlstm_grads_get. */
MLSTM_API mlstm_status mlstm_grads_set(mlstm_grads *grads, const char *name, const float *values,
                                       size_t count);

/**
 * The block itself, for what is done to all gradients alike, such as a sum over processes.
 *
 * Its order is the kernels' own. Stacks made alike have the same one wherever ::mlstm_isa is the
 * same, with the same build of the library. Where processes on different processors add up theirs,
 * set the environment variable `MLSTM_ISA` alike in all of them, to what each processor has, or use
 * ::mlstm_grads_get and ::mlstm_grads_set.
 *
 * Some of the numbers are padding, which is 0 and has to stay so: what would change a 0 (noise,
 * say) belongs in ::mlstm_grads_get and ::mlstm_grads_set.
 *
 * @param[out] data  good until the gradients are freed
 * @param[out] count floats in it
 */
MLSTM_API mlstm_status mlstm_grads_data(mlstm_grads *grads, float **data, size_t *count);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
