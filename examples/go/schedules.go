// SPDX-License-Identifier: MIT

package mlstm

// #include <mlstm/mlstm.h>
import "C"

// Learning rates from the number of updates made before; schedule.h has the formulas. An argument
// outside its range gives NaN, which SetRate refuses.

func ScheduleStep(rate float32, step, period int64, factor float32) float32 {
	return float32(C.mlstm_schedule_step(C.float(rate), C.int64_t(step), C.int64_t(period), C.float(factor)))
}

func ScheduleExponential(rate float32, step, period int64, factor float32) float32 {
	return float32(C.mlstm_schedule_exponential(C.float(rate), C.int64_t(step), C.int64_t(period), C.float(factor)))
}

func ScheduleCosine(rate float32, step, steps int64, alpha float32) float32 {
	return float32(C.mlstm_schedule_cosine(C.float(rate), C.int64_t(step), C.int64_t(steps), C.float(alpha)))
}

func ScheduleWarmup(rate float32, step, steps int64, start float32) float32 {
	return float32(C.mlstm_schedule_warmup(C.float(rate), C.int64_t(step), C.int64_t(steps), C.float(start)))
}

// ScheduleLossScale is the loss scale of the next window, after gradients that were finite or not;
// streak is 0 at first, then what the last call left.
func ScheduleLossScale(scale float32, finite bool, period int64, growth, backoff float32, streak *int64) float32 {
	return float32(C.mlstm_schedule_loss_scale(C.float(scale), flag(finite), C.int64_t(period),
		C.float(growth), C.float(backoff), (*C.int64_t)(streak)))
}
