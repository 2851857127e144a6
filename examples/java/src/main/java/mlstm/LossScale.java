// SPDX-License-Identifier: MIT
package mlstm;

import com.sun.jna.ptr.LongByReference;

/** The loss scale of mlstm_schedule_loss_scale. */
public final class LossScale {
    private final long period;
    private final float growth;
    private final float backoff;
    private final LongByReference streak = new LongByReference();
    private float value;

    public LossScale(float value, long period, float growth, float backoff) {
        this.value = value;
        this.period = period;
        this.growth = growth;
        this.backoff = backoff;
    }

    /** That of the next window. */
    public float value() {
        return value;
    }

    /** Takes in whether the gradients of the window were finite. */
    public void update(boolean finite) {
        value = LibMlstm.mlstm_schedule_loss_scale(value, finite ? 1 : 0, period, growth, backoff, streak);
    }
}
