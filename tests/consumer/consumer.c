/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include <mlstm/mlstm.h>

/* Trains one unit to keep its output at 1, and says which library did it. */
int main(void)
{
    const float x[3] = {1.0f, 1.0f, 1.0f};
    const float target[3] = {1.0f, 1.0f, 1.0f};
    float y[3], dy[3], loss = 0.0f;
    mlstm_cell *cell = NULL;
    mlstm_stack *stack = NULL;
    mlstm_state *state = NULL;
    mlstm_grads *grads = NULL;
    mlstm_optimizer *optimizer = NULL;

    int bad = mlstm_cell_create(1, 2, &cell) || mlstm_stack_create(&cell, 1, &stack) ||
              mlstm_stack_set_readout(stack, 1, MLSTM_READOUT_C | MLSTM_READOUT_H) ||
              mlstm_stack_init(stack, MLSTM_GLOROT_UNIFORM, 1) ||
              mlstm_state_create(stack, 1, 3, &state) || mlstm_grads_create(stack, &grads) ||
              mlstm_adagrad_create(stack, 0.1f, 0.1f, &optimizer);
    for (int i = 0; i < 300 && !bad; i++)
        bad = mlstm_state_zero(state) || mlstm_forward(stack, state, x, 3, y) ||
              mlstm_squared_error(y, target, 3, dy, &loss) || mlstm_grads_zero(grads) ||
              mlstm_backward(stack, state, dy, NULL, NULL, NULL, grads) ||
              mlstm_apply_grads(optimizer, stack, grads);

    mlstm_optimizer_destroy(optimizer);
    mlstm_grads_destroy(grads);
    mlstm_state_destroy(state);
    mlstm_stack_destroy(stack);
    printf("mlstm %s, loss %g %s\n", mlstm_version(), (double)loss, bad ? mlstm_last_error() : "");
    return bad || !(loss < 0.01f);
}
