/* SPDX-License-Identifier: MIT */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The arithmetic of the library: a table of functions for each instruction set, filled from one
 * source. Kernels know arrays and strides; nothing of handles, names, threads or files.
 *
 * Letters: W lanes of a vector, U units of a panel (W, or a smaller power of two for layers that
 * are smaller), N = 4U columns of a panel. A matrix [K, columns] is kept as panels [K, N], one
 * after the other; the columns of a layer's panel are the gates i, j, f, o of the same U units, U
 * each. Arrays whose rows are read or written by vectors have room for W floats after their end.
 */

/* Rows that follow each other. */
struct run {
    int32_t begin, end;
};

/*
 * C[r, n] = init + sum over s, k of A(r, s, k) * B[s*K + k, n],
 * A(r, s, k) = a[r*a_row + s*a_segment + k].
 */
enum product_init {
    PRODUCT_ZERO, /* 0 */
    PRODUCT_BIAS, /* the row of B that comes before its first */
    PRODUCT_ADD   /* what C holds */
};

/* A batch of so few rows that products of narrow panels would wait for their additions. */
#define FEW_ROWS 3

struct product {
    const float *a;
    size_t a_row;
    ptrdiff_t a_segment;
    int32_t segments;
    int32_t length; /* K of one segment */
    const float *b; /* first row of panel 0 */
    size_t b_panel; /* floats between panels */
    int32_t width;  /* columns of a panel: W, 2W or 4W */
    int32_t init;
    float *c;
    size_t c_row;
    size_t c_panel;  /* floats between the same row in neighbouring panels */
    int32_t columns; /* of C, in all panels */
    int32_t few;     /* the batch has no more than FEW_ROWS */
    int32_t row_begin, row_end;
    int32_t more, apart; /* the same rows so many times more, so many rows further each time */
    int32_t panel_begin, panel_end;
    int32_t back; /* from the last panel to the first */
    const struct run *runs; /* of which these rows are computed; NULL for all, or with `more` */
    int32_t run_count;
};

/* B[k, n] += sum over r of A[r, k] * G[r, n], the gradient of a panel matrix; and its biases. */
struct outer {
    const float *a; /* [rows, K]; NULL adds the sum of G over r to one row */
    size_t a_row;
    const float *g; /* panels [rows, N] */
    size_t g_panel;
    int32_t rows;
    const struct run *runs; /* rows that are not 0; NULL for all */
    int32_t run_count;
    int32_t width;
    float *b;
    size_t b_panel;
    int32_t k_begin, k_end;
    int32_t panel_begin, panel_end;
    int32_t last;        /* the panel whose columns do not all exist, */
    const int32_t *keep; /* and [N] all bits for those that do; NULL where all of all panels do */
};

/* Consecutive steps of one layer, forward. */
struct cell_forward {
    int32_t batch;
    int32_t input, hidden;
    int32_t units;    /* U */
    int32_t turns;    /* 1: steps take the panels in turns, from the first or from the last; */
    int32_t turn;     /* step 0 from the last if this is odd */
    int32_t together; /* panels, 1 or 2, that go together where the batch is 1 */
    int32_t step_begin, step_end;
    int32_t row_begin, row_end;
    int32_t panel_begin, panel_end;
    const float *kernel; /* panels [1 + I + H, 4U]: bias, input rows, recurrent rows */
    const float *x;      /* [steps, B, I], or NULL where `preact` holds bias and input product */
    size_t x_row;
    const float *preact; /* panels [steps * B, 4U] */
    size_t preact_panel;
    /*
     * Panels [steps * B, 4U] of activated i, j, f, o; NULL where nothing is recorded. A small layer
     * has groups [steps, ceil(B * U / W), 4W] of the kernels' own order instead.
     */
    float *gates;
    size_t gates_panel;
    float *tanh_c; /* [steps, B, row]; NULL where nothing is recorded */
    const float *c, *h;     /* [steps, B, row] before each step, */
    float *c_next, *h_next; /* and after it: of several steps, these are the rows from the next on */
    float *y; /* [steps, hidden], only of a batch of one: h after each step; NULL: not wanted */
    size_t row;
    float forget_bias;
};

typedef void cell_forward_kernel(const struct cell_forward *);

/*
 * Consecutive steps of one layer, from step_end - 1 back to step_begin. What a step gets from the
 * one after it is computed from dgates at its beginning; for the last of all `steps` it stands in
 * dh_carry, where a small layer has that of every step.
 */
struct cell_backward {
    int32_t batch;
    int32_t units;
    int32_t steps;
    int32_t step_begin, step_end;
    int32_t row_begin, row_end;
    int32_t block_begin, block_end; /* blocks of `width` units of the transposed recurrent kernel */
    int32_t panels;
    const float *transposed; /* blocks [panels * 4U, width] */
    size_t block;
    int32_t width;
    const float *gates; /* as in cell_forward */
    size_t gates_panel;
    const float *tanh_c, *c; /* as in cell_forward */
    size_t row;
    const float *dh_out, *dc_out; /* [steps, B, out_row]: from above; NULL for none */
    size_t out_row;
    float *dh_carry, *dc_carry; /* [B, carry_row] */
    size_t carry_row;           /* whole blocks; U in a small layer */
    float *dgates; /* panels [steps * B, 4U] */
    size_t dgates_panel;
    const int32_t *keep; /* as in outer, for the last panel */
    /*
     * Between small layers of the same U: [steps * B, U] on the layer below, may be dh_out; or
     * NULL.
     */
    float *dx;
    const float *transposed_x; /* [4U, width] */
};

/*
 * What a cell with options does between its products, for some rows of one step: equations in
 * cell.h of the public headers. Vectors are rows of panels, 4W numbers of each; their indices are
 * -1 for what is not there.
 */
struct special {
    int32_t units, panels;
    int32_t row_begin, row_end;
    const int32_t *keep; /* as in outer, for the last panel */
    float forget_bias, cell_clip, epsilon;
    int32_t coupled;
    const float *bias; /* added after a norm; without one it is in `gates` already */
    size_t bias_panel;
    const float *vectors;
    size_t vectors_panel;
    int32_t peephole, gain, gain_h, norm_c;
    int32_t norm_c_apart; /* only what tanh reads is normalised */
    float *gates;         /* panels [B, 4W]: products, then activated i, j, f, o */
    size_t gates_panel;
    float *sums; /* panels [B, 4W]: product with h where that has a norm of its own */
    size_t sums_panel;
    float *normal, *normal_h; /* panels [B, 4W], as gates: normalised */
    float *normal_c;          /* [B, row] */
    float *scales;            /* [B, SCALES]: one over each deviation */
    const float *c;           /* [B, row] before the step, */
    float *c_new, *c_next;    /* clipped, before zoneout and after; one array where there is none */
    float *tanh_c, *out;
    size_t row;
    const float *drop;   /* [B, mask_row] on j; NULL for none */
    const float *keep_c; /* [B, mask_row]: how much of c stays; NULL for none */
    size_t mask_row;
};

/* Of x or of each gate, of h, of c. */
enum { SCALE_H = 4, SCALE_C = 8, SCALES = 9 };

struct special_backward {
    struct special forward; /* of the same step */
    const float *dout;      /* [B, dout_row] on `out` */
    size_t dout_row;
    const float *dc_out; /* [B, dc_out_row]; NULL for none */
    size_t dc_out_row;
    float *dc_carry; /* [B, carry_row] */
    size_t carry_row;
    /* Panels [B, 4W]: on the gates' inputs, on the product with x and on that with h. */
    float *dinputs, *dgates, *dsums; /* the same arrays where no norm is between */
    size_t dgates_panel;
    float *dnormal_c; /* [B, dnormal_row]: on what the norm of c gave */
    size_t dnormal_row;
};

/* Adds to the gradients of vectors over rows that may be those of several steps. */
struct special_vectors {
    struct special_backward backward; /* of the first step; its rows are of all */
    int32_t panel_begin, panel_end;
    float *vectors, *bias; /* panels as forward; the bias with a norm, NULL for none */
};

/* Random masks: out[r, u] is `chosen` with probability `rate`, otherwise `other`. */
struct mask {
    float *out;
    size_t row;
    int32_t units;
    int32_t row_begin, row_end;
    uint32_t key[2], step, stream;
    float rate, chosen, other;
};

/* Arrays of rows, of which not all are padded; NULL for what each operation says. */
struct rows {
    const float *at;
    size_t row;
};

/*
 * An update of the Adam family, which differ in its numbers alone:
 *     m = beta1 * m + (1 - beta1) * g
 *     s = beta2 * s + (1 - beta2) * g * g
 *     v = keep * v - (moment_rate * m + grad_rate * g) / (root_scale * sqrt(s) + epsilon)
 */
struct adam {
    float *values, *first, *second;
    float *largest; /* whose root is taken instead of s: the largest s so far; or NULL */
    const float *grads;
    size_t count;
    float beta1, beta2, keep, moment_rate, grad_rate, root_scale, epsilon;
};

/* r = decay * r + (1 - decay) * g * g, and m and v after it as in optimizer.h. */
struct rmsprop {
    float *values, *squares, *moments;
    float *means; /* NULL where it is not centered */
    const float *grads;
    size_t count;
    float decay, rate, momentum, epsilon;
};

struct kernels {
    const char *name;
    int32_t width; /* W */
    /* A layer of no more units and inputs reads x in its steps, where the batch is one row. */
    int32_t few_units;
    void (*product)(const struct product *);
    void (*outer)(const struct outer *);
    cell_forward_kernel *cell_forward;
    /* What does a single step of inference that reads x, of all rows and panels, in less time. */
    cell_forward_kernel *(*choose_step)(const struct cell_forward *);
    void (*cell_backward)(const struct cell_backward *);
    /*
     * out[c*out_row + r] = in[r*in_row + c] for `rows` and `columns` of in; columns are a multiple
     * of W, and rows of out are filled up with zeros to one.
     */
    void (*transpose)(const float *in, size_t in_row, int32_t rows, int32_t columns, float *out,
                      size_t out_row);
    /* Rows of `units` floats to rows of `to_row`, filled up with zeros. */
    void (*pad_rows)(const float *from, size_t from_row, size_t units, float *to, size_t to_row,
                     int32_t rows);
    void (*special_forward)(const struct special *);
    void (*special_backward)(const struct special_backward *);
    void (*special_vectors)(const struct special_vectors *);
    void (*mask)(const struct mask *);
    /* out = a * b + c; b NULL for 1, c NULL for 0. `out` may be any of them. */
    void (*mix)(struct rows a, struct rows b, struct rows c, float *out, size_t out_row,
                int32_t rows, int32_t units);
    /* out = k * a + (1 - k) * b; a or b NULL for 0. `out` may be any of them. */
    void (*blend)(struct rows k, struct rows a, struct rows b, float *out, size_t out_row,
                  int32_t rows, int32_t units);
    /* out = out where |of| < limit, otherwise 0. */
    void (*pass_clip)(struct rows of, float limit, float *out, size_t out_row, int32_t rows,
                      int32_t units);
    /*
     * d is the gradient on x * gate + h * (1 - gate): dx and dgate get those on x and on what the
     * gate is the sigmoid of, d keeps that on h.
     */
    void (*highway_backward)(struct rows gate, struct rows x, struct rows h, float *d, size_t d_row,
                             float *dx, float *dgate, int32_t rows, int32_t units);
    void (*scale)(float *values, size_t count, float factor);
    void (*add)(float *values, const float *other, size_t count);
    void (*clip)(float *values, size_t count, float limit); /* to [-limit, limit]; NaN stays */
    double (*sum_of_squares)(const float *values, size_t count);
    void (*sgd)(float *values, const float *grads, size_t count, float rate);
    void (*momentum)(float *values, float *moments, const float *grads, size_t count, float rate,
                     float momentum, int32_t nesterov);
    void (*adagrad)(float *values, float *accumulators, const float *grads, size_t count,
                    float rate);
    void (*rmsprop)(const struct rmsprop *);
    void (*adam)(const struct adam *);
    void (*lion)(float *values, float *moments, const float *grads, size_t count, float rate,
                 float beta1, float beta2, float keep);
    /* Probabilities, gradient and the sum of losses of `rows` rows; the arrays may be NULL. */
    double (*softmax_cross_entropy)(const float *logits, const int32_t *labels, size_t rows,
                                    int32_t classes, float gradient_scale, float *probabilities,
                                    float *dlogits);
    void (*sigmoid)(const float *in, float *out, size_t count);
    /* As cells compute it: for the test of its accuracy. */
    void (*tanh)(const float *in, float *out, size_t count);
};

extern const struct kernels kernels_portable, kernels_avx2, kernels_avx512, kernels_neon;

/* The table of this process. */
const struct kernels *kernels_get(void);

#endif
