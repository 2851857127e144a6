/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

/*
 * What every C and C++ program of the benchmark shares: the protocol that the driver speaks over
 * stdin and stdout (see README.md), the work file, and the clock.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one unit of timed work is. */
typedef enum {
    BENCH_TRAIN,  /* forward, backward and what an update costs: one window */
    BENCH_INFER,  /* forward of one window */
    BENCH_STREAM, /* one step of one stream that keeps its state */
    BENCH_ECHO,   /* one iteration of the echo task: steps, loss, backward, Adagrad */
    BENCH_SGEMM   /* one square product of side H */
} bench_kind;

enum { BENCH_MAX_LAYERS = 16 };

/* What variants of the cell use; peer.py has the same. Projections have H/2 numbers; of sequences of
 * different lengths the second half of the rows has T/2 steps; T/2 is also what overlaps. */
#define BENCH_RATE 0.25f
#define BENCH_CLIP 10 /* too wide to clip: at a clip, TensorFlow's BlockLSTM has another gradient */
#define BENCH_EPSILON 1e-5f

/* A work file, in memory. Kernels [in+H, 4H] and biases [4H] have the gate order i, j, f, o. */
typedef struct {
    int32_t input, hidden, layers, batch, steps; /* I H L B T */
    int32_t outputs, windows;                    /* O and N: 0 and 1 but for the echo task */
    const char *variant;                         /* one of rows.py, or "" for the plain cell */
    const float *parameters; /* of all layers, then of the readout, in the order of libmlstm */
    const float *kernel[BENCH_MAX_LAYERS], *bias[BENCH_MAX_LAYERS]; /* of the plain cell only */
    const float *readout_c, *readout_h, *readout_bias; /* [H,O], [H,O], [O]; with O only */
    const float *x;                                    /* [N,T,B,I] */
    const float *dh;                                   /* [T,B,D]; without O */
    const int32_t *labels;                             /* [N,T,B]; with O */
} bench_work;

/* Input size of a layer. */
static inline int32_t bench_layer_input(const bench_work *work, int32_t layer)
{
    return layer ? work->hidden : work->input;
}

/* Each program defines these five. */

/* Name and version, for the table. */
const char *bench_name(void);
/* Makes ready for a kind of work; 0, or -1 where the program does not do this kind. */
int bench_prepare(bench_kind kind, const bench_work *work, int threads);
/* What it holds of a window between forward and backward, as the library itself says; 0 unknown. */
size_t bench_bytes(void);
/* Does the work so many times. */
void bench_run(long count);
/*
 * Does it once from zero state, and gives each array of results, in this order, to bench_put:
 * train: h of the top layer [T,B,D], then the gradients of all parameters in the file's order,
 * nothing being dropped at random;
 * infer, stream: h of the top layer [T,B,H]; echo: the loss of each window; sgemm: A*B.
 */
void bench_check(void);
void bench_put(const float *values, size_t count);

/* Stops the program with a message. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void bench_die(const char *format, ...);
/* Zeroed memory on a cache line's boundary, or the end of the program. */
void *bench_alloc(size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
