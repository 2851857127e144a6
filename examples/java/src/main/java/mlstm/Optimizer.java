// SPDX-License-Identifier: MIT
package mlstm;

import static mlstm.LibMlstm.check;

import com.sun.jna.ptr.PointerByReference;
import java.util.function.ToIntFunction;

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

    public void setRate(float rate) {
        check(LibMlstm.mlstm_optimizer_set_rate(pointer(), rate), this);
    }

    /** Updates every parameter of the stack by its gradient. */
    public void apply(Stack stack, Grads grads) {
        check(LibMlstm.mlstm_apply_grads(pointer(), stack.pointer(), grads.pointer()), this, stack, grads);
    }
}
