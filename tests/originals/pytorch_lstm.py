# SPDX-License-Identifier: MIT
"""PyTorch's nn.LSTM, and a cell made of its LayerNorm."""
import numpy
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import mlstm
from compare import Window, compare_sizes, report_original

CONCAT, STEP = (mlstm.constants[name] for name in ("MERGE_CONCAT", "MASK_STEP"))
PRODUCTS = mlstm.constants["NORM_PRODUCTS"]


def columns(weight):
    """[4H, N] with the rows i, f, j, o becomes [N, 4H] with the columns i, j, f, o."""
    i, f, j, o = numpy.split(weight, 4)
    return numpy.concatenate([i, j, f, o]).T


def layout(lstm, read):
    """The library's parameters, where `read` gives a tensor's values or its gradient."""
    values = {}
    for layer in range(lstm.num_layers):
        for ours, theirs in (("", ""), ("reverse.", "_reverse"))[:1 + lstm.bidirectional]:
            def get(name):
                return read(getattr(lstm, f"{name}_l{layer}{theirs}"))
            name = f"layer{layer}.{ours}"
            values[name + "kernel"] = numpy.concatenate(
                [columns(get("weight_ih")), columns(get("weight_hh"))])
            if lstm.bias:
                values[name + "bias"] = columns(get("bias_ih"))
                values[name + "bias_h"] = columns(get("bias_hh"))
            if lstm.proj_size:
                values[name + "projection"] = get("weight_hr").T
    return values


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def randomize(module, window):
    for parameter in module.parameters():
        parameter.data = torch.from_numpy(window.draw(*parameter.shape, scale=0.3))


def backward(window, y, final):
    """Walks back from the loss of a window; `final` and `window.dstate` are lists of pairs."""
    loss = (y * torch.from_numpy(window.dy)).sum()
    for pair, gradients in zip(final, window.dstate):
        for value, gradient in zip(pair, gradients):
            loss = loss + (value * torch.from_numpy(gradient)).sum()
    loss.backward()


def detached(state):
    return mlstm.name_state([tuple(a.detach().numpy() for a in pair) for pair in state])


def gradients(x, state):
    return {"x": x.grad.numpy(),
            **mlstm.name_state([tuple(a.grad.numpy() for a in pair) for pair in state])}


def run_lstm(lstm, window):
    x, state = tensor(window.x), [tuple(map(tensor, pair)) for pair in window.state]
    given = x
    if window.lengths is not None:
        given = pack_padded_sequence(x, window.lengths.tolist(), enforce_sorted=False)
    y, (h, c) = lstm(given, (torch.stack([pair[1] for pair in state]),
                             torch.stack([pair[0] for pair in state])))
    if window.lengths is not None:
        y, _ = pad_packed_sequence(y, total_length=len(x))
    final = list(zip(c, h))
    backward(window, y, final)
    return ({"y": y.detach().numpy(), **detached(final)},
            {**gradients(x, state), **layout(lstm, lambda p: p.grad.numpy())})


def compare_lstm(inputs, units, projection, steps, rows, layers=1, projected=False,
                 bidirectional=False, shortest=None, bias=True, dropout=0.0):
    projection = projection if projected else 0
    directions, h = 1 + bidirectional, projection or units
    window = Window(inputs, directions * h, [(units, h)] * (layers * directions), steps, rows,
                    shortest)
    lstm = torch.nn.LSTM(inputs, units, layers, bias, dropout=dropout, bidirectional=bidirectional,
                         proj_size=projection).double()
    lstm.train(dropout == 0)
    randomize(lstm, window)

    options = {"forget_bias": 0.0, "biases": 2 * bias, "projection": projection}
    if bidirectional:
        options["bidirectional"] = CONCAT
    if dropout:
        options["dropout"] = (dropout, STEP)
    model = mlstm.Model(*[mlstm.cell(directions * h if layer else inputs, units, **options)
                          for layer in range(layers)])
    model.parameters = layout(lstm, lambda p: p.detach().numpy())
    return model.run(window), run_lstm(lstm, window)


class LayerNormCell(torch.nn.Module):
    """Ba et al. 2016, equations 20 to 22 of the supplement, by torch.nn.LayerNorm."""

    def __init__(self, inputs, units):
        super().__init__()
        self.x = torch.nn.Linear(inputs, 4 * units, bias=False)
        self.h = torch.nn.Linear(units, 4 * units, bias=False)
        self.bias = torch.nn.Parameter(torch.empty(4 * units))
        self.norm_x, self.norm_h = torch.nn.LayerNorm(4 * units), torch.nn.LayerNorm(4 * units)
        for norm in self.norm_x, self.norm_h:  # their shifts would be a second and a third bias
            norm.bias = None
        self.norm_c = torch.nn.LayerNorm(units)

    def forward(self, x, c, h):
        a = self.norm_x(self.x(x)) + self.norm_h(self.h(h)) + self.bias
        i, j, f, o = torch.chunk(a, 4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(j)
        return c, torch.sigmoid(o) * torch.tanh(self.norm_c(c))

    def layout(self, read):
        return {"layer0.kernel": numpy.concatenate([read(self.x.weight).T, read(self.h.weight).T]),
                "layer0.bias": read(self.bias),
                "layer0.norm_x_gain": read(self.norm_x.weight),
                "layer0.norm_h_gain": read(self.norm_h.weight),
                "layer0.norm_c_gain": read(self.norm_c.weight),
                "layer0.norm_c_shift": read(self.norm_c.bias)}


def compare_norm(inputs, units, _, steps, rows):
    window = Window(inputs, units, [(units, units)], steps, rows)
    original = LayerNormCell(inputs, units).double()
    randomize(original, window)
    x, state = tensor(window.x), [tuple(map(tensor, window.state[0]))]
    c, h = state[0]
    y = []
    for step in x:
        c, h = original(step, c, h)
        y.append(h)
    y = torch.stack(y)
    backward(window, y, [(c, h)])

    model = mlstm.Model(mlstm.cell(inputs, units, forget_bias=0.0,
                                   norm=(PRODUCTS, original.norm_c.eps)))
    model.parameters = original.layout(lambda p: p.detach().numpy())
    return model.run(window), ({"y": y.detach().numpy(), **detached([(c, h)])},
                               {**gradients(x, state),
                                **original.layout(lambda p: p.grad.numpy())})


CASES = {
    "1 layer": {},
    "2 layers": {"layers": 2},
    "3 layers": {"layers": 3},
    "no bias": {"bias": False},
    "3 layers, dropout 0.5 in eval mode": {"layers": 3, "dropout": 0.5},
    "proj_size": {"projected": True},
    "3 layers, proj_size": {"layers": 3, "projected": True},
    "bidirectional": {"bidirectional": True},
    "3 layers, bidirectional": {"layers": 3, "bidirectional": True},
    "2 layers, bidirectional, proj_size": {"layers": 2, "bidirectional": True, "projected": True},
    "packed": {"shortest": 1},
    "3 layers, packed": {"layers": 3, "shortest": 1},
    "2 layers, bidirectional, packed": {"layers": 2, "bidirectional": True, "shortest": 1},
    "3 layers, bidirectional, proj_size, packed":
        {"layers": 3, "bidirectional": True, "projected": True, "shortest": 1},
}

if __name__ == "__main__":
    report_original("PyTorch", torch.__version__)
    for name, options in CASES.items():
        compare_sizes("nn.LSTM: " + name, compare_lstm, **options)
    compare_sizes("cell of nn.LayerNorm: products apart", compare_norm)
