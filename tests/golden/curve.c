/* SPDX-License-Identifier: MIT */

/* The whole echo task from a generator seed, and its learning curve. */

#include <math.h>
#include <stdio.h>

#include "golden_check.h"

enum { LENGTH = 50000, B = 5, T = 15, H = 4, L = 3, CLASSES = 2, ECHO = 3 };
enum { COLUMNS = LENGTH / B, WINDOWS = COLUMNS / T, BLOCKS = 6 };

/* mulberry32 */
static uint32_t next_bits(uint32_t *generator)
{
    uint32_t z = *generator += 0x6d2b79f5u;
    z = (z ^ (z >> 15)) * (z | 1);
    z ^= z + (z ^ (z >> 7)) * (z | 61);
    return z ^ (z >> 14);
}

static void draw_param(mlstm_stack *stack, const char *name, uint32_t *generator, double a,
                       double b, size_t count)
{
    float values[2 * H * 4 * H];
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(a + (b - a) * ((next_bits(generator) >> 8) / 16777216.0));
    must(mlstm_stack_set_param(stack, name, values, count));
}

static mlstm_stack *draw_stack(uint32_t seed)
{
    mlstm_stack *stack = uniform_stack(L, 1, H, 1, CLASSES);
    for (int l = 0; l < L; l++) {
        const int rows = (l ? H : 1) + H;
        const double limit = sqrt(6.0 / (rows + 4 * H));
        char name[40];
        snprintf(name, sizeof name, "layer%d.kernel", l);
        draw_param(stack, name, &seed, -limit, limit, (size_t)(rows * 4 * H));
    }
    draw_param(stack, "readout.kernel_c", &seed, 0, 1, H * CLASSES);
    draw_param(stack, "readout.kernel_h", &seed, 0, 1, H * CLASSES);
    return stack;
}

/* The data of an epoch, window by window: x and labels are [T,B]. */
struct series {
    float x[WINDOWS][T * B];
    int32_t labels[WINDOWS][T * B];
};

static void draw_series(struct series *series, uint32_t seed, int32_t epoch)
{
    static int32_t bits[LENGTH];
    uint32_t generator = seed * 65537u + 1000003u * ((uint32_t)epoch + 1);
    for (int i = 0; i < LENGTH; i++)
        bits[i] = (int32_t)(next_bits(&generator) >> 31);
    for (int w = 0; w < WINDOWS; w++)
        for (int t = 0; t < T; t++)
            for (int b = 0; b < B; b++) {
                const int at = b * COLUMNS + w * T + t;
                series->x[w][t * B + b] = (float)bits[at];
                series->labels[w][t * B + b] = at < ECHO ? 0 : bits[at - ECHO];
            }
}

struct training {
    mlstm_stack *stack;
    mlstm_state *state;
    mlstm_grads *grads;
    mlstm_optimizer *adagrad;
};

/* Gives the loss, and adds to `correct` how many predictions were, before the update. */
static double train_window(struct training *t, const float *x, const int32_t *labels, int *correct)
{
    float logits[T * B * CLASSES], p[T * B * CLASSES], dlogits[T * B * CLASSES], loss;
    must(mlstm_state_begin_window(t->state));
    must(mlstm_forward(t->stack, t->state, x, T, logits));
    must(mlstm_softmax_cross_entropy(logits, labels, T * B, CLASSES, p, dlogits, &loss));
    must(mlstm_grads_zero(t->grads));
    must(mlstm_backward(t->stack, t->state, dlogits, NULL, NULL, NULL, t->grads));
    must(mlstm_apply_grads(t->adagrad, t->stack, t->grads));
    for (int row = 0; row < T * B; row++)
        *correct += labels[row] == (p[row * CLASSES] < 0.5f ? 1 : 0);
    return (double)loss;
}

void print_curve(uint32_t seed, int32_t epochs)
{
    static struct series series;
    struct training training = {.stack = draw_stack(seed)};
    must(mlstm_state_create(training.stack, B, T, &training.state));
    must(mlstm_grads_create(training.stack, &training.grads));
    must(mlstm_adagrad_create(training.stack, 0.3f, 0.1f, &training.adagrad));
    for (int32_t epoch = 0; epoch < epochs; epoch++) {
        double blocks[BLOCKS] = {0}, sum = 0;
        int correct = 0;
        draw_series(&series, seed, epoch);
        must(mlstm_state_zero(training.state));
        for (int w = 0; w < WINDOWS; w++) {
            const double loss = train_window(&training, series.x[w], series.labels[w], &correct);
            blocks[w * BLOCKS / WINDOWS] += loss;
            sum += loss;
        }
        printf("%u %d", seed, epoch);
        for (int i = 0; i < BLOCKS; i++)
            printf(" %.6f", blocks[i] * BLOCKS / WINDOWS);
        printf(" %.6f %.6f\n", sum / WINDOWS, correct / (double)(WINDOWS * T * B));
        fflush(stdout);
    }
    mlstm_optimizer_destroy(training.adagrad);
    mlstm_grads_destroy(training.grads);
    mlstm_state_destroy(training.state);
    mlstm_stack_destroy(training.stack);
}
