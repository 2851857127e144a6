/* SPDX-License-Identifier: MIT */
#include "support.h"

static void a_new_cell(void **state)
{
    (void)state;
    mlstm_cell *cell;
    assert_ok(mlstm_cell_create(3, 5, &cell));
    assert_int_equal(mlstm_cell_input_size(cell), 3);
    assert_int_equal(mlstm_cell_hidden_size(cell), 5);
    assert_true(mlstm_cell_forget_bias(cell) == 1.0f);
    mlstm_cell_destroy(cell);
}

static void forget_bias_is_kept(void **state)
{
    (void)state;
    static const float biases[] = {0, -0.5f, 2.5f, 1e30f};
    mlstm_cell *cell;
    assert_ok(mlstm_cell_create(1, 1, &cell));
    for (size_t i = 0; i < COUNT(biases); i++) {
        assert_ok(mlstm_cell_set_forget_bias(cell, biases[i]));
        assert_true(mlstm_cell_forget_bias(cell) == biases[i]);
    }
    mlstm_cell_destroy(cell);
}

static void null_is_answered(void **state)
{
    (void)state;
    mlstm_cell_destroy(NULL);
    assert_int_equal(mlstm_cell_input_size(NULL), 0);
    assert_int_equal(mlstm_cell_hidden_size(NULL), 0);
    assert_true(mlstm_cell_forget_bias(NULL) == 0.0f);
}

static void an_owned_cell_is_left_alone(void **state)
{
    (void)state;
    mlstm_cell *cell;
    mlstm_stack *stack;
    assert_ok(mlstm_cell_create(3, 5, &cell));
    assert_ok(mlstm_stack_create(&cell, 1, &stack));
    mlstm_cell_destroy(cell);
    assert_status(mlstm_cell_set_forget_bias(cell, 0), MLSTM_ERROR_OWNED);
    assert_true(mlstm_cell_forget_bias(cell) == 1.0f);
    assert_int_equal(mlstm_cell_hidden_size(mlstm_stack_cell(stack, 0)), 5);
    mlstm_stack_destroy(stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_cell),
        cmocka_unit_test(forget_bias_is_kept),
        cmocka_unit_test(null_is_answered),
        cmocka_unit_test(an_owned_cell_is_left_alone),
    };
    return cmocka_run_group_tests_name("cell", tests, NULL, NULL);
}
