/* SPDX-License-Identifier: MIT */

/*
 * The one source of all kernels. The file of an instruction set defines W, the lanes of its vectors,
 * and TABLE and NAME, and includes this.
 */

#include "kernels.h"

#include "activation.h"
#include "elementwise.h"
#include "product.h"
#include "softmax.h"

#include "cell.h"

const struct kernels TABLE = {
    .name = NAME,
    .width = W,
    .product = product,
    .outer = outer,
    .cell_forward = cell_forward,
    .cell_backward = cell_backward,
    .transpose = transpose,
    .pad_rows = pad_rows,
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
