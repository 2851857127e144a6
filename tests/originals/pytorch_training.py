# SPDX-License-Identifier: MIT
"""PyTorch's optimizers, losses and schedules, and the PyPI package lion-pytorch."""
import inspect

import lion_pytorch
import numpy
import torch
from torch.optim import lr_scheduler

from compare import as_float32, report_original
from training import compare_loss, compare_optimizer, compare_schedule


def optimizer(make, **settings):
    """For compare_optimizer: `make` is a class of torch.optim."""
    def begin(start):
        parameters = {name: torch.nn.Parameter(torch.tensor(values))
                      for name, values in start.items()}
        optimizer = make(parameters.values(), **settings)

        def update(gradients):
            for name, parameter in parameters.items():
                parameter.grad = torch.from_numpy(gradients[name])
            optimizer.step()
            return {name: p.detach().numpy().copy() for name, p in parameters.items()}
        return update
    return begin


def mend_nadam():
    """PyTorch 1.13 multiplies M(t+1) by mu(t) twice; 2.0 does not. Nothing else differs."""
    if int(torch.__version__.split(".")[0]) >= 2:
        return ""
    module = inspect.getmodule(torch.optim.NAdam)
    wrong, right = "mu_product * mu * mu_next", "mu_product * mu_next"
    source = inspect.getsource(module._single_tensor_nadam)
    assert source.count(wrong) == 1
    exec(source.replace(wrong, right), vars(module))
    return " with the line that 2.0 mended"


def compare_optimizers():
    optim = torch.optim
    compare_optimizer("Adam", ("mlstm_adam_create", 0.01, 0.9, 0.999, 1e-8),
                      optimizer(optim.Adam, lr=0.01))
    compare_optimizer("Adam, other settings", ("mlstm_adam_create", 0.003, 0.8, 0.95, 1e-4),
                      optimizer(optim.Adam, lr=0.003, betas=(0.8, 0.95), eps=1e-4))
    compare_optimizer("AdamW", ("mlstm_adamw_create", 0.01, 0.9, 0.999, 1e-8, 0.1),
                      optimizer(optim.AdamW, lr=0.01, weight_decay=0.1))
    compare_optimizer("AMSGrad", ("mlstm_amsgrad_create", 0.01, 0.9, 0.95, 1e-8),
                      optimizer(optim.Adam, lr=0.01, betas=(0.9, 0.95), amsgrad=True))
    compare_optimizer("NAdam" + mend_nadam(), ("mlstm_nadam_create", 0.01, 0.9, 0.999, 1e-8, 0.004),
                      optimizer(optim.NAdam, lr=0.01))
    compare_optimizer("SGD", ("mlstm_sgd_create", 0.01, 0.0, 0), optimizer(optim.SGD, lr=0.01))
    compare_optimizer("SGD, momentum", ("mlstm_sgd_create", 0.01, 0.9, 0),
                      optimizer(optim.SGD, lr=0.01, momentum=0.9))
    compare_optimizer("SGD, Nesterov", ("mlstm_sgd_create", 0.01, 0.9, 1),
                      optimizer(optim.SGD, lr=0.01, momentum=0.9, nesterov=True))
    compare_optimizer("Lion of lion-pytorch", ("mlstm_lion_create", 0.01, 0.9, 0.99, 0.1),
                      optimizer(lion_pytorch.Lion, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1))


def loss(function, values):
    values = torch.tensor(values, requires_grad=True)
    result = function(values)
    result.backward()
    return result.item(), values.grad.numpy()


def compare_losses():
    random = numpy.random.default_rng(2)
    rows, classes = 12, 5
    values, targets = (as_float32(random.uniform(-4, 4, (rows, classes))) for _ in range(2))
    probabilities = as_float32(random.uniform(0, 1, (rows, classes)))
    labels = random.integers(0, classes, rows)
    some = numpy.where(random.uniform(size=rows) < 0.3, -100, labels)

    def compare(name, make, wanted, function, *arguments):
        wanted = torch.tensor(wanted)
        compare_loss(name, (function, values, *arguments), loss(lambda v: make(v, wanted), values))

    nn = torch.nn
    compare("CrossEntropyLoss", nn.CrossEntropyLoss(), labels,
            "mlstm_softmax_cross_entropy", labels, rows, classes, None)
    compare("CrossEntropyLoss, ignore_index, label_smoothing",
            nn.CrossEntropyLoss(ignore_index=-100, label_smoothing=0.1), some,
            "mlstm_softmax_cross_entropy_weighted", some, None, rows, classes, -100, 0.1, None)
    compare("BCEWithLogitsLoss", nn.BCEWithLogitsLoss(), probabilities,
            "mlstm_sigmoid_cross_entropy", probabilities, values.size)
    compare("L1Loss", nn.L1Loss(), targets, "mlstm_absolute_error", targets, values.size)
    compare("MSELoss", nn.MSELoss(), targets, "mlstm_squared_error", targets, values.size)


def rates(rate, make, **settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    schedule = make(optimizer, **settings)
    rates = []
    for _ in range(50):
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    return rates


def compare_schedules():
    compare_schedule("StepLR", "mlstm_schedule_step", 0.1, (7, 0.5),
                     rates(0.1, lr_scheduler.StepLR, step_size=7, gamma=0.5))
    compare_schedule("ExponentialLR", "mlstm_schedule_exponential", 0.1, (1, 0.9),
                     rates(0.1, lr_scheduler.ExponentialLR, gamma=0.9))
    compare_schedule("LinearLR", "mlstm_schedule_warmup", 0.1, (20, 0.25),
                     rates(0.1, lr_scheduler.LinearLR, start_factor=0.25, total_iters=20))


if __name__ == "__main__":
    report_original("PyTorch", torch.__version__)
    compare_optimizers()
    compare_losses()
    compare_schedules()
