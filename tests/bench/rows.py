# SPDX-License-Identifier: MIT
"""The rows of the benchmark: what is measured, on which shapes, by whom."""

from dataclasses import dataclass

# Not peers: one program for one shape, and two limits of the machine.
YARDSTICKS = ("onepage", "sgemm", "read")
# What a program may be given: all that a slow one would need minutes for is left out.
MOST_FLOPS = {"tfjs": 2e8}
GROWTH = ("mlstm", "onednn2", "onednn3")


@dataclass
class Row:
    name: str
    group: str
    kind: str  # train, infer, stream, echo or sgemm
    I: int
    H: int
    L: int
    B: int
    T: int
    O: int = 0
    N: int = 1

    def inputs(self, layer):
        return self.H if layer else self.I

    @property
    def parameters(self):
        """Of the kernels."""
        return sum((self.inputs(layer) + self.H) * 4 * self.H for layer in range(self.L))

    @property
    def flops(self):
        """Floating-point operations of the products in one unit of work."""
        if self.kind == "sgemm":
            return 2 * self.H ** 3
        if self.kind == "stream":
            return 2 * self.B * self.parameters
        if self.kind == "infer":
            return 2 * self.T * self.B * self.parameters
        return self.T * self.B * (6 * self.parameters - 2 * 4 * self.H * self.I)

    @property
    def record(self):
        """Bytes that backpropagation has to keep of a window: x; gates, c and h of every layer."""
        return 4 * self.T * self.B * (self.I + 6 * self.H * self.L)

    @property
    def tolerance(self):
        """Largest difference between programs, as a share of the largest number of an array."""
        return {"train": 1e-4, "echo": 1e-2}.get(self.kind, 2e-5)

    def allows(self, peer):
        if self.group == "growth" and peer not in GROWTH:
            return False
        if peer == "read" and 4 * self.parameters < 2 ** 20:
            return False  # such weights stay in the cache
        return self.flops <= MOST_FLOPS.get(peer, float("inf"))


SHAPES = {"echo": (1, 4, 3, 5, 15), "small": (32, 64, 2, 16, 32), "mid": (128, 256, 2, 32, 64),
          "large": (512, 1024, 2, 64, 32)}
SGEMM = Row("sgemm", "sgemm", "sgemm", 1, 1024, 0, 1, 1)
MEMORY = [Row(name, "memory", "train", *SHAPES[name]) for name in ("small", "mid", "large")]


def echo():
    yield Row("echo iteration", "echo", "echo", *SHAPES["echo"], 2, 666)


def training():
    for name, shape in SHAPES.items():
        yield Row(f"train {name}", "train", "train", *shape)


def inference():
    for name, (I, H, L, B, T) in SHAPES.items():
        yield Row(f"infer {name}", "infer", "infer", I, H, L, B, T)
        yield Row(f"infer {name} B=1", "infer", "infer", I, H, L, 1, T)


def streams():
    for H in (4, 16, 32, 64, 128, 256):
        for I in (1, H):
            yield Row(f"stream I={I} H={H}", "stream", "stream", I, H, 1, 1, 64)
    for H in (512, 1024):
        for I in (1, H):
            yield Row(f"stream I={I} H={H} L=2", "stream", "stream", I, H, 2, 1, 16)


def growth():
    """One size at a time away from a middle; the cost of an operation should stay the same."""
    middle = dict(I=128, H=128, L=2, B=16, T=32)
    for name, values in (("T", (1, 4, 8, 32, 128, 512)), ("B", (1, 2, 4, 16, 64, 256)),
                         ("H", (8, 16, 32, 64, 128, 256, 512)), ("L", (1, 2, 4, 8))):
        for value in values:
            yield Row(f"growth {name}={value}", "growth", "train", **{**middle, name: value})


def all_rows(quick):
    rows = [*echo(), *training(), *inference(), *streams()]
    if quick:
        return [row for row in rows if row.flops < 2e10]
    return [*rows, *growth()]
