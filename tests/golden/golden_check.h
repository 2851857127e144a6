/* SPDX-License-Identifier: MIT */
#ifndef GOLDEN_CHECK_H
#define GOLDEN_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include <mlstm/mlstm.h>

#include "golden_file.h"

/* What is compared, each with a tolerance of its own. */
enum kind {
    LOSS,
    PREDICTIONS,
    STATE,
    ECHO_GRADIENTS,
    PARAMETERS,
    ACCUMULATORS,
    CHAINED_LOSS,
    CHAINED_PARAMETERS,
    CHAINED_ACCUMULATORS,
    CASE_LOSS,
    CASE_GRADIENTS,
    KINDS
};

/* The largest error of each kind, measured in tolerances, and how many sentences were printed. */
struct report {
    const struct golden_file *file;
    struct {
        double error, tolerance;
        size_t values;
    } worst[KINDS];
    int failures;
};

/* Prints what is wrong and counts it. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void report_failure(struct report *report, const char *format, ...);

/* The record of that path, whose absence, or another number of values than `count`, is a failure;
 * NULL then. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
const struct golden_record *
expect_record(struct report *report, size_t count, const char *format, ...);

/* The number of a scalar that may be missing, `otherwise` then; what is no number is a failure. */
double number_or(struct report *report, const char *path, double otherwise);

/* Whether `number`, read from that path, is a whole one from 0 to INT32_MAX; if not, a failure. */
int is_whole(struct report *report, const char *path, double number);

/* A scalar that must be there and be `number`. */
void expect_number(struct report *report, const char *path, double number);

/* Compares with a record from expect_record; of NULL nothing, its absence is reported already. */
void compare(struct report *report, enum kind kind, const struct golden_record *expected,
             const float *got);
void compare_number(struct report *report, enum kind kind, const struct golden_record *expected,
                    double got);

/* Walks the names that follow `prefix` in the file's paths, in the order of the file: "7" of
 * "windows/7/loss". At first `*at` is 0 and `name` empty; 0 is answered after the last. */
int next_name(const struct golden_file *file, const char *prefix, size_t *at, char name[32]);

/* A record's values as floats, to be freed; zeros where there is no record. */
float *floats_of(const struct golden_record *record, size_t count);
void *zeroed(size_t count, size_t size);

/* Ends the program with the library's sentence unless the status is MLSTM_OK. */
void must(mlstm_status status);

/* A stack whose layers have one size; a readout from c and h unless `outputs` is 0. */
mlstm_stack *uniform_stack(int32_t layers, int32_t input, int32_t hidden, float forget_bias,
                           int32_t outputs);

void check_echo(struct report *report);
void check_cases(struct report *report);
void print_curve(uint32_t seed, int32_t epochs);

#endif
