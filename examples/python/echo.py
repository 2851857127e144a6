# SPDX-License-Identifier: MIT
"""The echo task: an LSTM learns to repeat random bits three steps later. Usage: echo.py [EPOCHS]"""

import sys

import numpy

import mlstm

total_series_length = 50000
truncated_backprop_length = 15
state_size = 4
num_classes = 2
echo_step = 3
batch_size = 5
num_layers = 3
num_batches = total_series_length // batch_size // truncated_backprop_length


def generate_data(generator):
    """x [columns,B,1] and y [columns,B], so that a window is a slice of them."""
    x = generator.integers(0, 2, total_series_length)
    y = numpy.roll(x, echo_step)
    y[:echo_step] = 0
    x, y = (series.reshape(batch_size, -1).T for series in (x, y))
    return (numpy.ascontiguousarray(x[:, :, None], numpy.float32),
            numpy.ascontiguousarray(y, numpy.int32))


def create_stack():
    stack = mlstm.Stack(mlstm.Cell(state_size if layer else 1, state_size)
                        for layer in range(num_layers))
    stack.set_readout(num_classes, mlstm.READOUT_C | mlstm.READOUT_H)
    stack.init(mlstm.GLOROT_UNIFORM, seed=1)
    stack.init_param("readout.kernel_c", mlstm.UNIFORM, 0, 1, seed=1)
    stack.init_param("readout.kernel_h", mlstm.UNIFORM, 0, 1, seed=1)
    return stack


def main(num_epochs):
    stack = create_stack()
    state = mlstm.State(stack, batch_size, truncated_backprop_length)
    grads = mlstm.Grads(stack)
    optimizer = mlstm.adagrad(stack, 0.3, 0.1)
    logits = numpy.empty((truncated_backprop_length, batch_size, num_classes), numpy.float32)
    dlogits = numpy.empty_like(logits)
    generator = numpy.random.default_rng(1)

    for epoch_idx in range(num_epochs):
        x, y = generate_data(generator)
        state.zero()
        print("New data, epoch", epoch_idx)
        for batch_idx in range(num_batches):
            start = batch_idx * truncated_backprop_length
            window = slice(start, start + truncated_backprop_length)
            state.begin_window()
            stack.forward(state, x[window], out=logits)
            loss = mlstm.softmax_cross_entropy(logits, y[window], dlogits=dlogits)
            grads.zero()
            stack.backward(state, dlogits, grads=grads)
            optimizer.apply_grads(stack, grads)
            if batch_idx % 100 == 0:
                print(f"Step {batch_idx} Batch loss {loss:g}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
