// SPDX-License-Identifier: MIT
package mlstm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;
import mlstm.MlstmException.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Options of cells, rows that end, optimizers, losses and schedules. */
class VariantsTest {
    private static void assertRefused(Status status, Executable call) {
        assertEquals(status, assertThrows(MlstmException.class, call).status());
    }

    /** A bidirectional layer with most options below one with the rest. */
    private static Stack newStack() {
        Cell below = new Cell(2, 6);
        Options options = below.options();
        options.biases = 2;
        options.peepholes = true;
        options.projection = 4;
        options.projectionClip = 3;
        options.cellClip = 5;
        options.bidirectional = Options.Merge.CONCAT;
        options.learnedState = true;
        below.setOptions(options);
        Cell above = new Cell(8, 8);
        options = above.options();
        options.coupled = true;
        options.norm = Options.Norm.PRODUCTS;
        options.normEpsilon = 0.125f;
        options.zoneoutC = 0.25f;
        options.zoneoutH = 0.125f;
        options.dropout = 0.125f;
        options.dropoutMask = Options.Mask.SEQUENCE;
        options.recurrentDropout = 0.25f;
        options.recurrentDropoutWhat = Options.Drop.CANDIDATE;
        options.recurrentDropoutMask = Options.Mask.SEQUENCE;
        options.skip = Options.Skip.RESIDUAL;
        above.setOptions(options);
        Stack stack = new Stack(below, above);
        stack.setReadout(1, Stack.Readout.H);
        stack.init(Stack.Initializer.ORTHOGONAL, 1);
        stack.initParam("layer0.peephole_i", Stack.Initializer.TRUNCATED_NORMAL, 0, 0.1f, 1);
        return stack;
    }

    @Test
    void optionsAreThoseThatWereSet() {
        Stack stack = newStack();
        Options plain = new Cell(1, 1).options();
        assertEquals(List.of(1f, 1, false), List.of(plain.forgetBias, plain.biases, plain.peepholes));
        Options below = stack.options(0);
        assertEquals(List.of(2, true, 4, 3f, 5f, Options.Merge.CONCAT, true),
            List.of(below.biases, below.peepholes, below.projection, below.projectionClip,
                below.cellClip, below.bidirectional, below.learnedState));
        Options above = stack.options(1);
        assertEquals(List.of(true, Options.Norm.PRODUCTS, 0.125f, 0.25f, 0.125f, Options.Skip.RESIDUAL),
            List.of(above.coupled, above.norm, above.normEpsilon, above.zoneoutC, above.zoneoutH,
                above.skip));
        assertEquals(List.of(0.125f, Options.Mask.SEQUENCE, 0.25f, Options.Drop.CANDIDATE,
                Options.Mask.SEQUENCE),
            List.of(above.dropout, above.dropoutMask, above.recurrentDropout,
                above.recurrentDropoutWhat, above.recurrentDropoutMask));
        assertRefused(Status.INVALID_ARGUMENT, () -> stack.options(2));
        assertEquals(List.of(new Sizes(2, 6, 4, 8, 12), new Sizes(8, 8, 8, 8, 8),
                new Sizes(0, 0, 0, 0, 0)),
            List.of(stack.sizes(0), stack.sizes(1), stack.sizes(2)));
        assertEquals(new Sizes(3, 2, 2, 2, 2), new Cell(3, 2).sizes());
        assertEquals(Stack.Readout.H, stack.readout());
        assertEquals(null, new Stack(new Cell(1, 1)).readout());
        stack.getParam("layer0.reverse.projection", Buffers.floats(6 * 4));
        plain.dropout = 1;
        assertRefused(Status.INVALID_ARGUMENT, () -> new Cell(1, 1).setOptions(plain));
    }

    private static final int STEPS = 4;
    private static final int ROWS = 3;
    private final IntBuffer lengths = Buffers.ints(ROWS).put(new int[] {4, 2, 3}).rewind();
    private final FloatBuffer x = Buffers.floats(STEPS * ROWS * 2);
    private final FloatBuffer y = Buffers.floats(STEPS * ROWS);
    private final FloatBuffer targets = Buffers.floats(STEPS * ROWS);
    private final FloatBuffer dy = Buffers.floats(STEPS * ROWS);

    private float loss(Stack stack, State state) {
        state.beginSequence(stack);
        state.setLengths(lengths);
        stack.forward(state, x, y);
        assertEquals(List.of(0f, 0f), List.of(y.get(10), y.get(11)));
        return Losses.huberLoss(y, targets, 1, dy);
    }

    private static FloatBuffer kernel(Stack stack) {
        FloatBuffer kernel = Buffers.floats(16 * 32);
        stack.getParam("layer1.kernel", kernel);
        return kernel;
    }

    /** Rows of 4, 2 and 3 steps learn the first number of each pair. */
    @Test
    void rowsOfDifferentLengthsLearn() {
        for (int i = 0; i < STEPS * ROWS; i++) {
            x.put(2 * i, i % 5 / 5f - 0.4f).put(2 * i + 1, 1);
            targets.put(i, i / ROWS < lengths.get(i % ROWS) ? x.get(2 * i) : 0);
        }
        Stack stack = newStack();
        State state = new State(stack, ROWS, STEPS);
        Grads grads = new Grads(stack);
        Optimizer optimizer = Optimizer.adamw(stack, 0.02f, 0.9f, 0.999f, 1e-8f, 0.01f);
        optimizer.setWeightDecay("readout.bias", 0);
        optimizer.setFrozen("layer1.kernel", true);
        FloatBuffer frozen = kernel(stack);

        float before = loss(stack, state);
        for (int update = 0; update < 60; update++) {
            state.setTraining(true, update);
            assertTrue(state.training());
            loss(stack, state);
            grads.zero();
            stack.backward(state, dy, grads);
            grads.clipValue(1);
            optimizer.setRate(Schedules.warmup(0.02f, optimizer.stepCount(), 10, 0.1f));
            optimizer.apply(stack, grads);
        }
        state.setTraining(false, 0);
        float learned = loss(stack, state);
        assertTrue(learned < before / 4, before + ", then " + learned);
        assertEquals(frozen, kernel(stack));

        assertRefused(Status.ORDER, () -> state.keepSteps(1));
        grads.checkFinite();
        stack.backward(state, dy.put(0, Float.NaN), grads);
        assertRefused(Status.NOT_FINITE, grads::checkFinite);
        assertRefused(Status.NOT_FINITE, () -> grads.clipParamNorm(1));
        state.beginWindow();
        state.setLengths(null);
    }

    @Test
    void optimizersDescend() {
        Stack stack = new Stack(new Cell(1, 1));
        stack.setReadout(1, Stack.Readout.H);
        State state = new State(stack, 1, 1);
        Grads grads = new Grads(stack);
        stack.forward(state, Buffers.floats(1f), null);
        stack.backward(state, Buffers.floats(1f), grads);
        FloatBuffer bias = Buffers.floats(1);
        for (Optimizer optimizer : List.of(Optimizer.sgd(stack, 0.5f, 0.5f, true),
                Optimizer.adagrad(stack, 0.5f, 0.1f),
                Optimizer.rmsprop(stack, 0.5f, 0.9f, 0, 1e-10f, true),
                Optimizer.adam(stack, 0.5f, 0.9f, 0.999f, 1e-8f),
                Optimizer.adamw(stack, 0.5f, 0.9f, 0.999f, 1e-8f, 0.01f),
                Optimizer.amsgrad(stack, 0.5f, 0.9f, 0.999f, 1e-8f),
                Optimizer.nadam(stack, 0.5f, 0.9f, 0.999f, 1e-8f, 0.004f),
                Optimizer.lion(stack, 0.5f, 0.9f, 0.99f, 0))) {
            stack.init(Stack.Initializer.ZEROS, 0);
            optimizer.setStepCount(7);
            optimizer.apply(stack, grads);
            stack.getParam("readout.bias", bias);
            assertTrue(bias.get(0) < 0);
            assertEquals(8, optimizer.stepCount());
            assertRefused(Status.INVALID_ARGUMENT,
                () -> optimizer.setRate(Schedules.cosine(0.5f, -1, 10, 0)));
        }
    }

    @Test
    void lossesAndTheirGradients() {
        FloatBuffer outputs = Buffers.floats(0, 3);
        FloatBuffer targets = Buffers.floats(0, 1);
        FloatBuffer gradient = Buffers.floats(2);
        FloatBuffer dlogits = Buffers.floats(4);
        assertEquals(1, Losses.absoluteError(outputs, targets, gradient));
        assertEquals(Buffers.floats(0, 0.5f), gradient);
        assertEquals(0.75f, Losses.huberLoss(outputs, targets, 1, null));
        assertEquals(2, Losses.squaredError(outputs, targets, null));
        assertEquals(Math.log(2),
            Losses.sigmoidCrossEntropy(Buffers.floats(0f), Buffers.floats(1f), null), 1e-6);
        IntBuffer labels = Buffers.ints(2).put(new int[] {1, -1}).rewind();
        assertEquals(2 * Math.log(2), Losses.softmaxCrossEntropyWeighted(Buffers.floats(0, 0, 5, 9),
            labels, Buffers.floats(2, 3), -1, 0, null, dlogits), 1e-6);
        assertEquals(Buffers.floats(1, -1, 0, 0), dlogits);
        FloatBuffer p = Buffers.floats(0, 0, 5, 5 + (float) Math.log(3));
        Losses.softmax(p, 2, p);
        assertEquals(0.5, p.get(1), 1e-6);
        assertEquals(0.75, p.get(3), 1e-6);
        assertThrows(IllegalArgumentException.class, () -> Losses.softmax(p, 3, p));
        assertThrows(IllegalArgumentException.class, () -> Losses.softmax(p, 2, Buffers.floats(2)));
        assertThrows(MlstmException.class, () -> Losses.softmax(p, -2, p));
        assertThrows(IllegalArgumentException.class,
            () -> Losses.absoluteError(outputs, Buffers.floats(1), null));
    }

    private static float plainLoss(Losses.Loss kind, FloatBuffer y, FloatBuffer z, FloatBuffer dy) {
        return switch (kind) {
            case SQUARED_ERROR -> Losses.squaredError(y, z, dy);
            case ABSOLUTE_ERROR -> Losses.absoluteError(y, z, dy);
            case HUBER_LOSS -> Losses.huberLoss(y, z, 0.5f, dy);
            case SIGMOID_CROSS_ENTROPY -> Losses.sigmoidCrossEntropy(y, z, dy);
        };
    }

    @Test
    void rowsHaveWeights() {
        FloatBuffer outputs = Buffers.floats(0, 3);
        FloatBuffer targets = Buffers.floats(0, 1);
        FloatBuffer plain = Buffers.floats(2);
        FloatBuffer gradient = Buffers.floats(2);
        for (Losses.Loss kind : Losses.Loss.values()) {
            assertEquals(plainLoss(kind, outputs, targets, plain),
                Losses.weightedLoss(kind, outputs, targets, Buffers.floats(1, 1), 0.5f, gradient), 1e-6);
            for (int row = 0; row < 2; row++) {
                assertEquals(plain.get(row), gradient.get(row), 1e-6, kind + " " + row);
            }
        }
        Losses.Loss kind = Losses.Loss.ABSOLUTE_ERROR;
        assertEquals(4, Losses.weightedLoss(kind, outputs, targets, Buffers.floats(0, 2), 0, gradient));
        assertEquals(Buffers.floats(0, 2), gradient);
        assertThrows(IllegalArgumentException.class,
            () -> Losses.weightedLoss(kind, outputs, targets, Buffers.floats(3), 0, null));
    }

    @Test
    void lossScalesFollowTheGradients() {
        LossScale scale = new LossScale(8, 2, 2, 0.5f);
        for (int window = 0; window < 4; window++) {
            scale.update(window < 3);
            assertEquals(List.of(8f, 16f, 16f, 8f).get(window), scale.value());
        }
    }
}
