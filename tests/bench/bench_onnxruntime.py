# SPDX-License-Identifier: MIT
"""ONNX Runtime: a chain of LSTM operators, inputs and outputs bound once."""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime

import peer

ORDER = (0, 3, 2, 1)  # ONNX: i o f c, from i j f o


def make_model(work, steps, with_state):
    nodes, weights, state_in, state_out = [], [], [], []

    def constant(name, array):
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    below = "x"
    for layer in range(work.L):
        split, n = work.inputs(layer), str(layer)
        kernel = peer.gates(work.kernels[layer], ORDER, work.H).T[None]
        bias = peer.gates(peer.forget(work.biases[layer], work.H), ORDER, work.H)
        inputs = [below, constant("w" + n, kernel[..., :split]),
                  constant("r" + n, kernel[..., split:]),
                  constant("b" + n, np.concatenate([bias, bias * 0])[None]), ""]
        outputs = ["y" + n]
        if with_state:
            inputs += ["h" + n, "c" + n]
            outputs += ["new_h" + n, "new_c" + n]
            state_in += inputs[-2:]
            state_out += outputs[-2:]
        nodes.append(helper.make_node("LSTM", inputs, outputs, hidden_size=work.H))
        shape = constant_shape(weights, "shape" + n, [steps, work.B, work.H])
        below = "top" if layer == work.L - 1 else "flat" + n
        nodes.append(helper.make_node("Reshape", ["y" + n, shape], [below]))
    info = helper.make_tensor_value_info
    state = [1, work.B, work.H]
    graph = helper.make_graph(
        nodes, "lstm",
        [info("x", TensorProto.FLOAT, [steps, work.B, work.I])]
        + [info(name, TensorProto.FLOAT, state) for name in state_in],
        [info("top", TensorProto.FLOAT, [steps, work.B, work.H])]
        + [info(name, TensorProto.FLOAT, state) for name in state_out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def constant_shape(weights, name, shape):
    weights.append(numpy_helper.from_array(np.array(shape, np.int64), name))
    return name


def make_session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(sys.argv[1])
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                        providers=["CPUExecutionProvider"])


def place(array):
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array, np.float32))


class Infer:
    def __init__(self, work):
        self.session = make_session(make_model(work, work.T, False))
        self.top = place(np.zeros((work.T, work.B, work.H)))
        self.binding = self.session.io_binding()
        self.x = place(work.x)
        self.binding.bind_ortvalue_input("x", self.x)
        self.binding.bind_ortvalue_output("top", self.top)

    def run(self, count):
        for _ in range(count):
            self.session.run_with_iobinding(self.binding)

    def check(self):
        self.run(1)
        yield self.top.numpy()


class Stream:
    """Two sets of state buffers, which the steps use in turns."""

    def __init__(self, work):
        self.session = make_session(make_model(work, 1, True))
        self.x = [work.x[t:t + 1].copy() for t in range(work.T)]
        self.now, self.top = place(self.x[0]), place(np.zeros((1, 1, work.H)))
        zero = np.zeros((1, 1, work.H))
        names = [kind + str(layer) for layer in range(work.L) for kind in "hc"]
        sets = [{name: place(zero) for name in names} for _ in range(2)]
        self.bindings, self.at = [], 0
        for n in range(2):
            binding = self.session.io_binding()
            binding.bind_ortvalue_input("x", self.now)
            binding.bind_ortvalue_output("top", self.top)
            for name in names:
                binding.bind_ortvalue_input(name, sets[n][name])
                binding.bind_ortvalue_output("new_" + name, sets[1 - n][name])
            self.bindings.append(binding)

    def run(self, count):
        for _ in range(count):
            self.now.update_inplace(self.x[self.at])
            self.session.run_with_iobinding(self.bindings[self.at % 2])
            self.at = (self.at + 1) % len(self.x)

    def check(self):
        for _ in self.x:
            self.run(1)
            yield self.top.numpy()


peer.serve("ONNX Runtime " + onnxruntime.__version__, {"infer": Infer, "stream": Stream})
