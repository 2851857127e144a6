/* SPDX-License-Identifier: MIT */
#include "variants.h"

#include <stdio.h>
#include <stdlib.h>

#define EVERYTHING                                                                                 \
    .more_biases = 1, .peepholes = 1, .projection = 1, .projection_clip = 0.75f,                   \
    .cell_clip = 1.5f, .coupled = 1, .epsilon = 1e-5f, .zoneout_c = 0.25f, .zoneout_h = 0.125f,    \
    .dropout = 0.25f, .dropout_mask = MLSTM_MASK_SEQUENCE, .recurrent_dropout = 0.25f,             \
    .skip = MLSTM_SKIP_HIGHWAY, .learned = 1

const struct variant variants[] = {
    {"plain", {.projection = 0}},
    {"no bias", {.more_biases = -1}},
    {"two biases", {.more_biases = 1}},
    {"peepholes", {.peepholes = 1}},
    {"projection", {.projection = 1}},
    {"projection, clipped", {.projection = 1, .projection_clip = 0.125f}},
    {"h clipped", {.projection_clip = 0.25f}},
    {"c clipped", {.cell_clip = 0.5f}},
    {"coupled", {.coupled = 1}},
    {"coupled, peepholes", {.coupled = 1, .peepholes = 1}},
    {"norm of gates", {.norm = MLSTM_NORM_GATES, .epsilon = 1e-5f}},
    {"norm of products", {.norm = MLSTM_NORM_PRODUCTS, .epsilon = 1e-5f}},
    {"zoneout", {.zoneout_c = 0.5f, .zoneout_h = 0.25f}},
    {"dropout", {.dropout = 0.5f}},
    {"dropout, one mask", {.dropout = 0.5f, .dropout_mask = MLSTM_MASK_SEQUENCE}},
    {"recurrent dropout", {.recurrent_dropout = 0.5f}},
    {"recurrent dropout, one mask",
     {.recurrent_dropout = 0.5f, .recurrent_mask = MLSTM_MASK_SEQUENCE}},
    {"candidates dropped", {.recurrent_dropout = 0.5f, .recurrent_what = MLSTM_DROP_CANDIDATE}},
    {"candidates dropped, one mask",
     {.recurrent_dropout = 0.5f,
      .recurrent_what = MLSTM_DROP_CANDIDATE,
      .recurrent_mask = MLSTM_MASK_SEQUENCE}},
    {"residual", {.skip = MLSTM_SKIP_RESIDUAL}},
    {"highway", {.skip = MLSTM_SKIP_HIGHWAY}},
    {"learned state", {.learned = 1}},
    {"everything", {EVERYTHING}},
    {"everything, norm of gates", {EVERYTHING, .norm = MLSTM_NORM_GATES}},
    {"everything, norm of products", {EVERYTHING, .norm = MLSTM_NORM_PRODUCTS}},
    {"two directions", {.merge = MLSTM_MERGE_CONCAT}},
    {"two directions, sum", {.merge = MLSTM_MERGE_SUM}},
    {"everything, two directions", {EVERYTHING, .merge = MLSTM_MERGE_CONCAT}},
    {"everything, norm of gates, sum",
     {EVERYTHING, .norm = MLSTM_NORM_GATES, .merge = MLSTM_MERGE_SUM}},
    {"everything, norm of products, two directions",
     {EVERYTHING, .norm = MLSTM_NORM_PRODUCTS, .merge = MLSTM_MERGE_CONCAT}},
    {"no bias, norm of gates",
     {.more_biases = -1, .norm = MLSTM_NORM_GATES, .epsilon = 1e-5f}},
    {"no bias, norm of products",
     {.more_biases = -1, .norm = MLSTM_NORM_PRODUCTS, .epsilon = 1e-5f}},
};

const size_t variant_count = COUNT(variants);

struct shape variant_shape(const struct variant *variant, int32_t size, int32_t steps)
{
    static const struct shape sizes[SIZES] = {
        {5, 0, 3, {3, 4, 4, 4}, 2, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
        {13, 0, 2, {19, 33, 40}, 3, MLSTM_READOUT_H, 0},
        {3, 0, 1, {41, 66}, 0, 0, 1},
        {80, 0, 2, {9, 24, 20}, 5, MLSTM_READOUT_C | MLSTM_READOUT_H, 1},
    };
    struct shape s = sizes[size];
    s.steps = steps;
    s.training = 1;
    s.seed = 42;
    for (int32_t l = 0; l < s.layers; l++) {
        s.options[l] = variant->options;
        if (variant->options.skip) /* gives what it takes: all layers are alike */
            s.sizes[l + 1] = s.sizes[1];
        if (variant->options.projection)
            s.options[l].projection = s.sizes[l + 1] / 2 + 1;
    }
    if (variant->options.skip)
        s.sizes[0] = layer_output(&s, 0);
    return s;
}

int is_bidirectional(const struct shape *s)
{
    return s->options[0].merge != MLSTM_MERGE_NONE;
}

int has_dropout(const struct shape *s)
{
    return s->options[0].dropout > 0 || s->options[0].recurrent_dropout > 0;
}

int has_zoneout(const struct shape *s)
{
    return s->options[0].zoneout_c > 0;
}

int32_t state_blocks(const struct shape *s, int32_t widths[MAX_BLOCKS])
{
    int32_t count = 0;
    for (int32_t l = 0; l < s->layers; l++) {
        for (int32_t d = 0; d < layer_directions(s, l); d++) {
            widths[count++] = layer_hidden(s, l);
            widths[count++] = layer_recurrent(s, l);
        }
    }
    return count;
}

void check_floats_within(const char *what, const float *got, const float *expected, size_t count,
                         double part)
{
    double *wide = test_calloc(count + 1, sizeof *wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)expected[i];
    assert_near(what, got, wide, count, 1e-6 + part * largest(wide, count));
    test_free(wide);
}

void check_near_floats(const char *what, const float *got, const float *expected, size_t count)
{
    check_floats_within(what, got, expected, count, 2e-6);
}

struct trial {
    char name[120];
    const struct property *property;
    const struct variant *variant;
};

enum { STEPS = 7 };

/* Where every step takes its time, the last size is for every sixth variant. */
static int many_rows(const struct variant *variant)
{
    return (variant - variants) % 6 == 4;
}

static void try_all_sizes(void **state)
{
    const struct trial *trial = *state;
    const int32_t sizes = SLOW && !many_rows(trial->variant) ? SIZES - 1 : SIZES;
    for (int32_t size = 0; size < sizes; size++) {
        struct subject subject = {.s = variant_shape(trial->variant, size, STEPS)};
        subject.m = new_model(&subject.s, (uint64_t)size + 1);
        subject.whole = new_results(&subject.s);
        subject.other = new_results(&subject.s);
        run_model(subject.m, subject.m->state, subject.m->grads, subject.whole);
        trial->property->holds(&subject);
        free_results(subject.whole);
        free_results(subject.other);
        free_model(subject.m);
    }
}

int run_properties(const char *group, const struct property *properties, size_t count,
                   const struct CMUnitTest *others, size_t other_count)
{
    const size_t most = count * variant_count + other_count;
    struct CMUnitTest *tests = calloc(most, sizeof *tests);
    struct trial *trials = calloc(most, sizeof *trials);
    size_t n = 0;
    for (size_t i = 0; tests && trials && i < count * variant_count; i++) {
        const struct property *property = &properties[i / variant_count];
        const struct variant *variant = &variants[i % variant_count];
        const struct shape shape = variant_shape(variant, 0, STEPS);
        if ((property->concerns && !property->concerns(&shape)) ||
            (EMULATED && !many_rows(variant)))
            continue;
        trials[n] = (struct trial){.property = property, .variant = variant};
        snprintf(trials[n].name, sizeof trials[n].name, "%s: %s", property->name, variant->name);
        tests[n] = (struct CMUnitTest){trials[n].name, try_all_sizes, NULL, NULL, &trials[n]};
        n++;
    }
    for (size_t i = 0; tests && i < other_count; i++)
        tests[n++] = others[i];
    const int failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
    free(tests);
    free(trials);
    return failed || n == 0;
}
