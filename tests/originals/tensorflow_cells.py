# SPDX-License-Identifier: MIT
"""TensorFlow 1's cells under dynamic_rnn and static_rnn.

Those of tf.contrib, which TensorFlow 2 has not, are composed of its operations as tf.contrib 1.15
had them.
"""
import re

import numpy
import tensorflow as tf

import mlstm
from compare import Window, compare_sizes, report_missing, report_original

v1 = tf.compat.v1
rnn_cell = v1.nn.rnn_cell
RESIDUAL, HIGHWAY, GATES = (mlstm.constants[name]
                            for name in ("SKIP_RESIDUAL", "SKIP_HIGHWAY", "NORM_GATES"))
OURS = {"w_i_diag": "peephole_i", "w_f_diag": "peephole_f", "w_o_diag": "peephole_o",
        "projection/kernel": "projection", "carry_w": "highway_kernel", "carry_b": "highway_bias"}


class Composed(rnn_cell.RNNCell):
    """A cell of tf.contrib, and the shapes of its variables."""

    def __init__(self, units, **shapes):
        super().__init__(dtype=tf.float64)
        self.units, self.weight_shapes = units, shapes

    def build(self, _):
        for name, shape in self.weight_shapes.items():
            setattr(self, name, self.add_weight(name, shape))
        self.built = True

    @property
    def state_size(self):
        return rnn_cell.LSTMStateTuple(self.units, self.output_size)


class LayerNormBasicLSTMCell(Composed):
    def __init__(self, inputs, units):
        super().__init__(units, kernel=(inputs + units, 4 * units), norm_gain=(4 * units,),
                         bias=(4 * units,), norm_c_gain=(units,), norm_c_shift=(units,))

    @property
    def output_size(self):
        return self.units

    @staticmethod
    def norm(values, gain, shift):
        mean, variance = tf.nn.moments(values, [1], keepdims=True)
        return tf.nn.batch_normalization(values, mean, variance, shift, gain, 1e-12)

    def call(self, x, state):
        c, h = state
        gates = [self.norm(*parts) for parts in zip(
            tf.split(tf.concat([x, h], 1) @ self.kernel, 4, 1),
            tf.split(self.norm_gain, 4), tf.split(self.bias, 4))]
        i, j, f, o = gates
        c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        c = self.norm(c, self.norm_c_gain, self.norm_c_shift)
        h = tf.tanh(c) * tf.sigmoid(o)
        return h, rnn_cell.LSTMStateTuple(c, h)


class CoupledInputForgetGateLSTMCell(Composed):
    """Trains f and takes 1 - f as the input gate: the library's i is minus its f."""

    def __init__(self, inputs, units, projection):
        super().__init__(units, kernel=(inputs + projection, 3 * units), bias=(3 * units,),
                         w_f_diag=(units,), w_o_diag=(units,), projection=(units, projection))

    @property
    def output_size(self):
        return self.weight_shapes["projection"][1]

    def call(self, x, state):
        c, h = state
        j, f, o = tf.split(tf.concat([x, h], 1) @ self.kernel + self.bias, 3, 1)
        f = tf.sigmoid(f + 1.0 + self.w_f_diag * c)
        c = f * c + (1 - f) * tf.tanh(j)
        h = (tf.sigmoid(o + self.w_o_diag * c) * tf.tanh(c)) @ self.projection
        return h, rnn_cell.LSTMStateTuple(c, h)


class HighwayWrapper(Composed):
    def __init__(self, cell, inputs):
        super().__init__(None, carry_w=(inputs, inputs), carry_b=(inputs,))
        self.cell = cell

    @property
    def state_size(self):
        return self.cell.state_size

    @property
    def output_size(self):
        return self.cell.output_size

    def call(self, x, state):
        h, state = self.cell(x, state)
        carry = tf.sigmoid(x @ self.carry_w + self.carry_b)
        return x * carry + h * (1 - carry), state


def layout(values, *_):
    """The library's parameters, from TensorFlow's by the names of its variables."""
    named = {}
    for name, value in values.items():
        layer = re.search(r"cell_(\d+)/", name)
        tail = re.search(r"/(projection/kernel|\w+):0$", name).group(1)
        named[f"layer{layer.group(1) if layer else 0}.{OURS.get(tail, tail)}"] = value
    return named


def layout_coupled(values, forget_bias):
    values = layout(values)

    def four(name):
        j, f, o = numpy.split(values[name], 3, -1)
        return numpy.concatenate([-f, j, numpy.zeros_like(f), o], -1)
    kernel, bias, peephole = four("layer0.kernel"), four("layer0.bias"), values["layer0.peephole_f"]
    bias[:len(peephole)] -= forget_bias
    return {**values, "layer0.kernel": kernel, "layer0.bias": bias,
            "layer0.peephole_i": -peephole, "layer0.peephole_f": numpy.zeros_like(peephole)}


def run_original(cell, window, unroll):
    """(results, gradients, values) of one window, the last two by the names of the variables."""
    x = tf.constant(window.x)
    given = [tf.constant(a) for pair in window.state for a in pair]
    state = tf.nest.pack_sequence_as(cell.state_size, given)
    y, final = unroll(cell, x, state, window.lengths)
    final = tf.nest.flatten(final)
    dfinal = [a for pair in window.dstate for a in pair]
    loss = tf.reduce_sum(y * window.dy) + sum(
        tf.reduce_sum(a * da) for a, da in zip(final, dfinal))
    variables = v1.trainable_variables()
    gradients = tf.gradients(loss, [x, *given, *variables])
    with v1.Session() as session:
        for variable in variables:
            variable.load(window.draw(*variable.shape, scale=0.3), session)
        y, final, gradients, values = session.run([y, final, gradients, variables])
    names = [variable.name for variable in variables]
    pairs = [list(zip(a[::2], a[1::2])) for a in (final, gradients[1:1 + len(given)])]
    return ({"y": y, **mlstm.name_state(pairs[0])},
            {"x": gradients[0], **mlstm.name_state(pairs[1])},
            dict(zip(names, values)), dict(zip(names, gradients[1 + len(given):])))


def dynamic(cell, x, state, lengths):
    return v1.nn.dynamic_rnn(cell, x, lengths, state, time_major=True)


def static(cell, x, state, lengths):
    y, state = v1.nn.static_rnn(cell, tf.unstack(x), state, sequence_length=lengths)
    return tf.stack(y), state


def compare(cell, inputs, state, steps, rows, ours, unroll=dynamic, shortest=None, layout=layout):
    """`cell` makes the original; `ours` are the cells of the library."""
    model = mlstm.Model(*ours)
    window = Window(inputs, mlstm.call("mlstm_stack_output_size", model.stack), state, steps, rows,
                    shortest)
    with tf.Graph().as_default():
        results, gradients, values, dvalues = run_original(cell(), window, unroll)
    model.parameters = layout(values, 1.0)
    return model.run(window), (results, {**gradients, **layout(dvalues, 0.0)})


def compare_lstm(inputs, units, projection, steps, rows, make=rnn_cell.LSTMCell, projected=False,
                 wrap=None, layers=1, original={}, ours={}, **how):
    """`original` are more arguments of `make`, `ours` options of our cell; with `wrap` every layer
    is as wide as its x.
    """
    if wrap:
        inputs = units
    if projected:
        original = {**original, "num_proj": projection}
        ours = {**ours, "projection": projection}
    h = projection if projected else units

    def build():
        cells = [make(units, dtype=tf.float64, **original) for _ in range(layers)]
        cells = list(map(wrap, cells)) if wrap else cells
        return cells[0] if layers == 1 else rnn_cell.MultiRNNCell(cells)
    cells = [mlstm.cell(h if layer else inputs, units, **ours) for layer in range(layers)]
    return compare(build, inputs, [(units, h)] * layers, steps, rows, cells, **how)


def compare_highway(inputs, units, projection, steps, rows):
    return compare_lstm(inputs, units, projection, steps, rows, ours={"skip": HIGHWAY},
                        wrap=lambda cell: HighwayWrapper(cell, units))


def compare_norm(inputs, units, _, steps, rows):
    return compare(lambda: LayerNormBasicLSTMCell(inputs, units), inputs, [(units, units)], steps,
                   rows, [mlstm.cell(inputs, units, norm=(GATES, 1e-12))])


def compare_coupled(inputs, units, projection, steps, rows):
    return compare(lambda: CoupledInputForgetGateLSTMCell(inputs, units, projection), inputs,
                   [(units, projection)], steps, rows,
                   [mlstm.cell(inputs, units, coupled=1, peepholes=1, projection=projection)],
                   layout=layout_coupled)


PEEPHOLES = {"original": {"use_peepholes": True}, "ours": {"peepholes": 1}}
EVERYTHING = {
    "projected": True,
    "original": {"use_peepholes": True, "cell_clip": 0.5, "proj_clip": 0.3, "forget_bias": 0.5},
    "ours": {"peepholes": 1, "cell_clip": 0.5, "projection_clip": 0.3, "forget_bias": 0.5}}
BASIC = {"make": rnn_cell.BasicLSTMCell}
WRAPPED = {"wrap": rnn_cell.ResidualWrapper, "ours": {"skip": RESIDUAL}}
CASES = {
    "BasicLSTMCell": BASIC,
    "BasicLSTMCell, static_rnn": {**BASIC, "unroll": static},
    "BasicLSTMCell, forget_bias 0":
        {**BASIC, "original": {"forget_bias": 0.0}, "ours": {"forget_bias": 0.0}},
    "LSTMCell": {},
    "LSTMCell, use_peepholes": PEEPHOLES,
    "LSTMCell, cell_clip": {"original": {"cell_clip": 0.5}, "ours": {"cell_clip": 0.5}},
    "LSTMCell, num_proj": {"projected": True},
    "LSTMCell, num_proj, proj_clip":
        {"projected": True, "original": {"proj_clip": 0.3}, "ours": {"projection_clip": 0.3}},
    "LSTMCell, all of these": EVERYTHING,
    "LSTMCell, all of these, sequence_length": {**EVERYTHING, "shortest": 0},
    "MultiRNNCell of 3 BasicLSTMCell": {**BASIC, "layers": 3},
    "MultiRNNCell of 3, static_rnn, sequence_length":
        {**BASIC, "layers": 3, "unroll": static, "shortest": 0},
    "MultiRNNCell of 2 LSTMCell, all of these": {**EVERYTHING, "layers": 2},
    "ResidualWrapper": WRAPPED,
    "MultiRNNCell of 3 ResidualWrapper, sequence_length": {**WRAPPED, "layers": 3, "shortest": 0},
}

if __name__ == "__main__":
    report_original("TensorFlow", tf.__version__)
    for name, options in CASES.items():
        compare_sizes(name, compare_lstm, **options)
    compare_sizes("contrib HighwayWrapper, composed", compare_highway)
    compare_sizes("contrib LayerNormBasicLSTMCell, composed", compare_norm)
    compare_sizes("contrib CoupledInputForgetGateLSTMCell, composed", compare_coupled)
    report_missing("activation", "other than tanh")
    report_missing("contrib HighwayWrapper, couple_carry_transform_gates=False",
                   "the gates of x and h are t and 1 - t")
