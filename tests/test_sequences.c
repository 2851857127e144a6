/* SPDX-License-Identifier: MIT */
#include "variants.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where sequences begin and end, and windows that overlap. */

static int is_one_way(const struct shape *s)
{
    return !is_bidirectional(s);
}

static int is_learned(const struct shape *s)
{
    return s->options[0].learned;
}

/* Windows of `window` steps one after the other, forward `part` steps a call; the gradients are those
   of all windows together. */
static void run_in_windows(const struct model *m, int32_t window, int32_t part, struct results *out)
{
    const struct shape *s = &m->shape;
    const size_t size = state_numbers(s);
    float *initial = floats(size);
    begin_model(m, m->state);
    assert_ok(mlstm_grads_zero(m->grads));
    memset(out->dinitial_state, 0, size * sizeof(float));
    for (int32_t t = 0; t < s->steps; t += window) {
        const int32_t steps = window < s->steps - t ? window : s->steps - t, rows = t * s->batch;
        const int32_t y = rows * output_size(s), h = rows * top_size(s), c = rows * top_cells(s);
        if (t)
            assert_ok(mlstm_state_begin_window(m->state));
        for (int32_t k = 0; k < steps; k += part) {
            const int32_t more = (t + k) * s->batch;
            assert_ok(mlstm_forward(m->stack, m->state, m->x + more * s->sizes[0],
                                    part < steps - k ? part : steps - k,
                                    out->y + more * output_size(s)));
        }
        assert_ok(mlstm_state_get_top(m->state, out->c_top + c, out->h_top + h));
        assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, size));
        assert_ok(mlstm_backward(m->stack, m->state, m->dy + y, m->dh_top + h, m->dc_top + c,
                                 out->dx + rows * s->sizes[0], m->grads));
        assert_ok(mlstm_state_get_initial_grad(m->state, initial, size));
        for (size_t i = 0; i < size; i++)
            out->dinitial_state[i] += initial[i];
    }
    assert_ok(mlstm_state_get(m->state, out->final_state, size));
    get_grads(m->stack, m->grads, out->dparams);
    test_free(initial);
}

/* Calls `call` for each block [B,width] of the state tensor, at `offset` floats for each row. */
#define FOR_EACH_BLOCK(shape, call)                                                                \
    do {                                                                                           \
        int32_t widths[MAX_BLOCKS], offset = 0;                                                    \
        const int32_t blocks = state_blocks(shape, widths);                                        \
        for (int32_t i = 0; i < blocks; i++) {                                                     \
            const int32_t width = widths[i];                                                       \
            call;                                                                                  \
            offset += width;                                                                       \
        }                                                                                          \
    } while (0)

/* Copies `rows` of every [n,B,width] block, from row `first` on. */
static void take_rows(float *to, const float *from, int32_t blocks, int32_t batch, int32_t width,
                      int32_t first, int32_t rows)
{
    for (int32_t i = 0; i < blocks; i++)
        memcpy(to + i * rows * width, from + (i * batch + first) * width,
               (size_t)(rows * width) * sizeof(float));
}

/* Some rows of a batch as long as those of `steps` steps last, and no others with a gradient. */
struct cut {
    const struct model *whole;
    int32_t steps, first, rows;
};

static void take_gradients(const struct cut *c, float *to, const float *from, int32_t blocks,
                           int32_t width)
{
    const struct shape *s = &c->whole->shape;
    take_rows(to, from, blocks, s->batch, width, c->first, c->rows);
    for (int32_t i = 0; i < blocks * c->rows; i++)
        if (row_steps(s, c->first + i % c->rows) != c->steps)
            memset(to + i * width, 0, (size_t)width * sizeof(float));
}

static struct model *new_cut_model(const struct cut *c)
{
    const struct model *m = c->whole;
    const struct shape *s = &m->shape;
    struct shape part = *s;
    part.batch = c->rows;
    part.steps = c->steps ? c->steps : 1;
    part.lengths = NULL;
    struct model *a = new_model(&part, 0);
    set_params(a->stack, m->params);
    take_rows(a->x, m->x, c->steps, s->batch, s->sizes[0], c->first, c->rows);
    take_gradients(c, a->dy, m->dy, c->steps, output_size(s));
    take_gradients(c, a->dh_top, m->dh_top, c->steps, top_size(s));
    take_gradients(c, a->dc_top, m->dc_top, c->steps, top_cells(s));
    FOR_EACH_BLOCK(s, take_rows(a->initial_state + c->rows * offset,
                                m->initial_state + s->batch * offset, 1, s->batch, width, c->first,
                                c->rows));
    FOR_EACH_BLOCK(s, take_gradients(c, a->dfinal_state + c->rows * offset,
                                     m->dfinal_state + s->batch * offset, 1, width));
    return a;
}

/* The rows that last so long, `blocks` of them, in the cut and in the whole batch. */
static void check_rows(const struct cut *c, const char *what, const float *got,
                       const float *expected, int32_t blocks, int32_t width)
{
    const struct shape *s = &c->whole->shape;
    const size_t count = (size_t)(blocks * c->rows * width);
    double *wide = test_calloc(count + 1, sizeof *wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)expected[i];
    const double tolerance = 4e-6 * (1 + largest(wide, count));
    for (int32_t i = 0; i < blocks * c->rows; i++) {
        const int32_t row = c->first + i % c->rows;
        if (row_steps(s, row) == c->steps)
            assert_near(what, got + (i / c->rows * s->batch + row) * width, wide + i * width,
                        (size_t)width, tolerance);
    }
    test_free(wide);
}

/* A batch whose rows end, in windows, against a cut of it; adds that one's gradients. */
static void check_cut(const struct cut *c, const struct results *got, int32_t window,
                      double *dparams)
{
    const struct shape *s = &c->whole->shape;
    const int32_t windows = (s->steps + window - 1) / window;
    const int32_t walked = (c->steps + window - 1) / window;
    struct model *a = new_cut_model(c);
    struct results *r = new_results(&a->shape);
    if (c->steps)
        run_in_windows(a, window, window, r);
    else
        memcpy(r->final_state, a->initial_state, state_numbers(&a->shape) * sizeof(float));
    /* In a window that begins past the end, the final gradient is the initial one. */
    for (size_t i = 0; i < state_numbers(&a->shape); i++)
        r->dinitial_state[i] += (float)(windows - walked) * a->dfinal_state[i];

    check_rows(c, "y", got->y, r->y, c->steps, output_size(s));
    check_rows(c, "h", got->h_top, r->h_top, c->steps, top_size(s));
    check_rows(c, "c", got->c_top, r->c_top, c->steps, top_cells(s));
    check_rows(c, "dx", got->dx, r->dx, c->steps, s->sizes[0]);
    FOR_EACH_BLOCK(s, check_rows(c, "final state", got->final_state + s->batch * offset,
                                 r->final_state + c->rows * offset, 1, width));
    FOR_EACH_BLOCK(s, check_rows(c, "dinitial state", got->dinitial_state + s->batch * offset,
                                 r->dinitial_state + c->rows * offset, 1, width));
    for (size_t i = 0; dparams && i < param_numbers(s); i++)
        dparams[i] += (double)r->dparams[i];
    free_results(r);
    free_model(a);
}

/* Each row stops at its end, as if the batch did: then there are no others. Without masks, which know
   the row, also as if it had been alone. */
static void check_against_cuts(const struct model *m, const struct results *got, int32_t window)
{
    const struct shape *s = &m->shape;
    const size_t count = param_numbers(s);
    double *dparams = test_calloc(count, sizeof *dparams);
    for (int32_t steps = 0; steps <= s->steps; steps++)
        check_cut(&(struct cut){m, steps, 0, s->batch}, got, window, dparams);
    assert_near("dparams", got->dparams, dparams, count, 1e-6 + 1e-5 * largest(dparams, count));
    for (int32_t row = 0; !s->training && row < s->batch; row += s->batch / 2)
        check_cut(&(struct cut){m, row_steps(s, row), row, 1}, got, window, NULL);
    test_free(dparams);
}

static void check_zero(const char *what, const struct shape *s, const float *got, int32_t width)
{
    for (int32_t row = 0; row < s->batch; row++)
        for (int32_t t = row_steps(s, row); t < s->steps; t++)
            for (int32_t k = 0; k < width; k++)
                if (got[(t * s->batch + row) * width + k] != 0)
                    fail_msg("%s is not 0 at step %d of row %d", what, (int)t, (int)row);
}

/* A copy of [T,B,width] in which nothing past the end of a row may be read. */
static float *poisoned(const struct shape *s, const float *values, int32_t width)
{
    const size_t count = (size_t)(s->steps * s->batch * width);
    float *copy = floats(count);
    memcpy(copy, values, count * sizeof(float));
    for (int32_t row = 0; row < s->batch; row++)
        for (int32_t t = row_steps(s, row); t < s->steps; t++)
            for (int32_t k = 0; k < width; k++)
                copy[(t * s->batch + row) * width + k] = NAN;
    return copy;
}

static void check_lengths(struct subject *p, int32_t window)
{
    const struct model *const m = p->m;
    const struct shape *s = &m->shape;
    struct model cut = *m;
    cut.x = poisoned(s, m->x, s->sizes[0]);
    cut.dy = poisoned(s, m->dy, output_size(s));
    cut.dh_top = poisoned(s, m->dh_top, top_size(s));
    cut.dc_top = poisoned(s, m->dc_top, top_cells(s));
    for (int32_t threads = 1; threads <= MOST_THREADS; threads++) {
        share_passes(m->state, (threads + s->training) % 2 ? BY_PANELS : BY_ROWS);
        assert_ok(mlstm_state_set_threads(m->state, threads));
        run_in_windows(&cut, window, is_bidirectional(s) ? window : threads, p->other);
        assert_shared(m->state);
        if (threads == 1)
            run_in_windows(&cut, window, window, p->whole);
        assert_same_results(s, p->other, p->whole);
    }
    check_against_cuts(m, p->whole, window);
    check_zero("y", s, p->whole->y, output_size(s));
    check_zero("h", s, p->whole->h_top, top_size(s));
    check_zero("c", s, p->whole->c_top, top_cells(s));
    check_zero("dx", s, p->whole->dx, s->sizes[0]);
    test_free(cut.x);
    test_free(cut.dy);
    test_free(cut.dh_top);
    test_free(cut.dc_top);
}

/* From more than all steps down to none: longest first, mixed, or shortest first. */
enum { ORDERS = 3 };

static void set_lengths(int32_t *lengths, const struct shape *s, int32_t order)
{
    for (int32_t row = 0; row < s->batch; row++) {
        const int32_t places[ORDERS] = {row, 2 * row % s->batch, s->batch - 1 - row};
        lengths[row] = (s->steps + 2) * (s->batch - 1 - places[order]) / (s->batch - 1);
    }
}

/* Each row stops at its own end, as if it were alone: in one window and in several, with masks and
   without, in steps and parts, for every number of threads. */
static void rows_end_as_if_alone(struct subject *p)
{
    int32_t lengths[MOST_ROWS];
    p->m->shape.lengths = lengths;
    for (int32_t order = 0; order < (SLOW ? 1 : ORDERS); order++) {
        set_lengths(lengths, &p->s, order);
        for (int32_t training = 0; training < 2; training++) {
            p->m->shape.training = training;
            check_lengths(p, (order + training) % 2 ? 3 : p->s.steps);
        }
    }
}

static void spoil_row(const struct shape *s, float *state, int32_t row)
{
    FOR_EACH_BLOCK(s, for (int32_t u = 0; u < width; u++)
                          state[s->batch * offset + row * width + u] = NAN);
}

/* NaN in the state of a row that has ended already is nobody else's. */
static void ended_rows_keep_their_nan(struct subject *p)
{
    struct shape *s = &p->m->shape;
    int32_t lengths[MOST_ROWS];
    for (int32_t row = 0; row < s->batch; row++)
        lengths[row] = row == s->batch / 2 ? 0 : s->steps;
    s->lengths = lengths;
    run_model(p->m, p->m->state, p->m->grads, p->whole);
    spoil_row(s, p->m->initial_state, s->batch / 2);
    run_model(p->m, p->m->state, p->m->grads, p->other);
    assert_same_bits("y", p->other->y, p->whole->y, y_numbers(s));
    assert_same_bits("dx", p->other->dx, p->whole->dx, x_numbers(s));
    assert_same_bits("dparams", p->other->dparams, p->whole->dparams, param_numbers(s));
    assert_same_bits("dinitial state", p->other->dinitial_state, p->whole->dinitial_state,
                     state_numbers(s));
}

/* Lengths that nothing reaches are as good as none. */
static void far_ends_change_nothing(struct subject *p)
{
    int32_t lengths[MOST_ROWS];
    for (int32_t row = 0; row < p->s.batch; row++)
        lengths[row] = row % 2 ? p->s.steps : INT32_MAX;
    p->m->shape.lengths = lengths;
    run_model(p->m, p->m->state, p->m->grads, p->other);
    assert_same_results(&p->s, p->other, p->whole);
}

static void check_unmoved(struct subject *p, const struct results *got)
{
    const struct model *m = p->m;
    const double *zeros =
        test_calloc(param_numbers(&p->s) + y_numbers(&p->s) + x_numbers(&p->s), sizeof *zeros);
    assert_near("y", got->y, zeros, y_numbers(&p->s), 0);
    assert_near("dx", got->dx, zeros, x_numbers(&p->s), 0);
    assert_near("dparams", got->dparams, zeros, param_numbers(&p->s), 0);
    assert_same_bits("final state", got->final_state, m->initial_state, state_numbers(&p->s));
    assert_same_bits("dinitial state", got->dinitial_state, m->dfinal_state, state_numbers(&p->s));
    test_free((void *)zeros);
}

/* Rows that have all ended stay as they are, and their gradient passes by. */
static void nothing_is_nothing(struct subject *p)
{
    static const int32_t none[MOST_ROWS];
    p->m->shape.lengths = none;
    run_model(p->m, p->m->state, p->m->grads, p->other);
    check_unmoved(p, p->other);
}

/* Inference stops at the same ends. */
static void inference_ends_too(struct subject *p)
{
    int32_t lengths[MOST_ROWS];
    mlstm_state *inference;
    p->m->shape.lengths = lengths;
    set_lengths(lengths, &p->s, 1);
    assert_ok(mlstm_state_create(p->m->stack, p->s.batch, 0, &inference));
    run_model(p->m, p->m->state, p->m->grads, p->whole);
    begin_model(p->m, inference);
    for (int32_t t = 0; t < p->s.steps; t++)
        assert_ok(mlstm_step_forward(p->m->stack, inference,
                                     p->m->x + t * p->s.batch * p->s.sizes[0],
                                     p->other->y + t * p->s.batch * output_size(&p->s)));
    assert_ok(mlstm_state_get(inference, p->other->final_state, state_numbers(&p->s)));
    assert_same_bits("y", p->other->y, p->whole->y, y_numbers(&p->s));
    assert_same_bits("final state", p->other->final_state, p->whole->final_state,
                     state_numbers(&p->s));
    mlstm_state_destroy(inference);
}

/* What begins anew has no end: the results are those of a state that never had one. */
static void ends_are_forgotten(void **unused)
{
    (void)unused;
    const struct shape s = {3, 4, 2, {2, 5, 6}, 0, 0, 1};
    static const int32_t lengths[] = {1, 0, 3};
    struct model *m = new_model(&s, 1);
    struct results *expected = new_results(&s), *got = new_results(&s);
    run_model(m, m->state, m->grads, expected);
    for (int how = 0; how < 4; how++) {
        assert_ok(mlstm_state_zero(m->state));
        assert_ok(mlstm_state_set_lengths(m->state, lengths, 3));
        if (how == 0)
            assert_ok(mlstm_state_zero(m->state));
        else if (how == 1)
            assert_ok(mlstm_state_begin_sequence(m->stack, m->state));
        else if (how == 2)
            assert_ok(mlstm_state_set_lengths(m->state, NULL, 0));
        for (int32_t l = 0; l < 2 && how < 3; l++) {
            const float *layer = m->initial_state + (l ? 2 * 3 * 5 : 0);
            assert_ok(mlstm_state_set_layer(m->state, l, layer, layer + 3 * s.sizes[l + 1]));
        }
        if (how == 3)
            assert_ok(mlstm_state_set(m->state, m->initial_state, state_numbers(&s)));
        assert_ok(mlstm_forward(m->stack, m->state, m->x, s.steps, got->y));
        assert_same_bits("y", got->y, expected->y, y_numbers(&s));
    }
    free_results(expected);
    free_results(got);
    free_model(m);
}

/* Overlapping windows: K1 steps forward, then back through K2, once for each of the windows. */
enum { K1 = 5, K2 = 8, WINDOWS = 4, ALL = K1 * WINDOWS };

/* What the last window should be: the state before it, set in another state, and K2 steps on. */
static void run_last_window(const struct model *m, const float *x, struct results *out)
{
    const struct shape *s = &m->shape;
    const int32_t before = ALL - K2;
    int32_t left[MOST_ROWS];
    float *tensor = floats(state_numbers(s));
    mlstm_state *inference;
    assert_ok(mlstm_state_create(m->stack, s->batch, 0, &inference));
    begin_model(m, inference);
    assert_ok(mlstm_forward(m->stack, inference, x, before, NULL));
    assert_ok(mlstm_state_get(inference, tensor, state_numbers(s)));
    mlstm_state_destroy(inference);

    begin_model(m, m->state);
    for (int32_t t = 0; t < before; t++) { /* so that masks are those of the steps to come */
        assert_ok(mlstm_state_begin_window(m->state));
        assert_ok(mlstm_step_forward(m->stack, m->state, x, NULL));
    }
    assert_ok(mlstm_state_set(m->state, tensor, state_numbers(s)));
    for (int32_t row = 0; s->lengths && row < s->batch; row++)
        left[row] = s->lengths[row] > before ? s->lengths[row] - before : 0;
    if (s->lengths)
        assert_ok(mlstm_state_set_lengths(m->state, left, (size_t)s->batch));
    assert_ok(mlstm_forward(m->stack, m->state, x + before * s->batch * s->sizes[0], K2, out->y));
    test_free(tensor);
}

static void run_overlapping(const struct model *m, const float *x, struct results *out)
{
    const struct shape *s = &m->shape;
    begin_model(m, m->state);
    for (int32_t window = 0; window < WINDOWS; window++) {
        const int32_t kept = window ? K2 - K1 : 0;
        assert_ok(mlstm_state_keep_steps(m->state, kept));
        assert_int_equal(mlstm_state_steps(m->state), kept);
        assert_ok(mlstm_forward(m->stack, m->state, x + window * K1 * s->batch * s->sizes[0], K1,
                                out->y + kept * s->batch * output_size(s)));
        assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, state_numbers(s)));
        assert_ok(mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, NULL, NULL));
    }
}

static void go_back(const struct model *m, const float *dfinal, struct results *out)
{
    const size_t size = state_numbers(&m->shape);
    assert_int_equal(mlstm_state_steps(m->state), K2);
    if (dfinal)
        assert_ok(mlstm_state_set_final_grad(m->state, dfinal, size));
    assert_ok(mlstm_state_get_top(m->state, out->c_top, out->h_top));
    assert_ok(mlstm_state_get(m->state, out->final_state, size));
    assert_ok(mlstm_grads_zero(m->grads));
    assert_ok(mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, out->dx, m->grads));
    assert_ok(mlstm_state_get_initial_grad(m->state, out->dinitial_state, size));
    get_grads(m->stack, m->grads, out->dparams);
}

static void check_overlap(const struct shape *s, const float *x)
{
    struct model *m = new_model(s, 1);
    struct results *expected = new_results(s), *got = new_results(s);
    const int32_t kept = (K2 - K1) * s->batch * output_size(s);
    const size_t fresh = y_numbers(s) - (size_t)kept;
    run_last_window(m, x, expected);
    go_back(m, m->dfinal_state, expected);
    run_overlapping(m, x, got);
    assert_same_bits("y", got->y + kept, expected->y + kept, fresh);
    memcpy(got->y, expected->y, y_numbers(s) * sizeof(float));
    go_back(m, m->dfinal_state, got);
    assert_same_results(s, got, expected);

    /* A window that keeps all its steps is the same one, without the gradient of its end. */
    assert_ok(mlstm_state_set_final_grad(m->state, NULL, 0));
    go_back(m, NULL, expected);
    assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, state_numbers(s)));
    assert_ok(mlstm_state_keep_steps(m->state, K2));
    go_back(m, NULL, got);
    assert_same_results(s, got, expected);
    free_results(expected);
    free_results(got);
    free_model(m);
}

static void windows_overlap(struct subject *p)
{
    struct shape s = p->s;
    int32_t lengths[MOST_ROWS];
    struct random random = {7};
    float *x = random_floats(&random, (size_t)(ALL * s.batch * s.sizes[0]), -1, 1);
    s.steps = ALL;
    set_lengths(lengths, &s, 1);
    s.steps = K2;
    check_overlap(&s, x);
    s.lengths = lengths;
    check_overlap(&s, x);
    test_free(x);
}

/* The state that a sequence begins with, for all rows: learned c and h, or 0. */
static float *first_state(const struct model *m)
{
    const struct shape *s = &m->shape;
    float *tensor = floats(state_numbers(s)), *block = tensor;
    for (int32_t l = 0; l < s->layers; l++) {
        for (int32_t k = 0; k < 2 * layer_directions(s, l); k++) {
            const int32_t width = k % 2 ? layer_recurrent(s, l) : layer_hidden(s, l);
            char name[60];
            snprintf(name, sizeof name, "layer%d.%sinitial_%c", (int)l, k < 2 ? "" : "reverse.",
                     k % 2 ? 'h' : 'c');
            if (s->options[l].learned)
                assert_ok(mlstm_stack_get_param(m->stack, name, block, (size_t)width));
            for (int32_t row = 1; row < s->batch; row++)
                memcpy(block + row * width, block, (size_t)width * sizeof(float));
            block += s->batch * width;
        }
    }
    return tensor;
}

/* The gradient of each learned number is the sum over rows of that of the state. */
static void check_learned_gradient(const struct model *m, const struct results *got, int there)
{
    const struct shape *s = &m->shape;
    const float *block = got->dinitial_state;
    for (int32_t l = 0; l < s->layers; l++) {
        for (int32_t k = 0; k < 2 * layer_directions(s, l); k++) {
            const int32_t width = k % 2 ? layer_recurrent(s, l) : layer_hidden(s, l);
            double *sum = test_calloc((size_t)width, sizeof *sum);
            float *gradient = floats((size_t)width);
            char name[60];
            snprintf(name, sizeof name, "layer%d.%sinitial_%c", (int)l, k < 2 ? "" : "reverse.",
                     k % 2 ? 'h' : 'c');
            for (int32_t i = 0; there && i < s->batch * width; i++)
                sum[i % width] += (double)block[i];
            assert_ok(mlstm_grads_get(m->grads, name, gradient, (size_t)width));
            assert_near(name, gradient, sum, (size_t)width,
                        there ? 1e-6 + 1e-5 * largest(sum, (size_t)width) : 0);
            block += s->batch * width;
            test_free(sum);
            test_free(gradient);
        }
    }
}

static void sequences_begin_as_learned(struct subject *p)
{
    struct model *const m = p->m;
    int32_t lengths[MOST_ROWS];
    float *first = first_state(m);
    set_lengths(lengths, &p->s, 1);
    for (int ends = 0; ends < 2; ends++) {
        m->shape.lengths = ends ? lengths : NULL;
        m->shape.begins = 1;
        run_model(m, m->state, m->grads, p->whole);
        check_learned_gradient(m, p->whole, 1);
        /* Windows that begin before the first step begin with the same state. */
        begin_model(m, m->state);
        assert_ok(mlstm_state_begin_window(m->state));
        assert_ok(mlstm_state_keep_steps(m->state, 0));
        assert_ok(mlstm_forward(m->stack, m->state, m->x, p->s.steps, NULL));
        assert_ok(mlstm_state_set_final_grad(m->state, m->dfinal_state, state_numbers(&p->s)));
        assert_ok(mlstm_grads_zero(m->grads));
        assert_ok(mlstm_backward(m->stack, m->state, m->dy, m->dh_top, m->dc_top, NULL, m->grads));
        check_learned_gradient(m, p->whole, 1);
        /* In the next window, these parameters have no part. */
        assert_ok(mlstm_state_begin_window(m->state));
        assert_ok(mlstm_forward(m->stack, m->state, m->x, p->s.steps, NULL));
        assert_ok(mlstm_grads_zero(m->grads));
        assert_ok(mlstm_backward(m->stack, m->state, m->dy, NULL, NULL, NULL, m->grads));
        check_learned_gradient(m, p->whole, 0);
        /* Nor where c or h of a layer was set. */
        begin_model(m, m->state);
        assert_ok(mlstm_state_set_layer(m->state, 0, NULL, NULL));
        assert_ok(mlstm_forward(m->stack, m->state, m->x, p->s.steps, NULL));
        assert_ok(mlstm_grads_zero(m->grads));
        assert_ok(mlstm_backward(m->stack, m->state, m->dy, NULL, NULL, NULL, m->grads));
        check_learned_gradient(m, p->whole, 0);
        /* A state that was only set to the same numbers has the same, but for this gradient. */
        struct model set = *m;
        set.shape.begins = 0;
        set.initial_state = first;
        run_model(&set, m->state, m->grads, p->other);
        check_learned_gradient(&set, p->other, 0);
        memcpy(p->other->dparams, p->whole->dparams, param_numbers(&p->s) * sizeof(float));
        assert_same_results(&p->s, p->other, p->whole);
    }
    test_free(first);
}

/* Without a learned state a sequence begins with 0. */
static void others_begin_with_zero(void **unused)
{
    (void)unused;
    const struct shape s = {3, 4, 2, {2, 5, 6}, 0, 0, 1};
    struct shape half = s;
    half.options[1].learned = half.begins = 1;
    const struct shape *const shapes[] = {&s, &half};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct model *m = new_model(shapes[i], 1);
        const size_t size = state_numbers(&s);
        float *got = floats(size), *expected = first_state(m);
        assert_ok(mlstm_state_set(m->state, m->initial_state, size));
        assert_ok(mlstm_state_begin_sequence(m->stack, m->state));
        assert_ok(mlstm_state_get(m->state, got, size));
        assert_same_bits("state", got, expected, size);
        test_free(got);
        test_free(expected);
        free_model(m);
    }
}

int main(void)
{
    /* The first is the one with threads. */
    static const struct property properties[] = {
        {"rows end as if alone", rows_end_as_if_alone, NULL},
        {"far ends change nothing", far_ends_change_nothing, NULL},
        {"ended rows keep their NaN", ended_rows_keep_their_nan, NULL},
        {"nothing is nothing", nothing_is_nothing, NULL},
        {"inference ends too", inference_ends_too, is_one_way},
        {"windows overlap", windows_overlap, is_one_way},
        {"sequences begin as learned", sequences_begin_as_learned, is_learned},
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(ends_are_forgotten),
        cmocka_unit_test(others_begin_with_zero),
    };
    return run_properties("sequences", properties, THREAD_SANITIZER ? 1 : COUNT(properties), others,
                          COUNT(others));
}
