# SPDX-License-Identifier: MIT
"""PyTorch: nn.LSTM; for the echo task LSTMCell, since the readout needs c."""

import sys

import numpy as np
import torch
from torch import nn

import peer

ORDER = (0, 2, 1, 3)  # i f j o from i j f o, and back


def fill(module, layer, work, suffix):
    """Weights of a layer, into nn.LSTM or nn.LSTMCell, which keep [4H, in] and have two biases."""
    split = work.inputs(layer)
    kernel = peer.gates(work.kernels[layer], ORDER, work.H)
    bias = peer.gates(peer.forget(work.biases[layer], work.H), ORDER, work.H)
    with torch.no_grad():
        getattr(module, "weight_ih" + suffix).copy_(torch.from_numpy(kernel[:split].T.copy()))
        getattr(module, "weight_hh" + suffix).copy_(torch.from_numpy(kernel[split:].T.copy()))
        getattr(module, "bias_ih" + suffix).copy_(torch.from_numpy(bias))
        getattr(module, "bias_hh" + suffix).zero_()


def make_lstm(work):
    lstm = nn.LSTM(work.I, work.H, work.L)
    for layer in range(work.L):
        fill(lstm, layer, work, f"_l{layer}")
    return lstm


class Train:
    """Forward and backward of a window, no update."""

    def __init__(self, work):
        self.work, self.lstm = work, make_lstm(work)
        self.x, self.dh = torch.from_numpy(work.x), torch.from_numpy(work.dh)

    def run(self, count):
        for _ in range(count):
            self.lstm.zero_grad(set_to_none=True)
            self.h, _ = self.lstm(self.x)
            self.h.backward(self.dh)

    def check(self):
        self.run(1)
        yield self.h.detach().numpy()
        for layer in range(self.work.L):
            grads = [getattr(self.lstm, f"{name}_l{layer}").grad.numpy().T
                     for name in ("weight_ih", "weight_hh", "bias_ih")]
            yield peer.gates(np.concatenate(grads[:2]), ORDER, self.work.H)
            yield peer.gates(grads[2], ORDER, self.work.H)


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
            fill(cell, layer, work, "")
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
           {"train": Train, "infer": Infer, "stream": Stream, "echo": Echo})
