/* SPDX-License-Identifier: MIT */

/*
 * Softmax cross entropy. The lanes are rows, so that two classes cost as little as their arithmetic:
 * W rows at a time are gathered class by class.
 */

#ifndef SOFTMAX_H
#define SOFTMAX_H

#include "activation.h"

/* Element `class` of the first `n` rows. */
INLINE vec gather_class(const float *rows, size_t classes, size_t class, int32_t n)
{
    vec v = splat(0.0f);
    for (int32_t r = 0; r < n; r++)
        v[r] = rows[(size_t)r * classes + class];
    return v;
}

INLINE void scatter_class(float *rows, size_t classes, size_t class, int32_t n, vec v)
{
    for (int32_t r = 0; r < n; r++)
        rows[(size_t)r * classes + class] = v[r];
}

/* exp(v - max), for differences of any size. */
INLINE vec exp_below(vec v, vec max)
{
    return vexp(at_least(v - max, -87.0f));
}

static double softmax_cross_entropy(const float *logits, const int32_t *labels, size_t rows,
                                    int32_t classes_, float gradient_scale, float *probabilities,
                                    float *dlogits)
{
    const size_t classes = (size_t)classes_;
    double total = 0.0;
    for (size_t row = 0; row < rows; row += W) {
        const int32_t n = rows - row < W ? (int32_t)(rows - row) : W;
        const float *in = logits + row * classes;
        vec max = gather_class(in, classes, 0, n), sum = splat(0.0f);
        for (size_t k = 1; k < classes; k++) {
            const vec v = gather_class(in, classes, k, n);
            max = choose(v > max, v, max);
        }
        for (size_t k = 0; k < classes; k++)
            sum += exp_below(gather_class(in, classes, k, n), max);
        const vec log_sum = vlog(sum);
        for (int32_t r = 0; r < n; r++) {
            const float chosen = in[(size_t)r * classes + (size_t)labels[row + (size_t)r]];
            total += (double)log_sum[r] + ((double)max[r] - (double)chosen);
        }
        if (!probabilities && !dlogits)
            continue;
        const vec inverse = splat(1.0f) / sum;
        for (size_t k = 0; k < classes; k++) {
            const vec p = exp_below(gather_class(in, classes, k, n), max) * inverse;
            if (probabilities)
                scatter_class(probabilities + row * classes, classes, k, n, p);
            if (dlogits)
                scatter_class(dlogits + row * classes, classes, k, n, p * splat(gradient_scale));
        }
        for (int32_t r = 0; dlogits && r < n; r++)
            dlogits[(row + (size_t)r) * classes + (size_t)labels[row + (size_t)r]] -=
                gradient_scale;
    }
    return total;
}

#endif
