# SPDX-License-Identifier: MIT
"""
TensorFlow. The echo task runs as the tutorial's own graph: MultiRNNCell of BasicLSTMCell, unrolled,
AdagradOptimizer, a session. Windows and streams use BlockLSTM, its fastest kernel for the CPU,
inside tf.function.
"""

import sys

import numpy as np
import tensorflow as tf

import peer

v1 = tf.compat.v1
THREADS = int(sys.argv[1])
tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)


class Layers:
    def __init__(self, work):
        self.work = work
        self.kernels = [tf.Variable(kernel) for kernel in work.kernels]
        self.biases = [tf.Variable(bias) for bias in work.biases]
        self.peepholes = [[tf.Variable(layer[f"peephole_{gate}"]) for gate in "ifo"]
                          if work.variant == "peepholes" else [tf.zeros(work.H)] * 3
                          for layer in work.layers]
        self.options = {"cell_clip": peer.CLIP if work.variant == "cell-clip" else -1.0,
                        "use_peephole": work.variant == "peepholes"}
        self.zero = tf.zeros((work.B, work.H))

    def forward(self, x, states):
        """h of the top layer, and c and h of each layer after the last step."""
        after = []
        for kernel, bias, (i, f, o), (c, h) in zip(self.kernels, self.biases, self.peepholes,
                                                   states):
            block = tf.raw_ops.BlockLSTM(
                seq_len_max=tf.cast(tf.shape(x)[0], tf.int64), x=x, cs_prev=c, h_prev=h, w=kernel,
                wci=i, wcf=f, wco=o, b=bias, forget_bias=1.0, **self.options)
            x = block.h
            after.append((block.cs[-1], block.h[-1]))
        return x, after

    def zeros(self):
        return [(self.zero, self.zero)] * self.work.L


class Train(Layers):
    """Forward and backward of a window, no update."""

    def __init__(self, work):
        super().__init__(work)
        self.x, self.dh = tf.constant(work.x), tf.constant(work.dh)
        self.both = tf.function(self.forward_backward)

    def forward_backward(self):
        with tf.GradientTape() as tape:
            h, _ = self.forward(self.x, self.zeros())
        weights = [w for layer in zip(self.kernels, self.biases, self.peepholes)
                   for w in tf.nest.flatten(layer) if isinstance(w, tf.Variable)]
        return h, tape.gradient(h, weights, output_gradients=self.dh)

    def run(self, count):
        for _ in range(count):
            self.both()

    def check(self):
        h, grads = self.both()
        yield h.numpy()
        for grad in grads:
            yield grad.numpy()


class Infer(Layers):
    def __init__(self, work):
        super().__init__(work)
        x = tf.constant(work.x)
        self.window = tf.function(lambda: self.forward(x, self.zeros())[0])

    def run(self, count):
        for _ in range(count):
            self.h = self.window()

    def check(self):
        self.run(1)
        yield self.h.numpy()


class Stream(Layers):
    def __init__(self, work):
        super().__init__(work)
        self.x = [tf.constant(work.x[t:t + 1]) for t in range(work.T)]
        self.step = tf.function(self.forward)
        self.states, self.at = self.zeros(), 0

    def run(self, count):
        for _ in range(count):
            self.h, self.states = self.step(self.x[self.at], self.states)
            self.at = (self.at + 1) % len(self.x)

    def check(self):
        for _ in self.x:
            self.run(1)
            yield self.h.numpy()


class Echo:
    """The tutorial's graph and loop."""

    def __init__(self, work):
        self.work, self.at = work, 0
        with tf.Graph().as_default():
            self.build(work)
            config = v1.ConfigProto(intra_op_parallelism_threads=THREADS,
                                    inter_op_parallelism_threads=THREADS)
            self.session = v1.Session(config=config)
            self.session.run(v1.global_variables_initializer())
            self.fill(work)

    def build(self, work):
        self.x = v1.placeholder(tf.float32, [work.T, work.B, work.I])
        self.y = v1.placeholder(tf.int32, [work.T, work.B])
        self.init_state = v1.placeholder(tf.float32, [work.L, 2, work.B, work.H])
        state = tuple(v1.nn.rnn_cell.LSTMStateTuple(layer[0], layer[1])
                      for layer in tf.unstack(self.init_state))
        cell = v1.nn.rnn_cell.MultiRNNCell(
            [v1.nn.rnn_cell.BasicLSTMCell(work.H) for _ in range(work.L)])
        self.readout = [tf.Variable(array) for array in (
            work.readout_c, work.readout_h, work.readout_bias)]
        w1, w2, bias = self.readout
        logits = []
        for x in tf.unstack(self.x):
            _, state = cell(x, state)
            logits.append(tf.matmul(state[-1].c, w1) + tf.matmul(state[-1].h, w2) + bias)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            logits=tf.stack(logits), labels=self.y)
        self.loss = tf.reduce_mean(losses)
        self.state = tf.stack([tf.stack(layer) for layer in state])
        self.train = v1.train.AdagradOptimizer(0.3).minimize(self.loss)
        self.cell = cell

    def fill(self, work):
        values = [array for pair in zip(work.kernels, work.biases) for array in pair]
        for variable, value in zip(self.cell.trainable_variables, values):
            variable.load(value, self.session)

    def iterate(self):
        work = self.work
        if self.at == 0:
            self.now = np.zeros((work.L, 2, work.B, work.H), np.float32)
        loss, _, self.now = self.session.run(
            [self.loss, self.train, self.state],
            {self.x: work.x[self.at], self.y: work.labels[self.at], self.init_state: self.now})
        self.at = (self.at + 1) % work.N
        return loss

    def run(self, count):
        for _ in range(count):
            self.iterate()

    def check(self):
        yield [self.iterate() for _ in range(self.work.N)]


peer.serve("TensorFlow " + tf.__version__,
           {"train": Train, "infer": Infer, "stream": Stream, "echo": Echo,
            "train+peepholes": Train, "train+cell-clip": Train})
