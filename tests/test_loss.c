/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <float.h>
#include <math.h>

struct cross_entropy {
    size_t rows;
    int32_t classes;
    float *logits, *probabilities, *dlogits, loss;
    int32_t *labels;
};

static struct cross_entropy *new_cross_entropy(size_t rows, int32_t classes)
{
    struct cross_entropy *e = test_calloc(1, sizeof *e);
    e->rows = rows;
    e->classes = classes;
    e->logits = floats(rows * (size_t)classes);
    e->probabilities = floats(rows * (size_t)classes);
    e->dlogits = floats(rows * (size_t)classes);
    e->labels = test_calloc(rows, sizeof *e->labels);
    return e;
}

static void free_cross_entropy(struct cross_entropy *e)
{
    test_free(e->logits);
    test_free(e->probabilities);
    test_free(e->dlogits);
    test_free(e->labels);
    test_free(e);
}

/* Everything in float64, after the definition in loss.h. */
static void check_cross_entropy(struct cross_entropy *e)
{
    const size_t classes = (size_t)e->classes, count = e->rows * classes;
    double *p = test_calloc(count, sizeof *p), *d = test_calloc(count, sizeof *d), loss = 0;
    for (size_t r = 0; r < e->rows; r++) {
        const float *logits = e->logits + r * classes;
        double max = (double)logits[0], sum = 0;
        for (size_t k = 1; k < classes; k++)
            max = fmax(max, (double)logits[k]);
        for (size_t k = 0; k < classes; k++)
            sum += exp((double)logits[k] - max);
        for (size_t k = 0; k < classes; k++) {
            p[r * classes + k] = exp((double)logits[k] - max) / sum;
            d[r * classes + k] = p[r * classes + k] - (k == (size_t)e->labels[r]);
            d[r * classes + k] /= (double)e->rows;
        }
        loss += (log(sum) + (max - (double)logits[e->labels[r]])) / (double)e->rows;
    }
    assert_ok(mlstm_softmax_cross_entropy(e->logits, e->labels, e->rows, e->classes,
                                          e->probabilities, e->dlogits, &e->loss));
    assert_near("probabilities", e->probabilities, p, count, 5e-7);
    assert_near("dlogits", e->dlogits, d, count, 5e-7 / (double)e->rows);
    assert_near("loss", &e->loss, &loss, 1, 1e-6 * fmax(1, fabs(loss)));
    test_free(p);
    test_free(d);
}

static void random_logits(void **state)
{
    (void)state;
    static const int32_t classes[] = {1, 2, 3, 5, 16, 17, 1000};
    static const size_t rows[] = {1, 2, 7, 75};
    static const float spread[] = {0, 1e-3f, 3, 80};
    struct random random = {5};
    for (size_t i = 0; i < COUNT(classes) * COUNT(rows) * COUNT(spread); i++) {
        const float s = spread[i / COUNT(classes) / COUNT(rows)];
        struct cross_entropy *e =
            new_cross_entropy(rows[i / COUNT(classes) % COUNT(rows)], classes[i % COUNT(classes)]);
        random_fill(&random, e->logits, e->rows * (size_t)e->classes, -s, s);
        for (size_t r = 0; r < e->rows; r++)
            e->labels[r] = random_integer(&random, 0, e->classes - 1);
        check_cross_entropy(e);
        free_cross_entropy(e);
    }
}

static void extreme_logits(void **state)
{
    (void)state;
    static const float rows[][3] = {
        {1e4f, -1e4f, 0},       {1e4f, 1e4f, 1e4f},    {-1e4f, -1e4f, -1e4f},
        {-1e4f, -1e4f, 1e4f},   {3e38f, 3e38f, 3e38f}, {-3e38f, -3e38f, -3e38f},
        {FLT_MIN, -FLT_MIN, 0}, {88, -88, 104},        {3e38f, 0, 1},
        {0, -3e38f, -3e38f},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int32_t label = 0; label < 3; label++) {
            struct cross_entropy *e = new_cross_entropy(1, 3);
            for (size_t k = 0; k < 3; k++)
                e->logits[k] = rows[i][k];
            e->labels[0] = label;
            check_cross_entropy(e);
            free_cross_entropy(e);
        }
}

/* A row's own loss is beyond float32 here, the mean is not. */
static void a_row_beyond_float32(void **state)
{
    (void)state;
    struct cross_entropy *e = new_cross_entropy(4, 2);
    e->logits[0] = 3e38f;
    e->logits[1] = -3e38f;
    e->labels[0] = 1;
    check_cross_entropy(e);
    free_cross_entropy(e);
}

static void outputs_are_optional(void **state)
{
    (void)state;
    struct random random = {6};
    struct cross_entropy *e = new_cross_entropy(5, 4);
    float *p = floats(20), *d = floats(20), loss;
    random_fill(&random, e->logits, 20, -3, 3);
    check_cross_entropy(e);
    assert_ok(mlstm_softmax_cross_entropy(e->logits, e->labels, 5, 4, p, NULL, NULL));
    assert_ok(mlstm_softmax_cross_entropy(e->logits, e->labels, 5, 4, NULL, d, NULL));
    assert_ok(mlstm_softmax_cross_entropy(e->logits, e->labels, 5, 4, NULL, NULL, &loss));
    assert_ok(mlstm_softmax_cross_entropy(e->logits, e->labels, 5, 4, NULL, NULL, NULL));
    assert_same_bits("probabilities", p, e->probabilities, 20);
    assert_same_bits("dlogits", d, e->dlogits, 20);
    assert_same_bits("loss", &loss, &e->loss, 1);
    test_free(p);
    test_free(d);
    free_cross_entropy(e);
}

static void nan_passes_through(void **state)
{
    (void)state;
    struct cross_entropy *e = new_cross_entropy(2, 2);
    e->logits[1] = NAN;
    assert_ok(mlstm_softmax_cross_entropy(e->logits, e->labels, 2, 2, e->probabilities, e->dlogits,
                                          &e->loss));
    assert_true(isnan(e->loss) && isnan(e->probabilities[0]) && isnan(e->dlogits[1]));
    assert_true(e->probabilities[2] == 0.5f && e->dlogits[3] == 0.25f);
    free_cross_entropy(e);
}

static void squared_error(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 15, 16, 17, 1000, 100003};
    struct random random = {7};
    for (size_t c = 0; c < COUNT(counts); c++) {
        const size_t count = counts[c];
        float *y = random_floats(&random, count, -2, 2), *t = random_floats(&random, count, -2, 2);
        float *got = floats(count), *alone = floats(count), loss, loss_alone;
        double *d = test_calloc(count, sizeof *d), expected = 0;
        for (size_t i = 0; i < count; i++) {
            const double difference = (double)y[i] - (double)t[i];
            expected += difference * difference / (double)count;
            d[i] = 2 * difference / (double)count;
        }
        assert_ok(mlstm_squared_error(y, t, count, got, &loss));
        assert_near("loss", &loss, &expected, 1, 1e-6 * (1 + expected));
        assert_near("doutputs", got, d, count, 1e-6 / (double)count);
        assert_ok(mlstm_squared_error(y, t, count, alone, NULL));
        assert_ok(mlstm_squared_error(y, t, count, NULL, &loss_alone));
        assert_same_bits("doutputs", alone, got, count);
        assert_same_bits("loss", &loss_alone, &loss, 1);
        test_free(y);
        test_free(t);
        test_free(got);
        test_free(alone);
        test_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_logits),        cmocka_unit_test(extreme_logits),
        cmocka_unit_test(a_row_beyond_float32), cmocka_unit_test(outputs_are_optional),
        cmocka_unit_test(nan_passes_through),   cmocka_unit_test(squared_error),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
