# SPDX-License-Identifier: MIT
"""libmlstm for Python: multi-layer LSTMs on CPUs.

A method does what the C function of its name does; the C headers are the manual. Handles free
themselves, errors are `mlstm.Error`, and arrays (float32, C order; labels int32) are used where
they lie: NumPy's, PyTorch's, and all others with DLPack or the buffer protocol. A call lets other
Python threads run; which objects they may share, mlstm.h says under "Threads".
"""

import ctypes
import weakref

import numpy

from . import library as _types
from .arrays import output, pointer, view
from .library import Error, library

__all__ = ["Cell", "Error", "Grads", "Optimizer", "Stack", "State", "adagrad", "isa", "sgd",
           "softmax_cross_entropy", "squared_error", "version"]

READOUT_C, READOUT_H = 1, 2
ZEROS, UNIFORM, GLOROT_UNIFORM = 0, 1, 2


def version():
    return library.mlstm_version().decode()


def isa():
    return library.mlstm_isa().decode()


class _Handle:
    """Owns a handle; ctypes passes `_as_parameter_` where the object is an argument."""

    def __init__(self, kind, create, *arguments):
        handle = getattr(_types, kind)()
        create(*arguments, ctypes.byref(handle))
        self._as_parameter_ = handle
        self._finalizer = weakref.finalize(self, getattr(library, f"mlstm_{kind}_destroy"), handle)
        self._finalizer.atexit = False

    def __reduce_ex__(self, protocol):
        raise TypeError(f"a {type(self).__name__} cannot be copied")


class Cell(_Handle):
    """One layer, described (cell.h)."""

    def __init__(self, input_size, hidden_size, forget_bias=1.0):
        super().__init__("cell", library.mlstm_cell_create, input_size, hidden_size)
        library.mlstm_cell_set_forget_bias(self, forget_bias)

    def _give_away(self):
        self._finalizer.detach()
        self._as_parameter_ = None


class Stack(_Handle):
    """The layers, the readout, and every parameter (stack.h). Takes the cells over."""

    def __init__(self, cells):
        cells = list(cells)
        handles = (_types.cell * len(cells))(*(cell._as_parameter_ for cell in cells))
        super().__init__("stack", library.mlstm_stack_create, handles, len(cells))
        for cell in cells:
            cell._give_away()

    def set_readout(self, outputs, sources=READOUT_H):
        library.mlstm_stack_set_readout(self, outputs, sources)

    def init(self, initializer=GLOROT_UNIFORM, seed=0):
        library.mlstm_stack_init(self, initializer, seed)

    def init_param(self, name, initializer, a=0, b=0, seed=0):
        library.mlstm_stack_init_param(self, name.encode(), initializer, a, b, seed)

    @property
    def input_size(self):
        return library.mlstm_stack_input_size(self)

    @property
    def output_size(self):
        return library.mlstm_stack_output_size(self)

    @property
    def hidden_sizes(self):
        """H of every layer, bottom first."""
        return [library.mlstm_cell_hidden_size(library.mlstm_stack_cell(self, layer))
                for layer in range(library.mlstm_stack_layer_count(self))]

    @property
    def shapes(self):
        """The shape of every parameter, by name, from the bottom layer to the readout."""
        name, rank, shape = ctypes.c_char_p(), ctypes.c_int32(), (ctypes.c_int32 * 2)()
        shapes = {}
        for index in range(library.mlstm_stack_param_count(self)):
            library.mlstm_stack_param_info(self, index, ctypes.byref(name), ctypes.byref(rank),
                                           shape)
            shapes[name.value.decode()] = tuple(shape[:rank.value])
        return shapes

    def get_param(self, name, out=None):
        return _get_named(library.mlstm_stack_get_param, self, self.shapes, [name], out)

    def set_param(self, name, values):
        _set_named(library.mlstm_stack_set_param, self, self.shapes, [name], values)

    def step_forward(self, state, x, out=None):
        """y [B,O] of x [B,I]."""
        shape = (state.batch, self.output_size)
        out = output(out, shape)
        library.mlstm_step_forward(self, state, pointer("x", x, (state.batch, self.input_size)),
                                   pointer("out", out, shape, written=True))
        return out

    def forward(self, state, x, out=None):
        """y [T,B,O] of x [T,B,I]."""
        steps = len(x)
        shape = (steps, state.batch, self.output_size)
        out = output(out, shape)
        library.mlstm_forward(self, state,
                              pointer("x", x, (steps, state.batch, self.input_size)), steps,
                              pointer("out", out, shape, written=True))
        return out

    def backward(self, state, dy=None, dh_top=None, dc_top=None, dx=None, grads=None):
        """Adds to `grads`, and writes `dx`; whatever is None is left out."""
        window = (state.steps, state.batch)
        top = window + (self.hidden_sizes[-1],)
        library.mlstm_backward(self, state, pointer("dy", dy, window + (self.output_size,)),
                               pointer("dh_top", dh_top, top), pointer("dc_top", dc_top, top),
                               pointer("dx", dx, window + (self.input_size,), written=True), grads)


class State(_Handle):
    """c and h of every layer, and the window that the backward pass walks (state.h).

    Its tensor is flat here, [L,2,B,H] one after the other, as layers may differ in size.
    """

    def __init__(self, stack, batch, window=0, threads=1):
        super().__init__("state", library.mlstm_state_create, stack, batch, window)
        self._layers = [(batch, size) for size in stack.hidden_sizes]
        library.mlstm_state_set_threads(self, threads)

    def zero(self):
        library.mlstm_state_zero(self)

    def begin_window(self):
        library.mlstm_state_begin_window(self)

    @property
    def size(self):
        return library.mlstm_state_size(self)

    @property
    def batch(self):
        return library.mlstm_state_batch(self)

    @property
    def window(self):
        return library.mlstm_state_window(self)

    @property
    def steps(self):
        return library.mlstm_state_steps(self)

    @property
    def threads(self):
        return library.mlstm_state_threads(self)

    @property
    def bytes(self):
        return library.mlstm_state_bytes(self)

    def get(self, out=None):
        return self._read(library.mlstm_state_get, out)

    def set(self, values):
        library.mlstm_state_set(self, pointer("values", values, (self.size,)), self.size)

    def get_layer(self, layer):
        """c and h, [B,H], of a layer."""
        c, h = (numpy.empty(self._layer_shape(layer), numpy.float32) for _ in "ch")
        library.mlstm_state_get_layer(self, layer, c.ctypes, h.ctypes)
        return c, h

    def set_layer(self, layer, c=None, h=None):
        """c and h are [B,H] of the layer; None leaves that half as it is."""
        shape = self._layer_shape(layer)
        library.mlstm_state_set_layer(self, layer, pointer("c", c, shape), pointer("h", h, shape))

    def get_top(self):
        """c and h, [T,B,H], of the top layer at every recorded step."""
        c, h = (numpy.empty((self.steps,) + self._layers[-1], numpy.float32) for _ in "ch")
        library.mlstm_state_get_top(self, c.ctypes, h.ctypes)
        return c, h

    def set_final_grad(self, values):
        library.mlstm_state_set_final_grad(self, pointer("values", values, (self.size,)),
                                           self.size)

    def get_initial_grad(self, out=None):
        return self._read(library.mlstm_state_get_initial_grad, out)

    def _layer_shape(self, layer):
        # The library has the sentence for a layer that is not there.
        return self._layers[layer] if 0 <= layer < len(self._layers) else (0, 0)

    def _read(self, function, out):
        out = output(out, (self.size,))
        function(self, pointer("out", out, (self.size,), written=True), self.size)
        return out


class Grads(_Handle):
    """One gradient for each parameter (grads.h)."""

    def __init__(self, stack):
        super().__init__("grads", library.mlstm_grads_create, stack)
        self._shapes = stack.shapes

    def zero(self):
        library.mlstm_grads_zero(self)

    def scale(self, factor):
        library.mlstm_grads_scale(self, factor)

    def add(self, other):
        library.mlstm_grads_add(self, other)

    def norm(self):
        norm = ctypes.c_float()
        library.mlstm_grads_norm(self, ctypes.byref(norm))
        return norm.value

    def clip_norm(self, max_norm):
        """Returns the norm before."""
        norm = ctypes.c_float()
        library.mlstm_grads_clip_norm(self, max_norm, ctypes.byref(norm))
        return norm.value

    def get(self, name, out=None):
        return _get_named(library.mlstm_grads_get, self, self._shapes, [name], out)

    def set(self, name, values):
        _set_named(library.mlstm_grads_set, self, self._shapes, [name], values)

    def data(self):
        """The block itself, in the kernels' order, as an array on the library's memory."""
        address, count = ctypes.c_void_p(), ctypes.c_size_t()
        library.mlstm_grads_data(self, ctypes.byref(address), ctypes.byref(count))
        memory = (ctypes.c_float * count.value).from_address(address.value)
        memory.owner = self  # lives as long as the array
        return numpy.frombuffer(memory, numpy.float32)


class Optimizer(_Handle):
    """An update rule and its slots (optimizer.h); made by `sgd` and `adagrad`."""

    def __init__(self, stack, create, *arguments):
        super().__init__("optimizer", create, stack, *arguments)
        self._shapes = stack.shapes

    @property
    def rate(self):
        return library.mlstm_optimizer_rate(self)

    @rate.setter
    def rate(self, rate):
        library.mlstm_optimizer_set_rate(self, rate)

    @property
    def slots(self):
        return [library.mlstm_optimizer_slot_name(self, index).decode()
                for index in range(library.mlstm_optimizer_slot_count(self))]

    def get_slot(self, slot, name, out=None):
        return _get_named(library.mlstm_optimizer_get_slot, self, self._shapes, [slot, name], out)

    def set_slot(self, slot, name, values):
        _set_named(library.mlstm_optimizer_set_slot, self, self._shapes, [slot, name], values)

    def apply_grads(self, stack, grads):
        library.mlstm_apply_grads(self, stack, grads)


def sgd(stack, rate, momentum=0.0, nesterov=False):
    return Optimizer(stack, library.mlstm_sgd_create, rate, momentum, nesterov)


def adagrad(stack, rate, initial_accumulator=0.1):
    return Optimizer(stack, library.mlstm_adagrad_create, rate, initial_accumulator)


def softmax_cross_entropy(logits, labels, probabilities=None, dlogits=None):
    """The loss of logits [..., classes] with labels [...]; fills the other two if given."""
    shape = tuple(logits.shape)
    labels = view("labels", labels, shape[:-1], numpy.int32)
    loss = ctypes.c_float()
    library.mlstm_softmax_cross_entropy(
        pointer("logits", logits, shape), labels.ctypes, labels.size, shape[-1],
        pointer("probabilities", probabilities, shape, written=True),
        pointer("dlogits", dlogits, shape, written=True), ctypes.byref(loss))
    return loss.value


def squared_error(outputs, targets, doutputs=None):
    """The loss of outputs and targets of one shape; fills `doutputs` if given."""
    shape = tuple(outputs.shape)
    outputs = view("outputs", outputs, shape)
    loss = ctypes.c_float()
    library.mlstm_squared_error(outputs.ctypes, pointer("targets", targets, shape),
                                outputs.size, pointer("doutputs", doutputs, shape, written=True),
                                ctypes.byref(loss))
    return loss.value


def _get_named(function, handle, shapes, names, out):
    # A parameter that is not there has no shape; the library has the sentence for it.
    shape = shapes.get(names[-1], (1,))
    out = output(out, shape)
    array = view("out", out, shape, written=True)
    function(handle, *(name.encode() for name in names), array.ctypes, array.size)
    return out


def _set_named(function, handle, shapes, names, values):
    array = view("values", values, shapes.get(names[-1], values.shape))
    function(handle, *(name.encode() for name in names), array.ctypes, array.size)
