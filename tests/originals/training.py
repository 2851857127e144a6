# SPDX-License-Identifier: MIT
"""What the comparisons of optimizers, losses and schedules have in common."""
import numpy

import mlstm
from compare import as_float32, report, report_updates

STEPS = 50


def compare_optimizer(case, ours, theirs):
    """`ours` is (function, settings...). `theirs` takes the parameters and gives a function that
    takes gradients, makes one update with them and returns the parameters, all as dictionaries.
    """
    model = small_model()
    random = numpy.random.default_rng(1)
    start = {name: as_float32(random.uniform(-1, 1, shape)) for name, shape in model.shapes.items()}
    model.parameters = start
    optimizer = mlstm.create(ours[0], model.stack, *ours[1:])
    update = theirs(start)
    ours, theirs = [], []
    for _ in range(STEPS):
        model.gradients = gradients = draw_gradients(random, model.shapes)
        mlstm.call("mlstm_apply_grads", optimizer, model.stack, model.grads)
        ours.append(model.parameters)
        theirs.append(update(gradients))
    mlstm.call("mlstm_optimizer_destroy", optimizer)
    report_updates(f"{case}, {STEPS} steps", (courses(ours), courses(theirs)))


def small_model():
    return mlstm.Model(mlstm.cell(5, 7), readout=(3, mlstm.constants["READOUT_H"]))


def draw_gradients(random, shapes):
    """Of all sizes, and one in ten 0."""
    return {name: as_float32(random.normal(size=shape) * 10 ** random.uniform(-3, 1, shape)
                             * (random.uniform(size=shape) > 0.1))
            for name, shape in shapes.items()}


def courses(steps):
    return {name: numpy.stack([step[name] for step in steps]) for name in steps[0]}


def compare_loss(case, ours, theirs):
    """`ours` is (function, values, arguments...) up to its outputs, `theirs` (loss, gradient)."""
    gradient = numpy.empty(ours[1].shape, numpy.float32)
    loss = mlstm.number(*ours, gradient)
    report(case, (({"loss": numpy.float64(loss)}, {"gradient": gradient}),
                  ({"loss": theirs[0]}, {"gradient": theirs[1]})))


def compare_schedule(case, function, rate, settings, theirs):
    """`theirs` are the rates before the updates 0, 1, 2, ..."""
    ours = numpy.array([mlstm.call(function, rate, step, *settings) for step in range(len(theirs))])
    report_updates(case, ({"rate": ours}, {"rate": numpy.asarray(theirs)}))
