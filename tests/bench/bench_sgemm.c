/* SPDX-License-Identifier: MIT */

/* The machine's limit: one large square product by a BLAS, C = A * B with side H. */

#include "bench.h"

#include <cblas.h>

#include <stdio.h>
#include <stdlib.h>

static int side;
static float *a, *b, *c;

const char *bench_name(void)
{
    static char name[64];
    snprintf(name, sizeof name, "OpenBLAS sgemm (%s)", openblas_get_corename());
    return name;
}

int bench_prepare(bench_kind kind, const bench_work *work, int threads)
{
    (void)threads; /* the driver sets the library's own variable */
    if (kind != BENCH_SGEMM)
        return -1;
    side = work->hidden;
    free(a);
    free(b);
    free(c);
    size_t count = (size_t)side * (size_t)side;
    a = bench_alloc(count * sizeof *a);
    b = bench_alloc(count * sizeof *b);
    c = bench_alloc(count * sizeof *c);
    for (size_t k = 0; k < count; k++) {
        a[k] = work->x[k];
        b[k] = work->x[count + k];
    }
    return 0;
}

size_t bench_bytes(void)
{
    return 0;
}

void bench_run(long count)
{
    while (count--)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, side, side, 1, a, side, b,
                    side, 0, c, side);
}

void bench_check(void)
{
    bench_run(1);
    bench_put(c, (size_t)side * (size_t)side);
}
