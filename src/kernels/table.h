/* SPDX-License-Identifier: MIT */

/*
 * The one source of all kernels. The file of an instruction set defines W, the lanes of its
 * vectors, and TABLE and NAME, and includes this.
 */

#include "kernels.h"

#include "activation.h"
#include "elementwise.h"
#include "product.h"
#include "softmax.h"

#include "cell.h"
#include "mask.h"
#include "rows.h"
#include "special.h"

const struct kernels TABLE = {
    .name = NAME,
    .width = W,
    .few_units = FEW_UNITS,
    .product = product,
    .outer = outer,
    .cell_forward = cell_forward,
    .choose_step = choose_step,
    .cell_backward = cell_backward,
    .transpose = transpose,
    .pad_rows = pad_rows,
    .special_forward = special_forward,
    .special_backward = special_backward,
    .special_vectors = special_vectors,
    .mask = mask,
    .mix = mix,
    .blend = blend,
    .pass_clip = pass_clip,
    .highway_backward = highway_backward,
    .scale = scale,
    .add = add,
    .clip = clip,
    .sum_of_squares = sum_of_squares,
    .sgd = sgd,
    .momentum = momentum,
    .adagrad = adagrad,
    .rmsprop = rmsprop,
    .adam = adam,
    .lion = lion,
    .softmax_cross_entropy = softmax_cross_entropy,
    .sigmoid = sigmoid_array,
    .tanh = tanh_array,
};
