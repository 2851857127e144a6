# SPDX-License-Identifier: MIT
"""What the benchmark's Python programs share: work files, protocol (README.md), clock."""

import json
import sys
import time

import numpy as np

from rows import Row

RATE, CLIP = 0.25, 10.0  # as in bench.h


class Work(Row):
    """A work file: a row, and arrays of float32; gates in the order i, j, f, o."""

    def __init__(self, path, kind, variant):
        data = np.fromfile(path, np.int32)
        super().__init__("", "", kind, *map(int, data[:7]), variant)
        self.rest = data[8:]
        self.layers = [{name: self.take(*shape) for name, shape in self.shapes(layer).items()}
                       for layer in range(self.L)]
        self.kernels = [layer["kernel"] for layer in self.layers]
        self.biases = [layer["bias"] for layer in self.layers]
        if self.O:
            self.readout_c, self.readout_h = self.take(self.H, self.O), self.take(self.H, self.O)
            self.readout_bias = self.take(self.O)
        self.x = self.take(self.N, self.T, self.B, self.I)
        if self.O:
            self.labels = self.take(self.N, self.T, self.B, dtype=np.int32)
        else:
            self.x = self.x[0]
            self.dh = self.take(self.T, self.B, self.D)

    @property
    def lengths(self):
        return [self.T if 2 * b < self.B else self.T // 2 for b in range(self.B)]

    def take(self, *shape, dtype=np.float32):
        count = int(np.prod(shape))
        values, self.rest = self.rest[:count].view(dtype).reshape(shape), self.rest[count:]
        return values.copy()


def gates(array, order, hidden):
    """Reorders blocks of columns: order names the blocks of the result, by place in the old one."""
    blocks = [array[..., g * hidden:(g + 1) * hidden] for g in order]
    return np.ascontiguousarray(np.concatenate(blocks, -1))


def forget(bias, hidden, amount=1):
    """The bias with the forget bias added, for programs that have none of their own."""
    bias = bias.copy()
    bias[2 * hidden:3 * hidden] += amount
    return bias


def measure(run, seconds):
    """Nanoseconds for each unit, in samples of a millisecond or one unit, whichever is longer."""
    def sample():
        start = time.perf_counter_ns()
        run(count)
        return time.perf_counter_ns() - start

    end = time.perf_counter() + seconds
    count = 1
    while sample() < 1e6:
        count *= 2
    samples = [sample() / count]
    while time.perf_counter() < end:
        samples.append(sample() / count)
    return samples


def serve(name, programs):
    """
    Speaks the protocol; `programs[kind](work)` is an object with run(count) and check(). Kinds are
    "train", "train+peepholes", ...
    """
    def say(answer):
        print(json.dumps(answer), flush=True)

    say({"name": name})
    program = None
    for line in sys.stdin:
        command, *words = line.split()
        if command == "load":
            program = None
            make = programs.get(words[0])
            kind, _, variant = words[0].partition("+")
            program = make and make(Work(words[1], kind, variant))
            say({"ok": bool(program)})
        elif command == "check":
            with open(words[0], "wb") as file:
                for array in program.check():
                    np.ascontiguousarray(array, np.float32).tofile(file)
            say({"ok": True})
        elif command == "time":
            say({"ns": measure(program.run, float(words[0]))})
