// SPDX-License-Identifier: MIT
//! A safe layer over libmlstm.
//!
//! Every handle of the library is a type that frees it when dropped, so that no handle can be freed
//! twice or used afterwards. All of them may move to another thread; a [`Stack`] may also be shared,
//! since passes only read it:
//!
//! ```compile_fail,E0277
//! fn share<T: Sync>() {}
//! share::<mlstm::State>(); // a state belongs to one thread at a time
//! ```
//!
//! A stack takes its cells; the compiler sees to it that they are not used again:
//!
//! ```compile_fail,E0382
//! # fn main() -> Result<(), mlstm::Error> {
//! let cell = mlstm::Cell::new(1, 4)?;
//! let stack = mlstm::Stack::new(vec![cell])?;
//! drop(cell);
//! # Ok(()) }
//! ```
//!
//! In the shapes T is steps, B batch rows, I the input size and O the outputs.

mod ffi;
mod losses;
mod options;
mod schedules;

pub use losses::*;
pub use options::*;
pub use schedules::*;

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::raw::c_char;
use std::ptr;

/// What the library, or this layer before it, refused; prints as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// One of the library's statuses.
    pub status: i32,
    message: String,
}

impl Error {
    pub const INVALID_ARGUMENT: i32 = 1;
    pub const OUT_OF_MEMORY: i32 = 2;
    pub const TOO_LARGE: i32 = 3;
    pub const MISMATCH: i32 = 4;
    pub const OWNED: i32 = 5;
    pub const ORDER: i32 = 6;
    pub const NOT_FOUND: i32 = 7;
    pub const NOT_FINITE: i32 = 8;
    pub const SYSTEM: i32 = 9;
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

fn text(pointer: *const c_char) -> String {
    // SAFETY: the library's strings are never NULL and outlive this call.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

fn check(status: i32) -> Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(Error {
            status,
            message: text(unsafe { ffi::mlstm_last_error() }),
        }),
    }
}

/// The C functions take arrays without their lengths; here is where these are checked.
fn check_length(array: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    let message = format!("{} must have {} numbers, got {}", array, expected, got);
    Err(Error {
        status: Error::MISMATCH,
        message,
    })
}

fn c_string(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error {
        status: Error::NOT_FOUND,
        message: format!("{:?} is no name: it contains NUL", name),
    })
}

/// A size for C; one that does not fit becomes one that the library refuses.
fn size(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(-1)
}

fn or_null(array: Option<&mut [f32]>) -> *mut f32 {
    array.map_or(ptr::null_mut(), <[f32]>::as_mut_ptr)
}

/// The version of the library that is loaded.
pub fn version() -> String {
    text(unsafe { ffi::mlstm_version() })
}

/// A type that owns a handle and frees it when dropped.
macro_rules! handle {
    ($name:ident, $destroy:ident, $about:literal) => {
        #[doc = $about]
        #[derive(Debug)]
        pub struct $name(*mut ffi::$name);

        // SAFETY: a handle may be used from any thread, by one at a time.
        unsafe impl Send for $name {}

        impl $name {
            fn create(make: impl FnOnce(*mut *mut ffi::$name) -> i32) -> Result<$name> {
                let mut pointer = ptr::null_mut();
                check(make(&mut pointer))?;
                Ok($name(pointer))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the pointer is this value's own.
                unsafe { ffi::$destroy(self.0) }
            }
        }
    };
}

handle!(Cell, mlstm_cell_destroy, "The description of one layer.");
handle!(
    Stack,
    mlstm_stack_destroy,
    "The layers, the readout, and every parameter."
);
handle!(
    State,
    mlstm_state_destroy,
    "c and h of every layer, and the recorded window."
);
handle!(
    Grads,
    mlstm_grads_destroy,
    "One gradient for each parameter."
);
handle!(
    Optimizer,
    mlstm_optimizer_destroy,
    "An update rule and its slots."
);

// SAFETY: any number of threads may read one stack; what changes it takes `&mut self`.
unsafe impl Sync for Stack {}

impl Cell {
    pub fn new(input_size: usize, hidden_size: usize) -> Result<Cell> {
        let (input_size, hidden_size) = (size(input_size), size(hidden_size));
        Cell::create(|cell| unsafe { ffi::mlstm_cell_create(input_size, hidden_size, cell) })
    }

    pub fn set_forget_bias(&mut self, forget_bias: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_cell_set_forget_bias(self.0, forget_bias) })
    }

    pub fn set_options(&mut self, options: &Options) -> Result<()> {
        options.set(self.0)
    }

    pub fn options(&self) -> Options {
        Options::of(self.0)
    }

    pub fn sizes(&self) -> Sizes {
        Sizes::of(self.0)
    }
}

/// What the readout reads of the top layer.
#[derive(Clone, Copy, Debug)]
pub enum Readout {
    C = 1,
    H = 2,
    Both = 3,
}

/// How initial values are drawn.
#[derive(Clone, Copy, Debug)]
pub enum Initializer {
    Zeros,
    /// From the first number to below the second.
    Uniform(f32, f32),
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    /// With this mean and this standard deviation.
    Normal(f32, f32),
    /// As `Normal`, less than two standard deviations from the mean.
    TruncatedNormal(f32, f32),
    Constant(f32),
    /// With this gain.
    Orthogonal(f32),
}

impl Initializer {
    fn in_c(self) -> (i32, f32, f32) {
        match self {
            Initializer::Zeros => (0, 0.0, 0.0),
            Initializer::Uniform(a, b) => (1, a, b),
            Initializer::GlorotUniform => (2, 0.0, 0.0),
            Initializer::GlorotNormal => (3, 0.0, 0.0),
            Initializer::HeUniform => (4, 0.0, 0.0),
            Initializer::HeNormal => (5, 0.0, 0.0),
            Initializer::Normal(mean, deviation) => (6, mean, deviation),
            Initializer::TruncatedNormal(mean, deviation) => (7, mean, deviation),
            Initializer::Constant(value) => (8, value, 0.0),
            Initializer::Orthogonal(gain) => (9, gain, 0.0),
        }
    }
}

impl Stack {
    /// A stack of the given layers, bottom first.
    pub fn new(cells: Vec<Cell>) -> Result<Stack> {
        let pointers: Vec<_> = cells.iter().map(|cell| cell.0).collect();
        let count = size(pointers.len());
        let stack = Stack::create(|stack| unsafe {
            ffi::mlstm_stack_create(pointers.as_ptr(), count, stack)
        })?;
        cells.into_iter().for_each(std::mem::forget); // the stack frees them
        Ok(stack)
    }

    pub fn set_readout(&mut self, outputs: usize, sources: Readout) -> Result<()> {
        check(unsafe { ffi::mlstm_stack_set_readout(self.0, size(outputs), sources as i32) })
    }

    pub fn input_size(&self) -> usize {
        unsafe { ffi::mlstm_stack_input_size(self.0) as usize }
    }

    pub fn output_size(&self) -> usize {
        unsafe { ffi::mlstm_stack_output_size(self.0) as usize }
    }

    /// The options of a layer; `None` for one that is not there.
    pub fn options(&self, layer: usize) -> Option<Options> {
        let cell = unsafe { ffi::mlstm_stack_cell(self.0, size(layer)) };
        (!cell.is_null()).then(|| Options::of(cell))
    }

    /// The sizes of a layer; `None` for one that is not there.
    pub fn sizes(&self, layer: usize) -> Option<Sizes> {
        let cell = unsafe { ffi::mlstm_stack_cell(self.0, size(layer)) };
        (!cell.is_null()).then(|| Sizes::of(cell))
    }

    /// Gives every kernel and projection new values, gains and highway biases 1, and everything else
    /// 0. The numbers of the initializer are not used: `Orthogonal` has gain 1.
    pub fn init(&mut self, initializer: Initializer, seed: u64) -> Result<()> {
        check(unsafe { ffi::mlstm_stack_init(self.0, initializer.in_c().0, seed) })
    }

    pub fn init_param(&mut self, name: &str, initializer: Initializer, seed: u64) -> Result<()> {
        let (name, (kind, a, b)) = (c_string(name)?, initializer.in_c());
        check(unsafe { ffi::mlstm_stack_init_param(self.0, name.as_ptr(), kind, a, b, seed) })
    }

    pub fn get_param(&self, name: &str, values: &mut [f32]) -> Result<()> {
        let (name, count) = (c_string(name)?, values.len());
        check(unsafe {
            ffi::mlstm_stack_get_param(self.0, name.as_ptr(), values.as_mut_ptr(), count)
        })
    }

    pub fn set_param(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let (name, count) = (c_string(name)?, values.len());
        check(unsafe { ffi::mlstm_stack_set_param(self.0, name.as_ptr(), values.as_ptr(), count) })
    }

    /// Moves a state on by the steps that `x` `[T,B,I]` has; `y` is `[T,B,O]`.
    pub fn forward(&self, state: &mut State, x: &[f32], y: Option<&mut [f32]>) -> Result<()> {
        let row = state.batch() * self.input_size();
        let steps = x.len() / row;
        check_length("x", x.len(), steps.max(1) * row)?;
        if let Some(y) = &y {
            check_length("y", y.len(), steps * state.batch() * self.output_size())?;
        }
        let (x, y) = (x.as_ptr(), or_null(y));
        check(unsafe { ffi::mlstm_forward(self.0, state.0, x, size(steps), y) })
    }

    /// Walks the recorded steps back and adds to `grads`; `dy` `[T,B,O]` is the gradient of y.
    pub fn backward(&self, state: &mut State, dy: &[f32], grads: &mut Grads) -> Result<()> {
        let steps = state.steps();
        if steps > 0 {
            check_length("dy", dy.len(), steps * state.batch() * self.output_size())?;
        }
        let (dy, none) = (dy.as_ptr(), ptr::null());
        check(unsafe {
            ffi::mlstm_backward(self.0, state.0, dy, none, none, ptr::null_mut(), grads.0)
        })
    }
}

impl State {
    /// A state of 0 for `batch` rows that records up to `window` steps; 0 is for inference.
    pub fn new(stack: &Stack, batch: usize, window: usize) -> Result<State> {
        let (batch, window) = (size(batch), size(window));
        State::create(|state| unsafe { ffi::mlstm_state_create(stack.0, batch, window, state) })
    }

    pub fn set_threads(&mut self, threads: usize) -> Result<()> {
        check(unsafe { ffi::mlstm_state_set_threads(self.0, size(threads)) })
    }

    /// Sets c and h to 0 and begins a window.
    pub fn zero(&mut self) -> Result<()> {
        check(unsafe { ffi::mlstm_state_zero(self.0) })
    }

    /// As `zero`, but layers with a learned state begin with theirs.
    pub fn begin_sequence(&mut self, stack: &Stack) -> Result<()> {
        check(unsafe { ffi::mlstm_state_begin_sequence(stack.0, self.0) })
    }

    /// Keeps c and h, forgets the recorded steps.
    pub fn begin_window(&mut self) -> Result<()> {
        check(unsafe { ffi::mlstm_state_begin_window(self.0) })
    }

    /// Begins a window whose first steps are the last ones that were recorded.
    pub fn keep_steps(&mut self, steps: usize) -> Result<()> {
        check(unsafe { ffi::mlstm_state_keep_steps(self.0, size(steps)) })
    }

    /// How many steps each row still has, `[B]`; `None` for no end.
    pub fn set_lengths(&mut self, lengths: Option<&[i32]>) -> Result<()> {
        let (pointer, count) = lengths.map_or((ptr::null(), 0), |of| (of.as_ptr(), of.len()));
        check(unsafe { ffi::mlstm_state_set_lengths(self.0, pointer, count) })
    }

    /// Turns dropout and zoneout at random on with this seed, or off with `None`; begins a window.
    pub fn set_training(&mut self, seed: Option<u64>) -> Result<()> {
        let (training, seed) = (i32::from(seed.is_some()), seed.unwrap_or(0));
        check(unsafe { ffi::mlstm_state_set_training(self.0, training, seed) })
    }

    pub fn training(&self) -> bool {
        unsafe { ffi::mlstm_state_training(self.0) != 0 }
    }

    /// How many numbers the state tensor `[L,2,B,H]` has.
    pub fn size(&self) -> usize {
        unsafe { ffi::mlstm_state_size(self.0) }
    }

    pub fn batch(&self) -> usize {
        unsafe { ffi::mlstm_state_batch(self.0) as usize }
    }

    /// Steps recorded since the window began.
    pub fn steps(&self) -> usize {
        unsafe { ffi::mlstm_state_steps(self.0) as usize }
    }

    pub fn get(&self, values: &mut [f32]) -> Result<()> {
        check(unsafe { ffi::mlstm_state_get(self.0, values.as_mut_ptr(), values.len()) })
    }

    pub fn set(&mut self, values: &[f32]) -> Result<()> {
        check(unsafe { ffi::mlstm_state_set(self.0, values.as_ptr(), values.len()) })
    }
}

impl Grads {
    pub fn new(stack: &Stack) -> Result<Grads> {
        Grads::create(|grads| unsafe { ffi::mlstm_grads_create(stack.0, grads) })
    }

    pub fn zero(&mut self) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_zero(self.0) })
    }

    pub fn scale(&mut self, factor: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_scale(self.0, factor) })
    }

    pub fn add(&mut self, other: &Grads) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_add(self.0, other.0) })
    }

    /// Clips by the global norm and returns what that was before.
    pub fn clip_norm(&mut self, max_norm: f32) -> Result<f32> {
        let mut norm = 0.0;
        check(unsafe { ffi::mlstm_grads_clip_norm(self.0, max_norm, &mut norm) })?;
        Ok(norm)
    }

    /// Clips the gradient of every parameter by its own norm.
    pub fn clip_param_norm(&mut self, max_norm: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_clip_param_norm(self.0, max_norm) })
    }

    /// Clips every number to -limit to limit.
    pub fn clip_value(&mut self, limit: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_clip_value(self.0, limit) })
    }

    /// `Error::NOT_FINITE`, naming the parameter, where a number is not finite.
    pub fn check(&self) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_check(self.0, ptr::null_mut()) })
    }

    pub fn get(&self, name: &str, values: &mut [f32]) -> Result<()> {
        let (name, count) = (c_string(name)?, values.len());
        check(unsafe { ffi::mlstm_grads_get(self.0, name.as_ptr(), values.as_mut_ptr(), count) })
    }
}

macro_rules! rules {
    ($($name:ident($($setting:ident),*): $create:ident;)*) => {
        impl Optimizer {$(
            /// The rule of this name; its settings are as in C.
            pub fn $name(stack: &Stack, rate: f32, $($setting: f32),*) -> Result<Optimizer> {
                Optimizer::create(|optimizer| unsafe {
                    ffi::$create(stack.0, rate, $($setting,)* optimizer)
                })
            }
        )*}
    };
}
rules! {
    adagrad(initial_accumulator): mlstm_adagrad_create;
    adam(beta1, beta2, epsilon): mlstm_adam_create;
    adamw(beta1, beta2, epsilon, weight_decay): mlstm_adamw_create;
    amsgrad(beta1, beta2, epsilon): mlstm_amsgrad_create;
    nadam(beta1, beta2, epsilon, momentum_decay): mlstm_nadam_create;
    lion(beta1, beta2, weight_decay): mlstm_lion_create;
}

impl Optimizer {
    pub fn sgd(stack: &Stack, rate: f32, momentum: f32, nesterov: bool) -> Result<Optimizer> {
        Optimizer::create(|optimizer| unsafe {
            ffi::mlstm_sgd_create(stack.0, rate, momentum, i32::from(nesterov), optimizer)
        })
    }

    pub fn rmsprop(
        stack: &Stack,
        rate: f32,
        decay: f32,
        momentum: f32,
        epsilon: f32,
        centered: bool,
    ) -> Result<Optimizer> {
        let centered = i32::from(centered);
        Optimizer::create(|optimizer| unsafe {
            ffi::mlstm_rmsprop_create(stack.0, rate, decay, momentum, epsilon, centered, optimizer)
        })
    }

    pub fn set_rate(&mut self, rate: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_optimizer_set_rate(self.0, rate) })
    }

    /// How many updates were made.
    pub fn step_count(&self) -> i64 {
        unsafe { ffi::mlstm_optimizer_step_count(self.0) }
    }

    pub fn set_step_count(&mut self, count: i64) -> Result<()> {
        check(unsafe { ffi::mlstm_optimizer_set_step_count(self.0, count) })
    }

    /// Sets the weight decay of one parameter.
    pub fn set_weight_decay(&mut self, param: &str, decay: f32) -> Result<()> {
        let param = c_string(param)?;
        check(unsafe { ffi::mlstm_optimizer_set_weight_decay(self.0, param.as_ptr(), decay) })
    }

    /// Freezes one parameter, or lets it go on.
    pub fn set_frozen(&mut self, param: &str, frozen: bool) -> Result<()> {
        let (param, frozen) = (c_string(param)?, i32::from(frozen));
        check(unsafe { ffi::mlstm_optimizer_set_frozen(self.0, param.as_ptr(), frozen) })
    }

    /// Updates every parameter of the stack that is not frozen by its gradient.
    pub fn apply(&mut self, stack: &mut Stack, grads: &Grads) -> Result<()> {
        check(unsafe { ffi::mlstm_apply_grads(self.0, stack.0, grads.0) })
    }
}
