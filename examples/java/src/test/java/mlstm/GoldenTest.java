// SPDX-License-Identifier: MIT
package mlstm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Trains the 20 golden windows and compares every loss. */
class GoldenTest {
    private static final int T = 15;
    private static final int B = 5;
    private static final int H = 4;
    private static final int O = 2;

    /** The values of every record of a golden file, as text, by path. */
    private static Map<String, String[]> readGolden() throws IOException {
        Iterator<String> lines = Files.readAllLines(Path.of(System.getenv("MLSTM_GOLDEN"))).iterator();
        Map<String, String[]> records = new HashMap<>();
        while (lines.hasNext()) {
            String[] words = lines.next().split(" ", 3);
            String values = words[0].equals("T") ? lines.next() : words[2];
            records.put(words[1], values.split(" "));
        }
        return records;
    }

    private static FloatBuffer floats(String[] words) {
        FloatBuffer values = Buffers.floats(words.length);
        for (String word : words) {
            values.put(Float.parseFloat(word));
        }
        return values.rewind();
    }

    @Test
    void lossesAreThoseOfTheGoldenFile() throws IOException {
        Map<String, String[]> golden = readGolden();
        Stack stack = new Stack(new Cell(1, H), new Cell(H, H), new Cell(H, H));
        stack.setReadout(O, Stack.Readout.BOTH);
        Map.of("layer0.kernel", "kernel_0", "layer1.kernel", "kernel_1", "layer2.kernel", "kernel_2",
            "layer0.bias", "bias_0", "layer1.bias", "bias_1", "layer2.bias", "bias_2",
            "readout.kernel_c", "W1", "readout.kernel_h", "W2", "readout.bias", "b2")
            .forEach((name, record) ->
                stack.setParam(name, floats(golden.get("initial_params/" + record))));
        State state = new State(stack, B, T);
        Grads grads = new Grads(stack);
        Optimizer adagrad = Optimizer.adagrad(stack, 0.3f, 0.1f);

        FloatBuffer x = Buffers.floats(T * B);
        IntBuffer y = Buffers.ints(T * B);
        FloatBuffer logits = Buffers.floats(T * B * O);
        FloatBuffer dlogits = Buffers.floats(T * B * O);
        for (int window = 0; window < 20; window++) {
            String path = "windows/" + window + "/";
            for (int i = 0; i < T * B; i++) { // from [B,T] to [T,B]
                int place = i % B * T + i / B;
                x.put(i, Float.parseFloat(golden.get(path + "x")[place]));
                y.put(i, Integer.parseInt(golden.get(path + "y")[place]));
            }
            state.beginWindow();
            stack.forward(state, x, logits);
            float loss = Losses.softmaxCrossEntropy(logits, y, null, dlogits);
            grads.zero();
            stack.backward(state, dlogits, grads);
            adagrad.apply(stack, grads);
            assertEquals(Float.parseFloat(golden.get(path + "loss")[0]), loss, 5e-6f, path);
        }
    }
}
