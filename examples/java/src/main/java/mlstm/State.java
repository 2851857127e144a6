// SPDX-License-Identifier: MIT
package mlstm;

import static java.lang.ref.Reference.reachabilityFence;
import static mlstm.LibMlstm.check;
import static mlstm.LibMlstm.slice;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import mlstm.LibMlstm.Size;

/** c and h of every layer, and the recorded window. */
public final class State extends Handle {
    /** A state of 0 for batch rows that records up to window steps; 0 is for inference. */
    public State(Stack stack, int batch, int window) {
        super(out -> LibMlstm.mlstm_state_create(stack.pointer(), batch, window, out),
            LibMlstm::mlstm_state_destroy);
    }

    public void setThreads(int threads) {
        check(LibMlstm.mlstm_state_set_threads(pointer(), threads), this);
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

    /** Steps recorded since the window began. */
    public int steps() {
        int steps = LibMlstm.mlstm_state_steps(pointer());
        reachabilityFence(this);
        return steps;
    }

    public void get(FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_state_get(pointer(), slice, new Size(slice.limit())), this);
    }

    public void set(FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_state_set(pointer(), slice, new Size(slice.limit())), this);
    }
}
