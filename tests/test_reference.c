/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>
#include <stdbool.h>

#include "combinations.h"

/* The reference, to which the library is held, is itself held to the slopes of its loss. */

static void random_doubles(struct random *random, double *values, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++)
        values[i] = scale * (double)random_between(random, -1, 1);
}

static struct reference *random_reference(const struct shape *s, struct random *random)
{
    struct reference *r = reference_create(s);
    random_doubles(random, r->params, param_numbers(s), 1 / sqrt(top_size(s)));
    random_doubles(random, r->x, x_numbers(s), 1);
    random_doubles(random, r->initial_state, state_numbers(s), 1);
    random_doubles(random, r->dy, y_numbers(s), 1);
    random_doubles(random, r->dh_top, top_numbers(s), 1);
    random_doubles(random, r->dc_top, top_c_numbers(s), 1);
    random_doubles(random, r->dfinal_state, state_numbers(s), 1);
    return r;
}

/* The loss where `values` are so many steps further along a direction. */
static double loss_along(struct reference *r, double *values, const double *direction, size_t count,
                         double steps)
{
    for (size_t i = 0; i < count; i++)
        values[i] += steps * direction[i];
    reference_forward(r);
    for (size_t i = 0; i < count; i++)
        values[i] -= steps * direction[i];
    return reference_loss(r);
}

/* False where a number is clipped on one side alone, so that there is no slope. */
static bool check_slope(struct reference *r, double *values, const double *gradients,
                        const double *direction, size_t count)
{
    const double step = 1e-6;
    const double above = loss_along(r, values, direction, count, step);
    const size_t clipped = r->clipped;
    const double below = loss_along(r, values, direction, count, -step);
    const double slope = (above - below) / (2 * step);
    double expected = 0;
    for (size_t i = 0; i < count; i++)
        expected += gradients[i] * direction[i];
    if (clipped != r->clipped)
        return false;
    if (!(fabs(expected - slope) <= 1e-6 * (1 + fabs(slope)))) {
        print_about();
        fail_msg("the gradient of %zu numbers says %.12g, the slope is %.12g", count, expected,
                 slope);
    }
    return true;
}

/* All numbers at once, which leaves none out, and single ones. */
static void check_slopes(struct reference *r, struct random *random, double *values,
                         const double *gradients, size_t count, int tries)
{
    double *direction = test_calloc(count, sizeof *direction);
    int checked = 0;
    for (int i = 0; i < 4; i++) {
        random_doubles(random, direction, count, 1);
        checked += check_slope(r, values, gradients, direction, count);
    }
    assert_int_not_equal(checked, 0);
    for (int i = 0; i < tries; i++) {
        const size_t at = (size_t)random_integer(random, 0, (int32_t)count - 1);
        random_doubles(random, direction, count, 0);
        direction[at] = 1;
        check_slope(r, values, gradients, direction, count);
    }
    test_free(direction);
}

static void check(const struct combination *c)
{
    const struct shape *s = &c->shape;
    struct random random = {c->seed};
    struct reference *r = random_reference(s, &random);
    about(c->name);
    reference_forward(r);
    reference_backward(r);
    check_slopes(r, &random, r->params, r->dparams, param_numbers(s), 20);
    check_slopes(r, &random, r->x, r->dx, x_numbers(s), 4);
    if (!s->begins)
        check_slopes(r, &random, r->initial_state, r->dinitial_state, state_numbers(s), 4);
    about("");
    reference_destroy(r);
}

static void plain(void **state)
{
    (void)state;
    struct random random = {11};
    for (int32_t i = 0; i < 60; i++) {
        const struct combination c = {random_shape(&random, 9, i % 4), .seed = (uint64_t)i};
        check(&c);
    }
}

static void every_option(void **state)
{
    (void)state;
    for_each_option(check);
}

static void every_pair(void **state)
{
    (void)state;
    for_each_pair(check);
}

static void combinations(void **state)
{
    (void)state;
    for_each_combination(200, 9, check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(every_option),
        cmocka_unit_test(every_pair),
        cmocka_unit_test(combinations),
    };
    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
