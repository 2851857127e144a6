/* SPDX-License-Identifier: MIT */
#include "variants.h"

#include <math.h>
#include <string.h>

/* What the options of cells promise, each alone and all together. */

static int is_one_way(const struct shape *s)
{
    return !is_bidirectional(s);
}

/*
 * The backward half of a pass whose forward half is done, and the whole against what it should be.
 */
static void finish(struct subject *p, struct results *out)
{
    const struct model *m = p->m;
    const size_t size = state_numbers(&p->s);
    assert_ok(mlstm_state_get_top(m->state, out->c_top, out->h_top));
    assert_ok(mlstm_state_get(m->state, out->final_state, size));
    assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, size));
    assert_ok(mlstm_grads_zero(m->grads));
    assert_ok(mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, out->dx, m->grads));
    assert_ok(mlstm_state_get_initial_grad(m->state, out->dinitial_state, size));
    get_grads(m->stack, m->grads, out->dparams);
    assert_same_results(&p->s, out, p->whole);
}

/* Forward `part` steps a call. */
static void forward_in_parts(const struct model *m, mlstm_state *state, int32_t part, int windows,
                             float *y)
{
    const struct shape *s = &m->shape;
    for (int32_t t = 0; t < s->steps; t += part) {
        const int32_t steps = part < s->steps - t ? part : s->steps - t;
        const float *x = m->x + t * s->batch * s->sizes[0];
        if (windows)
            assert_ok(mlstm_state_begin_window(state));
        if (part == 1)
            assert_ok(mlstm_step_forward(m->stack, state, x, y + t * s->batch * output_size(s)));
        else
            assert_ok(mlstm_forward(m->stack, state, x, steps, y + t * s->batch * output_size(s)));
    }
}

static void steps_and_parts_are_the_window(struct subject *p)
{
    for (int32_t part = 1; part <= 4; part++) {
        begin_model(p->m, p->m->state);
        forward_in_parts(p->m, p->m->state, part, 0, p->other->y);
        finish(p, p->other);
    }
}

static void check_forward(struct subject *p, mlstm_state *state)
{
    assert_ok(mlstm_state_get(state, p->other->final_state, state_numbers(&p->s)));
    assert_same_bits("y", p->other->y, p->whole->y, y_numbers(&p->s));
    assert_same_bits("final state", p->other->final_state, p->whole->final_state,
                     state_numbers(&p->s));
}

/* Masks go on from window to window, and inference has the numbers of training. */
static void windows_and_inference_are_the_window(struct subject *p)
{
    mlstm_state *inference;
    assert_ok(mlstm_state_create(p->m->stack, p->s.batch, 0, &inference));
    for (int32_t part = 1; part <= 3; part++) {
        begin_model(p->m, p->m->state);
        forward_in_parts(p->m, p->m->state, part, 1, p->other->y);
        check_forward(p, p->m->state);
        begin_model(p->m, inference);
        forward_in_parts(p->m, inference, part, 0, p->other->y);
        check_forward(p, inference);
    }
    mlstm_state_destroy(inference);
}

static void threads_agree(struct subject *p)
{
    for (int32_t threads = MOST_THREADS; threads >= 1; threads--)
        for (int rows = 0; rows < 2; rows++) {
            share_passes(p->m->state, rows ? BY_ROWS : BY_PANELS);
            assert_ok(mlstm_state_set_threads(p->m->state, threads));
            run_model(p->m, p->m->state, p->m->grads, p->other);
            assert_shared(p->m->state);
            assert_same_results(&p->s, p->other, p->whole);
        }
}

/* Read by name and written into another stack, parameters are the whole model. */
static void parameters_are_the_model(struct subject *p)
{
    struct model *copy = new_model(&p->s, 99);
    const size_t count = param_numbers(&p->s);
    float *params = floats(count);
    get_params(p->m->stack, params);
    assert_same_bits("parameters", params, p->m->params, count);
    set_params(copy->stack, params);
    struct model m = *p->m;
    m.stack = copy->stack;
    run_model(&m, copy->state, copy->grads, p->other);
    assert_same_results(&p->s, p->other, p->whole);
    test_free(params);
    free_model(copy);
}

/* One update by all gradients at once changes what has a name, and nothing else. */
static void updates_reach_the_parameters_alone(struct subject *p)
{
    const size_t count = param_numbers(&p->s);
    struct model *copy = new_model(&p->s, 99);
    float *params = floats(count), norm;
    double sum = 0;
    mlstm_optimizer *sgd;
    run_model(p->m, p->m->state, p->m->grads, p->other);
    for (size_t i = 0; i < count; i++)
        sum += (double)p->other->dparams[i] * (double)p->other->dparams[i];
    assert_ok(mlstm_grads_norm(p->m->grads, &norm));
    assert_true(fabs((double)norm - sqrt(sum)) <= 1e-5 * sqrt(sum));

    assert_ok(mlstm_sgd_create(p->m->stack, 0.01f, 0, 0, &sgd));
    assert_ok(mlstm_apply_grads(sgd, p->m->stack, p->m->grads));
    get_params(p->m->stack, params);
    set_params(copy->stack, params);
    struct model m = *p->m;
    m.stack = copy->stack;
    run_model(p->m, p->m->state, p->m->grads, p->whole);
    run_model(&m, copy->state, copy->grads, p->other);
    assert_same_results(&p->s, p->other, p->whole);
    mlstm_optimizer_destroy(sgd);
    test_free(params);
    free_model(copy);
}

static void a_record_can_be_walked_again(struct subject *p)
{
    memcpy(p->other->y, p->whole->y, y_numbers(&p->s) * sizeof(float));
    for (int repeat = 0; repeat < 2; repeat++)
        finish(p, p->other);
}

/* NaN and infinities go where arithmetic takes them, and are gone with the next window. */
static void nan_leaves_no_trace(struct subject *p)
{
    float *const numbers[] = {p->m->x, p->m->initial_state, p->m->dh_top, p->m->dfinal_state};
    for (size_t i = 0; i < 2 * COUNT(numbers); i++) {
        float *const number = numbers[i / 2], kept = *number;
        *number = i % 2 ? INFINITY : NAN;
        run_model(p->m, p->m->state, p->m->grads, p->other);
        *number = kept;
        run_model(p->m, p->m->state, p->m->grads, p->other);
        assert_same_results(&p->s, p->other, p->whole);
    }
}

static void check_rows(const char *what, const float *got, const float *expected, int32_t blocks,
                       int32_t batch, int32_t width, int32_t changed)
{
    for (int32_t i = 0; i < blocks * batch; i++)
        if (i % batch != changed)
            assert_same_bits(what, got + i * width, expected + i * width, (size_t)width);
}

/* Another input and gradient in one row, NaN too, leaves every other row as it is. */
static void rows_are_independent(struct subject *p)
{
    const struct shape *s = &p->s;
    const int32_t row = s->batch / 2, inputs = s->sizes[0];
    for (int32_t t = 0; t < s->steps; t++) {
        for (int32_t k = 0; k < inputs; k++)
            p->m->x[(t * s->batch + row) * inputs + k] = t == 3 ? NAN : 0.5f;
        p->m->dh_top[(t * s->batch + row) * top_size(s)] += 0.5f;
    }
    run_model(p->m, p->m->state, p->m->grads, p->other);
    check_rows("y", p->other->y, p->whole->y, s->steps, s->batch, output_size(s), row);
    check_rows("h", p->other->h_top, p->whole->h_top, s->steps, s->batch, top_size(s), row);
    check_rows("c", p->other->c_top, p->whole->c_top, s->steps, s->batch, top_cells(s), row);
    check_rows("dx", p->other->dx, p->whole->dx, s->steps, s->batch, inputs, row);
    assert_memory_not_equal(p->other->y, p->whole->y, y_numbers(s) * sizeof(float));
}

/* Layers with every option set, to what changes nothing. */
static mlstm_stack *new_neutral_stack(const struct shape *s)
{
    mlstm_cell *cells[MAX_LAYERS];
    mlstm_stack *stack;
    for (int32_t l = 0; l < s->layers; l++) {
        mlstm_cell *cell;
        assert_ok(mlstm_cell_create(s->sizes[l], s->sizes[l + 1], &cell));
        assert_ok(mlstm_cell_set_forget_bias(cell, layer_forget_bias(s, l)));
        assert_ok(mlstm_cell_set_biases(cell, 1));
        assert_ok(mlstm_cell_set_peepholes(cell, 0));
        assert_ok(mlstm_cell_set_projection(cell, 0));
        assert_ok(mlstm_cell_set_projection_clip(cell, 0));
        assert_ok(mlstm_cell_set_cell_clip(cell, 0));
        assert_ok(mlstm_cell_set_coupled(cell, 0));
        assert_ok(mlstm_cell_set_norm(cell, MLSTM_NORM_NONE, 1e-5f));
        assert_ok(mlstm_cell_set_zoneout(cell, 0, 0));
        assert_ok(mlstm_cell_set_dropout(cell, 0, MLSTM_MASK_SEQUENCE));
        assert_ok(
            mlstm_cell_set_recurrent_dropout(cell, 0, MLSTM_DROP_CANDIDATE, MLSTM_MASK_SEQUENCE));
        assert_ok(mlstm_cell_set_skip(cell, MLSTM_SKIP_NONE));
        assert_ok(mlstm_cell_set_bidirectional(cell, MLSTM_MERGE_NONE));
        assert_ok(mlstm_cell_set_learned_state(cell, 0));
        cells[l] = cell;
    }
    assert_ok(mlstm_stack_create(cells, s->layers, &stack));
    if (s->sources)
        assert_ok(mlstm_stack_set_readout(stack, s->outputs, s->sources));
    return stack;
}

static void neutral_options_are_the_plain_cell(void **state)
{
    (void)state;
    int32_t no_end[MOST_ROWS];
    for (size_t row = 0; row < MOST_ROWS; row++)
        no_end[row] = 9;
    for (int32_t size = 0; size < SIZES; size++) {
        struct shape s = variant_shape(&variants[0], size, 9);
        s.training = 0;
        struct model *plain = new_model(&s, 1), neutral = *plain;
        struct results *expected = new_results(&s), *got = new_results(&s);
        run_model(plain, plain->state, plain->grads, expected);
        neutral.shape.training = 1;
        neutral.shape.lengths = no_end;
        neutral.stack = new_neutral_stack(&s);
        set_params(neutral.stack, plain->params);
        assert_ok(mlstm_state_create(neutral.stack, s.batch, s.steps, &neutral.state));
        assert_ok(mlstm_grads_create(neutral.stack, &neutral.grads));
        run_model(&neutral, neutral.state, neutral.grads, got);
        assert_same_results(&s, got, expected);
        mlstm_grads_destroy(neutral.grads);
        mlstm_state_destroy(neutral.state);
        mlstm_stack_destroy(neutral.stack);
        free_results(expected);
        free_results(got);
        free_model(plain);
    }
}

/* A stack is its layers, each a stack of its own, one on the other. */
static void a_stack_is_its_layers(struct subject *p)
{
    struct model *const m = p->m;
    const struct shape *s = &p->s;
    m->shape.training = 0; /* masks know their layer */
    run_model(m, m->state, m->grads, p->whole);
    struct model *layers[MAX_LAYERS];
    struct results *results[MAX_LAYERS];
    const float *params = m->params, *initial = m->initial_state, *dfinal = m->dfinal_state;
    for (int32_t l = 0; l < s->layers; l++) {
        struct shape one = m->shape;
        const int top = l == s->layers - 1;
        one.layers = 1;
        one.options[0] = s->options[l];
        one.sizes[0] = layer_input(s, l);
        one.sizes[1] = layer_hidden(s, l);
        one.forget_bias = layer_forget_bias(s, l);
        one.sources = top ? s->sources : 0;
        layers[l] = new_model(&one, 0);
        results[l] = new_results(&one);
        set_params(layers[l]->stack, params);
        memcpy(layers[l]->initial_state, initial, state_numbers(&one) * sizeof(float));
        memcpy(layers[l]->dfinal_state, dfinal, state_numbers(&one) * sizeof(float));
        memcpy(layers[l]->x, l ? results[l - 1]->y : m->x, x_numbers(&one) * sizeof(float));
        memset(layers[l]->dh_top, 0, top_numbers(&one) * sizeof(float));
        memset(layers[l]->dc_top, 0, top_c_numbers(&one) * sizeof(float));
        params += param_numbers(&one);
        initial += state_numbers(&one);
        dfinal += state_numbers(&one);
        run_model(layers[l], layers[l]->state, layers[l]->grads, results[l]);
    }
    check_near_floats("y", p->whole->y, results[s->layers - 1]->y, y_numbers(s));
    params = p->whole->dparams + param_numbers(s);
    initial = p->whole->dinitial_state + state_numbers(s);
    for (int32_t l = s->layers - 1; l >= 0; l--) {
        const struct shape *one = &layers[l]->shape;
        const int top = l == s->layers - 1;
        memcpy(layers[l]->dy, top ? m->dy : results[l + 1]->dx, y_numbers(one) * sizeof(float));
        if (top) {
            memcpy(layers[l]->dh_top, m->dh_top, top_numbers(one) * sizeof(float));
            memcpy(layers[l]->dc_top, m->dc_top, top_c_numbers(one) * sizeof(float));
        }
        run_model(layers[l], layers[l]->state, layers[l]->grads, results[l]);
        params -= param_numbers(one);
        initial -= state_numbers(one);
        check_near_floats("dparams", params, results[l]->dparams, param_numbers(one));
        check_near_floats("dinitial state", initial, results[l]->dinitial_state,
                          state_numbers(one));
    }
    check_near_floats("dx", p->whole->dx, results[0]->dx, x_numbers(s));
    for (int32_t l = 0; l < s->layers; l++) {
        free_results(results[l]);
        free_model(layers[l]);
    }
}

/* What a stack with every option calls its parameters, and where mlstm_stack_init begins. */
struct named {
    const char *name;
    int32_t rank, rows, columns;
    float first; /* 2 for a random number */
};

enum { I = 6, H = 5, P = 3, D = 2 * P, C = 2 * H, O = 2 };

static void check_names(int32_t norm, const struct named *named, size_t count)
{
    struct shape s = {1, 1, 1, {I, H}, O, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};
    s.options[0] = (struct layer_options){.more_biases = 1,
                                          .peepholes = 1,
                                          .projection = P,
                                          .norm = norm,
                                          .epsilon = 1e-5f,
                                          .skip = MLSTM_SKIP_HIGHWAY,
                                          .merge = MLSTM_MERGE_CONCAT,
                                          .learned = 1};
    mlstm_stack *stack = new_stack(&s);
    assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, 1));
    assert_int_equal(mlstm_stack_param_count(stack), count);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        int32_t rank, dims[2];
        float values[400];
        assert_ok(mlstm_stack_param_info(stack, (int32_t)i, &name, &rank, dims));
        assert_string_equal(name, named[i].name);
        assert_int_equal(rank, named[i].rank);
        assert_int_equal(dims[0], named[i].rows);
        assert_int_equal(dims[1], named[i].columns);
        const size_t numbers = (size_t)(dims[0] * dims[1]);
        assert_true(numbers <= COUNT(values));
        assert_ok(mlstm_stack_get_param(stack, name, values, numbers));
        for (size_t k = 0; k < numbers; k++)
            assert_true(named[i].first > 1 ? values[k] != 0 : values[k] == named[i].first);
    }
    mlstm_stack_destroy(stack);
}

#define DIRECTION(before, ...)                                                                     \
    {before "kernel", 2, I + P, 4 * H, 2}, {before "bias", 1, 4 * H, 1, 0},                        \
        {before "bias_h", 1, 4 * H, 1, 0}, {before "peephole_i", 1, H, 1, 0},                      \
        {before "peephole_f", 1, H, 1, 0}, {before "peephole_o", 1, H, 1, 0}, __VA_ARGS__,         \
        {before "norm_c_gain", 1, H, 1, 1}, {before "norm_c_shift", 1, H, 1, 0},                   \
        {before "projection", 2, H, P, 2}, {before "initial_c", 1, H, 1, 0},                       \
    {                                                                                              \
        before "initial_h", 1, P, 1, 0                                                             \
    }
#define PRODUCTS(before)                                                                           \
    {before "norm_x_gain", 1, 4 * H, 1, 1},                                                        \
    {                                                                                              \
        before "norm_h_gain", 1, 4 * H, 1, 1                                                       \
    }
#define GATES(before)                                                                              \
    {                                                                                              \
        before "norm_gain", 1, 4 * H, 1, 1                                                         \
    }
#define REST                                                                                       \
    {"layer0.highway_kernel", 2, I, D, 2}, {"layer0.highway_bias", 1, D, 1, 1},                    \
        {"readout.kernel_c", 2, C, O, 2}, {"readout.kernel_h", 2, D, O, 2},                        \
    {                                                                                              \
        "readout.bias", 1, O, 1, 0                                                                 \
    }

static void parameters_have_names(void **state)
{
    (void)state;
    static const struct named gates[] = {DIRECTION("layer0.", GATES("layer0.")),
                                         DIRECTION("layer0.reverse.", GATES("layer0.reverse.")),
                                         REST};
    static const struct named products[] = {
        DIRECTION("layer0.", PRODUCTS("layer0.")),
        DIRECTION("layer0.reverse.", PRODUCTS("layer0.reverse.")), REST};
    check_names(MLSTM_NORM_GATES, gates, COUNT(gates));
    check_names(MLSTM_NORM_PRODUCTS, products, COUNT(products));
}

int main(void)
{
    /* The first is the one with threads. */
    static const struct property properties[] = {
        {"threads agree", threads_agree, NULL},
        {"steps and parts are the window", steps_and_parts_are_the_window, is_one_way},
        {"windows and inference", windows_and_inference_are_the_window, is_one_way},
        {"parameters are the model", parameters_are_the_model, NULL},
        {"updates reach the parameters alone", updates_reach_the_parameters_alone, NULL},
        {"a record can be walked again", a_record_can_be_walked_again, NULL},
        {"NaN leaves no trace", nan_leaves_no_trace, NULL},
        {"rows are independent", rows_are_independent, NULL},
        {"a stack is its layers", a_stack_is_its_layers, NULL},
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(neutral_options_are_the_plain_cell),
        cmocka_unit_test(parameters_have_names),
    };
    return run_properties("options", properties, THREAD_SANITIZER ? 1 : COUNT(properties), others,
                          COUNT(others));
}
