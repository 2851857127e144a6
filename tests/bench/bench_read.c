/* SPDX-License-Identifier: MIT */

/* The limit of a stream whose weights do not fit in the cache: a plain read of as many bytes. */

#include "bench.h"

#include <stdlib.h>

enum { LANES = 128 };

static float *weights;
static size_t count; /* a multiple of LANES * threads */
static int thread_count;
static volatile float result;

const char *bench_name(void)
{
    return "plain read";
}

int bench_prepare(bench_kind kind, const bench_work *work, int threads)
{
    if (kind != BENCH_STREAM)
        return -1;
    count = 0;
    for (int32_t l = 0; l < work->layers; l++)
        count += (size_t)(bench_layer_input(work, l) + work->hidden) * 4 * (size_t)work->hidden;
    thread_count = threads;
    size_t block = LANES * (size_t)threads;
    count = (count + block - 1) / block * block;
    free(weights);
    weights = bench_alloc(count * sizeof *weights);
    return 0;
}

size_t bench_bytes(void)
{
    return 0;
}

static float sum(const float *from, size_t length)
{
    float lanes[LANES] = {0};
    for (size_t n = 0; n < length; n += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane] += from[n + lane];
    float total = 0;
    for (size_t lane = 0; lane < LANES; lane++)
        total += lanes[lane];
    return total;
}

void bench_run(long times)
{
    size_t share = count / (size_t)thread_count;
    while (times--) {
        float total = 0;
#pragma omp parallel for reduction(+ : total) num_threads(thread_count) if (thread_count > 1)
        for (int t = 0; t < thread_count; t++)
            total += sum(weights + (size_t)t * share, share);
        result = total;
    }
}

void bench_check(void)
{
}
