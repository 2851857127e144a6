/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_STACK_H
#define MLSTM_STACK_H

/**
 * @file stack.h
 * @brief The layers, the readout, and every parameter.
 */

#include <stddef.h>
#include <stdint.h>

#include <mlstm/cell.h>
#include <mlstm/export.h>
#include <mlstm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup stack Stack
 *
 * A stack is the model: its layers from bottom to top, an optional readout on the top layer, and
 * all parameters. Layer 0 reads the input, layer `l` what layer `l-1` gives; sizes may differ from
 * layer to layer. What a pass computes is kept in an `mlstm_state`, so one stack serves any number
 * of states.
 *
 * Parameters have names and one canonical layout, whatever the library does inside. In this order:
 *
 * | name                                         | shape     | is there                       |
 * |----------------------------------------------|-----------|--------------------------------|
 * | `layer0.kernel`                              | [I+P, 4H] | for each layer, counted from 0 |
 * | `layer0.bias`                                | [4H]      | with one bias or two           |
 * | `layer0.bias_h`                              | [4H]      | with two biases                |
 * | `layer0.peephole_i` `_f` `_o`                | [H]       | with peepholes                 |
 * | `layer0.norm_gain`                           | [4H]      | with ::MLSTM_NORM_GATES        |
 * | `layer0.norm_x_gain` `layer0.norm_h_gain`    | [4H]      | with ::MLSTM_NORM_PRODUCTS     |
 * | `layer0.norm_c_gain` `layer0.norm_c_shift`   | [H]       | with either                    |
 * | `layer0.projection`                          | [H, P]    | with a projection              |
 * | `layer0.initial_c`                           | [H]       | with a learned state           |
 * | `layer0.initial_h`                           | [P]       | with a learned state           |
 * | `layer0.reverse.kernel` and all of the above | as above  | in bidirectional layers        |
 * | `layer0.highway_kernel`                      | [I, D]    | with ::MLSTM_SKIP_HIGHWAY      |
 * | `layer0.highway_bias`                        | [D]       | with ::MLSTM_SKIP_HIGHWAY      |
 * | `readout.kernel_c`                           | [C, O]    | with a readout that reads c    |
 * | `readout.kernel_h`                           | [D, O]    | with a readout that reads h    |
 * | `readout.bias`                               | [O]       | with a readout                 |
 *
 * Letters as in cell.h: P is H without a projection; D is P, or 2P in a bidirectional layer that
 * concatenates; C is H, or 2H there. Columns of the kernel and of everything with 4H numbers are
 * the gates i, j, f, o, each `H` wide; the rows of the kernel are first the `I` inputs, then the
 * `P` recurrent ones.
 *
 * @{ */

/** A model; opaque. */
typedef struct mlstm_stack mlstm_stack;

/** What the readout reads of the top layer; values may be combined with `|`. */
enum mlstm_readout_source {
    MLSTM_READOUT_C = 1, /**< the cell state c; of two directions, merged as h is */
    MLSTM_READOUT_H = 2  /**< the layer's output: h, with what skips the layer */
};

/**
 * How initial values are drawn; what `a` and `b` of ::mlstm_stack_init_param mean. The rules for
 * matrices, those of Glorot and of He and the orthogonal one, give a vector its neutral value
 * instead: 1 for gains and highway biases, 0 for all others.
 */
enum mlstm_initializer {
    MLSTM_ZEROS = 0,         /**< 0; `a` and `b` are not used. */
    MLSTM_UNIFORM = 1,       /**< Uniform in [a, b); both finite, a <= b. */
    /** Uniform in [-s, s), s = sqrt(6 / (rows + columns)) of the matrix (Glorot & Bengio 2010;
        TensorFlow's default); `a` and `b` are not used. */
    MLSTM_GLOROT_UNIFORM = 2,
    /** Normal with the standard deviation sqrt(2 / (rows + columns)) (PyTorch's `xavier_normal_`);
        `a` and `b` are not used. */
    MLSTM_GLOROT_NORMAL = 3,
    /** Uniform in [-s, s), s = sqrt(6 / rows) (He et al. 2015; PyTorch's `kaiming_uniform_`, Keras'
        `he_uniform`); `a` and `b` are not used. */
    MLSTM_HE_UNIFORM = 4,
    /** Normal with the standard deviation sqrt(2 / rows) (PyTorch's `kaiming_normal_`); `a` and `b`
        are not used. */
    MLSTM_HE_NORMAL = 5,
    /** Normal with the mean a and the standard deviation b; both finite, b not below 0. */
    MLSTM_NORMAL = 6,
    /** As ::MLSTM_NORMAL, drawn again where it is two standard deviations or more from the mean
        (TensorFlow's `truncated_normal`). */
    MLSTM_TRUNCATED_NORMAL = 7,
    /** a, finite; `b` is not used. */
    MLSTM_CONSTANT = 8,
    /** Orthogonal times the gain a, finite (Saxe et al. 2014); `b` is not used.
        Of `layerN.kernel`, the recurrent rows of each gate are one such matrix, and the input rows
        are uniform in [-s, s), s = sqrt(6 / (I + 4H)), whatever the gain, as in Keras' `LSTM`.
        Other matrices have orthonormal rows, or columns where these are fewer. Uniform among all
        such matrices. Needs memory for one of them in float64 while it runs. */
    MLSTM_ORTHOGONAL = 9
};

/**
 * Makes a stack of the given layers, all parameters 0, without a readout.
 *
 * On success the stack owns the cells: their pointers stay good for reading until the stack is
 * freed, which frees the cells too, and must not be used after that. On failure all of them are
 * still the caller's. ::mlstm_cell_destroy leaves the cells of a stack alone, so one way out serves
 * for every error, with pointers that were NULL at first:
 *
 *     mlstm_cell_destroy(cells[0]);       and so on, whether the stack has taken them or not
 *     mlstm_stack_destroy(stack);         last
 *
 * @param cells       `count` cells, bottom first; cell `l+1` has the input size that is the output
 *                    size of cell `l`
 * @param count       `L`, at least 1
 * @param[out] stack  the new stack; free it with ::mlstm_stack_destroy
 * @retval MLSTM_ERROR_INVALID_ARGUMENT NULL somewhere, or `count` below 1
 * @retval MLSTM_ERROR_OWNED the same cell twice, or one that a stack owns; the sentence names the
 *         positions
 * @retval MLSTM_ERROR_MISMATCH sizes of neighbouring layers that differ, a skip connection past a
 *         layer that gives another size than it takes, or cells of different allocators; the
 *         sentence names the layer
 * @retval MLSTM_ERROR_TOO_LARGE the parameters cannot be addressed
 * @retval MLSTM_ERROR_OUT_OF_MEMORY
 */
MLSTM_API mlstm_status mlstm_stack_create(mlstm_cell *const *cells, int32_t count,
                                          mlstm_stack **stack);

/** Frees a stack, its cells and its parameters. NULL is left alone. */
MLSTM_API void mlstm_stack_destroy(mlstm_stack *stack);

/**
 * Puts a linear readout on the top layer, `y = c @ kernel_c + h @ kernel_h + bias`, with the terms
 * that `sources` names and all its parameters 0. An earlier readout is replaced; parameters of the
 * layers keep their values. States, gradients and optimizers made before belong to the earlier
 * arrangement and are refused from now on.
 *
 * @param outputs `O`, at least 1
 * @param sources ::MLSTM_READOUT_C, ::MLSTM_READOUT_H or both
 * @retval MLSTM_ERROR_INVALID_ARGUMENT
 * @retval MLSTM_ERROR_TOO_LARGE
 * @retval MLSTM_ERROR_OUT_OF_MEMORY
 */
MLSTM_API mlstm_status mlstm_stack_set_readout(mlstm_stack *stack, int32_t outputs,
                                               int32_t sources);

/** What the readout reads, as ::mlstm_stack_set_readout takes it, 0 without one; 0 for NULL. */
MLSTM_API int32_t mlstm_stack_readout(const mlstm_stack *stack);

/** `L`; 0 for NULL. */
MLSTM_API int32_t mlstm_stack_layer_count(const mlstm_stack *stack);

/** The cell of a layer, owned by the stack; NULL for a layer that is not there. */
MLSTM_API const mlstm_cell *mlstm_stack_cell(const mlstm_stack *stack, int32_t layer);

/** `I` of the bottom layer; 0 for NULL. */
MLSTM_API int32_t mlstm_stack_input_size(const mlstm_stack *stack);

/** `O`, the numbers in a row of y: outputs of the readout, or D of the top layer; 0 for NULL. */
MLSTM_API int32_t mlstm_stack_output_size(const mlstm_stack *stack);

/**
 * Gives every kernel and projection new values, and every vector its neutral one, also with
 * ::MLSTM_ZEROS: gains and highway biases 1, everything else 0.
 *
 * A value depends on the seed, the parameter's index and the element's place in canonical layout
 * alone (Philox 4x32-10, Salmon et al. 2011). Uniform weights are the same on every machine; normal
 * and orthogonal ones may differ in their last bits, as `log` and `cos` do between C libraries.
 *
 * @param initializer ::MLSTM_ZEROS, ::MLSTM_GLOROT_UNIFORM, ::MLSTM_GLOROT_NORMAL,
 *                    ::MLSTM_HE_UNIFORM, ::MLSTM_HE_NORMAL, or ::MLSTM_ORTHOGONAL with gain 1; the
 *                    others need numbers, see ::mlstm_stack_init_param
 * @param seed        any
 * @retval MLSTM_ERROR_OUT_OF_MEMORY of ::MLSTM_ORTHOGONAL alone
 */
MLSTM_API mlstm_status mlstm_stack_init(mlstm_stack *stack, int32_t initializer, uint64_t seed);

/**
 * Gives one parameter new values.
 *
 * @param name        as in the table above
 * @param initializer one of ::mlstm_initializer
 * @param a,b         what the initializer takes
 * @param seed        any
 * @retval MLSTM_ERROR_NOT_FOUND no parameter of that name
 * @retval MLSTM_ERROR_OUT_OF_MEMORY of ::MLSTM_ORTHOGONAL alone
 */
MLSTM_API mlstm_status mlstm_stack_init_param(mlstm_stack *stack, const char *name,
                                              int32_t initializer, float a, float b,
                                              uint64_t seed);

/** How many parameters (named arrays) the stack has; 0 for NULL. */
MLSTM_API int32_t mlstm_stack_param_count(const mlstm_stack *stack);

/**
 * Describes a parameter. Indices run from the bottom layer to the readout.
 *
 * @param index       0 to ::mlstm_stack_param_count - 1
 * @param[out] name   a string of the stack, good until it is freed or gets another readout
 * @param[out] rank   1 or 2, the number of dimensions
 * @param[out] shape  two numbers: the dimensions; the second is 1 where the rank is 1
 */
MLSTM_API mlstm_status mlstm_stack_param_info(const mlstm_stack *stack, int32_t index,
                                              const char **name, int32_t *rank, int32_t *shape);

/**
 * Copies a parameter out, in canonical layout.
 *
 * @param[out] values `count` numbers
 * @param count       the product of the parameter's dimensions
 * @retval MLSTM_ERROR_NOT_FOUND no parameter of that name
 * @retval MLSTM_ERROR_MISMATCH `count` is another number
 */
MLSTM_API mlstm_status mlstm_stack_get_param(const mlstm_stack *stack, const char *name,
                                             float *values, size_t count);

/** Copies a parameter in; the counterpart of ::mlstm_stack_get_param. */
MLSTM_API mlstm_status mlstm_stack_set_param(mlstm_stack *stack, const char *name,
                                             const float *values, size_t count);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
