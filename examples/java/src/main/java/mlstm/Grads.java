// SPDX-License-Identifier: MIT
package mlstm;

import static java.lang.ref.Reference.reachabilityFence;
import static mlstm.LibMlstm.check;
import static mlstm.LibMlstm.slice;

import com.sun.jna.ptr.FloatByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.FloatBuffer;
import java.util.function.Consumer;
import mlstm.LibMlstm.Size;

/** One gradient for each parameter. */
public final class Grads extends Handle {
    public Grads(Stack stack) {
        super(out -> LibMlstm.mlstm_grads_create(stack.pointer(), out), LibMlstm::mlstm_grads_destroy);
    }

    public void zero() {
        check(LibMlstm.mlstm_grads_zero(pointer()), this);
    }

    public void scale(float factor) {
        check(LibMlstm.mlstm_grads_scale(pointer(), factor), this);
    }

    public void add(Grads other) {
        check(LibMlstm.mlstm_grads_add(pointer(), other.pointer()), this, other);
    }

    /** The global norm. */
    public float norm() {
        FloatByReference norm = new FloatByReference();
        check(LibMlstm.mlstm_grads_norm(pointer(), norm), this);
        return norm.getValue();
    }

    /** Clips by the global norm and returns what that was before. */
    public float clipNorm(float maxNorm) {
        FloatByReference norm = new FloatByReference();
        check(LibMlstm.mlstm_grads_clip_norm(pointer(), maxNorm, norm), this);
        return norm.getValue();
    }

    /** Clips the gradient of every parameter by its own norm. */
    public void clipParamNorm(float maxNorm) {
        check(LibMlstm.mlstm_grads_clip_param_norm(pointer(), maxNorm), this);
    }

    /** Clips every number to -limit to limit. */
    public void clipValue(float limit) {
        check(LibMlstm.mlstm_grads_clip_value(pointer(), limit), this);
    }

    /** Throws NOT_FINITE, naming the parameter, where a number is not finite. */
    public void checkFinite() {
        check(LibMlstm.mlstm_grads_check(pointer(), null), this);
    }

    public void get(String name, FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_grads_get(pointer(), name, slice, new Size(slice.limit())), this);
    }

    public void set(String name, FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_grads_set(pointer(), name, slice, new Size(slice.limit())), this);
    }

    /**
     * Lends the block itself, in the kernels' own order, for what is done to all gradients alike; padding
     * in it is 0 and has to stay so. The buffer is good until the function returns.
     */
    public void data(Consumer<FloatBuffer> use) {
        PointerByReference data = new PointerByReference();
        LongByReference count = new LongByReference();
        check(LibMlstm.mlstm_grads_data(pointer(), data, count), this);
        use.accept(data.getValue().getByteBuffer(0, 4 * count.getValue()).asFloatBuffer());
        reachabilityFence(this);
    }
}
