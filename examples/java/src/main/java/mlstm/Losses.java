// SPDX-License-Identifier: MIT
package mlstm;

import static mlstm.LibMlstm.slice;
import static mlstm.LibMlstm.sliceOrNull;

import com.sun.jna.ptr.FloatByReference;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import mlstm.LibMlstm.Size;

/** Losses on y, and their gradients. */
public final class Losses {
    private Losses() {}

    /**
     * The loss averaged over the rows of logits [rows, classes], with a label for each; fills
     * probabilities and dlogits, its gradient, where they are not null.
     */
    public static float softmaxCrossEntropy(FloatBuffer logits, IntBuffer labels, FloatBuffer probabilities,
            FloatBuffer dlogits) {
        int rows = labels.remaining();
        int length = logits.remaining();
        int classes = length / Math.max(rows, 1);
        LibMlstm.checkBuffer("labels", labels, rows);
        FloatByReference loss = new FloatByReference();
        LibMlstm.check(LibMlstm.mlstm_softmax_cross_entropy(slice("logits", logits, rows * classes),
            labels.slice(), new Size(rows), classes, sliceOrNull("probabilities", probabilities, length),
            sliceOrNull("dlogits", dlogits, length), loss));
        return loss.getValue();
    }
}
