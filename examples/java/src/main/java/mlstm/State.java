// SPDX-License-Identifier: MIT
package mlstm;

import static java.lang.ref.Reference.reachabilityFence;
import static mlstm.LibMlstm.check;
import static mlstm.LibMlstm.slice;
import static mlstm.LibMlstm.sliceOfRows;
import static mlstm.LibMlstm.sliceOrNull;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import mlstm.LibMlstm.Size;

/** c and h of every layer, and the recorded window. */
public final class State extends Handle {
    private final List<Widths> layers;
    final Widths top;

    /** A state of 0 for batch rows that records up to window steps; 0 is for inference. */
    public State(Stack stack, int batch, int window) {
        super(out -> LibMlstm.mlstm_state_create(stack.pointer(), batch, window, out),
            LibMlstm::mlstm_state_destroy);
        layers = IntStream.range(0, stack.layerCount())
            .mapToObj(layer -> Widths.ofState(stack, layer)).toList();
        top = Widths.ofTop(stack);
    }

    public void setThreads(int threads) {
        check(LibMlstm.mlstm_state_set_threads(pointer(), threads), this);
    }

    public int threads() {
        int threads = LibMlstm.mlstm_state_threads(pointer());
        reachabilityFence(this);
        return threads;
    }

    /** Sets c and h to 0 and begins a window. */
    public void zero() {
        check(LibMlstm.mlstm_state_zero(pointer()), this);
    }

    /** As zero(), but layers with a learned state begin with theirs. */
    public void beginSequence(Stack stack) {
        check(LibMlstm.mlstm_state_begin_sequence(stack.pointer(), pointer()), stack, this);
    }

    /** Keeps c and h, forgets the recorded steps. */
    public void beginWindow() {
        check(LibMlstm.mlstm_state_begin_window(pointer()), this);
    }

    /** Begins a window whose first steps are the last ones that were recorded. */
    public void keepSteps(int steps) {
        check(LibMlstm.mlstm_state_keep_steps(pointer(), steps), this);
    }

    /** How many steps each row still has, [B]; null for no end. */
    public void setLengths(IntBuffer lengths) {
        int count = lengths == null ? 0 : lengths.remaining();
        if (lengths != null) {
            LibMlstm.checkBuffer("lengths", lengths, count);
        }
        check(LibMlstm.mlstm_state_set_lengths(pointer(), lengths == null ? null : lengths.slice(),
            new Size(count)), this);
    }

    /** Turns dropout and zoneout at random on, with a seed, or off; begins a window. */
    public void setTraining(boolean training, long seed) {
        check(LibMlstm.mlstm_state_set_training(pointer(), training ? 1 : 0, seed), this);
    }

    public boolean training() {
        boolean training = LibMlstm.mlstm_state_training(pointer()) != 0;
        reachabilityFence(this);
        return training;
    }

    /** How many numbers the state tensor [L,2,B,H] has. */
    public long size() {
        long size = LibMlstm.mlstm_state_size(pointer()).longValue();
        reachabilityFence(this);
        return size;
    }

    public int batch() {
        int batch = LibMlstm.mlstm_state_batch(pointer());
        reachabilityFence(this);
        return batch;
    }

    /** Steps that a window can record. */
    public int window() {
        int window = LibMlstm.mlstm_state_window(pointer());
        reachabilityFence(this);
        return window;
    }

    /** Steps recorded since the window began. */
    public int steps() {
        int steps = LibMlstm.mlstm_state_steps(pointer());
        reachabilityFence(this);
        return steps;
    }

    /** Bytes that the state holds. */
    public long bytes() {
        long bytes = LibMlstm.mlstm_state_bytes(pointer()).longValue();
        reachabilityFence(this);
        return bytes;
    }

    public void get(FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_state_get(pointer(), slice, new Size(slice.limit())), this);
    }

    public void set(FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_state_set(pointer(), slice, new Size(slice.limit())), this);
    }

    /**
     * Copies c [B,H] and h [B,P] of a layer out, [2,B,H] and [2,B,P] of a bidirectional one; either may
     * be null.
     */
    public void getLayer(int layer, FloatBuffer c, FloatBuffer h) {
        check(LibMlstm.mlstm_state_get_layer(pointer(), layer, ofLayer("c", c, layer, Widths::c),
            ofLayer("h", h, layer, Widths::h)), this);
    }

    /** Replaces c and h of a layer, as getLayer gives them, and begins a window; null leaves a half. */
    public void setLayer(int layer, FloatBuffer c, FloatBuffer h) {
        check(LibMlstm.mlstm_state_set_layer(pointer(), layer, ofLayer("c", c, layer, Widths::c),
            ofLayer("h", h, layer, Widths::h)), this);
    }

    /** Of a layer that is not there nothing, as the library has the sentence for it. */
    private FloatBuffer ofLayer(String name, FloatBuffer values, int layer,
            ToIntFunction<Widths> width) {
        if (layer < 0 || layer >= layers.size()) {
            return null;
        }
        return sliceOrNull(name, values, (long) batch() * width.applyAsInt(layers.get(layer)));
    }

    /** Copies c [T,B,C] and h [T,B,D] of the top layer out, of every recorded step; either may be null. */
    public void getTop(FloatBuffer c, FloatBuffer h) {
        long rows = (long) steps() * batch();
        check(LibMlstm.mlstm_state_get_top(pointer(), sliceOfRows("c", c, rows, top.c()),
            sliceOfRows("h", h, rows, top.h())), this);
    }

    /** Gives the gradient of the loss beyond this window, [L,2,B,H]; null for none. */
    public void setFinalGrad(FloatBuffer values) {
        FloatBuffer slice = values == null ? null : slice("values", values);
        Size count = new Size(slice == null ? 0 : slice.limit());
        check(LibMlstm.mlstm_state_set_final_grad(pointer(), slice, count), this);
    }

    /** The gradient of the state at the beginning of the window, as the last backward pass found it. */
    public void getInitialGrad(FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_state_get_initial_grad(pointer(), slice, new Size(slice.limit())), this);
    }

    /** As apply() of the optimizer, on the threads of this state. */
    public void apply(Optimizer optimizer, Stack stack, Grads grads) {
        check(LibMlstm.mlstm_state_apply_grads(pointer(), optimizer.pointer(), stack.pointer(),
            grads.pointer()), this, optimizer, stack, grads);
    }
}
