# SPDX-License-Identifier: MIT
"""TensorFlow 1's optimizers, losses, clipping and schedules, and Keras' Nadam."""
import numpy
import tensorflow as tf

import mlstm
from compare import as_float32, report_original, report_updates
from training import compare_loss, compare_optimizer, compare_schedule, draw_gradients, small_model

train, losses = tf.compat.v1.train, tf.compat.v1.losses


def optimizer(make, *settings, **options):
    """For compare_optimizer: `make` is a class of tf.compat.v1.train or of Keras."""
    def begin(start):
        variables = {name: tf.Variable(values) for name, values in start.items()}
        optimizer = make(*settings, **options)

        def update(gradients):
            optimizer.apply_gradients([(tf.constant(gradients[name]), variable)
                                       for name, variable in variables.items()])
            return {name: variable.numpy() for name, variable in variables.items()}
        return update
    return begin


def compare_optimizers():
    compare_optimizer("GradientDescentOptimizer", ("mlstm_sgd_create", 0.01, 0.0, 0),
                      optimizer(train.GradientDescentOptimizer, 0.01))
    compare_optimizer("MomentumOptimizer", ("mlstm_sgd_create", 0.01, 0.9, 0),
                      optimizer(train.MomentumOptimizer, 0.01, 0.9))
    compare_optimizer("MomentumOptimizer, Nesterov", ("mlstm_sgd_create", 0.01, 0.9, 1),
                      optimizer(train.MomentumOptimizer, 0.01, 0.9, use_nesterov=True))
    compare_optimizer("AdagradOptimizer", ("mlstm_adagrad_create", 0.05, 0.1),
                      optimizer(train.AdagradOptimizer, 0.05, 0.1))
    for centered in 0, 1:
        for momentum in 0.0, 0.5:
            compare_optimizer(
                f"RMSPropOptimizer, momentum {momentum}" + centered * ", centered",
                ("mlstm_rmsprop_create", 0.01, 0.9, momentum, 1e-10, centered),
                optimizer(train.RMSPropOptimizer, 0.01, 0.9, momentum, 1e-10,
                          centered=bool(centered)))
    compare_optimizer("Keras Nadam (momentum_decay 1)",
                      ("mlstm_nadam_create", 0.01, 0.9, 0.999, 1e-7, 1.0),
                      optimizer(tf.keras.optimizers.Nadam, 0.01))


def compare_clipping():
    model = small_model()
    gradients = draw_gradients(numpy.random.default_rng(3), model.shapes)
    given = list(gradients.values())
    for case, ours, theirs in (
            ("clip_by_global_norm", ("mlstm_grads_clip_norm", model.grads, 2.0, None),
             lambda: tf.clip_by_global_norm(given, 2.0)[0]),
            ("clip_by_norm", ("mlstm_grads_clip_param_norm", model.grads, 2.0),
             lambda: [tf.clip_by_norm(value, 2.0) for value in given]),
            ("clip_by_value", ("mlstm_grads_clip_value", model.grads, 0.5),
             lambda: [tf.clip_by_value(value, -0.5, 0.5) for value in given])):
        model.gradients = gradients
        mlstm.call(*ours)
        report_updates(case, (model.gradients, dict(zip(gradients, theirs()))))


def loss(function, values):
    values = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = function(values)
    return result.numpy(), tape.gradient(result, values).numpy()


def compare_losses():
    random = numpy.random.default_rng(2)
    rows, classes = 12, 5
    values, targets = (as_float32(random.uniform(-4, 4, (rows, classes))) for _ in range(2))
    probabilities = as_float32(random.uniform(0, 1, (rows, classes)))
    labels = random.integers(0, classes, rows)
    weights = as_float32(random.uniform(0, 1, rows) * (random.uniform(size=rows) < 0.7))

    def compare(name, original, function, *arguments):
        compare_loss(name, (function, values, *arguments), loss(original, values))

    compare("sparse_softmax_cross_entropy_with_logits",
            lambda v: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, v)),
            "mlstm_softmax_cross_entropy", labels, rows, classes, None)
    compare("losses.softmax_cross_entropy, weights, label_smoothing",
            lambda v: losses.softmax_cross_entropy(tf.one_hot(labels, classes), v, weights, 0.1),
            "mlstm_softmax_cross_entropy_weighted", labels, weights, rows, classes, -1, 0.1, None)
    compare("sigmoid_cross_entropy_with_logits",
            lambda v: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(probabilities, v)),
            "mlstm_sigmoid_cross_entropy", probabilities, values.size)
    for delta in 1.0, 0.3:
        compare(f"losses.huber_loss, delta {delta}",
                lambda v: losses.huber_loss(targets, v, delta=delta),
                "mlstm_huber_loss", targets, values.size, delta)
    compare("Keras MeanAbsoluteError", lambda v: tf.keras.losses.MeanAbsoluteError()(targets, v),
            "mlstm_absolute_error", targets, values.size)
    compare("Keras MeanSquaredError", lambda v: tf.keras.losses.MeanSquaredError()(targets, v),
            "mlstm_squared_error", targets, values.size)


def compare_schedules():
    def rates(schedule, *settings, **options):
        return [schedule(0.1, step, *settings, **options)().numpy() for step in range(50)]

    compare_schedule("exponential_decay", "mlstm_schedule_exponential", 0.1, (7, 0.5),
                     rates(train.exponential_decay, 7, 0.5))
    compare_schedule("exponential_decay, staircase", "mlstm_schedule_step", 0.1, (7, 0.5),
                     rates(train.exponential_decay, 7, 0.5, staircase=True))
    compare_schedule("cosine_decay", "mlstm_schedule_cosine", 0.1, (30, 0.05),
                     rates(train.cosine_decay, 30, alpha=0.05))


if __name__ == "__main__":
    report_original("TensorFlow", tf.__version__)
    compare_optimizers()
    compare_clipping()
    compare_losses()
    compare_schedules()
