// SPDX-License-Identifier: MIT
package mlstm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import mlstm.MlstmException.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What the handles promise: sentences, lengths, one end, threads, memory. */
class HandleTest {
    private static Stack newStack() {
        Stack stack = new Stack(new Cell(3, 16), new Cell(16, 16));
        stack.setReadout(2, Stack.Readout.H);
        stack.init(Stack.Initializer.GLOROT_UNIFORM, 1);
        return stack;
    }

    private static void assertRefused(Status status, String words, Executable call) {
        MlstmException error = assertThrows(MlstmException.class, call);
        assertEquals(status, error.status());
        assertTrue(error.getMessage().contains(words), error.getMessage());
    }

    @Test
    void theLibraryHasAVersion() {
        int number = Mlstm.versionNumber();
        assertEquals(number / 10000 + "." + number / 100 % 100 + "." + number % 100, Mlstm.version());
    }

    @Test
    void errorsCarryTheSentenceOfTheLibrary() {
        assertRefused(Status.INVALID_ARGUMENT, "input_size must be at least 1, got 0",
            () -> new Cell(0, 4));
        assertRefused(Status.INVALID_ARGUMENT, "count", () -> new Stack());
        assertRefused(Status.MISMATCH, "5", () -> new Stack(new Cell(1, 4), new Cell(5, 4)));
        Cell cell = new Cell(4, 4);
        assertRefused(Status.OWNED, "1", () -> new Stack(cell, cell));
        Stack stack = newStack();
        assertRefused(Status.NOT_FOUND, "layer9.bias",
            () -> stack.setParam("layer9.bias", Buffers.floats(1)));
        State another = new State(newStack(), 1, 1);
        assertRefused(Status.MISMATCH, "", () -> stack.forward(another, Buffers.floats(3), null));
        assertRefused(Status.ORDER, "",
            () -> stack.backward(new State(stack, 1, 1), Buffers.floats(2), new Grads(stack)));
    }

    @Test
    void buffersThatCannotBePassedAreRefused() {
        Stack stack = newStack();
        State state = new State(stack, 2, 4);
        Grads grads = new Grads(stack);
        FloatBuffer x = Buffers.floats(6);
        Class<IllegalArgumentException> refused = IllegalArgumentException.class;
        assertEquals("x must have 6 numbers, got 7",
            assertThrows(refused, () -> stack.forward(state, Buffers.floats(7), null)).getMessage());
        assertThrows(refused, () -> stack.forward(state, FloatBuffer.allocate(6), null));
        assertThrows(refused, () -> stack.forward(state, x, Buffers.floats(3)));
        stack.forward(state, x, null);
        assertThrows(refused, () -> stack.backward(state, Buffers.floats(5), grads));
        stack.backward(state, Buffers.floats(4), grads);
    }

    @Test
    void buffersBeginAtTheirPosition() {
        Stack stack = new Stack(new Cell(1, 1));
        stack.setParam("layer0.bias", Buffers.floats(9, 1, 2, 3, 4).position(1));
        FloatBuffer bias = Buffers.floats(6);
        stack.getParam("layer0.bias", bias.position(1).limit(5));
        assertEquals(Buffers.floats(0, 1, 2, 3, 4, 0), bias.clear());
    }

    @Test
    void aClosedHandleIsClosedOnceAndUsedNoMore() {
        Class<IllegalStateException> closed = IllegalStateException.class;
        Cell cell = new Cell(1, 1);
        Stack stack = new Stack(cell);
        assertThrows(closed, () -> cell.setForgetBias(1)); // the stack's now
        cell.close();
        assertThrows(closed, () -> new Stack(cell));
        State state = new State(stack, 1, 1);
        Grads grads = new Grads(stack);
        Optimizer sgd = Optimizer.sgd(stack, 0.1f, 0, false);
        stack.forward(state, Buffers.floats(1), null);
        for (int times = 0; times < 2; times++) {
            for (Handle handle : List.of(stack, state, grads, sgd)) {
                handle.close();
            }
            assertThrows(closed, stack::inputSize);
            assertThrows(closed, state::zero);
            assertThrows(closed, grads::zero);
            assertThrows(closed, () -> sgd.setRate(1));
        }
    }

    /** y of the last of many rounds, then the gradient of layer0.kernel. */
    private static List<FloatBuffer> run(Stack stack, int number) {
        int steps = 100;
        int rows = 10000 + number;
        FloatBuffer x = Buffers.floats(steps * 3);
        for (int i = 0; i < x.limit(); i++) {
            x.put(i, i % 7 - 3);
        }
        FloatBuffer y = Buffers.floats(steps * 2);
        FloatBuffer kernel = Buffers.floats(19 * 64);
        FloatBuffer logits = Buffers.floats(rows);
        IntBuffer labels = Buffers.ints(rows).put(rows - 1, 1);
        try (State state = new State(stack, 1, steps); Grads grads = new Grads(stack)) {
            for (int round = 0; round < 50; round++) {
                state.zero();
                stack.forward(state, x, y);
                assertRefused(Status.INVALID_ARGUMENT, "label of row " + (rows - 1) + " ",
                    () -> Losses.softmaxCrossEntropy(logits, labels, null, null));
            }
            stack.backward(state, y, grads);
            grads.get("layer0.kernel", kernel);
        }
        return List.of(y, kernel);
    }

    @Test
    void threadsShareAStack() throws Exception {
        Stack stack = newStack();
        List<FloatBuffer> alone = run(stack, 0);
        ExecutorService threads = Executors.newFixedThreadPool(8);
        List<Future<List<FloatBuffer>>> results = new ArrayList<>();
        for (int number = 1; number <= 32; number++) {
            int own = number;
            results.add(threads.submit(() -> run(stack, own)));
        }
        for (Future<List<FloatBuffer>> result : results) {
            assertEquals(alone, result.get());
        }
        threads.shutdown();
        stack.close();
    }

    /** Makes all kinds of handles many times, and closes them or leaves them to the collector. */
    private static void createMany(int times, boolean close) throws InterruptedException {
        for (int i = 0; i < times; i++) {
            Stack stack = newStack();
            List<Handle> handles = new ArrayList<>(List.of(stack, new State(stack, 1, 8),
                new Grads(stack), Optimizer.adagrad(stack, 1, 0.1f)));
            for (int j = 0; j < 20; j++) { // so small that the loss of one would not show
                handles.add(new Cell(1, 1));
            }
            if (close) {
                handles.forEach(Handle::close);
            } else if (i % 100 == 99) { // it does not know how much lies behind a handle
                System.gc();
                Thread.sleep(5);
            }
        }
    }

    private static long growth(boolean close) throws IOException, InterruptedException {
        createMany(10000, close); // by then the virtual machine has what it needs for itself
        long before = residentBytes();
        createMany(10000, close);
        return residentBytes() - before;
    }

    private static long residentBytes() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
    }

    @Test
    void closingFrees() throws IOException, InterruptedException {
        assertTrue(growth(true) < 12_000_000);
    }

    @Test
    void collectingFrees() throws IOException, InterruptedException {
        assertTrue(growth(false) < 24_000_000);
    }
}
