/* SPDX-License-Identifier: MIT */
#include <mlstm/loss.h>

#include "kernels/kernels.h"
#include "status.h"

mlstm_status mlstm_softmax_cross_entropy(const float *logits, const int32_t *labels, size_t rows,
                                         int32_t classes, float *probabilities, float *dlogits,
                                         float *loss)
{
    REQUIRE_POINTER(logits);
    REQUIRE_POINTER(labels);
    REQUIRE(rows >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "rows must be at least 1, got %zu", rows);
    REQUIRE(classes >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "classes must be at least 1, got %d",
            classes);
    REQUIRE(rows <= PTRDIFF_MAX / sizeof *logits / (size_t)classes, MLSTM_ERROR_TOO_LARGE,
            "[%zu, %d] logits cannot be addressed", rows, classes);
    for (size_t r = 0; r < rows; r++)
        REQUIRE(labels[r] >= 0 && labels[r] < classes, MLSTM_ERROR_INVALID_ARGUMENT,
                "the label of row %zu must be 0 to %d, got %d", r, classes - 1, labels[r]);
    const double total = kernels_get()->softmax_cross_entropy(
        logits, labels, rows, classes, (float)(1.0 / (double)rows), probabilities, dlogits);
    if (loss)
        *loss = (float)(total / (double)rows);
    return MLSTM_OK;
}

mlstm_status mlstm_squared_error(const float *outputs, const float *targets, size_t count,
                                 float *doutputs, float *loss)
{
    REQUIRE_POINTER(outputs);
    REQUIRE_POINTER(targets);
    REQUIRE(count >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "count must be at least 1, got %zu", count);
    const double scale = 2.0 / (double)count;
    double total = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double difference = (double)outputs[i] - (double)targets[i];
        total += difference * difference;
        if (doutputs)
            doutputs[i] = (float)(scale * difference);
    }
    if (loss)
        *loss = (float)(total / (double)count);
    return MLSTM_OK;
}
