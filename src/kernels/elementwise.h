/* SPDX-License-Identifier: MIT */

/* Updates and sums over whole parameter blocks: all of one layout, so no order matters. */

#ifndef KERNELS_ELEMENTWISE_H
#define KERNELS_ELEMENTWISE_H

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

static void clip(float *values, size_t count, float limit)
{
    for EACH (i, count)
        store(values + i, at_least(at_most(load(values + i), limit), -limit));
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
        store(values + i, load(values + i) - over_root(splat(rate) * g, a));
    }
}

static void rmsprop(const struct rmsprop *r)
{
    for EACH (i, r->count) {
        const vec g = load(r->grads + i);
        const vec s = splat(r->decay) * load(r->squares + i) + splat(1.0f - r->decay) * (g * g);
        store(r->squares + i, s);
        vec variance = s;
        if (r->means) {
            const vec mean = splat(r->decay) * load(r->means + i) + splat(1.0f - r->decay) * g;
            store(r->means + i, mean);
            variance = at_least(s - mean * mean, 0.0f);
        }
        const vec step = over_root(splat(r->rate) * g, variance + splat(r->epsilon));
        const vec m = splat(r->momentum) * load(r->moments + i) + step;
        store(r->moments + i, m);
        store(r->values + i, load(r->values + i) - m);
    }
}

static void adam(const struct adam *a)
{
    for EACH (i, a->count) {
        const vec g = load(a->grads + i);
        const vec m = splat(a->beta1) * load(a->first + i) + splat(1.0f - a->beta1) * g;
        vec s = splat(a->beta2) * load(a->second + i) + splat(1.0f - a->beta2) * (g * g);
        store(a->first + i, m);
        store(a->second + i, s);
        if (a->largest) {
            const vec largest = load(a->largest + i);
            s = choose(largest > s, largest, s);
            store(a->largest + i, s);
        }
        const vec step = splat(a->moment_rate) * m + splat(a->grad_rate) * g;
        const vec root = splat(a->root_scale) * vsqrt(s) + splat(a->epsilon);
        store(a->values + i, splat(a->keep) * load(a->values + i) - step / root);
    }
}

static void lion(float *values, float *moments, const float *grads, size_t count, float rate,
                 float beta1, float beta2, float keep)
{
    for EACH (i, count) {
        const vec g = load(grads + i), m = load(moments + i);
        const vec mixed = splat(beta1) * m + splat(1.0f - beta1) * g;
        /* 0 and NaN are their own signs. */
        const vec sign = choose(mixed > splat(0.0f), splat(1.0f),
                                choose(mixed < splat(0.0f), splat(-1.0f), mixed));
        store(moments + i, splat(beta2) * m + splat(1.0f - beta2) * g);
        store(values + i, splat(keep) * load(values + i) - splat(rate) * sign);
    }
}

static void sigmoid_array(const float *in, float *out, size_t count)
{
    NUMBERS_HERE(k);
    for (size_t i = 0; i < count; i += W) {
        const int32_t n = count - i < W ? (int32_t)(count - i) : W;
        store_first(out + i, vsigmoid(load_first(in + i, n), k), n);
    }
}

static void tanh_array(const float *in, float *out, size_t count)
{
    NUMBERS_HERE(k);
    for (size_t i = 0; i < count; i += W) {
        const int32_t n = count - i < W ? (int32_t)(count - i) : W;
        store_first(out + i, vtanh(load_first(in + i, n), k), n);
    }
}

#endif
