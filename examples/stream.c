/* SPDX-License-Identifier: MIT */
/*
 * A trained model at work. FILE has its parameters, from mlstm-checkpoint or from Python
 * (docs/weights.md). For each line of I numbers on stdin, a step, there is a line on stdout at once:
 * how probable each of the O classes is.
 *
 *     mlstm-stream FILE
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlstm/mlstm.h>

#include "params.h"
#include "program.h"

const char program_name[] = "mlstm-stream";

enum { I = 1, H = 8, O = 2 }; /* inputs, units, classes */

/* The same layers and options as those that were trained; here they are mlstm-checkpoint's. */
static mlstm_stack *create_stack(void)
{
    mlstm_cell *cells[2];
    mlstm_stack *stack;
    check(mlstm_cell_create(I, H, &cells[0]));
    check(mlstm_cell_create(H, H, &cells[1]));
    check(mlstm_stack_create(cells, 2, &stack));
    check(mlstm_stack_set_readout(stack, O, MLSTM_READOUT_H));
    return stack;
}

/* The numbers of the next line; false where there is none. */
static bool read_numbers(float *x, int32_t count)
{
    static char *line;
    static size_t size;
    if (getline(&line, &size, stdin) < 0) {
        free(line);
        return false;
    }
    char *at = line, *end;
    for (int32_t k = 0; k < count; k++, at = end) {
        x[k] = strtof(at, &end);
        if (end == at)
            fail("not %d numbers: %s", (int)count, line);
    }
    if (at[strspn(at, " \t\r\n")])
        fail("more than %d numbers: %s", (int)count, line);
    return true;
}

static void write_numbers(const float *y, int32_t count)
{
    for (int32_t k = 0; k < count; k++)
        printf("%.9g%c", (double)y[k], k < count - 1 ? ' ' : '\n');
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fail("usage: mlstm-stream FILE");
    FILE *file = fopen(argv[1], "rb");
    if (!file)
        fail("%s: %s", argv[1], strerror(errno));
    mlstm_stack *stack = create_stack();
    restore_params(file, stack);
    fclose(file);

    //! [stream]
    float x[I], y[O];
    mlstm_state *state;
    check(mlstm_state_create(stack, 1, 0, &state)); /* one row; nothing is recorded */
    while (read_numbers(x, I)) {
        check(mlstm_step_forward(stack, state, x, y));
        check(mlstm_softmax(y, 1, O, y)); /* y are logits; leave it out where they are numbers */
        write_numbers(y, O);
    }
    //! [stream]
    mlstm_state_destroy(state);
    mlstm_stack_destroy(stack);
    return 0;
}
