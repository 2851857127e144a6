/* SPDX-License-Identifier: MIT */
#include <mlstm/loss.h>

#include <math.h>
#include <string.h>

#include "float_mode.h"
#include "kernels/kernels.h"
#include "number.h"
#include "status.h"

/* What every array of rows takes. */
#define REQUIRE_ROWS(rows, columns, array)                                                         \
    REQUIRE((rows) >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "rows must be at least 1, got %zu", rows);  \
    REQUIRE((columns) >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "%s must be at least 1, got %d",         \
            #columns, columns);                                                                    \
    REQUIRE((rows) <= PTRDIFF_MAX / sizeof *(array) / (size_t)(columns), MLSTM_ERROR_TOO_LARGE,    \
            "[%zu, %d] %s cannot be addressed", rows, columns, #array)

/*
 * Probabilities alone, by the loss's kernel. It is given fewer rows than a vector has lanes, and so
 * goes class by class or row by row: a row does not depend on its neighbours, the smaller of two
 * classes is no difference from 1, and every logit is read before its place is written, so that
 * both arrays may be one.
 */
static APART void probabilities_of(const float *logits, size_t rows, int32_t classes,
                                   float *probabilities)
{
    enum { MOST = 15 };
    static const int32_t labels[MOST]; /* any will do, but the kernel reads them */
    const struct kernels *kernels = kernels_get();
    const size_t lanes = (size_t)kernels->width, most = lanes <= MOST ? lanes - 1 : MOST;
    for (size_t r = 0, n; r < rows; r += n) {
        const size_t at = r * (size_t)classes;
        n = rows - r < most ? rows - r : most;
        kernels->softmax_cross_entropy(logits + at, labels, n, classes, 0.0f, probabilities + at,
                                       NULL);
    }
}

mlstm_status mlstm_softmax(const float *logits, size_t rows, int32_t classes, float *probabilities)
{
    REQUIRE_POINTER(logits);
    REQUIRE_POINTER(probabilities);
    REQUIRE_ROWS(rows, classes, logits);
    const struct float_mode callers = float_mode_enter();
    probabilities_of(logits, rows, classes, probabilities);
    float_mode_leave(callers);
    return MLSTM_OK;
}

static APART void softmax(const float *logits, const int32_t *labels, size_t rows, int32_t classes,
                          float *probabilities, float *dlogits, float *loss)
{
    const double total = kernels_get()->softmax_cross_entropy(
        logits, labels, rows, classes, (float)(1.0 / (double)rows), probabilities, dlogits);
    if (loss)
        *loss = (float)(total / (double)rows);
}

mlstm_status mlstm_softmax_cross_entropy(const float *logits, const int32_t *labels, size_t rows,
                                         int32_t classes, float *probabilities, float *dlogits,
                                         float *loss)
{
    REQUIRE_POINTER(logits);
    REQUIRE_POINTER(labels);
    REQUIRE_ROWS(rows, classes, logits);
    for (size_t r = 0; r < rows; r++)
        REQUIRE(labels[r] >= 0 && labels[r] < classes, MLSTM_ERROR_INVALID_ARGUMENT,
                "the label of row %zu must be 0 to %d, got %d", r, classes - 1, labels[r]);
    const struct float_mode callers = float_mode_enter();
    softmax(logits, labels, rows, classes, probabilities, dlogits, loss);
    float_mode_leave(callers);
    return MLSTM_OK;
}

/* Loss and gradient of one row of weight `scale`; its probabilities beside. */
static double smoothed_row(const float *logits, int32_t label, int32_t classes, float smoothing,
                           double scale, float *probabilities, float *dlogits)
{
    double loss = kernels_get()->softmax_cross_entropy(logits, &label, 1, classes, (float)scale,
                                                       probabilities, dlogits);
    if (smoothing > 0.0f) {
        const double share = (double)smoothing / (double)classes;
        for (int32_t k = 0; k < classes; k++) {
            loss += share * ((double)logits[label] - (double)logits[k]);
            if (dlogits)
                dlogits[k] -= (float)(scale * share);
        }
        if (dlogits)
            dlogits[label] += (float)(scale * (double)smoothing);
    }
    return scale * loss;
}

static APART void weighted_softmax(const float *logits, const int32_t *labels, const float *weights,
                                   size_t rows, int32_t classes, int32_t ignored, float smoothing,
                                   float *probabilities, float *dlogits, float *loss)
{
    size_t counted = 0;
    for (size_t r = 0; r < rows; r++)
        counted += labels[r] != ignored && (!weights || weights[r] != 0.0f);
    double total = 0.0;
    for (size_t r = 0; r < rows; r++) {
        const size_t at = r * (size_t)classes;
        const double weight = labels[r] == ignored ? 0.0 : weights ? (double)weights[r] : 1.0;
        float *p = probabilities ? probabilities + at : NULL, *d = dlogits ? dlogits + at : NULL;
        if (weight != 0.0) {
            total += smoothed_row(logits + at, labels[r], classes, smoothing,
                                  weight / (double)counted, p, d);
            continue;
        }
        if (p)
            probabilities_of(logits + at, 1, classes, p);
        if (d)
            memset(d, 0, (size_t)classes * sizeof *d);
    }
    if (loss)
        *loss = (float)total;
}

mlstm_status mlstm_softmax_cross_entropy_weighted(const float *logits, const int32_t *labels,
                                                  const float *weights, size_t rows,
                                                  int32_t classes, int32_t ignored, float smoothing,
                                                  float *probabilities, float *dlogits, float *loss)
{
    REQUIRE_POINTER(logits);
    REQUIRE_POINTER(labels);
    REQUIRE_ROWS(rows, classes, logits);
    REQUIRE_0_TO_1(smoothing);
    for (size_t r = 0; r < rows; r++)
        REQUIRE(labels[r] == ignored || (labels[r] >= 0 && labels[r] < classes),
                MLSTM_ERROR_INVALID_ARGUMENT,
                "the label of row %zu must be 0 to %d, or %d to be ignored; got %d", r, classes - 1,
                ignored, labels[r]);
    const struct float_mode callers = float_mode_enter();
    weighted_softmax(logits, labels, weights, rows, classes, ignored, smoothing, probabilities,
                     dlogits, loss);
    float_mode_leave(callers);
    return MLSTM_OK;
}

/* What one output adds to a loss, and the slope of that. */
struct term {
    double loss, slope;
};

static struct term squared(double output, double target, double delta)
{
    (void)delta;
    const double difference = output - target;
    return (struct term){difference * difference, 2.0 * difference};
}

static struct term absolute(double output, double target, double delta)
{
    (void)delta;
    const double difference = output - target;
    /* 0 and NaN are their own signs. */
    return (struct term){fabs(difference), difference > 0.0   ? 1.0
                                           : difference < 0.0 ? -1.0
                                                              : difference};
}

static struct term huber(double output, double target, double delta)
{
    const double difference = output - target, size = fabs(difference);
    if (size > delta)
        return (struct term){delta * (size - 0.5 * delta), difference > 0.0 ? delta : -delta};
    return (struct term){0.5 * difference * difference, difference};
}

/* From the smaller of exp(x) and exp(-x), which is at most 1. */
static struct term sigmoid(double logit, double target, double delta)
{
    (void)delta;
    const double e = exp(-fabs(logit));
    return (struct term){fmax(logit, 0.0) - logit * target + log1p(e),
                         (logit < 0.0 ? e : 1.0) / (1.0 + e) - target};
}

/* Rows of outputs and targets and what is wanted of them, as in loss.h; all count unweighted. */
struct arrays {
    const float *outputs, *targets, *weights;
    size_t rows, columns;
    float delta;
    float *doutputs, *loss;
};

static inline double weight_of(const struct arrays *a, size_t row)
{
    return a->weights ? (double)a->weights[row] : 1.0;
}

static inline void mean_of(struct term (*term)(double, double, double), const struct arrays *a)
{
    size_t counted = 0;
    for (size_t r = 0; r < a->rows; r++)
        counted += weight_of(a, r) != 0.0;
    const double count = counted > 0 ? (double)counted * (double)a->columns : 1.0;
    const double scale = 1.0 / count;
    double total = 0.0;
    for (size_t r = 0; r < a->rows; r++) {
        const double weight = weight_of(a, r);
        for (size_t i = r * a->columns; i < (r + 1) * a->columns; i++) {
            struct term t = {0.0, 0.0};
            if (weight != 0.0)
                t = term((double)a->outputs[i], (double)a->targets[i], (double)a->delta);
            total += weight * t.loss;
            if (a->doutputs)
                a->doutputs[i] = (float)(scale * (weight * t.slope));
        }
    }
    if (a->loss)
        *a->loss = (float)(total / count);
}

static APART void mean_squared(const struct arrays *arrays)
{
    mean_of(squared, arrays);
}

static APART void mean_absolute(const struct arrays *arrays)
{
    mean_of(absolute, arrays);
}

static APART void mean_huber(const struct arrays *arrays)
{
    mean_of(huber, arrays);
}

static APART void mean_sigmoid(const struct arrays *arrays)
{
    mean_of(sigmoid, arrays);
}

static void in_own_mode(void (*mean)(const struct arrays *), const struct arrays *arrays)
{
    const struct float_mode callers = float_mode_enter();
    mean(arrays);
    float_mode_leave(callers);
}

/* What every loss of single numbers takes. */
#define REQUIRE_ARRAYS(outputs, targets, count)                                                    \
    REQUIRE_POINTER(outputs);                                                                      \
    REQUIRE_POINTER(targets);                                                                      \
    REQUIRE((count) >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "count must be at least 1, got %zu", count)

mlstm_status mlstm_squared_error(const float *outputs, const float *targets, size_t count,
                                 float *doutputs, float *loss)
{
    REQUIRE_ARRAYS(outputs, targets, count);
    in_own_mode(mean_squared,
                &(struct arrays){outputs, targets, NULL, 1, count, 0.0f, doutputs, loss});
    return MLSTM_OK;
}

mlstm_status mlstm_absolute_error(const float *outputs, const float *targets, size_t count,
                                  float *doutputs, float *loss)
{
    REQUIRE_ARRAYS(outputs, targets, count);
    in_own_mode(mean_absolute,
                &(struct arrays){outputs, targets, NULL, 1, count, 0.0f, doutputs, loss});
    return MLSTM_OK;
}

mlstm_status mlstm_huber_loss(const float *outputs, const float *targets, size_t count, float delta,
                              float *doutputs, float *loss)
{
    REQUIRE_ARRAYS(outputs, targets, count);
    REQUIRE_POSITIVE(delta);
    in_own_mode(mean_huber,
                &(struct arrays){outputs, targets, NULL, 1, count, delta, doutputs, loss});
    return MLSTM_OK;
}

mlstm_status mlstm_sigmoid_cross_entropy(const float *logits, const float *targets, size_t count,
                                         float *dlogits, float *loss)
{
    REQUIRE_ARRAYS(logits, targets, count);
    in_own_mode(mean_sigmoid,
                &(struct arrays){logits, targets, NULL, 1, count, 0.0f, dlogits, loss});
    return MLSTM_OK;
}

mlstm_status mlstm_weighted_loss(int32_t kind, const float *outputs, const float *targets,
                                 const float *weights, size_t rows, int32_t columns, float delta,
                                 float *doutputs, float *loss)
{
    static void (*const means[])(const struct arrays *) = {
        [MLSTM_SQUARED_ERROR] = mean_squared,
        [MLSTM_ABSOLUTE_ERROR] = mean_absolute,
        [MLSTM_HUBER_LOSS] = mean_huber,
        [MLSTM_SIGMOID_CROSS_ENTROPY] = mean_sigmoid,
    };
    REQUIRE(kind >= MLSTM_SQUARED_ERROR && kind <= MLSTM_SIGMOID_CROSS_ENTROPY,
            MLSTM_ERROR_INVALID_ARGUMENT, "there is no loss %d", kind);
    REQUIRE_POINTER(outputs);
    REQUIRE_POINTER(targets);
    REQUIRE_POINTER(weights);
    REQUIRE_ROWS(rows, columns, outputs);
    if (kind == MLSTM_HUBER_LOSS)
        REQUIRE_POSITIVE(delta);
    in_own_mode(means[kind], &(struct arrays){outputs, targets, weights, rows, (size_t)columns,
                                              delta, doutputs, loss});
    return MLSTM_OK;
}
