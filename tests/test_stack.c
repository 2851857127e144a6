/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <string.h>

static const struct shape both = {1, 1, 3, {3, 5, 7, 2}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};

static void sizes_are_answered(void **state)
{
    (void)state;
    struct shape bare = both;
    bare.sources = 0;
    mlstm_stack *stack = new_stack(&bare);
    assert_int_equal(mlstm_stack_layer_count(stack), 3);
    assert_int_equal(mlstm_stack_input_size(stack), 3);
    assert_int_equal(mlstm_stack_readout(stack), 0);
    assert_int_equal(mlstm_stack_output_size(stack), 2);
    assert_int_equal(mlstm_stack_param_count(stack), 6);
    assert_ok(mlstm_stack_set_readout(stack, 4, MLSTM_READOUT_H));
    assert_int_equal(mlstm_stack_readout(stack), MLSTM_READOUT_H);
    assert_int_equal(mlstm_stack_output_size(stack), 4);
    assert_int_equal(mlstm_stack_param_count(stack), 8);
    for (int32_t l = 0; l < 3; l++) {
        assert_int_equal(mlstm_cell_input_size(mlstm_stack_cell(stack, l)), both.sizes[l]);
        assert_int_equal(mlstm_cell_hidden_size(mlstm_stack_cell(stack, l)), both.sizes[l + 1]);
    }
    assert_null(mlstm_stack_cell(stack, -1));
    assert_null(mlstm_stack_cell(stack, 3));
    mlstm_stack_destroy(stack);
}

static void null_is_answered(void **state)
{
    (void)state;
    mlstm_stack_destroy(NULL);
    assert_int_equal(mlstm_stack_readout(NULL), 0);
    assert_int_equal(mlstm_stack_layer_count(NULL), 0);
    assert_int_equal(mlstm_stack_input_size(NULL), 0);
    assert_int_equal(mlstm_stack_output_size(NULL), 0);
    assert_int_equal(mlstm_stack_param_count(NULL), 0);
    assert_null(mlstm_stack_cell(NULL, 0));
}

static void params_are_described(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t rank, shape[2];
    } rows[] = {
        {"layer0.kernel", 2, {8, 20}},   {"layer0.bias", 1, {20, 1}},
        {"layer1.kernel", 2, {12, 28}},  {"layer1.bias", 1, {28, 1}},
        {"layer2.kernel", 2, {9, 8}},    {"layer2.bias", 1, {8, 1}},
        {"readout.kernel_c", 2, {2, 4}}, {"readout.kernel_h", 2, {2, 4}},
        {"readout.bias", 1, {4, 1}},
    };
    mlstm_stack *stack = new_stack(&both);
    assert_int_equal(mlstm_stack_param_count(stack), COUNT(rows));
    for (int32_t i = 0; i < (int32_t)COUNT(rows); i++) {
        const char *name;
        int32_t rank, shape[2];
        assert_ok(mlstm_stack_param_info(stack, i, &name, &rank, shape));
        assert_string_equal(name, rows[i].name);
        assert_int_equal(rank, rows[i].rank);
        assert_memory_equal(shape, rows[i].shape, sizeof shape);
    }
    mlstm_stack_destroy(stack);
}

static void readout_params_follow_the_sources(void **state)
{
    (void)state;
    float values[8];
    for (int32_t sources = 1; sources <= 3; sources++) {
        struct shape shape = both;
        shape.sources = sources;
        mlstm_stack *stack = new_stack(&shape);
        assert_int_equal(mlstm_stack_readout(stack), sources);
        assert_status(mlstm_stack_get_param(stack, "readout.kernel_c", values, 8),
                      sources & MLSTM_READOUT_C ? MLSTM_OK : MLSTM_ERROR_NOT_FOUND);
        assert_status(mlstm_stack_get_param(stack, "readout.kernel_h", values, 8),
                      sources & MLSTM_READOUT_H ? MLSTM_OK : MLSTM_ERROR_NOT_FOUND);
        assert_ok(mlstm_stack_get_param(stack, "readout.bias", values, 4));
        mlstm_stack_destroy(stack);
    }
}

/* Directions side by side or summed, with h narrower than c. */
static void the_readout_is_as_wide_as_what_it_reads(void **state)
{
    (void)state;
    for (int32_t merge = MLSTM_MERGE_NONE; merge <= MLSTM_MERGE_SUM; merge++) {
        mlstm_cell *cell;
        mlstm_stack *stack;
        const char *name;
        int32_t rank, shape[2];
        assert_ok(mlstm_cell_create(3, 5, &cell));
        assert_ok(mlstm_cell_set_projection(cell, 4));
        assert_ok(mlstm_cell_set_bidirectional(cell, merge));
        assert_ok(mlstm_stack_create(&cell, 1, &stack));
        assert_ok(mlstm_stack_set_readout(stack, 2, MLSTM_READOUT_C | MLSTM_READOUT_H));
        const int32_t bias = mlstm_stack_param_count(stack) - 1;
        assert_ok(mlstm_stack_param_info(stack, bias - 2, &name, &rank, shape));
        assert_string_equal(name, "readout.kernel_c");
        assert_int_equal(shape[0], mlstm_cell_output_c_size(mlstm_stack_cell(stack, 0)));
        assert_ok(mlstm_stack_param_info(stack, bias - 1, &name, &rank, shape));
        assert_string_equal(name, "readout.kernel_h");
        assert_int_equal(shape[0], mlstm_cell_output_size(mlstm_stack_cell(stack, 0)));
        mlstm_stack_destroy(stack);
    }
}

/* Every parameter set to numbers of its own comes back to the bit, whatever the sizes. */
static void params_come_back(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {1, 1, 1, {1, 1}, 1, MLSTM_READOUT_C, 1},
        {1, 1, 3, {3, 5, 7, 2}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {1, 1, 2, {17, 33, 64}, 3, MLSTM_READOUT_H, 1},
        {1, 1, 4, {2, 16, 15, 31, 8}, 0, 0, 1},
        {1, 1, 1, {67, 70}, 71, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {1, 1, 1, {5, 531}, 0, 0, 1}, /* its block is so large that it stands in huge pages */
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct random random = {i};
        const size_t count = param_numbers(&shapes[i]);
        mlstm_stack *stack = new_stack(&shapes[i]);
        float *values = random_floats(&random, count, -1, 1), *got = floats(count);
        get_params(stack, got);
        for (size_t k = 0; k < count; k++)
            assert_true(got[k] == 0);
        set_params(stack, values);
        get_params(stack, got);
        assert_same_bits("parameters", got, values, count);
        test_free(values);
        test_free(got);
        mlstm_stack_destroy(stack);
    }
}

static void a_new_readout_keeps_the_layers(void **state)
{
    (void)state;
    struct model *m = new_model(&both, 1);
    struct shape h_only = both;
    h_only.sources = MLSTM_READOUT_H;
    h_only.outputs = 9;
    const size_t layers = param_numbers(&both) - 2 * 2 * 4 - 4, count = param_numbers(&h_only);
    float *got = floats(count);
    assert_ok(mlstm_stack_set_readout(m->stack, 9, MLSTM_READOUT_H));
    get_params(m->stack, got);
    assert_same_bits("layers", got, m->params, layers);
    for (size_t i = layers; i < count; i++)
        assert_true(got[i] == 0);
    test_free(got);
    free_model(m);
}

static void a_new_readout_retires_what_was_made(void **state)
{
    (void)state;
    struct model *m = new_model(&both, 1);
    mlstm_optimizer *optimizer;
    mlstm_grads *grads;
    assert_ok(mlstm_sgd_create(m->stack, 1, 0, 0, &optimizer));
    assert_ok(mlstm_stack_set_readout(m->stack, both.outputs, both.sources));
    assert_ok(mlstm_grads_create(m->stack, &grads));
    assert_status(mlstm_step_forward(m->stack, m->state, m->x, NULL), MLSTM_ERROR_MISMATCH);
    assert_status(mlstm_apply_grads(optimizer, m->stack, grads), MLSTM_ERROR_MISMATCH);
    assert_status(mlstm_grads_add(grads, m->grads), MLSTM_ERROR_MISMATCH);
    mlstm_grads_destroy(grads);
    mlstm_optimizer_destroy(optimizer);
    free_model(m);
}

/* Makes a stack of cells that do not fit, and checks the sentence; the cells stay the caller's. */
static void refuse_cells(mlstm_cell *const *cells, int32_t count, mlstm_status status,
                         const char *first, const char *second)
{
    mlstm_stack *untouched = (mlstm_stack *)&status, *stack = untouched;
    assert_status(mlstm_stack_create(cells, count, &stack), status);
    assert_ptr_equal(stack, untouched);
    if (!strstr(mlstm_last_error(), first) || !strstr(mlstm_last_error(), second))
        fail_msg("\"%s\" is without \"%s\" or \"%s\"", mlstm_last_error(), first, second);
}

static void cells_that_do_not_fit(void **state)
{
    (void)state;
    struct counter counter;
    mlstm_cell *cells[5], *foreign;
    mlstm_stack *stack;
    counter_start(&counter);
    for (size_t i = 0; i < COUNT(cells); i++)
        assert_ok(mlstm_cell_create(6, i == 4 ? 5 : 6, &cells[i]));
    assert_ok(mlstm_cell_create_with_allocator(&counter.allocator, 6, 6, &foreign));

    refuse_cells((mlstm_cell *[]){cells[0], cells[1], cells[2], cells[1]}, 4, MLSTM_ERROR_OWNED,
                 "1", "3");
    refuse_cells((mlstm_cell *[]){cells[0], cells[1], cells[4], cells[2]}, 4, MLSTM_ERROR_MISMATCH,
                 "layer 3 expects input size 5", "got 6");
    refuse_cells((mlstm_cell *[]){cells[0], cells[1], foreign}, 3, MLSTM_ERROR_MISMATCH, "2", "");
    refuse_cells((mlstm_cell *[]){cells[0], cells[1], NULL}, 3, MLSTM_ERROR_INVALID_ARGUMENT, "2",
                 "NULL");
    assert_ok(mlstm_stack_create((mlstm_cell *[]){cells[0], cells[1], cells[2]}, 3, &stack));
    refuse_cells((mlstm_cell *[]){cells[3], cells[2]}, 2, MLSTM_ERROR_OWNED, "1", "");

    for (size_t i = 0; i < COUNT(cells); i++)
        mlstm_cell_destroy(cells[i]); /* of those that the stack took, nothing happens */
    assert_int_equal(mlstm_stack_layer_count(stack), 3);
    mlstm_stack_destroy(stack);
    mlstm_cell_destroy(foreign);
    assert_int_equal(counter.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_answered),
        cmocka_unit_test(null_is_answered),
        cmocka_unit_test(params_are_described),
        cmocka_unit_test(readout_params_follow_the_sources),
        cmocka_unit_test(the_readout_is_as_wide_as_what_it_reads),
        cmocka_unit_test(params_come_back),
        cmocka_unit_test(a_new_readout_keeps_the_layers),
        cmocka_unit_test(a_new_readout_retires_what_was_made),
        cmocka_unit_test(cells_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
