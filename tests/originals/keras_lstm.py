# SPDX-License-Identifier: MIT
"""Keras' LSTM and Bidirectional. They take [B,T,I], and h before c."""
import keras
import tensorflow as tf

import mlstm
from compare import Window, compare_sizes, report_missing, report_original

CONCAT, SUM, HIDDEN, STEP, SEQUENCE = (mlstm.constants[name] for name in (
    "MERGE_CONCAT", "MERGE_SUM", "DROP_HIDDEN", "MASK_STEP", "MASK_SEQUENCE"))


def directions(layer):
    """The LSTMs of a layer, by the prefix of their names in the library."""
    if isinstance(layer, keras.layers.Bidirectional):
        return {"": layer.forward_layer, "reverse.": layer.backward_layer}
    return {"": layer}


def variables(layers):
    """The library's parameters as Keras' variables, the rows of a kernel being two of them."""
    named = {}
    for i, layer in enumerate(layers):
        for direction, lstm in directions(layer).items():
            cell, prefix = lstm.cell, f"layer{i}.{direction}"
            named[prefix + "kernel"] = [cell.kernel, cell.recurrent_kernel]
            if cell.use_bias:
                named[prefix + "bias"] = [cell.bias]
    return named


def reorder(values):
    """Keras' gates i, f, j, o become i, j, f, o."""
    i, f, j, o = tf.split(tf.concat(values, 0), 4, -1)
    return tf.concat([i, j, f, o], -1).numpy()


def named_state(state):
    return mlstm.name_state([tuple(a.numpy() for a in pair) for pair in state])


def run_layers(layers, window):
    x = tf.constant(window.x)
    state = [tuple(map(tf.constant, pair)) for pair in window.state]
    mask = None if window.lengths is None else tf.sequence_mask(window.lengths, len(window.x))
    count = len(state) // len(layers)  # directions
    with tf.GradientTape() as tape:
        tape.watch([x, state])
        y, final = tf.transpose(x, [1, 0, 2]), []
        for i, layer in enumerate(layers):
            given = [a for c, h in state[i * count:(i + 1) * count] for a in (h, c)]
            y, *after = layer(y, mask=mask, initial_state=given, training=False)
            final += list(zip(after[1::2], after[::2]))
        y = tf.transpose(y, [1, 0, 2])
        loss = tf.reduce_sum(y * window.dy) + sum(
            tf.reduce_sum(a * da) for pair, dpair in zip(final, window.dstate)
            for a, da in zip(pair, dpair))
    named = variables(layers)
    dx, dstate, dnamed = tape.gradient(loss, [x, state, named])
    return ({"y": y.numpy(), **named_state(final)},
            {"x": dx.numpy(), **named_state(dstate),
             **{name: reorder(values) for name, values in dnamed.items()}})


def compare(inputs, units, _, steps, rows, layers=1, merge=None, shortest=None, dropout=0.0,
            **options):
    count = 2 if merge else 1
    outputs = 2 * units if merge == CONCAT else units
    window = Window(inputs, outputs, [(units, units)] * layers * count, steps, rows, shortest)
    originals, cells = [], []
    for layer in range(layers):
        lstm = keras.layers.LSTM(
            units, return_sequences=True, return_state=True, zero_output_for_mask=True,
            dropout=dropout, recurrent_dropout=dropout, dtype="float64", **options)
        if merge:
            lstm = keras.layers.Bidirectional(
                lstm, merge_mode="concat" if merge == CONCAT else "sum", dtype="float64")
        lstm.build((rows, steps, outputs if layer else inputs))
        lstm.set_weights([window.draw(*shape.shape, scale=0.3) for shape in lstm.get_weights()])
        originals.append(lstm)
        ours = {"forget_bias": 0.0, "biases": int(options.get("use_bias", True))}
        if merge:
            ours["bidirectional"] = merge
        if dropout:
            ours.update(dropout=(dropout, SEQUENCE),
                        recurrent_dropout=(dropout, HIDDEN, SEQUENCE))
        cells.append(mlstm.cell(outputs if layer else inputs, units, **ours))
    model = mlstm.Model(*cells)
    model.parameters = {name: reorder(values) for name, values in variables(originals).items()}
    return model.run(window), run_layers(originals, window)


CASES = {
    "LSTM": {},
    "LSTM, implementation 1": {"implementation": 1},
    "LSTM, use_bias=False": {"use_bias": False},
    "LSTM, dropout and recurrent_dropout 0.3, off": {"dropout": 0.3},
    "LSTM, mask": {"shortest": 0},
    "3 LSTM": {"layers": 3},
    "3 LSTM, mask": {"layers": 3, "shortest": 0},
    "Bidirectional, concat": {"merge": CONCAT},
    "Bidirectional, sum": {"merge": SUM},
    "Bidirectional, concat, mask": {"merge": CONCAT, "shortest": 0},
    "Bidirectional, sum, mask": {"merge": SUM, "shortest": 0},
    "2 Bidirectional, concat, mask": {"layers": 2, "merge": CONCAT, "shortest": 0},
    "2 Bidirectional, sum": {"layers": 2, "merge": SUM},
}

if __name__ == "__main__":
    report_original("Keras", keras.__version__)
    for name, options in CASES.items():
        compare_sizes(name, compare, **options)
    report_missing("merge_mode mul, ave", "two directions are concatenated or summed")
    report_missing("activation, recurrent_activation", "other than tanh and sigmoid")
