/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Runs golden_check on the golden files, which must pass, and on spoilt copies, which must not.
 * Runs where golden/ is; the command may be given as an argument.
 */

static char command[1000];

static const char echo_file[] = "golden/echo_seed.txt", cases_file[] = "golden/cases.txt";

/* The lines of a file, to be edited; a record is a line "S path ..." or two lines "T path ...". */
struct lines {
    char **line;
    size_t count;
};

static struct lines read_lines(const char *name)
{
    struct lines lines = {0};
    FILE *stream = fopen(name, "r");
    char *line = NULL;
    size_t capacity = 0;
    assert_non_null(stream);
    while (getline(&line, &capacity, stream) > 0) {
        line[strcspn(line, "\n")] = '\0';
        lines.line = realloc(lines.line, (lines.count + 1) * sizeof *lines.line);
        lines.line[lines.count++] = strdup(line);
    }
    free(line);
    fclose(stream);
    return lines;
}

static void free_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->line[i]);
    free(lines->line);
}

static void remove_line(struct lines *lines, size_t at)
{
    free(lines->line[at]);
    memmove(&lines->line[at], &lines->line[at + 1], (--lines->count - at) * sizeof *lines->line);
}

static void replace_line(struct lines *lines, size_t at, char *line)
{
    free(lines->line[at]);
    lines->line[at] = line;
}

/* Where the record of a path begins. */
static size_t find(const struct lines *lines, const char *path)
{
    const size_t length = strlen(path);
    for (size_t i = 0; i < lines->count; i++)
        if (strlen(lines->line[i]) > length + 2 && lines->line[i][1] == ' ' &&
            strncmp(lines->line[i] + 2, path, length) == 0 && lines->line[i][2 + length] == ' ')
            return i;
    fail_msg("no %s", path);
    return 0;
}

/* The exit status of golden_check on these lines; what it prints is in `output`. */
static char output[100000];

static int run(const char *arguments)
{
    char line[1200];
    snprintf(line, sizeof line, "%s %s 2>&1", command, arguments);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    while (getc(pipe) != EOF)
        continue;
    const int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check(const struct lines *lines)
{
    char name[] = "/tmp/mlstm-golden-XXXXXX";
    const int file = mkstemp(name);
    assert_true(file >= 0);
    FILE *stream = fdopen(file, "w");
    for (size_t i = 0; i < lines->count; i++)
        fprintf(stream, "%s\n", lines->line[i]);
    fclose(stream);
    const int status = run(name);
    remove(name);
    return status;
}

/* Ways to spoil the record that begins at a line. */

static void change_a_digit(struct lines *lines, size_t at)
{
    const int tensor = lines->line[at][0] == 'T';
    char *values = tensor ? lines->line[at + 1] : strrchr(lines->line[at], ' ') + 1, *best = values;
    double largest = 0;
    for (char *value = values; *value; value += strcspn(value, " "), value += *value == ' ')
        if (fabs(strtod(value, NULL)) > largest) {
            largest = fabs(strtod(value, NULL));
            best = value;
        }
    while (largest > 0 && !(*best >= '1' && *best <= '9'))
        best++;
    *best = *best == '9' ? '8' : (char)(*best + 1);
}

static void change_the_last(struct lines *lines, size_t at)
{
    char *line = lines->line[lines->line[at][0] == 'T' ? at + 1 : at], *last = strrchr(line, ' ');
    char *changed = malloc(strlen(line) + 20);
    const double value = strtod(last, NULL);
    sprintf(changed, "%.*s %.9g", (int)(last - line), line, value + 1e-3 * (1 + fabs(value)));
    replace_line(lines, lines->line[at][0] == 'T' ? at + 1 : at, changed);
}

static void put_nan(struct lines *lines, size_t at)
{
    char *line = lines->line[lines->line[at][0] == 'T' ? at + 1 : at], *last = strrchr(line, ' ');
    char *changed = malloc(strlen(line) + 20);
    sprintf(changed, "%.*s nan", (int)(last - line), line);
    replace_line(lines, lines->line[at][0] == 'T' ? at + 1 : at, changed);
}

static void remove_record(struct lines *lines, size_t at)
{
    if (lines->line[at][0] == 'T')
        remove_line(lines, at + 1);
    remove_line(lines, at);
}

static void remove_first_line(struct lines *lines, size_t at)
{
    remove_line(lines, at);
}

static void remove_values(struct lines *lines, size_t at)
{
    remove_line(lines, at + (lines->line[at][0] == 'T'));
}

static void truncate_here(struct lines *lines, size_t at)
{
    while (lines->count > at + 1)
        remove_line(lines, lines->count - 1);
    lines->line[at][strlen(lines->line[at]) / 2] = '\0';
}

static void repeat_record(struct lines *lines, size_t at)
{
    lines->line = realloc(lines->line, (lines->count + 2) * sizeof *lines->line);
    lines->line[lines->count++] = strdup(lines->line[at]);
    if (lines->line[at][0] == 'T')
        lines->line[lines->count++] = strdup(lines->line[at + 1]);
}

static void (*const ways[])(struct lines *lines, size_t at) = {
    change_a_digit,    change_the_last, put_nan,       remove_record,
    remove_first_line, remove_values,   truncate_here, repeat_record,
};

static void spoil(const char *file, const char *path)
{
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct lines lines = read_lines(file);
        ways[i](&lines, find(&lines, path));
        if (check(&lines) != 1)
            fail_msg("%s, spoilt in way %zu at %s, gave\n%s", file, i, path, output);
        if (!strstr(output, "wrong: "))
            fail_msg("%s, spoilt in way %zu at %s, gave no sentence\n%s", file, i, path, output);
        free_lines(&lines);
    }
}

static void the_files_pass(void **state)
{
    (void)state;
    char arguments[200];
    snprintf(arguments, sizeof arguments, "%s %s", echo_file, cases_file);
    if (run(arguments) != 0)
        fail_msg("%s", output);
    assert_non_null(strstr(output, "tolerance"));
}

static void a_spoilt_echo_file_fails(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "windows/0/x",
        "windows/7/y",
        "windows/0/loss",
        "windows/19/loss",
        "windows/4/loss_f64",
        "windows/5/init_state",
        "windows/6/final_state",
        "windows/19/final_state",
        "windows/8/predictions",
        "windows/9/grads/kernel_0",
        "windows/10/grads/bias_2",
        "windows/19/grads/b2",
        "windows/11/params_after/kernel_1",
        "windows/12/params_after/W1",
        "windows/19/params_after/b2",
        "windows/13/accumulators_after/kernel_2",
        "windows/14/accumulators_after/W2",
        "windows/19/accumulators_after/b2",
        "initial_params/kernel_0",
        "initial_params/W2",
        "f64_trajectory/losses/3",
        "f64_trajectory/final_params/kernel_0",
        "f64_trajectory/final_accumulators/b2",
    };
    for (size_t i = 0; i < COUNT(paths); i++)
        spoil(echo_file, paths[i]);
}

static void a_spoilt_case_file_fails(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "cases/0/loss",
        "cases/1/x",
        "cases/3/kernels/2",
        "cases/3/biases/1",
        "cases/5/init_state",
        "cases/6/dH",
        "cases/7/dC",
        "cases/7/h_top",
        "cases/9/c_top",
        "cases/9/final_state",
        "cases/10/forget_bias",
        "cases/10/grads/x",
        "cases/11/grads/biases/3",
        "cases/13/grads/init_state",
        "cases/13/grads/kernels/0",
        "cases/13/grads/biases/1",
    };
    for (size_t i = 0; i < COUNT(paths); i++)
        spoil(cases_file, paths[i]);
}

/* Single bits, counts and settings, where a digit is all there is. */
static void a_digit_in_a_scalar_fails(void **state)
{
    (void)state;
    static const struct {
        const char *file, *path;
    } rows[] = {
        {echo_file, "config/learning_rate"}, {echo_file, "config/forget_bias"},
        {echo_file, "config/num_layers"},    {echo_file, "config/echo_step"},
        {echo_file, "adagrad/lr"},           {echo_file, "config/initial_accumulator_value"},
        {echo_file, "x_series_bits"},        {echo_file, "y_series_bits"},
        {echo_file, "windows/17/index"},     {cases_file, "cases/13/H"},
        {echo_file, "config/batch_size"},    {echo_file, "config/truncated_backprop_length"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lines lines = read_lines(rows[i].file);
        change_a_digit(&lines, find(&lines, rows[i].path));
        if (check(&lines) != 1)
            fail_msg("a digit changed in %s gave\n%s", rows[i].path, output);
        free_lines(&lines);
    }
}

/* A line put for the one or two of a record, or none: no crash, a sentence and exit 1. */
static void what_is_odd_or_missing_fails(void **state)
{
    (void)state;
    static const struct {
        const char *file, *path, *line;
    } rows[] = {
        {echo_file, "x_series_bits", "T x_series_bits 1 2\n0 1"},
        {echo_file, "y_series_bits", "T y_series_bits 1 2\n0 1"},
        {echo_file, "x_series_bits", "S x_series_bits 01"},
        {echo_file, "x_series_bits", NULL},
        {echo_file, "windows/0/index", "S windows/0/index -1"},
        {echo_file, "windows/0/index", "S windows/0/index nan"},
        {echo_file, "windows/0/index", "S windows/0/index 1e300"},
        {echo_file, "windows/0/index", "S windows/0/index 2147483647"},
        {echo_file, "windows/0/index", "S windows/0/index 0.5"},
        {echo_file, "windows/0/index", "S windows/0/index none"},
        {echo_file, "windows/0/index", "T windows/0/index 1 2\n0 0"},
        {echo_file, "windows/0/index", NULL},
        {echo_file, "windows/19/index", NULL},
        {echo_file, "windows/3/y", "S windows/3/y 1"},
        {echo_file, "windows/3/loss", "S windows/3/loss inf"},
        {echo_file, "windows/0/init_state", "T windows/0/init_state 4 3 1 10 4\n0"},
        {echo_file, "windows/0/init_state", "T windows/0/init_state 4 0.5 2 1 2\n0 0"},
        {echo_file, "format", "T format 1 2\n0 1"},
        {echo_file, "config/echo_step", "S config/echo_step -1"},
        {echo_file, "config/echo_step", "S config/echo_step nan"},
        {echo_file, "config/echo_step", "S config/echo_step 1e300"},
        {echo_file, "config/echo_step", NULL},
        {echo_file, "config/total_series_length", "S config/total_series_length nan"},
        {echo_file, "config/total_series_length", NULL},
        {echo_file, "config/num_batches", NULL},
        {echo_file, "config/num_layers", NULL},
        {echo_file, "config/batch_size", NULL},
        {echo_file, "config/state_size", NULL},
        {echo_file, "config/num_classes", NULL},
        {echo_file, "config/truncated_backprop_length", NULL},
        {echo_file, "config/learning_rate", NULL},
        {echo_file, "config/initial_accumulator_value", NULL},
        {echo_file, "config/forget_bias", NULL},
        {echo_file, "config/forget_bias", "S config/forget_bias one"},
        {cases_file, "cases/7/L", NULL},
        {cases_file, "cases/7/B", NULL},
        {cases_file, "cases/7/I", NULL},
        {cases_file, "cases/7/H", NULL},
        {cases_file, "cases/7/T", NULL},
        {cases_file, "cases/7/loss", "S cases/7/loss inf"},
        {cases_file, "cases/0/x", "T cases/0/x 1 1\n0"},
        {cases_file, "cases/0/init_state", "T cases/0/init_state 4 1 2 5 1\n0 0 0 0 0 0 0 0 0 0"},
        {cases_file, "cases/0/grads/x", "T cases/0/grads/x 3 1 1 1\ninf"},
        {cases_file, "cases/0/h_top",
         "T cases/0/h_top 5 3 3 715827883 715827883 12297829382473034411\n0"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lines lines = read_lines(rows[i].file);
        const size_t at = find(&lines, rows[i].path);
        if (lines.line[at][0] == 'T')
            remove_line(&lines, at + 1);
        if (rows[i].line)
            replace_line(&lines, at, strdup(rows[i].line));
        else
            remove_line(&lines, at);
        if (check(&lines) != 1 || !strstr(output, "wrong: "))
            fail_msg("row %zu, %s, gave\n%s", i, rows[i].path, output);
        free_lines(&lines);
    }
}

/* Renames the record's path, whose first `length` characters become `prefix`. */
static void rename_record(struct lines *lines, size_t at, size_t length, const char *prefix)
{
    char *renamed = malloc(strlen(lines->line[at]) + strlen(prefix) + 1);
    sprintf(renamed, "%.2s%s%s", lines->line[at], prefix, lines->line[at] + 2 + length);
    replace_line(lines, at, renamed);
}

/* The windows from 10 on, as a file that begins there. */
static struct lines middle_of_training(void)
{
    struct lines lines = read_lines(echo_file);
    for (size_t i = 0; i < lines.count;) {
        char *path = lines.line[i] + 2;
        const int tensor = lines.line[i][0] == 'T';
        const int early = strncmp(path, "windows/", 8) == 0 && path[9] == '/';
        if (strncmp(path, "windows/9/params_after", 22) == 0) {
            rename_record(&lines, i, 22, "initial_params");
        } else if (strncmp(path, "windows/9/accumulators_after", 28) == 0) {
            rename_record(&lines, i, 28, "initial_accumulators");
        } else if (early || strncmp(path, "initial_params", 14) == 0 ||
                   strncmp(path, "f64_trajectory", 14) == 0) {
            remove_record(&lines, i);
            continue;
        }
        i += tensor ? 2 : 1;
    }
    return lines;
}

static void a_file_may_begin_in_the_middle(void **state)
{
    (void)state;
    static const char *const paths[] = {"initial_params/kernel_1", "initial_accumulators/kernel_1",
                                        "initial_accumulators/b2", "windows/10/init_state",
                                        "windows/10/loss",         "windows/11/x"};
    struct lines lines = middle_of_training();
    if (check(&lines) != 0)
        fail_msg("%s", output);
    free_lines(&lines);
    for (size_t i = 0; i < COUNT(paths); i++)
        for (size_t way = 0; way < COUNT(ways); way++) {
            lines = middle_of_training();
            ways[way](&lines, find(&lines, paths[i]));
            if (check(&lines) != 1)
                fail_msg("spoilt in way %zu at %s, gave\n%s", way, paths[i], output);
            free_lines(&lines);
        }
}

/* Without any setting beside the numbers, the README's hold. */
static void a_file_may_have_no_settings(void **state)
{
    (void)state;
    struct lines lines = middle_of_training();
    for (size_t i = 1; i < lines.count;)
        if (lines.line[i][0] == 'S' && strncmp(lines.line[i] + 2, "windows/", 8) != 0)
            remove_line(&lines, i);
        else
            i++;
    if (check(&lines) != 0)
        fail_msg("%s", output);
    free_lines(&lines);
}

static void what_is_no_golden_file(void **state)
{
    (void)state;
    struct lines lines = {0};
    assert_int_equal(run(""), 2);
    assert_int_equal(run("golden/no-such-file.txt"), 2);
    assert_int_equal(run("golden"), 2);
    assert_int_equal(run("support.c"), 2);
    assert_int_equal(run("--curve"), 2);
    assert_int_equal(run("--curve 1"), 2);
    assert_int_equal(run("--curve x 3"), 2);
    assert_int_equal(run("--curve 1 0"), 2);
    assert_int_equal(check(&lines), 2);
    lines = read_lines(cases_file);
    remove_line(&lines, 0);
    assert_int_equal(check(&lines), 1);
    free_lines(&lines);
    lines = read_lines(cases_file);
    while (lines.count > 3)
        remove_line(&lines, lines.count - 1);
    assert_int_equal(check(&lines), 1);
    free_lines(&lines);
}

/* Seed, epoch, six blocks, mean, accuracy. */
enum { COLUMNS = 10, ACCURACY = 9 };

static int read_epoch(const char *line, double *columns)
{
    char *end = NULL;
    for (int i = 0; i < COLUMNS; i++) {
        columns[i] = strtod(line, &end);
        if (end == line)
            return 0;
        line = end;
    }
    return *end == '\0';
}

/* Three epochs to the curve in the file, and none after the first that has not learnt. */
static void check_curve(int seed)
{
    char arguments[40];
    double got[COLUMNS], expected[COLUMNS];
    struct lines curves = read_lines("golden/echo_curves.txt");
    size_t at = 0;
    snprintf(arguments, sizeof arguments, "--curve %d 100", seed);
    assert_int_equal(run(arguments), 0);
    while (!(read_epoch(curves.line[at], expected) && expected[0] == seed))
        at++;
    char *line = strtok(output, "\n");
    for (int epoch = 0; epoch < 100; epoch++, line = strtok(NULL, "\n")) {
        if (!line || !read_epoch(line, got) || got[0] != seed || got[1] != epoch)
            fail_msg("epoch %d of seed %d is \"%s\"", epoch, seed, line ? line : "");
        assert_true(read_epoch(curves.line[at + (size_t)epoch], expected));
        for (int i = 0; epoch < 3 && i < COLUMNS; i++)
            if (!(fabs(got[i] - expected[i]) <= 1e-3))
                fail_msg("epoch %d of seed %d is\n%s, expected\n%s", epoch, seed, line,
                         curves.line[at + (size_t)epoch]);
        if (epoch > 0 && !(got[ACCURACY] > 0.998))
            fail_msg("epoch %d of seed %d has learnt too little: %s", epoch, seed, line);
    }
    assert_null(line);
    free_lines(&curves);
}

static void curves(void **state)
{
    (void)state;
    check_curve(1);
    check_curve(2);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_files_pass),
        cmocka_unit_test(a_spoilt_echo_file_fails),
        cmocka_unit_test(a_spoilt_case_file_fails),
        cmocka_unit_test(a_digit_in_a_scalar_fails),
        cmocka_unit_test(what_is_odd_or_missing_fails),
        cmocka_unit_test(a_file_may_begin_in_the_middle),
        cmocka_unit_test(a_file_may_have_no_settings),
        cmocka_unit_test(what_is_no_golden_file),
        cmocka_unit_test(curves),
    };
    const char *slash = strrchr(arguments[0], '/');
    if (count > 1)
        snprintf(command, sizeof command, "%s", arguments[1]);
    else
        snprintf(command, sizeof command, "%.*sgolden_check",
                 slash ? (int)(slash - arguments[0] + 1) : 0, arguments[0]);
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
