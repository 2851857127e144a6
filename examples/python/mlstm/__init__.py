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

__all__ = ["Cell", "Error", "Grads", "Layer", "LossScale", "Optimizer", "Stack", "State",
           "absolute_error", "adagrad", "adam", "adamw", "amsgrad", "huber_loss", "isa", "lion",
           "nadam", "rmsprop", "schedule_cosine", "schedule_exponential", "schedule_step",
           "schedule_warmup", "sgd", "sigmoid_cross_entropy", "softmax",
           "softmax_cross_entropy", "softmax_cross_entropy_weighted", "squared_error", "version", "version_number",
           "weighted_loss"]

READOUT_C, READOUT_H = 1, 2
(ZEROS, UNIFORM, GLOROT_UNIFORM, GLOROT_NORMAL, HE_UNIFORM, HE_NORMAL, NORMAL, TRUNCATED_NORMAL,
 CONSTANT, ORTHOGONAL) = range(10)
NORM_NONE, NORM_GATES, NORM_PRODUCTS = range(3)
MASK_STEP, MASK_SEQUENCE = range(2)
DROP_HIDDEN, DROP_CANDIDATE = range(2)
SKIP_NONE, SKIP_RESIDUAL, SKIP_HIGHWAY = range(3)
MERGE_NONE, MERGE_CONCAT, MERGE_SUM = range(3)
SQUARED_ERROR, ABSOLUTE_ERROR, HUBER_LOSS, SIGMOID_CROSS_ENTROPY = range(4)


def version():
    return library.mlstm_version().decode()


def version_number():
    """The same as a number to compare: 10203 for 1.2.3."""
    return library.mlstm_version_number()


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


class _Described:
    """What a cell, and a layer of a stack, say of themselves (cell.h)."""

    input_size = property(library.mlstm_cell_input_size)
    hidden_size = property(library.mlstm_cell_hidden_size)
    recurrent_size = property(library.mlstm_cell_recurrent_size)
    output_size = property(library.mlstm_cell_output_size)
    output_c_size = property(library.mlstm_cell_output_c_size)
    forget_bias = property(library.mlstm_cell_forget_bias)
    biases = property(library.mlstm_cell_biases)
    peepholes = property(library.mlstm_cell_peepholes)
    projection = property(library.mlstm_cell_projection)
    projection_clip = property(library.mlstm_cell_projection_clip)
    cell_clip = property(library.mlstm_cell_cell_clip)
    coupled = property(library.mlstm_cell_coupled)
    skip = property(library.mlstm_cell_skip)
    bidirectional = property(library.mlstm_cell_bidirectional)
    learned_state = property(library.mlstm_cell_learned_state)

    @property
    def norm(self):
        """NORM_... and epsilon."""
        epsilon = ctypes.c_float()
        return library.mlstm_cell_norm(self, ctypes.byref(epsilon)), epsilon.value

    @property
    def zoneout(self):
        """The rates of c and of h."""
        c, h = ctypes.c_float(), ctypes.c_float()
        library.mlstm_cell_zoneout(self, ctypes.byref(c), ctypes.byref(h))
        return c.value, h.value

    @property
    def dropout(self):
        """The rate and MASK_..."""
        mask = ctypes.c_int32()
        return library.mlstm_cell_dropout(self, ctypes.byref(mask)), mask.value

    @property
    def recurrent_dropout(self):
        """The rate, DROP_... and MASK_..."""
        what, mask = ctypes.c_int32(), ctypes.c_int32()
        rate = library.mlstm_cell_recurrent_dropout(self, ctypes.byref(what), ctypes.byref(mask))
        return rate, what.value, mask.value


class Cell(_Described, _Handle):
    """One layer, described (cell.h, where mlstm_cell_set_X says what the option X is)."""

    def __init__(self, input_size, hidden_size, forget_bias=1.0, *, biases=1, peepholes=False,
                 projection=0, projection_clip=0.0, cell_clip=0.0, coupled=False,
                 norm=(NORM_NONE, 1e-5), zoneout=(0.0, 0.0), dropout=(0.0, MASK_STEP),
                 recurrent_dropout=(0.0, DROP_HIDDEN, MASK_STEP), skip=SKIP_NONE,
                 bidirectional=MERGE_NONE, learned_state=False):
        super().__init__("cell", library.mlstm_cell_create, input_size, hidden_size)
        library.mlstm_cell_set_forget_bias(self, forget_bias)
        library.mlstm_cell_set_biases(self, biases)
        library.mlstm_cell_set_peepholes(self, peepholes)
        library.mlstm_cell_set_projection(self, projection)
        library.mlstm_cell_set_projection_clip(self, projection_clip)
        library.mlstm_cell_set_cell_clip(self, cell_clip)
        library.mlstm_cell_set_coupled(self, coupled)
        library.mlstm_cell_set_norm(self, *norm)
        library.mlstm_cell_set_zoneout(self, *zoneout)
        library.mlstm_cell_set_dropout(self, *dropout)
        library.mlstm_cell_set_recurrent_dropout(self, *recurrent_dropout)
        library.mlstm_cell_set_skip(self, skip)
        library.mlstm_cell_set_bidirectional(self, bidirectional)
        library.mlstm_cell_set_learned_state(self, learned_state)

    def _give_away(self):
        self._finalizer.detach()
        self._as_parameter_ = None


class Layer(_Described):
    """The cell of a layer, which the stack owns."""

    def __init__(self, stack, index):
        self._stack = stack  # lives as long as the layer
        self._as_parameter_ = library.mlstm_stack_cell(stack, index)

    def _state_shapes(self, batch):
        """Of c and h, of both directions where there are two."""
        directions = (2,) if self.bidirectional else ()
        return (directions + (batch, self.hidden_size),
                directions + (batch, self.recurrent_size))

    def _top_sizes(self):
        """C and D."""
        return self.output_c_size, self.output_size


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

    @property
    def readout(self):
        """READOUT_... or both; 0 without one."""
        return library.mlstm_stack_readout(self)

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
    def layers(self):
        """Every layer, bottom first."""
        return [Layer(self, index) for index in range(library.mlstm_stack_layer_count(self))]

    @property
    def hidden_sizes(self):
        """H of every layer, bottom first."""
        return [layer.hidden_size for layer in self.layers]

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
        top_c, top_h = (window + (size,) for size in self.layers[-1]._top_sizes())
        library.mlstm_backward(self, state, pointer("dy", dy, window + (self.output_size,)),
                               pointer("dh_top", dh_top, top_h), pointer("dc_top", dc_top, top_c),
                               pointer("dx", dx, window + (self.input_size,), written=True), grads)


class State(_Handle):
    """c and h of every layer, and the window that the backward pass walks (state.h).

    Its tensor is flat here, [L,2,B,H] one after the other, as layers may differ in size.
    """

    def __init__(self, stack, batch, window=0, threads=1):
        super().__init__("state", library.mlstm_state_create, stack, batch, window)
        layers = stack.layers
        self._shapes = [layer._state_shapes(batch) for layer in layers]
        self._top_sizes = layers[-1]._top_sizes()
        library.mlstm_state_set_threads(self, threads)

    def zero(self):
        library.mlstm_state_zero(self)

    def begin_sequence(self, stack):
        library.mlstm_state_begin_sequence(stack, self)

    def begin_window(self):
        library.mlstm_state_begin_window(self)

    def keep_steps(self, steps):
        library.mlstm_state_keep_steps(self, steps)

    def set_lengths(self, lengths):
        """How many steps each row still has, [B] int32; None for no end."""
        library.mlstm_state_set_lengths(
            self, pointer("lengths", lengths, (self.batch,), numpy.int32), self.batch)

    def set_training(self, training, seed=0):
        library.mlstm_state_set_training(self, training, seed)

    @property
    def training(self):
        return bool(library.mlstm_state_training(self))

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
        """c [B,H] and h [B,P] of a layer; [2,B,H] and [2,B,P] of a bidirectional one."""
        c, h = (numpy.empty(shape, numpy.float32) for shape in self._layer_shapes(layer))
        library.mlstm_state_get_layer(self, layer, c.ctypes, h.ctypes)
        return c, h

    def set_layer(self, layer, c=None, h=None):
        """c and h are as in get_layer; None leaves that half as it is."""
        c_shape, h_shape = self._layer_shapes(layer)
        library.mlstm_state_set_layer(self, layer, pointer("c", c, c_shape),
                                      pointer("h", h, h_shape))

    def get_top(self):
        """c [T,B,C] and h [T,B,D] of the top layer at every recorded step."""
        c, h = (numpy.empty((self.steps, self.batch, size), numpy.float32)
                for size in self._top_sizes)
        library.mlstm_state_get_top(self, c.ctypes, h.ctypes)
        return c, h

    def set_final_grad(self, values):
        library.mlstm_state_set_final_grad(self, pointer("values", values, (self.size,)),
                                           self.size)

    def get_initial_grad(self, out=None):
        return self._read(library.mlstm_state_get_initial_grad, out)

    def apply_grads(self, optimizer, stack, grads):
        """As `apply_grads` of the optimizer, on the threads of this state."""
        library.mlstm_state_apply_grads(self, optimizer, stack, grads)

    def _layer_shapes(self, layer):
        # The library has the sentence for a layer that is not there.
        return self._shapes[layer] if 0 <= layer < len(self._shapes) else ((0, 0), (0, 0))

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

    def clip_param_norm(self, max_norm):
        library.mlstm_grads_clip_param_norm(self, max_norm)

    def clip_value(self, limit):
        library.mlstm_grads_clip_value(self, limit)

    def check(self):
        """Raises NOT_FINITE, naming the parameter, where a number is not finite."""
        library.mlstm_grads_check(self, None)

    def finite(self):
        """Whether every number is finite."""
        try:
            self.check()
        except Error as error:
            if error.status != "NOT_FINITE":
                raise
            return False
        return True

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
    """An update rule and its slots (optimizer.h); made by `sgd`, `adam` and the others below."""

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
    def step_count(self):
        return library.mlstm_optimizer_step_count(self)

    @step_count.setter
    def step_count(self, count):
        library.mlstm_optimizer_set_step_count(self, count)

    def weight_decay(self, name):
        return library.mlstm_optimizer_weight_decay(self, name.encode())

    def set_weight_decay(self, name, decay):
        library.mlstm_optimizer_set_weight_decay(self, name.encode(), decay)

    def frozen(self, name):
        return bool(library.mlstm_optimizer_frozen(self, name.encode()))

    def set_frozen(self, name, frozen=True):
        library.mlstm_optimizer_set_frozen(self, name.encode(), frozen)

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


def rmsprop(stack, rate, decay=0.9, momentum=0.0, epsilon=1e-10, centered=False):
    return Optimizer(stack, library.mlstm_rmsprop_create, rate, decay, momentum, epsilon, centered)


def adam(stack, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    return Optimizer(stack, library.mlstm_adam_create, rate, beta1, beta2, epsilon)


def adamw(stack, rate, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
    return Optimizer(stack, library.mlstm_adamw_create, rate, beta1, beta2, epsilon, weight_decay)


def amsgrad(stack, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    return Optimizer(stack, library.mlstm_amsgrad_create, rate, beta1, beta2, epsilon)


def nadam(stack, rate, beta1=0.9, beta2=0.999, epsilon=1e-8, momentum_decay=0.004):
    return Optimizer(stack, library.mlstm_nadam_create, rate, beta1, beta2, epsilon,
                     momentum_decay)


def lion(stack, rate, beta1=0.9, beta2=0.99, weight_decay=0.0):
    return Optimizer(stack, library.mlstm_lion_create, rate, beta1, beta2, weight_decay)


# Learning rates from numbers of steps (schedule.h).
schedule_step = library.mlstm_schedule_step
schedule_exponential = library.mlstm_schedule_exponential
schedule_cosine = library.mlstm_schedule_cosine
schedule_warmup = library.mlstm_schedule_warmup


class LossScale:
    """The scale of mlstm_schedule_loss_scale: `value` is that of the next window."""

    def __init__(self, value=65536.0, period=2000, growth=2.0, backoff=0.5):
        self.value = value
        self._settings = period, growth, backoff
        self._streak = ctypes.c_int64()

    def update(self, finite):
        """Takes in whether the gradients of the window were finite."""
        self.value = library.mlstm_schedule_loss_scale(self.value, finite, *self._settings,
                                                       ctypes.byref(self._streak))


def softmax(logits, out=None):
    """Probabilities [..., classes] of logits of that shape; `out` may be `logits`."""
    logits = view("logits", logits)
    shape = logits.shape
    out = output(out, shape)
    rows = numpy.prod(shape[:-1], dtype=int)
    library.mlstm_softmax(logits.ctypes, rows, shape[-1], pointer("out", out, shape, written=True))
    return out


def softmax_cross_entropy(logits, labels, probabilities=None, dlogits=None):
    """The loss of logits [..., classes] with labels [...]; fills the other two if given."""
    logits = view("logits", logits)
    shape = logits.shape
    labels = view("labels", labels, shape[:-1], numpy.int32)
    loss = ctypes.c_float()
    library.mlstm_softmax_cross_entropy(
        logits.ctypes, labels.ctypes, labels.size, shape[-1],
        pointer("probabilities", probabilities, shape, written=True),
        pointer("dlogits", dlogits, shape, written=True), ctypes.byref(loss))
    return loss.value


def softmax_cross_entropy_weighted(logits, labels, weights=None, ignored=-1, smoothing=0.0,
                                   probabilities=None, dlogits=None):
    """As `softmax_cross_entropy`, with a weight [...] for each row."""
    logits = view("logits", logits)
    shape = logits.shape
    labels = view("labels", labels, shape[:-1], numpy.int32)
    loss = ctypes.c_float()
    library.mlstm_softmax_cross_entropy_weighted(
        logits.ctypes, labels.ctypes, pointer("weights", weights, shape[:-1]), labels.size,
        shape[-1], ignored, smoothing,
        pointer("probabilities", probabilities, shape, written=True),
        pointer("dlogits", dlogits, shape, written=True), ctypes.byref(loss))
    return loss.value


def sigmoid_cross_entropy(logits, targets, dlogits=None):
    """The loss of logits and targets of one shape; fills `dlogits` if given."""
    return _compare(library.mlstm_sigmoid_cross_entropy, logits, targets, dlogits)


def absolute_error(outputs, targets, doutputs=None):
    """The loss of outputs and targets of one shape; fills `doutputs` if given."""
    return _compare(library.mlstm_absolute_error, outputs, targets, doutputs)


def huber_loss(outputs, targets, delta=1.0, doutputs=None):
    """The loss of outputs and targets of one shape; fills `doutputs` if given."""
    return _compare(library.mlstm_huber_loss, outputs, targets, doutputs, delta)


def squared_error(outputs, targets, doutputs=None):
    """The loss of outputs and targets of one shape; fills `doutputs` if given."""
    return _compare(library.mlstm_squared_error, outputs, targets, doutputs)


def weighted_loss(kind, outputs, targets, weights, delta=1.0, doutputs=None):
    """One of the four above, such as HUBER_LOSS, of [..., columns] with weights [...]."""
    outputs = view("outputs", outputs)
    shape = outputs.shape
    weights = view("weights", weights, shape[:-1])
    loss = ctypes.c_float()
    library.mlstm_weighted_loss(
        kind, outputs.ctypes, pointer("targets", targets, shape), weights.ctypes, weights.size,
        shape[-1], delta,
        pointer("doutputs", doutputs, shape, written=True), ctypes.byref(loss))
    return loss.value


def _compare(function, outputs, targets, doutputs, *settings):
    outputs = view("outputs", outputs)
    shape = outputs.shape
    loss = ctypes.c_float()
    function(outputs.ctypes, pointer("targets", targets, shape), outputs.size, *settings,
             pointer("doutputs", doutputs, shape, written=True), ctypes.byref(loss))
    return loss.value


def _get_named(function, handle, shapes, names, out):
    # A parameter that is not there has no shape; the library has the sentence for it.
    shape = shapes.get(names[-1], (1,))
    out = output(out, shape)
    array = view("out", out, shape, written=True)
    function(handle, *(name.encode() for name in names), array.ctypes, array.size)
    return out


def _set_named(function, handle, shapes, names, values):
    # For a parameter that is not there, of any shape, the library has the sentence.
    array = view("values", values, shapes.get(names[-1]))
    function(handle, *(name.encode() for name in names), array.ctypes, array.size)
