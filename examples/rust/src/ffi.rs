// SPDX-License-Identifier: MIT
//! The C functions that the safe layer calls, as the headers declare them.

use std::os::raw::c_char;

/// Types of which there are only pointers, made, read and freed by the library alone.
macro_rules! opaque {
    ($($name:ident)*) => {$(
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
        }
    )*};
}
opaque! { Cell Stack State Grads Optimizer }

type Status = i32;

extern "C" {
    pub fn mlstm_last_error() -> *const c_char;
    pub fn mlstm_version() -> *const c_char;
    pub fn mlstm_version_number() -> i32;
    pub fn mlstm_isa() -> *const c_char;

    pub fn mlstm_cell_create(input_size: i32, hidden_size: i32, cell: *mut *mut Cell) -> Status;
    pub fn mlstm_cell_destroy(cell: *mut Cell);
    pub fn mlstm_cell_set_forget_bias(cell: *mut Cell, forget_bias: f32) -> Status;
    pub fn mlstm_cell_set_biases(cell: *mut Cell, biases: i32) -> Status;
    pub fn mlstm_cell_set_peepholes(cell: *mut Cell, peepholes: i32) -> Status;
    pub fn mlstm_cell_set_projection(cell: *mut Cell, projection: i32) -> Status;
    pub fn mlstm_cell_set_projection_clip(cell: *mut Cell, clip: f32) -> Status;
    pub fn mlstm_cell_set_cell_clip(cell: *mut Cell, clip: f32) -> Status;
    pub fn mlstm_cell_set_coupled(cell: *mut Cell, coupled: i32) -> Status;
    pub fn mlstm_cell_set_norm(cell: *mut Cell, norm: i32, epsilon: f32) -> Status;
    pub fn mlstm_cell_set_zoneout(cell: *mut Cell, c_rate: f32, h_rate: f32) -> Status;
    pub fn mlstm_cell_set_dropout(cell: *mut Cell, rate: f32, mask: i32) -> Status;
    pub fn mlstm_cell_set_recurrent_dropout(
        cell: *mut Cell,
        rate: f32,
        what: i32,
        mask: i32,
    ) -> Status;
    pub fn mlstm_cell_set_skip(cell: *mut Cell, skip: i32) -> Status;
    pub fn mlstm_cell_set_bidirectional(cell: *mut Cell, merge: i32) -> Status;
    pub fn mlstm_cell_set_learned_state(cell: *mut Cell, learned: i32) -> Status;
    pub fn mlstm_cell_input_size(cell: *const Cell) -> i32;
    pub fn mlstm_cell_hidden_size(cell: *const Cell) -> i32;
    pub fn mlstm_cell_recurrent_size(cell: *const Cell) -> i32;
    pub fn mlstm_cell_output_size(cell: *const Cell) -> i32;
    pub fn mlstm_cell_output_c_size(cell: *const Cell) -> i32;
    pub fn mlstm_cell_forget_bias(cell: *const Cell) -> f32;
    pub fn mlstm_cell_biases(cell: *const Cell) -> i32;
    pub fn mlstm_cell_peepholes(cell: *const Cell) -> i32;
    pub fn mlstm_cell_projection(cell: *const Cell) -> i32;
    pub fn mlstm_cell_projection_clip(cell: *const Cell) -> f32;
    pub fn mlstm_cell_cell_clip(cell: *const Cell) -> f32;
    pub fn mlstm_cell_coupled(cell: *const Cell) -> i32;
    pub fn mlstm_cell_norm(cell: *const Cell, epsilon: *mut f32) -> i32;
    pub fn mlstm_cell_zoneout(cell: *const Cell, c_rate: *mut f32, h_rate: *mut f32) -> Status;
    pub fn mlstm_cell_dropout(cell: *const Cell, mask: *mut i32) -> f32;
    pub fn mlstm_cell_recurrent_dropout(cell: *const Cell, what: *mut i32, mask: *mut i32) -> f32;
    pub fn mlstm_cell_skip(cell: *const Cell) -> i32;
    pub fn mlstm_cell_bidirectional(cell: *const Cell) -> i32;
    pub fn mlstm_cell_learned_state(cell: *const Cell) -> i32;

    pub fn mlstm_stack_create(
        cells: *const *mut Cell,
        count: i32,
        stack: *mut *mut Stack,
    ) -> Status;
    pub fn mlstm_stack_destroy(stack: *mut Stack);
    pub fn mlstm_stack_set_readout(stack: *mut Stack, outputs: i32, sources: i32) -> Status;
    pub fn mlstm_stack_readout(stack: *const Stack) -> i32;
    pub fn mlstm_stack_layer_count(stack: *const Stack) -> i32;
    pub fn mlstm_stack_cell(stack: *const Stack, layer: i32) -> *const Cell;
    pub fn mlstm_stack_input_size(stack: *const Stack) -> i32;
    pub fn mlstm_stack_output_size(stack: *const Stack) -> i32;
    pub fn mlstm_stack_init(stack: *mut Stack, initializer: i32, seed: u64) -> Status;
    pub fn mlstm_stack_init_param(
        stack: *mut Stack,
        name: *const c_char,
        initializer: i32,
        a: f32,
        b: f32,
        seed: u64,
    ) -> Status;
    pub fn mlstm_stack_param_count(stack: *const Stack) -> i32;
    pub fn mlstm_stack_param_info(
        stack: *const Stack,
        index: i32,
        name: *mut *const c_char,
        rank: *mut i32,
        shape: *mut i32,
    ) -> Status;
    pub fn mlstm_stack_get_param(
        stack: *const Stack,
        name: *const c_char,
        values: *mut f32,
        count: usize,
    ) -> Status;
    pub fn mlstm_stack_set_param(
        stack: *mut Stack,
        name: *const c_char,
        values: *const f32,
        count: usize,
    ) -> Status;

    pub fn mlstm_state_create(
        stack: *const Stack,
        batch: i32,
        window: i32,
        state: *mut *mut State,
    ) -> Status;
    pub fn mlstm_state_destroy(state: *mut State);
    pub fn mlstm_state_set_threads(state: *mut State, threads: i32) -> Status;
    pub fn mlstm_state_threads(state: *const State) -> i32;
    pub fn mlstm_state_zero(state: *mut State) -> Status;
    pub fn mlstm_state_begin_sequence(stack: *const Stack, state: *mut State) -> Status;
    pub fn mlstm_state_begin_window(state: *mut State) -> Status;
    pub fn mlstm_state_keep_steps(state: *mut State, steps: i32) -> Status;
    pub fn mlstm_state_set_lengths(state: *mut State, lengths: *const i32, count: usize) -> Status;
    pub fn mlstm_state_set_training(state: *mut State, training: i32, seed: u64) -> Status;
    pub fn mlstm_state_training(state: *const State) -> i32;
    pub fn mlstm_state_size(state: *const State) -> usize;
    pub fn mlstm_state_batch(state: *const State) -> i32;
    pub fn mlstm_state_window(state: *const State) -> i32;
    pub fn mlstm_state_steps(state: *const State) -> i32;
    pub fn mlstm_state_bytes(state: *const State) -> usize;
    pub fn mlstm_state_get(state: *const State, values: *mut f32, count: usize) -> Status;
    pub fn mlstm_state_set(state: *mut State, values: *const f32, count: usize) -> Status;
    pub fn mlstm_state_get_layer(
        state: *const State,
        layer: i32,
        c: *mut f32,
        h: *mut f32,
    ) -> Status;
    pub fn mlstm_state_set_layer(
        state: *mut State,
        layer: i32,
        c: *const f32,
        h: *const f32,
    ) -> Status;
    pub fn mlstm_state_get_top(state: *const State, c: *mut f32, h: *mut f32) -> Status;
    pub fn mlstm_state_set_final_grad(
        state: *mut State,
        values: *const f32,
        count: usize,
    ) -> Status;
    pub fn mlstm_state_get_initial_grad(
        state: *const State,
        values: *mut f32,
        count: usize,
    ) -> Status;

    pub fn mlstm_step_forward(
        stack: *const Stack,
        state: *mut State,
        x: *const f32,
        y: *mut f32,
    ) -> Status;
    pub fn mlstm_forward(
        stack: *const Stack,
        state: *mut State,
        x: *const f32,
        steps: i32,
        y: *mut f32,
    ) -> Status;
    pub fn mlstm_backward(
        stack: *const Stack,
        state: *mut State,
        dy: *const f32,
        dh_top: *const f32,
        dc_top: *const f32,
        dx: *mut f32,
        grads: *mut Grads,
    ) -> Status;

    pub fn mlstm_grads_create(stack: *const Stack, grads: *mut *mut Grads) -> Status;
    pub fn mlstm_grads_destroy(grads: *mut Grads);
    pub fn mlstm_grads_zero(grads: *mut Grads) -> Status;
    pub fn mlstm_grads_scale(grads: *mut Grads, factor: f32) -> Status;
    pub fn mlstm_grads_add(grads: *mut Grads, other: *const Grads) -> Status;
    pub fn mlstm_grads_norm(grads: *const Grads, norm: *mut f32) -> Status;
    pub fn mlstm_grads_clip_norm(grads: *mut Grads, max_norm: f32, norm: *mut f32) -> Status;
    pub fn mlstm_grads_clip_param_norm(grads: *mut Grads, max_norm: f32) -> Status;
    pub fn mlstm_grads_clip_value(grads: *mut Grads, limit: f32) -> Status;
    pub fn mlstm_grads_check(grads: *const Grads, name: *mut *const c_char) -> Status;
    pub fn mlstm_grads_get(
        grads: *const Grads,
        name: *const c_char,
        values: *mut f32,
        count: usize,
    ) -> Status;
    pub fn mlstm_grads_set(
        grads: *mut Grads,
        name: *const c_char,
        values: *const f32,
        count: usize,
    ) -> Status;
    pub fn mlstm_grads_data(grads: *mut Grads, data: *mut *mut f32, count: *mut usize) -> Status;

    pub fn mlstm_sgd_create(
        stack: *const Stack,
        rate: f32,
        momentum: f32,
        nesterov: i32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_adagrad_create(
        stack: *const Stack,
        rate: f32,
        initial_accumulator: f32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_rmsprop_create(
        stack: *const Stack,
        rate: f32,
        decay: f32,
        momentum: f32,
        epsilon: f32,
        centered: i32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_adam_create(
        stack: *const Stack,
        rate: f32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_adamw_create(
        stack: *const Stack,
        rate: f32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
        weight_decay: f32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_amsgrad_create(
        stack: *const Stack,
        rate: f32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_nadam_create(
        stack: *const Stack,
        rate: f32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
        momentum_decay: f32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_lion_create(
        stack: *const Stack,
        rate: f32,
        beta1: f32,
        beta2: f32,
        weight_decay: f32,
        optimizer: *mut *mut Optimizer,
    ) -> Status;
    pub fn mlstm_optimizer_destroy(optimizer: *mut Optimizer);
    pub fn mlstm_optimizer_set_rate(optimizer: *mut Optimizer, rate: f32) -> Status;
    pub fn mlstm_optimizer_rate(optimizer: *const Optimizer) -> f32;
    pub fn mlstm_optimizer_step_count(optimizer: *const Optimizer) -> i64;
    pub fn mlstm_optimizer_set_step_count(optimizer: *mut Optimizer, count: i64) -> Status;
    pub fn mlstm_optimizer_slot_count(optimizer: *const Optimizer) -> i32;
    pub fn mlstm_optimizer_slot_name(optimizer: *const Optimizer, index: i32) -> *const c_char;
    pub fn mlstm_optimizer_get_slot(
        optimizer: *const Optimizer,
        slot: *const c_char,
        param: *const c_char,
        values: *mut f32,
        count: usize,
    ) -> Status;
    pub fn mlstm_optimizer_set_slot(
        optimizer: *mut Optimizer,
        slot: *const c_char,
        param: *const c_char,
        values: *const f32,
        count: usize,
    ) -> Status;
    pub fn mlstm_optimizer_set_weight_decay(
        optimizer: *mut Optimizer,
        param: *const c_char,
        decay: f32,
    ) -> Status;
    pub fn mlstm_optimizer_weight_decay(optimizer: *const Optimizer, param: *const c_char) -> f32;
    pub fn mlstm_optimizer_set_frozen(
        optimizer: *mut Optimizer,
        param: *const c_char,
        frozen: i32,
    ) -> Status;
    pub fn mlstm_optimizer_frozen(optimizer: *const Optimizer, param: *const c_char) -> i32;
    pub fn mlstm_apply_grads(
        optimizer: *mut Optimizer,
        stack: *mut Stack,
        grads: *const Grads,
    ) -> Status;
    pub fn mlstm_state_apply_grads(
        state: *mut State,
        optimizer: *mut Optimizer,
        stack: *mut Stack,
        grads: *const Grads,
    ) -> Status;

    pub fn mlstm_softmax(
        logits: *const f32,
        rows: usize,
        classes: i32,
        probabilities: *mut f32,
    ) -> Status;
    pub fn mlstm_softmax_cross_entropy(
        logits: *const f32,
        labels: *const i32,
        rows: usize,
        classes: i32,
        probabilities: *mut f32,
        dlogits: *mut f32,
        loss: *mut f32,
    ) -> Status;
    pub fn mlstm_softmax_cross_entropy_weighted(
        logits: *const f32,
        labels: *const i32,
        weights: *const f32,
        rows: usize,
        classes: i32,
        ignored: i32,
        smoothing: f32,
        probabilities: *mut f32,
        dlogits: *mut f32,
        loss: *mut f32,
    ) -> Status;
    pub fn mlstm_sigmoid_cross_entropy(
        outputs: *const f32,
        targets: *const f32,
        count: usize,
        doutputs: *mut f32,
        loss: *mut f32,
    ) -> Status;
    pub fn mlstm_absolute_error(
        outputs: *const f32,
        targets: *const f32,
        count: usize,
        doutputs: *mut f32,
        loss: *mut f32,
    ) -> Status;
    pub fn mlstm_huber_loss(
        outputs: *const f32,
        targets: *const f32,
        count: usize,
        delta: f32,
        doutputs: *mut f32,
        loss: *mut f32,
    ) -> Status;
    pub fn mlstm_squared_error(
        outputs: *const f32,
        targets: *const f32,
        count: usize,
        doutputs: *mut f32,
        loss: *mut f32,
    ) -> Status;
    pub fn mlstm_weighted_loss(
        kind: i32,
        outputs: *const f32,
        targets: *const f32,
        weights: *const f32,
        rows: usize,
        columns: i32,
        delta: f32,
        doutputs: *mut f32,
        loss: *mut f32,
    ) -> Status;

    pub fn mlstm_schedule_step(rate: f32, step: i64, period: i64, factor: f32) -> f32;
    pub fn mlstm_schedule_exponential(rate: f32, step: i64, period: i64, factor: f32) -> f32;
    pub fn mlstm_schedule_cosine(rate: f32, step: i64, steps: i64, alpha: f32) -> f32;
    pub fn mlstm_schedule_warmup(rate: f32, step: i64, steps: i64, start: f32) -> f32;
    pub fn mlstm_schedule_loss_scale(
        scale: f32,
        finite: i32,
        period: i64,
        growth: f32,
        backoff: f32,
        streak: *mut i64,
    ) -> f32;
}
