// SPDX-License-Identifier: MIT
package mlstm;

/**
 * Learning rates from the number of updates made before; schedule.h has the formulas. An argument
 * outside its range gives NaN, which {@link Optimizer#setRate} refuses.
 */
public final class Schedules {
    private Schedules() {}

    public static float step(float rate, long step, long period, float factor) {
        return LibMlstm.mlstm_schedule_step(rate, step, period, factor);
    }

    public static float exponential(float rate, long step, long period, float factor) {
        return LibMlstm.mlstm_schedule_exponential(rate, step, period, factor);
    }

    public static float cosine(float rate, long step, long steps, float alpha) {
        return LibMlstm.mlstm_schedule_cosine(rate, step, steps, alpha);
    }

    public static float warmup(float rate, long step, long steps, float start) {
        return LibMlstm.mlstm_schedule_warmup(rate, step, steps, start);
    }
}
