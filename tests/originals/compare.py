# SPDX-License-Identifier: MIT
"""What each comparison is fed with, and the lines that it prints for run.py."""
import traceback

import numpy

FORWARD, GRADIENTS, UPDATES = 2e-6, 1e-5, 1e-6  # the tolerances
SIZES = ((5, 7, 3, 6, 3), (33, 40, 17, 20, 9))  # inputs, units, projection, steps, rows


class Window:
    """One window at random: x, the state before it, and dy and dstate of the loss
    sum(y * dy) + sum(state after it * dstate). All of it is representable in float32, so that an
    original in float64 begins with the same.

    `outputs` are the numbers in y, `state` the sizes of c and h of each layer and direction,
    `shortest` the least length of a row, where rows have lengths.
    """

    def __init__(self, inputs, outputs, state, steps, rows, shortest=None):
        self.random = numpy.random.default_rng(steps)
        self.x = self.draw(steps, rows, inputs)
        self.state = [tuple(self.draw(rows, size) for size in pair) for pair in state]
        self.dy = self.draw(steps, rows, outputs)
        self.dstate = [tuple(self.draw(rows, size) for size in pair) for pair in state]
        self.lengths = None
        if shortest is not None:
            self.lengths = self.random.integers(shortest, steps + 1, rows)
            self.lengths[:2] = shortest, steps
            self.random.shuffle(self.lengths)

    def draw(self, *shape, scale=1.0):
        return as_float32(self.random.uniform(-scale, scale, shape))


def as_float32(values):
    return values.astype(numpy.float32).astype(numpy.float64)


def report_original(name, version):
    """The heading of the lines that follow."""
    line("original", name, version)


def compare_sizes(case, compare, **options):
    """Reports `compare` of all sizes; what it raises is that case's failure alone."""
    try:
        runs = [compare(*sizes, **options) for sizes in SIZES]
    except Exception as error:
        traceback.print_exc()
        line("failure", case, " ".join(f"{type(error).__name__}: {error}".split()))
    else:
        report(case, *runs)


def report(case, *runs):
    """One line for run.py. A run is (ours, theirs), both of them (results, gradients), these being
    dictionaries of arrays; theirs may have None for gradients. The error of a result is absolute,
    that of a gradient relative to the largest of its array.
    """
    forward = max(largest_error(ours[0], theirs[0]) for ours, theirs in runs)
    gradients = max((largest_error(ours[1], theirs[1], relative=True) for ours, theirs in runs
                     if theirs[1] is not None), default=None)
    line("row", case, forward, gradients, FORWARD, GRADIENTS)


def report_updates(case, *runs):
    """The same for the parameters after updates: their error is relative, too."""
    error = max(largest_error(ours, theirs, relative=True) for ours, theirs in runs)
    line("row", case, error, None, UPDATES, GRADIENTS)


def report_missing(feature, why):
    """A feature of the original that the library has no counterpart for."""
    line("missing", feature, why)


def line(*fields):
    print("\t".join(str(field) for field in fields), flush=True)


def largest_error(ours, theirs, relative=False):
    assert set(ours) == set(theirs), set(ours) ^ set(theirs)
    return max(array_error(ours[name], numpy.asarray(theirs[name], numpy.float64), relative, name)
               for name in theirs)


def array_error(ours, theirs, relative, name):
    assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
    error = numpy.abs(ours - theirs).max()
    largest = numpy.abs(theirs).max()
    if relative and largest > 0:
        error /= largest
    return error if numpy.isfinite(error) else float("inf")
