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

static void options_are_kept(void **state)
{
    (void)state;
    mlstm_cell *cell;
    float a = 0, b = 0;
    int32_t what = 0, mask = 0;
    assert_ok(mlstm_cell_create(3, 5, &cell));
    assert_int_equal(mlstm_cell_biases(cell), 1);
    assert_ok(mlstm_cell_set_biases(cell, 2));
    assert_int_equal(mlstm_cell_biases(cell), 2);
    assert_ok(mlstm_cell_set_peepholes(cell, 1));
    assert_int_equal(mlstm_cell_peepholes(cell), 1);
    assert_ok(mlstm_cell_set_projection_clip(cell, 0.5f));
    assert_true(mlstm_cell_projection_clip(cell) == 0.5f);
    assert_ok(mlstm_cell_set_cell_clip(cell, 0.75f));
    assert_true(mlstm_cell_cell_clip(cell) == 0.75f);
    assert_ok(mlstm_cell_set_coupled(cell, 1));
    assert_int_equal(mlstm_cell_coupled(cell), 1);
    assert_ok(mlstm_cell_set_norm(cell, MLSTM_NORM_PRODUCTS, 1e-12f));
    assert_int_equal(mlstm_cell_norm(cell, NULL), MLSTM_NORM_PRODUCTS);
    assert_int_equal(mlstm_cell_norm(cell, &a), MLSTM_NORM_PRODUCTS);
    assert_true(a == 1e-12f);
    assert_ok(mlstm_cell_set_zoneout(cell, 0.25f, 0.125f));
    assert_ok(mlstm_cell_zoneout(cell, &a, NULL));
    assert_ok(mlstm_cell_zoneout(cell, NULL, &b));
    assert_true(a == 0.25f && b == 0.125f);
    assert_ok(mlstm_cell_set_dropout(cell, 0.5f, MLSTM_MASK_SEQUENCE));
    assert_true(mlstm_cell_dropout(cell, NULL) == 0.5f && mlstm_cell_dropout(cell, &mask) == 0.5f);
    assert_int_equal(mask, MLSTM_MASK_SEQUENCE);
    mask = 0;
    assert_ok(
        mlstm_cell_set_recurrent_dropout(cell, 0.75f, MLSTM_DROP_CANDIDATE, MLSTM_MASK_SEQUENCE));
    assert_true(mlstm_cell_recurrent_dropout(cell, NULL, NULL) == 0.75f);
    assert_true(mlstm_cell_recurrent_dropout(cell, &what, &mask) == 0.75f);
    assert_int_equal(what, MLSTM_DROP_CANDIDATE);
    assert_int_equal(mask, MLSTM_MASK_SEQUENCE);
    assert_ok(mlstm_cell_set_skip(cell, MLSTM_SKIP_HIGHWAY));
    assert_int_equal(mlstm_cell_skip(cell), MLSTM_SKIP_HIGHWAY);
    assert_ok(mlstm_cell_set_learned_state(cell, 1));
    assert_int_equal(mlstm_cell_learned_state(cell), 1);
    mlstm_cell_destroy(cell);
}

static void the_output_has_a_size(void **state)
{
    (void)state;
    mlstm_cell *cell;
    assert_ok(mlstm_cell_create(3, 5, &cell));
    assert_int_equal(mlstm_cell_output_size(cell), 5);
    assert_int_equal(mlstm_cell_output_c_size(cell), 5);
    assert_ok(mlstm_cell_set_bidirectional(cell, MLSTM_MERGE_CONCAT));
    assert_int_equal(mlstm_cell_bidirectional(cell), MLSTM_MERGE_CONCAT);
    assert_int_equal(mlstm_cell_output_size(cell), 10);
    assert_int_equal(mlstm_cell_output_c_size(cell), 10);
    assert_ok(mlstm_cell_set_projection(cell, 4));
    assert_int_equal(mlstm_cell_projection(cell), 4);
    assert_int_equal(mlstm_cell_output_size(cell), 8);
    assert_int_equal(mlstm_cell_output_c_size(cell), 10);
    assert_int_equal(mlstm_cell_recurrent_size(cell), 4);
    assert_ok(mlstm_cell_set_bidirectional(cell, MLSTM_MERGE_SUM));
    assert_int_equal(mlstm_cell_output_size(cell), 4);
    assert_int_equal(mlstm_cell_output_c_size(cell), 5);
    assert_ok(mlstm_cell_set_projection(cell, 0));
    assert_int_equal(mlstm_cell_output_size(cell), 5);
    assert_int_equal(mlstm_cell_output_c_size(cell), 5);
    assert_int_equal(mlstm_cell_hidden_size(cell), 5);
    assert_int_equal(mlstm_cell_recurrent_size(cell), 5);
    mlstm_cell_destroy(cell);
}

static void null_is_answered(void **state)
{
    (void)state;
    mlstm_cell_destroy(NULL);
    assert_int_equal(mlstm_cell_input_size(NULL), 0);
    assert_int_equal(mlstm_cell_hidden_size(NULL), 0);
    assert_true(mlstm_cell_forget_bias(NULL) == 0.0f);
    static int32_t (*const choices[])(const mlstm_cell *) = {
        mlstm_cell_recurrent_size, mlstm_cell_output_size, mlstm_cell_output_c_size,
        mlstm_cell_biases,         mlstm_cell_peepholes,   mlstm_cell_projection,
        mlstm_cell_coupled,        mlstm_cell_skip,        mlstm_cell_bidirectional,
        mlstm_cell_learned_state};
    for (size_t i = 0; i < COUNT(choices); i++)
        assert_int_equal(choices[i](NULL), 0);
    float epsilon = 1;
    int32_t what = 3, mask = 4;
    assert_true(mlstm_cell_projection_clip(NULL) == 0.0f);
    assert_true(mlstm_cell_cell_clip(NULL) == 0.0f);
    assert_int_equal(mlstm_cell_norm(NULL, &epsilon), 0);
    assert_true(mlstm_cell_dropout(NULL, &mask) == 0.0f);
    assert_true(mlstm_cell_recurrent_dropout(NULL, &what, &mask) == 0.0f);
    assert_true(epsilon == 1 && what == 3 && mask == 4);
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
        cmocka_unit_test(a_new_cell),       cmocka_unit_test(forget_bias_is_kept),
        cmocka_unit_test(options_are_kept), cmocka_unit_test(the_output_has_a_size),
        cmocka_unit_test(null_is_answered), cmocka_unit_test(an_owned_cell_is_left_alone),
    };
    return cmocka_run_group_tests_name("cell", tests, NULL, NULL);
}
