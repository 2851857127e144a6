# SPDX-License-Identifier: MIT
"""Keras: training windows of keras.layers.LSTM and what it has around it, inside tf.function."""

import sys

import tensorflow as tf
from tensorflow import keras

import peer

THREADS = int(sys.argv[1])
tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)
ORDER = (0, 2, 1, 3)  # i f j o from i j f o, and back


def make_layer(work):
    """Implementation 2 has one dropout mask for all gates."""
    two_ways = work.variant in ("concat", "sum")
    lstm = keras.layers.LSTM(
        work.H, return_sequences=True, time_major=True, implementation=2,
        zero_output_for_mask=work.variant == "lengths",
        recurrent_dropout=peer.RATE if work.variant == "drop-hidden" else 0.0)
    return keras.layers.Bidirectional(lstm, work.variant) if two_ways else lstm


def weights_of(work, layer):
    """Keras' arrays of a layer: kernel, recurrent kernel and bias of each direction."""
    weights, arrays = work.layers[layer], []
    for prefix in ("", "reverse.") if work.variant in ("concat", "sum") else ("",):
        kernel = peer.gates(weights[prefix + "kernel"], ORDER, work.H)
        bias = peer.gates(peer.forget(weights[prefix + "bias"], work.H), ORDER, work.H)
        arrays += [kernel[:work.inputs(layer)], kernel[work.inputs(layer):], bias]
    return arrays


class Train:
    """Forward and backward of a window, no update."""

    def __init__(self, work):
        self.work = work
        self.x, self.dh = tf.constant(work.x), tf.constant(work.dh)
        self.layers = [make_layer(work) for _ in range(work.L)]
        self.mask = None
        if work.variant == "lengths":
            self.mask = tf.transpose(tf.sequence_mask(work.lengths, work.T))
        self.dropout = keras.layers.Dropout(peer.RATE, noise_shape=(1, work.B, work.H))
        for layer, lstm in enumerate(self.layers):
            lstm.build((work.T, work.B, work.inputs(layer)))
            lstm.set_weights(weights_of(work, layer))
        self.both = tf.function(self.forward_backward)

    def forward_backward(self, training):
        with tf.GradientTape() as tape:
            h = self.x
            for layer, lstm in enumerate(self.layers):
                if layer and self.work.variant == "dropout-sequence":
                    h = self.dropout(h, training=training)
                below, h = h, lstm(h, mask=self.mask, training=training)
                if layer and self.work.variant == "residual":
                    h += below
        weights = [w for lstm in self.layers for w in lstm.trainable_weights]
        return h, tape.gradient(h, weights, output_gradients=self.dh)

    def run(self, count):
        for _ in range(count):
            self.both(True)

    def check(self):
        h, grads = self.both(False)
        yield h.numpy()
        for at in range(0, len(grads), 3):
            yield peer.gates(tf.concat(grads[at:at + 2], 0).numpy(), ORDER, self.work.H)
            yield peer.gates(grads[at + 2].numpy(), ORDER, self.work.H)


VARIANTS = ("dropout-sequence", "drop-hidden", "residual", "concat", "sum", "lengths")
peer.serve("Keras " + tf.__version__,
           {"train": Train, **{f"train+{variant}": Train for variant in VARIANTS}})
