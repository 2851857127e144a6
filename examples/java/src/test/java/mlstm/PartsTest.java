// SPDX-License-Identifier: MIT
package mlstm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import mlstm.MlstmException.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What stacks, states, gradients and optimizers say of themselves, and passes in parts. */
class PartsTest {
    private static final int STEPS = 3;
    private static final int ROWS = 2;
    private final FloatBuffer x = Buffers.floats(STEPS * ROWS * 2);

    PartsTest() {
        for (int i = 0; i < x.limit(); i++) {
            x.put(i, i % 5 / 5f - 0.4f);
        }
    }

    private static void assertRefused(Status status, Executable call) {
        assertEquals(status, assertThrows(MlstmException.class, call).status());
    }

    private static void assertUnfit(Executable call) {
        assertThrows(IllegalArgumentException.class, call);
    }

    private static void assertNear(FloatBuffer expected, FloatBuffer got) {
        for (int i = 0; i < got.limit(); i++) {
            assertEquals(expected.get(i), got.get(i), 1e-6);
        }
    }

    /** 0 but where it is 1. */
    private static FloatBuffer ones(int length, int from, int to) {
        FloatBuffer values = Buffers.floats(length);
        for (int i = from; i < to; i++) {
            values.put(i, 1);
        }
        return values;
    }

    /** Two layers without a readout, so that y is h of the top one. */
    private static Stack newStack() {
        Stack stack = new Stack(new Cell(2, 4), new Cell(4, 3));
        stack.init(Stack.Initializer.GLOROT_UNIFORM, 1);
        return stack;
    }

    /** A state that has read x; fills y. */
    private State read(Stack stack, FloatBuffer y) {
        State state = new State(stack, ROWS, STEPS);
        stack.forward(state, x, y);
        return state;
    }

    @Test
    void handlesDescribeThemselves() {
        assertTrue(List.of("avx512", "avx2", "neon", "portable").contains(Mlstm.isa()), Mlstm.isa());
        Stack stack = newStack();
        stack.setReadout(5, Stack.Readout.H);
        assertEquals(2, stack.layerCount());
        assertEquals(List.of(
            new Param("layer0.kernel", List.of(6, 16)), new Param("layer0.bias", List.of(16)),
            new Param("layer1.kernel", List.of(7, 12)), new Param("layer1.bias", List.of(12)),
            new Param("readout.kernel_h", List.of(3, 5)), new Param("readout.bias", List.of(5))),
            stack.params());
        State state = new State(stack, ROWS, STEPS);
        state.setThreads(2);
        assertEquals(List.of(STEPS, 2), List.of(state.window(), state.threads()));
        assertTrue(state.bytes() > 4 * state.size());
    }

    @Test
    void stepsAreAWindow() {
        Stack stack = newStack();
        FloatBuffer expected = Buffers.floats(18);
        FloatBuffer y = Buffers.floats(18);
        State window = read(stack, expected);
        State state = new State(stack, ROWS, STEPS);
        for (int step = 0; step < STEPS; step++) {
            stack.stepForward(state, x.slice(4 * step, 4), y.slice(6 * step, 6));
        }
        assertEquals(expected, y);
        assertUnfit(() -> stack.stepForward(state, Buffers.floats(3), null));

        FloatBuffer c = Buffers.floats(18);
        FloatBuffer h = Buffers.floats(18);
        FloatBuffer lastC = Buffers.floats(6);
        FloatBuffer lastH = Buffers.floats(6);
        window.getTop(c, h);
        assertEquals(expected, h);
        assertUnfit(() -> window.getTop(null, Buffers.floats(3)));
        window.getLayer(1, lastC, lastH);
        assertEquals(List.of(c.slice(12, 6), h.slice(12, 6)), List.of(lastC, lastH));

        state.setLayer(1, ones(6, 0, 6), null);
        state.getLayer(1, lastC, lastH);
        assertEquals(List.of(ones(6, 0, 6), h.slice(12, 6)), List.of(lastC, lastH));
        assertUnfit(() -> state.setLayer(1, null, Buffers.floats(4)));
        assertRefused(Status.INVALID_ARGUMENT, () -> state.getLayer(2, null, Buffers.floats(4)));
        state.zero();
        assertRefused(Status.ORDER, () -> state.getTop(c, h));
    }

    /** The layers of two directions and the projection are as wide as stack.h says. */
    @Test
    void directionsAreSideBySide() {
        for (Options.Merge merge : List.of(Options.Merge.CONCAT, Options.Merge.SUM)) {
            int width = merge == Options.Merge.CONCAT ? 2 : 1;
            Cell cell = new Cell(2, 4);
            Options options = cell.options();
            options.projection = 3;
            options.bidirectional = merge;
            cell.setOptions(options);
            Stack stack = new Stack(cell);
            stack.init(Stack.Initializer.GLOROT_UNIFORM, 1);
            FloatBuffer y = Buffers.floats(18 * width);
            State state = read(stack, y);
            FloatBuffer topH = Buffers.floats(18 * width);
            state.getTop(Buffers.floats(24 * width), topH);
            assertEquals(y, topH);
            FloatBuffer values = Buffers.floats((int) state.size());
            FloatBuffer c = Buffers.floats(2 * 8);
            FloatBuffer h = Buffers.floats(2 * 6);
            state.get(values);
            state.getLayer(0, c, h);
            assertEquals(values.slice(0, 8), c.slice(0, 8));
            assertEquals(values.slice(8 + 6 + 8, 6), h.slice(6, 6));
        }
    }

    @Test
    void gradientsComeInAndLeaveEverywhere() {
        Stack stack = newStack();
        State state = read(stack, null);
        FloatBuffer last = ones(18, 12, 18); // of the last step
        FloatBuffer expected = Buffers.floats(12);
        FloatBuffer dx = Buffers.floats(12);
        stack.backward(state, last, null, null, expected, null);
        assertTrue(Math.abs(expected.get(11)) > 1e-4);
        stack.backward(state, null, last, null, dx, null);
        assertNear(expected, dx);

        FloatBuffer ofC = Buffers.floats(12);
        stack.backward(state, null, null, last, ofC, null);
        assertNotEquals(expected, ofC);
        state.setFinalGrad(ones((int) state.size(), 16, 22)); // of c of the upper layer
        stack.backward(state, null, null, null, dx, null);
        assertNear(ofC, dx);
        FloatBuffer initial = Buffers.floats((int) state.size());
        state.getInitialGrad(initial);
        for (int i = 0; i < 16; i++) { // c and h of the lower layer
            assertNotEquals(0, initial.get(i));
        }
        state.setFinalGrad(null);
        stack.backward(state, null, null, null, dx, null);
        assertNear(Buffers.floats(12), dx);

        FloatBuffer none = Buffers.floats(3);
        assertUnfit(() -> stack.backward(state, null, none, null, null, null));
        assertUnfit(() -> stack.backward(state, null, null, none, null, null));
        assertUnfit(() -> stack.backward(state, null, null, null, none, null));
        assertRefused(Status.MISMATCH, () -> state.setFinalGrad(none));
    }

    @Test
    void gradientsCanBeSet() {
        Grads grads = new Grads(newStack());
        FloatBuffer bias = Buffers.floats(12).put(0, 3).put(1, 4);
        grads.set("layer1.bias", bias);
        assertEquals(5, grads.norm());
        grads.data(data -> {
            for (int i = 0; i < data.limit(); i++) {
                data.put(i, 2 * data.get(i));
            }
        });
        grads.get("layer1.bias", bias);
        assertEquals(Buffers.floats(6, 8, 0), bias.slice(0, 3));
        assertRefused(Status.MISMATCH, () -> grads.set("layer1.bias", Buffers.floats(3)));
    }

    /** Every parameter after one update. */
    private List<FloatBuffer> updateOnce(boolean onThreads) {
        Stack stack = newStack();
        FloatBuffer y = Buffers.floats(18);
        State state = read(stack, y);
        Grads grads = new Grads(stack);
        Optimizer optimizer = Optimizer.adamw(stack, 0.5f, 0.9f, 0.999f, 1e-8f, 0.25f);
        state.setThreads(2);
        stack.backward(state, y, grads);
        if (onThreads) {
            state.apply(optimizer, stack, grads);
        } else {
            optimizer.apply(stack, grads);
        }
        return stack.params().stream().map(param -> {
            FloatBuffer values = Buffers.floats(param.shape().stream().reduce(1, (a, b) -> a * b));
            stack.getParam(param.name(), values);
            return values;
        }).toList();
    }

    @Test
    void updatesOnThreadsAreTheSame() {
        assertEquals(updateOnce(false), updateOnce(true));
    }

    @Test
    void optimizersCanBeRead() {
        Optimizer optimizer = Optimizer.adamw(newStack(), 0.5f, 0.9f, 0.999f, 1e-8f, 0.25f);
        optimizer.setWeightDecay("layer1.bias", 0);
        optimizer.setFrozen("layer1.bias", true);
        optimizer.setRate(0.125f);
        assertEquals(0.125f, optimizer.rate());
        Map.of("layer0.bias", 0.25f, "layer1.bias", 0f, "layer9.bias", 0f).forEach((name, decay) -> {
            assertEquals(name.equals("layer1.bias"), optimizer.frozen(name), name);
            assertEquals(decay, optimizer.weightDecay(name), name);
        });
        assertEquals(List.of("exp_avg", "exp_avg_sq"), optimizer.slots());
        FloatBuffer values = Buffers.floats(12);
        optimizer.setSlot("exp_avg_sq", "layer1.bias", ones(12, 0, 12));
        optimizer.getSlot("exp_avg_sq", "layer1.bias", values);
        assertEquals(ones(12, 0, 12), values);
        optimizer.getSlot("exp_avg", "layer1.bias", values);
        assertEquals(Buffers.floats(12), values);
        assertRefused(Status.NOT_FOUND, () -> optimizer.getSlot("momentum", "layer1.bias", values));
    }
}
