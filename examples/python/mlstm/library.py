# SPDX-License-Identifier: MIT
"""The shared library: its functions as the C headers declare them, and its errors."""

import ctypes
import os
from ctypes import (
    POINTER, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p)

STATUS_NAMES = (
    "OK", "INVALID_ARGUMENT", "OUT_OF_MEMORY", "TOO_LARGE", "MISMATCH", "OWNED", "ORDER",
    "NOT_FOUND", "NOT_FINITE", "SYSTEM")


class Error(Exception):
    """A call that failed, with the library's sentence; `status` is such as "MISMATCH"."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


def _check(status, function, arguments):
    if status != 0:
        name = STATUS_NAMES[status] if status < len(STATUS_NAMES) else str(status)
        raise Error(name, library.mlstm_last_error().decode())


# A type of its own for each handle, so that ctypes refuses one in the place of another.
cell, stack, state, grads, optimizer = (
    POINTER(type("mlstm_" + name, (ctypes.Structure,), {}))
    for name in ("cell", "stack", "state", "grads", "optimizer"))

# An array of the caller: an address, or None.
array = c_void_p

# Functions that return a status.
_CHECKED = {
    "cell_create": (c_int32, c_int32, POINTER(cell)),
    "cell_set_forget_bias": (cell, c_float),
    "cell_set_biases": (cell, c_int32),
    "cell_set_peepholes": (cell, c_int32),
    "cell_set_projection": (cell, c_int32),
    "cell_set_projection_clip": (cell, c_float),
    "cell_set_cell_clip": (cell, c_float),
    "cell_set_coupled": (cell, c_int32),
    "cell_set_norm": (cell, c_int32, c_float),
    "cell_set_zoneout": (cell, c_float, c_float),
    "cell_set_dropout": (cell, c_float, c_int32),
    "cell_set_recurrent_dropout": (cell, c_float, c_int32, c_int32),
    "cell_set_skip": (cell, c_int32),
    "cell_set_bidirectional": (cell, c_int32),
    "cell_set_learned_state": (cell, c_int32),
    "cell_zoneout": (cell, POINTER(c_float), POINTER(c_float)),
    "stack_create": (POINTER(cell), c_int32, POINTER(stack)),
    "stack_set_readout": (stack, c_int32, c_int32),
    "stack_init": (stack, c_int32, c_uint64),
    "stack_init_param": (stack, c_char_p, c_int32, c_float, c_float, c_uint64),
    "stack_param_info": (stack, c_int32, POINTER(c_char_p), POINTER(c_int32), POINTER(c_int32)),
    "stack_get_param": (stack, c_char_p, array, c_size_t),
    "stack_set_param": (stack, c_char_p, array, c_size_t),
    "state_create": (stack, c_int32, c_int32, POINTER(state)),
    "state_set_threads": (state, c_int32),
    "state_zero": (state,),
    "state_begin_sequence": (stack, state),
    "state_begin_window": (state,),
    "state_keep_steps": (state, c_int32),
    "state_set_lengths": (state, array, c_size_t),
    "state_set_training": (state, c_int32, c_uint64),
    "state_set": (state, array, c_size_t),
    "state_get": (state, array, c_size_t),
    "state_set_layer": (state, c_int32, array, array),
    "state_get_layer": (state, c_int32, array, array),
    "state_get_top": (state, array, array),
    "state_set_final_grad": (state, array, c_size_t),
    "state_get_initial_grad": (state, array, c_size_t),
    "grads_create": (stack, POINTER(grads)),
    "grads_zero": (grads,),
    "grads_scale": (grads, c_float),
    "grads_add": (grads, grads),
    "grads_norm": (grads, POINTER(c_float)),
    "grads_clip_norm": (grads, c_float, POINTER(c_float)),
    "grads_clip_param_norm": (grads, c_float),
    "grads_clip_value": (grads, c_float),
    "grads_check": (grads, POINTER(c_char_p)),
    "grads_get": (grads, c_char_p, array, c_size_t),
    "grads_set": (grads, c_char_p, array, c_size_t),
    "grads_data": (grads, POINTER(c_void_p), POINTER(c_size_t)),
    "sgd_create": (stack, c_float, c_float, c_int32, POINTER(optimizer)),
    "adagrad_create": (stack, c_float, c_float, POINTER(optimizer)),
    "rmsprop_create": (stack, c_float, c_float, c_float, c_float, c_int32, POINTER(optimizer)),
    "adam_create": (stack, c_float, c_float, c_float, c_float, POINTER(optimizer)),
    "adamw_create": (stack, c_float, c_float, c_float, c_float, c_float, POINTER(optimizer)),
    "amsgrad_create": (stack, c_float, c_float, c_float, c_float, POINTER(optimizer)),
    "nadam_create": (stack, c_float, c_float, c_float, c_float, c_float, POINTER(optimizer)),
    "lion_create": (stack, c_float, c_float, c_float, c_float, POINTER(optimizer)),
    "optimizer_set_rate": (optimizer, c_float),
    "optimizer_set_step_count": (optimizer, c_int64),
    "optimizer_set_weight_decay": (optimizer, c_char_p, c_float),
    "optimizer_set_frozen": (optimizer, c_char_p, c_int32),
    "optimizer_get_slot": (optimizer, c_char_p, c_char_p, array, c_size_t),
    "optimizer_set_slot": (optimizer, c_char_p, c_char_p, array, c_size_t),
    "apply_grads": (optimizer, stack, grads),
    "state_apply_grads": (state, optimizer, stack, grads),
    "step_forward": (stack, state, array, array),
    "forward": (stack, state, array, c_int32, array),
    "backward": (stack, state, array, array, array, array, grads),
    "softmax": (array, c_size_t, c_int32, array),
    "softmax_cross_entropy": (array, array, c_size_t, c_int32, array, array, POINTER(c_float)),
    "softmax_cross_entropy_weighted": (array, array, array, c_size_t, c_int32, c_int32, c_float,
                                       array, array, POINTER(c_float)),
    "sigmoid_cross_entropy": (array, array, c_size_t, array, POINTER(c_float)),
    "absolute_error": (array, array, c_size_t, array, POINTER(c_float)),
    "huber_loss": (array, array, c_size_t, c_float, array, POINTER(c_float)),
    "squared_error": (array, array, c_size_t, array, POINTER(c_float)),
    "weighted_loss": (c_int32, array, array, array, c_size_t, c_int32, c_float, array,
                      POINTER(c_float)),
}

# All others: what they return, what they take.
_PLAIN = {
    "cell_destroy": (None, cell),
    "cell_input_size": (c_int32, cell),
    "cell_hidden_size": (c_int32, cell),
    "cell_recurrent_size": (c_int32, cell),
    "cell_output_size": (c_int32, cell),
    "cell_output_c_size": (c_int32, cell),
    "cell_forget_bias": (c_float, cell),
    "cell_biases": (c_int32, cell),
    "cell_peepholes": (c_int32, cell),
    "cell_projection": (c_int32, cell),
    "cell_projection_clip": (c_float, cell),
    "cell_cell_clip": (c_float, cell),
    "cell_coupled": (c_int32, cell),
    "cell_norm": (c_int32, cell, POINTER(c_float)),
    "cell_dropout": (c_float, cell, POINTER(c_int32)),
    "cell_recurrent_dropout": (c_float, cell, POINTER(c_int32), POINTER(c_int32)),
    "cell_skip": (c_int32, cell),
    "cell_bidirectional": (c_int32, cell),
    "cell_learned_state": (c_int32, cell),
    "stack_destroy": (None, stack),
    "stack_readout": (c_int32, stack),
    "stack_layer_count": (c_int32, stack),
    "stack_cell": (cell, stack, c_int32),
    "stack_input_size": (c_int32, stack),
    "stack_output_size": (c_int32, stack),
    "stack_param_count": (c_int32, stack),
    "state_destroy": (None, state),
    "state_threads": (c_int32, state),
    "state_training": (c_int32, state),
    "state_size": (c_size_t, state),
    "state_batch": (c_int32, state),
    "state_window": (c_int32, state),
    "state_steps": (c_int32, state),
    "state_bytes": (c_size_t, state),
    "grads_destroy": (None, grads),
    "optimizer_destroy": (None, optimizer),
    "optimizer_rate": (c_float, optimizer),
    "optimizer_step_count": (c_int64, optimizer),
    "optimizer_weight_decay": (c_float, optimizer, c_char_p),
    "optimizer_frozen": (c_int32, optimizer, c_char_p),
    "optimizer_slot_count": (c_int32, optimizer),
    "optimizer_slot_name": (c_char_p, optimizer, c_int32),
    "schedule_step": (c_float, c_float, c_int64, c_int64, c_float),
    "schedule_exponential": (c_float, c_float, c_int64, c_int64, c_float),
    "schedule_cosine": (c_float, c_float, c_int64, c_int64, c_float),
    "schedule_warmup": (c_float, c_float, c_int64, c_int64, c_float),
    "schedule_loss_scale": (c_float, c_float, c_int32, c_int64, c_float, c_float,
                            POINTER(c_int64)),
    "last_error": (c_char_p,),
    "version": (c_char_p,),
    "version_number": (c_int32,),
    "isa": (c_char_p,),
}


def _load():
    """The library that MLSTM_LIBRARY names, or the installed one."""
    loaded = ctypes.CDLL(os.environ.get("MLSTM_LIBRARY", "libmlstm.so.0"))
    for name, argtypes in _CHECKED.items():
        function = getattr(loaded, "mlstm_" + name)
        function.argtypes, function.restype, function.errcheck = argtypes, c_int32, _check
    for name, (restype, *argtypes) in _PLAIN.items():
        function = getattr(loaded, "mlstm_" + name)
        function.argtypes, function.restype = argtypes, restype
    return loaded


library = _load()
