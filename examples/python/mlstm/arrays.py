# SPDX-License-Identifier: MIT
"""Arrays of the caller, of any library, passed without copying."""

import numpy


def view(name, values, shape=None, dtype=numpy.float32, written=False):
    """The caller's array, of any shape or the given one, as a NumPy array on the same memory.

    Takes what NumPy can look at without copying: its own arrays, what has __dlpack__ (PyTorch, JAX,
    CuPy on the host), __array_interface__ or the buffer protocol. Everything else raises.
    """
    if isinstance(values, numpy.ndarray):
        array = values
    elif hasattr(values, "__dlpack__"):
        array = numpy.from_dlpack(values)
        written = False  # NumPy before 2.1 calls all of them read-only
    elif hasattr(values, "__array_interface__"):
        array = numpy.asarray(values)
    else:
        array = numpy.asarray(memoryview(values))

    if array.dtype != dtype:
        raise TypeError(f"{name} should be {numpy.dtype(dtype)}, got {array.dtype}")
    if shape is not None and array.shape != tuple(shape):
        raise ValueError(f"{name} should have the shape {tuple(shape)}, got {array.shape}")
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise ValueError(f"{name} should be contiguous, with the last index running fastest")
    if written and not array.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return array


def pointer(name, values, shape, dtype=numpy.float32, written=False):
    """The array as an argument for ctypes, which keeps it alive during the call; None for None."""
    return None if values is None else view(name, values, shape, dtype, written).ctypes


def output(values, shape):
    """The caller's array to write to, or a new one."""
    return numpy.empty(shape, numpy.float32) if values is None else values
