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

    pub fn mlstm_cell_create(input_size: i32, hidden_size: i32, cell: *mut *mut Cell) -> Status;
    pub fn mlstm_cell_destroy(cell: *mut Cell);
    pub fn mlstm_cell_set_forget_bias(cell: *mut Cell, forget_bias: f32) -> Status;

    pub fn mlstm_stack_create(
        cells: *const *mut Cell,
        count: i32,
        stack: *mut *mut Stack,
    ) -> Status;
    pub fn mlstm_stack_destroy(stack: *mut Stack);
    pub fn mlstm_stack_set_readout(stack: *mut Stack, outputs: i32, sources: i32) -> Status;
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
    pub fn mlstm_state_zero(state: *mut State) -> Status;
    pub fn mlstm_state_begin_window(state: *mut State) -> Status;
    pub fn mlstm_state_size(state: *const State) -> usize;
    pub fn mlstm_state_batch(state: *const State) -> i32;
    pub fn mlstm_state_steps(state: *const State) -> i32;
    pub fn mlstm_state_get(state: *const State, values: *mut f32, count: usize) -> Status;
    pub fn mlstm_state_set(state: *mut State, values: *const f32, count: usize) -> Status;

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
    pub fn mlstm_grads_add(grads: *mut Grads, other: *const Grads) -> Status;
    pub fn mlstm_grads_clip_norm(grads: *mut Grads, max_norm: f32, norm: *mut f32) -> Status;
    pub fn mlstm_grads_get(
        grads: *const Grads,
        name: *const c_char,
        values: *mut f32,
        count: usize,
    ) -> Status;

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
    pub fn mlstm_optimizer_destroy(optimizer: *mut Optimizer);
    pub fn mlstm_optimizer_set_rate(optimizer: *mut Optimizer, rate: f32) -> Status;
    pub fn mlstm_apply_grads(
        optimizer: *mut Optimizer,
        stack: *mut Stack,
        grads: *const Grads,
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
}
