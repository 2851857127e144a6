// SPDX-License-Identifier: MIT
package mlstm;

import com.sun.jna.IntegerType;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.FloatByReference;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.lang.ref.Reference;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** The C functions, and what all calls of them share. */
final class LibMlstm {
    static {
        Native.register("mlstm");
    }

    private LibMlstm() {}

    /** size_t; public for JNA. */
    public static final class Size extends IntegerType {
        private static final long serialVersionUID = 1;

        public Size() {
            this(0);
        }

        public Size(long value) {
            super(Native.SIZE_T_SIZE, value, true);
        }
    }

    static native String mlstm_last_error();
    static native String mlstm_version();
    static native int mlstm_version_number();
    static native String mlstm_isa();

    static native int mlstm_cell_create(int inputSize, int hiddenSize, PointerByReference cell);
    static native void mlstm_cell_destroy(Pointer cell);
    static native int mlstm_cell_set_forget_bias(Pointer cell, float forgetBias);
    static native int mlstm_cell_set_biases(Pointer cell, int biases);
    static native int mlstm_cell_set_peepholes(Pointer cell, int peepholes);
    static native int mlstm_cell_set_projection(Pointer cell, int projection);
    static native int mlstm_cell_set_projection_clip(Pointer cell, float clip);
    static native int mlstm_cell_set_cell_clip(Pointer cell, float clip);
    static native int mlstm_cell_set_coupled(Pointer cell, int coupled);
    static native int mlstm_cell_set_norm(Pointer cell, int norm, float epsilon);
    static native int mlstm_cell_set_zoneout(Pointer cell, float cRate, float hRate);
    static native int mlstm_cell_set_dropout(Pointer cell, float rate, int mask);
    static native int mlstm_cell_set_recurrent_dropout(Pointer cell, float rate, int what, int mask);
    static native int mlstm_cell_set_skip(Pointer cell, int skip);
    static native int mlstm_cell_set_bidirectional(Pointer cell, int merge);
    static native int mlstm_cell_set_learned_state(Pointer cell, int learned);
    static native int mlstm_cell_input_size(Pointer cell);
    static native int mlstm_cell_hidden_size(Pointer cell);
    static native int mlstm_cell_recurrent_size(Pointer cell);
    static native int mlstm_cell_output_size(Pointer cell);
    static native int mlstm_cell_output_c_size(Pointer cell);
    static native float mlstm_cell_forget_bias(Pointer cell);
    static native int mlstm_cell_biases(Pointer cell);
    static native int mlstm_cell_peepholes(Pointer cell);
    static native int mlstm_cell_projection(Pointer cell);
    static native float mlstm_cell_projection_clip(Pointer cell);
    static native float mlstm_cell_cell_clip(Pointer cell);
    static native int mlstm_cell_coupled(Pointer cell);
    static native int mlstm_cell_norm(Pointer cell, FloatByReference epsilon);
    static native int mlstm_cell_zoneout(Pointer cell, FloatByReference cRate, FloatByReference hRate);
    static native float mlstm_cell_dropout(Pointer cell, IntByReference mask);
    static native float mlstm_cell_recurrent_dropout(Pointer cell, IntByReference what, IntByReference mask);
    static native int mlstm_cell_skip(Pointer cell);
    static native int mlstm_cell_bidirectional(Pointer cell);
    static native int mlstm_cell_learned_state(Pointer cell);

    static native int mlstm_stack_create(Pointer cells, int count, PointerByReference stack);
    static native void mlstm_stack_destroy(Pointer stack);
    static native int mlstm_stack_set_readout(Pointer stack, int outputs, int sources);
    static native int mlstm_stack_readout(Pointer stack);
    static native int mlstm_stack_layer_count(Pointer stack);
    static native Pointer mlstm_stack_cell(Pointer stack, int layer);
    static native int mlstm_stack_input_size(Pointer stack);
    static native int mlstm_stack_output_size(Pointer stack);
    static native int mlstm_stack_init(Pointer stack, int initializer, long seed);
    static native int mlstm_stack_init_param(Pointer stack, String name, int initializer, float a, float b, long seed);
    static native int mlstm_stack_param_count(Pointer stack);
    static native int mlstm_stack_param_info(Pointer stack, int index, PointerByReference name,
        IntByReference rank, int[] shape);
    static native int mlstm_stack_get_param(Pointer stack, String name, FloatBuffer values, Size count);
    static native int mlstm_stack_set_param(Pointer stack, String name, FloatBuffer values, Size count);

    static native int mlstm_state_create(Pointer stack, int batch, int window, PointerByReference state);
    static native void mlstm_state_destroy(Pointer state);
    static native int mlstm_state_set_threads(Pointer state, int threads);
    static native int mlstm_state_threads(Pointer state);
    static native int mlstm_state_zero(Pointer state);
    static native int mlstm_state_begin_sequence(Pointer stack, Pointer state);
    static native int mlstm_state_begin_window(Pointer state);
    static native int mlstm_state_keep_steps(Pointer state, int steps);
    static native int mlstm_state_set_lengths(Pointer state, IntBuffer lengths, Size count);
    static native int mlstm_state_set_training(Pointer state, int training, long seed);
    static native int mlstm_state_training(Pointer state);
    static native Size mlstm_state_size(Pointer state);
    static native int mlstm_state_batch(Pointer state);
    static native int mlstm_state_window(Pointer state);
    static native int mlstm_state_steps(Pointer state);
    static native Size mlstm_state_bytes(Pointer state);
    static native int mlstm_state_get(Pointer state, FloatBuffer values, Size count);
    static native int mlstm_state_set(Pointer state, FloatBuffer values, Size count);
    static native int mlstm_state_get_layer(Pointer state, int layer, FloatBuffer c, FloatBuffer h);
    static native int mlstm_state_set_layer(Pointer state, int layer, FloatBuffer c, FloatBuffer h);
    static native int mlstm_state_get_top(Pointer state, FloatBuffer c, FloatBuffer h);
    static native int mlstm_state_set_final_grad(Pointer state, FloatBuffer values, Size count);
    static native int mlstm_state_get_initial_grad(Pointer state, FloatBuffer values, Size count);

    static native int mlstm_step_forward(Pointer stack, Pointer state, FloatBuffer x, FloatBuffer y);
    static native int mlstm_forward(Pointer stack, Pointer state, FloatBuffer x, int steps, FloatBuffer y);
    static native int mlstm_backward(Pointer stack, Pointer state, FloatBuffer dy, FloatBuffer dhTop,
        FloatBuffer dcTop, FloatBuffer dx, Pointer grads);

    static native int mlstm_grads_create(Pointer stack, PointerByReference grads);
    static native void mlstm_grads_destroy(Pointer grads);
    static native int mlstm_grads_zero(Pointer grads);
    static native int mlstm_grads_scale(Pointer grads, float factor);
    static native int mlstm_grads_add(Pointer grads, Pointer other);
    static native int mlstm_grads_norm(Pointer grads, FloatByReference norm);
    static native int mlstm_grads_clip_norm(Pointer grads, float maxNorm, FloatByReference norm);
    static native int mlstm_grads_clip_param_norm(Pointer grads, float maxNorm);
    static native int mlstm_grads_clip_value(Pointer grads, float limit);
    static native int mlstm_grads_check(Pointer grads, PointerByReference name);
    static native int mlstm_grads_get(Pointer grads, String name, FloatBuffer values, Size count);
    static native int mlstm_grads_set(Pointer grads, String name, FloatBuffer values, Size count);
    static native int mlstm_grads_data(Pointer grads, PointerByReference data, LongByReference count);

    static native int mlstm_sgd_create(Pointer stack, float rate, float momentum, int nesterov,
        PointerByReference optimizer);
    static native int mlstm_adagrad_create(Pointer stack, float rate, float initialAccumulator,
        PointerByReference optimizer);
    static native int mlstm_rmsprop_create(Pointer stack, float rate, float decay, float momentum,
        float epsilon, int centered, PointerByReference optimizer);
    static native int mlstm_adam_create(Pointer stack, float rate, float beta1, float beta2, float epsilon,
        PointerByReference optimizer);
    static native int mlstm_adamw_create(Pointer stack, float rate, float beta1, float beta2, float epsilon,
        float weightDecay, PointerByReference optimizer);
    static native int mlstm_amsgrad_create(Pointer stack, float rate, float beta1, float beta2, float epsilon,
        PointerByReference optimizer);
    static native int mlstm_nadam_create(Pointer stack, float rate, float beta1, float beta2, float epsilon,
        float momentumDecay, PointerByReference optimizer);
    static native int mlstm_lion_create(Pointer stack, float rate, float beta1, float beta2,
        float weightDecay, PointerByReference optimizer);
    static native void mlstm_optimizer_destroy(Pointer optimizer);
    static native int mlstm_optimizer_set_rate(Pointer optimizer, float rate);
    static native float mlstm_optimizer_rate(Pointer optimizer);
    static native long mlstm_optimizer_step_count(Pointer optimizer);
    static native int mlstm_optimizer_set_step_count(Pointer optimizer, long count);
    static native int mlstm_optimizer_slot_count(Pointer optimizer);
    static native String mlstm_optimizer_slot_name(Pointer optimizer, int index);
    static native int mlstm_optimizer_get_slot(Pointer optimizer, String slot, String param,
        FloatBuffer values, Size count);
    static native int mlstm_optimizer_set_slot(Pointer optimizer, String slot, String param,
        FloatBuffer values, Size count);
    static native float mlstm_optimizer_weight_decay(Pointer optimizer, String param);
    static native int mlstm_optimizer_set_weight_decay(Pointer optimizer, String param, float decay);
    static native int mlstm_optimizer_frozen(Pointer optimizer, String param);
    static native int mlstm_optimizer_set_frozen(Pointer optimizer, String param, int frozen);
    static native int mlstm_apply_grads(Pointer optimizer, Pointer stack, Pointer grads);
    static native int mlstm_state_apply_grads(Pointer state, Pointer optimizer, Pointer stack,
        Pointer grads);

    static native int mlstm_softmax(FloatBuffer logits, Size rows, int classes, FloatBuffer probabilities);
    static native int mlstm_softmax_cross_entropy(FloatBuffer logits, IntBuffer labels, Size rows,
        int classes, FloatBuffer probabilities, FloatBuffer dlogits, FloatByReference loss);
    static native int mlstm_softmax_cross_entropy_weighted(FloatBuffer logits, IntBuffer labels,
        FloatBuffer weights, Size rows, int classes, int ignored, float smoothing, FloatBuffer probabilities,
        FloatBuffer dlogits, FloatByReference loss);
    static native int mlstm_sigmoid_cross_entropy(FloatBuffer outputs, FloatBuffer targets, Size count,
        FloatBuffer doutputs, FloatByReference loss);
    static native int mlstm_absolute_error(FloatBuffer outputs, FloatBuffer targets, Size count,
        FloatBuffer doutputs, FloatByReference loss);
    static native int mlstm_huber_loss(FloatBuffer outputs, FloatBuffer targets, Size count,
        float delta, FloatBuffer doutputs, FloatByReference loss);
    static native int mlstm_squared_error(FloatBuffer outputs, FloatBuffer targets, Size count,
        FloatBuffer doutputs, FloatByReference loss);
    static native int mlstm_weighted_loss(int kind, FloatBuffer outputs, FloatBuffer targets,
        FloatBuffer weights, Size rows, int columns, float delta, FloatBuffer doutputs,
        FloatByReference loss);

    static native float mlstm_schedule_step(float rate, long step, long period, float factor);
    static native float mlstm_schedule_exponential(float rate, long step, long period, float factor);
    static native float mlstm_schedule_cosine(float rate, long step, long steps, float alpha);
    static native float mlstm_schedule_warmup(float rate, long step, long steps, float start);
    static native float mlstm_schedule_loss_scale(float scale, int finite, long period, float growth,
        float backoff, LongByReference streak);

    /**
     * Throws what a call refused.
     *
     * @param used the handles that the call used, which must not be collected until it has returned
     */
    static void check(int status, Object... used) {
        Reference.reachabilityFence(used);
        if (status != 0) {
            throw new MlstmException(MlstmException.Status.values()[status], mlstm_last_error());
        }
    }

    /** Of a buffer C gets the address alone: it begins at the position, and its length is checked here. */
    static FloatBuffer slice(String name, FloatBuffer values, long length) {
        checkBuffer(name, values, length);
        return values.slice();
    }

    static FloatBuffer slice(String name, FloatBuffer values) {
        return slice(name, values, values.remaining());
    }

    static FloatBuffer sliceOrNull(String name, FloatBuffer values, long length) {
        return values == null ? null : slice(name, values, length);
    }

    /** Of recorded rows; where there are none, the library has the sentence. */
    static FloatBuffer sliceOfRows(String name, FloatBuffer values, long rows, int width) {
        return rows == 0 ? null : sliceOrNull(name, values, rows * width);
    }

    static void checkBuffer(String name, Buffer values, long length) {
        if (!values.isDirect()) {
            throw new IllegalArgumentException(name + " must be a direct buffer, see Buffers");
        }
        if (values.remaining() != length) {
            throw new IllegalArgumentException(
                name + " must have " + length + " numbers, got " + values.remaining());
        }
    }
}
