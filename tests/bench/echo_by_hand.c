/* SPDX-License-Identifier: MIT */

/* The benchmark's protocol around an iteration that echo_by_hand.h asks for. */

#include "echo_by_hand.h"

static const bench_work *work;
static int32_t window;

int bench_prepare(bench_kind kind, const bench_work *new_work, int threads)
{
    (void)threads;
    work = new_work;
    if (kind != BENCH_ECHO || work->input != 1 || work->hidden != 4 || work->layers != L ||
        work->batch != B || work->steps != T || work->outputs != 2)
        return -1;
    window = 0;
    echo_begin(work);
    return 0;
}

size_t bench_bytes(void)
{
    return 0;
}

static float next_window(void)
{
    const float loss =
        echo_iterate(work->x + window * T * B, work->labels + window * T * B, window > 0);
    window = window + 1 < work->windows ? window + 1 : 0;
    return loss;
}

void bench_run(long count)
{
    while (count--)
        next_window();
}

void bench_check(void)
{
    for (int32_t n = 0; n < work->windows; n++) {
        const float loss = next_window();
        bench_put(&loss, 1);
    }
}
