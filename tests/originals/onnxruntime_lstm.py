# SPDX-License-Identifier: MIT
"""The ONNX operator LSTM as ONNX Runtime computes it, in float32 and without gradients."""
import re

import numpy
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

import mlstm
from compare import SIZES, Window, compare_sizes, report_missing, report_original

CONCAT = mlstm.constants["MERGE_CONCAT"]


def run_operator(inputs, directions, units, **attributes):
    """(Y, Y_h, Y_c) of one LSTM; an input that is None is left out."""
    given = {name: value for name, value in inputs.items() if value is not None}
    node = helper.make_node("LSTM", [name if name in given else "" for name in inputs],
                            ["Y", "Y_h", "Y_c"], hidden_size=units, **attributes)

    def info(name, value):
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        return helper.make_tensor_value_info(name, kind, value.shape)
    graph = helper.make_graph(
        [node], "lstm", [info(*item) for item in given.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    return session.run(None, given)


def columns(weight):
    """[4H, N] with the rows i, o, f, j becomes [N, 4H] with the columns i, j, f, o."""
    i, o, f, j = numpy.split(weight, 4)
    return numpy.concatenate([i, j, f, o]).T


def layout(inputs):
    """The library's parameters from the operator's inputs."""
    values = {}
    for direction, prefix in enumerate(("layer0.", "layer0.reverse.")[:len(inputs["W"])]):
        values[prefix + "kernel"] = numpy.concatenate(
            [columns(inputs[name][direction]) for name in "WR"])
        if inputs["B"] is not None:
            bias, bias_h = numpy.split(inputs["B"][direction], 2)
            values[prefix + "bias"], values[prefix + "bias_h"] = columns(bias), columns(bias_h)
        if inputs["P"] is not None:
            for gate, value in zip("iof", numpy.split(inputs["P"][direction], 3)):
                values[prefix + "peephole_" + gate] = value
    return values


def reverse(values, lengths):
    """[T,B,...] with the steps of each row backwards as far as they count."""
    values = values.copy()
    for row in range(values.shape[1]):
        end = len(values) if lengths is None else lengths[row]
        values[:end, row] = values[:end, row][::-1]
    return values


def compare(size, units, _, steps, rows, direction="forward", bias=True, peepholes=False,
            shortest=None, state=True, **attributes):
    count = 2 if direction == "bidirectional" else 1
    window = Window(size, count * units, [(units, units)] * count, steps, rows, shortest)
    if not state:
        window.state = [tuple(numpy.zeros_like(a) for a in pair) for pair in window.state]

    def weight(*shape):
        return window.draw(count, *shape, scale=0.3).astype(numpy.float32)
    inputs = {
        "X": window.x.astype(numpy.float32),
        "W": weight(4 * units, size), "R": weight(4 * units, units),
        "B": weight(8 * units) if bias else None,
        "sequence_lens": window.lengths.astype(numpy.int32) if window.lengths is not None else None,
        "initial_h": numpy.stack([h for _, h in window.state]).astype(numpy.float32),
        "initial_c": numpy.stack([c for c, _ in window.state]).astype(numpy.float32),
        "P": weight(3 * units) if peepholes else None}
    ours = {"forget_bias": 0.0, "biases": 2 * bias, "peepholes": int(peepholes),
            "coupled": attributes.get("input_forget", 0)}
    if count == 2:
        ours["bidirectional"] = CONCAT
    model = mlstm.Model(mlstm.cell(size, units, **ours))
    model.parameters = layout(inputs)
    if not state:
        inputs["initial_h"] = inputs["initial_c"] = None
    y, h, c = run_operator(inputs, count, units, direction=direction, **attributes)
    y = y.transpose(0, 2, 1, 3).reshape(steps, rows, -1)

    if direction == "reverse":  # one direction of the library, on x backwards
        window.x = reverse(window.x, window.lengths)
        y = reverse(y, window.lengths)
    results, _ = model.run(window)
    return (results, None), ({"y": y, **mlstm.name_state(list(zip(c, h)))}, None)


CASES = {
    "forward": {},
    "forward, activations Sigmoid, Tanh, Tanh": {"activations": ["Sigmoid", "Tanh", "Tanh"]},
    "forward, no initial_h and initial_c": {"state": False},
    "forward, no B": {"bias": False},
    "forward, P": {"peepholes": True},
    "forward, sequence_lens": {"shortest": 1},
    "forward, input_forget": {"input_forget": 1},
    "forward, input_forget, P, sequence_lens":
        {"input_forget": 1, "peepholes": True, "shortest": 1},
    "reverse (x backwards)": {"direction": "reverse"},
    "reverse (x backwards), P, sequence_lens":
        {"direction": "reverse", "peepholes": True, "shortest": 1},
    "bidirectional": {"direction": "bidirectional"},
    "bidirectional, P, sequence_lens":
        {"direction": "bidirectional", "peepholes": True, "shortest": 1},
    "bidirectional, input_forget, P, sequence_lens":
        {"direction": "bidirectional", "input_forget": 1, "peepholes": True, "shortest": 1},
}

MISSING = {
    "clip": "limits what the activations of the gates read; the library limits c, and h of a "
            "projection, as TensorFlow does",
    "sequence_lens of 0": "the state becomes 0; the library's stays, as TensorFlow's and Keras' do",
    "activations, activation_alpha, activation_beta": "other than the default's sigmoid and tanh",
}


def refusal_of_layout_1():
    try:
        compare(*SIZES[0], layout=1)
    except Fail as error:
        return re.search(r"[^.]*layout == 1[^.]*", str(error)).group().strip()
    raise AssertionError("ONNX Runtime computes layout 1 by now: it has become a case")


if __name__ == "__main__":
    report_original("ONNX Runtime", onnxruntime.__version__)
    for name, options in CASES.items():
        compare_sizes("LSTM, " + name, compare, **options)
    for name, why in MISSING.items():
        report_missing(name, why)
    report_missing("layout 1", "ONNX Runtime itself: " + refusal_of_layout_1())
