// SPDX-License-Identifier: MIT
package mlstm;

import static java.lang.ref.Reference.reachabilityFence;
import static mlstm.LibMlstm.check;
import static mlstm.LibMlstm.slice;

import com.sun.jna.ptr.PointerByReference;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import mlstm.LibMlstm.Size;

/** An update rule and its slots. */
public final class Optimizer extends Handle {
    private Optimizer(ToIntFunction<PointerByReference> create) {
        super(create, LibMlstm::mlstm_optimizer_destroy);
    }

    public static Optimizer sgd(Stack stack, float rate, float momentum, boolean nesterov) {
        return new Optimizer(out ->
            LibMlstm.mlstm_sgd_create(stack.pointer(), rate, momentum, nesterov ? 1 : 0, out));
    }

    public static Optimizer adagrad(Stack stack, float rate, float initialAccumulator) {
        return new Optimizer(out ->
            LibMlstm.mlstm_adagrad_create(stack.pointer(), rate, initialAccumulator, out));
    }

    public static Optimizer rmsprop(Stack stack, float rate, float decay, float momentum,
            float epsilon, boolean centered) {
        return new Optimizer(out ->
            LibMlstm.mlstm_rmsprop_create(stack.pointer(), rate, decay, momentum, epsilon,
                centered ? 1 : 0, out));
    }

    public static Optimizer adam(Stack stack, float rate, float beta1, float beta2, float epsilon) {
        return new Optimizer(out ->
            LibMlstm.mlstm_adam_create(stack.pointer(), rate, beta1, beta2, epsilon, out));
    }

    public static Optimizer adamw(Stack stack, float rate, float beta1, float beta2,
            float epsilon, float weightDecay) {
        return new Optimizer(out ->
            LibMlstm.mlstm_adamw_create(stack.pointer(), rate, beta1, beta2, epsilon,
                weightDecay, out));
    }

    public static Optimizer amsgrad(Stack stack, float rate, float beta1, float beta2, float epsilon) {
        return new Optimizer(out ->
            LibMlstm.mlstm_amsgrad_create(stack.pointer(), rate, beta1, beta2, epsilon, out));
    }

    public static Optimizer nadam(Stack stack, float rate, float beta1, float beta2,
            float epsilon, float momentumDecay) {
        return new Optimizer(out ->
            LibMlstm.mlstm_nadam_create(stack.pointer(), rate, beta1, beta2, epsilon,
                momentumDecay, out));
    }

    public static Optimizer lion(Stack stack, float rate, float beta1, float beta2, float weightDecay) {
        return new Optimizer(out ->
            LibMlstm.mlstm_lion_create(stack.pointer(), rate, beta1, beta2, weightDecay, out));
    }

    public void setRate(float rate) {
        check(LibMlstm.mlstm_optimizer_set_rate(pointer(), rate), this);
    }

    public float rate() {
        float rate = LibMlstm.mlstm_optimizer_rate(pointer());
        reachabilityFence(this);
        return rate;
    }

    /** How many updates were made. */
    public long stepCount() {
        long count = LibMlstm.mlstm_optimizer_step_count(pointer());
        reachabilityFence(this);
        return count;
    }

    public void setStepCount(long count) {
        check(LibMlstm.mlstm_optimizer_set_step_count(pointer(), count), this);
    }

    /** The names of the slots that the rule keeps for each parameter. */
    public List<String> slots() {
        List<String> slots = IntStream.range(0, LibMlstm.mlstm_optimizer_slot_count(pointer()))
            .mapToObj(index -> LibMlstm.mlstm_optimizer_slot_name(pointer(), index)).toList();
        reachabilityFence(this);
        return slots;
    }

    public void getSlot(String slot, String name, FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        Size count = new Size(slice.limit());
        check(LibMlstm.mlstm_optimizer_get_slot(pointer(), slot, name, slice, count), this);
    }

    public void setSlot(String slot, String name, FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        Size count = new Size(slice.limit());
        check(LibMlstm.mlstm_optimizer_set_slot(pointer(), slot, name, slice, count), this);
    }

    /** The weight decay of one parameter, 0 for one that is not there. */
    public float weightDecay(String name) {
        float decay = LibMlstm.mlstm_optimizer_weight_decay(pointer(), name);
        reachabilityFence(this);
        return decay;
    }

    /** Sets the weight decay of one parameter. */
    public void setWeightDecay(String name, float decay) {
        check(LibMlstm.mlstm_optimizer_set_weight_decay(pointer(), name, decay), this);
    }

    public boolean frozen(String name) {
        boolean frozen = LibMlstm.mlstm_optimizer_frozen(pointer(), name) != 0;
        reachabilityFence(this);
        return frozen;
    }

    /** Freezes one parameter, or lets it go on. */
    public void setFrozen(String name, boolean frozen) {
        check(LibMlstm.mlstm_optimizer_set_frozen(pointer(), name, frozen ? 1 : 0), this);
    }

    /** Updates every parameter of the stack that is not frozen by its gradient. */
    public void apply(Stack stack, Grads grads) {
        check(LibMlstm.mlstm_apply_grads(pointer(), stack.pointer(), grads.pointer()), this, stack, grads);
    }
}
