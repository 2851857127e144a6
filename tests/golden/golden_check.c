/* SPDX-License-Identifier: MIT */

/* Holds the library to golden data, through its public API alone. */

#include "golden_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: golden_check FILE...                recompute golden files and compare\n"
    "       golden_check --curve SEED EPOCHS    train the echo task, print its learning curve\n"
    "exit status: 0 all within tolerance, 1 something is not or is missing, 2 cannot be read\n";

static const struct {
    const char *name;
    double tolerance, relative; /* tolerance + relative * largest of the tensor */
} kinds[KINDS] = {
    [LOSS] = {"loss", 1e-6, 0},
    [PREDICTIONS] = {"predictions", 2e-6, 0},
    [STATE] = {"state", 2e-6, 0},
    [ECHO_GRADIENTS] = {"gradients", 1e-6, 0},
    [PARAMETERS] = {"parameters after one step", 2e-6, 0},
    [ACCUMULATORS] = {"accumulators after one step", 2e-6, 0},
    [CHAINED_LOSS] = {"loss, chained", 5e-6, 0},
    [CHAINED_PARAMETERS] = {"parameters, chained", 5e-6, 0},
    [CHAINED_ACCUMULATORS] = {"accumulators, chained", 5e-6, 0},
    [CASE_LOSS] = {"loss", 1e-6, 0},
    [CASE_GRADIENTS] = {"gradients", 1e-6, 1e-5},
};

void report_failure(struct report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("  wrong: ");
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    report->failures++;
}

const struct golden_record *expect_record(struct report *report, size_t count, const char *format,
                                          ...)
{
    char path[100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    const struct golden_record *record = golden_find(report->file, path);
    if (!record)
        report_failure(report, "%s is missing", path);
    else if (record->count == count)
        return record;
    else
        report_failure(report, "%s has %zu values, expected %zu", path, record->count, count);
    return NULL;
}

double number_or(struct report *report, const char *path, double otherwise)
{
    if (!golden_find(report->file, path))
        return otherwise;
    const struct golden_record *record = expect_record(report, 1, "%s", path);
    return record ? record->values[0] : otherwise;
}

int is_whole(struct report *report, const char *path, double number)
{
    if (number >= 0 && number <= INT32_MAX && number == floor(number))
        return 1;
    report_failure(report, "%s is %g, expected a whole number from 0", path, number);
    return 0;
}

void expect_number(struct report *report, const char *path, double number)
{
    const struct golden_record *record = expect_record(report, 1, "%s", path);
    if (record && record->values[0] != number)
        report_failure(report, "%s is %.9g, expected %.9g", path, record->values[0], number);
}

static void compare_values(struct report *report, enum kind kind,
                           const struct golden_record *expected, const double *got,
                           double tolerance)
{
    double worst_error = -1;
    size_t worst_at = 0;
    for (size_t i = 0; i < expected->count; i++) {
        const double difference = fabs(got[i] - expected->values[i]);
        const double error = isnan(difference) ? INFINITY : difference;
        if (error > worst_error) {
            worst_error = error;
            worst_at = i;
        }
    }
    if (!(worst_error <= tolerance) || isinf(worst_error))
        report_failure(report, "%s[%zu] is %.9g in the file, recomputed %.9g: off by %.3g, %s %.3g",
                       expected->path, worst_at, expected->values[worst_at], got[worst_at],
                       worst_error, "tolerance", tolerance);
    if (!report->worst[kind].values ||
        worst_error / tolerance > report->worst[kind].error / report->worst[kind].tolerance) {
        report->worst[kind].error = worst_error;
        report->worst[kind].tolerance = tolerance;
    }
    report->worst[kind].values += expected->count;
}

void compare(struct report *report, enum kind kind, const struct golden_record *expected,
             const float *got)
{
    if (!expected)
        return;
    double *wide = zeroed(expected->count, sizeof *wide), largest = 0;
    for (size_t i = 0; i < expected->count; i++) {
        wide[i] = (double)got[i];
        largest = fmax(largest, fabs(expected->values[i]));
    }
    compare_values(report, kind, expected, wide,
                   kinds[kind].tolerance + kinds[kind].relative * largest);
    free(wide);
}

/* The losses of cases are float32 sums in the file, and at 15 they are off by 4.6e-6. So beyond 1
 * their tolerance is relative; that of all other numbers is absolute. */
void compare_number(struct report *report, enum kind kind, const struct golden_record *expected,
                    double got)
{
    if (!expected)
        return;
    const double scale = kind == CASE_LOSS ? fmax(1, fabs(expected->values[0])) : 1;
    compare_values(report, kind, expected, &got, scale * kinds[kind].tolerance);
}

int next_name(const struct golden_file *file, const char *prefix, size_t *at, char name[32])
{
    const size_t length = strlen(prefix);
    for (; *at < file->count; ++*at) {
        char found[32];
        const char *path = file->records[*at].path;
        if (strncmp(path, prefix, length) != 0)
            continue;
        snprintf(found, sizeof found, "%.*s", (int)strcspn(path + length, "/"), path + length);
        if (strcmp(found, name) != 0) {
            strcpy(name, found);
            return 1;
        }
    }
    return 0;
}

void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory)
        return memory;
    fputs("golden_check: out of memory\n", stderr);
    exit(2);
}

float *floats_of(const struct golden_record *record, size_t count)
{
    float *values = zeroed(count, sizeof *values);
    for (size_t i = 0; record && i < count; i++)
        values[i] = (float)record->values[i];
    return values;
}

void must(mlstm_status status)
{
    if (status == MLSTM_OK)
        return;
    printf("  wrong: the library refuses: %s\n", mlstm_last_error());
    exit(1);
}

mlstm_stack *uniform_stack(int32_t layers, int32_t input, int32_t hidden, float forget_bias,
                           int32_t outputs)
{
    mlstm_cell **cells = zeroed((size_t)layers, sizeof *cells);
    mlstm_stack *stack;
    for (int32_t l = 0; l < layers; l++) {
        must(mlstm_cell_create(l ? hidden : input, hidden, &cells[l]));
        must(mlstm_cell_set_forget_bias(cells[l], forget_bias));
    }
    must(mlstm_stack_create(cells, layers, &stack));
    if (outputs)
        must(mlstm_stack_set_readout(stack, outputs, MLSTM_READOUT_C | MLSTM_READOUT_H));
    free(cells);
    return stack;
}

static void print_worst(const struct report *report)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (report->worst[kind].values)
            printf("  %-28s largest error %-9.3g tolerance %-9.3g (%zu values)\n", kinds[kind].name,
                   report->worst[kind].error, report->worst[kind].tolerance,
                   report->worst[kind].values);
}

/* 0, 1 or 2, as the program exits. */
static int check_file(const char *name)
{
    struct golden_file file;
    struct report report = {.file = &file};
    if (golden_file_read(&file, name) != 0 || file.count == 0) {
        fprintf(stderr, "golden_check: %s cannot be read, or is no golden file\n", name);
        golden_file_free(&file);
        return 2;
    }
    const struct golden_record *format = golden_find(&file, "format");
    const char *text = format && format->text ? format->text : "no format";
    printf("%s: %s\n", name, text);
    if (*file.problem)
        report_failure(&report, "%s", file.problem);
    else if (strncmp(text, "mlstm-golden-echo", 17) == 0)
        check_echo(&report);
    else if (strncmp(text, "mlstm-golden-cases", 18) == 0)
        check_cases(&report);
    else
        report_failure(&report, "format is neither mlstm-golden-echo nor mlstm-golden-cases");
    print_worst(&report);
    printf("  %s\n", report.failures ? "failed" : "passed");
    golden_file_free(&file);
    return report.failures ? 1 : 0;
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fputs(usage, stderr);
        return 2;
    }
    if (strcmp(arguments[1], "--curve") == 0) {
        char *seed_end = "?", *epochs_end = "?";
        const unsigned long seed = count == 4 ? strtoul(arguments[2], &seed_end, 10) : 0;
        const long epochs = count == 4 ? strtol(arguments[3], &epochs_end, 10) : 0;
        if (*seed_end || *epochs_end || seed > UINT32_MAX || epochs < 1 || epochs > 1000000) {
            fputs(usage, stderr);
            return 2;
        }
        print_curve((uint32_t)seed, (int32_t)epochs);
        return 0;
    }
    int worst = 0;
    for (int i = 1; i < count; i++) {
        const int result = check_file(arguments[i]);
        worst = result > worst ? result : worst;
    }
    return worst;
}
