# SPDX-License-Identifier: MIT
"""The rows of the benchmark: what is measured, on which shapes, by whom."""

from dataclasses import dataclass, replace
from math import prod

# Not peers: two programs for one shape, and two limits of the machine.
YARDSTICKS = ("onepage", "wavefront", "sgemm", "read")
# What a program may be given: all that a slow one would need minutes for is left out.
MOST_FLOPS = {"tfjs": 2e8}
GROWTH = ("mlstm", "onednn2", "onednn3")
VARIANTS = ("two-biases", "peepholes", "projection", "cell-clip", "coupled", "norm-gates",
            "norm-products", "zoneout", "dropout-step", "dropout-sequence", "drop-hidden",
            "drop-candidate", "residual", "highway", "concat", "sum", "lengths", "learned-state",
            "overlap")
# Products of a variant as a share of those that its weights would ask for.
SHARES = {"coupled": 3 / 4, "lengths": 3 / 4}


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
    variant: str = ""

    @property
    def load(self):
        """What a program is asked to load: the kind, and the variant of the cell."""
        return f"{self.kind}+{self.variant}" if self.variant else self.kind

    @property
    def plain(self):
        return replace(self, variant="")

    @property
    def P(self):
        """Numbers in h."""
        return self.H // 2 if self.variant == "projection" else self.H

    @property
    def D(self):
        """Numbers that a layer gives."""
        return 2 * self.H if self.variant == "concat" else self.P

    def inputs(self, layer):
        return self.D if layer else self.I

    def shapes(self, layer):
        """The parameters of a layer and their shapes: names and order are libmlstm's."""
        H, P = self.H, self.P
        shapes = {"kernel": (self.inputs(layer) + P, 4 * H), "bias": (4 * H,)}
        shapes.update({
            "two-biases": {"bias_h": (4 * H,)},
            "peepholes": {f"peephole_{gate}": (H,) for gate in "ifo"},
            "norm-gates": {"norm_gain": (4 * H,)},
            "norm-products": {"norm_x_gain": (4 * H,), "norm_h_gain": (4 * H,)},
            "projection": {"projection": (H, P)},
            "learned-state": {"initial_c": (H,), "initial_h": (H,)}}.get(self.variant, {}))
        if self.variant.startswith("norm-"):
            shapes.update({"norm_c_gain": (H,), "norm_c_shift": (H,)})
        if self.variant in ("concat", "sum"):
            shapes.update({f"reverse.{name}": shape for name, shape in shapes.items()})
        if self.variant == "highway" and layer:
            shapes.update({"highway_kernel": (H, H), "highway_bias": (H,)})
        return shapes

    @property
    def parameters(self):
        """Of the matrices of all layers."""
        return sum(prod(shape) for layer in range(self.L)
                   for shape in self.shapes(layer).values() if len(shape) == 2)

    @property
    def flops(self):
        """Floating-point operations of the products in one unit of work."""
        if self.kind == "sgemm":
            return 2 * self.H ** 3
        if self.kind == "stream":
            return 2 * self.B * self.parameters
        if self.kind == "infer":
            return 2 * self.T * self.B * self.parameters
        forward, no_dx = 2 * self.parameters, 2 * 4 * self.H * self.I
        if self.variant in ("concat", "sum"):
            no_dx *= 2
        steps = self.T * self.B * SHARES.get(self.variant, 1)
        if self.variant == "overlap":
            return steps * (forward / 2 + 2 * forward - no_dx)
        return steps * (3 * forward - no_dx)

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
        if peer == "keras" and self.group != "variants":
            return False  # TensorFlow's kernel is faster
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


def variants():
    for name in ("small", "mid"):
        for variant in VARIANTS:
            yield Row(f"{variant} {name}", "variants", "train", *SHAPES[name], variant=variant)


def all_rows(quick):
    rows = [*echo(), *training(), *inference(), *streams(), *variants()]
    if quick:
        return [row for row in rows if row.flops < 4e10]
    return [*rows, *growth()]
