/* SPDX-License-Identifier: MIT */

/*
 * Softmax cross entropy: three ways through the same arithmetic. Lanes are rows where there are few
 * classes, classes where there are many; and two classes, the commonest of the small ones, need no
 * gathering at all.
 */

#ifndef KERNELS_SOFTMAX_H
#define KERNELS_SOFTMAX_H

#include <math.h>

#include "activation.h"

/* Some rows of the problem, all of whose arrays begin with the first of them. */
struct softmax {
    const float *logits;
    const int32_t *labels;
    size_t classes;
    float scale; /* of the gradient */
    float *probabilities, *dlogits;
};

INLINE vec exp_below(vec v, vec max)
{
    NUMBERS_HERE(k);
    return vexp(v - max, k);
}

/* Element k of the first `n` rows. */
INLINE vec gather_class(const float *rows, size_t classes, size_t k, int32_t n)
{
    vec v = splat(0.0f);
    for (int32_t r = 0; r < n; r++)
        v[r] = rows[(size_t)r * classes + k];
    return v;
}

INLINE void scatter_class(float *rows, size_t classes, size_t k, int32_t n, vec v)
{
    for (int32_t r = 0; r < n; r++)
        rows[(size_t)r * classes + k] = v[r];
}

/* Up to W rows; returns the sum of their losses. */
static double softmax_rows(const struct softmax *s, int32_t n)
{
    const float *in = s->logits;
    vec max = gather_class(in, s->classes, 0, n), sum = splat(0.0f);
    double total = 0.0;
    for (size_t k = 1; k < s->classes; k++) {
        const vec v = gather_class(in, s->classes, k, n);
        max = choose(v > max, v, max);
    }
    for (size_t k = 0; k < s->classes; k++)
        sum += exp_below(gather_class(in, s->classes, k, n), max);
    const vec log_sum = vlog(sum), inverse = splat(1.0f) / sum;
    for (int32_t r = 0; r < n; r++) {
        const float chosen = in[(size_t)r * s->classes + (size_t)s->labels[r]];
        total += (double)log_sum[r] + ((double)max[r] - (double)chosen);
    }
    for (size_t k = 0; k < s->classes; k++) {
        const vec p = exp_below(gather_class(in, s->classes, k, n), max) * inverse;
        if (s->probabilities)
            scatter_class(s->probabilities, s->classes, k, n, p);
        if (s->dlogits)
            scatter_class(s->dlogits, s->classes, k, n, p * splat(s->scale));
    }
    for (int32_t r = 0; s->dlogits && r < n; r++)
        s->dlogits[(size_t)r * s->classes + (size_t)s->labels[r]] -= s->scale;
    return total;
}

/*
 * The first n lanes; from memory, as clang computes what is read lane by lane from a vector lane by
 * lane, too.
 */
INLINE double sum_first(vec v, int32_t n)
{
    float lanes[W];
    store(lanes, v);
    double sum = 0.0;
    for (int32_t lane = 0; lane < n; lane++)
        sum += (double)lanes[lane];
    return sum;
}

/* One row; `classes` is at least W. */
static double softmax_row(const struct softmax *s)
{
    const float *in = s->logits;
    const size_t whole = s->classes / W * W;
    const int32_t tail = (int32_t)(s->classes - whole);
    vec lanes = load(in), sum = splat(0.0f);
    for (size_t k = W; k < whole; k += W)
        lanes = choose(load(in + k) > lanes, load(in + k), lanes);
    float largest = lanes[0];
    for (int32_t lane = 1; lane < W; lane++)
        largest = lanes[lane] > largest ? lanes[lane] : largest;
    for (size_t k = whole; k < s->classes; k++)
        largest = in[k] > largest ? in[k] : largest;

    const vec max = splat(largest);
    for (size_t k = 0; k < whole; k += W)
        sum += exp_below(load(in + k), max);
    const vec last = exp_below(load_first(in + whole, tail), max);
    const double total = sum_first(sum, W) + sum_first(last, tail);

    const vec inverse = splat((float)(1.0 / total));
    for (size_t k = 0; k < s->classes; k += W) {
        const int32_t n = s->classes - k < W ? tail : W;
        const vec p = exp_below(load_first(in + k, n), max) * inverse;
        if (s->probabilities)
            store_first(s->probabilities + k, p, n);
        if (s->dlogits)
            store_first(s->dlogits + k, p * splat(s->scale), n);
    }
    if (s->dlogits)
        s->dlogits[s->labels[0]] -= s->scale;
    return log(total) + ((double)largest - (double)in[s->labels[0]]);
}

#define EVEN(lane) 2 * (lane)
#define ODD(lane) 2 * (lane) + 1
#define FIRST_PAIRS(lane) (lane) / 2 + ((lane)&1 ? W : 0)
#define LAST_PAIRS(lane) W / 2 + FIRST_PAIRS(lane)

/* (a0, b0, a1, b1, ...) */
INLINE void store_pairs(float *out, vec a, vec b)
{
    store(out, SHUFFLE(a, b, LANES(FIRST_PAIRS)));
    store(out + W, SHUFFLE(a, b, LANES(LAST_PAIRS)));
}

/*
 * W rows of two classes. With d the other class's logit less the label's, the other's probability
 * is sigmoid(d) and the loss log(1 + exp(d)). Not finite where d is not.
 */
static double softmax_pairs(const struct softmax *s)
{
    const vec low = load(s->logits), high = load(s->logits + W);
    const vec zero = SHUFFLE(low, high, LANES(EVEN)), one = SHUFFLE(low, high, LANES(ODD));
    const ivec is_one = iload(s->labels) == isplat(1);
    const vec d = choose(is_one, zero - one, one - zero);
    NUMBERS_HERE(k);
    const vec other = vsigmoid(d, k), chosen = splat(1.0f) - other;
    const vec loss = at_least(d, 0.0f) + vlog(splat(1.0f) + vexp(-vabs(d), k));
    const vec slope = other * splat(s->scale);
    if (s->probabilities)
        store_pairs(s->probabilities, choose(is_one, other, chosen), choose(is_one, chosen, other));
    if (s->dlogits)
        store_pairs(s->dlogits, choose(is_one, slope, -slope), choose(is_one, -slope, slope));
    return sum_first(loss, W);
}

static double softmax_cross_entropy(const float *logits, const int32_t *labels, size_t rows,
                                    int32_t classes_, float scale, float *probabilities,
                                    float *dlogits)
{
    const size_t classes = (size_t)classes_;
    double total = 0.0;
    for (size_t row = 0, n; row < rows; row += n) {
        n = classes >= W ? 1 : rows - row < W ? rows - row : W;
        const struct softmax s = {logits + row * classes,
                                  labels + row,
                                  classes,
                                  scale,
                                  probabilities ? probabilities + row * classes : NULL,
                                  dlogits ? dlogits + row * classes : NULL};
        double some = NAN;
        if (classes >= W)
            some = softmax_row(&s);
        else if (classes == 2 && n == W)
            some = softmax_pairs(&s);
        /* The general way subtracts in float64. */
        total += isfinite(some) || classes >= W ? some : softmax_rows(&s, (int32_t)n);
    }
    return total;
}

#endif
