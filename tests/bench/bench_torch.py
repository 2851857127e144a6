# SPDX-License-Identifier: MIT
"""PyTorch: nn.LSTM; for the echo task LSTMCell, since the readout needs c."""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import peer

ORDER = (0, 2, 1, 3)  # i f j o from i j f o, and back


# Variants of which each layer needs something around it, which nn.LSTM has not.
GLUED = ("dropout-sequence", "residual", "highway", "sum")


def fill(module, suffix, weights, prefix=""):
    """Weights of a layer, into nn.LSTM or nn.LSTMCell, which keep [4H, in] and have two biases."""
    hidden, inputs = module.hidden_size, getattr(module, "weight_ih" + suffix).shape[1]
    bias = peer.forget(weights[prefix + "bias"], hidden)
    bias_h = weights.get(prefix + "bias_h", np.zeros_like(bias))
    kernel, bias, bias_h = (peer.gates(array, ORDER, hidden)
                            for array in (weights[prefix + "kernel"], bias, bias_h))
    values = {"weight_ih": kernel[:inputs], "weight_hh": kernel[inputs:], "bias_ih": bias,
              "bias_hh": bias_h}
    if prefix + "projection" in weights:
        values["weight_hr"] = weights[prefix + "projection"]
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name + suffix).copy_(torch.from_numpy(value.T.copy()))


def place(lstms, layer, name):
    """The module and the suffix of a parameter that is in nn.LSTM."""
    glued = len(lstms) > 1
    suffix = f"_l{0 if glued else layer}" + ("_reverse" if name.startswith("reverse.") else "")
    return lstms[layer if glued else 0], suffix


def make_lstms(work):
    """One nn.LSTM, or one for each layer."""
    options = {"bidirectional": work.variant in ("concat", "sum"),
               "proj_size": work.P if work.variant == "projection" else 0,
               "dropout": peer.RATE if work.variant == "dropout-step" else 0}
    if work.variant in GLUED:
        lstms = [nn.LSTM(work.inputs(layer), work.H, **options) for layer in range(work.L)]
    else:
        lstms = [nn.LSTM(work.I, work.H, work.L, **options)]
    for layer, weights in enumerate(work.layers):
        for prefix in ("", "reverse.") if options["bidirectional"] else ("",):
            fill(*place(lstms, layer, prefix), weights, prefix)
    return nn.ModuleList(lstms)


def make_lstm(work):
    return make_lstms(work)[0]


class Train:
    """Forward and backward of a window, no update."""

    def __init__(self, work):
        self.work, self.lstms = work, make_lstms(work)
        self.extra = nn.ModuleList(nn.ParameterDict(
            {name: nn.Parameter(torch.from_numpy(value)) for name, value in layer.items()
             if name.startswith(("highway", "initial"))}) for layer in work.layers)
        self.model = nn.ModuleList([self.lstms, self.extra])
        self.x, self.dh = torch.from_numpy(work.x), torch.from_numpy(work.dh)

    def forward(self):
        return self.lstms[0](self.x)[0]

    def run(self, count):
        for _ in range(count):
            self.model.zero_grad(set_to_none=True)
            self.h = self.forward()
            self.h.backward(self.dh)

    def top(self):
        return self.h.detach()

    def gradient(self, layer, name):
        if name in self.extra[layer]:
            return self.extra[layer][name].grad.numpy()
        module, suffix = place(self.lstms, layer, name)
        parts = {"kernel": ("weight_ih", "weight_hh"), "bias": ("bias_ih",), "bias_h": ("bias_hh",),
                 "projection": ("weight_hr",)}[name.split(".")[-1]]
        grad = np.concatenate([getattr(module, part + suffix).grad.numpy().T for part in parts])
        return grad if name == "projection" else peer.gates(grad, ORDER, self.work.H)

    def check(self):
        self.model.eval()
        self.run(1)
        self.model.train()
        yield self.top().numpy()
        for layer, shapes in enumerate(map(self.work.shapes, range(self.work.L))):
            for name in shapes:
                yield self.gradient(layer, name)


class Glued(Train):
    """Layers with something between them, as one writes it in PyTorch."""

    def forward(self):
        h = self.x
        for layer, lstm in enumerate(self.lstms):
            h = self.layer(layer, lstm, h)
        return h

    def layer(self, layer, lstm, x):
        variant = self.work.variant
        if layer and variant == "dropout-sequence":
            x = x * functional.dropout(torch.ones(1, *x.shape[1:]), peer.RATE, lstm.training)
        h, _ = lstm(x)
        if variant == "sum":
            return h[..., :self.work.H] + h[..., self.work.H:]
        if layer and variant == "residual":
            return h + x
        if layer and variant == "highway":
            t = torch.sigmoid(x @ self.extra[layer]["highway_kernel"]
                              + self.extra[layer]["highway_bias"])
            return x * t + h * (1 - t)
        return h


class Lengths(Train):
    """Packed sequences; x and the gradients from above are packed beforehand."""

    def __init__(self, work):
        super().__init__(work)
        self.x, dh = (pack_padded_sequence(array, work.lengths) for array in (self.x, self.dh))
        self.dh = dh.data

    def forward(self):
        return self.lstms[0](self.x)[0].data

    def top(self):
        return pad_packed_sequence(PackedSequence(super().top(), self.x.batch_sizes))[0]


class LearnedState(Train):
    def forward(self):
        h, c = (torch.stack([layer[name] for layer in self.extra]).unsqueeze(1)
                .expand(-1, self.work.B, -1).contiguous() for name in ("initial_h", "initial_c"))
        return self.lstms[0](self.x, (h, c))[0]


VARIANTS = {"lengths": Lengths, "learned-state": LearnedState, **dict.fromkeys(GLUED, Glued),
            **dict.fromkeys(("two-biases", "projection", "dropout-step", "concat"), Train)}


class Infer:
    def __init__(self, work):
        self.lstm, self.x = make_lstm(work).eval(), torch.from_numpy(work.x)

    def run(self, count):
        with torch.inference_mode():
            for _ in range(count):
                self.h, _ = self.lstm(self.x)

    def check(self):
        self.run(1)
        yield self.h.numpy()


class Stream:
    def __init__(self, work):
        self.lstm = make_lstm(work).eval()
        self.x = [torch.from_numpy(work.x[t:t + 1]) for t in range(work.T)]
        self.state = tuple(torch.zeros(work.L, 1, work.H) for _ in range(2))
        self.at = 0

    def run(self, count):
        with torch.inference_mode():
            for _ in range(count):
                self.h, self.state = self.lstm(self.x[self.at], self.state)
                self.at = (self.at + 1) % len(self.x)

    def check(self):
        for _ in self.x:
            self.run(1)
            yield self.h.numpy()


class Echo:
    """The echo task's iteration as one writes it in PyTorch: cells, loss, Adagrad."""

    def __init__(self, work):
        self.work, self.at = work, 0
        self.cells = nn.ModuleList(nn.LSTMCell(work.inputs(l), work.H) for l in range(work.L))
        for layer, cell in enumerate(self.cells):
            fill(cell, "", work.layers[layer])
            cell.bias_hh.requires_grad_(False)  # one bias, as everybody else has
        self.readout = nn.ParameterList(nn.Parameter(torch.from_numpy(p)) for p in (
            work.readout_c, work.readout_h, work.readout_bias))
        parameters = [p for p in [*self.cells.parameters(), *self.readout] if p.requires_grad]
        self.optimizer = torch.optim.Adagrad(parameters, lr=0.3, initial_accumulator_value=0.1,
                                             eps=0)
        self.x = torch.from_numpy(work.x)
        self.labels = torch.from_numpy(work.labels.astype(np.int64))
        self.cross_entropy = nn.CrossEntropyLoss()

    def iterate(self):
        work = self.work
        if self.at == 0:
            zero = torch.zeros(work.B, work.H)
            self.state = [(zero, zero)] * work.L
        state = [(h.detach(), c.detach()) for h, c in self.state]
        c, h, bias = self.readout
        logits = []
        for t in range(work.T):
            below = self.x[self.at, t]
            for layer, cell in enumerate(self.cells):
                state[layer] = cell(below, state[layer])
                below = state[layer][0]
            logits.append(state[-1][1] @ c + state[-1][0] @ h + bias)
        loss = self.cross_entropy(torch.cat(logits), self.labels[self.at].reshape(-1))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.state = state
        self.at = (self.at + 1) % work.N
        return loss.item()

    def run(self, count):
        for _ in range(count):
            self.iterate()

    def check(self):
        yield [self.iterate() for _ in range(self.work.N)]


torch.set_num_threads(int(sys.argv[1]))
peer.serve("PyTorch " + torch.__version__.split("a")[0],
           {"train": Train, "infer": Infer, "stream": Stream, "echo": Echo,
            **{f"train+{variant}": make for variant, make in VARIANTS.items()}})
