/* SPDX-License-Identifier: MIT */
/*
 * The adding problem, Experiment 4 of Hochreiter & Schmidhuber, "Long short-term memory", Neural
 * Computation 9(8), 1997: the sum of two marked numbers of a sequence, wanted at its end, at least
 * T/2 steps after the second. One layer learns it anew from each of several seeds; docs/adding.md
 * has the figure.
 *
 *     mlstm-adding [SEEDS [T [FILE.csv]]]
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlstm/mlstm.h>

#include "program.h"
#include "random_bits.h"

const char program_name[] = "mlstm-adding";

enum {
    UNITS = 16,        /* H */
    BATCH = 10,        /* B, sequences in an update */
    RECENT = 2000,     /* sequences in a row that have to be right */
    TESTED = 2560,     /* fresh ones afterwards, as in the paper */
    GIVE_UP = 1000000, /* sequences */
    REPORT = 200       /* sequences from one line of the CSV file to the next */
};
static const float right = 0.04f;        /* absolute error below which a sequence is right */
static const double small_enough = 0.01; /* average error of the recent sequences */
static const float rate = 0.01f, max_norm = 1;

/* 0 to count - 1. */
static int32_t random_below(uint64_t *generator, int32_t count)
{
    return (int32_t)((random_bits(generator) >> 32) * (uint64_t)count >> 32);
}

/* Sequences of one update. */
typedef struct batch {
    int32_t least, most;    /* T, and the longest that a sequence may be */
    int32_t lengths[BATCH]; /* of each row */
    int32_t steps;          /* the longest of them */
    float *x;               /* [most,B,2]: value and marker */
    float targets[BATCH];
} batch;

static float *pair(const batch *data, int32_t step, int32_t row)
{
    return data->x + 2 * (step * BATCH + row);
}

/* T to T + T/10 pairs. One of the first ten is marked, then one of the first T/2 - 1 that are not yet.
   A mark on the first pair, which has a marker of its own, adds nothing. */
static void draw_sequence(batch *data, int32_t row, uint64_t *generator)
{
    int32_t length = data->least + random_below(generator, data->most - data->least + 1);
    for (int32_t step = 0; step < length; step++) {
        pair(data, step, row)[0] = (float)(random_bits(generator) >> 40) * 0x1p-23f - 1;
        pair(data, step, row)[1] = 0;
    }
    int32_t first = random_below(generator, 10);
    int32_t second = random_below(generator, data->least / 2 - 1);
    second += second >= first;

    pair(data, first, row)[1] = pair(data, second, row)[1] = 1;
    pair(data, 0, row)[1] = pair(data, length - 1, row)[1] = -1;
    float x1 = first ? pair(data, first, row)[0] : 0;
    float x2 = second ? pair(data, second, row)[0] : 0;
    data->targets[row] = 0.5f + (x1 + x2) / 4.0f;
    data->lengths[row] = length;
}

static void draw_batch(batch *data, uint64_t *generator)
{
    data->steps = 0;
    for (int32_t row = 0; row < BATCH; row++) {
        draw_sequence(data, row, generator);
        data->steps = data->lengths[row] > data->steps ? data->lengths[row] : data->steps;
    }
}

typedef struct network {
    mlstm_stack *stack;
    mlstm_state *state;
    mlstm_grads *grads;
    mlstm_optimizer *optimizer;
    float *y, *dy;        /* [most,B] */
    float outputs[BATCH]; /* y at each row's last step */
} network;

/* Biases with which units remember for 1 to `steps` steps at first (Tallec & Ollivier, "Can recurrent
   neural networks warp time?", 2018): uniform, log of that for the forget gate, its negative for the
   input gate. */
static void remember(mlstm_stack *stack, int32_t steps, uint64_t seed)
{
    float bias[4 * UNITS];
    check(mlstm_stack_get_param(stack, "layer0.bias", bias, 4 * UNITS));
    for (int32_t unit = 0; unit < UNITS; unit++) {
        float forget = logf((float)(1 + random_below(&seed, steps)));
        bias[unit] = -forget;
        bias[2 * UNITS + unit] = forget;
    }
    check(mlstm_stack_set_param(stack, "layer0.bias", bias, 4 * UNITS));
}

static network create_network(int32_t most, uint64_t seed)
{
    network net = {0};
    mlstm_cell *cell = NULL;
    check(mlstm_cell_create(2, UNITS, &cell));
    check(mlstm_cell_set_forget_bias(cell, 0)); /* `remember` sets it */
    check(mlstm_stack_create(&cell, 1, &net.stack));
    check(mlstm_stack_set_readout(net.stack, 1, MLSTM_READOUT_H));
    check(mlstm_stack_init(net.stack, MLSTM_GLOROT_UNIFORM, seed));
    remember(net.stack, most - 1, seed);
    check(mlstm_state_create(net.stack, BATCH, most, &net.state));
    check(mlstm_grads_create(net.stack, &net.grads));
    check(mlstm_adam_create(net.stack, rate, 0.9f, 0.999f, 1e-8f, &net.optimizer));
    net.y = allocate((size_t)most * BATCH);
    net.dy = allocate((size_t)most * BATCH);
    return net;
}

static void destroy_network(network *net)
{
    mlstm_optimizer_destroy(net->optimizer);
    mlstm_grads_destroy(net->grads);
    mlstm_state_destroy(net->state);
    mlstm_stack_destroy(net->stack);
    free(net->y);
    free(net->dy);
}

/* Reads a batch and keeps what the network says at the end of each sequence. */
static void read_batch(network *net, const batch *data)
{
    check(mlstm_state_zero(net->state));
    check(mlstm_state_set_lengths(net->state, data->lengths, BATCH));
    check(mlstm_forward(net->stack, net->state, data->x, data->steps, net->y));
    for (int32_t row = 0; row < BATCH; row++)
        net->outputs[row] = net->y[(data->lengths[row] - 1) * BATCH + row];
}

/* The only error signal is at the end of a sequence. */
static void learn_batch(network *net, const batch *data)
{
    float doutputs[BATCH];
    check(mlstm_squared_error(net->outputs, data->targets, BATCH, doutputs, NULL));
    memset(net->dy, 0, (size_t)data->steps * BATCH * sizeof(float));
    for (int32_t row = 0; row < BATCH; row++)
        net->dy[(data->lengths[row] - 1) * BATCH + row] = doutputs[row];

    check(mlstm_grads_zero(net->grads));
    check(mlstm_backward(net->stack, net->state, net->dy, NULL, NULL, NULL, net->grads));
    check(mlstm_grads_clip_norm(net->grads, max_norm, NULL));
    check(mlstm_apply_grads(net->optimizer, net->stack, net->grads));
}

/* Is every error of the recent sequences small, and their average too? */
static bool is_solved(const float *errors, double *average)
{
    float largest = 0;
    double sum = 0;
    for (int32_t i = 0; i < RECENT; i++) {
        largest = fmaxf(largest, errors[i]);
        sum += (double)errors[i];
    }
    *average = sum / RECENT;
    return largest < right && *average < small_enough;
}

/* Trains until the problem is solved; says after how many sequences, 0 for never. */
static int32_t train(network *net, batch *data, uint64_t seed, uint64_t *generator, FILE *csv)
{
    static float errors[RECENT]; /* of the last sequences, before the update, in turn */
    for (int32_t sequences = 0; sequences < GIVE_UP; sequences += BATCH) {
        draw_batch(data, generator);
        read_batch(net, data);
        for (int32_t row = 0; row < BATCH; row++)
            errors[(sequences + row) % RECENT] = fabsf(net->outputs[row] - data->targets[row]);

        int32_t seen = sequences + BATCH;
        double average;
        bool solved = seen >= RECENT && is_solved(errors, &average);
        if (csv && seen >= RECENT && (solved || seen % REPORT == 0))
            fprintf(csv, "%d,%d,%.6f,%d\n", (int)seed, (int)seen, average, solved);
        if (solved)
            return seen;
        learn_batch(net, data);
    }
    return 0;
}

/* How many fresh sequences the network gets wrong. */
static int32_t test(network *net, batch *data, uint64_t *generator)
{
    int32_t wrong = 0;
    for (int32_t sequences = 0; sequences < TESTED; sequences += BATCH) {
        draw_batch(data, generator);
        read_batch(net, data);
        for (int32_t row = 0; row < BATCH; row++)
            wrong += !(fabsf(net->outputs[row] - data->targets[row]) < right);
    }
    return wrong;
}

static bool solve(int32_t least, int32_t seed, FILE *csv)
{
    batch data = {.least = least, .most = least + least / 10};
    data.x = allocate((size_t)data.most * BATCH * 2);
    network net = create_network(data.most, (uint64_t)seed);
    uint64_t generator = (uint64_t)seed;

    int32_t sequences = train(&net, &data, (uint64_t)seed, &generator, csv);
    if (sequences)
        printf("seed %d: solved after %d sequences; %d of %d fresh ones wrong\n", (int)seed,
               (int)sequences, (int)test(&net, &data, &generator), TESTED);
    else
        printf("seed %d: not solved in %d sequences\n", (int)seed, GIVE_UP);
    destroy_network(&net);
    free(data.x);
    return sequences > 0;
}

static int32_t parse_whole(const char *text, int32_t least)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < least || number > 10000)
        fail("%s is no whole number from %d to 10000", text, (int)least);
    return (int32_t)number;
}

int main(int argc, char **argv)
{
    if (argc > 4)
        fail("usage: mlstm-adding [SEEDS [T [FILE.csv]]]");
    int32_t seeds = argc > 1 ? parse_whole(argv[1], 1) : 10;
    int32_t least = argc > 2 ? parse_whole(argv[2], 20) : 100;
    FILE *csv = argc > 3 ? fopen(argv[3], "w") : NULL;
    if (argc > 3 && !csv)
        fail("%s: %s", argv[3], strerror(errno));
    if (csv)
        fputs("seed,sequences,error,solved\n", csv);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);

    int32_t solved = 0;
    for (int32_t seed = 1; seed <= seeds; seed++)
        solved += solve(least, seed, csv);
    printf("T = %d: %d of %d seeds solved it\n", (int)least, (int)solved, (int)seeds);
    bool failed = csv && ferror(csv);
    if (failed || (csv && fclose(csv) != 0))
        fail("%s could not be written", argv[3]);
    return solved != seeds;
}
