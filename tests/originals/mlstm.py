# SPDX-License-Identifier: MIT
"""The C API through ctypes, and a model on it that runs one window forward and back.

$MLSTM_LIBRARY is the shared library; the types of its functions are read from the headers.
"""
import ctypes
import os
import pathlib
import re

import numpy

SCALARS = {"float": ctypes.c_float, "int32_t": ctypes.c_int32, "mlstm_status": ctypes.c_int32,
           "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t}


def _type(declaration):
    """"const float *values" is a pointer; "const char *name" a string, except as an output."""
    if declaration.count("*") == 1 and "char" in declaration:
        return ctypes.c_char_p
    return ctypes.c_void_p if "*" in declaration else SCALARS.get(declaration.split()[0])


def _read_headers():
    folder = pathlib.Path(__file__).parents[2] / "include/mlstm"
    text = re.sub(r"/\*.*?\*/", "", "".join(f.read_text() for f in sorted(folder.glob("*.h"))),
                  flags=re.S)
    functions = re.findall(r"MLSTM_API\s+([\w\s*]+?)(mlstm_\w+)\(([^)]*)\);", text)
    constants = re.findall(r"\bMLSTM_([A-Z_]+) = (\d+)", text)
    return ({name: (result, parameters.split(",")) for result, name, parameters in functions},
            {name: int(value) for name, value in constants})


_library = ctypes.CDLL(os.environ["MLSTM_LIBRARY"])
_functions, constants = _read_headers()


def call(name, *arguments):
    """Calls a function of the library; an error is raised with its sentence."""
    result, parameters = _functions[name]
    function = getattr(_library, name)
    function.argtypes = [_type(parameter) for parameter in parameters if parameter != "void"]
    function.restype = _type(result)
    value = function(*map(_argument, arguments))
    if "mlstm_status" in result and value != 0:
        raise RuntimeError(f"{name}: {call('mlstm_last_error').decode()}")
    return value


def _argument(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, numpy.ndarray):  # a copy where an input has another precision
        kind = numpy.float32 if value.dtype.kind == "f" else numpy.int32
        return numpy.ascontiguousarray(value, kind).ctypes
    return value


def create(name, *arguments):
    """A new handle from one of the mlstm_..._create functions."""
    handle = ctypes.c_void_p()
    call(name, *arguments, ctypes.byref(handle))
    return handle


def number(name, *arguments):
    """The float that a function puts into its last argument."""
    value = ctypes.c_float()
    call(name, *arguments, ctypes.byref(value))
    return value.value


def cell(inputs, units, **options):
    """Each option is an mlstm_cell_set_ function: cell(3, 4, peepholes=1, zoneout=(0.1, 0.2))."""
    handle = create("mlstm_cell_create", inputs, units)
    for option, value in options.items():
        call("mlstm_cell_set_" + option, handle, *(value if isinstance(value, tuple) else (value,)))
    return handle


class Model:
    """A stack of cells, with or without a readout, and its gradients."""

    def __init__(self, *cells, readout=None):
        self.stack = create("mlstm_stack_create",
                            (ctypes.c_void_p * len(cells))(*[c.value for c in cells]), len(cells))
        if readout:
            call("mlstm_stack_set_readout", self.stack, *readout)
        self.shapes = dict(self._describe(i)
                           for i in range(call("mlstm_stack_param_count", self.stack)))
        self.grads = create("mlstm_grads_create", self.stack)

    def __del__(self):
        call("mlstm_grads_destroy", self.grads)
        call("mlstm_stack_destroy", self.stack)

    def _describe(self, index):
        name, rank, shape = ctypes.c_char_p(), ctypes.c_int32(), (ctypes.c_int32 * 2)()
        call("mlstm_stack_param_info", self.stack, index, ctypes.byref(name), ctypes.byref(rank),
             shape)
        return name.value.decode(), tuple(shape)[:rank.value]

    def _get(self, function, handle, *names):
        values = numpy.empty(self.shapes[names[-1]], numpy.float32)
        call(function, handle, *names, values, values.size)
        return values

    @property
    def parameters(self):
        return {name: self._get("mlstm_stack_get_param", self.stack, name) for name in self.shapes}

    @parameters.setter
    def parameters(self, values):
        self._set("mlstm_stack_set_param", self.stack, values)

    @property
    def gradients(self):
        return {name: self._get("mlstm_grads_get", self.grads, name) for name in self.shapes}

    @gradients.setter
    def gradients(self, values):
        self._set("mlstm_grads_set", self.grads, values)

    def _set(self, function, handle, values):
        assert set(values) == set(self.shapes), set(values) ^ set(self.shapes)
        for name, value in values.items():
            assert value.shape == self.shapes[name], (name, value.shape, self.shapes[name])
            call(function, handle, name, value, value.size)

    def run(self, window):
        """One window from `window.state`: what came out, and the gradients of all that went in."""
        steps, rows, inputs = window.x.shape
        outputs = call("mlstm_stack_output_size", self.stack)
        y = numpy.empty((steps, rows, outputs), numpy.float32)
        dx = numpy.empty(window.x.shape, numpy.float32)
        state = create("mlstm_state_create", self.stack, rows, steps)
        try:
            call("mlstm_state_set", state, *pack(window.state))
            if window.lengths is not None:
                call("mlstm_state_set_lengths", state, window.lengths, rows)
            call("mlstm_forward", self.stack, state, window.x, steps, y)
            final = self._state("mlstm_state_get", state, window)
            call("mlstm_state_set_final_grad", state, *pack(window.dstate))
            call("mlstm_grads_zero", self.grads)
            call("mlstm_backward", self.stack, state, window.dy, None, None, dx, self.grads)
            initial = self._state("mlstm_state_get_initial_grad", state, window)
        finally:
            call("mlstm_state_destroy", state)
        return {"y": y, **final}, {"x": dx, **initial, **self.gradients}

    def _state(self, function, state, window):
        values = numpy.empty(call("mlstm_state_size", state), numpy.float32)
        call(function, state, values, values.size)
        return name_state(unpack(values, window.state))


def pack(state):
    """The state tensor of [(c, h), ...], one pair for each layer and direction."""
    values = numpy.concatenate([a.ravel() for pair in state for a in pair])
    return values, values.size


def unpack(values, like):
    arrays = [a for pair in like for a in pair]
    pieces = numpy.split(values, numpy.cumsum([a.size for a in arrays])[:-1])
    pieces = [piece.reshape(a.shape) for piece, a in zip(pieces, arrays)]
    return list(zip(pieces[::2], pieces[1::2]))


def name_state(state):
    return {f"{name}[{i}]": values for i, pair in enumerate(state)
            for name, values in zip("ch", pair)}
