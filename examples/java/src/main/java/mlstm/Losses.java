// SPDX-License-Identifier: MIT
package mlstm;

import static mlstm.LibMlstm.slice;
import static mlstm.LibMlstm.sliceOrNull;

import com.sun.jna.ptr.FloatByReference;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import mlstm.LibMlstm.Size;

/** Losses on y, their gradients, and softmax alone. */
public final class Losses {
    private Losses() {}

    /** Fills probabilities with the softmax of each row of logits [rows, classes]; both may be the same. */
    public static void softmax(FloatBuffer logits, int classes, FloatBuffer probabilities) {
        int length = logits.remaining();
        int columns = Math.max(classes, 1);
        int rows = length / columns;
        LibMlstm.check(LibMlstm.mlstm_softmax(slice("logits", logits, rows * columns), new Size(rows),
            classes, slice("probabilities", probabilities, length)));
    }

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

    /**
     * As softmaxCrossEntropy, with a weight for each row, where weights is not null, a label that is
     * ignored, and label smoothing.
     */
    public static float softmaxCrossEntropyWeighted(FloatBuffer logits, IntBuffer labels,
            FloatBuffer weights, int ignored, float smoothing, FloatBuffer probabilities,
            FloatBuffer dlogits) {
        int rows = labels.remaining();
        int length = logits.remaining();
        int classes = length / Math.max(rows, 1);
        LibMlstm.checkBuffer("labels", labels, rows);
        FloatByReference loss = new FloatByReference();
        LibMlstm.check(LibMlstm.mlstm_softmax_cross_entropy_weighted(slice("logits", logits, rows * classes),
            labels.slice(), sliceOrNull("weights", weights, rows), new Size(rows), classes, ignored,
            smoothing, sliceOrNull("probabilities", probabilities, length),
            sliceOrNull("dlogits", dlogits, length), loss));
        return loss.getValue();
    }

    /**
     * The loss averaged over logits and targets of one length; fills dlogits, its gradient, where that is
     * not null. So do the following.
     */
    public static float sigmoidCrossEntropy(FloatBuffer logits, FloatBuffer targets, FloatBuffer dlogits) {
        return compare(LibMlstm::mlstm_sigmoid_cross_entropy, logits, targets, dlogits);
    }

    public static float absoluteError(FloatBuffer outputs, FloatBuffer targets, FloatBuffer doutputs) {
        return compare(LibMlstm::mlstm_absolute_error, outputs, targets, doutputs);
    }

    public static float huberLoss(FloatBuffer outputs, FloatBuffer targets, float delta,
            FloatBuffer doutputs) {
        return compare((y, z, count, dy, loss) -> LibMlstm.mlstm_huber_loss(y, z, count, delta, dy, loss),
            outputs, targets, doutputs);
    }

    public static float squaredError(FloatBuffer outputs, FloatBuffer targets, FloatBuffer doutputs) {
        return compare(LibMlstm::mlstm_squared_error, outputs, targets, doutputs);
    }

    /** The four above, for weightedLoss. */
    public enum Loss { SQUARED_ERROR, ABSOLUTE_ERROR, HUBER_LOSS, SIGMOID_CROSS_ENTROPY }

    /**
     * One of the losses above with a weight for each row of outputs and targets; delta is that of
     * HUBER_LOSS.
     */
    public static float weightedLoss(Loss kind, FloatBuffer outputs, FloatBuffer targets,
            FloatBuffer weights, float delta, FloatBuffer doutputs) {
        int rows = weights.remaining();
        int columns = outputs.remaining() / Math.max(rows, 1);
        LibMlstm.checkBuffer("outputs", outputs, rows * columns);
        FloatBuffer w = slice("weights", weights);
        return compare((y, z, count, dy, loss) -> LibMlstm.mlstm_weighted_loss(kind.ordinal(), y, z, w,
            new Size(rows), columns, delta, dy, loss), outputs, targets, doutputs);
    }

    private interface Comparison {
        int call(FloatBuffer outputs, FloatBuffer targets, Size count, FloatBuffer doutputs,
            FloatByReference loss);
    }

    private static float compare(Comparison function, FloatBuffer outputs, FloatBuffer targets,
            FloatBuffer doutputs) {
        int count = outputs.remaining();
        FloatByReference loss = new FloatByReference();
        LibMlstm.check(function.call(slice("outputs", outputs), slice("targets", targets, count),
            new Size(count), sliceOrNull("the gradient", doutputs, count), loss));
        return loss.getValue();
    }
}
