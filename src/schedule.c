/* SPDX-License-Identifier: MIT */
#include <mlstm/schedule.h>

#include <float.h>
#include <math.h>

#include "float_mode.h"

/* The largest loss scale whose reciprocal, which gradients are multiplied by, is no denormal. */
#define MAX_SCALE 0x1p126f

/* How much of `steps` is over, 0 to 1; NaN where the arguments are none. */
static double part_over(int64_t step, int64_t steps)
{
    if (step < 0 || steps < 1)
        return (double)NAN;
    return step < steps ? (double)step / (double)steps : 1.0;
}

/* The powers stay reals: a factor below 0 has none. */
static float decayed(float rate, double periods, float factor)
{
    return factor >= 0.0f ? (float)((double)rate * pow((double)factor, periods)) : NAN;
}

static APART float step_rate(float rate, int64_t step, int64_t period, float factor)
{
    if (step < 0 || period < 1)
        return NAN;
    const int64_t whole = step / period;
    return decayed(rate, (double)whole, factor);
}

static APART float exponential_rate(float rate, int64_t step, int64_t period, float factor)
{
    return step < 0 || period < 1 ? NAN : decayed(rate, (double)step / (double)period, factor);
}

static APART float cosine_rate(float rate, int64_t step, int64_t steps, float alpha)
{
    const double fall = 0.5 * (1.0 + cos(3.14159265358979324 * part_over(step, steps)));
    return (float)((double)rate * ((1.0 - (double)alpha) * fall + (double)alpha));
}

static APART float warmup_rate(float rate, int64_t step, int64_t steps, float start)
{
    const double rise = part_over(step, steps);
    return (float)((double)rate * ((double)start + (1.0 - (double)start) * rise));
}

/* The larger or the smaller scale; `streak` as the next call needs it. */
static APART float next_scale(float scale, int32_t finite, int64_t period, float growth,
                              float backoff, int64_t *streak)
{
    if ((finite != 0 && finite != 1) || period < 1 || !streak || *streak < 0 ||
        !(scale >= FLT_MIN) || !(scale <= MAX_SCALE) || !isfinite(growth) || !(growth > 1.0f) ||
        !(backoff > 0.0f) || !(backoff < 1.0f))
        return NAN;
    if (!finite) {
        *streak = 0;
        return fmaxf(scale * backoff, FLT_MIN);
    }
    if (++*streak < period)
        return scale;
    *streak = 0;
    return scale * growth <= MAX_SCALE ? scale * growth : scale;
}

#define RETURN_IN_OWN_MODE(call)                                                                   \
    const struct float_mode callers = float_mode_enter();                                          \
    const float result = (call);                                                                   \
    float_mode_leave(callers);                                                                     \
    return result

float mlstm_schedule_step(float rate, int64_t step, int64_t period, float factor)
{
    RETURN_IN_OWN_MODE(step_rate(rate, step, period, factor));
}

float mlstm_schedule_exponential(float rate, int64_t step, int64_t period, float factor)
{
    RETURN_IN_OWN_MODE(exponential_rate(rate, step, period, factor));
}

float mlstm_schedule_cosine(float rate, int64_t step, int64_t steps, float alpha)
{
    RETURN_IN_OWN_MODE(cosine_rate(rate, step, steps, alpha));
}

float mlstm_schedule_warmup(float rate, int64_t step, int64_t steps, float start)
{
    RETURN_IN_OWN_MODE(warmup_rate(rate, step, steps, start));
}

float mlstm_schedule_loss_scale(float scale, int32_t finite, int64_t period, float growth,
                                float backoff, int64_t *streak)
{
    RETURN_IN_OWN_MODE(next_scale(scale, finite, period, growth, backoff, streak));
}
