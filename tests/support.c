/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "state.h"

/* So small that nothing is near. */
size_t level_bytes[2];
int32_t caches_change;

size_t cache_bytes(int32_t level)
{
    if (caches_change)
        level_bytes[level - 1] = level_bytes[level - 1] ? 0 : 1 << 20;
    return level_bytes[level - 1];
}

/* SplitMix64. */
static uint64_t random_bits(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

float random_between(struct random *random, float a, float b)
{
    return a + (b - a) * (float)(random_bits(random) >> 40) / 16777216.0f;
}

int32_t random_integer(struct random *random, int32_t first, int32_t last)
{
    return first + (int32_t)(random_bits(random) % (uint64_t)(last - first + 1));
}

void random_fill(struct random *random, float *values, size_t count, float a, float b)
{
    for (size_t i = 0; i < count; i++)
        values[i] = random_between(random, a, b);
}

float *floats(size_t count)
{
    return test_calloc(count ? count : 1, sizeof(float));
}

float *random_floats(struct random *random, size_t count, float a, float b)
{
    float *values = floats(count);
    random_fill(random, values, count, a, b);
    return values;
}

static char subject[1024];

void about(const char *what)
{
    snprintf(subject, sizeof subject, "%s", what);
}

void print_about(void)
{
    if (*subject)
        print_error("%s\n", subject);
    about("");
}

void check_status(mlstm_status got, mlstm_status expected, const char *call, const char *file,
                  int line)
{
    if (got == expected)
        return;
    print_about();
    print_error("%s\n    gave %s (%s), expected %s\n", call, mlstm_status_name(got),
                mlstm_last_error(), mlstm_status_name(expected));
    _fail(file, line);
}

void check_near(const char *what, const float *got, const double *expected, size_t count,
                double tolerance, const char *file, int line)
{
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - expected[i]);
        if (error <= tolerance)
            continue;
        print_about();
        print_error("%s[%zu of %zu] is %.9g, expected %.9g: off by %.3g, tolerance %.3g\n", what, i,
                    count, (double)got[i], expected[i], error, tolerance);
        _fail(file, line);
    }
}

void check_same_bits(const char *what, const float *got, const float *expected, size_t count,
                     const char *file, int line)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&got[i], &expected[i], sizeof(float)) == 0)
            continue;
        print_about();
        print_error("%s[%zu of %zu] is %a, expected the same bits as %a\n", what, i, count,
                    (double)got[i], (double)expected[i]);
        _fail(file, line);
    }
}

double largest(const double *values, size_t count)
{
    double max = 0;
    for (size_t i = 0; i < count; i++)
        max = fmax(max, fabs(values[i]));
    return max;
}

static void set_options(mlstm_cell *cell, const struct layer_options *o)
{
    assert_ok(mlstm_cell_set_biases(cell, 1 + o->more_biases));
    assert_ok(mlstm_cell_set_peepholes(cell, o->peepholes));
    assert_ok(mlstm_cell_set_projection(cell, o->projection));
    assert_ok(mlstm_cell_set_projection_clip(cell, o->projection_clip));
    assert_ok(mlstm_cell_set_cell_clip(cell, o->cell_clip));
    assert_ok(mlstm_cell_set_coupled(cell, o->coupled));
    assert_ok(mlstm_cell_set_norm(cell, o->norm, o->epsilon));
    assert_ok(mlstm_cell_set_zoneout(cell, o->zoneout_c, o->zoneout_h));
    assert_ok(mlstm_cell_set_dropout(cell, o->dropout, o->dropout_mask));
    assert_ok(mlstm_cell_set_recurrent_dropout(cell, o->recurrent_dropout, o->recurrent_what,
                                               o->recurrent_mask));
    assert_ok(mlstm_cell_set_skip(cell, o->skip));
    assert_ok(mlstm_cell_set_bidirectional(cell, o->merge));
    assert_ok(mlstm_cell_set_learned_state(cell, o->learned));
}

mlstm_stack *new_stack_from(const struct shape *s, const mlstm_allocator *allocator)
{
    mlstm_cell *cells[MAX_LAYERS];
    mlstm_stack *stack;
    for (int32_t l = 0; l < s->layers; l++) {
        const int32_t input = layer_input(s, l), hidden = layer_hidden(s, l);
        if (allocator)
            assert_ok(mlstm_cell_create_with_allocator(allocator, input, hidden, &cells[l]));
        else
            assert_ok(mlstm_cell_create(input, hidden, &cells[l]));
        assert_ok(mlstm_cell_set_forget_bias(cells[l], layer_forget_bias(s, l)));
        set_options(cells[l], &s->options[l]);
    }
    assert_ok(mlstm_stack_create(cells, s->layers, &stack));
    if (s->sources)
        assert_ok(mlstm_stack_set_readout(stack, s->outputs, s->sources));
    return stack;
}

mlstm_stack *new_stack(const struct shape *s)
{
    return new_stack_from(s, NULL);
}

static size_t param(const mlstm_stack *stack, int32_t index, const char **name)
{
    int32_t rank, shape[2];
    assert_ok(mlstm_stack_param_info(stack, index, name, &rank, shape));
    return (size_t)shape[0] * (size_t)shape[1];
}

/* Calls `call` for each parameter's name, with `values` at its place and its `count`. */
#define FOR_EACH_PARAM(stack, values, call)                                                        \
    do {                                                                                           \
        const char *name;                                                                          \
        for (int32_t index = 0; index < mlstm_stack_param_count(stack); index++) {                 \
            const size_t count = param(stack, index, &name);                                       \
            assert_ok(call);                                                                       \
            values += count;                                                                       \
        }                                                                                          \
    } while (0)

void get_params(const mlstm_stack *stack, float *values)
{
    FOR_EACH_PARAM(stack, values, mlstm_stack_get_param(stack, name, values, count));
}

void set_params(mlstm_stack *stack, const float *values)
{
    FOR_EACH_PARAM(stack, values, mlstm_stack_set_param(stack, name, values, count));
}

void get_grads(const mlstm_stack *stack, const mlstm_grads *grads, float *values)
{
    FOR_EACH_PARAM(stack, values, mlstm_grads_get(grads, name, values, count));
}

void set_grads(const mlstm_stack *stack, mlstm_grads *grads, const float *values)
{
    FOR_EACH_PARAM(stack, values, mlstm_grads_set(grads, name, values, count));
}

void get_slot(const mlstm_stack *stack, const mlstm_optimizer *optimizer, const char *slot,
              float *values)
{
    FOR_EACH_PARAM(stack, values, mlstm_optimizer_get_slot(optimizer, slot, name, values, count));
}

void set_slot(const mlstm_stack *stack, mlstm_optimizer *optimizer, const char *slot,
              const float *values)
{
    FOR_EACH_PARAM(stack, values, mlstm_optimizer_set_slot(optimizer, slot, name, values, count));
}

static int32_t widest(const struct shape *s)
{
    int32_t most = top_size(s);
    for (int32_t l = 0; l < s->layers; l++)
        if (layer_hidden(s, l) > most)
            most = layer_hidden(s, l);
    return most;
}

struct model *new_model(const struct shape *s, uint64_t seed)
{
    struct model *m = test_calloc(1, sizeof *m);
    struct random random = {seed};
    const float scale = 1 / sqrtf((float)widest(s));
    m->shape = *s;
    m->stack = new_stack(s);
    assert_ok(mlstm_state_create(m->stack, s->batch, s->steps, &m->state));
    assert_ok(mlstm_grads_create(m->stack, &m->grads));
    m->params = random_floats(&random, param_numbers(s), -scale, scale);
    m->x = random_floats(&random, x_numbers(s), -1, 1);
    m->initial_state = random_floats(&random, state_numbers(s), -1, 1);
    m->dy = random_floats(&random, y_numbers(s), -1, 1);
    m->dh_top = random_floats(&random, top_numbers(s), -1, 1);
    m->dc_top = random_floats(&random, top_c_numbers(s), -1, 1);
    m->dfinal_state = random_floats(&random, state_numbers(s), -1, 1);
    set_params(m->stack, m->params);
    return m;
}

void free_model(struct model *m)
{
    mlstm_grads_destroy(m->grads);
    mlstm_state_destroy(m->state);
    mlstm_stack_destroy(m->stack);
    test_free(m->params);
    test_free(m->x);
    test_free(m->initial_state);
    test_free(m->dy);
    test_free(m->dh_top);
    test_free(m->dc_top);
    test_free(m->dfinal_state);
    test_free(m);
}

struct results *new_results(const struct shape *s)
{
    struct results *r = test_calloc(1, sizeof *r);
    r->y = floats(y_numbers(s));
    r->h_top = floats(top_numbers(s));
    r->c_top = floats(top_c_numbers(s));
    r->final_state = floats(state_numbers(s));
    r->dparams = floats(param_numbers(s));
    r->dx = floats(x_numbers(s));
    r->dinitial_state = floats(state_numbers(s));
    return r;
}

void free_results(struct results *r)
{
    test_free(r->y);
    test_free(r->h_top);
    test_free(r->c_top);
    test_free(r->final_state);
    test_free(r->dparams);
    test_free(r->dx);
    test_free(r->dinitial_state);
    test_free(r);
}

void begin_model(const struct model *m, mlstm_state *state)
{
    const struct shape *s = &m->shape;
    assert_ok(mlstm_state_set_training(state, s->training, s->seed));
    if (s->begins)
        assert_ok(mlstm_state_begin_sequence(m->stack, state));
    else
        assert_ok(mlstm_state_set(state, m->initial_state, state_numbers(s)));
    assert_ok(mlstm_state_set_lengths(state, s->lengths, (size_t)s->batch));
}

void run_model(const struct model *m, mlstm_state *state, mlstm_grads *grads, struct results *out)
{
    const size_t size = state_numbers(&m->shape);
    begin_model(m, state);
    assert_ok(mlstm_forward(m->stack, state, m->x, m->shape.steps, out->y));
    assert_ok(mlstm_state_get_top(state, out->c_top, out->h_top));
    assert_ok(mlstm_state_get(state, out->final_state, size));
    assert_ok(mlstm_grads_zero(grads));
    assert_ok(mlstm_state_set_final_grad(state, m->dfinal_state, size));
    assert_ok(mlstm_backward(m->stack, state, m->dy, m->dh_top, m->dc_top, out->dx, grads));
    assert_ok(mlstm_state_get_initial_grad(state, out->dinitial_state, size));
    get_grads(m->stack, grads, out->dparams);
}

void assert_same_results(const struct shape *s, const struct results *got,
                         const struct results *expected)
{
    assert_same_bits("y", got->y, expected->y, y_numbers(s));
    assert_same_bits("h_top", got->h_top, expected->h_top, top_numbers(s));
    assert_same_bits("c_top", got->c_top, expected->c_top, top_c_numbers(s));
    assert_same_bits("final state", got->final_state, expected->final_state, state_numbers(s));
    assert_same_bits("dparams", got->dparams, expected->dparams, param_numbers(s));
    assert_same_bits("dx", got->dx, expected->dx, x_numbers(s));
    assert_same_bits("dinitial state", got->dinitial_state, expected->dinitial_state,
                     state_numbers(s));
}

void share_passes(mlstm_state *state, int32_t own_rows)
{
    state->step_work = state->recurrent_work = 1e12;
    state_count_direct(state);
    state->own_rows = own_rows;
}

static void take_part(void *context, struct worker *worker)
{
    int32_t *parts = context;
    parts[worker->index]++;
}

void assert_shared(mlstm_state *state)
{
    int32_t parts[8] = {0}, forward = 0, backward = 0;
    struct pace paces[PACES] = {0};
    const int32_t threads = mlstm_state_threads(state);
    assert_in_range(threads, 1, COUNT(parts));
    state_run(state, paces, 1, take_part, parts);
    for (int32_t i = 0; i < threads; i++)
        assert_int_equal(parts[i], 1);
    for (int32_t kind = 0; kind < PACES; kind++) {
        forward += state->forward_paces[kind].first;
        backward += state->backward_paces[kind].first;
    }
    assert_true(threads == 1 || forward > 0);
    assert_true(threads == 1 || backward > 0 || !state->backward_done);
}

int32_t backward_threads(const mlstm_state *state)
{
    return state->backward_threads;
}

static void widen(double *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (double)from[i];
}

struct reference *reference_of(const struct model *m)
{
    const struct shape *s = &m->shape;
    struct reference *r = reference_create(s);
    widen(r->params, m->params, param_numbers(s));
    widen(r->x, m->x, x_numbers(s));
    widen(r->initial_state, m->initial_state, state_numbers(s));
    widen(r->dy, m->dy, y_numbers(s));
    widen(r->dh_top, m->dh_top, top_numbers(s));
    widen(r->dc_top, m->dc_top, top_c_numbers(s));
    widen(r->dfinal_state, m->dfinal_state, state_numbers(s));
    return r;
}

static void *counter_allocate(void *context, size_t size)
{
    struct counter *counter = context;
    assert_int_not_equal(size, 0);
    if (++counter->calls == counter->fail_at)
        return NULL;
    counter->live++;
    return malloc(size);
}

static void counter_release(void *context, void *pointer)
{
    struct counter *counter = context;
    assert_non_null(pointer);
    counter->live--;
    free(pointer);
}

void counter_start(struct counter *counter)
{
    *counter = (struct counter){{counter_allocate, counter_release, counter}, 0, 0, 0};
}
