/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_OPTION                                                                               \
    .more_biases = 1, .peepholes = 1, .projection = 3, .projection_clip = 1, .cell_clip = 1,       \
    .coupled = 1, .norm = MLSTM_NORM_PRODUCTS, .epsilon = 1e-5f, .zoneout_c = 0.5f,                \
    .zoneout_h = 0.5f, .dropout = 0.5f, .recurrent_dropout = 0.5f, .skip = MLSTM_SKIP_HIGHWAY,     \
    .learned = 1

static const struct shape plain = {5, 6, 3, {3, 5, 7, 6}, 4, MLSTM_READOUT_C | MLSTM_READOUT_H, 1};
static const struct shape every_option = {
    5, 6,
    3, {3, 5, 7, 6},
    4, MLSTM_READOUT_C | MLSTM_READOUT_H,
    1, {{EVERY_OPTION}, {EVERY_OPTION}, {EVERY_OPTION}},
};
static const struct shape two_directions = {
    5, 6, 1, {6, 5}, 4, MLSTM_READOUT_H, 1, {{EVERY_OPTION, .merge = MLSTM_MERGE_CONCAT}},
};

static struct shape shape; /* the one that the test at hand is about */

/* What creating calls need. */
struct parts {
    struct counter counter;
    mlstm_cell *cells[3];
    mlstm_stack *stack; /* with its state, and a window in it */
    mlstm_state *state;
    float *x, *before, *after;
};

static void params_and_y(const struct parts *p, float *values)
{
    get_params(p->stack, values);
    values += param_numbers(&shape);
    assert_ok(mlstm_state_zero(p->state));
    assert_ok(mlstm_forward(p->stack, p->state, p->x, shape.steps, values));
}

static int set_up(void **state)
{
    shape = *(const struct shape *)*state;
    struct parts *p = test_calloc(1, sizeof *p);
    const size_t count = param_numbers(&shape) + y_numbers(&shape);
    struct random random = {1};
    counter_start(&p->counter);
    for (int32_t l = 0; l < 3; l++)
        assert_ok(mlstm_cell_create_with_allocator(&p->counter.allocator, plain.sizes[l],
                                                   plain.sizes[l + 1], &p->cells[l]));
    p->stack = new_stack_from(&shape, &p->counter.allocator);
    assert_ok(mlstm_stack_init(p->stack, MLSTM_GLOROT_UNIFORM, 1));
    assert_ok(mlstm_state_create(p->stack, shape.batch, shape.steps, &p->state));
    p->x = random_floats(&random, x_numbers(&shape), -1, 1);
    p->before = floats(count);
    p->after = floats(count);
    params_and_y(p, p->before);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct parts *p = *state;
    for (int32_t l = 0; l < 3; l++)
        mlstm_cell_destroy(p->cells[l]);
    mlstm_state_destroy(p->state);
    mlstm_stack_destroy(p->stack);
    assert_int_equal(p->counter.live, 0);
    test_free(p->x);
    test_free(p->before);
    test_free(p->after);
    test_free(p);
    return 0;
}

/* A creating call; `*made` is what it makes, if anything, which `destroy` frees. */
struct creation {
    mlstm_status (*create)(struct parts *p, void **made);
    void (*destroy)(struct parts *p, void *made);
};

static mlstm_status create_cell(struct parts *p, void **made)
{
    return mlstm_cell_create_with_allocator(&p->counter.allocator, 3, 4, (mlstm_cell **)made);
}

static void destroy_cell(struct parts *p, void *made)
{
    (void)p;
    mlstm_cell_destroy(made);
}

static mlstm_status create_stack(struct parts *p, void **made)
{
    return mlstm_stack_create(p->cells, 3, (mlstm_stack **)made);
}

static void destroy_stack(struct parts *p, void *made)
{
    mlstm_stack_destroy(made);
    memset(p->cells, 0, sizeof p->cells);
}

static mlstm_status create_state(struct parts *p, void **made)
{
    return mlstm_state_create(p->stack, 9, 11, (mlstm_state **)made);
}

static mlstm_status create_state_for_inference(struct parts *p, void **made)
{
    return mlstm_state_create(p->stack, 9, 0, (mlstm_state **)made);
}

static void destroy_state(struct parts *p, void *made)
{
    (void)p;
    mlstm_state_destroy(made);
}

static mlstm_status create_grads(struct parts *p, void **made)
{
    return mlstm_grads_create(p->stack, (mlstm_grads **)made);
}

static void destroy_grads(struct parts *p, void *made)
{
    (void)p;
    mlstm_grads_destroy(made);
}

static mlstm_status create_sgd(struct parts *p, void **made)
{
    return mlstm_sgd_create(p->stack, 1, 0, 0, (mlstm_optimizer **)made);
}

static mlstm_status create_momentum(struct parts *p, void **made)
{
    return mlstm_sgd_create(p->stack, 1, 0.5f, 1, (mlstm_optimizer **)made);
}

static mlstm_status create_adagrad(struct parts *p, void **made)
{
    return mlstm_adagrad_create(p->stack, 1, 0.1f, (mlstm_optimizer **)made);
}

static mlstm_status create_rmsprop(struct parts *p, void **made)
{
    return mlstm_rmsprop_create(p->stack, 1, 0.9f, 0, 0.1f, 1, (mlstm_optimizer **)made);
}

static mlstm_status create_adam(struct parts *p, void **made)
{
    return mlstm_adam_create(p->stack, 1, 0.9f, 0.9f, 0.1f, (mlstm_optimizer **)made);
}

static mlstm_status create_adamw(struct parts *p, void **made)
{
    return mlstm_adamw_create(p->stack, 1, 0.9f, 0.9f, 0.1f, 0, (mlstm_optimizer **)made);
}

static mlstm_status create_amsgrad(struct parts *p, void **made)
{
    return mlstm_amsgrad_create(p->stack, 1, 0.9f, 0.9f, 0.1f, (mlstm_optimizer **)made);
}

static mlstm_status create_nadam(struct parts *p, void **made)
{
    return mlstm_nadam_create(p->stack, 1, 0.9f, 0.9f, 0.1f, 0, (mlstm_optimizer **)made);
}

static mlstm_status create_lion(struct parts *p, void **made)
{
    return mlstm_lion_create(p->stack, 1, 0.9f, 0.9f, 0, (mlstm_optimizer **)made);
}

static void destroy_optimizer(struct parts *p, void *made)
{
    (void)p;
    mlstm_optimizer_destroy(made);
}

/* Makes nothing new; what it replaces is freed, so the blocks in use stay as many. */
static mlstm_status set_threads(struct parts *p, void **made)
{
    const mlstm_status status = mlstm_state_set_threads(p->state, 3);
    assert_int_equal(mlstm_state_threads(p->state), status == MLSTM_OK ? 3 : 1);
    (void)made;
    return status;
}

static void one_thread(struct parts *p, void *made)
{
    (void)made;
    assert_ok(mlstm_state_set_threads(p->state, 1));
}

/* Orthogonal matrices need memory while they are made; what was there before is drawn again. */
static mlstm_status init_orthogonal(struct parts *p, void **made)
{
    (void)made;
    return mlstm_stack_init(p->stack, MLSTM_ORTHOGONAL, 1);
}

static mlstm_status init_param_orthogonal(struct parts *p, void **made)
{
    (void)made;
    return mlstm_stack_init_param(p->stack, "layer0.kernel", MLSTM_ORTHOGONAL, 1, 0, 1);
}

static void init_again(struct parts *p, void *made)
{
    (void)made;
    assert_ok(mlstm_stack_init(p->stack, MLSTM_GLOROT_UNIFORM, 1));
}

static mlstm_status set_readout(struct parts *p, void **made)
{
    const mlstm_status status = mlstm_stack_set_readout(p->stack, 9, MLSTM_READOUT_H);
    assert_int_equal(mlstm_stack_output_size(p->stack), status == MLSTM_OK ? 9 : 4);
    (void)made;
    return status;
}

/* Fails the first allocation of the call, then the second, until it succeeds. */
static void fail_each(struct parts *p, const struct creation *creation)
{
    const size_t live = p->counter.live, count = param_numbers(&shape) + y_numbers(&shape);
    void *const untouched = p, *made = untouched;
    int failures = 0;
    for (;; failures++) {
        p->counter.fail_at = p->counter.calls + (size_t)failures + 1;
        const mlstm_status status = creation->create(p, &made);
        p->counter.fail_at = 0;
        if (status == MLSTM_OK)
            break;
        assert_int_equal(status, MLSTM_ERROR_OUT_OF_MEMORY);
        assert_non_null(strstr(mlstm_last_error(), "memory"));
        assert_ptr_equal(made, untouched);
        assert_int_equal(p->counter.live, live);
        params_and_y(p, p->after);
        assert_same_bits("parameters and y", p->after, p->before, count);
    }
    assert_true(failures > 0);
    if (creation->destroy) {
        creation->destroy(p, made == untouched ? NULL : made);
        assert_true(p->counter.live <= live);
    }
}

static void every_allocation_fails(void **state)
{
    static const struct creation creations[] = {
        {create_cell, destroy_cell},
        {create_state, destroy_state},
        {create_state_for_inference, destroy_state},
        {create_grads, destroy_grads},
        {create_sgd, destroy_optimizer},
        {create_momentum, destroy_optimizer},
        {create_adagrad, destroy_optimizer},
        {create_rmsprop, destroy_optimizer},
        {create_adam, destroy_optimizer},
        {create_adamw, destroy_optimizer},
        {create_amsgrad, destroy_optimizer},
        {create_nadam, destroy_optimizer},
        {create_lion, destroy_optimizer},
        {set_threads, one_thread},
        {init_orthogonal, init_again},
        {init_param_orthogonal, init_again},
        {create_stack, destroy_stack},
        {set_readout, NULL},
    };
    const int whole_windows = layer_directions(&shape, 0) == 2;
    for (size_t i = 0; i < COUNT(creations); i++)
        if (creations[i].create != create_state_for_inference || !whole_windows)
            fail_each(*state, &creations[i]);
}

/* The state that is made first on a stack leaves more there than the next; not where it fails. */
static void the_first_state_fails(void **state)
{
    struct parts *p = *state;
    static const struct creation creation = {create_state, destroy_state};
    mlstm_state_destroy(p->state);
    p->state = NULL;
    mlstm_stack_destroy(p->stack);
    p->stack = new_stack_from(&shape, &p->counter.allocator);
    const size_t live = p->counter.live;
    mlstm_state *made = NULL;
    for (size_t n = 1;; n++) {
        p->counter.fail_at = p->counter.calls + n;
        const mlstm_status status = creation.create(p, (void **)&made);
        p->counter.fail_at = 0;
        if (status == MLSTM_OK)
            break;
        assert_int_equal(status, MLSTM_ERROR_OUT_OF_MEMORY);
        assert_null(made);
        assert_null(strstr(mlstm_last_error(), " 0 "));
        assert_int_equal(p->counter.live, live);
    }
    p->state = made;
}

/* Counts what goes past the allocator too, where malloc can be replaced. */
static size_t mallocs;

#if defined(__GLIBC__) && !THREAD_SANITIZER && !MEMORY_SANITIZER
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    mallocs++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    mallocs++;
    return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    mallocs++;
    return __libc_realloc(pointer, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    mallocs++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **pointer, size_t alignment, size_t size)
{
    mallocs++;
    *pointer = __libc_memalign(alignment, size);
    return *pointer ? 0 : 12;
}

static void malloc_is_counted(void **state)
{
    (void)state;
    const size_t before = mallocs;
    mlstm_cell *cell;
    assert_ok(mlstm_cell_create(1, 1, &cell));
    mlstm_cell_destroy(cell);
    assert_true(mallocs > before);
}
#else
static void malloc_is_counted(void **state)
{
    (void)state;
    skip();
}
#endif

/* Everything but the calls that create, twice over, allocates nothing. */
static void passes_allocate_nothing(void **state)
{
    struct parts *p = *state;
    static mlstm_status (*const created[])(struct parts *, void **) = {
        create_rmsprop, create_adam, create_adamw, create_amsgrad, create_nadam, create_lion};
    const int32_t labels[5 * 6] = {0}, lengths[5] = {9, 6, 4, 1, 0};
    const size_t size = state_numbers(&shape), tops = top_numbers(&shape) + top_c_numbers(&shape);
    float *y = floats(y_numbers(&shape)), *d = floats(y_numbers(&shape));
    float *tensor = floats(size), *dx = floats(x_numbers(&shape)), *top = floats(tops), loss;
    float *params = floats(param_numbers(&shape)), *data;
    mlstm_optimizer *optimizers[8];
    mlstm_grads *grads, *other;
    size_t count;
    assert_ok(mlstm_sgd_create(p->stack, 0.1f, 0.9f, 1, &optimizers[0]));
    assert_ok(mlstm_adagrad_create(p->stack, 0.1f, 0.1f, &optimizers[1]));
    for (size_t i = 2; i < COUNT(optimizers); i++)
        assert_ok(created[i - 2](p, (void **)&optimizers[i]));
    assert_ok(mlstm_grads_create(p->stack, &grads));
    assert_ok(mlstm_grads_create(p->stack, &other));
    for (int32_t threads = 1; threads <= 2; threads++) {
        share_passes(p->state, BY_ROWS);
        assert_ok(mlstm_state_set_threads(p->state, threads));
        const size_t calls = p->counter.calls, past = mallocs;
        assert_ok(mlstm_state_zero(p->state));
        assert_ok(mlstm_state_set(p->state, tensor, size));
        assert_ok(mlstm_state_set_layer(p->state, 0, tensor, tensor));
        assert_ok(mlstm_state_set_training(p->state, 1, 1));
        assert_ok(mlstm_state_begin_window(p->state));
        assert_ok(mlstm_state_begin_sequence(p->stack, p->state));
        assert_ok(mlstm_state_set_lengths(p->state, lengths, 5));
        assert_ok(mlstm_step_forward(p->stack, p->state, p->x, y));
        assert_ok(mlstm_forward(p->stack, p->state, p->x, 5, y));
        assert_ok(mlstm_softmax(y, 30, 4, p->after));
        assert_ok(mlstm_softmax_cross_entropy(y, labels, 30, 4, p->after, d, &loss));
        assert_ok(mlstm_squared_error(y, d, 30 * 4, NULL, &loss));
        assert_ok(mlstm_absolute_error(y, d, 30 * 4, NULL, &loss));
        assert_ok(mlstm_huber_loss(y, d, 30 * 4, 1, NULL, &loss));
        assert_ok(mlstm_sigmoid_cross_entropy(y, d, 30 * 4, NULL, &loss));
        assert_ok(mlstm_softmax_cross_entropy_weighted(y, labels, NULL, 30, 4, -1, 0.1f, p->after,
                                                       d, &loss));
        assert_ok(mlstm_state_get_top(p->state, NULL, top));
        assert_ok(mlstm_state_set_final_grad(p->state, tensor, size));
        assert_ok(mlstm_grads_zero(grads));
        assert_ok(mlstm_backward(p->stack, p->state, d, top, top, dx, grads));
        assert_ok(mlstm_backward(p->stack, p->state, d, NULL, NULL, NULL, grads));
        assert_ok(mlstm_state_get_initial_grad(p->state, tensor, size));
        assert_ok(mlstm_state_keep_steps(p->state, 2));
        assert_ok(mlstm_state_get(p->state, tensor, size));
        assert_ok(mlstm_state_get_layer(p->state, 0, tensor, NULL));
        assert_ok(mlstm_grads_add(other, grads));
        assert_ok(mlstm_grads_scale(grads, 0.5f));
        assert_ok(mlstm_grads_norm(grads, &loss));
        assert_ok(mlstm_grads_clip_norm(grads, 0.1f, NULL));
        assert_ok(mlstm_grads_clip_param_norm(grads, 0.05f));
        assert_ok(mlstm_grads_clip_value(grads, 0.01f));
        assert_ok(mlstm_grads_check(grads, NULL));
        assert_ok(mlstm_grads_data(grads, &data, &count));
        for (size_t i = 0; i < COUNT(optimizers); i++) {
            assert_ok(mlstm_apply_grads(optimizers[i], p->stack, grads));
            assert_ok(mlstm_optimizer_set_step_count(optimizers[i], 1000));
        }
        get_grads(p->stack, grads, params);
        set_grads(p->stack, grads, params);
        get_slot(p->stack, optimizers[0], "momentum", params);
        get_params(p->stack, params);
        set_params(p->stack, params);
        assert_ok(mlstm_stack_init(p->stack, MLSTM_GLOROT_UNIFORM, 1));
        assert_ok(mlstm_stack_init_param(p->stack, "layer0.bias", MLSTM_ORTHOGONAL, 1, 0, 1));
        assert_int_equal(p->counter.calls, calls);
        assert_int_equal(mallocs, past);
        assert_shared(p->state);
    }
    mlstm_grads_destroy(grads);
    mlstm_grads_destroy(other);
    for (size_t i = 0; i < COUNT(optimizers); i++)
        mlstm_optimizer_destroy(optimizers[i]);
    test_free(y);
    test_free(d);
    test_free(tensor);
    test_free(dx);
    test_free(top);
    test_free(params);
}

/* Whatever is freed last frees the last block. */
static void any_order_of_destruction(void **state)
{
    shape = *(const struct shape *)*state;
    for (int order = 0; order < 4; order++) {
        struct counter counter;
        mlstm_state *state_of_it;
        mlstm_grads *grads;
        mlstm_optimizer *optimizer;
        counter_start(&counter);
        mlstm_stack *stack = new_stack_from(&shape, &counter.allocator);
        assert_ok(mlstm_state_create(stack, 2, 3, &state_of_it));
        assert_ok(mlstm_grads_create(stack, &grads));
        assert_ok(mlstm_adagrad_create(stack, 1, 1, &optimizer));
        if (order & 1)
            assert_ok(mlstm_stack_set_readout(stack, 2, MLSTM_READOUT_H));
        if (order & 2)
            mlstm_stack_destroy(stack);
        mlstm_optimizer_destroy(optimizer);
        mlstm_grads_destroy(grads);
        mlstm_state_destroy(state_of_it);
        if (!(order & 2))
            mlstm_stack_destroy(stack);
        assert_int_equal(counter.live, 0);
    }
}

#define ALLOCATION_TEST(test, about)                                                               \
    {                                                                                              \
#test ": " #about, test, set_up, tear_down, (void *)&about                                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALLOCATION_TEST(every_allocation_fails, plain),
        ALLOCATION_TEST(every_allocation_fails, every_option),
        ALLOCATION_TEST(every_allocation_fails, two_directions),
        ALLOCATION_TEST(the_first_state_fails, plain),
        ALLOCATION_TEST(the_first_state_fails, every_option),
        ALLOCATION_TEST(the_first_state_fails, two_directions),
        cmocka_unit_test(malloc_is_counted),
        ALLOCATION_TEST(passes_allocate_nothing, plain),
        ALLOCATION_TEST(passes_allocate_nothing, every_option),
        cmocka_unit_test_prestate(any_order_of_destruction, (void *)&plain),
        cmocka_unit_test_prestate(any_order_of_destruction, (void *)&two_directions),
    };
    return cmocka_run_group_tests_name("allocations", tests, NULL, NULL);
}
