/* SPDX-License-Identifier: MIT */
#include "reference_parts.h"

#include <math.h>
#include <stdlib.h>

#include <mlstm/cell.h>

#include "random.h"

double *reference_zeros(size_t count)
{
    double *values = calloc(count ? count : 1, sizeof *values);
    if (!values)
        abort();
    return values;
}

double reference_sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}

void reference_multiply(const double *x, const double *matrix, size_t rows, size_t columns,
                        double *out)
{
    for (size_t k = 0; k < rows; k++)
        for (size_t n = 0; n < columns; n++)
            out[n] += x[k] * matrix[k * columns + n];
}

void reference_multiply_back(const double *x, const double *matrix, size_t rows, size_t columns,
                             const double *dout, double *dmatrix, double *dx)
{
    for (size_t k = 0; k < rows; k++) {
        double sum = 0;
        for (size_t n = 0; n < columns; n++) {
            dmatrix[k * columns + n] += x[k] * dout[n];
            sum += dout[n] * matrix[k * columns + n];
        }
        dx[k] += sum;
    }
}

double reference_normalise(double *values, size_t count, float epsilon)
{
    const double n = (double)count;
    double mean = 0, variance = 0;
    for (size_t k = 0; k < count; k++)
        mean += values[k] / n;
    for (size_t k = 0; k < count; k++)
        variance += (values[k] - mean) * (values[k] - mean) / n;
    const double scale = 1 / sqrt(variance + (double)epsilon);
    for (size_t k = 0; k < count; k++)
        values[k] = (values[k] - mean) * scale;
    return scale;
}

void reference_normalise_back(const double *values, double scale, double *d, size_t count)
{
    const double n = (double)count;
    double mean = 0, along = 0;
    for (size_t k = 0; k < count; k++) {
        mean += d[k] / n;
        along += d[k] * values[k] / n;
    }
    for (size_t k = 0; k < count; k++)
        d[k] = scale * (d[k] - mean - values[k] * along);
}

/* In [0, 1): the same for the same seed, place and unit. */
static float drawn(const struct shape *s, struct place at, enum mask mask, size_t unit)
{
    const uint32_t key[2] = {(uint32_t)s->seed, (uint32_t)(s->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)(unit / 4), (uint32_t)at.row, (uint32_t)at.step,
                                 (uint32_t)(at.layer * 16 + at.direction * 8 + (int32_t)mask)};
    uint32_t words[4];
    philox4x32_10(counter, key, words);
    return uniform_from(words[unit % 4]);
}

void reference_dropout(const struct shape *s, struct place at, enum mask mask, float rate,
                       int32_t holds, double *factors, size_t count)
{
    if (holds == MLSTM_MASK_SEQUENCE)
        at.step = -1;
    for (size_t u = 0; u < count; u++)
        if (!s->training)
            factors[u] = 1;
        else
            factors[u] = drawn(s, at, mask, u) < rate ? 0 : 1 / (1 - (double)rate);
}

void reference_zoneout(const struct shape *s, struct place at, enum mask mask, float rate,
                       double *kept, size_t count)
{
    for (size_t u = 0; u < count; u++)
        kept[u] = !s->training ? (double)rate : drawn(s, at, mask, u) < rate;
}
