# SPDX-License-Identifier: MIT
"""The rows of the benchmark: what is measured, on which shapes."""

from dataclasses import dataclass


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

    @property
    def flops(self):
        """Floating-point operations of the products in one unit of work."""
        if self.kind == "sgemm":
            return 2 * self.H ** 3
        total = 0
        for layer in range(self.L):
            total += ((self.H if layer else self.I) + self.H) * 4 * self.H
        if self.kind == "stream":
            return 2 * self.B * total
        if self.kind == "infer":
            return 2 * self.T * self.B * total
        return self.T * self.B * (6 * total - 2 * 4 * self.H * self.I)

    @property
    def tolerance(self):
        """Largest difference between programs, as a share of the largest number of an array."""
        return {"train": 1e-4, "echo": 1e-2}.get(self.kind, 2e-5)

    def allows(self, peer):
        """Slow programs skip what would take them minutes."""
        return self.flops <= {"tfjs": 2e8}.get(peer, 1e15)


SHAPES = {"echo": (1, 4, 3, 5, 15), "small": (32, 64, 2, 16, 32), "mid": (128, 256, 2, 32, 64),
          "large": (512, 1024, 2, 64, 32)}


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
            shape = {**middle, name: value}
            yield Row(f"growth {name}={value}", "growth", "train", **shape)


ROWS = [
    Row("sgemm", "sgemm", "sgemm", 1, 1024, 0, 1, 1),
    Row("echo iteration", "echo", "echo", 1, 4, 3, 5, 15, 2, 666),
    *training(), *inference(), *streams(), *growth(),
]
