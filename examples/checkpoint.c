/* SPDX-License-Identifier: MIT */
/*
 * Training that can be interrupted: goes on where FILE ends, or begins where there is none, makes
 * UPDATES updates, and writes FILE. Rows of random bits go by, and the network has to say the bit
 * before.
 *
 *     mlstm-checkpoint FILE [UPDATES [UNITS]]
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlstm/mlstm.h>

#include "params.h"
#include "program.h"
#include "random_bits.h"

const char program_name[] = "mlstm-checkpoint";

enum { T = 10, B = 4, O = 2 }; /* steps, rows, classes */

typedef struct model {
    mlstm_stack *stack;
    mlstm_state *state;
    mlstm_grads *grads;
    mlstm_optimizer *optimizer;
} model;

/* c and h of all layers. */
static array array_of_state(const mlstm_state *state)
{
    size_t count = mlstm_state_size(state);
    return (array){"c,h", {1, (int32_t)count}, count, allocate(count)};
}

static void save_optimizer(FILE *file, const mlstm_optimizer *optimizer, const mlstm_stack *stack)
{
    fprintf(file, "updates %lld rate %a\n", (long long)mlstm_optimizer_step_count(optimizer),
            (double)mlstm_optimizer_rate(optimizer));
    for (int32_t i = 0; i < mlstm_stack_param_count(stack); i++) {
        array a = array_of(stack, i);
        for (int32_t k = 0; k < mlstm_optimizer_slot_count(optimizer); k++) {
            const char *slot = mlstm_optimizer_slot_name(optimizer, k);
            check(mlstm_optimizer_get_slot(optimizer, slot, a.name, a.values, a.count));
            write_array(file, slot, &a);
        }
        free(a.values);
    }
}

static void restore_optimizer(FILE *file, mlstm_optimizer *optimizer, const mlstm_stack *stack)
{
    long long updates;
    float rate;
    if (fscanf(file, "updates %lld rate %f", &updates, &rate) != 2 || fgetc(file) != '\n')
        fail("the file does not go on with updates and rate");
    check(mlstm_optimizer_set_step_count(optimizer, updates));
    check(mlstm_optimizer_set_rate(optimizer, rate));
    for (int32_t i = 0; i < mlstm_stack_param_count(stack); i++) {
        array a = array_of(stack, i);
        for (int32_t k = 0; k < mlstm_optimizer_slot_count(optimizer); k++) {
            const char *slot = mlstm_optimizer_slot_name(optimizer, k);
            read_array(file, slot, &a);
            check(mlstm_optimizer_set_slot(optimizer, slot, a.name, a.values, a.count));
        }
        free(a.values);
    }
}

/* Under another name first, so that there is a whole file whenever the program ends. */
static void save(const char *path, const model *m)
{
    char fresh[FILENAME_MAX];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        fail("%s is too long a name", path);
    FILE *file = fopen(fresh, "wb");
    if (!file)
        fail("%s: %s", fresh, strerror(errno));
    save_params(file, m->stack);
    save_optimizer(file, m->optimizer, m->stack);
    array state = array_of_state(m->state);
    check(mlstm_state_get(m->state, state.values, state.count));
    write_array(file, "state", &state);
    free(state.values);

    int failed = ferror(file);
    if (fclose(file) != 0 || failed || rename(fresh, path) != 0)
        fail("%s could not be written", path);
}

static void restore(FILE *file, model *m)
{
    restore_params(file, m->stack);
    restore_optimizer(file, m->optimizer, m->stack);
    array state = array_of_state(m->state);
    read_array(file, "state", &state);
    check(mlstm_state_set(m->state, state.values, state.count));
    free(state.values);
    if (fgetc(file) != EOF)
        fail("the file goes on after its end");
}

static model create_model(int32_t units)
{
    model m;
    mlstm_cell *cells[2];
    check(mlstm_cell_create(1, units, &cells[0]));
    check(mlstm_cell_create(units, units, &cells[1]));
    check(mlstm_stack_create(cells, 2, &m.stack));
    check(mlstm_stack_set_readout(m.stack, O, MLSTM_READOUT_H));
    check(mlstm_stack_init(m.stack, MLSTM_GLOROT_UNIFORM, 1));
    check(mlstm_state_create(m.stack, B, T, &m.state));
    check(mlstm_grads_create(m.stack, &m.grads));
    check(mlstm_adam_create(m.stack, 0.02f, 0.9f, 0.999f, 1e-8f, &m.optimizer));
    return m;
}

static void destroy_model(model *m)
{
    mlstm_optimizer_destroy(m->optimizer);
    mlstm_grads_destroy(m->grads);
    mlstm_state_destroy(m->state);
    mlstm_stack_destroy(m->stack);
}

/* One for each row: data that depend on nothing but the step. */
static uint64_t bits_of_step(int64_t step)
{
    return random_bits_at((uint64_t)step * RANDOM_BITS_STEP);
}

/* A window goes on where the one before ended. */
static float train(model *m)
{
    float x[T * B], y[T * B * O], dy[T * B * O], loss;
    int32_t labels[T * B];
    int64_t step = mlstm_optimizer_step_count(m->optimizer) * T;
    for (int32_t k = 0; k < T * B; k++) {
        x[k] = (float)(bits_of_step(step + 1 + k / B) >> k % B & 1);
        labels[k] = (int32_t)(bits_of_step(step + k / B) >> k % B & 1);
    }
    check(mlstm_state_begin_window(m->state));
    check(mlstm_forward(m->stack, m->state, x, T, y));
    check(mlstm_softmax_cross_entropy(y, labels, T * B, O, NULL, dy, &loss));
    check(mlstm_grads_zero(m->grads));
    check(mlstm_backward(m->stack, m->state, dy, NULL, NULL, NULL, m->grads));
    check(mlstm_apply_grads(m->optimizer, m->stack, m->grads));
    check(mlstm_optimizer_set_rate(m->optimizer, 0.999f * mlstm_optimizer_rate(m->optimizer)));
    return loss;
}

static int32_t parse_whole(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > 10000)
        fail("%s is no whole number from 1 to 10000", text);
    return (int32_t)number;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4)
        fail("usage: mlstm-checkpoint FILE [UPDATES [UNITS]]");
    int32_t updates = argc > 2 ? parse_whole(argv[2]) : 100;
    model m = create_model(argc > 3 ? parse_whole(argv[3]) : 8);

    FILE *file = fopen(argv[1], "rb");
    if (!file && errno != ENOENT)
        fail("%s: %s", argv[1], strerror(errno));
    if (file) {
        restore(file, &m);
        fclose(file);
    }
    float loss = 0;
    for (int32_t i = 0; i < updates; i++)
        loss = train(&m);
    save(argv[1], &m);
    printf("loss %.3f after %lld updates; guessing has 0.693\n", (double)loss,
           (long long)mlstm_optimizer_step_count(m.optimizer));
    destroy_model(&m);
    return 0;
}
