/* SPDX-License-Identifier: MIT */

/* The table of kernels that MLSTM_ISA names, against float64. */

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "support.h"

static void the_environment_chooses(void **state)
{
    (void)state;
    const char *wanted = getenv("MLSTM_ISA");
    if (wanted)
        assert_string_equal(kernels_get()->name, wanted);
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define SAMPLES 512

typedef void activation(const float *in, float *out, size_t count);

/* Every exponent, both signs: the largest error, and whether f(-x) is `mirror` of f(x). */
static void sweep(activation *f, double exact(double), double mirror(double), double symmetry)
{
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        float x[2 * SAMPLES], y[2 * SAMPLES];
        for (uint32_t i = 0; i < SAMPLES; i++) {
            x[2 * i] = from_bits(exponent << 23 | i * ((1u << 23) / SAMPLES) | (i & 1));
            x[2 * i + 1] = -x[2 * i];
        }
        f(x, y, 2 * SAMPLES);
        for (size_t i = 0; i < 2 * SAMPLES; i++)
            if (!(fabs((double)y[i] - exact((double)x[i])) <= 2e-7))
                fail_msg("at %a it is %.9g", (double)x[i], (double)y[i]);
        for (size_t i = 0; i < 2 * SAMPLES; i += 2)
            if (!(fabs((double)y[i + 1] - mirror((double)y[i])) <= symmetry))
                fail_msg("%a has no mirror image", (double)x[i]);
    }
}

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double minus(double y)
{
    return -y;
}

static double one_minus(double y)
{
    return 1 - y;
}

static void activations_are_exact(void **state)
{
    (void)state;
    sweep(kernels_get()->tanh, tanh, minus, 0);
    sweep(kernels_get()->sigmoid, exact_sigmoid, one_minus, 1.2e-7);
}

static void activations_at_the_edges(void **state)
{
    (void)state;
    const float in[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, 3.4e38f, -3.4e38f};
    float s[8], t[8];
    kernels_get()->sigmoid(in, s, 8);
    kernels_get()->tanh(in, t, 8);
    assert_true(s[0] == 0.5f && s[1] == 0.5f && s[2] == 1.0f && s[6] == 1.0f);
    assert_true(s[3] >= 0.0f && s[3] < 1e-27f && s[7] == s[3]);
    assert_true(t[0] == 0.0f && !signbit(t[0]) && t[1] == 0.0f && signbit(t[1]));
    assert_true(t[2] == 1.0f && t[3] == -1.0f && t[6] == 1.0f && t[7] == -1.0f);
    assert_true(isnan(s[4]) && isnan(t[4]));
}

/* Where tanh is its argument, to the last bits and not only within 2e-7. */
static void small_numbers_keep_their_digits(void **state)
{
    (void)state;
    for (float x = 1e-30f; x < 1e-5f; x *= 1.7f) {
        float y;
        kernels_get()->tanh(&x, &y, 1);
        if (!(fabsf(y - x) <= 1e-6f * x))
            fail_msg("at %g it is %g", (double)x, (double)y);
    }
}

enum { SLACK = 64 };

/* An array of random numbers with a margin of the same behind it. */
static float *random_array(struct random *random, size_t count)
{
    float *values = floats(count + SLACK);
    random_fill(random, values, count + SLACK, -1, 1);
    return values;
}

struct sizes {
    int32_t rows, k, segments, vectors, columns;
    int32_t stripes, back, few;
};

/* C of struct product, by its definition; rows have the same bits when they are computed alone. */
static void check_product(struct random *random, struct sizes n, int32_t init)
{
    const int32_t width = n.vectors * kernels_get()->width;
    const int32_t panels = (n.columns + width - 1) / width;
    const size_t depth = (size_t)n.k * (size_t)n.segments;
    const size_t panel = (depth + 1) * (size_t)width, row = (size_t)n.columns + 3;
    float *a = random_array(random, (size_t)n.rows * depth);
    float *b = random_array(random, panel * (size_t)panels);
    float *c = random_array(random, (size_t)n.rows * row);
    float *alone = random_array(random, (size_t)n.rows * row);
    memcpy(alone, c, (size_t)n.rows * row * sizeof *c);
    double *expected = test_calloc((size_t)n.rows * row, sizeof *expected);
    for (size_t i = 0; i < (size_t)n.rows * row; i++)
        expected[i] = (double)c[i];
    for (int32_t r = 0; r < n.rows; r++)
        for (int32_t j = 0; j < n.columns; j++) {
            const float *column = b + (size_t)(j / width) * panel + j % width;
            double *e = &expected[(size_t)r * row + (size_t)j];
            if (init != PRODUCT_ADD)
                *e = init == PRODUCT_BIAS ? (double)column[0] : 0;
            for (size_t k = 0; k < depth; k++)
                *e += (double)a[((k / (size_t)n.k) * (size_t)n.rows + (size_t)r) * (size_t)n.k +
                                k % (size_t)n.k] *
                      (double)column[(k + 1) * (size_t)width];
        }
    struct product product = {
        .a = a,
        .a_row = (size_t)n.k,
        .a_segment = (ptrdiff_t)n.rows * n.k,
        .segments = n.segments,
        .length = n.k,
        .b = b + width,
        .b_panel = panel,
        .width = width,
        .init = init,
        .c = c,
        .c_row = row,
        .c_panel = (size_t)width,
        .columns = n.columns,
        .few = n.few,
        .row_end = n.rows / n.stripes,
        .more = n.stripes - 1,
        .apart = n.rows / n.stripes,
        .panel_end = panels,
        .back = n.back,
    };
    kernels_get()->product(&product);
    assert_near("product", c, expected, (size_t)n.rows * row, 1e-6 * (double)(depth + 4));
    product.c = alone;
    product.more = 0;
    for (int32_t r = 0; r < n.rows; r++) {
        product.row_begin = r;
        product.row_end = r + 1;
        kernels_get()->product(&product);
    }
    assert_memory_equal(alone, c, (size_t)n.rows * row * sizeof *c);
    test_free(a);
    test_free(b);
    test_free(c);
    test_free(alone);
    test_free(expected);
}

static void products(void **state)
{
    (void)state;
    struct random random = {1};
    for (int32_t rows = 1; rows <= 30; rows++)
        for (int32_t vectors = 1; vectors <= 4; vectors *= 2)
            for (int32_t init = PRODUCT_ZERO; init <= PRODUCT_ADD; init++)
                check_product(&random,
                              (struct sizes){rows, random_integer(&random, 1, 40),
                                             random_integer(&random, 1, 3), vectors,
                                             random_integer(&random, 1, 150), 1, 0,
                                             random_integer(&random, 0, 1)},
                              init);
    check_product(&random, (struct sizes){7, 1009, 2, 4, 131, 1, 0, 0}, PRODUCT_BIAS);
    check_product(&random, (struct sizes){7, 1009, 1, 1, 131, 1, 0, 1}, PRODUCT_BIAS);
    /* So many rows are divided into blocks. */
    check_product(&random, (struct sizes){300, 70, 9, 4, 150, 1, 0, 0}, PRODUCT_BIAS);
    check_product(&random, (struct sizes){300, 70, 9, 4, 150, 50, 1, 0}, PRODUCT_ZERO);
}

/* Rows and panels that a narrow product is not asked for, as a thread without a share is not. */
static void products_keep_to_their_rows(void **state)
{
    (void)state;
    enum { ROWS = 6, K = 5 };
    static const struct run runs[] = {{0, 2}, {4, 6}};
    static const struct {
        int32_t row_begin, row_end, panel_end;
        int32_t runs;
        int computed[ROWS];
    } parts[] = {
        {0, ROWS, 1, 0, {1, 1, 1, 1, 1, 1}},
        {1, 4, 1, 0, {0, 1, 1, 1, 0, 0}},
        {3, 3, 1, 0, {0}},
        {0, ROWS, 0, 0, {0}},
        {0, ROWS, 1, 2, {1, 1, 0, 0, 1, 1}},
        {1, 5, 1, 2, {0, 1, 0, 0, 1, 0}},
    };
    struct random random = {5};
    const int32_t width = kernels_get()->width;
    float *a = random_array(&random, ROWS * K), *b = random_array(&random, (K + 1) * (size_t)width);
    for (size_t i = 0; i < COUNT(parts); i++) {
        float c[ROWS];
        for (int r = 0; r < ROWS; r++)
            c[r] = 77;
        kernels_get()->product(&(struct product){.a = a,
                                                 .a_row = K,
                                                 .segments = 1,
                                                 .length = K,
                                                 .b = b + width,
                                                 .width = width,
                                                 .init = PRODUCT_BIAS,
                                                 .c = c,
                                                 .c_row = 1,
                                                 .columns = 1,
                                                 .row_begin = parts[i].row_begin,
                                                 .row_end = parts[i].row_end,
                                                 .panel_end = parts[i].panel_end,
                                                 .runs = parts[i].runs ? runs : NULL,
                                                 .run_count = parts[i].runs});
        for (int r = 0; r < ROWS; r++)
            assert_int_equal(c[r] != 77, parts[i].computed[r]);
    }
    test_free(a);
    test_free(b);
}

/* B of struct outer, by its definition. */
static void check_outer(struct random *random, struct sizes n)
{
    const int32_t width = n.vectors * kernels_get()->width;
    const int32_t panels = (n.columns + width - 1) / width;
    const size_t w = (size_t)width, rows = (size_t)n.rows, k = (size_t)n.k;
    const size_t count = (k + 1) * w * (size_t)panels;
    float *a = random_array(random, rows * k);
    float *g = random_array(random, rows * w * (size_t)panels);
    float *b = random_array(random, count);
    double *expected = test_calloc(count, sizeof *expected);
    for (size_t i = 0; i < count; i++) {
        const size_t p = i / ((k + 1) * w), row = i / w % (k + 1), column = i % w;
        expected[i] = (double)b[i];
        for (size_t r = 0; r < rows; r++)
            expected[i] += (row == 0 ? 1 : (double)a[r * k + row - 1]) *
                           (double)g[(p * rows + r) * w + column];
    }
    struct outer o = {
        .a = a,
        .a_row = k,
        .g = g,
        .g_panel = rows * w,
        .rows = n.rows,
        .width = width,
        .b = b + width,
        .b_panel = (k + 1) * w,
        .k_end = n.k,
        .panel_end = panels,
    };
    kernels_get()->outer(&o);
    o.a = NULL;
    o.b = b;
    kernels_get()->outer(&o);
    assert_near("outer", b, expected, count, 1e-6 * (double)(rows + 4));
    test_free(a);
    test_free(g);
    test_free(b);
    test_free(expected);
}

static void outer_products(void **state)
{
    (void)state;
    struct random random = {2};
    for (int32_t k = 1; k <= 30; k++)
        for (int32_t vectors = 1; vectors <= 4; vectors *= 2)
            check_outer(&random, (struct sizes){random_integer(&random, 1, 60), k, 1, vectors,
                                                random_integer(&random, 1, 150)});
    check_outer(&random, (struct sizes){1009, 13, 1, 4, 131});
}

/*
 * h, y and c of a stream: the same bits for panels one by one and two together, from either end or in
 * turns, by any thread, in steps or as a window, whether these read x or, of layers that may, its
 * product, and from what does single steps alone.
 */
static void check_stream(struct random *random, int32_t hidden)
{
    enum { STEPS = 5, INPUT = 7 };
    const int32_t w = kernels_get()->width, panels = (hidden + w - 1) / w;
    const size_t row = (size_t)(panels * w), slots = (STEPS + 1) * row;
    const size_t depth = 1 + INPUT + (size_t)hidden;
    float *kernel = random_array(random, depth * 4 * row);
    float *x = random_array(random, (size_t)STEPS * INPUT);
    float *h[2] = {floats(slots + SLACK), floats(slots + SLACK)};
    float *c[2] = {floats(slots + SLACK), floats(slots + SLACK)};
    /* Its first row ends with a page. */
    const size_t page = 4096 / sizeof(float);
    float *room = floats(page + (size_t)(STEPS + 1) * (size_t)hidden);
    const size_t before = (uintptr_t)(room + hidden) / sizeof(float) % page;
    float *y = room + (page - before) % page;
    float *preact = floats((size_t)STEPS * 4 * row + SLACK);
    kernels_get()->product(&(struct product){
        .a = x,
        .a_row = INPUT,
        .segments = 1,
        .length = INPUT,
        .b = kernel + 4 * w,
        .b_panel = depth * 4 * (size_t)w,
        .width = 4 * w,
        .init = PRODUCT_BIAS,
        .c = preact,
        .c_row = 4 * (size_t)w,
        .c_panel = (size_t)STEPS * 4 * (size_t)w,
        .columns = panels * 4 * w,
        .row_end = STEPS,
        .panel_end = panels,
    });
    const int32_t few = kernels_get()->few_units;
    const bool reads_x = hidden <= few && INPUT <= few;
    for (int32_t way = 0; way < 128; way++) {
        const int32_t i = way > 0, steps = way & 16 ? STEPS : 1;
        const int32_t cut = way & 4 && steps == 1 ? panels / 2 : panels;
        const bool alone = way & 64 && !(way & 32) && steps == 1 && cut == panels;
        memset(y, 0, (size_t)STEPS * (size_t)hidden * sizeof *y);
        struct cell_forward s = {
            .batch = 1,
            .input = INPUT,
            .hidden = hidden,
            .units = w,
            .turns = way >> 3 & 1,
            .turn = way >> 1 & 1,
            .together = 1 + (way & 1),
            .row_end = 1,
            .kernel = kernel,
            .x = way & 32 && !reads_x ? NULL : x,
            .x_row = INPUT,
            .preact = preact,
            .preact_panel = (size_t)STEPS * 4 * (size_t)w,
            .c = c[i],
            .h = h[i],
            .c_next = c[i] + row,
            .h_next = h[i] + row,
            .y = y,
            .row = row,
            .forget_bias = 1,
        };
        for (int32_t t = 0; t < STEPS && alone; t++) {
            struct cell_forward step = s;
            step.step_end = 1;
            step.panel_end = panels;
            step.turn += t;
            step.x += t * INPUT;
            step.y += t * hidden;
            step.c += (size_t)t * row;
            step.h += (size_t)t * row;
            step.c_next += (size_t)t * row;
            step.h_next += (size_t)t * row;
            kernels_get()->choose_step(&step)(&step);
        }
        for (int32_t t = 0; t < STEPS && !alone; t += steps) {
            s.step_begin = t;
            s.step_end = t + steps;
            s.panel_begin = 0;
            s.panel_end = cut;
            kernels_get()->cell_forward(&s);
            s.panel_begin = cut;
            s.panel_end = panels;
            kernels_get()->cell_forward(&s);
        }
        assert_same_bits("h", h[i], h[0], slots);
        assert_same_bits("c", c[i], c[0], slots);
        for (int32_t t = 0; t < STEPS; t++)
            assert_same_bits("y", y + t * hidden, h[0] + (size_t)(t + 1) * row, (size_t)hidden);
        memset(h[1], 0, slots * sizeof **h);
        memset(c[1], 0, slots * sizeof **c);
    }
    test_free(kernel);
    test_free(x);
    test_free(room);
    test_free(preact);
    for (int i = 0; i < 2; i++) {
        test_free(h[i]);
        test_free(c[i]);
    }
}

static void streams(void **state)
{
    (void)state;
    struct random random = {6};
    for (int32_t hidden = kernels_get()->width / 2 + 1; hidden <= 70; hidden++)
        check_stream(&random, hidden);
}

static void transposes(void **state)
{
    (void)state;
    struct random random = {3};
    const int32_t w = kernels_get()->width;
    for (int32_t rows = 1; rows <= 70; rows += 3)
        for (int32_t columns = w; columns <= 64; columns += w) {
            const int32_t filled = (rows + w - 1) / w * w;
            float *in = random_array(&random, (size_t)rows * 71);
            float *out = random_array(&random, (size_t)columns * 83);
            float *expected = floats((size_t)columns * 83);
            memcpy(expected, out, (size_t)columns * 83 * sizeof *out);
            for (int32_t c = 0; c < columns; c++)
                for (int32_t r = 0; r < filled; r++)
                    expected[c * 83 + r] = r < rows ? in[r * 71 + c] : 0;
            kernels_get()->transpose(in, 71, rows, columns, out, 83);
            assert_same_bits("transposed", out, expected, (size_t)columns * 83);
            test_free(in);
            test_free(out);
            test_free(expected);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_chooses),
        cmocka_unit_test(activations_are_exact),
        cmocka_unit_test(activations_at_the_edges),
        cmocka_unit_test(small_numbers_keep_their_digits),
        cmocka_unit_test(products),
        cmocka_unit_test(products_keep_to_their_rows),
        cmocka_unit_test(outer_products),
        cmocka_unit_test(streams),
        cmocka_unit_test(transposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
