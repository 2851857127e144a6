/* SPDX-License-Identifier: MIT */

/* Updates and sums over whole parameter blocks: all of one layout, so no order matters. */

#ifndef ELEMENTWISE_H
#define ELEMENTWISE_H

#include "activation.h"

/* Blocks are multiples of W floats. */
#define EACH(i, count) (size_t i = 0; i < (count); i += W)

static void scale(float *values, size_t count, float factor)
{
    for EACH (i, count)
        store(values + i, load(values + i) * splat(factor));
}

static void add(float *values, const float *other, size_t count)
{
    for EACH (i, count)
        store(values + i, load(values + i) + load(other + i));
}

static double sum_of_squares(const float *values, size_t count)
{
    double total = 0.0;
    for EACH (i, count)
        for (int32_t lane = 0; lane < W; lane++)
            total += (double)values[i + (size_t)lane] * (double)values[i + (size_t)lane];
    return total;
}

static void sgd(float *values, const float *grads, size_t count, float rate)
{
    for EACH (i, count)
        store(values + i, load(values + i) - splat(rate) * load(grads + i));
}

static void momentum(float *values, float *moments, const float *grads, size_t count, float rate,
                     float factor, int32_t nesterov)
{
    for EACH (i, count) {
        const vec g = load(grads + i);
        const vec m = splat(factor) * load(moments + i) + g;
        store(moments + i, m);
        const vec step = nesterov ? splat(factor) * m + g : m;
        store(values + i, load(values + i) - splat(rate) * step);
    }
}

static void adagrad(float *values, float *accumulators, const float *grads, size_t count,
                    float rate)
{
    for EACH (i, count) {
        const vec g = load(grads + i);
        const vec a = load(accumulators + i) + g * g;
        store(accumulators + i, a);
        store(values + i, load(values + i) - splat(rate) * g / vsqrt(a));
    }
}

static void sigmoid_array(const float *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i += W) {
        const int32_t n = count - i < W ? (int32_t)(count - i) : W;
        store_first(out + i, vsigmoid(load_first(in + i, n)), n);
    }
}

static void tanh_array(const float *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i += W) {
        const int32_t n = count - i < W ? (int32_t)(count - i) : W;
        store_first(out + i, vtanh(load_first(in + i, n)), n);
    }
}

#endif
