// SPDX-License-Identifier: MIT
//! Learning rates and loss scales that change; `schedule.h` has the formulas.

use super::ffi;

macro_rules! rates {
    ($($name:ident($period:ident, $setting:ident): $function:ident;)*) => {$(
        /// The rate after `step` updates; NaN where a number is out of its range.
        pub fn $name(rate: f32, step: i64, $period: i64, $setting: f32) -> f32 {
            unsafe { ffi::$function(rate, step, $period, $setting) }
        }
    )*};
}
rates! {
    schedule_step(period, factor): mlstm_schedule_step;
    schedule_exponential(period, factor): mlstm_schedule_exponential;
    schedule_cosine(steps, alpha): mlstm_schedule_cosine;
    schedule_warmup(steps, start): mlstm_schedule_warmup;
}

/// The loss scale of the next window; `streak` is 0 at first, then what the last call left.
pub fn schedule_loss_scale(
    scale: f32,
    finite: bool,
    period: i64,
    growth: f32,
    backoff: f32,
    streak: &mut i64,
) -> f32 {
    let finite = i32::from(finite);
    unsafe { ffi::mlstm_schedule_loss_scale(scale, finite, period, growth, backoff, streak) }
}
