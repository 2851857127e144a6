/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE

#include "support.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Alone, in place, and each row by itself, against `p` in float64. */
static void check_softmax(const struct cross_entropy *e, const double *p)
{
    const size_t classes = (size_t)e->classes, count = e->rows * classes;
    float *all = floats(count), *in_place = floats(count);
    assert_ok(mlstm_softmax(e->logits, e->rows, e->classes, all));
    assert_near("softmax", all, p, count, 5e-7);
    /* Small ones too, but for those of which a part may have been a denormal. */
    for (size_t i = 0; i < count; i++)
        if (p[i] > 1e-30)
            assert_near("softmax", &all[i], &p[i], 1, 1e-5 * p[i]);
    memcpy(in_place, e->logits, count * sizeof *in_place);
    assert_ok(mlstm_softmax(in_place, e->rows, e->classes, in_place));
    assert_same_bits("softmax in place", in_place, all, count);
    for (size_t r = 0; r < e->rows; r++)
        assert_ok(mlstm_softmax(e->logits + r * classes, 1, e->classes, in_place + r * classes));
    assert_same_bits("softmax of rows", in_place, all, count);
    test_free(all);
    test_free(in_place);
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
    check_softmax(e, p);
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

/* One row that is not finite changes no other, in place neither; -infinity leaves a class out. */
static void softmax_of_what_is_not_finite(void **state)
{
    (void)state;
    enum { ROWS = 40, MOST = 20 };
    static const int32_t classes[] = {2, 3, MOST};
    for (size_t i = 0; i < COUNT(classes); i++) {
        const size_t n = (size_t)classes[i];
        float logits[ROWS * MOST] = {0}, p[ROWS * MOST];
        logits[5 * n] = NAN;
        logits[9 * n + 1] = INFINITY;
        logits[17 * n + 1] = -INFINITY;
        assert_ok(mlstm_softmax(logits, ROWS, classes[i], p));
        for (size_t k = 0; k < ROWS * n; k++) {
            const size_t row = k / n;
            const double expected = 1 / (double)(row == 17 ? n - 1 : n);
            if (row == 5)
                assert_true(isnan(p[k]));
            else if (row == 17 && k % n == 1)
                assert_true(p[k] >= 0 && p[k] <= 2e-38f);
            else if (row != 9)
                assert_near("softmax", &p[k], &expected, 1, 1e-7);
        }
        assert_true(isnan(p[9 * n + 1]));
        assert_ok(mlstm_softmax(logits, ROWS, classes[i], logits));
        assert_same_bits("softmax in place", logits, p, ROWS * n);
    }
}

struct weighted {
    size_t rows, classes;
    float *logits, *weights, smoothing;
    int32_t *labels, ignored;
};

/* Everything in float64, after the definition in loss.h. */
static void check_weighted(const struct weighted *w)
{
    const size_t classes = w->classes, count = w->rows * classes;
    float *p = floats(count), *d = floats(count), *alone = floats(count), loss, loss_alone;
    double *probabilities = test_calloc(count, sizeof(double)), total = 0, counted = 0, most = 0;
    double *gradient = test_calloc(count, sizeof(double));
    for (size_t r = 0; r < w->rows; r++)
        counted += w->labels[r] != w->ignored && (!w->weights || w->weights[r] != 0);
    for (size_t r = 0; r < w->rows; r++) {
        const float *logits = w->logits + r * classes;
        const double weight = w->labels[r] == w->ignored ? 0
                              : w->weights               ? (double)w->weights[r]
                                                         : 1;
        double max = (double)logits[0], sum = 0;
        most = fmax(most, fabs(weight) / fmax(1, counted));
        for (size_t k = 1; k < classes; k++)
            max = fmax(max, (double)logits[k]);
        for (size_t k = 0; k < classes; k++)
            sum += exp((double)logits[k] - max);
        for (size_t k = 0; k < classes; k++) {
            const size_t at = r * classes + k;
            const double target = (1 - (double)w->smoothing) * ((int32_t)k == w->labels[r]) +
                                  (double)w->smoothing / (double)classes;
            probabilities[at] = exp((double)logits[k] - max) / sum;
            if (weight != 0) {
                total += weight * target * (log(sum) + max - (double)logits[k]) / counted;
                gradient[at] = weight * (probabilities[at] - target) / counted;
            }
        }
    }
    const int32_t n = (int32_t)classes;
    assert_ok(mlstm_softmax_cross_entropy_weighted(w->logits, w->labels, w->weights, w->rows, n,
                                                   w->ignored, w->smoothing, p, d, &loss));
    assert_near("probabilities", p, probabilities, count, 5e-7);
    assert_near("dlogits", d, gradient, count, 5e-7 * most);
    assert_near("loss", &loss, &total, 1, 2e-6 * fmax(1, fabs(total)));
    assert_ok(mlstm_softmax_cross_entropy_weighted(w->logits, w->labels, w->weights, w->rows, n,
                                                   w->ignored, w->smoothing, NULL, alone, NULL));
    assert_same_bits("dlogits", alone, d, count);
    assert_ok(mlstm_softmax_cross_entropy_weighted(w->logits, w->labels, w->weights, w->rows, n,
                                                   w->ignored, w->smoothing, alone, NULL,
                                                   &loss_alone));
    assert_same_bits("probabilities", alone, p, count);
    assert_same_bits("loss", &loss_alone, &loss, 1);
    test_free(p);
    test_free(d);
    test_free(alone);
    test_free(probabilities);
    test_free(gradient);
}

static void weighted(void **state)
{
    (void)state;
    static const size_t classes[] = {1, 2, 3, 17, 100}, rows[] = {1, 7, 40};
    static const float smoothings[] = {0, 0.1f, 1}, spread[] = {3, 60};
    static const int32_t ignored[] = {-1, -100, 0};
    struct random random = {8};
    for (size_t i = 0; i < 5 * 3 * 3 * 2 * 3 * 2; i++) {
        struct weighted w = {.classes = classes[i % 5],
                             .rows = rows[i / 5 % 3],
                             .smoothing = smoothings[i / 15 % 3],
                             .ignored = ignored[i / 90 % 3]};
        const float s = spread[i / 45 % 2];
        w.logits = random_floats(&random, w.rows * w.classes, -s, s);
        w.labels = test_calloc(w.rows, sizeof *w.labels);
        w.weights = i / 270 ? random_floats(&random, w.rows, -1, 3) : NULL;
        for (size_t r = 0; r < w.rows; r++) {
            w.labels[r] = random_integer(&random, 0, (int32_t)w.classes - 1);
            if (r % 3 == 1)
                w.labels[r] = w.ignored;
            if (r % 5 == 2 && w.weights)
                w.weights[r] = 0;
        }
        check_weighted(&w);
        test_free(w.logits);
        test_free(w.labels);
        if (w.weights)
            test_free(w.weights);
    }
}

static void nothing_counts(void **state)
{
    (void)state;
    static const float logits[] = {1, NAN, 3, INFINITY}, weights[] = {0, 1};
    static const int32_t labels[] = {1, -1};
    float d[4] = {5, 5, 5, 5}, loss = 5;
    assert_ok(mlstm_softmax_cross_entropy_weighted(logits, labels, weights, 2, 2, -1, 0.1f, NULL, d,
                                                   &loss));
    assert_same_bits("dlogits", d, (float[4]){0}, 4);
    assert_true(loss == 0);
}

/* The second row lies in memory that cannot be read. */
static void what_does_not_count_is_not_read(void **state)
{
    (void)state;
    enum { CLASSES = 3 };
    static const int32_t kept[] = {1, 2}, ignored[] = {1, -1};
    static const float weights[] = {1, 0};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    const float *logits = (const float *)(const void *)(pages + page) - CLASSES;
    const double expected[] = {log(3), log(3)};
    float d[2 * CLASSES], loss[2];
    assert_ok(mlstm_softmax_cross_entropy_weighted(logits, kept, weights, 2, CLASSES, -1, 0.1f,
                                                   NULL, d, &loss[0]));
    assert_ok(mlstm_softmax_cross_entropy_weighted(logits, ignored, NULL, 2, CLASSES, -1, 0.1f,
                                                   NULL, d, &loss[1]));
    assert_near("loss", loss, expected, 2, 1e-6);
    assert_same_bits("dlogits", d + CLASSES, (float[CLASSES]){0}, CLASSES);
    assert_int_equal(munmap(pages, 2 * page), 0);
}

/* Without any of its features it is the plain loss. */
static void weighted_as_plain(void **state)
{
    (void)state;
    struct random random = {9};
    struct cross_entropy *e = new_cross_entropy(12, 20);
    float *p = floats(240), *d = floats(240), loss;
    random_fill(&random, e->logits, 240, -3, 3);
    check_cross_entropy(e);
    assert_ok(mlstm_softmax_cross_entropy_weighted(e->logits, e->labels, NULL, 12, 20, -1, 0, p, d,
                                                   &loss));
    assert_same_bits("probabilities", p, e->probabilities, 240);
    assert_same_bits("dlogits", d, e->dlogits, 240);
    assert_near("loss", &loss, &(double){(double)e->loss}, 1, 1e-6);
    test_free(p);
    test_free(d);
    free_cross_entropy(e);
}

/* A loss that is a mean over outputs, and what one of them adds to it and to its gradient. */
struct pointwise {
    const char *name;
    mlstm_status (*loss)(const float *y, const float *t, size_t count, float *dy, float *loss);
    double (*term)(double y, double t, double *slope);
};

static double squared_term(double y, double t, double *slope)
{
    *slope = 2 * (y - t);
    return (y - t) * (y - t);
}

static double absolute_term(double y, double t, double *slope)
{
    *slope = (y > t) - (y < t);
    return fabs(y - t);
}

static mlstm_status huber(const float *y, const float *t, size_t count, float *dy, float *loss)
{
    return mlstm_huber_loss(y, t, count, 0.75f, dy, loss);
}

static double huber_term(double y, double t, double *slope)
{
    const double d = y - t;
    *slope = fmax(-0.75, fmin(0.75, d));
    return fabs(d) <= 0.75 ? d * d / 2 : 0.75 * fabs(d) - 0.75 * 0.75 / 2;
}

/* Fit for logits that are small. */
static double sigmoid_term(double y, double t, double *slope)
{
    const double s = 1 / (1 + exp(-y));
    *slope = s - t;
    return -t * log(s) - (1 - t) * log(1 - s);
}

static const struct pointwise pointwise[] = {
    {"squared", mlstm_squared_error, squared_term},
    {"absolute", mlstm_absolute_error, absolute_term},
    {"huber", huber, huber_term},
    {"sigmoid", mlstm_sigmoid_cross_entropy, sigmoid_term},
};

static void check_pointwise(const struct pointwise *p, struct random *random, size_t count)
{
    float *y = random_floats(random, count, -2, 2), *t = random_floats(random, count, 0, 1);
    float *got = floats(count), *alone = floats(count), loss, loss_alone;
    double *d = test_calloc(count, sizeof *d), expected = 0;
    y[count / 2] = t[count / 2];
    for (size_t i = 0; i < count; i++) {
        expected += p->term((double)y[i], (double)t[i], &d[i]) / (double)count;
        d[i] /= (double)count;
    }
    assert_ok(p->loss(y, t, count, got, &loss));
    assert_near(p->name, &loss, &expected, 1, 1e-6 * (1 + expected));
    assert_near(p->name, got, d, count, 1e-6 / (double)count);
    assert_ok(p->loss(y, t, count, alone, NULL));
    assert_ok(p->loss(y, t, count, NULL, &loss_alone));
    assert_ok(p->loss(y, t, count, NULL, NULL));
    assert_same_bits(p->name, alone, got, count);
    assert_same_bits(p->name, &loss_alone, &loss, 1);
    y[count / 2] = NAN;
    assert_ok(p->loss(y, t, count, got, &loss));
    assert_true(isnan(loss) && isnan(got[count / 2]));
    test_free(y);
    test_free(t);
    test_free(got);
    test_free(alone);
    test_free(d);
}

static void means(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 15, 16, 17, 1000, 100003};
    struct random random = {7};
    for (size_t c = 0; c < COUNT(counts); c++)
        for (size_t p = 0; p < COUNT(pointwise); p++)
            check_pointwise(&pointwise[p], &random, counts[c]);
}

/* Rows count by their weight, and not at all with 0, whatever is in them. */
static void rows_have_weights(void **state)
{
    (void)state;
    enum { ROWS = 37, COLUMNS = 3, NUMBERS = ROWS * COLUMNS };
    struct random random = {8};
    float *y = random_floats(&random, NUMBERS, -2, 2), *t = random_floats(&random, NUMBERS, 0, 1);
    float *weights = random_floats(&random, ROWS, 0.5f, 2), *got = floats(NUMBERS), loss;
    for (int r = 0; r < ROWS; r += 4) {
        weights[r] = 0;
        y[r * COLUMNS] = NAN;
    }
    const double counted = COLUMNS * (double)(ROWS - (ROWS + 3) / 4);
    for (size_t p = 0; p < COUNT(pointwise); p++) {
        double d[NUMBERS] = {0}, expected = 0;
        for (int i = 0; i < NUMBERS; i++) {
            const double weight = (double)weights[i / COLUMNS] / counted;
            if (weight > 0)
                expected += weight * pointwise[p].term((double)y[i], (double)t[i], &d[i]);
            d[i] *= weight;
        }
        assert_ok(mlstm_weighted_loss((int32_t)p, y, t, weights, ROWS, COLUMNS, 0.75f, got, &loss));
        assert_near(pointwise[p].name, &loss, &expected, 1, 1e-6 * (1 + expected));
        assert_near(pointwise[p].name, got, d, NUMBERS, 1e-8);
        assert_ok(mlstm_weighted_loss((int32_t)p, y, t, weights, 1, COLUMNS, 0.75f, got, &loss));
        assert_true(loss == 0 && got[0] == 0 && got[COLUMNS - 1] == 0);
        assert_ok(mlstm_weighted_loss((int32_t)p, y, t, weights, ROWS, COLUMNS, 0.75f, NULL, NULL));
    }
    test_free(y);
    test_free(t);
    test_free(weights);
    test_free(got);
}

static void sigmoid_of_extreme_logits(void **state)
{
    (void)state;
    static const struct {
        float logit, target;
        double loss, slope;
    } rows[] = {
        {3e38f, 1, 0, 0},
        {3e38f, 0, (double)3e38f, 1},
        {-3e38f, 0, 0, 0},
        {-3e38f, 1, (double)3e38f, -1},
        {-40, 0, 4.248354255e-18, 4.248354255e-18},
        {40, 1, 4.248354255e-18, -4.248354255e-18},
        {0, 0.5f, 0.6931471806, 0},
        {1000, 0.25f, 750, 0.75},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        float d, loss;
        assert_ok(mlstm_sigmoid_cross_entropy(&rows[i].logit, &rows[i].target, 1, &d, &loss));
        assert_near("loss", &loss, &rows[i].loss, 1, 1e-6 * rows[i].loss);
        assert_near("dlogits", &d, &rows[i].slope, 1, 1e-16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_logits),
        cmocka_unit_test(extreme_logits),
        cmocka_unit_test(a_row_beyond_float32),
        cmocka_unit_test(outputs_are_optional),
        cmocka_unit_test(nan_passes_through),
        cmocka_unit_test(softmax_of_what_is_not_finite),
        cmocka_unit_test(weighted),
        cmocka_unit_test(nothing_counts),
        cmocka_unit_test(what_does_not_count_is_not_read),
        cmocka_unit_test(weighted_as_plain),
        cmocka_unit_test(means),
        cmocka_unit_test(rows_have_weights),
        cmocka_unit_test(sigmoid_of_extreme_logits),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
