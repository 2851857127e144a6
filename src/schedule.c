/* SPDX-License-Identifier: MIT */
#include <mlstm/schedule.h>

#include <math.h>

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

float mlstm_schedule_step(float rate, int64_t step, int64_t period, float factor)
{
    if (step < 0 || period < 1)
        return NAN;
    const int64_t whole = step / period;
    return decayed(rate, (double)whole, factor);
}

float mlstm_schedule_exponential(float rate, int64_t step, int64_t period, float factor)
{
    return step < 0 || period < 1 ? NAN : decayed(rate, (double)step / (double)period, factor);
}

float mlstm_schedule_cosine(float rate, int64_t step, int64_t steps, float alpha)
{
    const double fall = 0.5 * (1.0 + cos(3.14159265358979324 * part_over(step, steps)));
    return (float)((double)rate * ((1.0 - (double)alpha) * fall + (double)alpha));
}

float mlstm_schedule_warmup(float rate, int64_t step, int64_t steps, float start)
{
    const double rise = part_over(step, steps);
    return (float)((double)rate * ((double)start + (1.0 - (double)start) * rise));
}
