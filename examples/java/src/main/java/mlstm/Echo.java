// SPDX-License-Identifier: MIT
package mlstm;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.SplittableRandom;

/**
 * The echo task: three LSTM layers read random bits and learn to say each of them again three steps
 * later. With the same seed it prints what examples/echo.c prints.
 */
public final class Echo {
    private static final int NUM_EPOCHS = 100;
    private static final int TOTAL_SERIES_LENGTH = 50000;
    private static final int TRUNCATED_BACKPROP_LENGTH = 15;
    private static final int STATE_SIZE = 4;
    private static final int NUM_CLASSES = 2;
    private static final int ECHO_STEP = 3;
    private static final int BATCH_SIZE = 5;
    private static final int NUM_LAYERS = 3;
    private static final int COLUMNS = TOTAL_SERIES_LENGTH / BATCH_SIZE;
    private static final int NUM_BATCHES = COLUMNS / TRUNCATED_BACKPROP_LENGTH;
    private static final int SEED = 1;

    private Echo() {}

    /** x [columns,B] is a series of bits cut into B rows, y the same bits ECHO_STEP later. */
    private static void generateData(SplittableRandom generator, FloatBuffer x, IntBuffer y) {
        int[] series = new int[TOTAL_SERIES_LENGTH];
        long bits = 0;
        for (int i = 0; i < TOTAL_SERIES_LENGTH; i++) {
            bits = i % 64 == 0 ? generator.nextLong() : bits >>> 1;
            series[i] = (int) (bits & 1);
            int place = i % COLUMNS * BATCH_SIZE + i / COLUMNS;
            x.put(place, series[i]);
            y.put(place, i < ECHO_STEP ? 0 : series[i - ECHO_STEP]);
        }
    }

    private static Stack createStack() {
        Cell[] cells = new Cell[NUM_LAYERS];
        for (int layer = 0; layer < NUM_LAYERS; layer++) {
            cells[layer] = new Cell(layer == 0 ? 1 : STATE_SIZE, STATE_SIZE);
        }
        Stack stack = new Stack(cells);
        stack.setReadout(NUM_CLASSES, Stack.Readout.BOTH);
        stack.init(Stack.Initializer.GLOROT_UNIFORM, SEED);
        stack.initParam("readout.kernel_c", Stack.Initializer.UNIFORM, 0, 1, SEED);
        stack.initParam("readout.kernel_h", Stack.Initializer.UNIFORM, 0, 1, SEED);
        return stack;
    }

    public static void main(String[] arguments) {
        int numEpochs = arguments.length > 0 ? Integer.parseInt(arguments[0]) : NUM_EPOCHS;
        int window = TRUNCATED_BACKPROP_LENGTH * BATCH_SIZE;
        SplittableRandom generator = new SplittableRandom(SEED);
        FloatBuffer x = Buffers.floats(TOTAL_SERIES_LENGTH);
        IntBuffer y = Buffers.ints(TOTAL_SERIES_LENGTH);
        FloatBuffer logits = Buffers.floats(window * NUM_CLASSES);
        FloatBuffer dlogits = Buffers.floats(window * NUM_CLASSES);

        try (Stack stack = createStack();
                State state = new State(stack, BATCH_SIZE, TRUNCATED_BACKPROP_LENGTH);
                Grads grads = new Grads(stack);
                Optimizer adagrad = Optimizer.adagrad(stack, 0.3f, 0.1f)) {
            for (int epoch = 0; epoch < numEpochs; epoch++) {
                generateData(generator, x, y);
                state.zero();
                System.out.println("New data, epoch " + epoch);

                for (int step = 0; step < NUM_BATCHES; step++) {
                    FloatBuffer batchX = x.slice(step * window, window);
                    IntBuffer batchY = y.slice(step * window, window);
                    state.beginWindow();
                    stack.forward(state, batchX, logits);
                    float loss = Losses.softmaxCrossEntropy(logits, batchY, null, dlogits);
                    grads.zero();
                    stack.backward(state, dlogits, grads);
                    adagrad.apply(stack, grads);
                    if (step % 100 == 0) {
                        System.out.println("Step " + step + " Batch loss " + loss);
                    }
                }
            }
        }
    }
}
