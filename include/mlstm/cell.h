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
 * A cell describes one layer. It holds settings, no numbers: the parameters belong to the stack
 * that the cell goes into. Every layer needs a new cell of its own.
 *
 * A new cell is that of TensorFlow r1.1 `BasicLSTMCell` (Zaremba et al. 2014; the LSTM of
 * Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000):
 *
 *     a  = [x, h] @ kernel + bias      kernel [I+H, 4H], bias [4H], columns in the order i, j, f, o
 *     c' = c * sigmoid(f + forget_bias) + sigmoid(i) * tanh(j)
 *     h' = tanh(c') * sigmoid(o)
 *
 * Every option below changes one place of it, and all of them go together. With all of them, a
 * layer computes, where `*` is element by element:
 *
 *     x~ = dropout(x),  h~ = dropout(h)                  mlstm_cell_set_dropout,
 *                                                        mlstm_cell_set_recurrent_dropout
 *     a  = x~ @ kernel_x + h~ @ kernel_h + bias          mlstm_cell_set_biases
 *        or the norm of these products, + bias           mlstm_cell_set_norm
 *     i  = sigmoid(a_i + peephole_i * c)                 mlstm_cell_set_peepholes
 *     f  = sigmoid(a_f + peephole_f * c + forget_bias)   or 1 - i: mlstm_cell_set_coupled
 *     j  = dropout(tanh(a_j))                            mlstm_cell_set_recurrent_dropout
 *     c~ = clip(norm_gates(c * f + i * j))               mlstm_cell_set_norm, _set_cell_clip
 *     o  = sigmoid(a_o + peephole_o * c~)
 *     h^ = clip((tanh(norm_products(c~)) * o)            mlstm_cell_set_norm, _set_projection,
 *               @ projection)                            mlstm_cell_set_projection_clip
 *     c' = zoneout(c, c~),  h' = zoneout(h, h^)          mlstm_cell_set_zoneout
 *     y  = h', or with what the layer read:              mlstm_cell_set_skip, _set_bidirectional
 *
 * `norm_gates` is there with ::MLSTM_NORM_GATES alone, `norm_products` with ::MLSTM_NORM_PRODUCTS
 * alone: there the state keeps a c that is not normalised.
 *
 * Letters: `I` inputs, `H` hidden units, `P` numbers in h: the projection's, or H without one; `D`
 * numbers in y: P, or 2P where both directions are concatenated; `C` numbers in the c beside it: H,
 * or 2H there.
 *
 * An option that is not set costs nothing. Those that are random (dropout, zoneout) are at work in
 * a state whose training behaviour is on, see `mlstm_state_set_training`. Every function here that
 * sets one fails with ::MLSTM_ERROR_INVALID_ARGUMENT for `cell` NULL or a number out of its range,
 * and with ::MLSTM_ERROR_OWNED once a stack has taken the cell: its options are settled then.
 * ::mlstm_cell_set_projection can also fail with ::MLSTM_ERROR_TOO_LARGE.
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

/**
 * Frees a cell that no stack has taken. NULL, and a cell whose stack has not been freed yet, are
 * left alone: on the way out of an error a program may free all cells, taken or not, before
 * ::mlstm_stack_destroy. After that the pointers to the cells that the stack had taken must not be
 * used any more, not even here.
 */
MLSTM_API void mlstm_cell_destroy(mlstm_cell *cell);

/**
 * Sets the number added to the forget gate before its sigmoid, at every step. It is no parameter:
 * it is not stored in the bias and not trained (TensorFlow's convention).
 *
 * @param forget_bias finite; 1 for a new cell (Jozefowicz et al. 2015)
 */
MLSTM_API mlstm_status mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias);

/**
 * Sets how many biases the layer has. With two, which is PyTorch's and ONNX's way, `layerN.bias`
 * belongs to x and `layerN.bias_h` to h; they are added, and their gradients are equal.
 *
 * @param biases 0, 1 or 2; 1 for a new cell
 */
MLSTM_API mlstm_status mlstm_cell_set_biases(mlstm_cell *cell, int32_t biases);

/**
 * Lets the gates see the cell state through a weight for each unit (Gers & Schmidhuber 2000;
 * TensorFlow 1 `LSTMCell(use_peepholes=True)`, ONNX `P`): i and f see c before the step, o sees c
 * after it. The weights are `layerN.peephole_i`, `_f` and `_o`, `[H]` each.
 *
 * @param peepholes 0 or 1
 */
MLSTM_API mlstm_status mlstm_cell_set_peepholes(mlstm_cell *cell, int32_t peepholes);

/**
 * Projects the output: h has P numbers, `(tanh(c') * o) @ layerN.projection`, and these are what
 * the layer reads at the next step (Sak et al. 2014; TensorFlow 1 `LSTMCell(num_proj)`, PyTorch
 * `proj_size`). The kernel is then `[I+P, 4H]`, the projection `[H, P]`.
 *
 * @param projection `P`, at least 1; 0 for none
 * @retval MLSTM_ERROR_TOO_LARGE a kernel of these sizes cannot be addressed
 */
MLSTM_API mlstm_status mlstm_cell_set_projection(mlstm_cell *cell, int32_t projection);

/**
 * Clips the projected output to -clip to clip (TensorFlow 1 `proj_clip`). The gradient of a number
 * that was clipped is 0. Without a projection it clips h.
 *
 * @param clip finite and above 0; 0 for none
 */
MLSTM_API mlstm_status mlstm_cell_set_projection_clip(mlstm_cell *cell, float clip);

/**
 * Clips c to -clip to clip before the output gate reads it (TensorFlow 1 `LSTMCell(cell_clip)`).
 * The gradient of a number that was clipped is 0.
 *
 * @param clip finite and above 0; 0 for none
 */
MLSTM_API mlstm_status mlstm_cell_set_cell_clip(mlstm_cell *cell, float clip);

/**
 * Couples the forget gate to the input gate, `f = 1 - i` (the CIFG of Greff et al. 2017; ONNX
 * `input_forget`). The columns f of kernel and bias stay, so that shapes are the same for all
 * layers, but no gate reads them: their gradient is 0, except that of the kernel with
 * ::MLSTM_NORM_PRODUCTS, where they count in the mean and the variance.
 *
 * @param coupled 0 or 1
 */
MLSTM_API mlstm_status mlstm_cell_set_coupled(mlstm_cell *cell, int32_t coupled);

/** Where layer normalisation (Ba et al. 2016) is. */
enum mlstm_norm {
    MLSTM_NORM_NONE = 0, /**< nowhere */
    /**
     * TensorFlow 1 `LayerNormBasicLSTMCell`: each gate's numbers a are normalised over the H units,
     * and so is the new c, which is kept so:
     *
     *     a = normal(x @ kernel_x + h @ kernel_h) * norm_gain + bias      for i, j, f, o apart
     *     c~ = normal(c * f + i * j) * norm_c_gain + norm_c_shift
     */
    MLSTM_NORM_GATES = 1,
    /**
     * The form of the paper: the products of input and recurrent kernel are normalised apart, each
     * over all 4H numbers, and tanh reads a normalised c while the state keeps the other:
     *
     *     a = normal(x @ kernel_x) * norm_x_gain + normal(h @ kernel_h) * norm_h_gain + bias
     *     h = tanh(normal(c~) * norm_c_gain + norm_c_shift) * o
     */
    MLSTM_NORM_PRODUCTS = 2
};

/**
 * Sets layer normalisation: `normal(v) = (v - mean(v)) / sqrt(variance(v) + epsilon)`, the variance
 * being the mean square. Gains are 1 and shifts 0 after ::mlstm_stack_init; the bias comes after
 * the normalisation, as TensorFlow's `beta`.
 *
 * @param norm    one of ::mlstm_norm
 * @param epsilon finite and above 0, which no denormal is (TensorFlow: 1e-12, PyTorch: 1e-5); not
 *                read with ::MLSTM_NORM_NONE
 */
MLSTM_API mlstm_status mlstm_cell_set_norm(mlstm_cell *cell, int32_t norm, float epsilon);

/**
 * Keeps numbers of the state as they were, each with its own probability at every step (Krueger et
 * al. 2017). While training behaviour is off, the state is the expected one instead:
 * `rate * c + (1 - rate) * c~`.
 *
 * @param c_rate,h_rate at least 0, below 1; 0 for none
 */
MLSTM_API mlstm_status mlstm_cell_set_zoneout(mlstm_cell *cell, float c_rate, float h_rate);

/** For how long a mask of dropout holds. */
enum mlstm_mask {
    MLSTM_MASK_STEP = 0,    /**< a new one at every step */
    MLSTM_MASK_SEQUENCE = 1 /**< one for all steps, until the state is given another seed */
};

/**
 * Drops numbers that the layer reads: each becomes 0 with probability `rate`, the others are
 * divided by `1 - rate`. On layers above the first it is dropout between layers (Zaremba et al.
 * 2014, PyTorch `dropout`); with ::MLSTM_MASK_SEQUENCE it is variational (Gal & Ghahramani 2016).
 * A skip connection reads what was there before.
 *
 * @param rate at least 0, below 1; 0 for none
 * @param mask one of ::mlstm_mask
 */
MLSTM_API mlstm_status mlstm_cell_set_dropout(mlstm_cell *cell, float rate, int32_t mask);

/** What recurrent dropout drops. */
enum mlstm_recurrent_dropout {
    MLSTM_DROP_HIDDEN = 0,   /**< h, where the kernel reads it (Gal & Ghahramani 2016, Keras) */
    MLSTM_DROP_CANDIDATE = 1 /**< tanh(j) (Semeniuta et al. 2016, `LayerNormBasicLSTMCell`) */
};

/**
 * Drops numbers on the way from one step to the next, as ::mlstm_cell_set_dropout does.
 *
 * @param rate at least 0, below 1; 0 for none
 * @param what one of ::mlstm_recurrent_dropout
 * @param mask one of ::mlstm_mask
 */
MLSTM_API mlstm_status mlstm_cell_set_recurrent_dropout(mlstm_cell *cell, float rate, int32_t what,
                                                        int32_t mask);

/** How what a layer reads goes past it. */
enum mlstm_skip {
    MLSTM_SKIP_NONE = 0,
    /** `y = h + x` (TensorFlow 1 `ResidualWrapper`). */
    MLSTM_SKIP_RESIDUAL = 1,
    /** `t = sigmoid(x @ highway_kernel + highway_bias)`, `y = x * t + h * (1 - t)` (Srivastava et
        al. 2015; TensorFlow 1 `HighwayWrapper`, with coupled gates). The bias is 1 after
        ::mlstm_stack_init. */
    MLSTM_SKIP_HIGHWAY = 2
};

/**
 * Sets a connection past the layer, whose y has to be as wide as its x; `mlstm_stack_create`
 * refuses it otherwise.
 *
 * @param skip one of ::mlstm_skip
 */
MLSTM_API mlstm_status mlstm_cell_set_skip(mlstm_cell *cell, int32_t skip);

/** What becomes of the two directions of a layer. */
enum mlstm_merge {
    MLSTM_MERGE_NONE = 0,   /**< there is only one */
    MLSTM_MERGE_CONCAT = 1, /**< y is h of the one direction beside h of the other, `D = 2P` */
    MLSTM_MERGE_SUM = 2     /**< y is the sum of both, `D = P` */
};

/**
 * Makes the layer bidirectional (Schuster & Paliwal 1997): a second set of parameters,
 * `layerN.reverse.*`, reads each row of the window from its end to its beginning. A stack with such
 * a layer takes whole windows only. What both ends hold, the forward direction after the last step
 * and the reverse one after the first, is in the state afterwards.
 *
 * @param merge one of ::mlstm_merge
 */
MLSTM_API mlstm_status mlstm_cell_set_bidirectional(mlstm_cell *cell, int32_t merge);

/**
 * Gives the layer a state to begin sequences with that is learned, `layerN.initial_c` `[H]` and
 * `layerN.initial_h` `[P]`; see `mlstm_state_begin_sequence`.
 *
 * @param learned 0 or 1
 */
MLSTM_API mlstm_status mlstm_cell_set_learned_state(mlstm_cell *cell, int32_t learned);

/** `I` of the layer; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_input_size(const mlstm_cell *cell);

/** `H` of the layer; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_hidden_size(const mlstm_cell *cell);

/** `P`, how many numbers h has: the projection's, or H without one; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_recurrent_size(const mlstm_cell *cell);

/** `D`, how many numbers the layer gives for each row and step; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_output_size(const mlstm_cell *cell);

/** `C`, how many numbers of c it gives as the top one (`mlstm_state_get_top`); 0 for NULL. */
MLSTM_API int32_t mlstm_cell_output_c_size(const mlstm_cell *cell);

/** The forget bias of the layer; 0 for NULL. */
MLSTM_API float mlstm_cell_forget_bias(const mlstm_cell *cell);

/** How many biases the layer has; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_biases(const mlstm_cell *cell);

/** Whether the gates see c; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_peepholes(const mlstm_cell *cell);

/** `P` of the projection, 0 without one; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_projection(const mlstm_cell *cell);

/** Where the projection is clipped, 0 for nowhere; 0 for NULL. */
MLSTM_API float mlstm_cell_projection_clip(const mlstm_cell *cell);

/** Where c is clipped, 0 for nowhere; 0 for NULL. */
MLSTM_API float mlstm_cell_cell_clip(const mlstm_cell *cell);

/** Whether the forget gate is coupled to the input gate; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_coupled(const mlstm_cell *cell);

/**
 * The layer normalisation, one of ::mlstm_norm; 0 for NULL, which leaves `epsilon` alone.
 *
 * @param[out] epsilon the epsilon; in a cell without a norm, that of the last one that was set, or
 *                     1e-5. NULL where it is not wanted
 */
MLSTM_API int32_t mlstm_cell_norm(const mlstm_cell *cell, float *epsilon);

/**
 * The rates of zoneout of c and h, 0 where there is none.
 *
 * @param[out] c_rate,h_rate each NULL where it is not wanted
 * @retval MLSTM_ERROR_INVALID_ARGUMENT `cell` is NULL; both are left alone
 */
MLSTM_API mlstm_status mlstm_cell_zoneout(const mlstm_cell *cell, float *c_rate, float *h_rate);

/**
 * The rate of dropout, 0 where there is none; 0 for NULL, which leaves `mask` alone.
 *
 * @param[out] mask one of ::mlstm_mask; NULL where it is not wanted
 */
MLSTM_API float mlstm_cell_dropout(const mlstm_cell *cell, int32_t *mask);

/**
 * The rate of recurrent dropout, 0 where there is none; 0 for NULL, which leaves `what` and `mask`
 * alone.
 *
 * @param[out] what one of ::mlstm_recurrent_dropout; NULL where it is not wanted
 * @param[out] mask one of ::mlstm_mask; NULL where it is not wanted
 */
MLSTM_API float mlstm_cell_recurrent_dropout(const mlstm_cell *cell, int32_t *what, int32_t *mask);

/** The skip connection, one of ::mlstm_skip; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_skip(const mlstm_cell *cell);

/** How two directions are merged, one of ::mlstm_merge; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_bidirectional(const mlstm_cell *cell);

/** Whether sequences begin with a learned state; 0 for NULL. */
MLSTM_API int32_t mlstm_cell_learned_state(const mlstm_cell *cell);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
