/* SPDX-License-Identifier: MIT */

/*
 * Iterations of the echo task. Each window is recomputed twice: from the parameters, accumulators
 * and state that the file gives before it, and in one chain from the first window on.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden_check.h"

/* A network in training. */
struct run {
    mlstm_stack *stack;
    mlstm_state *state;
    mlstm_grads *grads;
    mlstm_optimizer *optimizer;
    float *logits, *predictions, *dlogits, loss;
};

struct echo {
    struct report *report;
    const struct golden_file *file;
    int32_t layers, batch, steps, hidden, classes;
    size_t state, rows; /* numbers in the state tensor [L,2,B,H]; T*B */
    struct run given, chained;
    float *x;              /* [T,B,1] of the window at hand */
    int32_t *labels;       /* [T,B] */
    char before[64];       /* where the file has the parameters before the window at hand... */
    char slots_before[64]; /* ...and the accumulators; empty at the start of training */
    const char *x_series, *y_series; /* bits of the first epoch; NULL where the file has none */
    int32_t index;                   /* of the window before the one at hand; -1 at first */
    int epochs;                      /* that began since the first window of the file */
};

/* Whether some path of the file has this in it. */
static int appears(const struct golden_file *file, const char *part)
{
    for (size_t i = 0; i < file->count; i++)
        if (strstr(file->records[i].path, part))
            return 1;
    return 0;
}

/* The rate as float32, from either of the two places where files have it. */
static float learning_rate(struct report *report)
{
    return (float)number_or(report, "config/learning_rate", number_or(report, "adagrad/lr", 0.3));
}

static float first_accumulator(struct report *report)
{
    return (float)number_or(report, "config/initial_accumulator_value",
                            number_or(report, "adagrad/initial_accumulator_value", 0.1));
}

/* From the shapes of one window's predictions [T,B,O] and state [L,2,B,H]. */
static int find_sizes(struct echo *e, const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "windows/%s/predictions", name);
    const struct golden_record *predictions = golden_find(e->file, path);
    snprintf(path, sizeof path, "windows/%s/init_state", name);
    const struct golden_record *state = golden_find(e->file, path);
    if (!predictions || predictions->rank != 3 || !state || state->rank != 4 ||
        state->dims[1] != 2 || state->dims[2] != predictions->dims[1]) {
        report_failure(e->report,
                       "windows/%s has no predictions [T,B,O] or no init_state [L,2,B,H]", name);
        return 0;
    }
    e->layers = (int32_t)state->dims[0];
    e->batch = (int32_t)state->dims[2];
    e->hidden = (int32_t)state->dims[3];
    e->steps = (int32_t)predictions->dims[0];
    e->classes = (int32_t)predictions->dims[2];
    e->state = state->count;
    e->rows = (size_t)e->steps * (size_t)e->batch;
    return 1;
}

/* A file has all settings or, then the README's hold, none; those of the series come with it. */
static void check_config(const struct echo *e)
{
    struct report *report = e->report;
    if (!appears(e->file, "config/"))
        return;
    expect_number(report, "config/num_layers", e->layers);
    expect_number(report, "config/batch_size", e->batch);
    expect_number(report, "config/state_size", e->hidden);
    expect_number(report, "config/truncated_backprop_length", e->steps);
    expect_number(report, "config/num_classes", e->classes);
    expect_record(report, 1, "config/learning_rate");
    expect_record(report, 1, "config/initial_accumulator_value");
    expect_record(report, 1, "config/forget_bias");
    if (!appears(e->file, "_series_bits"))
        return;
    expect_record(report, 1, "config/echo_step");
    const struct golden_record *length = expect_record(report, 1, "config/total_series_length");
    if (length)
        expect_number(report, "config/num_batches",
                      floor(floor(length->values[0] / e->batch) / e->steps));
}

/* As far as the file has it. */
static void check_adagrad(const struct echo *e)
{
    struct report *report = e->report;
    const float rate = learning_rate(report), first = first_accumulator(report);
    if (number_or(report, "adagrad/epsilon", 0) != 0)
        report_failure(report, "adagrad/epsilon is not 0");
    if ((float)number_or(report, "adagrad/lr", (double)rate) != rate)
        report_failure(report, "adagrad/lr and config/learning_rate differ");
    if ((float)number_or(report, "adagrad/initial_accumulator_value", (double)first) != first)
        report_failure(report, "the two values of initial_accumulator_value differ");
}

/* The bits at that path, `length` of them; NULL, reported, where they are not there. */
static const char *find_series(const struct echo *e, const char *path, double length)
{
    const struct golden_record *series = golden_find(e->file, path);
    if (series && series->text && (double)strlen(series->text) == length &&
        strspn(series->text, "01") == strlen(series->text))
        return series->text;
    report_failure(e->report, "%s does not have %g bits", path, length);
    return NULL;
}

/* y is x rolled right by echo_step, its beginning 0. */
static void check_series(struct echo *e)
{
    if (!appears(e->file, "_series_bits"))
        return;
    const double length = number_or(e->report, "config/total_series_length", 50000);
    const double step = number_or(e->report, "config/echo_step", 3);
    e->x_series = find_series(e, "x_series_bits", length);
    e->y_series = find_series(e, "y_series_bits", length);
    if (!is_whole(e->report, "config/echo_step", step) || !e->x_series || !e->y_series)
        return;
    const size_t echo_step = (size_t)step;
    for (size_t i = 0; e->y_series[i]; i++)
        if (e->y_series[i] != (i < echo_step ? '0' : e->x_series[i - echo_step])) {
            report_failure(e->report, "y_series_bits is no echo of x_series_bits at %zu", i);
            return;
        }
}

/* What the library calls a parameter, how many numbers it has, and what the file calls it. */
static size_t param(const struct echo *e, int32_t index, const char **name, char in_file[40])
{
    static const char *const readout[] = {"W1", "W2", "b2"};
    int32_t rank, shape[2];
    must(mlstm_stack_param_info(e->given.stack, index, name, &rank, shape));
    if (index >= 2 * e->layers)
        snprintf(in_file, 40, "%s", readout[index - 2 * e->layers]);
    else
        snprintf(in_file, 40, "%s_%d", index % 2 ? "bias" : "kernel", index / 2);
    return (size_t)shape[0] * (size_t)shape[1];
}

static int32_t param_count(const struct echo *e)
{
    return mlstm_stack_param_count(e->given.stack);
}

static void start_run(const struct echo *e, struct run *run)
{
    run->stack = uniform_stack(e->layers, 1, e->hidden,
                               (float)number_or(e->report, "config/forget_bias", 1), e->classes);
    must(mlstm_state_create(run->stack, e->batch, e->steps, &run->state));
    must(mlstm_grads_create(run->stack, &run->grads));
    must(mlstm_adagrad_create(run->stack, learning_rate(e->report), first_accumulator(e->report),
                              &run->optimizer));
    run->logits = zeroed(e->rows * (size_t)e->classes, sizeof(float));
    run->predictions = zeroed(e->rows * (size_t)e->classes, sizeof(float));
    run->dlogits = zeroed(e->rows * (size_t)e->classes, sizeof(float));
}

static void end_run(struct run *run)
{
    mlstm_optimizer_destroy(run->optimizer);
    mlstm_grads_destroy(run->grads);
    mlstm_state_destroy(run->state);
    mlstm_stack_destroy(run->stack);
    free(run->logits);
    free(run->predictions);
    free(run->dlogits);
}

/* Takes parameters and accumulators from where the file has them before the window at hand. */
static void set_run(const struct echo *e, struct run *run)
{
    for (int32_t i = 0; i < param_count(e); i++) {
        const char *name;
        char in_file[40];
        const size_t count = param(e, i, &name, in_file);
        float *values =
            floats_of(expect_record(e->report, count, "%s/%s", e->before, in_file), count);
        must(mlstm_stack_set_param(run->stack, name, values, count));
        free(values);
        if (!*e->slots_before)
            continue;
        values =
            floats_of(expect_record(e->report, count, "%s/%s", e->slots_before, in_file), count);
        must(mlstm_optimizer_set_slot(run->optimizer, "accumulator", name, values, count));
        free(values);
    }
}

/* One iteration of training on the window at hand. */
static void step_run(const struct echo *e, struct run *run)
{
    must(mlstm_state_begin_window(run->state));
    must(mlstm_forward(run->stack, run->state, e->x, e->steps, run->logits));
    must(mlstm_softmax_cross_entropy(run->logits, e->labels, e->rows, e->classes, run->predictions,
                                     run->dlogits, &run->loss));
    must(mlstm_grads_zero(run->grads));
    must(mlstm_backward(run->stack, run->state, run->dlogits, NULL, NULL, NULL, run->grads));
    must(mlstm_apply_grads(run->optimizer, run->stack, run->grads));
}

/* x and y of a window, [B,T] in the file, into [T,B]; 0 where they are missing or no bits. */
static int read_window(struct echo *e, const char *name)
{
    const struct golden_record *x = expect_record(e->report, e->rows, "windows/%s/x", name);
    const struct golden_record *y = expect_record(e->report, e->rows, "windows/%s/y", name);
    if (!x || !y)
        return 0;
    for (size_t i = 0; i < e->rows; i++) {
        const size_t b = i / (size_t)e->steps, t = i % (size_t)e->steps;
        if (!(y->values[i] >= 0 && y->values[i] < e->classes) ||
            y->values[i] != floor(y->values[i])) {
            report_failure(e->report, "%s[%zu] is %g, which is no class", y->path, i, y->values[i]);
            return 0;
        }
        e->x[t * (size_t)e->batch + b] = (float)x->values[i];
        e->labels[t * (size_t)e->batch + b] = (int32_t)y->values[i];
    }
    return 1;
}

/* The window's columns of x_series or y_series, where the file has the series of this epoch. */
static void check_columns(const struct echo *e, const char *name, char which, const char *series)
{
    if (!series || e->epochs)
        return;
    const size_t steps = (size_t)e->steps, width = strlen(series) / (size_t)e->batch;
    const size_t first = (size_t)e->index * steps;
    const struct golden_record *window =
        expect_record(e->report, e->rows, "windows/%s/%c", name, which);
    if (first + steps > width) {
        report_failure(e->report, "windows/%s is index %d, beyond the series", name, e->index);
        return;
    }
    for (size_t i = 0; window && i < e->rows; i++)
        if (window->values[i] != series[i / steps * width + first + i % steps] - '0') {
            report_failure(e->report, "%s[%zu] is not what %c_series_bits has", window->path, i,
                           which);
            return;
        }
}

/* Predictions of a half may fall to either side. */
static void check_correct(const struct echo *e, const char *name)
{
    if (!appears(e->file, "/correct"))
        return;
    const struct golden_record *record = expect_record(e->report, 1, "windows/%s/correct", name);
    int surely = 0, possibly = 0;
    for (size_t row = 0; row < e->rows; row++) {
        const double p = (double)e->given.predictions[row * (size_t)e->classes];
        const int is_zero = e->labels[row] == 0;
        surely += is_zero ? p > 0.5 + 2e-6 : p < 0.5 - 2e-6;
        possibly += is_zero ? p >= 0.5 - 2e-6 : p <= 0.5 + 2e-6;
    }
    if (record && !(record->values[0] >= surely && record->values[0] <= possibly))
        report_failure(e->report, "%s is %g, recomputed %d to %d", record->path, record->values[0],
                       surely, possibly);
}

static void compare_params(const struct echo *e, const struct run *run, const char *place,
                           enum kind kind)
{
    for (int32_t i = 0; i < param_count(e); i++) {
        const char *name;
        char in_file[40];
        const size_t count = param(e, i, &name, in_file);
        float *values = zeroed(count, sizeof *values);
        must(kind == ECHO_GRADIENTS ? mlstm_grads_get(run->grads, name, values, count)
             : kind == PARAMETERS || kind == CHAINED_PARAMETERS
                 ? mlstm_stack_get_param(run->stack, name, values, count)
                 : mlstm_optimizer_get_slot(run->optimizer, "accumulator", name, values, count));
        compare(e->report, kind, expect_record(e->report, count, "%s/%s", place, in_file), values);
        free(values);
    }
}

/* The window's place in its epoch; 0 where it is missing or no such number. */
static int read_index(const struct echo *e, const char *name, int32_t *index)
{
    const struct golden_record *record = expect_record(e->report, 1, "windows/%s/index", name);
    if (!record || !is_whole(e->report, record->path, record->values[0]))
        return 0;
    *index = (int32_t)record->values[0];
    return 1;
}

/* The state before the window: carried from the window before, or 0 where an epoch begins. */
static void check_carried(struct echo *e, const char *name, int32_t index,
                          const struct golden_record *initial)
{
    float *carried = zeroed(e->state, sizeof *carried);
    if (e->index >= 0 && index - 1 == e->index)
        must(mlstm_state_get(e->given.state, carried, e->state));
    else if (e->index >= 0 && index == 0)
        e->epochs++;
    else if (e->index >= 0)
        report_failure(e->report, "windows/%s is index %d and comes after %d", name, index,
                       e->index);
    if (e->index >= 0)
        compare(e->report, STATE, initial, carried);
    if (e->index < 0 || index == 0) {
        float *values = floats_of(initial, e->state);
        must(mlstm_state_set(e->chained.state, values, e->state));
        free(values);
    }
    e->index = index;
    free(carried);
}

static void check_given(struct echo *e, const char *name, const struct golden_record *initial)
{
    struct report *report = e->report;
    float *state = floats_of(initial, e->state);
    char place[64];
    set_run(e, &e->given);
    must(mlstm_state_set(e->given.state, state, e->state));
    step_run(e, &e->given);
    const double loss = (double)e->given.loss;
    compare_number(report, LOSS, expect_record(report, 1, "windows/%s/loss", name), loss);
    if (appears(e->file, "/loss_f64"))
        compare_number(report, LOSS, expect_record(report, 1, "windows/%s/loss_f64", name), loss);
    compare(report, PREDICTIONS,
            expect_record(report, e->rows * (size_t)e->classes, "windows/%s/predictions", name),
            e->given.predictions);
    must(mlstm_state_get(e->given.state, state, e->state));
    compare(report, STATE, expect_record(report, e->state, "windows/%s/final_state", name), state);
    snprintf(place, sizeof place, "windows/%s/grads", name);
    compare_params(e, &e->given, place, ECHO_GRADIENTS);
    snprintf(e->before, sizeof e->before, "windows/%s/params_after", name);
    compare_params(e, &e->given, e->before, PARAMETERS);
    snprintf(e->slots_before, sizeof e->slots_before, "windows/%s/accumulators_after", name);
    compare_params(e, &e->given, e->slots_before, ACCUMULATORS);
    free(state);
}

static void check_chained(struct echo *e, size_t position)
{
    step_run(e, &e->chained);
    compare_params(e, &e->chained, e->before, CHAINED_PARAMETERS);
    compare_params(e, &e->chained, e->slots_before, CHAINED_ACCUMULATORS);
    if (appears(e->file, "f64_trajectory/losses/"))
        compare_number(e->report, CHAINED_LOSS,
                       expect_record(e->report, 1, "f64_trajectory/losses/%zu", position),
                       (double)e->chained.loss);
}

static void check_window(struct echo *e, const char *name, size_t position)
{
    const struct golden_record *initial =
        expect_record(e->report, e->state, "windows/%s/init_state", name);
    int32_t index;
    if (!read_index(e, name, &index) || !initial || !read_window(e, name))
        return;
    check_carried(e, name, index, initial);
    check_columns(e, name, 'x', e->x_series);
    check_columns(e, name, 'y', e->y_series);
    check_given(e, name, initial);
    check_correct(e, name);
    check_chained(e, position);
}

static void check_windows(struct echo *e)
{
    char name[32] = "";
    size_t position = 0;
    strcpy(e->before, "initial_params");
    if (appears(e->file, "initial_accumulators/"))
        strcpy(e->slots_before, "initial_accumulators");
    start_run(e, &e->given);
    start_run(e, &e->chained);
    set_run(e, &e->chained);
    for (size_t at = 0; next_name(e->file, "windows/", &at, name); position++)
        check_window(e, name, position);
    if (appears(e->file, "f64_trajectory/")) {
        compare_params(e, &e->chained, "f64_trajectory/final_params", CHAINED_PARAMETERS);
        compare_params(e, &e->chained, "f64_trajectory/final_accumulators", CHAINED_ACCUMULATORS);
    }
    end_run(&e->given);
    end_run(&e->chained);
}

void check_echo(struct report *report)
{
    struct echo e = {.report = report, .file = report->file, .index = -1};
    char name[32] = "";
    size_t at = 0;
    if (!next_name(report->file, "windows/", &at, name)) {
        report_failure(report, "there are no windows");
        return;
    }
    if (!find_sizes(&e, name))
        return;
    e.x = zeroed(e.rows, sizeof *e.x);
    e.labels = zeroed(e.rows, sizeof *e.labels);
    check_config(&e);
    check_adagrad(&e);
    check_series(&e);
    check_windows(&e);
    free(e.x);
    free(e.labels);
}
