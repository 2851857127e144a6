/* SPDX-License-Identifier: MIT */
#include <mlstm/mlstm.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    enum { T = 20, B = 8, H = 8, O = 2 }; /* steps, rows, units, classes */
    float x[T * B], y[T * B * O], dy[T * B * O], loss = 0;
    int32_t labels[T * B];
    mlstm_cell *cells[2] = {NULL, NULL};
    mlstm_stack *stack = NULL;
    mlstm_state *state = NULL;
    mlstm_grads *grads = NULL;
    mlstm_optimizer *optimizer = NULL;

    //! [quickstart]
    int bad = mlstm_cell_create(1, H, &cells[0]) || mlstm_cell_create(H, H, &cells[1]) ||
              mlstm_stack_create(cells, 2, &stack) ||
              mlstm_stack_set_readout(stack, O, MLSTM_READOUT_H) ||
              mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, 1) ||
              mlstm_state_create(stack, B, T, &state) || mlstm_grads_create(stack, &grads) ||
              mlstm_adagrad_create(stack, 0.3f, 0.1f, &optimizer);

    for (int i = 0; i < 500 && !bad; i++) {
        for (int k = 0; k < T * B; k++) {
            x[k] = (float)rand() / (float)RAND_MAX - 0.5f;
            labels[k] = k >= B && x[k - B] > 0; /* was the number one step ago above 0? */
        }
        bad = mlstm_state_zero(state) || mlstm_forward(stack, state, x, T, y) ||
              mlstm_softmax_cross_entropy(y, labels, T * B, O, NULL, dy, &loss) ||
              mlstm_grads_zero(grads) ||
              mlstm_backward(stack, state, dy, NULL, NULL, NULL, grads) ||
              mlstm_apply_grads(optimizer, stack, grads);
    }
    //! [quickstart]
    if (bad)
        fprintf(stderr, "%s\n", mlstm_last_error());
    else
        printf("loss %.3f; guessing has 0.693\n", loss);

    mlstm_optimizer_destroy(optimizer);
    mlstm_grads_destroy(grads);
    mlstm_state_destroy(state);
    mlstm_cell_destroy(cells[0]); /* left alone if the stack has them */
    mlstm_cell_destroy(cells[1]);
    mlstm_stack_destroy(stack);
    return bad || loss > 0.2f;
}
