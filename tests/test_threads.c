/* SPDX-License-Identifier: MIT */
#if defined(__linux__)
#define _GNU_SOURCE /* for _Fork */
#else
#define _POSIX_C_SOURCE 200809L
#endif

#include "support.h"

#include <fenv.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct shape shapes[] = {
    {5, 15, 3, {1, 4, 4, 4}, 2, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
    {24, 20, 1, {64, 128}, 10, MLSTM_READOUT_H, 1},
    {7, 5, 3, {33, 129, 66, 97}, 5, MLSTM_READOUT_C | MLSTM_READOUT_H, 0},
    {1, 12, 2, {17, 160, 96}, 0, 0, 1},
    {67, 4, 2, {3, 31, 70}, 130, MLSTM_READOUT_C, 1},
    {64, 6, 1, {256, 64}, 3, MLSTM_READOUT_H, 1},
    {3, 2, 1, {256, 300}, 2, MLSTM_READOUT_C | MLSTM_READOUT_H, 1}, /* less rows than threads */
    {2, 1, 1, {512, 512}, 0, 0, 1},                                 /* a row for each thread */
    {1, 8, 2, {64, 256, 32}, 0, 0, 1}, /* the upper layer has two panels where W is 16 */
    {24, 20, 3, {64, 128, 2, 96}, 10, MLSTM_READOUT_H, 1}, /* one thread's layer between those of all */
    {24, 20, 3, {64, 96, 96, 96}, 0, 0, 1, {{0}, {.skip = MLSTM_SKIP_RESIDUAL}, {0}}}, /* joined ones */
    {24, 20, 2, {64, 96, 64}, 0, 0, 1, {{.projection = 64}, {0}}},
    {13, 3, 2, {16, 400, 48}, 0, 0, 1}, /* too much to read for so few rows: all meet at every step */
};

/* The results of one thread are those of `counts`, one after the other on one state. */
static void check_counts(const struct shape *s, uint64_t seed, const int32_t *counts, size_t n,
                         struct results *one)
{
    struct model *m = new_model(s, seed);
    struct results *some = new_results(s);
    run_model(m, m->state, m->grads, one);
    for (size_t k = 0; k < n; k++) {
        assert_ok(mlstm_state_set_threads(m->state, counts[k]));
        assert_int_equal(mlstm_state_threads(m->state), counts[k]);
        for (int repeat = 0; repeat < (SLOW ? 1 : 3); repeat++) {
            run_model(m, m->state, m->grads, some);
            assert_same_results(s, some, one);
        }
    }
    free_results(some);
    free_model(m);
}

/*
 * The same bits for every number of threads, also when the number changes on one state, and
 * wherever weights are taken to be.
 */
static void thread_counts_agree(void **state)
{
    (void)state;
    static const int32_t counts[] = {2, 3, 4, 7, 1, 2};
    const size_t first = EMULATED ? 3 : 0; /* minutes otherwise */
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct results *far = new_results(&shapes[i]), *near = new_results(&shapes[i]);
        check_counts(&shapes[i], i, counts + first, COUNT(counts) - first, far);
        level_bytes[0] = level_bytes[1] = 1 << 30;
        check_counts(&shapes[i], i, counts + 1, SLOW ? 1 : 2, near);
        level_bytes[0] = level_bytes[1] = 0;
        assert_same_results(&shapes[i], near, far);
        free_results(far);
        free_results(near);
    }
}

/* Of c and h of different sizes, in two products whose panels the threads divide. */
static void a_readout_of_two_sizes(void **unused)
{
    (void)unused;
    enum { I = 1024, O = 130 };
    struct random random = {5};
    float *x = random_floats(&random, I, -1, 1), y[3][O];
    mlstm_cell *cell;
    mlstm_stack *stack;
    assert_ok(mlstm_cell_create(I, 512, &cell));
    assert_ok(mlstm_cell_set_projection(cell, 256));
    assert_ok(mlstm_stack_create(&cell, 1, &stack));
    assert_ok(mlstm_stack_set_readout(stack, O, MLSTM_READOUT_C | MLSTM_READOUT_H));
    assert_ok(mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, 1));
    for (int32_t n = 0; n < 3; n++) {
        mlstm_state *state;
        assert_ok(mlstm_state_create(stack, 1, 0, &state));
        assert_ok(mlstm_state_set_threads(state, n + 1));
        assert_ok(mlstm_step_forward(stack, state, x, y[n]));
        assert_same_bits("y", y[n], y[0], O);
        mlstm_state_destroy(state);
    }
    mlstm_stack_destroy(stack);
    test_free(x);
}

/* Threads start with the rounding of the one that makes them, and do not keep it. */
static void threads_have_their_own_rounding(void **state)
{
    (void)state;
    struct model *m = new_model(&shapes[1], 1);
    struct results *one = new_results(&shapes[1]), *some = new_results(&shapes[1]);
    run_model(m, m->state, m->grads, one);
    fesetround(FE_UPWARD);
    const mlstm_status status = mlstm_state_set_threads(m->state, 3);
    fesetround(FE_TONEAREST);
    assert_ok(status);
    run_model(m, m->state, m->grads, some);
    assert_same_results(&shapes[1], some, one);
    free_results(one);
    free_results(some);
    free_model(m);
}

static void steps_agree(void **state)
{
    (void)state;
    const struct shape *s = &shapes[1];
    struct model *m = new_model(s, 1);
    struct results *one = new_results(s);
    float *y = floats(y_numbers(s));
    run_model(m, m->state, m->grads, one);
    assert_ok(mlstm_state_set_threads(m->state, 3));
    assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(s)));
    for (int32_t t = 0; t < s->steps; t++)
        assert_ok(mlstm_step_forward(m->stack, m->state, m->x + t * s->batch * s->sizes[0],
                                     y + t * s->batch * s->outputs));
    assert_same_bits("y", y, one->y, y_numbers(s));
    test_free(y);
    free_results(one);
    free_model(m);
}

/*
 * Passes so small that helpers have a part in those that follow each other closely, and in no
 * others.
 */
static void helpers_may_sleep(void **state)
{
    (void)state;
    const struct shape *s = &shapes[3];
    struct model *m = new_model(s, 1);
    struct results *one = new_results(s);
    float *y = floats(y_numbers(s));
    const size_t outputs = y_numbers(s) / (size_t)s->steps;
    run_model(m, m->state, m->grads, one);
    assert_ok(mlstm_state_set_threads(m->state, 2));
    for (int32_t burst = 1; burst <= s->steps; burst++) {
        assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(s)));
        for (int32_t t = 0; t < s->steps; t++) {
            if (t % burst == 0)
                nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
            assert_ok(mlstm_step_forward(m->stack, m->state, m->x + t * s->batch * s->sizes[0],
                                         y + (size_t)t * outputs));
        }
        assert_same_bits("y", y, one->y, y_numbers(s));
    }
    test_free(y);
    free_results(one);
    free_model(m);
}

static mlstm_status adagrad(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    return mlstm_adagrad_create(stack, 0.1f, 0.1f, optimizer);
}

static mlstm_status decayed(const mlstm_stack *stack, mlstm_optimizer **optimizer)
{
    assert_ok(mlstm_adam_create(stack, 0.01f, 0.9f, 0.99f, 1e-6f, optimizer));
    assert_ok(mlstm_optimizer_set_weight_decay(*optimizer, "layer0.kernel", 0.1f));
    assert_ok(mlstm_optimizer_set_frozen(*optimizer, "readout.kernel_h", 1));
    return mlstm_optimizer_set_frozen(*optimizer, "layer1.bias", 1);
}

/* What passes read of parameters, too, has the same bits after updates by any number of threads. */
static void updates_agree(void **state)
{
    (void)state;
    static mlstm_status (*const rules[])(const mlstm_stack *, mlstm_optimizer **) = {adagrad,
                                                                                     decayed};
    static const int32_t counts[] = {1, 2, 3, 7};
    const struct shape s = {3, 2, 2, {128, 320, 33}, 3, MLSTM_READOUT_H, 2,
                            {{.more_biases = 1}, {0}}};
    struct results *expected = new_results(&s), *got = new_results(&s);
    for (size_t r = 0; r < COUNT(rules); r++)
        for (size_t k = 0; k < COUNT(counts); k++) {
            struct model *one = new_model(&s, 1), *some = new_model(&s, 1);
            mlstm_optimizer *alone, *shared;
            assert_ok(rules[r](one->stack, &alone));
            assert_ok(rules[r](some->stack, &shared));
            assert_ok(mlstm_state_set_threads(some->state, counts[k]));
            share_passes(some->state, k % 2 ? BY_PANELS : BY_ROWS);
            for (int update = 0; update < 3; update++) {
                run_model(one, one->state, one->grads, expected);
                run_model(some, some->state, some->grads, got);
                assert_same_results(&s, got, expected);
                assert_int_equal(backward_threads(some->state), counts[k]);
                assert_ok(mlstm_apply_grads(alone, one->stack, one->grads));
                assert_ok(mlstm_state_apply_grads(some->state, shared, some->stack, some->grads));
            }
            assert_int_equal(mlstm_optimizer_step_count(shared), 3);
            mlstm_optimizer_destroy(alone);
            mlstm_optimizer_destroy(shared);
            free_model(one);
            free_model(some);
        }
    free_results(expected);
    free_results(got);
}

static void the_number_keeps_the_rest(void **state)
{
    (void)state;
    const struct shape *s = &shapes[1];
    struct model *m = new_model(s, 1);
    struct results *one = new_results(s), *two = new_results(s);
    run_model(m, m->state, m->grads, one);
    run_model(m, m->state, m->grads, two);
    assert_ok(mlstm_state_set_threads(m->state, 2));
    assert_int_equal(mlstm_state_steps(m->state), s->steps);
    assert_ok(mlstm_grads_zero(m->grads));
    assert_ok(mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, two->dx, m->grads));
    assert_ok(mlstm_state_get_initial_grad(m->state, two->dinitial_state, state_numbers(s)));
    get_grads(m->stack, m->grads, two->dparams);
    assert_same_results(s, two, one);
    free_results(one);
    free_results(two);
    free_model(m);
}

/* What one of several threads works with; the stack in the model is everybody's. */
struct worker {
    pthread_t thread;
    const struct model *m;
    int32_t threads;
    struct results *results;
};

static void *work(void *argument)
{
    struct worker *w = argument;
    mlstm_state *state;
    mlstm_grads *grads;
    assert_ok(mlstm_state_create(w->m->stack, w->m->shape.batch, w->m->shape.steps, &state));
    assert_ok(mlstm_grads_create(w->m->stack, &grads));
    assert_ok(mlstm_state_set_threads(state, w->threads));
    for (int repeat = 0; repeat < (EMULATED ? 1 : 5); repeat++)
        run_model(w->m, state, grads, w->results);
    mlstm_grads_destroy(grads);
    mlstm_state_destroy(state);
    return NULL;
}

/* Several threads read one stack, each with a state and gradients that it makes there. */
static void a_stack_is_shared(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct model *m = new_model(&shapes[i], i), *alone = new_model(&shapes[i], i);
        struct results *expected = new_results(&shapes[i]);
        struct worker workers[4];
        run_model(alone, alone->state, alone->grads, expected);
        for (size_t k = 0; k < COUNT(workers); k++) {
            workers[k] = (struct worker){.m = m, .threads = k % 2 ? 2 : 1};
            workers[k].results = new_results(&shapes[i]);
        }
        for (size_t k = 0; k < COUNT(workers); k++)
            assert_int_equal(pthread_create(&workers[k].thread, NULL, work, &workers[k]), 0);
        for (size_t k = 0; k < COUNT(workers); k++) {
            assert_int_equal(pthread_join(workers[k].thread, NULL), 0);
            assert_same_results(&shapes[i], workers[k].results, expected);
            free_results(workers[k].results);
        }
        free_results(expected);
        free_model(m);
        free_model(alone);
    }
}

/* A state may be used by one thread after the other. */
static void *run_here(void *argument)
{
    struct worker *w = argument;
    run_model(w->m, w->m->state, w->m->grads, w->results);
    return NULL;
}

static void a_state_may_move(void **state)
{
    (void)state;
    struct model *m = new_model(&shapes[1], 1);
    struct worker worker = {.m = m, .results = new_results(&shapes[1])};
    struct results *expected = new_results(&shapes[1]);
    run_model(m, m->state, m->grads, expected);
    assert_ok(mlstm_state_set_threads(m->state, 2));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&worker.thread, NULL, run_here, &worker), 0);
        assert_int_equal(pthread_join(worker.thread, NULL), 0);
        assert_same_results(&shapes[1], worker.results, expected);
    }
    free_results(worker.results);
    free_results(expected);
    free_model(m);
}

/* Under ThreadSanitizer and in qemu's user mode a child cannot start threads. */
#if THREAD_SANITIZER || EMULATED
#define CHILD_THREADS 1
#else
#define CHILD_THREADS 2
#endif

/* In place of the system's. */
static pid_t number = 1;

pid_t getpid(void)
{
    return number;
}

/* The child goes on alone, and may ask for threads of its own. */
static void go_on_in_a_child(pid_t (*make)(void), pid_t its_number, int32_t its_threads)
{
    struct model *m = new_model(&shapes[1], 1);
    struct results *expected = new_results(&shapes[1]), *got = new_results(&shapes[1]);
    int status;
    assert_ok(mlstm_state_set_threads(m->state, 3));
    run_model(m, m->state, m->grads, expected);
    const pid_t child = make();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        number = its_number;
        run_model(m, m->state, m->grads, got);
        assert_same_results(&shapes[1], got, expected);
        assert_ok(mlstm_state_set_threads(m->state, its_threads));
        run_model(m, m->state, m->grads, got);
        assert_same_results(&shapes[1], got, expected);
        mlstm_state_destroy(m->state);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    run_model(m, m->state, m->grads, got);
    assert_same_results(&shapes[1], got, expected);
    free_results(expected);
    free_results(got);
    free_model(m);
}

/* With its parent's number, as two processes that are the first, each of its own container. */
static void a_child_goes_on(void **state)
{
    (void)state;
    go_on_in_a_child(fork, number, CHILD_THREADS);
}

/* Where no handler of fork runs, its number is another. */
static void an_unseen_child_goes_on(void **state)
{
    (void)state;
#if defined(__GLIBC__) && !THREAD_SANITIZER
#if __GLIBC_PREREQ(2, 34)
    go_on_in_a_child(_Fork, number + 1, 1);
    return;
#endif
#endif
    skip();
}

static void many_come_and_go(void **state)
{
    (void)state;
    struct model *m = new_model(&shapes[1], 1);
    for (int32_t i = 0; i < 40; i++) {
        mlstm_state *other;
        assert_ok(mlstm_state_create(m->stack, 24, 2, &other));
        assert_ok(mlstm_state_set_threads(other, 1 + i % 8));
        if (i % 2)
            assert_ok(mlstm_forward(m->stack, other, m->x, 2, NULL));
        mlstm_state_destroy(other);
    }
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_counts_agree),
        cmocka_unit_test(steps_agree),
        cmocka_unit_test(helpers_may_sleep),
        cmocka_unit_test(the_number_keeps_the_rest),
        cmocka_unit_test(a_stack_is_shared),
        cmocka_unit_test(a_state_may_move),
        cmocka_unit_test(a_child_goes_on),
        cmocka_unit_test(an_unseen_child_goes_on),
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(threads_have_their_own_rounding),
        cmocka_unit_test(a_readout_of_two_sizes),
        cmocka_unit_test(updates_agree),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
