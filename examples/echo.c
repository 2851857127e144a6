/* SPDX-License-Identifier: MIT */
/*
 * The echo task: three LSTM layers read random bits and learn to say each of them again three steps
 * later. The parts are those of the TensorFlow r1.1 tutorial, in the same order and under the same
 * names; docs/echo-tutorial.md puts the two side by side.
 *
 * In the comments T is truncated_backprop_length, B batch_size and O num_classes.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mlstm/mlstm.h>

#include "echo_figure.h"
#include "random_bits.h"

/* The constants; each of them is an option. */
static int32_t num_epochs = 100;
static int32_t total_series_length = 50000;
static int32_t truncated_backprop_length = 15;
static int32_t state_size = 4;
static int32_t num_classes = 2;
static int32_t echo_step = 3;
static int32_t batch_size = 5;
static int32_t num_layers = 3;
static float learning_rate = 0.3f;
static int32_t num_batches; /* total_series_length // batch_size // truncated_backprop_length */

/* Options that the original does not have. */
static uint64_t seed = 1;
static int32_t threads = 1;
static bool quiet;
static bool log_scale;
static const char *loss_csv;
static const char *plot_target;

static _Noreturn void fail(int exit_status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("mlstm-echo: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(exit_status);
}

static void check(mlstm_status status)
{
    if (status != MLSTM_OK)
        fail(1, "%s", mlstm_last_error());
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        fail(1, "no memory for %zu times %zu bytes", count, size);
    return memory;
}

/* The data of an epoch. */
typedef struct echo_data {
    uint64_t generator;
    uint8_t *series; /* [total_series_length] */
    float *x;        /* [columns,B] */
    int32_t *y;      /* [columns,B] */
} echo_data;

/* generateData(): x is a series of fair bits, y the same bits echo_step later, both cut into B rows
   of `columns` bits. Columns are kept one after the other, so that a window, T of them, needs no
   unpacking. */
static void generate_data(echo_data *data)
{
    uint64_t bits = 0;
    for (int32_t i = 0; i < total_series_length; i++) {
        bits = i % 64 == 0 ? random_bits(&data->generator) : bits >> 1;
        data->series[i] = bits & 1;
    }
    int32_t columns = total_series_length / batch_size;
    for (int32_t row = 0, i = 0; row < batch_size; row++) {
        for (int32_t column = 0; column < columns; column++, i++) {
            size_t place = (size_t)column * (size_t)batch_size + (size_t)row;
            data->x[place] = data->series[i];
            data->y[place] = i < echo_step ? 0 : data->series[i - echo_step];
        }
    }
}

static echo_data create_data(void)
{
    size_t length = (size_t)total_series_length;
    return (echo_data){seed, allocate(length, sizeof(uint8_t)), allocate(length, sizeof(float)),
                       allocate(length, sizeof(int32_t))};
}

static void destroy_data(echo_data *data)
{
    free(data->series);
    free(data->x);
    free(data->y);
}

/* The placeholders batchX and batchY, and what an iteration makes of them. */
typedef struct window {
    int32_t epoch_idx, batch_idx;
    const float *batch_x;   /* [T,B] */
    const int32_t *batch_y; /* [T,B] */
    float total_loss;       /* before the update */
    int32_t correct;        /* bits predicted right, of T*B */
} window;

static window window_of(const echo_data *data, int32_t epoch_idx, int32_t batch_idx)
{
    size_t start = (size_t)batch_idx * (size_t)truncated_backprop_length * (size_t)batch_size;
    return (window){epoch_idx, batch_idx, data->x + start, data->y + start, 0, 0};
}

typedef struct network {
    mlstm_stack *stack;
    mlstm_state *state;
    mlstm_grads *grads;
    mlstm_optimizer *optimizer;
    float *logits;      /* [T,B,O] */
    float *predictions; /* [T,B,O], softmax of the logits */
    float *dlogits;     /* [T,B,O], gradient of the loss */
} network;

/* BasicLSTMCell for each layer, and the MultiRNNCell of them. */
static mlstm_stack *create_stack(void)
{
    mlstm_cell **cells = allocate((size_t)num_layers, sizeof *cells);
    for (int32_t layer = 0; layer < num_layers; layer++)
        check(mlstm_cell_create(layer == 0 ? 1 : state_size, state_size, &cells[layer]));
    mlstm_stack *stack = NULL;
    check(mlstm_stack_create(cells, num_layers, &stack));
    free(cells);
    return stack;
}

static network create_network(void)
{
    network net = {.stack = create_stack()};

    /* logits = c_top @ W1 + h_top @ W2 + b2, the W in [0, 1) and b2 = 0 at first. */
    check(mlstm_stack_set_readout(net.stack, num_classes, MLSTM_READOUT_C | MLSTM_READOUT_H));
    check(mlstm_stack_init(net.stack, MLSTM_GLOROT_UNIFORM, seed));
    check(mlstm_stack_init_param(net.stack, "readout.kernel_c", MLSTM_UNIFORM, 0, 1, seed));
    check(mlstm_stack_init_param(net.stack, "readout.kernel_h", MLSTM_UNIFORM, 0, 1, seed));

    /* init_state: c and h of each layer; with them goes the record of one window. */
    check(mlstm_state_create(net.stack, batch_size, truncated_backprop_length, &net.state));
    check(mlstm_state_set_threads(net.state, threads));

    /* AdagradOptimizer; TensorFlow's accumulators begin at 0.1. */
    check(mlstm_grads_create(net.stack, &net.grads));
    check(mlstm_adagrad_create(net.stack, learning_rate, 0.1f, &net.optimizer));

    size_t positions = (size_t)truncated_backprop_length * (size_t)batch_size;
    net.logits = allocate(positions, (size_t)num_classes * sizeof(float));
    net.predictions = allocate(positions, (size_t)num_classes * sizeof(float));
    net.dlogits = allocate(positions, (size_t)num_classes * sizeof(float));
    return net;
}

static void destroy_network(network *net)
{
    mlstm_optimizer_destroy(net->optimizer);
    mlstm_grads_destroy(net->grads);
    mlstm_state_destroy(net->state);
    mlstm_stack_destroy(net->stack);
    free(net->logits);
    free(net->predictions);
    free(net->dlogits);
}

/* sess.run([total_loss, train_step, current_state, predictions_series], feed_dict=...). The state
   that the last step leaves stays in the network, for the next window. */
static void train_window(network *net, window *now)
{
    size_t columns = (size_t)truncated_backprop_length, rows = (size_t)batch_size;
    size_t classes = (size_t)num_classes;

    check(mlstm_state_begin_window(net->state));
    for (size_t step = 0; step < columns; step++)
        check(mlstm_step_forward(net->stack, net->state, now->batch_x + step * rows,
                                 net->logits + step * rows * classes));
    check(mlstm_softmax_cross_entropy(net->logits, now->batch_y, columns * rows, num_classes,
                                      net->predictions, net->dlogits, &now->total_loss));
    check(mlstm_grads_zero(net->grads));
    check(mlstm_backward(net->stack, net->state, net->dlogits, NULL, NULL, NULL, net->grads));
    check(mlstm_apply_grads(net->optimizer, net->stack, net->grads));
    if (isnan(now->total_loss))
        now->total_loss = NAN; /* not -nan, as printf would have it on some machines */

    /* A prediction is 0 or 1: whether class 0 is the less likely. */
    for (size_t i = 0; i < columns * rows; i++)
        now->correct += (net->predictions[i * classes] < 0.5f) == now->batch_y[i];
}

/* Where the run stands and what it leaves behind. */
typedef struct report {
    echo_figure *figure;
    float *loss_list; /* of the whole run, for the figure; NULL without one */
    FILE *csv;        /* NULL where not wanted */
    bool on_terminal; /* then `line` is the progress line as it stands there */
    char line[160];
    double start, shown;            /* seconds */
    size_t windows;                 /* since training began */
    double loss_sum, correct, bits; /* since the epoch began */
} report;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static report open_report(void)
{
    report run = {.on_terminal = !quiet && isatty(STDERR_FILENO)};
    if (plot_target)
        run.figure = echo_figure_open(plot_target, log_scale);
    if (run.figure)
        run.loss_list = allocate((size_t)num_epochs, (size_t)num_batches * sizeof(float));
    if (loss_csv) {
        run.csv = fopen(loss_csv, "w");
        if (!run.csv)
            fail(1, "%s: %s", loss_csv, strerror(errno));
        fputs("epoch,step,loss,accuracy\n", run.csv);
    }
    run.start = run.shown = seconds();
    return run;
}

/* plot() */
static void plot(report *run, const network *net, const window *now)
{
    char title[100];
    snprintf(title, sizeof title, "Echo task: epoch %d, step %d, loss %.2g", (int)now->epoch_idx,
             (int)now->batch_idx, (double)now->total_loss);
    echo_picture picture = {title,
                            run->loss_list,
                            run->windows,
                            now->batch_x,
                            now->batch_y,
                            net->predictions,
                            truncated_backprop_length,
                            batch_size,
                            num_classes};
    echo_figure_draw(run->figure, &picture);
}

/* print(), above the progress line. */
static void print(const report *run, const char *format, ...)
{
    if (quiet)
        return;
    if (run->on_terminal)
        fputs("\r\033[K", stderr);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    if (run->on_terminal)
        fputs(run->line, stderr);
}

static void show_progress(report *run, const window *now)
{
    double time = seconds();
    double left = (double)num_epochs * num_batches - (double)run->windows;
    if (left > 0 && time - run->shown < 0.1)
        return;
    double speed = (double)run->windows / (time - run->start);
    snprintf(run->line, sizeof run->line,
             "epoch %d | loss %.5f | accuracy %.5f | %.0f iterations/s | %.1f s %s",
             (int)now->epoch_idx, run->loss_sum / (now->batch_idx + 1), run->correct / run->bits,
             speed, left > 0 ? left / speed : time - run->start, left > 0 ? "left" : "in all");
    fprintf(stderr, "\r\033[K%s%s", run->line, left > 0 ? "" : "\n");
    run->shown = time;
}

static void begin_epoch(report *run, int32_t epoch_idx)
{
    run->loss_sum = run->correct = run->bits = 0;
    print(run, "New data, epoch %d\n", (int)epoch_idx);
}

static void add_window(report *run, const network *net, const window *now)
{
    int32_t bits = truncated_backprop_length * batch_size;
    if (run->loss_list)
        run->loss_list[run->windows] = now->total_loss;
    if (run->csv)
        fprintf(run->csv, "%d,%d,%.9g,%.6f\n", (int)now->epoch_idx, (int)now->batch_idx,
                (double)now->total_loss, (double)now->correct / bits);
    run->windows++;
    run->loss_sum += (double)now->total_loss;
    run->correct += now->correct;
    run->bits += bits;
    if (now->batch_idx % 100 == 0) {
        print(run, "Step %d Batch loss %g\n", (int)now->batch_idx, (double)now->total_loss);
        if (echo_figure_is_live(run->figure))
            plot(run, net, now);
    }
    if (run->on_terminal)
        show_progress(run, now);
}

static void close_report(report *run)
{
    if (!echo_figure_close(run->figure))
        fail(1, "gnuplot could not draw %s", plot_target);
    bool failed = run->csv && ferror(run->csv);
    if (failed || (run->csv && fclose(run->csv) != 0))
        fail(1, "%s could not be written", loss_csv);
    free(run->loss_list);
}

/* The training loop: every epoch has new data and begins with a state of 0; within it the state is
   carried from window to window. Weights and accumulators last through the whole run. */
static void train(network *net, echo_data *data, report *run)
{
    window now = {0};
    for (int32_t epoch_idx = 0; epoch_idx < num_epochs; epoch_idx++) {
        generate_data(data);
        check(mlstm_state_zero(net->state));
        begin_epoch(run, epoch_idx);

        for (int32_t batch_idx = 0; batch_idx < num_batches; batch_idx++) {
            now = window_of(data, epoch_idx, batch_idx);
            train_window(net, &now);
            add_window(run, net, &now);
        }
    }
    plot(run, net, &now);
}

/* From here on, the command line. */
typedef enum option_kind { WHOLE, SEED, RATE, FLAG, FILE_NAME, PLOT } option_kind;

static const char *const argument_names[] = {"N", "N", "R", "", "FILE", "TO"};

static const struct option {
    const char *name;
    option_kind kind;
    void *value;
    int32_t smallest; /* of a WHOLE */
    const char *help;
} options[] = {
    {"num-epochs", WHOLE, &num_epochs, 1, "epochs, each with new data"},
    {"total-series-length", WHOLE, &total_series_length, 1, "bits in an epoch"},
    {"truncated-backprop-length", WHOLE, &truncated_backprop_length, 1, "steps in a window"},
    {"state-size", WHOLE, &state_size, 1, "units in a layer"},
    {"num-classes", WHOLE, &num_classes, 2, "outputs; the bits are classes 0 and 1"},
    {"echo-step", WHOLE, &echo_step, 0, "steps from a bit to its echo"},
    {"batch-size", WHOLE, &batch_size, 1, "rows that the bits are cut into"},
    {"num-layers", WHOLE, &num_layers, 1, "layers"},
    {"learning-rate", RATE, &learning_rate, 0, "Adagrad's"},
    {"seed", SEED, &seed, 0, "of weights and data"},
    {"threads", WHOLE, &threads, 1, "any number gives the same results"},
    {"plot", PLOT, &plot_target, 0, "draw with gnuplot: live, terminal, or FILE.png, .svg, .pdf"},
    {"log-scale", FLAG, &log_scale, 0, "logarithmic axes for the loss curve"},
    {"loss-csv", FILE_NAME, &loss_csv, 0, "write loss and accuracy of every window"},
    {"quiet", FLAG, &quiet, 0, "print nothing but errors"},
};

static const size_t option_count = sizeof options / sizeof options[0];

static void show_help(void)
{
    printf("Usage: mlstm-echo [OPTION]...\n"
           "Trains an LSTM to repeat random bits a few steps later.\n\n");
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        char call[48];
        snprintf(call, sizeof call, "--%s %s", option->name, argument_names[option->kind]);
        printf("  %-30s %s", call, option->help);
        if (option->kind == WHOLE)
            printf(" (%d)", (int)*(const int32_t *)option->value);
        else if (option->kind == SEED)
            printf(" (%llu)", (unsigned long long)*(const uint64_t *)option->value);
        else if (option->kind == RATE)
            printf(" (%g)", (double)*(const float *)option->value);
        putchar('\n');
    }
    puts("  --help                         this text");
}

static void set_whole(const struct option *option, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < option->smallest || number > INT32_MAX)
        fail(2, "--%s takes a whole number from %d to %d, not '%s'", option->name,
             (int)option->smallest, (int)INT32_MAX, text);
    *(int32_t *)option->value = (int32_t)number;
}

static void set_seed(const struct option *option, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || *end || strchr(text, '-'))
        fail(2, "--%s takes a whole number from 0 to %llu, not '%s'", option->name,
             (unsigned long long)UINT64_MAX, text);
    *(uint64_t *)option->value = number;
}

static void set_rate(const struct option *option, const char *text)
{
    char *end;
    float number = strtof(text, &end);
    if (end == text || *end || !(number > 0 && number <= FLT_MAX))
        fail(2, "--%s takes a number above 0, not '%s'", option->name, text);
    *(float *)option->value = number;
}

static void set_option(const struct option *option, const char *text)
{
    if (option->kind == WHOLE)
        set_whole(option, text);
    else if (option->kind == SEED)
        set_seed(option, text);
    else if (option->kind == RATE)
        set_rate(option, text);
    else if (option->kind == PLOT && !echo_figure_accepts(text))
        fail(2, "--plot takes live, terminal, or a file name in .png, .svg or .pdf, not '%s'",
             text);
    else
        *(const char **)option->value = text;
}

static const struct option *find_option(const char *argument)
{
    for (size_t i = 0; i < option_count && strncmp(argument, "--", 2) == 0; i++)
        if (strcmp(argument + 2, options[i].name) == 0)
            return &options[i];
    fail(2, "there is no option '%s'; --help lists them", argument);
}

static void parse_options(char **arguments)
{
    for (; *arguments; arguments++) {
        if (strcmp(*arguments, "--help") == 0) {
            show_help();
            exit(0);
        }
        const struct option *option = find_option(*arguments);
        if (option->kind == FLAG)
            *(bool *)option->value = true;
        else if (*++arguments)
            set_option(option, *arguments);
        else
            fail(2, "--%s needs a value", option->name);
    }
}

static void check_sizes(void)
{
    enum { MOST_LAYERS = 10000 }; /* more would take for ever, and memory without end */
    if (num_layers > MOST_LAYERS)
        fail(2, "--num-layers takes at most %d, not %d", MOST_LAYERS, (int)num_layers);
    if (total_series_length % batch_size != 0)
        fail(2, "a series of %d bits cannot be cut into %d rows of the same length",
             (int)total_series_length, (int)batch_size);
    int32_t columns = total_series_length / batch_size;
    num_batches = columns / truncated_backprop_length;
    if (num_batches == 0)
        fail(2, "a row of %d bits is shorter than a window of %d steps", (int)columns,
             (int)truncated_backprop_length);
}

int main(int argc, char **argv)
{
    parse_options(argv + (argc > 0));
    check_sizes();
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);

    network net = create_network();
    echo_data data = create_data();
    report run = open_report();
    train(&net, &data, &run);
    close_report(&run);
    destroy_data(&data);
    destroy_network(&net);
    return 0;
}
