# SPDX-License-Identifier: MIT
"""The wrapper against the golden windows that MLSTM_GOLDEN names, and its promises."""

import array
import copy
import ctypes
import gc
import os
import threading
import unittest

import numpy

import mlstm

T, B, H, L, O, WINDOWS = 15, 5, 4, 3, 2, 20

# What the file calls a parameter of the library.
NAMES = {f"layer{layer}.{part}": f"{part}_{layer}"
         for layer in range(L) for part in ("kernel", "bias")}
NAMES.update({"readout.kernel_c": "W1", "readout.kernel_h": "W2", "readout.bias": "b2"})


def read_golden(file):
    golden = {}
    with open(file, encoding="ascii") as lines:
        for line in lines:
            kind, path, *rest = line.split()
            if kind == "T":
                values = numpy.array(next(lines).split(), numpy.float32)
                golden[path] = values.reshape([int(size) for size in rest[1:]])
            else:
                golden[path] = rest[0]
    return golden


GOLDEN = read_golden(os.environ["MLSTM_GOLDEN"])


def create_stack():
    stack = mlstm.Stack(mlstm.Cell(H if layer else 1, H) for layer in range(L))
    stack.set_readout(O, mlstm.READOUT_C | mlstm.READOUT_H)
    return stack


def create_variants():
    """A bidirectional layer with most options below one with the rest."""
    stack = mlstm.Stack([
        mlstm.Cell(2, 6, biases=2, peepholes=True, projection=4, projection_clip=3, cell_clip=5,
                   bidirectional=mlstm.MERGE_CONCAT, learned_state=True),
        mlstm.Cell(8, 8, coupled=True, norm=(mlstm.NORM_PRODUCTS, 0.125), zoneout=(0.25, 0.125),
                   dropout=(0.125, mlstm.MASK_SEQUENCE), skip=mlstm.SKIP_RESIDUAL,
                   recurrent_dropout=(0.25, mlstm.DROP_CANDIDATE, mlstm.MASK_SEQUENCE))])
    stack.set_readout(1)
    stack.init(mlstm.ORTHOGONAL, 1)
    stack.init_param("layer0.peephole_i", mlstm.TRUNCATED_NORMAL, 0, 0.1, 1)
    return stack


def set_params(stack, folder):
    for name, shape in stack.shapes.items():
        stack.set_param(name, GOLDEN[folder + NAMES[name]].reshape(shape))


def forward(stack, state, window, dlogits=None):
    """The loss of a window, which the file has as [B,T]."""
    x = GOLDEN[f"windows/{window}/x"].T.copy()
    y = GOLDEN[f"windows/{window}/y"].T.astype(numpy.int32, order="C")
    state.begin_window()
    logits = stack.forward(state, x[:, :, None])
    return mlstm.softmax_cross_entropy(logits, y, dlogits=dlogits)


class Tensor:
    """An array of some other library, known by DLPack alone."""

    def __init__(self, *shape):
        self.array = numpy.zeros(shape, numpy.float32)
        self.shape = shape

    def __len__(self):
        return self.shape[0]

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Test(unittest.TestCase):
    def assert_loss(self, window, loss, tolerance):
        expected = float(GOLDEN[f"windows/{window}/loss"])
        self.assertLessEqual(abs(loss - expected), tolerance * expected, f"window {window}")

    def assert_error(self, status, part, function, *arguments):
        with self.assertRaisesRegex(mlstm.Error, part) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.status, status)

    def test_golden(self):
        """Every window in one chain of training, and from what the file gives before it."""
        stack, given = create_stack(), create_stack()
        state, given_state = mlstm.State(stack, B, T), mlstm.State(given, B, T)
        grads = mlstm.Grads(stack)
        optimizer = mlstm.adagrad(stack, 0.3, 0.1)
        dlogits = numpy.empty((T, B, O), numpy.float32)
        set_params(stack, "initial_params/")
        for window in range(WINDOWS):
            self.assert_loss(window, forward(stack, state, window, dlogits), 5e-6)
            grads.zero()
            stack.backward(state, dlogits, grads=grads)
            optimizer.apply_grads(stack, grads)

            before = f"windows/{window - 1}/params_after/" if window else "initial_params/"
            set_params(given, before)
            given_state.set(GOLDEN[f"windows/{window}/init_state"].ravel())
            self.assert_loss(window, forward(given, given_state, window), 1e-6)

    def test_options(self):
        stack = create_variants()
        below, above = stack.layers
        self.assertEqual((below.biases, below.peepholes, below.projection, below.projection_clip,
                          below.cell_clip, below.bidirectional, below.learned_state,
                          below.recurrent_size, below.output_size, below.output_c_size),
                         (2, 1, 4, 3, 5, mlstm.MERGE_CONCAT, 1, 4, 8, 12))
        self.assertEqual(stack.readout, mlstm.READOUT_H)
        self.assertEqual((above.coupled, above.norm, above.zoneout, above.dropout,
                          above.recurrent_dropout, above.skip),
                         (1, (mlstm.NORM_PRODUCTS, 0.125), (0.25, 0.125),
                          (0.125, mlstm.MASK_SEQUENCE),
                          (0.25, mlstm.DROP_CANDIDATE, mlstm.MASK_SEQUENCE), mlstm.SKIP_RESIDUAL))
        shapes = stack.shapes
        self.assertEqual(shapes["layer0.reverse.projection"], (6, 4))
        self.assertEqual(shapes["layer0.peephole_i"], (6,))
        self.assertEqual(shapes["layer1.norm_c_gain"], (8,))
        del stack
        gc.collect()
        self.assertEqual((above.hidden_size, above.recurrent_size), (8, 8))
        with self.assertRaisesRegex(mlstm.Error, "rate"):
            mlstm.Cell(1, 1, dropout=(1.0, mlstm.MASK_STEP))

    def test_training(self):
        """Rows of 4, 2 and 3 steps learn the first number of each pair."""
        lengths = numpy.array([4, 2, 3], numpy.int32)
        stack = create_variants()
        state, grads = mlstm.State(stack, 3, 4), mlstm.Grads(stack)
        optimizer = mlstm.adamw(stack, 0.02)
        optimizer.set_weight_decay("readout.bias", 0)
        optimizer.set_frozen("layer1.kernel")
        self.assertTrue(optimizer.frozen("layer1.kernel"))
        self.assertEqual(optimizer.weight_decay("readout.bias"), 0)
        self.assertGreater(optimizer.weight_decay("layer0.kernel"), 0)
        frozen = stack.get_param("layer1.kernel")
        x = numpy.ones((4, 3, 2), numpy.float32)
        x[..., 0] = numpy.arange(12).reshape(4, 3) % 5 / 5 - 0.4
        targets = x[..., :1] * (numpy.arange(4)[:, None] < lengths)[..., None]
        dy = numpy.empty((4, 3, 1), numpy.float32)

        def loss():
            state.begin_sequence(stack)
            state.set_lengths(lengths)
            y = stack.forward(state, x)
            self.assertFalse(y[3, 1:].any())
            return mlstm.huber_loss(y, targets, doutputs=dy)

        before = loss()
        for update in range(60):
            state.set_training(True, update)
            self.assertTrue(state.training)
            loss()
            grads.zero()
            stack.backward(state, dy, grads=grads)
            grads.clip_value(1)
            optimizer.rate = mlstm.schedule_warmup(0.02, optimizer.step_count, 10, 0.1)
            optimizer.apply_grads(stack, grads)
        state.set_training(False)
        self.assertLess(loss(), before / 4)
        numpy.testing.assert_array_equal(stack.get_param("layer1.kernel"), frozen)
        self.assertEqual(optimizer.step_count, 60)

        c, h = state.get_layer(0)
        self.assertEqual((c.shape, h.shape), ((2, 3, 6), (2, 3, 4)))
        state.set_layer(0, c, h)
        loss()
        c, h = state.get_top()
        stack.backward(state, dh_top=h, dc_top=c, grads=grads)
        self.assert_error("ORDER", "bidirectional", state.keep_steps, 1)
        self.assertTrue(grads.finite())
        grads.set("readout.bias", numpy.array([numpy.inf], numpy.float32))
        self.assertFalse(grads.finite())
        for refused in grads.check, lambda: grads.clip_param_norm(1):
            self.assert_error("NOT_FINITE", "readout.bias", refused)

    def test_optimizers(self):
        stack = create_stack()
        grads = mlstm.Grads(stack)
        grads.set("readout.bias", numpy.array([1, -1], numpy.float32))
        slots = {
            mlstm.sgd: [], mlstm.adagrad: ["accumulator"], mlstm.rmsprop: ["rms", "momentum"],
            mlstm.adam: ["exp_avg", "exp_avg_sq"], mlstm.adamw: ["exp_avg", "exp_avg_sq"],
            mlstm.amsgrad: ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
            mlstm.nadam: ["exp_avg", "exp_avg_sq"], mlstm.lion: ["exp_avg"]}
        for create, expected in slots.items():
            optimizer = create(stack, 0.5)
            self.assertEqual(optimizer.slots, expected)
            stack.init(mlstm.ZEROS)
            optimizer.step_count = 7
            optimizer.apply_grads(stack, grads)
            bias = stack.get_param("readout.bias")
            self.assertTrue(bias[0] < 0 and bias[1] == -bias[0])
            self.assertEqual(optimizer.step_count, 8)
        self.assert_error("INVALID_ARGUMENT", "rate", setattr, optimizer, "rate",
                          mlstm.schedule_cosine(0.5, -1, 10, 0))

    def test_update_on_threads(self):
        def update(on_threads):
            stack = create_variants()
            state, grads = mlstm.State(stack, 3, 4, threads=2), mlstm.Grads(stack)
            optimizer = mlstm.adamw(stack, 0.5)
            y = stack.forward(state, numpy.ones((4, 3, 2), numpy.float32))
            stack.backward(state, y, grads=grads)
            if on_threads:
                state.apply_grads(optimizer, stack, grads)
            else:
                optimizer.apply_grads(stack, grads)
            return [stack.get_param(name).tobytes() for name in stack.shapes]

        self.assertEqual(update(True), update(False))

    def test_losses(self):
        outputs, targets = numpy.array([[0, 3], [0, 1]], numpy.float32)
        gradient = numpy.empty(2, numpy.float32)
        self.assertEqual(mlstm.absolute_error(outputs, targets, gradient), 1)
        self.assertEqual(gradient.tolist(), [0, 0.5])
        self.assertEqual(mlstm.huber_loss(outputs, targets), 0.75)
        self.assertAlmostEqual(
            mlstm.sigmoid_cross_entropy(outputs[:1], targets[1:], gradient[:1]), numpy.log(2), 6)
        logits, dlogits = numpy.array([[0, 0], [5, 9]], numpy.float32), numpy.empty((2, 2), "f")
        loss = mlstm.softmax_cross_entropy_weighted(
            logits, numpy.array([1, -1], numpy.int32), numpy.array([2, 3], numpy.float32),
            dlogits=dlogits)
        self.assertAlmostEqual(loss, 2 * numpy.log(2), 6)
        self.assertEqual(dlogits.tolist(), [[1, -1], [0, 0]])

    def test_softmax(self):
        logits = numpy.log(numpy.array([[[1, 1]], [[1, 3]], [[5, 0.5]]], numpy.float32))
        p = mlstm.softmax(logits)
        numpy.testing.assert_allclose(p, [[[0.5, 0.5]], [[0.25, 0.75]], [[10 / 11, 1 / 11]]], 1e-6)
        self.assertIs(mlstm.softmax(logits, logits), logits)
        self.assertEqual(logits.tolist(), p.tolist())
        with self.assertRaisesRegex(ValueError, "out"):
            mlstm.softmax(logits, numpy.empty((3, 2), "f"))
        with self.assertRaisesRegex(mlstm.Error, "rows"):
            mlstm.softmax(logits[:0])

    def test_weighted_losses(self):
        outputs, targets = numpy.array([[[0], [3]], [[0], [1]]], numpy.float32)
        ones, weights = numpy.array([[1, 1], [0, 2]], numpy.float32)
        expected, gradient = numpy.empty((2, 2, 1), numpy.float32)
        for kind, plain in ((mlstm.SQUARED_ERROR, mlstm.squared_error),
                            (mlstm.ABSOLUTE_ERROR, mlstm.absolute_error),
                            (mlstm.HUBER_LOSS, mlstm.huber_loss),
                            (mlstm.SIGMOID_CROSS_ENTROPY, mlstm.sigmoid_cross_entropy)):
            settings = [0.5] if kind == mlstm.HUBER_LOSS else []
            loss = mlstm.weighted_loss(kind, outputs, targets, ones, *settings, doutputs=gradient)
            self.assertAlmostEqual(loss, plain(outputs, targets, *settings, expected), 6)
            numpy.testing.assert_allclose(gradient, expected, rtol=1e-6)
        loss = mlstm.weighted_loss(mlstm.ABSOLUTE_ERROR, outputs, targets, weights,
                                   doutputs=gradient)
        self.assertEqual(loss, 4)
        self.assertEqual(gradient.tolist(), [[0], [2]])
        with self.assertRaisesRegex(ValueError, "weights"):
            mlstm.weighted_loss(mlstm.ABSOLUTE_ERROR, outputs, targets, weights[:1])

    def test_loss_scale(self):
        scale = mlstm.LossScale(8, period=2)
        values = []
        for finite in True, True, True, False:
            scale.update(finite)
            values.append(scale.value)
        self.assertEqual(values, [8, 16, 16, 8])

    def test_version(self):
        number = mlstm.version_number()
        self.assertEqual(mlstm.version(),
                         f"{number // 10000}.{number // 100 % 100}.{number % 100}")

    def test_errors(self):
        stack = create_stack()
        state = mlstm.State(stack, B, T)
        self.assert_error("INVALID_ARGUMENT", "input_size", mlstm.Cell, 0, 4)
        self.assert_error("NOT_FOUND", "layer9.kernel", stack.get_param, "layer9.kernel")
        self.assert_error("ORDER", "record", stack.backward, state)
        self.assert_error("INVALID_ARGUMENT", "layer", state.get_layer, L)
        with self.assertRaises(ctypes.ArgumentError):
            mlstm.State(state, B, T)

    def test_arrays(self):
        stack = create_stack()
        state = mlstm.State(stack, B)
        x = numpy.zeros((B, 1), numpy.float32)
        with self.assertRaisesRegex(TypeError, "x should be float32, got float64"):
            stack.step_forward(state, x.astype(float))
        with self.assertRaisesRegex(ValueError, r"x should have the shape \(5, 1\), got \(5,\)"):
            stack.step_forward(state, x[:, 0])
        with self.assertRaisesRegex(ValueError, "contiguous"):
            stack.step_forward(state, numpy.zeros((2 * B, 1), numpy.float32)[::2])
        with self.assertRaises(TypeError):
            stack.step_forward(state, [[0.0]] * B)
        out = numpy.zeros((B, O), numpy.float32)
        out.flags.writeable = False
        with self.assertRaisesRegex(ValueError, "read-only"):
            stack.step_forward(state, x, out)

    def test_arrays_of_others(self):
        """Written where they lie: DLPack, the array interface and the buffer protocol."""
        stack = create_stack()
        set_params(stack, "initial_params/")
        state = mlstm.State(stack, B, T)
        x = GOLDEN["windows/0/x"].T.copy().reshape(T, B, 1)
        expected = stack.forward(state, x)

        tensor, out = Tensor(T, B, 1), Tensor(T, B, O)
        tensor.array[:] = x
        state.zero()
        self.assertIs(stack.forward(state, tensor, out), out)
        numpy.testing.assert_array_equal(out.array, expected)

        memory = bytearray(x.nbytes // T * O)
        buffer = memoryview(memory).cast("f", (B, O))
        interface = type("Interface", (), {"__array_interface__": x[0].__array_interface__})()
        state.zero()
        self.assertIs(stack.step_forward(state, interface, buffer), buffer)
        numpy.testing.assert_array_equal(numpy.frombuffer(memory, numpy.float32),
                                         expected[0].ravel())

        bias = array.array("f", [0.5, -1.5])
        stack.set_param("readout.bias", bias)
        numpy.testing.assert_array_equal(stack.get_param("readout.bias"), [0.5, -1.5])
        self.assert_error("NOT_FOUND", "layer9.bias", stack.set_param, "layer9.bias", bias)
        gradient = array.array("f", [0, 0])
        self.assertEqual(mlstm.squared_error(bias, array.array("f", [0, 0]), gradient), 1.25)
        self.assertEqual(list(gradient), [0.5, -1.5])
        logits = memoryview(bytes(4 * B * O)).cast("B").cast("f", (B, O))
        labels = array.array("i", [0] * B)
        for loss in mlstm.softmax_cross_entropy, mlstm.softmax_cross_entropy_weighted:
            self.assertAlmostEqual(loss(logits, labels), numpy.log(O), places=6)
        weights = array.array("f", [1] * B)
        self.assertEqual(mlstm.weighted_loss(mlstm.SQUARED_ERROR, logits, logits, weights), 0)

    def test_ownership(self):
        cells = [mlstm.Cell(1, 4), mlstm.Cell(5, 4)]
        self.assert_error("MISMATCH", "layer 1", mlstm.Stack, cells)
        self.assert_error("OWNED", "", mlstm.Stack, [cells[0], cells[0]])
        stack = mlstm.Stack(cells[:1])
        self.assertFalse(cells[0]._finalizer.alive)  # the stack frees it now
        self.assert_error("INVALID_ARGUMENT", "NULL", mlstm.Stack, cells[:1])
        del cells
        self.assertEqual(stack.hidden_sizes, [4])
        with self.assertRaises(TypeError):
            copy.copy(stack)
        stack._finalizer()
        stack._finalizer()

    def test_gradients_outlive_their_handle(self):
        data = mlstm.Grads(create_stack()).data()
        gc.collect()
        data[:] = 1
        self.assertEqual(data.sum(), data.size)

    def test_threads(self):
        """One stack, a state for each thread."""
        stack = create_stack()
        set_params(stack, "initial_params/")
        norms = [0] * 4

        def work(index):
            state, grads = mlstm.State(stack, B, T), mlstm.Grads(stack)
            dlogits = numpy.empty((T, B, O), numpy.float32)
            for _ in range(200):
                state.zero()
                self.assert_loss(0, forward(stack, state, 0, dlogits), 1e-6)
                grads.zero()
                stack.backward(state, dlogits, grads=grads)
            norms[index] = grads.norm()

        threads = [threading.Thread(target=work, args=(index,)) for index in range(len(norms))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreater(norms[0], 0)
        self.assertEqual(norms, norms[:1] * len(norms))

    def test_memory(self):
        def create_and_free():
            stack = create_stack()
            mlstm.State(stack, B, T)
            mlstm.Grads(stack)
            mlstm.adagrad(stack, 0.3)
            mlstm.Cell(1, 1)

        def resident_bytes():
            with open("/proc/self/statm", encoding="ascii") as statm:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

        for _ in range(1000):
            create_and_free()
        before = resident_bytes()
        for _ in range(10000):
            create_and_free()
        self.assertLess(resident_bytes() - before, 1000000)


if __name__ == "__main__":
    unittest.main()
