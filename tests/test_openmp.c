/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <omp.h>

/* Inside a parallel region, states with threads of their own give the bits that they give alone. */
enum { REGION = 4, STATES = 48 };

/* A window and its gradients on a state of so many threads; 0 where a call failed. */
static int run(const struct model *m, int32_t threads, float *y, float *dx)
{
    const struct shape *s = &m->shape;
    mlstm_state *state = NULL;
    const int ok =
        mlstm_state_create(m->stack, s->batch, s->steps, &state) == MLSTM_OK &&
        mlstm_state_set_threads(state, threads) == MLSTM_OK &&
        mlstm_state_set(state, m->initial_state, state_numbers(s)) == MLSTM_OK &&
        mlstm_forward(m->stack, state, m->x, s->steps, y) == MLSTM_OK &&
        mlstm_backward(m->stack, state, m->dy, NULL, NULL, dx, NULL) == MLSTM_OK;
    mlstm_state_destroy(state);
    return ok;
}

static void states_nest_in_a_region(void **state)
{
    (void)state;
    /* Enough work for helpers to be woken, by rows and by panels. */
    static const struct shape shapes[] = {
        {16, 8, 2, {24, 96, 64}, 5, MLSTM_READOUT_H, 1},
        {2, 8, 1, {64, 320}, 0, 0, 1},
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        struct model *m = new_model(s, i);
        const size_t y_count = y_numbers(s), x_count = x_numbers(s);
        float *y = floats(y_count * (STATES + 1)), *dx = floats(x_count * (STATES + 1));
        assert_true(run(m, 1, y + y_count * STATES, dx + x_count * STATES));
        int failed = 0, most = 0;
#pragma omp parallel for num_threads(REGION) reduction(+ : failed) reduction(max : most)
        for (int n = 0; n < STATES; n++) {
            failed += !run(m, 1 + n % 3, y + y_count * (size_t)n, dx + x_count * (size_t)n);
            most = omp_get_num_threads();
        }
        assert_int_equal(failed, 0);
        assert_int_equal(most, REGION);
        for (size_t n = 0; n < STATES; n++) {
            assert_same_bits("y", y + y_count * n, y + y_count * STATES, y_count);
            assert_same_bits("dx", dx + x_count * n, dx + x_count * STATES, x_count);
        }
        test_free(y);
        test_free(dx);
        free_model(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_nest_in_a_region),
    };
    return cmocka_run_group_tests_name("openmp", tests, NULL, NULL);
}
